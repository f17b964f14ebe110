"""The Results tab: one or several results.csv as charts, each with a verdict, its rows, and exports."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import gradio as gr
from anyio import to_thread

from playground.deps import Deps
from playground.errors import InvalidRequest, refused
from playground.finetune.report import Look, report
from playground.finetune.results import Floor, Results, accuracy_floor, best, last
from playground.finetune.results_columns import AXES, Axis
from playground.finetune.results_read import read
from playground.finetune.results_reduce import curves
from playground.finetune.results_summary import csv_parts
from playground.finetune.results_verdict import verdict
from playground.ui import components, present
from playground.ui.asking import Asked, answered, in_parts, language
from playground.ui.events import ASKED, STREAM, shown
from playground.ui.opening import Places
from playground.ui.result_jobs import Opened, columns, fetched, listed
from playground.ui.uploads import Held, take
from playground.ui.visitor import theirs
from playground.words import Language, Said, plain

MOST = 120_000_000
"""Bytes of a file: a million steps have 40 to 60 MB."""
FILES = 12
"""Files side by side: more colours than that nobody tells apart."""
ROWS = 100
"""Rows of the table at a time."""

_MARKUP = """<div class="pg-results"><div class="pg-drop-zone"></div><div class="pg-result-from"></div>
<div class="pg-notice" hidden></div>
<div class="pg-result-files"></div><div class="pg-result-bar" hidden></div><div class="pg-result-charts"></div>
<div class="pg-result-tables"></div><dialog class="pg-dialog pg-dialog-wide"></dialog></div>"""


def build_results(deps: Deps) -> Callable[[Places], None]:
    """Lay the tab out; returns how it is wired to the rest of the page."""
    held: Held[Opened] = Held()
    words = plain("measure.", "axis.", "kind.", "column.", "report.")
    about = {"words": words, "most": MOST, "files": FILES}
    view = components.component("results.js", _MARKUP, {}, **about, elem_id="pg-results")

    def wire(places: Places) -> None:
        async def on_ask(value: Any, who: gr.Request) -> tuple[Any, ...]:
            return await act(theirs(deps, who), held, value)

        async def on_export(value: Any, who: gr.Request) -> AsyncGenerator[Any]:
            theirs(deps, who)
            async with aclosing(exported(held, value if isinstance(value, Mapping) else {})) as parts:
                async for part in parts:
                    yield part

        view.input(on_ask, view, [view, *places.all], **ASKED)
        view.submit(on_export, view, view, **STREAM)

    return wire


async def act(deps: Deps, held: Held[Opened], value: Any) -> tuple[Any, ...]:
    """Do what the tab asks; its value and the page's updates. Never raises."""
    return await answered(_ACTIONS, value, deps, held)


def _open(deps: Deps, held: Held[Opened], asked: Asked) -> dict[str, Any]:
    """Files that were dropped. One that cannot be read does not keep the others out."""
    given = asked.get("files")
    if not isinstance(given, list) or not 1 <= len(given) <= FILES:
        raise refused("choose_files", param="file", most=FILES)
    opened = []
    for file in given:
        about = file if isinstance(file, Mapping) else {}
        name = str(about.get("name") or "results.csv")[:120]
        try:
            data = take(about.get("path"), most=MOST)
            opened.append(_put(held, Opened(name, read(data)), language(asked)))
        except Exception as error:
            opened.append({"name": name, "notice": present.failure(shown(error), reader=language(asked))})
    return {"opened": opened}


def _again(deps: Deps, held: Held[Opened], asked: Asked) -> dict[str, Any]:
    """Files that a page which was loaded anew had open; those that are no longer held are left out."""
    opened = []
    for id_ in _ids(asked):
        try:
            opened.append({"id": id_, **_about(held.get(id_), language(asked))})
        except InvalidRequest:
            continue
    return {"opened": opened}


async def _job(deps: Deps, held: Held[Opened], asked: Asked) -> dict[str, Any]:
    """A finished job's results, opened like a dropped file."""
    found = await fetched(deps, asked, most=MOST)
    return {"opened": [await to_thread.run_sync(_put, held, found, language(asked))]}


def _compare(deps: Deps, held: Held[Opened], asked: Asked) -> dict[str, Any]:
    """A job's base, one of its checkpoints and its final model, as the Compare tab takes them."""
    return {"compare": columns(deps, held.get(asked.get("id")), asked.get("checkpoint"))}


def _put(held: Held[Opened], file: Opened, reader: Language) -> dict[str, Any]:
    return {"id": held.put(file, _size(file.results)), **_about(file, reader)}


def _size(results: Results) -> int:
    return sum(values.nbytes for values in results.axes.values()) + sum(
        column.values.nbytes for column in results.columns.values()
    )


def _about(file: Opened, reader: Language) -> dict[str, Any]:
    """What a file says, in words and last and best values; of a job's, its checkpoints as well."""
    results = file.results
    judged = verdict(results)
    rows = {"rows": len(results.steps), "points": results.validation_points}
    return {
        "name": file.name,
        "checkpoints": file.marks(),
        "format": results.format,
        "axes": list(results.axes),
        "rows": len(results.steps),
        "about": Said("report.rows", rows).text(reader),
        "verdict": {"kind": judged.kind, "text": judged.said.text(reader)},
        "notes": [note.text(reader) for note in results.notes],
        "columns": [
            {
                "name": column.name,
                "explains": column.meaning.explains,
                "last": _point(last(results, column)),
                "best": _point(best(results, column)),
            }
            for column in results.columns.values()
        ],
    }


def _point(point: Any) -> list[float] | None:
    return None if point is None else [point.step, float(f"{point.value:.6g}")]


def _curves(deps: Deps, held: Held[Opened], asked: Asked) -> dict[str, Any]:
    alpha, axis = _number(asked.get("alpha", 1)), asked.get("axis", "step")
    if axis not in AXES.values():
        raise refused("no_axis", param="axis", axis=str(axis)[:20], axes=", ".join(AXES.values()))
    files = {}
    for id_ in _ids(asked):
        results = held.get(id_).results
        # A file that does not say how many tokens it saw has no place on an axis of tokens.
        has = axis in results.axes
        files[id_] = curves(results, axis=axis, alpha=alpha, within=_within(asked.get("within"))) if has else _NOWHERE
    # As one text: Gradio's page clones a value on its way to the script, which takes 200 ms for ten thousand numbers.
    return {"curves": json.dumps(files, separators=(",", ":"), allow_nan=False), "floor": _floor(asked)}


_NOWHERE: dict[str, Any] = {"curves": []}


def _floor(asked: Asked) -> dict[str, Any] | None:
    floor = _level(asked)
    return {"value": floor.value, "why": floor.why.text(language(asked))} if floor else None


def _level(asked: Asked) -> Floor | None:
    """The accuracy that a wrong answer reaches, for completions as long as the person says."""
    tokens = asked.get("floor")
    return accuracy_floor(tokens) if type(tokens) is int and 1 <= tokens <= 100_000 else None


def _within(value: Any) -> tuple[float, float] | None:
    if not isinstance(value, Sequence) or len(value) != 2:
        return None
    low, high = map(_number, value)
    return (low, high) if low < high else None


def _number(value: Any) -> float:
    """NaN for what is none: no comparison holds for it, so that it is refused where a range is."""
    try:
        return float(value) if type(value) in (int, float) else math.nan
    except OverflowError:
        return math.nan


def _rows(deps: Deps, held: Held[Opened], asked: Asked) -> dict[str, Any]:
    """A part of a file's table."""
    results, start = held.get(asked.get("id")).results, asked.get("start")
    first = max(0, min(start, len(results.steps))) if type(start) is int else 0
    part = slice(first, first + ROWS)
    named = {name: results.axes[axis] for name, axis in AXES.items() if axis in results.axes}
    named |= {name: column.values for name, column in results.columns.items()}
    table = [[_cell(value) for value in values[part].tolist()] for values in named.values()]
    return {"id": asked.get("id"), "start": first, "names": list(named), "table": list(zip(*table, strict=True))}


def _cell(value: float) -> float | int | None:
    if not math.isfinite(value):
        return None
    return int(value) if value.is_integer() and abs(value) < 1e15 else float(f"{value:.6g}")


def _export(deps: Deps, held: Held[Opened], asked: Asked) -> dict[str, Any]:
    """A file for the person: the report of these, drawn as the page draws its charts."""
    runs = [(file.name, file.results) for file in map(held.get, _ids(asked))]
    axis: Axis = next((each for each in AXES.values() if each == asked.get("axis")), "step")
    look = Look(
        axis=axis,
        floor=_level(asked),
        alpha=_number(asked.get("alpha", 1)),
        log=asked.get("log") is True,
        hidden=_hidden(asked.get("off")),
    )
    text = report(runs, language=language(asked), look=look)
    return {"file": {"name": "results-report.html", "text": text}}


def _hidden(value: Any) -> list[frozenset[str]]:
    """Names of columns, run by run, that the person has hidden in the legends."""
    runs = value if isinstance(value, list) else []
    return [
        frozenset(name for name in names if isinstance(name, str)) if isinstance(names, list) else frozenset()
        for names in runs
    ]


async def exported(held: Held[Opened], asked: Asked) -> AsyncGenerator[Any]:
    """One file's rows as CSV, in parts. Never raises."""
    n = asked.get("n")
    try:
        file = held.get(asked.get("id"))
        async for part in in_parts(n, f"{file.name.rsplit('.', 1)[0]}-clean.csv", csv_parts(file.results)):
            yield part
    except Exception as error:
        yield {"n": n, "notice": present.failure(shown(error), reader=language(asked))}


def _ids(asked: Asked) -> list[Any]:
    given = asked.get("ids")
    if not isinstance(given, list) or not given:
        raise refused("choose_results", param="file")
    if len(given) > FILES:
        raise refused("many_results", param="file", most=FILES)
    return given


_ACTIONS: dict[str, Callable[..., Any]] = {
    "jobs": listed,
    "job": _job,
    "compare": _compare,
    "open": _open,
    "again": _again,
    "curves": _curves,
    "rows": _rows,
    "export": _export,
}
