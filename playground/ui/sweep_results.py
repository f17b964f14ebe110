"""A sweep's results as a page looks at them: the report, a heatmap, its outputs by pages, one of them, and files."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from typing import Any

import anyio.to_thread

from playground.deps import Deps
from playground.errors import PlaygroundError, refused
from playground.evaluate import report, report_page, sweeping
from playground.evaluate.outputs import Wanted, page
from playground.evaluate.results import Results
from playground.presets import slug
from playground.store import Output
from playground.ui import present, sweep_rows
from playground.ui.asking import Answer, Asked, in_parts, language
from playground.ui.events import is_id, shown

PART = 500_000
"""Characters of a file that are sent at once."""
SIDES = ("csv", "json", "html")


def results_of(deps: Deps, asked: Asked) -> Results:
    """Blocks. Raises InvalidRequest where there is no sweep of exactly that id."""
    id = asked.get("id")
    if not is_id(id):
        raise refused("no_sweep", param="sweep", id=str(id)[:40])
    return deps.opened.results(id)


def _open(deps: Deps, asked: Asked) -> Answer:
    """The report, by `measure`; with a page of the outputs where `outputs` says which."""
    found = results_of(deps, asked)
    name = asked.get("measure")
    said = report.report(found, name if isinstance(name, str) and name else None)
    reader = language(asked)
    said["notes"] = [note.text(reader) for note in report.notes(found)]
    if isinstance(wanted := asked.get("outputs"), Mapping):
        said["answers"] = _page(found, wanted)
    # As one text: Gradio's page clones a value on its way to the script, figure by figure.
    return {"id": said["id"], "results": json.dumps(said, ensure_ascii=False, separators=(",", ":"))}


def _heatmap(deps: Deps, asked: Asked) -> Answer:
    measure, x, y = (str(asked.get(name) or "") for name in ("measure", "x", "y"))
    return {"heatmap": report.heatmap_json(results_of(deps, asked).heatmap(measure, x, y or None))}


def _outputs(deps: Deps, asked: Asked) -> Answer:
    """A page of the outputs: `cells`, `status`, `text`, `score` {measure, low, high}, `sort`, `descending`, `page`."""
    return _page(results_of(deps, asked), asked)


def _page(found: Results, wanted: Asked) -> dict[str, Any]:
    shown_, total, at = page(found, Wanted.read(found, wanted))
    return {"outputs": [_short(found, each) for each in shown_], "total": total, "page": at}


def _short(found: Results, output: Output) -> dict[str, Any]:
    said = report.output_json(found, output)
    for name in ("answer", "expected", "error"):
        said[name] = said[name] and said[name][: sweep_rows.SHORT]
    for name in ("beside", "judged"):
        said.pop(name)
    return {**said, "cost": sweep_rows.money(output.cost)}


def _output(deps: Deps, asked: Asked) -> Answer:
    """One output, whole, with what was sent."""
    found = results_of(deps, asked)
    number = asked.get("number")
    output = next((each for each in found.outputs if each.number == number), None)
    if output is None:
        raise refused("no_output", param="number")
    said = report.output_json(found, output)
    return {"output": {**said, "cost": sweep_rows.money(output.cost), "sent": _sent(deps, found, output)}}


def _sent(deps: Deps, found: Results, output: Output) -> Any:
    """The prompt or the messages. Where the plan cannot be made again, what its case has."""
    try:
        plan = sweeping.plan_again(found.sweep, deps)
        body = plan.request(plan.call(output.number)).body()
        return {name: body[name] for name in ("prompt", "messages") if name in body}
    except (PlaygroundError, IndexError):
        case = found.cases[output.row]
        return {**case.written, "variables": dict(case.variables)}


async def exported(deps: Deps, value: Any) -> AsyncGenerator[dict[str, Any]]:
    """The results as a file, in parts: {n, part, number}, then {n, done, number}. Never raises."""
    asked = value if isinstance(value, Mapping) else {}
    try:
        name, text = await anyio.to_thread.run_sync(_file, deps, asked)
        parts: Iterator[str] = (text[at : at + PART] for at in range(0, len(text), PART))
        async for part in in_parts(asked.get("n"), name, parts):
            yield part
    except Exception as error:
        yield {"n": asked.get("n"), "notice": present.failure(shown(error), reader=language(asked))}


def _file(deps: Deps, asked: Asked) -> tuple[str, str]:
    kind, name = asked.get("kind"), asked.get("measure")
    if kind not in SIDES:
        raise refused("no_action")
    found = results_of(deps, asked)
    measure = name if isinstance(name, str) and name else None
    write: Mapping[str, Callable[[], str]] = {
        "csv": lambda: report.to_csv(found).decode(),
        "json": lambda: report.to_json(found, measure).decode(),
        "html": lambda: report_page.page(found, measure, language=language(asked)),
    }
    return f"{slug(found.sweep.name) or 'sweep'}-{found.sweep.id}.{kind}", write[str(kind)]()


ACTIONS: dict[str, Callable[..., Any]] = {
    "open": _open,
    "heatmap": _heatmap,
    "outputs": _outputs,
    "output": _output,
}
