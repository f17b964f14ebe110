"""How a loss went, from noisy points: falling, flat, rising, or not to be told; and where it turned, if it did."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np

from playground.finetune.results import Floats

State = Literal["falling", "flat", "rising", "unclear"]

FALLING = 0.10
"""A loss is still falling that lost at least this share of all it ever lost in the second half of the run; training
loss rises that took back as much."""
SEEN = 0.25
"""Flat is said only where the second half changed it by less than this share of all progress, or by less than RISE of
its start: by two standard errors."""
LEAST_PROGRESS = 0.10
"""Progress counts as at least this share of the loss at the start: a tenth of next to nothing is noise."""
RISE = 0.05
"""Validation loss rises that ends this share above its lowest."""
PARTS = 10
FEW, FEWEST, FEWEST_AFTER = 10, 3, 4
"""Points below which a loss cannot tell its own noise; below which it has no trend; and after the lowest mean."""
GUESSED = 4 / 3
"""Noise that was measured on another loss is taken for a third more."""


class Line(NamedTuple):
    """Least squares: `change` over the whole range and its standard error, the points' `scatter` around the line.

    `known`: the scatter was told, not taken from these points.
    """

    change: float
    error: float
    scatter: float
    points: int
    range: float
    known: bool = False

    @property
    def slope(self) -> float:
        """Per step."""
        return self.change / self.range

    def rises(self, sign: int = 1) -> bool:
        """Whether it rises (falls, where `sign` is −1) beyond chance: one-sided, at 99 %.

        2.33 + 4/d + 11/d² lies just above Student's quantile for every d of 2 or more. It takes the points' noise for
        independent, which that of batches nearly is; a smoothed log would look surer than it is.
        """
        if self.known:
            return sign * self.change > 2.33 * self.error
        free = self.points - 2
        return free >= 2 and sign * self.change > (2.33 + 4 / free + 11 / free**2) * self.error


class Turn(NamedTuple):
    """A loss was lowest, `best`, around `step`, and has risen beyond chance since: to `end`."""

    step: float
    best: float
    end: float

    @property
    def rise(self) -> float:
        return self.end - self.best


class Course(NamedTuple):
    """How a loss went: where it began and ended (medians; the points themselves where they are few), the line through
    its second half, what follows, and where it turned."""

    start: float
    end: float
    late: Line
    state: State
    share: float
    """Of all progress, what the second half brought, at most 1; negative where it took some back."""
    turn: Turn | None

    @property
    def fell(self) -> bool:
        """Whether it ends below its start by more than chance and a trifle."""
        return self.start - self.end > max(0.02 * abs(self.start), 2 * self.late.error)


def spread_out(x: Floats) -> bool:
    """Whether a line can be laid through points at these places: halves, as `fit` takes them."""
    return len(x) > 1 and bool(x[-1] / 2 > x[0] / 2)


def fit(x: Floats, y: Floats, *, noise: float | None = None) -> Line:
    """The line through at least two points, in the order of x, that are `spread_out`. `noise`: their known scatter."""
    low, high = float(x[0]), float(x[-1])
    place = (x / 2 - low / 2) / (high / 2 - low / 2)  # halved: the largest numbers' difference is infinite
    place -= place.mean()
    spread = float(place @ place)
    change = float(place @ y) / spread
    left = y - y.mean() - change * place
    scatter = float(np.sqrt(left @ left / max(1, len(y) - 2))) if noise is None else noise
    return Line(change, scatter / spread**0.5, scatter, len(y), high - low, noise is not None)


def noise_of(y: Floats) -> float:
    """How far a point lies from its neighbours' level: as a standard deviation, of at least 2 × PARTS points.

    From the median distance to the median of each of PARTS parts (of normal noise, a spike does not move it), taken
    together; √(n/(n−1)) mends that the parts' medians were made of the same points.
    """
    parts = np.array_split(y[:: max(1, len(y) // 100_000)], PARTS)  # so many of them tell it as well as all
    distance = float(np.median(np.concatenate([np.abs(part - np.median(part)) for part in parts])))
    size = len(parts[-1])
    return 1.4826 * distance * math.sqrt(size / (size - 1))


def training(x: Floats, y: Floats, *, noise: float) -> Course:
    """How a training loss of at least 2 × PARTS points went. It rises where it took back FALLING of all progress.

    `noise` is its `noise_of`.
    """
    start, end = _ends(y)
    turn = _turned(x, y, noise) or _broke_out(x, y)
    rising = turn is not None and turn.rise >= FALLING * _progress(start, turn.best)
    half = len(y) // 2
    return _course(start, end, fit(x[half:], y[half:]), turn, rising)


def validation(x: Floats, y: Floats, *, noise: float) -> Course | None:
    """How a validation loss went; None of fewer than FEWEST points, or where no line can be laid through its end.

    It rises where it ends RISE above its lowest. Jobs often validate once an epoch: what the noise of fewer than FEW
    points is cannot be told from them alone. It is taken to be that of training loss (`noise`), or what they jump by
    where that is more. Of more points, the second half's own scatter is taken for known: Student's quantile for half of
    a dozen points would find nothing.
    """
    few = len(y) < FEW
    late = min(len(y) // 2, len(y) - FEWEST)
    if len(y) < FEWEST or not spread_out(x[late:]):
        return None
    start, end = (float(y[0]), float(y[-1])) if few else _ends(y)
    noise = GUESSED * max(noise, _jumps(y) / 2**0.5) if few else fit(x[late:], y[late:]).scatter
    turn = _rose_from_point(x, y, noise) if few else _rose_from_mean(x, y)
    rising = turn is not None and turn.rise >= RISE * abs(turn.best)
    return _course(start, end, fit(x[late:], y[late:], noise=noise), turn, rising)


def _ends(y: Floats) -> tuple[float, float]:
    return float(np.median(y[: max(3, len(y) // 20)])), float(np.median(y[-max(3, len(y) // 10) :]))


def _progress(start: float, end: float) -> float:
    return max(start - end, LEAST_PROGRESS * abs(start), float(np.finfo(float).tiny))


def _course(start: float, end: float, late: Line, turn: Turn | None, rising: bool) -> Course:
    progress, trifle = _progress(start, end), LEAST_PROGRESS * abs(start)
    share = min(1.0, -late.change / progress)
    state: State = "unclear"
    if rising:
        state = "rising"
    elif late.rises(-1) and share >= FALLING and end < start:
        state = "falling"
    elif abs(late.change) + 2 * late.error <= max(SEEN * progress, RISE * abs(start)) and end - start <= trifle:
        state = "flat"
    return Course(start, end, late, state, share, turn)


def _turned(x: Floats, y: Floats, noise: float) -> Turn | None:
    """The last of PARTS parts lies above the lowest one by four standard errors of the difference of two medians."""
    parts = np.array_split(y, PARTS)
    step, best = _lowest(x, parts)
    end = float(np.median(parts[-1]))
    error = 1.2533 * noise * (2 / len(parts[-1])) ** 0.5
    return Turn(step, best, end) if end - best > 4 * error else None


def _broke_out(x: Floats, y: Floats) -> Turn | None:
    """The last points, three to a tenth of all, lie above all others of the second half: half the progress is lost.

    Noise alone does that in one run of C(n/2, 3): in a hundred of the shortest.
    """
    late = y[len(y) // 2 :]
    above = np.minimum.accumulate(late[::-1])[::-1][1:] > np.maximum.accumulate(late)[:-1]
    lengths = len(late) - 1 - np.flatnonzero(above)
    lengths = lengths[(lengths >= 3) & (lengths <= max(3, len(y) // 10))]
    if not len(lengths):
        return None
    last = int(lengths[0])
    step, best = _lowest(x, np.array_split(y[:-last], PARTS))
    rise = float(y[-last:].min()) - best
    if not rise > _progress(_ends(y)[0], best) / 2:
        return None
    return Turn(step, best, float(np.median(y[-last:])))


def _lowest(x: Floats, parts: list[Floats]) -> tuple[float, float]:
    """Where the part with the lowest median has its middle, and that median."""
    middles = [float(np.median(part)) for part in parts]
    lowest = int(np.argmin(middles))
    return float(x[sum(map(len, parts[:lowest])) + len(parts[lowest]) // 2]), middles[lowest]


def _rose_from_mean(x: Floats, y: Floats) -> Turn | None:
    """After the lowest mean of neighbours (a tenth of them, at least three) a line rises beyond chance."""
    width = max(3, len(y) // 10)
    means = running_mean(y, width)
    lowest = int(np.argmin(means))
    best, at = float(means[lowest]), lowest + width // 2
    after, above = x[at + 1 :], y[at + 1 :]
    if len(above) < FEWEST_AFTER or not spread_out(after) or not fit(after, above).rises():
        return None
    end = float(above[-max(2, len(above) // 3) :].mean())
    return Turn(float(x[at]), best, end) if end > best else None


def _rose_from_point(x: Floats, y: Floats, noise: float) -> Turn | None:
    """From the lowest point on a line rises beyond that noise."""
    at = int(np.argmin(y))
    if not spread_out(x[at:]) or not fit(x[at:], y[at:], noise=noise).rises():
        return None
    return Turn(float(x[at]), float(y[at]), float(y[-1])) if y[-1] > y[at] else None


def _jumps(y: Floats) -> float:
    """The longest way up before the lowest point or down after it: a loss that falls and then rises has none."""
    at = int(np.argmin(y))
    before, after = y[: at + 1], y[at:]
    up, down = before - np.minimum.accumulate(before), np.maximum.accumulate(after) - after
    return float(max(up.max(), down.max()))


def running_mean(y: Floats, width: int) -> Floats:
    """The mean of each `width` neighbours: len(y) − width + 1 of them."""
    sums = np.concatenate([[0.0], np.cumsum(y)])
    means: Floats = (sums[width:] - sums[:-width]) / width
    return means
