"""What the HTML reports of a sweep and of an evaluation share: the style, the words, the tables of labels and answers.

Whatever a model or a person wrote is escaped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from playground.evaluate.report import Json
from playground.evaluate.results import Results
from playground.words import Language, Said, local

MOST_OUTPUTS, LONGEST = 300, 400
"""Answers, and characters of one, that are shown; the CSV has all."""

STYLE = """
:root{color-scheme:light dark;--bg:#fff;--fg:#1a1a1a;--soft:#6b6b6b;--line:#e3e3e3;--panel:#f7f7f8;--accent:#10a37f}
@media(prefers-color-scheme:dark){:root{--bg:#141414;--fg:#ececec;--soft:#a0a0a0;--line:#333;--panel:#1e1e1e}}
*{box-sizing:border-box}body{margin:0 auto;max-width:1100px;padding:24px 16px;background:var(--bg);color:var(--fg);
font:15px/1.5 system-ui,sans-serif;font-variant-numeric:tabular-nums}h1{font-size:22px;margin:0}h2{font-size:16px;
margin:32px 0 8px}p{margin:4px 0}.soft{color:var(--soft);font-size:13px}.box{background:var(--panel);border:1px solid
var(--line);border-radius:8px;padding:12px 16px;margin:16px 0}.wide{overflow-x:auto}table{border-collapse:collapse;
font-size:13px;width:100%}th,td{padding:6px 10px;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
th{font-weight:600;white-space:nowrap}td.n,th.n{text-align:right;white-space:nowrap}.heat{width:auto}.heat td{
text-align:center;min-width:110px;border:2px solid var(--bg);border-radius:8px}.heat b{display:block;font-size:15px}
.answer{white-space:pre-wrap;overflow-wrap:anywhere;max-width:420px}svg{max-width:100%;height:auto}
svg text{fill:var(--soft);font-size:12px}svg .axis{stroke:var(--line)}svg .dot{fill:var(--soft);fill-opacity:.55}
svg .front{fill:var(--accent)}
"""


def document(title: str, style: str, parts: Sequence[str], language: Language) -> str:
    """The whole file."""
    return (
        f'<!doctype html>\n<html lang="{language}">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{style}</style>\n" + "\n".join(parts) + "\n</html>\n"
    )


def say(key: str, language: Language, **args: Any) -> str:
    return escape(Said(key, args).text(language))


def heading(key: str, language: Language, **args: Any) -> str:
    return f"<h2>{say(key, language, **args)}</h2>"


def class_table(found: Json, language: Language) -> Iterator[str]:
    """A confusion matrix with precision, recall and F1 of each label."""
    heads = "".join(f'<th class="n">{escape(name)}</th>' for name in found["labels"])
    extra = [say("sweep.no_label", language), "precision", "recall", "F1"]
    rest = "".join(f'<th class="n">{name}</th>' for name in extra)
    yield f'<div class="wide"><table><tr><th>{say("sweep.expected", language)}</th>{heads}{rest}</tr>'
    for name, row in zip(found["labels"], found["matrix"], strict=True):
        each = found["classes"][name]
        counts = [f"{count:,}" for count in row]
        shares = [f"{each[key]:.2f}" for key in ("precision", "recall", "f1")]
        figures = [local(figure, language) for figure in (*counts, *shares)]
        cells = "".join(f'<td class="n">{figure}</td>' for figure in figures)
        yield f"<tr><th>{escape(name)}</th>{cells}</tr>"
    yield "</table></div>"


def outputs(results: Results, language: Language) -> Iterator[str]:
    shown = results.outputs[:MOST_OUTPUTS]
    yield heading("sweep.outputs", language, shown=len(shown), count=len(results.outputs))
    heads = [say(key, language) for key in ("sweep.cell", "sweep.case", "sweep.expected", "sweep.answer")]
    yield '<div class="wide"><table><tr>' + "".join(f"<th>{head}</th>" for head in heads) + "<th></th></tr>"
    for output in shown:
        case = results.cases[output.row]
        scores = ", ".join(f"{name} {number(score, language)}" for name, score in output.scores.items())
        answer = output.answer[:LONGEST] + ("…" if len(output.answer) > LONGEST else "")
        cells = [results.sweep.cells[output.cell]["name"], case.id, (case.expected or "")[:LONGEST]]
        row = "".join(f"<td>{escape(str(each))}</td>" for each in cells)
        wrong = "" if output.error is None else f' <span class="soft">{escape(output.error)}</span>'
        yield f'<tr>{row}<td class="answer">{escape(answer)}{wrong}</td><td class="soft">{escape(scores)}</td></tr>'
    yield "</table></div>"


def interval(figure: Mapping[str, Any] | None, language: Language) -> str:
    if figure is None:
        return "–"
    return f'{number(figure["value"], language)} <span class="soft">{ends(figure, language)}</span>'


def ends(figure: Mapping[str, Any], language: Language) -> str:
    low, high = (number(figure[name], language) for name in ("low", "high"))
    return f"[{low}; {high}]" if language == "es" else f"[{low}, {high}]"


def number(value: float | None, language: Language) -> str:
    return "–" if value is None else local(f"{value:.3g}", language)


def seconds(value: float | None, language: Language) -> str:
    if value is None:
        return "–"
    return f"{value * 1000:.0f} ms" if value < 1 else local(f"{value:.1f}", language) + " s"
