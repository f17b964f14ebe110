"""The Fine-tune tab's example: a classifier of Spanish opinions, trained on the embedded engine with one click."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import gradio as gr

from playground.deps import Deps
from playground.errors import refused
from playground.finetune.example import POSITIVE, SUFFIX, sentiment
from playground.finetune.jobs import validate_job
from playground.finetune.started import start
from playground.picker import parse_fine_tune
from playground.ui import components
from playground.ui.asking import Answer, Asked, answered, language
from playground.ui.events import ASKED
from playground.ui.job_rows import row
from playground.ui.opening import Places
from playground.ui.visitor import theirs

_MARKUP = """<details class="pg-prepare-card pg-example"><summary></summary><p></p><div class="pg-example-body"></div>
<div class="pg-prepare-actions"></div><div class="pg-notice" aria-live="polite" hidden></div></details>"""


def build_example(deps: Deps) -> Callable[[Places], None]:
    """Lay the part out where there is an engine to train on; returns how it is wired to the rest of the page."""
    if deps.engine is None:
        return lambda places: None
    found = sentiment()
    about = {"rows": [list(each) for each in found.rows], "trained": found.trained, "held": found.held_out}
    view = components.component("example.js", _MARKUP, {}, about=about, elem_id="pg-example")

    def wire(places: Places) -> None:
        async def on_ask(value: Any, who: gr.Request) -> tuple[Any, ...]:
            return await act(theirs(deps, who), value)

        view.input(on_ask, view, [view, *places.all], **ASKED)

    return wire


async def act(deps: Deps, value: Any) -> tuple[Any, ...]:
    """Do what the part asks; its value and the page's updates. Never raises."""
    return await answered(_ACTIONS, value, deps)


async def _train(deps: Deps, asked: Asked) -> Answer:
    """A job on the engine's own model, with everything else left to the server."""
    if deps.engine is None:
        raise refused("base", param="base")
    await deps.engine_ready()
    server, found = deps.engine.endpoint.name, await asyncio.to_thread(sentiment)
    plan = validate_job(base=await _base(deps, server), suffix=SUFFIX, positive_class=POSITIVE)
    files = [(each.name, each.data) for each in (found.training, found.validation)]
    job = await start(deps.client, server, plan, files)
    return {"created": row(server, job, language(asked))}


async def _base(deps: Deps, server: str) -> str:
    listed = [info.id for info in await deps.client.models(server)]
    return next((name for name in listed if not parse_fine_tune(name)), "")


_ACTIONS: dict[str, Callable[[Deps, Asked], Any]] = {"train": _train}
