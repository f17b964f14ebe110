"""The Sweep tab: a grid or a list of parameters tried on test cases, what it costs said before, figures after."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any

import anyio.to_thread
import gradio as gr

from playground import panel
from playground.deploy.bundle import folder_name, zipped
from playground.deploy.cases import CHECKS, MOST
from playground.deploy.frozen import Frozen, freeze_request
from playground.deploy.making import make
from playground.deps import Deps
from playground.errors import refused
from playground.evaluate import sweeping as sweeps
from playground.evaluate.dataset import Dataset
from playground.evaluate.metrics.build import OPTIONS, MetricSpec
from playground.evaluate.plan import Cell, Plan
from playground.evaluate.results import Results
from playground.evaluate.spec_values import NAMES
from playground.types import CompletionRequest, Mode, Request
from playground.ui import components
from playground.ui.asking import Answer, Asked, language
from playground.ui.events import ASKED, STREAM
from playground.ui.opening import Places, model_opened
from playground.ui.sweep_results import exported, results_of
from playground.ui.sweeping import act
from playground.ui.visitor import theirs

_MARKUP = '<div class="pg-sweep"></div>'
_WRITTEN = ("model", "prompt", "messages")


def build_sweep(deps: Deps) -> Callable[[Places], None]:
    """Lay the tab out; returns how it is wired to the rest of the page."""
    kinds = list(OPTIONS)
    names = [name for name in NAMES if name != "n"]
    view = components.component("sweep.js", _MARKUP, {}, names=names, kinds=kinds, elem_id="pg-sweep")

    def wire(places: Places) -> None:
        async def on_ask(value: Any, who: gr.Request) -> tuple[Any, ...]:
            return await act(theirs(deps, who), value, who, ACTIONS)

        async def on_export(value: Any, who: gr.Request) -> AsyncGenerator[Any]:
            async with aclosing(exported(theirs(deps, who), value)) as parts:
                async for part in parts:
                    yield part

        view.input(on_ask, view, [view, *places.all], **ASKED)
        view.submit(on_export, view, view, **STREAM)

    return wire


def _presets(deps: Deps, asked: Asked) -> Answer:
    return {"presets": [row.name for row in deps.store.presets()]}


def _take(deps: Deps, asked: Asked) -> Answer:
    """The parameter panel's values of a tab, as a spec has them."""
    mode, params = asked.get("mode"), asked.get("params")
    if mode not in ("complete", "chat") or not isinstance(params, Mapping):
        raise refused("no_action")
    values = panel.api_values(params, "complete" if mode == "complete" else "chat")
    return {"taken": {name: value for name, value in values.items() if value not in (None, "", []) and name != "n"}}


# --- a cell leaves the tab ---


def _chosen(deps: Deps, asked: Asked) -> tuple[Results, Plan, Cell, Request]:
    """A cell of a sweep, with what it sent first. Raises InvalidRequest, also where its model or preset is gone."""
    found, number = results_of(deps, asked), asked.get("cell")
    plan = sweeps.plan_again(found.sweep, deps)
    if type(number) is not int or not 0 <= number < len(plan.cells):
        raise refused("no_output", param="cell")
    return found, plan, plan.cells[number], plan.request(plan.call(number))


def _use(deps: Deps, asked: Asked) -> Answer:
    """A cell's model and parameters beside Complete or Chat, whichever it ran as."""
    _, _, cell, request = _chosen(deps, asked)
    mode = _mode(request)
    params = panel.panel_values(request.body(), mode)
    return {"used": mode}, model_opened(mode, cell.model.ref, params)


async def _deploy(deps: Deps, asked: Asked) -> Answer:
    """A cell as a zip of Python that runs by itself, tested on the cases whose answer is known."""
    found, plan, cell, request = await anyio.to_thread.run_sync(_chosen, deps, asked)
    frozen = _frozen(deps, found, plan, cell, request)
    known = [case for case in found.cases if case.expected is not None][:MOST]
    check = next((each for each in found.spec.metrics if each.kind in CHECKS), None)
    made = await make(
        deps,
        frozen,
        dataset=Dataset(found.sweep.name, tuple(known)) if known and found.spec.dataset else None,
        check=check,
        at_least=await anyio.to_thread.run_sync(_passed, found, check, cell.number),
        language=language(asked),
    )
    folder = folder_name(frozen)
    data = zipped(made, folder=folder)
    return {"zip": {"name": f"{folder}.zip", "base64": base64.b64encode(data).decode()}}


def _frozen(deps: Deps, found: Results, plan: Plan, cell: Cell, request: Request) -> Frozen:
    mode, body = _mode(request), request.body()
    asked = dict(cell.written or plan.cases[0].written)
    if mode == "chat" and "messages" not in asked:
        asked = {"messages": [{"role": "user", "content": asked["prompt"]}]}
    return freeze_request(
        asked,
        name=found.sweep.name,
        mode=mode,
        parameters={name: value for name, value in body.items() if name not in _WRITTEN},
        variables=cell.variables,
        info=cell.model,
        endpoint=deps.client.endpoints[cell.model.endpoint],
    )


def _passed(found: Results, check: MetricSpec | None, cell: int) -> float:
    """The share of cases that the bundle's tests ask for: the low end of what was measured here."""
    figure = found.figure(found.measure(check.name), cell) if check is not None else None
    return 1.0 if figure is None else max(0.01, int(figure.low * 100) / 100)


def _mode(request: Request) -> Mode:
    return "complete" if isinstance(request, CompletionRequest) else "chat"


ACTIONS: dict[str, Callable[..., Any]] = {"presets": _presets, "take": _take, "use": _use, "deploy": _deploy}
