"""A million points to what a chart can show: smoothed over all of them, then reduced without losing a spike."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from playground.errors import refused
from playground.finetune.results import Column, Floats, Results
from playground.finetune.results_columns import Axis

WIDTH = 600
"""Pixel columns of a chart that are told apart."""
MOST_POINTS = 9_000
"""Points of all a file's curves together: at 32 bytes each at most, as JSON, they stay below 300 KB."""
HUGE = 1e300


def smooth(y: Floats, alpha: float) -> Floats:
    """The exponential moving average of `y`, as TensorBoard draws it: debiased, so that it does not start at zero.

    `alpha` (above 0, at most 1) is the weight of a new point: 1 smooths nothing, TensorBoard's slider is 1 − alpha.
    s_t = Σ (1−α)^i y_(t−i) / Σ (1−α)^i over the points that exist. A missing point neither counts nor gets a value.
    Source: tensorboard, vz_line_chart2/line-chart.ts, resmoothDataset; pandas' ewm(adjust=True) is the same sum.
    """
    if not 0 < alpha <= 1:
        raise refused("above_zero_to", param="alpha", name="alpha", most="1")
    present = np.isfinite(y)
    values = y[present]
    largest = float(np.abs(values).max()) if len(values) else 0.0
    scale = largest if largest > HUGE else 1.0  # the sum of two of them would be infinite
    result = np.full(len(y), np.nan)
    result[present] = pd.Series(values / scale).ewm(alpha=alpha, adjust=True).mean().to_numpy() * scale
    return result


def reduce(x: Floats, y: Floats, width: int) -> tuple[Floats, Floats]:
    """At most 4 × `width` of the points (x, y) that exist, in the order of x: a chart that wide looks the same.

    Of each of `width` equal parts of x the first, the last, the lowest and the highest point. No point is made up and
    none is moved; missing ones are left out. Of equal values the earliest is kept.
    Source: M4 (Jugel, Jerzak, Hackenbroich, Markl: "M4: A Visualization-Oriented Time Series Data Aggregation", PVLDB
    7(10), 2014), whose lines are those of all points, pixel for pixel.
    """
    if width < 1:
        raise refused("width", param="width")
    present = np.isfinite(x) & np.isfinite(y)
    if not present.all():
        x, y = x[present], y[present]
    if (x[1:] < x[:-1]).any():
        order = np.argsort(x, kind="stable")
        x, y = x[order], y[order]
    if len(x) <= 4 * width:
        return x, y
    starts = _starts(x, width)
    chosen = np.unique(
        np.concatenate([starts, np.append(starts[1:], len(x)) - 1, _lowest(y, starts), _lowest(-y, starts)])
    )
    return x[chosen], y[chosen]


def _starts(x: Floats, width: int) -> NDArray[np.intp]:
    """Where each part of x that has a point begins. Halved, since the largest numbers' difference is infinite."""
    low, high = x[0] / 2, x[-1] / 2
    if not high > low:
        return np.zeros(1, dtype=np.intp)
    edges = low + (high - low) * (np.arange(1, width) / width)
    return np.unique(np.concatenate([[0], np.searchsorted(x, edges * 2)]))


def _lowest(y: Floats, starts: NDArray[np.intp]) -> NDArray[np.intp]:
    """The place of each part's first lowest value."""
    counts = np.diff(np.append(starts, len(y)))
    lowest = np.flatnonzero(y == np.repeat(np.minimum.reduceat(y, starts), counts))
    return lowest[np.searchsorted(lowest, starts)]


def curves(
    results: Results,
    *,
    axis: Axis = "step",
    alpha: float = 1.0,
    width: int = WIDTH,
    within: tuple[float, float] | None = None,
) -> dict[str, Any]:
    """Every column as a curve that a browser draws: below 300 KB as JSON however many rows there are.

    {"axis", "axes": those the file has, "curves": [{"name", "kind", "side", "measure", "points": of the file,
    "x", "y", "smooth_x"?, "smooth_y"?}]}; x has ten digits and y six. Smoothed where `alpha` is below 1: over all
    points, before they are reduced. `within` (low, high) asks for that part of the axis alone, in more detail. Raises
    InvalidRequest for an axis that the file does not have.
    """
    x = results.axes.get(axis)
    if x is None:
        raise refused("no_axis", param="axis", axis=axis, axes=", ".join(results.axes))
    series = len(results.columns) * (2 if alpha < 1 else 1)
    width = max(1, min(width, MOST_POINTS // (4 * max(1, series))))
    part = slice(None) if within is None else _part(x, within)
    drawn = [_curve(column, x, alpha, width, part) for column in results.columns.values()]
    return {"axis": axis, "axes": list(results.axes), "curves": drawn}


def _curve(column: Column, x: Floats, alpha: float, width: int, part: slice) -> dict[str, Any]:
    what = column.meaning
    curve: dict[str, Any] = {"name": column.name, "kind": what.kind, "side": what.side, "measure": what.measure}
    curve["points"] = int(np.isfinite(column.values).sum())
    curve["x"], curve["y"] = _rounded(*reduce(x[part], column.values[part], width))
    if alpha < 1:
        smoothed = smooth(column.values, alpha)
        curve["smooth_x"], curve["smooth_y"] = _rounded(*reduce(x[part], smoothed[part], width))
    return curve


def _part(x: Floats, within: tuple[float, float]) -> slice:
    """The rows from the last before `within` to the first behind it, so that lines leave the chart at its edges."""
    inside = np.flatnonzero((x >= within[0]) & (x <= within[1]))
    if not len(inside):
        return slice(None)
    return slice(max(0, int(inside[0]) - 1), int(inside[-1]) + 2)


def _rounded(x: Floats, y: Floats) -> tuple[list[float], list[float]]:
    return _short(x, 10), _short(y, 6)


def _short(values: Floats, digits: int) -> list[float]:
    """Rounded to so many significant digits; whole numbers as such, which JSON writes as `1200` and not `1200.0`."""
    with np.errstate(all="ignore"):
        scale = 10.0 ** (digits - 1 - np.floor(np.log10(np.abs(values))))
        rounded = np.where(np.isfinite(scale) & (scale > 0), np.round(values * scale) / scale, values)
    # The numbers nearest to either end of what a float holds come out of this as none.
    rounded = np.where(np.isfinite(rounded), rounded, values)
    whole: list[float] = rounded.tolist()
    if (np.abs(rounded) < 1e15).all() and (rounded == np.floor(rounded)).all():
        whole = rounded.astype(np.int64).tolist()
    return whole
