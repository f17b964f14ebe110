"""What the Sweep and the Evaluate tab ask of the server about sweeps: foreseen, begun, looked at, ended, gone on with.

A sweep runs in this process whether or not a page looks (`evaluate/underway.py`): the page asks how far it is, so that
a reload and a second window show the same. A sweep's id, which nobody can guess, is what lets one act on it: the person
at this machine is told all of them, a visitor's browser knows those that it began. `act` answers what static/sweep_*.js
asks; a tab adds actions of its own.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

from playground.deps import Deps
from playground.errors import refused
from playground.evaluate import spec as specs
from playground.evaluate import spec_values, stored, sweeping
from playground.evaluate.judging import standing
from playground.evaluate.plan import Plan
from playground.evaluate.spec import MAX_BUDGET, Spec
from playground.evaluate.spec_files import MAX_BYTES, dump, load
from playground.presets import slug
from playground.store import SweepRow
from playground.ui import sweep_results, sweep_rows
from playground.ui.asking import Answer, Asked, answered, language
from playground.ui.events import is_id
from playground.ui.host import is_host

LISTED = 100
"""Sweeps in the list."""


async def act(
    deps: Deps, value: Any, who: Any, more: Mapping[str, Callable[..., Any]] | None = None
) -> tuple[Any, ...]:
    """Do what a tab asks, its own actions being `more`; its value and the page's updates. Never raises."""
    asked = value if isinstance(value, Mapping) else {}
    everyone = is_host(deps.settings, who)
    given = {**asked, "everyone": everyone} if asked.get("action") == "list" else value
    return await answered({**ACTIONS, **sweep_results.ACTIONS, **(more or {})}, given, deps)


# --- before it runs ---


async def planned(deps: Deps, asked: Asked) -> tuple[Plan, list[str]]:
    """The plan of the spec that was sent, and the training texts of its metrics. Raises InvalidRequest."""
    spec = specs.from_json(asked.get("spec"))
    texts = await asyncio.to_thread(stored.training, deps.store, spec.training)
    dataset = await asyncio.to_thread(stored.dataset, deps.store, spec.dataset)
    plan = await asyncio.to_thread(sweeping.plan_of, spec, dataset, deps)
    await asyncio.to_thread(sweeping.metrics_of, plan, texts)
    return plan, texts


async def _estimate(deps: Deps, asked: Asked) -> Answer:
    plan, _ = await planned(deps, asked)
    await sweeping.check_budget(plan, deps)
    judges, found = sweeping.judges_of(plan, deps), await sweeping.foreseen(plan, deps)
    return {"estimate": sweep_rows.estimate(plan, found, language(asked), judges)}


async def _begin(deps: Deps, asked: Asked) -> Answer:
    plan, texts = await planned(deps, asked)
    await _ready(deps, plan)
    running = await sweeping.begin(plan, deps, training=texts)
    await deps.underway.start(running)
    return {"begun": await _told(deps, running.id, asked)}


async def _ready(deps: Deps, plan: Plan) -> None:
    if any(cell.kind == "engine" for each in (plan, *sweeping.judges_of(plan, deps)) for cell in each.cells):
        await deps.engine_ready()


# --- while it runs, and when it goes on ---


async def _state(deps: Deps, asked: Asked) -> Answer:
    return {"sweep": await _told(deps, meant(asked), asked)}


async def _pause(deps: Deps, asked: Asked) -> Answer:
    deps.underway.pause(meant(asked))
    return {"sweep": await _told(deps, meant(asked), asked)}


async def _stop(deps: Deps, asked: Asked) -> Answer:
    deps.underway.stop(meant(asked))
    return {"sweep": await _told(deps, meant(asked), asked)}


async def _go_on(deps: Deps, asked: Asked) -> Answer:
    """On the cases it began with; `budget` in place of its own."""
    row = await asyncio.to_thread(found, deps, meant(asked))
    budget = spec_values.money(asked.get("budget"), MAX_BUDGET)
    texts = await asyncio.to_thread(stored.training, deps.store, row.spec.get("training"))
    _, running = await sweeping.go_on(row.id, deps, budget=budget, training=texts)
    await _ready(deps, running.plan)
    await deps.underway.start(running)
    return {"begun": await _told(deps, row.id, asked)}


def meant(asked: Asked) -> str:
    """The id that was sent. Raises InvalidRequest for what is none."""
    id = asked.get("id")
    if not is_id(id):
        raise refused("no_sweep", param="sweep", id=str(id)[:40])
    return id


def found(deps: Deps, id: str) -> SweepRow:
    """The sweep of exactly this id. Blocks. Raises InvalidRequest where there is none."""
    row = deps.store.sweeps.sweep(id)
    if row is None or row.id != id:  # the store also takes an id's beginning, which may be guessed
        raise refused("no_sweep", param="sweep", id=id[:40])
    return row


async def _told(deps: Deps, id: str, asked: Asked) -> dict[str, Any]:
    row = await asyncio.to_thread(found, deps, id)
    judged = await asyncio.to_thread(standing, deps.store, row)
    return sweep_rows.row(row, language(asked), deps.underway.of(id), judged)


# --- all of them ---


def _list(deps: Deps, asked: Asked) -> Answer:
    """The newest first: all for the person at this machine, for others those that their browser knows."""
    if asked["everyone"]:
        rows = deps.store.sweeps.listed(LISTED)
    else:
        known = asked.get("known")
        ids = [id for id in known if is_id(id)][:LISTED] if isinstance(known, list) else []
        rows = [row for id in ids if (row := deps.store.sweeps.sweep(id)) is not None and row.id == id]
    reader, store = language(asked), deps.store
    return {"sweeps": [sweep_rows.row(row, reader, deps.underway.of(row.id), standing(store, row)) for row in rows]}


def _delete(deps: Deps, asked: Asked) -> Answer:
    if not deps.store.sweeps.delete(meant(asked)):
        raise refused("no_sweep", param="sweep", id=meant(asked)[:40])
    return {"deleted": meant(asked)}


# --- what a form chooses from, and its file ---


def _datasets(deps: Deps, asked: Asked) -> Answer:
    return {"datasets": [{"name": each.name, "count": each.count} for each in deps.store.datasets.listed()]}


def _dataset(deps: Deps, asked: Asked) -> Answer:
    """What is in the dataset of that name, for whoever writes a prompt for it."""
    name = asked.get("name")
    dataset = stored.dataset(deps.store, name if isinstance(name, str) else "")
    if dataset is None:
        raise refused("no_dataset", param="dataset", name="")
    expected = sum(case.expected is not None for case in dataset.cases)
    own = sum(bool(case.written) for case in dataset.cases)
    figures = {"name": dataset.name, "count": len(dataset), "expected": expected, "own": own}
    return {"dataset": {**figures, "variables": dataset.variables[:50], "tags": dataset.tags[:100]}}


def _read(deps: Deps, asked: Asked) -> Answer:
    """A spec's file, checked, for the form."""
    text, name = asked.get("text"), asked.get("name")
    if not isinstance(text, str) or len(text) > MAX_BYTES:
        raise refused("spec_large", param="spec", most=MAX_BYTES)
    given = load(text, name if isinstance(name, str) else "")
    specs.from_json(given)
    return {"spec": given}


def _spec(deps: Deps, asked: Asked) -> Answer:
    """A sweep's own spec, to begin another with."""
    return {"spec": dict(found(deps, meant(asked)).spec)}


def _write(deps: Deps, asked: Asked) -> Answer:
    """The form's spec as the file that the command line reads: YAML, or with `json` JSON."""
    spec = specs.from_json(asked.get("spec"))
    return {"file": spec_file(spec, as_json=asked.get("json") is True)}


def spec_file(spec: Spec, *, as_json: bool) -> dict[str, str]:
    said = specs.to_json(spec)
    text = json.dumps(said, ensure_ascii=False, indent=2) if as_json else dump(said)
    return {"name": f"{slug(spec.name) or 'sweep'}.{'json' if as_json else 'yaml'}", "text": text}


ACTIONS: dict[str, Callable[..., Any]] = {
    "estimate": _estimate,
    "begin": _begin,
    "state": _state,
    "pause": _pause,
    "stop": _stop,
    "go_on": _go_on,
    "list": _list,
    "delete": _delete,
    "datasets": _datasets,
    "dataset": _dataset,
    "spec": _spec,
    "read": _read,
    "write": _write,
}
