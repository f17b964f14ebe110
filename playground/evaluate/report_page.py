"""A sweep's report as one HTML file that needs nothing else: no script, no font, no picture from anywhere.

It is written from `report.report`, so that it says what the page and the command line say. Whatever a model or a person
wrote is escaped. Colours follow the reader's light or dark setting; a table scrolls by itself on a narrow screen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from html import escape
from typing import Any

from playground.evaluate.report import Json, report, verdict_said
from playground.evaluate.report_chart import scatter
from playground.evaluate.report_parts import (
    STYLE,
    class_table,
    document,
    ends,
    heading,
    interval,
    number,
    outputs,
    say,
    seconds,
)
from playground.evaluate.results import Results
from playground.pricing import format_money
from playground.words import Language, local

MOST_CELLS = 200
"""Rows of the table; the CSV has all."""


def page(results: Results, measure: str | None = None, *, language: Language = "en") -> str:
    """The whole file. Raises InvalidRequest for a measure that there is not."""
    said = report(results, measure)
    parts = [
        *_head(said, language),
        *_verdict(said, language),
        *_heatmap(said, language),
        *_scatter(said, language),
        *_cells(said, language),
        *_classes(said, language),
        *outputs(results, language),
    ]
    return document(said["name"], STYLE, parts, language)


def _head(said: Json, language: Language) -> Iterator[str]:
    measure = said["measure"]
    yield f"<h1>{escape(said['name'])}</h1>"
    figures = {name: said[name] for name in ("calls", "answered", "failed")}
    spent = format_money(Decimal(said["spent"]))
    counts = say("sweep.counts", language, **figures, spent=spent)
    yield f'<p class="soft">{counts} · {escape(said["created_at"][:16])}</p>'
    key = "sweep.higher" if measure["higher_is_better"] else "sweep.lower"
    yield f'<p class="soft">{say(key, language, name=measure["name"])}</p>'
    models = dict.fromkeys(cell["model"] for cell in said["cells"])
    yield f'<p class="soft">{escape(", ".join(models))}</p>'
    if measure["judged"]:
        yield f'<p class="soft">{say("sweep.judged", language)}</p>'
    if measure["human"]:
        yield f'<p class="soft">{say("sweep.human", language)}</p>'
    for note in said["notes"]:
        yield f'<p class="soft">{escape(note)}</p>'


def _verdict(said: Json, language: Language) -> Iterator[str]:
    found = said["verdict"]
    if found is None:
        yield f'<div class="box">{say("sweep.no_score", language)}</div>'
        return
    if len(said["cells"]) < 2:
        return
    text = escape(verdict_said(found).text(language))
    yield f'<div class="box"><p><b>{text}</b></p><p class="soft">{say("sweep.tests", language)}</p></div>'


def _heatmap(said: Json, language: Language) -> Iterator[str]:
    found = said["heatmap"]
    if found is None:
        return
    squares = {(each["x"], each["y"]): each for each in found["squares"]}
    # From the lowest end of an interval to the highest: what may well be chance looks alike.
    there = [each["figure"] for each in squares.values() if each["figure"]]
    low = min((figure["low"] for figure in there), default=0.0)
    high = max((figure["high"] for figure in there), default=1.0)
    better = found["measure"]["higher_is_better"]
    axes = found["x"] if found["y"] is None else f"{found['x']} × {found['y']}"
    yield f"<h2>{escape(found['measure']['name'])}: {escape(axes)}</h2>"
    yield '<div class="wide"><table class="heat">'
    heads = "".join(f"<th>{escape(_value(value))}</th>" for value in found["x_values"])
    corner = escape(found["x"] if found["y"] is None else f"{found['y']} \\ {found['x']}")
    yield f"<tr><th>{corner}</th>{heads}</tr>"
    for y, value in enumerate(found["y_values"]):
        row = "".join(_square(squares.get((x, y)), low, high, better, language) for x in range(len(found["x_values"])))
        yield f"<tr><th>{'' if found['y'] is None else escape(_value(value))}</th>{row}</tr>"
    yield f'</table></div><p class="soft">{say("sweep.square", language)}</p>'


def _square(square: Json | None, low: float, high: float, better: bool, language: Language) -> str:
    """A field: the figure over its interval, how often repeats agree, and how many answers it is of."""
    if square is None or square["figure"] is None:
        return "<td>–</td>"
    figure = square["figure"]
    share = (figure["value"] - low) / (high - low) if high > low else 0.5
    strength = round(8 + 52 * (share if better else 1 - share))
    agreed = "" if square["agreement"] is None else say("sweep.agreement", language, share=f"{square['agreement']:.0%}")
    colour = f"color-mix(in srgb,var(--accent) {strength}%,var(--bg))"
    return (
        f'<td style="background:{colour}"><b>{number(figure["value"], language)}</b>'
        f"{ends(figure, language)}<br>{agreed}<br>n = {local(format(square['count'], ','), language)}</td>"
    )


def _scatter(said: Json, language: Language) -> Iterator[str]:
    points = [
        (_cost_or_time(cell), cell["quality"]["value"], cell["front"], cell["name"])
        for cell in said["cells"]
        if cell["quality"] is not None and _cost_or_time(cell) is not None
    ]
    if len(points) < 2:
        return
    priced = any(cell["cost"] for cell in said["cells"])
    across = say("sweep.cost", language) if priced else f"{say('sweep.latency', language)}, s"
    yield f"<h2>{escape(said['measure']['name'])} · {across}</h2>"
    yield scatter(
        [(float(x or 0), y, front, name) for x, y, front, name in points], across, said["measure"]["name"], language
    )
    yield f'<p class="soft">{say("sweep.front", language)}</p>'


def _cost_or_time(cell: Mapping[str, Any]) -> float | None:
    value: float | None = cell["cost"] if cell["cost"] else cell["latency"]
    return value


def _cells(said: Json, language: Language) -> Iterator[str]:
    sign = -1 if said["measure"]["higher_is_better"] else 1
    cells = sorted(said["cells"], key=lambda cell: sign * cell["quality"]["value"] if cell["quality"] else float("inf"))
    figures = list(cells[0]["figures"]) if cells else []
    whole = list(cells[0]["whole"]) if cells else []
    heads = [
        say(key, language) for key in ("sweep.agreed", "sweep.cost", "sweep.latency", "sweep.answered", "sweep.failed")
    ]
    names = "".join(f'<th class="n">{escape(name)}</th>' for name in [*figures, *(f"{name} (Σ)" for name in whole)])
    yield heading("sweep.cells", language)
    rest = "".join(f'<th class="n">{head}</th>' for head in heads)
    yield f'<div class="wide"><table><tr><th>{say("sweep.cell", language)}</th>{names}{rest}</tr>'
    for cell in cells[:MOST_CELLS]:
        values = [
            *(interval(cell["figures"][name], language) for name in figures),
            *(number(cell["whole"].get(name), language) for name in whole),
            "–" if cell["agreement"] is None else f"{cell['agreement']:.0%}",
            "–" if cell["cost"] is None else format_money(Decimal(str(cell["cost"]))),
            seconds(cell["latency"], language),
            local(f"{cell['answered']:,}", language),
            local(f"{cell['failed']:,}", language),
        ]
        mark = " ●" if cell["front"] else ""
        row = "".join(f'<td class="n">{value}</td>' for value in values)
        yield f"<tr><td>{escape(_name(said, cell))}{mark}</td>{row}</tr>"
    yield f'</table></div><p class="soft">{say("sweep.cells_note", language)}</p>'


def _name(said: Json, cell: Mapping[str, Any]) -> str:
    """What sets the cell apart: of one model and preset only the parameters."""
    others = {(each["model"], each["preset"]) for each in said["cells"]}
    if len(others) > 1 or not cell["varied"]:
        return str(cell["name"])
    return ", ".join(f"{name} {_value(value)}" for name, value in cell["varied"].items())


def _classes(said: Json, language: Language) -> Iterator[str]:
    """The best cell's confusion matrix."""
    best = None if said["verdict"] is None else said["cells"][said["verdict"]["best_cell"]]
    if best is None or best["classes"] is None:
        return
    yield heading("sweep.confusion", language, name=best["name"])
    yield from class_table(best["classes"], language)


def _value(value: Any) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(_value, value))
    return "–" if value is None else str(value)
