"""One chart as SVG, drawn here: lines, dots, axes and a legend. Colours are CSS variables that the page sets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from playground.finetune.report_scale import Scale, spanning, told_apart
from playground.finetune.results import Floats
from playground.finetune.results_reduce import reduce, smooth
from playground.words import Language, Said

WIDTH, HEIGHT = 720, 300
CHARACTER = 7
"""Pixels of a figure below the axis, at its widest."""
LEFT, RIGHT, TOP, BOTTOM = 64, 28, 12, 40
COLOURS = 6
"""`--c0` to `--c5`: further lines begin again."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Line:
    """A curve: `colour` counts from 0; `dashed` ones have dots where they have few points."""

    label: str
    x: Floats
    y: Floats
    colour: int
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class _Curve:
    """The points (x, y) of a line that are drawn, and those of its moving average where it is smoothed."""

    line: Line
    measured: tuple[Floats, Floats]
    smoothed: tuple[Floats, Floats] | None

    @classmethod
    def of(cls, line: Line, alpha: float, width: int) -> _Curve:
        even = reduce(line.x, smooth(line.y, alpha), width) if alpha < 1 else None
        return cls(line, reduce(line.x, line.y, width), even)

    @property
    def parts(self) -> list[tuple[Floats, Floats]]:
        return [self.measured, *([self.smoothed] if self.smoothed else [])]


def chart(
    title: str,
    x_label: str,
    lines: Sequence[Line],
    *,
    width: int = WIDTH,
    floor: float | None = None,
    alpha: float = 1.0,
    log: bool = False,
    language: Language = "en",
) -> str:
    """An <svg> of all `lines` and its legend; "" where none has a point. Every text in it is escaped.

    `floor` is a level to draw across, where it lies within the values. `alpha` below 1 draws what `smooth` makes of a
    line over its points. `log` has no place for points at or below 0: the line is cut there.
    """
    curves = [_Curve.of(line, alpha, width) for line in lines]
    drawn = [each for each in curves if (each.measured[1] > 0).any() or (len(each.measured[1]) and not log)]
    if not drawn:
        return ""
    # What is smoothed lies within what was measured, but not within those of its points that a logarithm has.
    heights = [y[y > 0] if log else y for each in drawn for _, y in each.parts]
    up = spanning([y for y in heights if len(y)], HEIGHT - BOTTOM, TOP, pad=0.04, log=log)
    levels = up.ticks()
    texts = told_apart(levels, lambda value, digits: _level(value, digits, language))
    left = max(LEFT, 8 + CHARACTER * max(map(len, texts), default=0))
    across = spanning([each.measured[0] for each in drawn], left, WIDTH - RIGHT, pad=0.0)
    body = [_levels(up(np.array(levels)), texts, left), _along(across, x_label, language)]
    at = up(np.array([floor]))[0] if floor is not None else 0.0
    if TOP <= at <= HEIGHT - BOTTOM:
        body.append(f'<path class="floor" d="M{left} {at:.1f}H{WIDTH - RIGHT}"/>')
    body += [_path(each, (across, up)) for each in drawn]
    label = escape(f"{title}: {', '.join(each.line.label for each in drawn)}")
    svg = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{"".join(body)}</svg>'
    return f"{svg}{_legend([each.line for each in drawn])}"


def _level(value: float, digits: int, language: Language) -> str:
    text = Said("report.level", {"value": value, "digits": digits}).text(language)
    return re.sub(r"e([+-])0(\d)", r"e\1\2", text)  # 1e-5, as the page writes it


def _levels(places: Floats, texts: Sequence[str], left: int) -> str:
    """The lines across and their figures at the left."""
    return "".join(
        f'<path class="grid" d="M{left} {at:.1f}H{WIDTH - RIGHT}"/>'
        f'<text x="{left - 8}" y="{at + 4:.1f}" text-anchor="end">{text}</text>'
        for at, text in zip(places, texts, strict=True)
    )


def _along(across: Scale, x_label: str, language: Language) -> str:
    """The figures below, and what they are."""
    parts = []
    values, texts = _places(across, language)
    for at, text in zip(across(np.array(values)), texts, strict=True):
        # A long figure at the very end would stand half outside.
        over = at + len(text) * CHARACTER / 2 > WIDTH
        anchor, x = ("end", WIDTH - 2.0) if over else ("middle", at)
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="{anchor}">{text}</text>')
    middle = (across.first + across.last) / 2
    parts.append(f'<text x="{middle:.0f}" y="{HEIGHT - 4}" text-anchor="middle">{escape(x_label)}</text>')
    return "".join(parts)


def _places(across: Scale, language: Language) -> tuple[list[float], list[str]]:
    """As many round numbers along the axis as have room beside each other, six at most."""
    for about in (6, 5, 4, 3, 2, 1):
        values = across.ticks(about)
        # There is no step 1.5; of tools that count epochs in fractions, there is.
        whole = [value for value in values if value == round(value)]
        values = whole if len(whole) > 1 else values
        texts = [Said("report.place", {"value": value}).text(language) for value in values]
        room = (across.last - across.first) / max(1, len(values) - 1)
        if max(map(len, texts), default=0) * CHARACTER + 12 <= room:
            break
    return values, texts


def _path(curve: _Curve, scales: tuple[Scale, Scale]) -> str:
    """What was measured; faint, without its dots, behind what is smoothed."""
    line = curve.line
    style = f"c{line.colour % COLOURS}" + (" dashed" if line.dashed else "")
    pieces = _pieces(*curve.measured, scales[1].log)
    measured = _drawn(pieces, scales)
    if curve.smoothed:
        smoothed = _drawn(_pieces(*curve.smoothed, scales[1].log), scales)
        return f'<path class="raw {style}" d="{measured}"/><path class="line {style}" d="{smoothed}"/>'
    dots = [piece for piece in pieces if line.dashed or len(piece[0]) == 1]
    spots = [spot for x, y in dots for spot in zip(scales[0](x), scales[1](y), strict=True)]
    circles = (f'<circle class="{style}" cx="{left:.1f}" cy="{top:.1f}" r="2.5"/>' for left, top in spots)
    return f'<path class="line {style}" d="{measured}"/>{"".join(circles)}'


def _pieces(x: Floats, y: Floats, log: bool) -> list[tuple[Floats, Floats]]:
    """The line in one piece, or cut where a logarithm has no place for it.

    Of each pixel column the lowest point is among these, so that none with such a point is passed over.
    """
    if not log or (y > 0).all():
        return [(x, y)]
    cuts = np.flatnonzero(np.diff(y > 0)) + 1
    parts = zip(np.split(x, cuts), np.split(y, cuts), strict=True)
    return [(across, up) for across, up in parts if up[0] > 0]


def _drawn(pieces: list[tuple[Floats, Floats]], scales: tuple[Scale, Scale]) -> str:
    across, up = scales
    return "".join(
        "M" + "L".join(f"{left:.1f} {top:.1f}" for left, top in zip(across(x), up(y), strict=True)) for x, y in pieces
    )


def _legend(lines: Sequence[Line]) -> str:
    parts = (
        f'<li><svg viewBox="0 0 24 8" aria-hidden="true"><path class="line c{line.colour % COLOURS}'
        f'{" dashed" if line.dashed else ""}" d="M0 4H24"/></svg>{escape(line.label)}</li>'
        for line in lines
    )
    return f'<ul class="legend">{"".join(parts)}</ul>'
