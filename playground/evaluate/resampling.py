"""Intervals and paired tests for figures that only all answers together have: corpus BLEU, macro F1, distinct-n.

What is drawn anew, changed over and left out are cases, each with its repeats, as in `statistics.py`. A figure whose
counts add up (`metric.Sums`) is drawn by the bootstrap, and compared by approximate randomization (Noreen 1989; what
sacrebleu calls paired-ar). Of another one drawing a case twice would change what is measured (an answer that stands
there twice is less diverse): such a figure gets its error by leaving out a group of cases at a time (jackknife).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from playground.evaluate.metrics.metric import Whole
from playground.evaluate.statistics import BLOCK, EXACT, RESAMPLES, SEED, Array, Interval, Paired, bca

GROUPS = 40
"""Into which the jackknife divides the cases at most."""
_GRID = 20_001

Figures = Callable[[Array], Array]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A figure to draw: the counts of each case (cases × k), and the figures of summed ones (m × k → m)."""

    rows: Array
    figures: Figures


def differences(first: Drawn, second: Drawn) -> Drawn:
    """By how much the first is higher than the second, of the same cases in the same order."""
    size = first.rows.shape[1]

    def figures(sums: Array) -> Array:
        return first.figures(sums[:, :size]) - second.figures(sums[:, size:])

    return Drawn(np.hstack([first.rows, second.rows]), figures)


def means(scores: Sequence[float]) -> Drawn:
    """The mean of the cases' scores."""
    rows = np.array([[score, 1.0] for score in scores], np.float64).reshape(len(scores), 2)
    return Drawn(rows, lambda sums: sums[:, 0] / sums[:, 1])


def intervals(
    wanted: Sequence[Drawn], *, confidence: float = 0.95, resamples: int = RESAMPLES, seed: int = SEED
) -> list[Interval | None]:
    """The BCa bootstrap interval of each figure; None of nothing. Those of equally many cases are drawn together, which
    is most of the time that they take."""
    found: list[Interval | None] = [None] * len(wanted)
    together: dict[int, list[int]] = defaultdict(list)
    for at, each in enumerate(wanted):
        if not len(each.rows) or math.isnan(value := _value(each)):
            continue
        found[at] = Interval(value, value, value, len(each.rows))
        if len(each.rows) > 1:
            together[len(each.rows)].append(at)
    for size, places in together.items():
        drawn = _drawn([wanted[at] for at in places], size, resamples, seed)
        for at, figures in zip(places, drawn, strict=True):
            found[at] = _interval(wanted[at], figures, confidence)
    return found


def _value(drawn: Drawn) -> float:
    return float(drawn.figures(drawn.rows.sum(axis=0)[None])[0])


def _drawn(wanted: Sequence[Drawn], size: int, resamples: int, seed: int) -> list[Array]:
    """Of each figure `resamples` drawn ones."""
    parts: list[list[Array]] = [[] for _ in wanted]
    for times in _times(size, resamples, seed):
        for part, each in zip(parts, wanted, strict=True):
            part.append(each.figures(times @ each.rows))
    return [np.concatenate(part) for part in parts]


def _times(size: int, resamples: int, seed: int) -> Iterator[Array]:
    """How often each case is drawn, a resample a row: the places that `statistics.bootstrap` draws."""
    random = np.random.default_rng(seed)
    batch = max(1, BLOCK // size)
    for done in range(0, resamples, batch):
        rows = min(batch, resamples - done)
        places = random.integers(0, size, (rows, size)) + np.arange(rows)[:, None] * size
        yield np.bincount(places.ravel(), minlength=rows * size).reshape(rows, size).astype(np.float64)


def _interval(drawn: Drawn, figures: Array, confidence: float) -> Interval:
    value, size = _value(drawn), len(drawn.rows)
    there = figures[~np.isnan(figures)]  # of a few cases, all that were drawn may be without anything to score
    if not len(there) or np.allclose(there, value, rtol=1e-12, atol=1e-12):
        return Interval(value, value, value, size)
    left_out = drawn.figures(drawn.rows.sum(axis=0) - drawn.rows)
    low, high = bca(value, there, left_out[~np.isnan(left_out)], confidence=confidence)
    return Interval(value, low, high, size)


def randomization(first: Drawn, second: Drawn, *, resamples: int = RESAMPLES, seed: int = SEED) -> Paired | None:
    """Two systems on the same cases: how likely at least such a difference would be if each case's answers might as
    well be the other's (two-sided). All 2ⁿ exchanges of up to EXACT cases are counted, of more as many drawn ones, and
    the one that was seen. None where one has no figure."""
    size = len(first.rows)
    seen = _value(first) - _value(second) if size else math.nan
    if math.isnan(seen):
        return None
    hits = count = 0
    for swap in _swaps(size, resamples, seed):
        moved = swap @ (second.rows - first.rows)
        found = first.figures(first.rows.sum(axis=0) + moved) - first.figures(second.rows.sum(axis=0) - moved)
        found = found[~np.isnan(found)]
        # What differs in its last digits is the same.
        hits += int(np.sum(np.abs(found) >= abs(seen) - 1e-9 * max(1.0, abs(seen))))
        count += len(found)
    own = 0 if size <= EXACT else 1
    p = (hits + own) / (count + own) if count + own else 1.0
    return Paired(seen, p, "randomization", size)


def _swaps(size: int, resamples: int, seed: int) -> Iterator[Array]:
    if size <= EXACT:
        yield ((np.arange(2**size)[:, None] >> np.arange(size)) & 1).astype(np.float64)
        return
    random = np.random.default_rng(seed)
    batch = max(1, BLOCK // size)
    for done in range(0, resamples, batch):
        yield random.integers(0, 2, (min(batch, resamples - done), size), np.int8).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Jackknifed:
    """A figure of `count` cases, and itself without each group of them; `interval` and `against` are what follows."""

    value: float
    without: NDArray[np.float64]
    count: int

    def interval(self, *, confidence: float = 0.95) -> Interval:
        """By Student's t with as many degrees of freedom as groups but one."""
        half = _quantile(confidence, len(self.without) - 1) * _error(self.without) if len(self.without) > 1 else 0.0
        return Interval(self.value, self.value - half, self.value + half, self.count)

    def minus(self, other: Jackknifed) -> Jackknifed:
        """The difference to another figure of the same cases."""
        return Jackknifed(self.value - other.value, self.without - other.without, self.count)

    def tested(self) -> Paired:
        """Of a difference: how likely at least such a one would be if there were none (two-sided)."""
        error = _error(self.without) if len(self.without) > 1 else 0.0
        flat = 1.0 if len(self.without) < 2 or abs(self.value) < 1e-12 else 0.0
        p = student(self.value / error, len(self.without) - 1) if error > 1e-12 else flat
        return Paired(self.value, p, "jackknife", self.count)


def jackknife(whole: Whole, places: Sequence[int]) -> Jackknifed | None:
    """A figure of the cases at `places`, with its error; None where there is no figure. Tukey (1958)."""
    value = whole(places)
    if value is None:
        return None
    groups = min(GROUPS, len(places))
    # Every so manieth case, not stretches of them: neighbours in a file are often alike.
    parts = [[place for at, place in enumerate(places) if at % groups != group] for group in range(groups)]
    found = [whole(part) if part else None for part in parts]
    there = [each for each in found if each is not None]
    without = np.array(there if len(there) == groups else [], np.float64)
    return Jackknifed(value, without, len(places))


def _error(without: Array) -> float:
    groups = len(without)
    return math.sqrt((groups - 1) / groups * float(np.sum((without - without.mean()) ** 2)))


def student(t: float, freedom: int) -> float:
    """The two-sided p-value of Student's t. With t = √ν·tan θ its density is cosᵛ⁻¹ θ, which is summed up."""
    angles, share = _student(freedom)
    return float(np.interp(math.atan(abs(t) / math.sqrt(freedom)), angles, 1 - share))


def _quantile(confidence: float, freedom: int) -> float:
    angles, share = _student(freedom)
    return math.sqrt(freedom) * math.tan(float(np.interp(confidence, share, angles)))


def _student(freedom: int) -> tuple[Array, Array]:
    """Angles from 0 to π/2, and the share of the distribution that lies within ± each."""
    angles = np.linspace(0, math.pi / 2, _GRID)
    density = np.cos(angles) ** (freedom - 1)
    sums = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    return angles, sums / sums[-1]
