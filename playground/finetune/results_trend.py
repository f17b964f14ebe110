"""A straight line through noisy points, and what it lets one say: falling, flat, or not to be told."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from playground.finetune.results import Floats

State = Literal["falling", "flat", "unclear"]

FALLING = 0.10
"""A loss is still falling that lost at least this share of all it ever lost in the second half of the run."""
SEEN = 0.25
"""Flat is said only where the second half did not lose this share either, by two standard errors."""
LEAST_PROGRESS = 0.10
"""Progress counts as at least this share of the loss at the start: a tenth of next to nothing is noise."""


class Line(NamedTuple):
    """Least squares: `change` over the whole range and its standard error, the points' `scatter` around the line."""

    change: float
    error: float
    scatter: float
    points: int
    range: float

    @property
    def slope(self) -> float:
        """Per step."""
        return self.change / self.range

    def rises(self, sign: int = 1) -> bool:
        """Whether it rises (falls, where `sign` is −1) beyond chance: one-sided, at 99 %.

        2.33 + 4/d + 11/d² lies just above Student's quantile for every d of 2 or more. It takes the points' noise for
        independent, which that of batches nearly is; a smoothed log would look surer than it is.
        """
        free = self.points - 2
        return free >= 2 and sign * self.change > (2.33 + 4 / free + 11 / free**2) * self.error


def spread_out(x: Floats) -> bool:
    """Whether a line can be laid through points at these places: halves, as `fit` takes them."""
    return bool(x[-1] / 2 > x[0] / 2)


def fit(x: Floats, y: Floats) -> Line:
    """The line through at least three points, in the order of x, that are `spread_out`."""
    low, high = float(x[0]), float(x[-1])
    place = (x / 2 - low / 2) / (high / 2 - low / 2)  # halved: the largest numbers' difference is infinite
    place -= place.mean()
    spread = float(place @ place)
    change = float(place @ y) / spread
    left = y - y.mean() - change * place
    scatter = float(np.sqrt(left @ left / max(1, len(y) - 2)))
    return Line(change, scatter / spread**0.5, scatter, len(y), high - low)


class Course(NamedTuple):
    """How a loss went: where it began and ended (medians), the line through its second half, and what follows."""

    start: float
    end: float
    late: Line
    state: State
    share: float
    """Of all progress, what the second half brought; negative where it took some back."""


def course(x: Floats, y: Floats) -> Course:
    """How a loss of at least ten points went. Falling: beyond chance, and by FALLING of all progress."""
    start = float(np.median(y[: max(3, len(y) // 20)]))
    end = float(np.median(y[-max(3, len(y) // 10) :]))
    progress = max(start - end, LEAST_PROGRESS * abs(start), np.finfo(float).tiny)
    half = len(y) // 2
    late = fit(x[half:], y[half:])
    share = -late.change / progress
    if late.rises(-1) and share >= FALLING:
        return Course(start, end, late, "falling", share)
    return Course(start, end, late, "flat" if share + 2 * late.error / progress <= SEEN else "unclear", share)


def running_mean(y: Floats, width: int) -> Floats:
    """The mean of each `width` neighbours: len(y) − width + 1 of them."""
    sums = np.concatenate([[0.0], np.cumsum(y)])
    means: Floats = (sums[width:] - sums[:-width]) / width
    return means
