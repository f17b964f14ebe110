"""One or several results files as one HTML page that needs nothing else: no script, no other host, light and dark."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from html import escape

from playground.errors import refused
from playground.finetune.report_chart import WIDTH, Line, chart
from playground.finetune.results import Floor, Point, Results, best, last
from playground.finetune.results_columns import Axis
from playground.finetune.results_verdict import verdict
from playground.words import Language, Said, texts

Run = tuple[str, Results]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How the charts are drawn, as the page has it.

    `axis` is drawn across, by those runs that have it. `floor` is drawn and explained. `alpha` is the weight of a new
    point in an exponential moving average (`results_reduce.smooth`; 1 smooths nothing); `log` has the values on a
    logarithmic scale. `hidden` are names of columns, run by run, that are in the tables only.
    """

    axis: Axis = "step"
    floor: Floor | None = None
    alpha: float = 1.0
    log: bool = False
    hidden: Sequence[Collection[str]] = ()

    def shows(self, run: int, column: str) -> bool:
        return run >= len(self.hidden) or column not in self.hidden[run]


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


def report(runs: Sequence[Run], *, language: Language = "en", look: Look = Look()) -> str:
    """The page for these (name, results). Raises InvalidRequest where there are none, or for what cannot be smoothed.

    Charts lay the runs over each other; with one run, training and validation have a colour each, with several each run
    has one. How they are drawn is said below them. Names come from files and people: everything is escaped.
    """
    if not runs:
        raise refused("no_runs", param="runs")
    words = texts(language)
    title = escape(words["report.title"])
    parts = [f"<h1>{title}</h1>", *(_about(name, results, language, look.axis) for name, results in runs)]
    parts += [
        *_charts(runs, language, look),
        f'<p class="quiet">{escape(_drawn(look, language))}</p>',
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


def _drawn(look: Look, language: Language) -> str:
    """How the charts are drawn, in words."""
    how = Said("report.smoothed", {"smoothing": 1 - look.alpha}) if look.alpha < 1 else Said("report.measured")
    said = [how, *([Said("report.log")] if look.log else []), Said("report.drawn")]
    return " ".join(each.text(language) for each in said)


def _charts(runs: Sequence[Run], language: Language, look: Look) -> list[str]:
    """One chart for each measure, of every run that has it."""
    words = texts(language)
    lines = _lines(runs, look)
    width = max(1, min(WIDTH, MOST_POINTS // (8 * max(1, sum(map(len, lines.values()))))))
    charts = []
    for measure, drawn in lines.items():
        title = words.get(f"measure.{measure}", measure)
        floor = look.floor if measure == "token_accuracy" else None
        svg = chart(
            title,
            words[f"axis.{look.axis}"],
            drawn,
            width=width,
            floor=floor.value if floor else None,
            alpha=look.alpha,
            log=look.log,
            language=language,
        )
        notes = [floor.why.text(language)] if floor and svg else []
        if look.log and any((line.y <= 0).any() for line in drawn):
            notes.append(words["report.not_positive"])
        said = "".join(f'<p class="quiet">{escape(note)}</p>' for note in notes)
        empty = "" if notes else escape(words["report.empty"])
        charts.append(f"<section><h2>{escape(title)}</h2>{svg or empty}{said}</section>")
    return charts


def _lines(runs: Sequence[Run], look: Look) -> dict[str, list[Line]]:
    """What is drawn, by measure. A run that does not have the axis has no line."""
    found: dict[str, list[Line]] = {}
    several = len(runs) > 1
    for number, (name, results) in enumerate(runs):
        for column in results.columns.values() if look.axis in results.axes else ():
            if not look.shows(number, column.name):
                continue
            lines = found.setdefault(column.meaning.measure, [])
            label = f"{name}: {column.name}" if several else column.name
            colour = number if several else len(lines)
            dashed = column.meaning.side == "validation"
            lines.append(Line(label=label, x=results.axes[look.axis], y=column.values, colour=colour, dashed=dashed))
    return found


def _columns(runs: Sequence[Run], language: Language) -> str:
    words = texts(language)
    meanings = {name: column.meaning.explains for _, results in runs for name, column in results.columns.items()}
    if not meanings:
        return ""
    items = "".join(f"<dt>{escape(name)}</dt><dd>{escape(words[key])}</dd>" for name, key in meanings.items())
    return f"<section><h2>{escape(words['report.columns'])}</h2><dl>{items}</dl></section>"
