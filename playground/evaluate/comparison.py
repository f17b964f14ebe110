"""Systems side by side: of every figure that there is, each system's with its interval, the difference to a baseline
with a paired test, and who is best where a test shows it.

A system is a cell of a sweep whose only axis is the model. A figure is a mean over cases (`mean`), or one that only all
answers together have (`corpus`). Within one figure the p-values are adjusted by Holm for as many comparisons.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Literal, Protocol

import numpy as np
from pydantic import ConfigDict, TypeAdapter, ValidationError

from playground.evaluate.metrics.build import Group, group
from playground.evaluate.metrics.metric import Array, Parted, Sums, Whole
from playground.evaluate.plan import baseline_cell
from playground.evaluate.resampling import Drawn, Jackknifed, differences, intervals, jackknife, means, randomization
from playground.evaluate.results import Measure, Results
from playground.evaluate.statistics import RESAMPLES, Interval, Paired, case_means, paired
from playground.evaluate.verdict import ALPHA, Verdict, adjusted, decide

Kind = Literal["mean", "corpus"]
VERSION = 1
"""Of how figures are worked out: whoever changes a metric, an interval or a test raises it, or old figures stay."""
DRAWN, LEAST = 5_000_000, 1_999
"""Numbers that are drawn for a figure, where that leaves it enough samples: of very many cases few say it as well."""


@dataclass(frozen=True, slots=True)
class Difference:
    """To the baseline, above 0 where the system's figure is higher. `interval` is of the difference, None where cases
    have no partners; `p_value` is adjusted by Holm."""

    tested: Paired
    p_value: float
    interval: Interval | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A figure of every system, by its cell. `group` is the way to evaluate that it belongs to, None for cost and
    time; `most` the highest there is, None where there is none; `verdict` says who is best, where that is shown."""

    measure: Measure
    kind: Kind
    group: Group | None
    most: float | None
    jackknifed: bool
    figures: Mapping[int, Interval]
    differences: Mapping[int, Difference]
    verdict: Verdict | None

    @property
    def key(self) -> str:
        """What tells the columns apart: a metric may have both a mean and a figure of all answers."""
        return f"{self.measure.name} {self.kind}"


class _Figure(Protocol):
    """One figure: of a system, and of two. What is `Drawn` is still to be drawn, with all others at once."""

    def of(self, cell: int) -> Drawn | Interval | None: ...

    def between(self, cell: int, base: int) -> Drawn | Interval | None: ...

    def tested(self, cell: int, base: int) -> Paired | None: ...


class _Mean:
    def __init__(self, results: Results, measure: Measure) -> None:
        self._binary = measure.binary
        self._scores = [results.scores(measure, [cell]) for cell in range(len(results.sweep.cells))]
        self._draws = _resamples(results, tested=len(self._scores))

    def of(self, cell: int) -> Drawn | None:
        sample = case_means(self._scores[cell])
        return means(sample) if sample else None

    def between(self, cell: int, base: int) -> Drawn | None:
        if len(self._scores[cell]) < 2:  # the repeats of a single case have no partners
            return None
        pairs = [
            (case_means([mine]), case_means([theirs]))
            for mine, theirs in zip(self._scores[cell], self._scores[base], strict=True)
        ]
        found = [float(np.mean(mine) - np.mean(theirs)) for mine, theirs in pairs if mine and theirs]
        return means(found) if found else None

    def tested(self, cell: int, base: int) -> Paired | None:
        return paired(self._scores[cell], self._scores[base], binary=self._binary, resamples=self._draws)


class _Sum:
    def __init__(self, results: Results, sums: Sums) -> None:
        self._results, self._sums = results, sums
        self._draws = _resamples(results, tested=len(results.sweep.cells))
        self._rows = cache(self._counted)

    def _counted(self, cell: int) -> dict[int, Array]:
        """By case, what the cell's answers to it add up to; without cases that count nowhere."""
        outputs = self._results.by_cell[cell]
        if not outputs:
            return {}
        cases = [self._results.cases[output.row] for output in outputs]
        found: dict[int, Array] = {}
        for output, row in zip(outputs, self._sums.rows([each.answer for each in outputs], cases), strict=True):
            if row.any():
                found[output.row] = found[output.row] + row if output.row in found else row
        return found

    def _drawn(self, cell: int, places: Sequence[int]) -> Drawn:
        rows = self._rows(cell)
        return Drawn(np.array([rows[place] for place in places]), self._sums.figures)

    def _shared(self, cell: int, base: int) -> list[int]:
        return sorted(self._rows(cell).keys() & self._rows(base).keys())

    def of(self, cell: int) -> Drawn | None:
        places = sorted(self._rows(cell))
        return self._drawn(cell, places) if places else None

    def between(self, cell: int, base: int) -> Drawn | None:
        places = self._shared(cell, base)
        return differences(self._drawn(cell, places), self._drawn(base, places)) if places else None

    def tested(self, cell: int, base: int) -> Paired | None:
        places = self._shared(cell, base)
        if not places:
            return None
        return randomization(self._drawn(cell, places), self._drawn(base, places), resamples=self._draws)


class _Left:
    """By leaving out cases, where no count adds up."""

    def __init__(self, results: Results, parted: Parted, most: float | None) -> None:
        self._results, self._parted, self._most = results, parted, most
        self._read = cache(self._reading)
        self._left = cache(self._leaving)

    def _reading(self, cell: int) -> tuple[Whole, dict[int, list[int]]]:
        """The cell's answers, and by case the places of those to it."""
        outputs = self._results.by_cell[cell]
        places: dict[int, list[int]] = {}
        for at, output in enumerate(outputs):
            places.setdefault(output.row, []).append(at)
        return self._parted([output.answer for output in outputs]), places

    def _leaving(self, cell: int, cases: tuple[int, ...]) -> Jackknifed | None:
        whole, places = self._read(cell)
        if not cases:
            return None
        return jackknife(lambda chosen: whole([at for case in chosen for at in places[case]]), cases)

    def _difference(self, cell: int, base: int) -> Jackknifed | None:
        shared = tuple(sorted(self._read(cell)[1].keys() & self._read(base)[1].keys()))
        mine, theirs = self._left(cell, shared), self._left(base, shared)
        if mine is None or theirs is None or len(mine.without) != len(theirs.without):
            return None
        return mine.minus(theirs)

    def of(self, cell: int) -> Interval | None:
        found = self._left(cell, tuple(sorted(self._read(cell)[1])))
        return None if found is None else found.interval().within(0.0, self._most)

    def between(self, cell: int, base: int) -> Interval | None:
        found = self._difference(cell, base)
        return None if found is None else found.interval()

    def tested(self, cell: int, base: int) -> Paired | None:
        found = self._difference(cell, base)
        return None if found is None else found.tested()


@dataclass(frozen=True)
class Comparison:
    """A sweep's cells against `baseline`, one of them."""

    results: Results
    baseline: int

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """Every figure that a system has: the metrics' in the spec's order, then cost, time and tokens."""
        kept, about = self.results.figures_kept, f"columns {VERSION} {self.baseline}"
        text = kept.read(about) if kept is not None else None
        if text is not None:
            with suppress(ValidationError):
                return _columns().validate_json(text)
        found = self._worked_out()
        if kept is not None:
            kept.write(about, _columns().dump_json(found).decode())
        return found

    def _worked_out(self) -> tuple[Column, ...]:
        found = [each for each in self._wanted() if any(part is not None for part in each.own.values())]
        waiting = [part for each in found for part in (*each.own.values(), *each.differences.values())]
        to_draw = [part for part in waiting if isinstance(part, Drawn)]
        drawn = iter(intervals(to_draw, resamples=_resamples(self.results)))

        def settled(part: Drawn | Interval | None) -> Interval | None:
            return next(drawn) if isinstance(part, Drawn) else part

        return tuple(
            each.column(
                {cell: settled(part) for cell, part in each.own.items()},
                {cell: settled(part) for cell, part in each.differences.items()},
            )
            for each in found
        )

    def column(self, name: str) -> Column | None:
        """The mean of that name; else the figure of all answers."""
        there = [each for each in self.columns if each.measure.name == name]
        return next((each for each in there if each.kind == "mean"), there[0] if there else None)

    def _group(self, name: str, kind: str | None) -> Group | None:
        if kind is not None:
            return group(kind)
        return "human" if any(each.human for each in self.results.measures if each.name == name) else None

    def _wanted(self) -> list[_Column]:
        made = []
        by_name = {metric.name: metric for metric in self.results.metrics}
        kinds = {each.name: each.kind for each in self.results.spec.metrics}
        measures = {measure.name: measure for measure in self.results.measures}
        for name in (*kinds, *(name for name in measures if name not in kinds)):
            metric, where = by_name.get(name), self._group(name, kinds.get(name))
            most = None if metric is None else metric.most
            if metric is not None and metric.corpus is not None:
                whole = Measure(name, higher_is_better=metric.higher_is_better)
                if metric.sums is not None:
                    made.append(_Column(self, whole, "corpus", where, most, _Sum(self.results, metric.sums)))
                elif metric.parted is not None:
                    made.append(_Column(self, whole, "corpus", where, most, _Left(self.results, metric.parted, most)))
            if name in measures:
                mean = _Mean(self.results, measures[name])
                made.append(_Column(self, measures[name], "mean", where, most, mean))
        return made


@cache
def _columns() -> TypeAdapter[tuple[Column, ...]]:
    """As JSON and back, with figures that are no numbers."""
    return TypeAdapter(tuple[Column, ...], config=ConfigDict(ser_json_inf_nan="constants"))


class _Column:
    """A column in the making: what is to be drawn of it."""

    def __init__(
        self, of: Comparison, measure: Measure, kind: Kind, group: Group | None, most: float | None, figure: _Figure
    ) -> None:
        self._measure, self._kind, self._group, self._most, self._figure = measure, kind, group, most, figure
        self._baseline = of.baseline
        cells = range(len(of.results.sweep.cells))
        self.own = {cell: figure.of(cell) for cell in cells}
        self.differences = {
            cell: figure.between(cell, of.baseline)
            for cell in cells
            if cell != of.baseline and self.own[cell] is not None and self.own[of.baseline] is not None
        }
        self._test = cache(figure.tested)

    def column(self, own: Mapping[int, Interval | None], differences: Mapping[int, Interval | None]) -> Column:
        figures = {cell: each for cell, each in own.items() if each is not None}
        tested = {cell: each for cell in differences if (each := self._tested(cell, self._baseline)) is not None}
        p_values = dict(zip(tested, adjusted(tested.values()), strict=True))
        return Column(
            measure=self._measure,
            kind=self._kind,
            group=self._group,
            most=self._most,
            jackknifed=isinstance(self._figure, _Left),
            figures=figures,
            differences={cell: Difference(each, p_values[cell], differences[cell]) for cell, each in tested.items()},
            verdict=decide(
                {str(cell): each for cell, each in figures.items()},
                lambda first, second: self._tested(int(first), int(second)),
                higher_is_better=self._measure.higher_is_better,
            ),
        )

    def _tested(self, cell: int, base: int) -> Paired | None:
        """Each two are tested once, whichever way round."""
        if cell < base:
            return self._test(cell, base)
        found = self._test(base, cell)
        return None if found is None else replace(found, difference=-found.difference)


def _resamples(results: Results, *, tested: int = 1) -> int:
    """How many samples are drawn; of `tested` systems so many that the lowest p-value can still show a difference."""
    affordable = DRAWN // max(1, len(results.cases))
    return max(min(RESAMPLES, affordable), LEAST, round(4 * tested / ALPHA))


def compare(results: Results, baseline: str | None = None) -> Comparison:
    """The cells against the model `baseline`: by default the spec's, else the first. Raises InvalidRequest where no
    cell has that model.

    Worked out once for each baseline: of ten thousand answers it takes seconds.
    """
    models = [str(cell["model"]) for cell in results.sweep.cells]
    cell = baseline_cell(baseline or results.spec.baseline, models)
    kept: Comparison = results.worked_out.setdefault(("comparison", cell), Comparison(results, cell))
    return kept
