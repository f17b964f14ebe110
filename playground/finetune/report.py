"""One or several results files as one HTML page that needs nothing else: no script, no other host, light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from playground.errors import refused
from playground.finetune.report_chart import WIDTH, Line, chart
from playground.finetune.results import Column, Floor, Point, Results, best, last
from playground.finetune.results_columns import Axis
from playground.finetune.results_verdict import verdict
from playground.words import Language, Said, texts

Run = tuple[str, Results]

MOST_POINTS = 60_000
"""Of all lines together: about 1 MB of HTML."""

_STYLE = """
:root { color-scheme: light dark; --page: #fafafa; --card: #fff; --line: #e4e4e7; --text: #18181b; --quiet: #61616b;
  --c0: #0b7d61; --c1: #2563eb; --c2: #be185d; --c3: #7c3aed; --c4: #92500a; --c5: #475569; }
@media (prefers-color-scheme: dark) { :root { --page: #0f0f11; --card: #18181b; --line: #2e2e33; --text: #ececf1;
  --quiet: #a1a1aa; --c0: #19b48d; --c1: #7aa5f8; --c2: #f472b6; --c3: #b79cf7; --c4: #f2b661; --c5: #a3b1c6; } }
body { margin: 0 auto; max-width: 800px; padding: 24px 16px; background: var(--page); color: var(--text);
  font: 15px/1.5 ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif; }
h1 { font-size: 22px; } h2 { font-size: 17px; margin: 24px 0 8px; } h3 { font-size: 15px; margin: 16px 0 4px; }
h1, h2, h3, p, td, th, li, dd, dt { overflow-wrap: anywhere; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 4px 16px 16px;
  margin: 16px 0; }
svg { width: 100%; height: auto; display: block; } svg text { font-size: 12px; fill: var(--quiet); }
.grid { stroke: var(--line); } .line, .raw { fill: none; stroke-width: 2; stroke-linejoin: round; }
.floor { fill: none; stroke: var(--c4); stroke-dasharray: 3 4; }
.raw { stroke-width: 1; opacity: .35; } .dashed { stroke-dasharray: 5 3; } circle { stroke: none; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 4px 16px; padding: 0; margin: 4px 0 0;
  font-size: 13px; }
.legend svg { width: 24px; display: inline-block; vertical-align: middle; margin-right: 6px; }
table { border-collapse: collapse; width: 100%; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 4px 12px 4px 0; border-bottom: 1px solid var(--line); }
.quiet, small { color: var(--quiet); font-size: 13px; } dt { font-weight: 600; } dd { margin: 0 0 8px; }
""" + "".join(f"path.c{n} {{ stroke: var(--c{n}); }} circle.c{n} {{ fill: var(--c{n}); }}\n" for n in range(6))


def report(runs: Sequence[Run], *, language: Language = "en", axis: Axis = "step", floor: Floor | None = None) -> str:
    """The page for these (name, results). Raises InvalidRequest where there are none.

    Charts lay the runs over each other across `axis`, those that have it; with one run, training and validation have a
    colour each, with several each run has one. A `floor` is drawn and explained. Names come from files and people:
    everything is escaped.
    """
    if not runs:
        raise refused("no_runs", param="runs")
    words = texts(language)
    title = escape(words["report.title"])
    parts = [f"<h1>{title}</h1>", *(_about(name, results, language, axis) for name, results in runs)]
    parts += [
        *_charts(runs, language, axis, floor),
        f'<p class="quiet">{escape(words["report.drawn"])}</p>',
        _columns(runs, language),
    ]
    body = "\n".join(parts)
    return (
        f'<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _about(name: str, results: Results, language: Language, axis: Axis) -> str:
    """What one file says: the verdict, its columns' last and best values, and what was repaired."""
    words, judged = texts(language), verdict(results)
    rows = Said("report.rows", {"rows": len(results.steps), "points": results.validation_points}).text(language)
    parts = [
        f"<section><h2>{escape(name)}</h2>",
        f"<p><strong>{escape(words[f'kind.{judged.kind}'])}.</strong> {escape(judged.said.text(language))}</p>",
        f'<p class="quiet">{escape(rows)}</p>',
        *([] if axis in results.axes else [f'<p class="quiet">{escape(words["report.no_axis." + axis])}</p>']),
        _table(results, language),
    ]
    if results.notes:
        notes = "".join(f"<li>{escape(note.text(language))}</li>" for note in results.notes)
        parts.append(f"<h3>{escape(words['report.notes'])}</h3><ul>{notes}</ul>")
    return "".join(parts) + "</section>"


def _table(results: Results, language: Language) -> str:
    words = texts(language)
    head = "".join(f"<th>{escape(words[f'report.{key}'])}</th>" for key in ("column", "last", "best"))
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{_shown(last(results, column), language)}</td>"
        f"<td>{_shown(best(results, column), language)}</td></tr>"
        for name, column in results.columns.items()
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _shown(point: Point | None, language: Language) -> str:
    if point is None:
        return "–"
    at = Said("report.step", {"step": point.step}).text(language)
    value = Said("report.value", {"value": point.value}).text(language)
    return f"{value} <small>{escape(at)}</small>"


def _charts(runs: Sequence[Run], language: Language, axis: Axis, floor: Floor | None) -> list[str]:
    """One chart for each measure, of every run that has it."""
    words = texts(language)
    runs = [(name, results) for name, results in runs if axis in results.axes]
    measures = dict.fromkeys(column.meaning.measure for _, results in runs for column in results.columns.values())
    count = sum(len(results.columns) for _, results in runs)
    width = max(1, min(WIDTH, MOST_POINTS // (8 * max(1, count))))
    charts = []
    for measure in measures:
        title = words.get(f"measure.{measure}", measure)
        level = floor if measure == "token_accuracy" else None
        drawn = chart(
            title,
            words[f"axis.{axis}"],
            _lines(runs, measure, axis),
            width=width,
            floor=level.value if level else None,
            language=language,
        )
        why = f'<p class="quiet">{escape(level.why.text(language))}</p>' if level and drawn else ""
        charts.append(f"<section><h2>{escape(title)}</h2>{drawn or escape(words['report.empty'])}{why}</section>")
    return charts


def _lines(runs: Sequence[Run], measure: str, axis: Axis) -> list[Line]:
    lines: list[Line] = []
    for number, (name, results) in enumerate(runs):
        for column in _of(results, measure):
            several = len(runs) > 1
            label = f"{name}: {column.name}" if several else column.name
            colour = number if several else len(lines)
            dashed = column.meaning.side == "validation"
            lines.append(Line(label=label, x=results.axes[axis], y=column.values, colour=colour, dashed=dashed))
    return lines


def _of(results: Results, measure: str) -> list[Column]:
    return [column for column in results.columns.values() if column.meaning.measure == measure]


def _columns(runs: Sequence[Run], language: Language) -> str:
    words = texts(language)
    meanings = {name: column.meaning.explains for _, results in runs for name, column in results.columns.items()}
    if not meanings:
        return ""
    items = "".join(f"<dt>{escape(name)}</dt><dd>{escape(words[key])}</dd>" for name, key in meanings.items())
    return f"<section><h2>{escape(words['report.columns'])}</h2><dl>{items}</dl></section>"
