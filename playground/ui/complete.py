"""The Complete tab: one editor whose text a model continues in place."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground import catalog, pricing
from playground.deps import Deps
from playground.parameters import unescape, validate_completion
from playground.runner import Progress, run
from playground.tokens import TokenCount
from playground.types import CompletionRequest, ModelInfo
from playground.ui import components, present
from playground.ui.events import LIVE, SILENT, STREAM, ActiveRuns, shown

TAB = "complete"
Outputs = tuple[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class CompleteTab:
    """What the rest of the page wires to."""

    editor: gr.HTML
    counter: gr.HTML
    last: gr.HTML


def build_complete(deps: Deps, active: ActiveRuns, *, model: gr.Dropdown, params: gr.HTML) -> CompleteTab:
    """Lay the tab out and bind its events. `model` and `params` stand in the sidebar, shared by all tabs."""
    editor = components.editor()
    counter = components.meter("pg-next")
    last = components.meter("pg-last")
    choices = components.choices()

    async def on_submit(
        page: Any, chosen: Any, values: Any, shown_last: Any, who: gr.Request
    ) -> AsyncGenerator[Outputs]:
        async with aclosing(submit(deps, active, page, chosen, values, shown_last, session=session_of(who))) as updates:
            async for update in updates:
                yield update

    async def on_count(page: Any, chosen: Any, values: Any) -> Any:
        return await count(deps, page, chosen, values)

    async def on_stop(who: gr.Request) -> None:
        active.stop(session_of(who), TAB)

    ran = editor.submit(on_submit, [editor, model, params, last], [editor, choices, last], **STREAM)
    ran.then(on_count, [editor, model, params], counter, **SILENT)
    editor.stop(on_stop, None, None, **SILENT)
    gr.on([editor.input, params.input, model.change], on_count, [editor, model, params], counter, **LIVE)
    return CompleteTab(editor=editor, counter=counter, last=last)


def session_of(who: gr.Request) -> str:
    return who.session_hash or ""


async def submit(
    deps: Deps, active: ActiveRuns, page_value: Any, model: Any, values: Any, last: Any, *, session: str
) -> AsyncGenerator[Outputs]:
    """Run what the page holds; yields the editor, the choices and the last run's line. Never raises for a failure."""
    spent = last.get("session") if isinstance(last, Mapping) else None
    quiet: dict[str, Any] = {"cells": [], "session": spent}
    try:
        page = present.Page.read(page_value)
    except Exception as error:
        yield gr.skip(), gr.skip(), {**quiet, "notice": present.failure(shown(error))}
        return
    try:
        with active.begin(session, TAB) as stop:
            request, info = read_request(deps, page, model, values)
            if deps.engine is not None and info.endpoint == deps.engine.endpoint.name:
                if deps.engine.state.phase != "ready":
                    yield (
                        page.value(busy=True),
                        {"cards": []},
                        {**quiet, "notice": {"tone": "info", "key": "notice_starting"}},
                    )
                await deps.engine_ready()
            yield page.value(busy=True), {"cards": []}, {**quiet, "notice": {"tone": "info", "key": "notice_waiting"}}
            runs = run(request, client=deps.client, store=deps.store, counter=deps.counter, stop=stop)
            async with aclosing(runs):
                async for progress in runs:
                    yield outputs(deps, page, request, progress, spent)
    except Exception as error:
        yield page.value(busy=False), gr.skip(), {**quiet, "notice": present.failure(shown(error))}


def read_request(deps: Deps, page: present.Page, model: Any, values: Any) -> tuple[CompletionRequest, ModelInfo]:
    """The request that the page's values make. Every value is checked here, wherever it came from."""
    info = catalog.resolve(model if isinstance(model, str) else "", deps.models, deps.client.endpoints)
    given = dict(values) if isinstance(values, Mapping) else {}
    # In the panel a line break is typed as \n; the API's endpoint takes it as it is.
    if isinstance(given.get("stop"), list):
        given["stop"] = [unescape(text) if isinstance(text, str) else text for text in given["stop"]]
    given["prompt"] = page.text
    context = catalog.context_length(info)
    return validate_completion(given, endpoint=info.endpoint, model=info.id, context_length=context), info


def outputs(deps: Deps, page: present.Page, request: CompletionRequest, progress: Progress, spent: Any) -> Outputs:
    busy = not progress.finished
    state = progress.state
    now = present.continued(page, request, state).value(busy=busy)
    beside = present.cards(request, state, busy=busy)
    if busy:
        return now, beside, {"cells": [], "session": spent, "notice": present.waiting(state)}
    kind = deps.client.endpoints[request.endpoint].kind
    return now, beside, present.last_run(progress, session=spent, kind=kind, price_as=deps.settings.price_as)


async def count(deps: Deps, page_value: Any, model: Any, values: Any) -> Any:
    """The counter's line for what the page holds now. What cannot be counted yet is simply not shown."""
    try:
        page = present.Page.read(page_value)
        info = catalog.resolve(model if isinstance(model, str) else "", deps.models, deps.client.endpoints)
        counted = await deps.count(page.text, info)
        return next_line(deps, counted, info, values if isinstance(values, Mapping) else {})
    except Exception as error:
        return {"cells": [], "notice": None if not model else present.failure(shown(error))}


def next_line(deps: Deps, counted: TokenCount, info: ModelInfo, values: Mapping[str, Any]) -> Any:
    kind = deps.client.endpoints[info.endpoint].kind
    context = catalog.context_length(info)
    reference = deps.settings.price_as if kind == "engine" else None
    estimate = pricing.estimate(
        model=info.id,
        kind=kind,
        prompt_tokens=counted.tokens,
        max_tokens=_whole(values.get("max_tokens")),
        n=_whole(values.get("n")) or 1,
        best_of=_whole(values.get("best_of")),
        context_length=context,
        price_as=reference,
    )
    return present.next_run(counted, estimate, context=context, priced_as=reference)


def _whole(value: Any) -> int | None:
    """A slider's number, or None where it is unset or not usable: the run itself says what is wrong with it."""
    return int(value) if type(value) in (int, float) and 0 <= value <= 10**9 else None
