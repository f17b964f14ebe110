"""An evaluation's report as one HTML file that needs nothing else, written from `table.table`.

Intervals are drawn beside their figures, all of one figure on one scale, so that what overlaps is seen to.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from html import escape

from playground.evaluate.report import Json
from playground.evaluate.report_parts import (
    LONGEST,
    STYLE,
    class_table,
    document,
    heading,
    number,
    outputs,
    say,
    seconds,
)
from playground.evaluate.results import COST, FIRST, LATENCY, TOKENS, Results
from playground.pricing import format_money
from playground.words import Language, Said, local

_RUN = {
    COST: "evaluate.cost",
    LATENCY: "evaluate.latency",
    FIRST: "evaluate.first_token",
    TOKENS: "evaluate.tokens",
}
LEAST = 0.0001
"""No p-value is told below this: what was drawn does not tell them apart."""
_STYLE = (
    STYLE
    + """.bar{position:relative;display:inline-block;width:160px;height:12px;vertical-align:middle}
.bar::before{content:"";position:absolute;left:0;right:0;top:6px;border-top:1px solid var(--line)}
.bar i{position:absolute;top:4px;height:5px;background:var(--soft);opacity:.6;border-radius:2px}
.bar b{position:absolute;top:1px;width:3px;height:11px;margin-left:-1px;background:var(--fg)}
td.best{background:color-mix(in srgb,var(--accent) 16%,var(--bg))}th.group{padding-top:16px}
"""
)


def page(results: Results, said: Json, *, language: Language = "en") -> str:
    """The whole file; `said` is the evaluation's table."""
    parts = [
        *_head(said, language),
        *_verdicts(said, language),
        *_figures(said, language),
        *_bars(said, language),
        *_classes(said, language),
        *_off_domain(said, language),
        *_disagreements(said, language),
        *outputs(results, language),
    ]
    return document(said["name"], _STYLE, parts, language)


def _head(said: Json, language: Language) -> Iterator[str]:
    yield f"<h1>{escape(said['name'])}</h1>"
    figures = {name: said[name] for name in ("calls", "answered", "failed")}
    counts = say("sweep.counts", language, **figures, spent=format_money(Decimal(said["spent"])))
    yield f'<p class="soft">{counts} · {escape(said["created_at"][:16])}</p>'
    baseline = said["systems"][said["baseline"]]["name"]
    many = len(said["systems"]) > 1
    lines = [say("evaluate.intervals", language, name=baseline) if many else say("evaluate.interval", language)]
    if any(column["jackknifed"] for column in said["columns"]):
        lines.append(say("evaluate.jackknife", language))
    if any(column["judged"] for column in said["columns"]):
        lines.append(say("sweep.judged", language))
    if any(column["human"] for column in said["columns"]):
        lines.append(say("sweep.human", language))
    yield from (f'<p class="soft">{line}</p>' for line in [*lines, *map(escape, said["notes"])])


def _verdicts(said: Json, language: Language) -> Iterator[str]:
    """A sentence a figure: who is shown to be best in it, or that nobody is."""
    if len(said["systems"]) < 2:
        return
    found = [sentence(column, language) for column in said["columns"] if column["unit"] == "score"]
    lines = "".join(f"<p>{escape(each)}</p>" for each in found if each) or f"<p>{say('sweep.no_score', language)}</p>"
    yield f'<div class="box">{lines}<p class="soft">{say("evaluate.tests", language)}</p></div>'


def sentence(column: Json, language: Language) -> str:
    """Who is best by this figure, or that no difference is shown; "" where nothing was compared."""
    found = column["verdict"]
    if found is None or not found["against"]:
        return ""
    about = {
        "figure": column_name(column, language),
        "name": found["best"],
        # Of two digits, and as a number, which each language writes in its own way.
        "p": float(f"{max(LEAST, *(each['p_value'] for each in found['against'])):.2g}"),
    }
    if found["winner"] is not None:
        return Said("evaluate.best", about).text(language)
    others = {"level": len(found["level"]), "others": found["others"]}
    return Said("evaluate.no_difference", {**about, **others}).text(language)


def column_name(column: Json, language: Language) -> str:
    """What a figure is called; a metric's by its own name."""
    if column["name"] in _RUN and column["unit"] != "score":
        return Said(_RUN[column["name"]]).text(language)
    whole = Said("evaluate.of_all", {"name": column["name"]}).text(language)
    return whole if column["kind"] == "corpus" else str(column["name"])


def _figures(said: Json, language: Language) -> Iterator[str]:
    """A row a figure, a column a system."""
    heads = "".join(f'<th class="n">{escape(each["name"])}</th>' for each in said["systems"])
    yield f'<div class="wide"><table><tr><th>{say("evaluate.figure", language)}</th>{heads}</tr>'
    for column in said["columns"]:
        way = say("evaluate.higher" if column["higher_is_better"] else "evaluate.lower", language)
        name = escape(column_name(column, language))
        cells = "".join(_figure(said, column, at, language) for at in range(len(said["systems"])))
        yield f'<tr><td>{name}<br><span class="soft">{way}</span></td>{cells}</tr>'
    yield f'</table></div><p class="soft">{say("evaluate.marked", language)}</p>'


def _figure(said: Json, column: Json, at: int, language: Language) -> str:
    figure, difference, found = column["figures"][at], column["differences"][at], column["verdict"]
    if figure is None:
        return '<td class="n">–</td>'
    best = found is not None and found["winner_cell"] == at
    low, high = (in_unit(figure[name], column["unit"], language) for name in ("low", "high"))
    between, count = ";" if language == "es" else ",", local(f"{figure['count']:,}", language)
    lines = [f"{'● ' if best else ''}<b>{in_unit(figure['value'], column['unit'], language)}</b>"]
    lines.append(f'<span class="soft">[{low}{between} {high}] n = {count}</span>')
    if at == said["baseline"] and len(said["systems"]) > 1:
        lines.append(f'<span class="soft">{say("evaluate.baseline", language)}</span>')
    elif difference is not None:
        p = local(f"{difference['p_value']:.2g}", language)
        lines.append(f"{signed(difference['value'], column['unit'], language)} · p = {p}")
    return f'<td class="n{" best" if best else ""}">{"<br>".join(lines)}</td>'


def _bars(said: Json, language: Language) -> Iterator[str]:
    """All intervals of one figure on one scale: what overlaps is seen to."""
    yield heading("evaluate.intervals_drawn", language)
    for column in said["columns"]:
        there = [each for each in column["figures"] if each is not None]
        low, high = min(each["low"] for each in there), max(each["high"] for each in there)
        ends = f"{in_unit(low, column['unit'], language)} – {in_unit(high, column['unit'], language)}"
        yield f'<div class="wide"><table><tr><th>{escape(column_name(column, language))}</th><th>{ends}</th></tr>'
        for system, figure in zip(said["systems"], column["figures"], strict=True):
            bar = "–" if figure is None else _bar(figure, low, high)
            yield f"<tr><td>{escape(system['name'])}</td><td>{bar}</td></tr>"
        yield "</table></div>"


def _bar(figure: Json, low: float, high: float) -> str:
    def place(value: float) -> float:
        return 100 * (value - low) / (high - low) if high > low else 50.0

    start, end = place(figure["low"]), place(figure["high"])
    line = f'<i style="left:{start:.1f}%;width:{max(1.0, end - start):.1f}%"></i>'
    return f'<span class="bar">{line}<b style="left:{place(figure["value"]):.1f}%"></b></span>'


def _classes(said: Json, language: Language) -> Iterator[str]:
    for system, found in zip(said["systems"], said["classes"] or [], strict=False):
        if found is not None:
            yield heading("sweep.confusion", language, name=system["name"])
            yield from class_table(found, language)


def _off_domain(said: Json, language: Language) -> Iterator[str]:
    found = said["off_domain"]
    if found is None:
        return
    yield heading("evaluate.off", language, count=found["count"])
    yield f'<p class="soft">{say("evaluate.off_note", language)}</p>'
    heads = ("evaluate.system", "sweep.case", "evaluate.closeness", "sweep.answer")
    yield '<div class="wide"><table><tr>' + "".join(f"<th>{say(key, language)}</th>" for key in heads) + "</tr>"
    for each in found["answers"]:
        row = "".join(f"<td>{escape(str(text))}</td>" for text in (each["name"], each["case"]))
        yield f"<tr>{row}<td>{number(each['closeness'], language)}</td>{_answer(each['answer'])}</tr>"
    yield "</table></div>"


def _disagreements(said: Json, language: Language) -> Iterator[str]:
    if len(said["systems"]) < 2 or not said["disagreements"]:
        return
    yield heading("evaluate.disagree", language, name=said["measure"]["name"])
    heads = [say(key, language) for key in ("sweep.case", "sweep.expected")]
    heads += [escape(each["name"]) for each in said["systems"]]
    yield '<div class="wide"><table><tr>' + "".join(f"<th>{head}</th>" for head in heads) + "</tr>"
    for each in said["disagreements"]:
        cells = "".join(_answer(answer["answer"], number(answer["score"], language)) for answer in each["answers"])
        row = f"<td>{escape(each['case'])}</td><td>{escape(_short(each['expected']))}</td>"
        yield f"<tr>{row}{cells}</tr>"
    yield "</table></div>"


def _answer(text: str | None, beside: str = "") -> str:
    return f'<td class="answer">{escape(_short(text))} <span class="soft">{beside}</span></td>'


def signed(value: float, unit: str, language: Language) -> str:
    return ("−" if value < 0 else "+") + in_unit(abs(value), unit, language)


def in_unit(value: float, unit: str, language: Language) -> str:
    """A figure as one reads it: dollars, milliseconds or seconds, or three digits."""
    if unit == "dollars":
        return format_money(Decimal(str(value)))
    return seconds(value, language) if unit == "seconds" else number(value, language)


def _short(text: str | None) -> str:
    return (text or "")[:LONGEST] + ("…" if text and len(text) > LONGEST else "")
