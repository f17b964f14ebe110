"""How a tab runs what it holds, one mechanism for all: check, wait, stream, end, count; Stop and errors alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground import accepts, catalog, panel, pricing
from playground.accepts import LeftOut
from playground.deps import Deps
from playground.errors import ContextExceeded, PlaygroundError
from playground.finetune.trained import Lacks, lacks
from playground.parameters import validate_chat, validate_completion
from playground.picker import CHECKPOINT
from playground.runner import Progress, run
from playground.types import CompletionRequest, Mode, ModelInfo, Request
from playground.ui import better, present
from playground.ui.events import Visit, shown
from playground.unicode import all_well_formed
from playground.variables import fill_all, names_in

Outputs = tuple[Any, Any, Any]

READING = 1.0
"""Seconds that the counter waits for a model's training file, which is read on meanwhile."""
COUNTING = 2.0
"""Seconds that a server may take to count a conversation before it is sent uncounted."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a run is made of, as the page sent it: nothing of it has been checked."""

    main: Any
    model: Any
    params: Any
    variables: Any = None

    def well_formed(self) -> Inputs:
        """The same without halves of characters, which nothing behind the page could take."""
        given = (self.main, self.model, self.params, self.variables)
        return Inputs(*map(all_well_formed, given))


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A request that has been checked, and how it came to be. `asked` is what the person set, for the history."""

    mode: Mode
    request: Request
    info: ModelInfo
    left_out: tuple[LeftOut, ...]
    asked: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tab:
    """What a tab brings to the mechanism.

    `read` turns its component's value into the part of a request that the parameters do not give (prompt or messages);
    `still` is its component's value while nothing arrives, which is no error whatever was sent; `during` that and what
    stands beside it while something does.
    `check` refuses what cannot be run though it can be counted; `kept` is what the history needs besides the request
    to show it again. Each but `still` may raise InvalidRequest.
    """

    mode: Mode
    read: Callable[[Any], dict[str, Any]]
    still: Callable[[Any, bool], Any]
    during: Callable[[Any, Prepared, Progress], tuple[Any, Any]]
    check: Callable[[Any], None] = lambda value: None
    kept: Callable[[Any], dict[str, Any]] = lambda value: {}


def number(value: Any) -> int:
    """Which run the page is waiting for: what it is sent for another, it leaves aside."""
    given = value.get("run") if isinstance(value, Mapping) else None
    return given if type(given) is int else 0


def no_text(value: Any, busy: bool) -> Any:
    """`still` of a tab whose answer goes beside what is written."""
    return {"run": number(value), "busy": busy, "text": ""}


def prepare(deps: Deps, tab: Tab, visit: Visit, inputs: Inputs) -> Prepared:
    """The request that the page's values make, without what the model does not take. Raises InvalidRequest."""
    info = chosen(deps, inputs.model)
    endpoint = deps.client.endpoints[info.endpoint]
    written = tab.read(inputs.main)
    tab.check(inputs.main)
    values = panel.api_values(inputs.params, tab.mode)
    filled = fill_all(written, _texts(inputs.variables))
    context = catalog.context_length(info)
    validate = validate_completion if tab.mode == "complete" else validate_chat
    request = validate({**values, **filled}, endpoint=info.endpoint, model=info.id, context_length=context)
    effective, left_out = accepts.effective(request, endpoint.kind, visit.learned)
    effective = deps.client.bounded(effective)
    asked = {**request.body(), **written, **tab.kept(inputs.main)}
    if written != filled:
        asked["variables"] = {name: _texts(inputs.variables)[name] for name in names_in(written)}
    return Prepared(mode=tab.mode, request=effective, info=info, left_out=left_out, asked=asked)


def chosen(deps: Deps, model: Any) -> ModelInfo:
    return catalog.resolve(model if isinstance(model, str) else "", deps.models, deps.client.endpoints)


def _texts(variables: Any) -> dict[str, str]:
    given = variables if isinstance(variables, Mapping) else {}
    return {str(name): text for name, text in given.items() if isinstance(text, str) and name != "load"}


async def submit(deps: Deps, tab: Tab, visit: Visit, inputs: Inputs, *, key: str = "") -> AsyncGenerator[Outputs]:
    """Run what the page holds; yields the tab's own value, what stands beside it, and the last run's line.

    `key` is what `visit.stop` knows the run by, where that is not the tab's mode. Never raises for a failure.
    """
    main = tab.still(None, False)
    try:
        inputs = inputs.well_formed()
        main = tab.still(inputs.main, False)
        async with visit.begin(key or tab.mode) as stop:
            _learn(deps, tab, visit, inputs)
            prepared = prepare(deps, tab, visit, inputs)
            # What stands beside stays until something else comes: a refusal does not wipe answers that nobody has kept.
            if _is_starting(deps, prepared.info):
                yield tab.still(inputs.main, True), gr.skip(), _note("notice_starting")
                await _or_stopped(deps.engine_ready(), stop)
            if not stop.is_set():
                yield tab.still(inputs.main, True), gr.skip(), _note("notice_waiting")
                await _or_stopped(_check_fit(deps, prepared), stop)
            if stop.is_set():
                yield main, gr.skip(), _note("notice_stopped_unsent")
                return
            async with aclosing(_progress(deps, prepared, stop)) as runs:
                async for progress in runs:
                    now, beside = tab.during(inputs.main, prepared, progress)
                    main = {**now, "busy": False}  # what has come stays, whatever fails after it
                    yield now, beside if progress.state.choices() else gr.skip(), _line(deps, visit, prepared, progress)
    except Exception as error:
        yield main, gr.skip(), {"cells": [], "notice": present.failure(shown(error))}


async def _or_stopped(waiting: Coroutine[Any, Any, None], stop: asyncio.Event) -> None:
    """Until `waiting` has ended or Stop was pressed, whichever comes first. Raises what `waiting` raises."""
    tasks = [asyncio.ensure_future(waiting), asyncio.ensure_future(stop.wait())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if not tasks[0].cancelled():
        tasks[0].result()


def _progress(deps: Deps, prepared: Prepared, stop: Any) -> AsyncGenerator[Progress]:
    return run(
        prepared.request,
        client=deps.client,
        store=deps.store,
        counter=deps.counter,
        stop=stop,
        mode=prepared.mode,
        asked=prepared.asked,
    )


def _is_starting(deps: Deps, info: ModelInfo) -> bool:
    engine = deps.engine
    return engine is not None and info.endpoint == engine.endpoint.name and engine.state.phase != "ready"


def _learn(deps: Deps, tab: Tab, visit: Visit, inputs: Inputs) -> None:
    """ "Send again without it" names what the server refused: for this visit, the model is not sent it again."""
    name = inputs.main.get("without") if isinstance(inputs.main, Mapping) else None
    if isinstance(name, str) and len(name) < 64:
        # As the request will have it: a completion has no reasoning effort, whatever the panel still holds.
        values = panel.api_values(inputs.params, tab.mode)
        effort = values.get("reasoning_effort")
        visit.learned.learn(chosen(deps, inputs.model).ref, str(effort)[:32] if effort else None, name)


async def _check_fit(deps: Deps, prepared: Prepared) -> None:
    """Say before it is sent that a conversation does not fit, and what to cut. Raises ContextExceeded."""
    context = catalog.context_length(prepared.info)
    if context is None or isinstance(prepared.request, CompletionRequest):
        return
    try:
        async with asyncio.timeout(COUNTING):
            counted = await deps.count_chat(prepared.request.body(), prepared.info)
    except (PlaygroundError, TimeoutError):
        return  # a server that does not count may well answer
    if counted.tokens >= (context if counted.exact else context * 1.1):
        raise too_long(counted.tokens, context)


def too_long(tokens: int, context: int) -> ContextExceeded:
    return ContextExceeded(
        f"The conversation has {tokens:,} tokens; the model's context is {context:,}.",
        hint=f"Delete the oldest messages, or shorten them, by at least {tokens - context + 1:,} tokens.",
    )


def _line(deps: Deps, visit: Visit, prepared: Prepared, progress: Progress) -> dict[str, Any]:
    """What is said of the run below it: that it waits, or what it took."""
    if not progress.finished:
        return {"cells": [], "notice": present.waiting(progress.state)}
    visit.add(progress.run)
    kind = deps.client.kind_of(prepared.info.endpoint)
    last = present.last_run(progress, session=(visit.tokens, visit.cost), kind=kind, price_as=deps.settings.price_as)
    error = progress.state.error
    without = accepts.removable(error, prepared.request) if error is not None else None
    if without and last["notice"]:
        last["notice"]["without"] = without
    if last["notice"] is None and deps.client.near is not None:
        last["notice"] = present.near(deps.client.near)
    return present.with_left_out(last, prepared.left_out)


def _note(key: str) -> dict[str, Any]:
    return {"cells": [], "notice": {"tone": "info", "key": key}}


async def count(deps: Deps, tab: Tab, inputs: Inputs) -> Any:
    """The counter's line for what the page holds now. What cannot be counted yet is simply not shown."""
    return (await foreseen(deps, tab, inputs))[0]


async def foreseen(deps: Deps, tab: Tab, inputs: Inputs) -> tuple[Any, pricing.Estimate | None]:
    """`count`'s line, and the estimate that it tells; None where nothing can be counted."""
    try:
        inputs = inputs.well_formed()
        info = chosen(deps, inputs.model)
        written = tab.read(inputs.main)
        # A name without a value counts as it is written: the line must not vanish while a value is typed.
        values = {**{name: "{{" + name + "}}" for name in names_in(written)}, **_filled(inputs.variables)}
        filled = fill_all(written, values)
        counted = await deps.count_request(filled, _tools(inputs.params, tab.mode), info)
        line, estimate = _next_line(deps, counted, info, inputs.params if isinstance(inputs.params, Mapping) else {})
        lacking = (
            await _lacks(deps, info, _asked(inputs.main, values), inputs.params) if tab.mode == "complete" else None
        )
        line["notice"] = present.lacking(lacking) or better.offer(deps, info, filled)
        return line, estimate
    except Exception as error:
        return {"cells": [], "notice": None if not inputs.model else present.failure(shown(error))}, None


def _asked(main: Any, values: Mapping[str, str]) -> str:
    """The prompt without an answer at its end: right after one, it is what was asked that has its separator."""
    prompt: str = fill_all({"prompt": present.Page.read(main).asked}, values)["prompt"]
    return prompt


async def _lacks(deps: Deps, info: ModelInfo, asked: str, params: Any) -> Lacks | None:
    """What the prompt lacks that the chosen model was trained with, as soon as its training file has been read."""
    file = deps.training_file(f"{info.endpoint}/{info.id.partition(CHECKPOINT)[0]}")
    if file is None:
        return None
    try:
        async with asyncio.timeout(READING):
            trained = await deps.trained_on(info.endpoint, file)
    except (TimeoutError, PlaygroundError):  # not yet read, or no longer there: nothing is known of it
        return None
    stop = panel.api_values(params, "complete").get("stop") or ()
    return None if trained is None else lacks(trained, asked, [stop] if isinstance(stop, str) else stop)


def _filled(variables: Any) -> dict[str, str]:
    return {name: text for name, text in _texts(variables).items() if text}


def _tools(params: Any, mode: Mode) -> Any:
    try:
        return panel.api_values(params, mode).get("tools")
    except Exception:
        return None  # the run itself says what is wrong with them


def _next_line(deps: Deps, counted: Any, info: ModelInfo, values: Mapping[str, Any]) -> tuple[Any, pricing.Estimate]:
    kind = deps.client.kind_of(info.endpoint)
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
    return present.next_run(counted, estimate, context=context, priced_as=reference), estimate


def _whole(value: Any) -> int | None:
    """A slider's number, or None where it is unset or not usable: the run itself says what is wrong with it."""
    return int(value) if type(value) in (int, float) and 0 <= value <= 10**9 else None
