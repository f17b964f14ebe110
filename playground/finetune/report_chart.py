"""One chart as SVG, drawn here: lines, dots, axes and a legend. Colours are CSS variables that the page sets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from playground.finetune.results import Floats
from playground.finetune.results_reduce import reduce, smooth
from playground.words import Language, Said

WIDTH, HEIGHT = 720, 300
CHARACTER = 7
"""Pixels of a figure below the axis, at its widest."""
LEFT, RIGHT, TOP, BOTTOM = 64, 28, 12, 40
COLOURS = 6
"""`--c0` to `--c5`: further lines begin again."""

FEW = 100
"""Points that are drawn as they are; more get a moving average over a fiftieth of them."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Line:
    """A curve: `colour` counts from 0; `dashed` ones have dots where they have few points."""

    label: str
    x: Floats
    y: Floats
    colour: int
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class _Scale:
    """Values to pixels. Weighted, not subtracted: the difference of the largest numbers is infinite."""

    low: float
    high: float
    first: float
    last: float

    def __call__(self, values: Floats) -> Floats:
        share = (values / 2 - self.low / 2) / (self.high / 2 - self.low / 2)
        pixels: Floats = self.first + share * (self.last - self.first)
        return pixels


def chart(
    title: str,
    x_label: str,
    lines: Sequence[Line],
    *,
    width: int = WIDTH,
    floor: float | None = None,
    language: Language = "en",
) -> str:
    """An <svg> of all `lines` and its legend; "" where none has a point. Every text in it is escaped.

    `floor` is a level to draw across, where it lies within the values.
    """
    reduced = [(line, *reduce(line.x, line.y, width)) for line in lines]
    drawn = [(line, x, y) for line, x, y in reduced if len(x)]
    if not drawn:
        return ""
    across = _scale([x for _, x, _ in drawn], LEFT, WIDTH - RIGHT, pad=0.0)
    up = _scale([y for _, _, y in drawn], HEIGHT - BOTTOM, TOP, pad=0.04)
    body = [_grid(across, up, x_label, language)]
    if floor is not None and up.low <= floor <= up.high:
        body.append(f'<path class="floor" d="M{LEFT} {up(np.array([floor]))[0]:.1f}H{WIDTH - RIGHT}"/>')
    for line, x, y in drawn:
        body.append(_path(line, x, y, across, up, width))
    label = escape(f"{title}: {', '.join(line.label for line, *_ in drawn)}")
    svg = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{"".join(body)}</svg>'
    return f"{svg}{_legend([line for line, *_ in drawn])}"


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers from `low` to `high`: steps of 1, 2 or 5 times a power of ten; both ends where those overflow."""
    span = high - low
    if not math.isfinite(span) or span <= 0 or span / about == 0:
        return [low, high]
    power = 10.0 ** math.floor(math.log10(span / about))
    step = next((power * by for by in (1, 2, 5, 10) if span / (power * by) <= about), 0.0)
    if not step or not math.isfinite(low / step):
        return [low, high]
    first = math.ceil(low / step)
    return [number * step for number in range(first, math.floor(high / step) + 1)] if abs(first) < 1e15 else [low, high]


def _scale(values: list[Floats], first: float, last: float, *, pad: float) -> _Scale:
    low, high = min(float(each.min()) for each in values), max(float(each.max()) for each in values)
    span = high / 2 - low / 2
    margin = span * pad * 2 if span > 0 else max(abs(low) * 0.1, 1e-300)
    return _Scale(_finite(low - margin), _finite(high + margin), first, last)


def _finite(value: float) -> float:
    return max(-1.7e308, min(1.7e308, value))


def _grid(across: _Scale, up: _Scale, x_label: str, language: Language) -> str:
    parts = []
    values = ticks(up.low, up.high)
    for value, at in zip(values, up(np.array(values)), strict=True):
        text = Said("report.level", {"value": value}).text(language)
        parts.append(f'<path class="grid" d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{text}</text>')
    values, texts = _places(across, language)
    for at, text in zip(across(np.array(values)), texts, strict=True):
        # A long figure at the very end would stand half outside.
        over = at + len(text) * CHARACTER / 2 > WIDTH
        anchor, left = ("end", WIDTH - 2.0) if over else ("middle", at)
        parts.append(f'<text x="{left:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="{anchor}">{text}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle:.0f}" y="{HEIGHT - 4}" text-anchor="middle">{escape(x_label)}</text>')
    return "".join(parts)


def _places(across: _Scale, language: Language) -> tuple[list[float], list[str]]:
    """As many round numbers along the axis as have room beside each other, six at most."""
    for about in (6, 5, 4, 3, 2, 1):
        values = ticks(across.low, across.high, about)
        # There is no step 1.5; of tools that count epochs in fractions, there is.
        whole = [value for value in values if value == round(value)]
        values = whole if len(whole) > 1 else values
        texts = [Said("report.place", {"value": value}).text(language) for value in values]
        room = (WIDTH - RIGHT - LEFT) / max(1, len(values) - 1)
        if max(map(len, texts), default=0) * CHARACTER + 12 <= room:
            break
    return values, texts


def _path(line: Line, x: Floats, y: Floats, across: _Scale, up: _Scale, width: int) -> str:
    many = int(np.isfinite(line.y).sum())
    style = f"c{line.colour % COLOURS}" + (" dashed" if line.dashed else "")
    raw = _drawn(across(x), up(y))
    if many > FEW:
        span = max(2.0, many / 50)
        even = _drawn(*(scale(part) for scale, part in zip((across, up), _smooth(line, span, width), strict=True)))
        return f'<path class="raw {style}" d="{raw}"/><path class="line {style}" d="{even}"/>'
    path = f'<path class="line {style}" d="{raw}"/>'
    if line.dashed or many == 1:
        spots = zip(across(x), up(y), strict=True)
        path += "".join(f'<circle class="{style}" cx="{left:.1f}" cy="{top:.1f}" r="2.5"/>' for left, top in spots)
    return path


def _smooth(line: Line, span: float, width: int) -> tuple[Floats, Floats]:
    return reduce(line.x, smooth(line.y, 2 / (span + 1)), width)


def _drawn(x: Floats, y: Floats) -> str:
    return "M" + "L".join(f"{left:.1f} {top:.1f}" for left, top in zip(x, y, strict=True))


def _legend(lines: Sequence[Line]) -> str:
    parts = (
        f'<li><svg viewBox="0 0 24 8" aria-hidden="true"><path class="line c{line.colour % COLOURS}'
        f'{" dashed" if line.dashed else ""}" d="M0 4H24"/></svg>{escape(line.label)}</li>'
        for line in lines
    )
    return f'<ul class="legend">{"".join(parts)}</ul>'
