"""A scatter of cells as an SVG: what is across, what is up, and which points nothing beats."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from playground.words import Language, local

ANCHORS = ("start", "middle", "end")
"""No label reaches beyond the axis."""
WIDTH, HEIGHT, LEFT, BELOW, EDGE = 640, 320, 60, 44, 16


def scatter(points: Sequence[tuple[float, float, bool, str]], across: str, up: str, language: Language) -> str:
    """Of (x, y, whether it is on the front, name): each point tells its name when pointed at. `across` is HTML."""
    xs, ys = [point[0] for point in points], [point[1] for point in points]
    x_low, x_high = _ends(xs)
    y_low, y_high = _ends(ys)

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            LEFT + (x - x_low) / (x_high - x_low) * (WIDTH - LEFT - EDGE),
            HEIGHT - BELOW - (y - y_low) / (y_high - y_low) * (HEIGHT - BELOW - EDGE),
        )

    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img" aria-label="{escape(up)}, {across}">']
    x_values, y_values = _ticks(x_low, x_high), _ticks(y_low, y_high)
    told_x, told_y = _told(x_values, language), _told(y_values, language)
    for x_value, y_value, x_text, y_text, anchor in zip(x_values, y_values, told_x, told_y, ANCHORS, strict=True):
        x, y = place(x_value, y_value)
        parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - EDGE}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{y_text}</text>')
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BELOW + 18}" text-anchor="{anchor}">{x_text}</text>')
    for x_value, y_value, front, name in sorted(points, key=lambda point: point[2]):
        x, y = place(x_value, y_value)
        kind, radius = ("front", 6) if front else ("dot", 5)
        told = escape(f"{name}: {local(f'{y_value:.3g}', language)}; {local(f'{x_value:.3g}', language)}")
        parts.append(f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{radius}"><title>{told}</title></circle>')
    parts.append(f'<text x="{(LEFT + WIDTH) / 2}" y="{HEIGHT - 6}" text-anchor="middle">{across}</text>')
    return "".join(parts) + "</svg>"


def _ticks(low: float, high: float) -> list[float]:
    return [low, (low + high) / 2, high]


def _told(values: Sequence[float], language: Language) -> list[str]:
    """With three digits, or as many as it takes to tell them apart."""
    for digits in range(3, 16):
        told = [local(f"{value:.{digits}g}", language) for value in values]
        if len(set(told)) == len(told):
            break
    return told


def _ends(values: Sequence[float]) -> tuple[float, float]:
    """The range that is drawn, with some room; never an empty one."""
    low, high = min(values), max(values)
    room = (high - low) * 0.08 or abs(high) * 0.1 or 0.5
    return low - room, high + room
