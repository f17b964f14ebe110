"""A sweep's outcomes as figures: by cell, over two parameters, and which cells nothing beats.

A measure is a metric, or what a call cost and took. Scores come by case, each with its repeats, so that intervals and
tests are over cases (`statistics.py`). Whoever shows these figures shows their interval and count beside them.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property
from typing import Any, Literal

import numpy as np

from playground.errors import refused
from playground.evaluate import kept_figures
from playground.evaluate import spec as specs
from playground.evaluate.dataset import Case, Dataset, read_case
from playground.evaluate.judging import Opinion, opinions
from playground.evaluate.kept_figures import KeptFigures
from playground.evaluate.metrics import labels
from playground.evaluate.metrics.build import NEED_TRAINING, build, judges
from playground.evaluate.metrics.metric import Metric
from playground.evaluate.spec import Spec
from playground.evaluate.statistics import Interval, agreement, bootstrap, pareto_front
from playground.evaluate.verdict import Scores, Verdict, verdict
from playground.store import Output, RatingRow, Store, SweepRow

Unit = Literal["score", "dollars", "seconds", "tokens"]
COST, LATENCY, FIRST, TOKENS = "cost", "latency", "time_to_first_token", "completion_tokens"


@dataclass(frozen=True, slots=True)
class Measure:
    """What can be compared. `judged` says that a model gave it, `human` that people did, as a grade from 1 to 5."""

    name: str
    unit: Unit = "score"
    binary: bool = False
    higher_is_better: bool = True
    judged: bool = False
    human: bool = False


#: What every sweep has, whatever its metrics.
PLAIN = (
    Measure(COST, "dollars", higher_is_better=False),
    Measure(LATENCY, "seconds", higher_is_better=False),
    Measure(FIRST, "seconds", higher_is_better=False),
    Measure(TOKENS, "tokens", higher_is_better=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A cell's figures beside each other. `quality` is of the chosen metric; cost is dollars a call, times are medians
    and the 95th percentile in seconds; `agreement` how likely two repeats of a case are the same."""

    cell: int
    name: str
    answered: int
    failed: int
    quality: Interval | None
    agreement: float | None
    cost: float | None
    latency: float | None
    latency_p95: float | None
    first_token: float | None
    tokens: float | None
    front: bool = False


@dataclass(frozen=True, slots=True)
class Square:
    """One field of a heatmap: the places of its values, the cells in it, and their figure. `count` answers."""

    x: int
    y: int
    cells: tuple[int, ...]
    figure: Interval | None
    agreement: float | None
    count: int


@dataclass(frozen=True, slots=True)
class Heatmap:
    """A measure over one parameter or two (`y` None, with one row). Values are the parameters' own; None is unset."""

    measure: Measure
    x: str
    y: str | None
    x_values: tuple[Any, ...]
    y_values: tuple[Any, ...]
    squares: tuple[Square, ...]


@dataclass(frozen=True)
class Results:
    """A sweep that was read from the store, whole."""

    sweep: SweepRow
    spec: Spec
    cases: tuple[Case, ...]
    outputs: tuple[Output, ...]
    metrics: tuple[Metric, ...]
    ratings: tuple[RatingRow, ...] = ()
    #: What judges said of each output, by its number.
    opinions: Mapping[int, tuple[Opinion, ...]] = field(default_factory=dict)
    #: Drawn once: an interval takes ten thousand samples.
    _figures: dict[tuple[str, tuple[int, ...]], Interval | None] = field(default_factory=dict, repr=False)
    _agreements: dict[tuple[int, ...], float | None] = field(default_factory=dict, repr=False)
    #: What else was worked out of them, by its name (`comparison.py`), here and in the store.
    worked_out: dict[tuple[str, int], Any] = field(default_factory=dict, repr=False)
    figures_kept: KeptFigures | None = field(default=None, repr=False)

    @cached_property
    def measures(self) -> tuple[Measure, ...]:
        """The metrics that score single answers, in the spec's order, what people rated, and what every sweep has."""
        scored = [
            Measure(each.name, binary=each.binary, higher_is_better=each.higher_is_better)
            for each in self.metrics
            if each.score is not None
        ]
        judged = [Measure(each.name, judged=True) for each in judges(self.spec.metrics)]
        rated = dict.fromkeys(each.criterion for each in self.ratings if each.grade is not None)
        return (*scored, *judged, *(Measure(rated_name(criterion), human=True) for criterion in rated), *PLAIN)

    @cached_property
    def axes(self) -> dict[str, tuple[Any, ...]]:
        """What differs between cells, each with its values in the spec's order: parameters, `model`, `preset`."""
        found: dict[str, dict[str, Any]] = defaultdict(dict)
        for cell in self.sweep.cells:
            for name in (*cell["varied"], "model", "preset"):
                value = axis_value(cell, name)
                found[name].setdefault(json.dumps(value, sort_keys=True), value)
        return {name: tuple(values.values()) for name, values in found.items() if len(values) > 1}

    @cached_property
    def folded(self) -> list[str]:
        """What is searched of each output: its answer, its error and its case's name, without case."""
        return ["\n".join((each.answer, each.error or "", self.cases[each.row].id)).casefold() for each in self.outputs]

    @cached_property
    def by_cell(self) -> dict[int, list[Output]]:
        """Each cell's outputs that were answered, by number."""
        found: dict[int, list[Output]] = {number: [] for number in range(len(self.sweep.cells))}
        for output in self.outputs:
            if output.status == "done":
                found[output.cell].append(output)
        return found

    def measure(self, name: str) -> Measure:
        """The measure of that name. Raises InvalidRequest."""
        found = next((each for each in self.measures if each.name == name), None)
        if found is None:
            known = ", ".join(each.name for each in self.measures)
            raise refused("no_measure", param="measure", name=name[:40], known=known)
        return found

    def scores(self, measure: Measure, cells: Iterable[int]) -> Scores:
        """By case, in the dataset's order: what the answers of these cells to it have."""
        found: list[list[float | None]] = [[] for _ in self.cases]
        for cell in cells:
            for output in self.by_cell[cell]:
                found[output.row].append(value_of(output, measure))
        return found

    def agreement(self, cells: Iterable[int]) -> float | None:
        """Of repeats of the same cell and case."""
        key = tuple(cells)
        if key not in self._agreements:
            groups: dict[tuple[int, int], list[str]] = defaultdict(list)
            for cell in key:
                for output in self.by_cell[cell]:
                    groups[cell, output.row].append(output.answer)
            self._agreements[key] = agreement(list(groups.values()))
        return self._agreements[key]

    def figure(self, measure: Measure, *cells: int) -> Interval | None:
        """The mean over cases, of these cells together, with its interval."""
        key = measure.name, cells
        if key not in self._figures:
            self._figures[key] = bootstrap(self.scores(measure, cells))
        return self._figures[key]

    def heatmap(self, measure: str, x: str, y: str | None = None) -> Heatmap:
        """A measure over one or two of `axes`; whatever else differs is taken together. Raises InvalidRequest."""
        found = self.measure(measure)
        for name in filter(None, (x, y)):
            if name not in self.axes:
                raise refused("not_varied", param="axis", name=name[:40], known=", ".join(self.axes) or "–")
        places: dict[tuple[int, int], list[int]] = defaultdict(list)
        for number, cell in enumerate(self.sweep.cells):
            across = _place(self.axes[x], axis_value(cell, x))
            down = 0 if y is None else _place(self.axes[y], axis_value(cell, y))
            places[across, down].append(number)
        squares = tuple(
            Square(
                across,
                down,
                tuple(cells),
                self.figure(found, *cells),
                self.agreement(cells),
                sum(len(self.by_cell[cell]) for cell in cells),
            )
            for (across, down), cells in sorted(places.items())
        )
        return Heatmap(found, x, y, self.axes[x], (None,) if y is None else self.axes[y], squares)

    def points(self, measure: str) -> tuple[Point, ...]:
        """Every cell with its quality, cost and latency; `front` marks those that none beats in all of them."""
        found = self.measure(measure)
        failures: dict[int, int] = defaultdict(int)
        for output in self.outputs:
            failures[output.cell] += output.status == "failed"
        points = [self._point(number, found, failures[number]) for number in range(len(self.sweep.cells))]
        table: list[list[float | None]] = [
            [each.quality.value if each.quality else None, each.cost, each.latency] for each in points
        ]
        directions = [found.higher_is_better, False, False]
        # What nobody knows of any cell (a price, as a rule) is no reason to have no front.
        known = [at for at in range(3) if any(row[at] is not None for row in table)]
        costs = [[row[at] for at in known] for row in table]
        front = set(pareto_front(costs, higher_is_better=[directions[at] for at in known])) if known else set[int]()
        return tuple(replace(each, front=at in front) for at, each in enumerate(points))

    def verdict(self, measure: str) -> Verdict | None:
        """Which cell is best; systems are named by the cells' numbers, as text. None where nothing was scored."""
        found = self.measure(measure)
        cells = range(len(self.sweep.cells))
        systems = {str(number): self.scores(found, [number]) for number in cells}
        means = {str(number): each for number in cells if (each := self.figure(found, number))}
        return verdict(systems, means=means, binary=found.binary, higher_is_better=found.higher_is_better)

    def whole(self, cell: int) -> dict[str, float | None]:
        """The figures that only all of a cell's answers together have (corpus BLEU, distinct-n, …)."""
        outputs = self.by_cell[cell]
        answers, cases = [output.answer for output in outputs], [self.cases[output.row] for output in outputs]
        return {each.name: each.corpus(answers, cases) for each in self.metrics if each.corpus is not None and answers}

    def classes(self, cell: int) -> labels.ClassReport | None:
        """The classification report of a cell, where a metric reads labels."""
        asked = next((each for each in self.spec.metrics if each.kind == "label"), None)
        if asked is None:
            return None
        pairs = [(output.answer, self.cases[output.row].expected) for output in self.by_cell[cell]]
        there = [(answer, expected) for answer, expected in pairs if expected is not None]
        names = asked.options.get("labels") or Dataset("", self.cases).labels
        return labels.report([answer for answer, _ in there], [expected for _, expected in there], names)

    def _point(self, number: int, measure: Measure, failed: int) -> Point:
        outputs = self.by_cell[number]
        costs = [float(each.cost) for each in outputs if each.cost is not None]
        times = [each.latency for each in outputs if each.latency is not None]
        firsts = [each.time_to_first_token for each in outputs if each.time_to_first_token is not None]
        tokens = [each.completion_tokens for each in outputs if each.completion_tokens is not None]
        return Point(
            cell=number,
            name=self.sweep.cells[number]["name"],
            answered=len(outputs),
            failed=failed,
            quality=self.figure(measure, number),
            agreement=self.agreement([number]),
            cost=sum(costs) / len(costs) if costs else None,
            latency=_quantile(times, 0.5),
            latency_p95=_quantile(times, 0.95),
            first_token=_quantile(firsts, 0.5),
            tokens=sum(tokens) / len(tokens) if tokens else None,
        )


def load(store: Store, id: str, *, training: Sequence[str] = ()) -> Results:
    """A sweep's results. Blocks. Raises InvalidRequest where there is none of this id; StoreError."""
    sweep = store.sweeps.sweep(id)
    if sweep is None:
        raise refused("no_sweep", param="sweep", id=id[:40])
    stamp = kept_figures.stamp(
        store, sweep.id, training
    )  # before the outcomes: one that comes meanwhile makes it stale
    spec = specs.from_json(sweep.spec)
    cases = tuple(read_case(case, number) for number, case in enumerate(sweep.cases or (), 1))
    ratings = tuple(store.ratings.of(sweep.id))
    judged = opinions(store, sweep.id, spec.metrics)
    outputs = tuple(_rated(store.sweeps.each(sweep.id), ratings, judged))
    spent = sweep.spent + sum((each.spent for each in store.sweeps.judged(sweep.id)), Decimal(0))
    kept = None
    if stamp is not None and sweep.state != "running":
        kept = KeptFigures(store, sweep.id, stamp)
    metrics = _metrics(spec, cases, training)
    return Results(replace(sweep, spent=spent), spec, cases, outputs, metrics, ratings, judged, figures_kept=kept)


def rated_name(criterion: str) -> str:
    """What the measure of people's grades by that criterion is called."""
    return f"human:{criterion}"


def _rated(
    outputs: Iterable[Output], ratings: Iterable[RatingRow], judged: Mapping[int, tuple[Opinion, ...]]
) -> Iterator[Output]:
    """With what people gave them among their scores, the mean of the raters' grades; and with each judge's grade."""
    given: dict[int, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for each in ratings:
        if each.grade is not None:
            given[each.number][rated_name(each.criterion)].append(each.grade)
    for output in outputs:
        grades: dict[str, float | None] = {
            name: sum(several) / len(several) for name, several in given.get(output.number, {}).items()
        }
        grades |= {each.judge: each.grade for each in judged.get(output.number, ())}
        yield replace(output, scores={**output.scores, **grades}) if grades else output


def _metrics(spec: Spec, cases: Sequence[Case], training: Sequence[str]) -> tuple[Metric, ...]:
    """The metrics, to tell how their figures read. Scores were given when the answers came: without the training texts
    only the figures of all answers together are missing."""
    made = build(spec.metrics, known_labels=Dataset("", tuple(cases)).labels, training=training or ("-",))
    kinds = {each.name: each.kind for each in spec.metrics}
    lacking = NEED_TRAINING if not training else frozenset[str]()
    return tuple(replace(each, corpus=None) if kinds[each.name] in lacking else each for each in made)


def value_of(output: Output, measure: Measure) -> float | None:
    """An output's figure."""
    if measure.unit == "score":
        return output.scores.get(measure.name)
    value = getattr(output, measure.name)
    return None if value is None else float(value)


def axis_value(cell: Any, axis: str) -> Any:
    """A cell's value of `model`, `preset` or a parameter that varies; None: unset."""
    return cell[axis] if axis in ("model", "preset") else cell["varied"].get(axis)


def _place(values: Sequence[Any], value: Any) -> int:
    told = json.dumps(value, sort_keys=True)
    return next(at for at, each in enumerate(values) if json.dumps(each, sort_keys=True) == told)


def _quantile(values: Sequence[float], share: float) -> float | None:
    return float(np.quantile(values, share)) if values else None
