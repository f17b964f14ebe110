"""The named endpoints for programs (`gradio_client`, curl): what the page does, without the page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any

import gradio as gr
from gradio.events import api

from playground import accepts, catalog
from playground.deps import Deps
from playground.errors import PlaygroundError
from playground.parameters import validate_chat, validate_completion
from playground.runner import Progress, answer, run
from playground.types import Request
from playground.ui.events import shown
from playground.ui.visitor import theirs


def build_api(deps: Deps) -> None:
    """Declare `/complete`, `/chat`, `/count_tokens` and `/models`. Errors come back as Gradio's, with our message."""

    async def complete(
        prompt: str,
        who: gr.Request,
        model: str | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        n: int | None = None,
        max_tokens: int | None = None,
        stop: list[str] | None = None,
        frequency_penalty: float | None = None,
        presence_penalty: float | None = None,
        best_of: int | None = None,
        seed: int | None = None,
        logit_bias: dict[str, float] | None = None,
        logprobs: int | None = None,
        echo: bool | None = None,
        suffix: str | None = None,
        user: str | None = None,
    ) -> dict[str, Any]:
        """Complete a prompt. Every parameter but the prompt is optional; what is not given is not sent.

        Returns {"model", "choices": [{"index", "text", "finish_reason"}], "usage", "cost", "latency"}; cost in dollars
        as a string, null where the price is unknown; latency in seconds.
        """
        values = {key: value for key, value in locals().items() if key not in ("model", "who", "deps")}
        said: dict[str, Any] = await _said(complete_once, deps, who, model, values)
        return said

    async def chat(
        messages: list[dict[str, Any]],
        who: gr.Request,
        model: str | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        n: int | None = None,
        max_tokens: int | None = None,
        stop: list[str] | None = None,
        frequency_penalty: float | None = None,
        presence_penalty: float | None = None,
        seed: int | None = None,
        logit_bias: dict[str, float] | None = None,
        logprobs: bool | None = None,
        top_logprobs: int | None = None,
        response_format: dict[str, Any] | None = None,
        tools: list[dict[str, Any]] | None = None,
        tool_choice: str | None = None,
        parallel_tool_calls: bool | None = None,
        reasoning_effort: str | None = None,
        verbosity: str | None = None,
        service_tier: str | None = None,
        user: str | None = None,
    ) -> dict[str, Any]:
        """Answer a conversation of OpenAI's message objects. Every parameter but the messages is optional.

        Returns what /complete does, with "tool_calls" and "reasoning" beside a choice's text where there are any, and
        "left_out": the names of parameters that the model does not take and that were not sent.
        """
        values = {key: value for key, value in locals().items() if key not in ("model", "who", "deps")}
        said: dict[str, Any] = await _said(chat_once, deps, who, model, values)
        return said

    async def count_tokens(text: str, who: gr.Request, model: str | None = None) -> dict[str, Any]:
        """Count the tokens of a text by the model's own tokenizer: {"tokens", "encoding", "exact"}."""
        said: dict[str, Any] = await _said(count_once, deps, who, model, text)
        return said

    async def models(who: gr.Request) -> list[dict[str, Any]]:
        """Every model of every server: [{"id", "endpoint", "context_length"}]."""
        said: list[dict[str, Any]] = await _said(listed, deps, who)
        return said

    for fn in (complete, chat, count_tokens, models):
        api(fn, api_name=fn.__name__, concurrency_limit=None)


async def _said(do: Callable[..., Awaitable[Any]], deps: Deps, who: Any, *given: Any) -> Any:
    """The answer, or our error as Gradio's: escaped by Gradio's clients, never a traceback."""
    try:
        return await do(theirs(deps, who), *given)
    except Exception as error:
        raise gr.Error(str(shown(error)), print_exception=False) from None


async def listed(deps: Deps) -> list[dict[str, Any]]:
    return [
        {"id": m.ref, "endpoint": m.endpoint, "context_length": catalog.context_length(m)}
        for m in await deps.list_models()
    ]


async def complete_once(deps: Deps, model: str | None, values: dict[str, Any]) -> dict[str, Any]:
    info = await _chosen(deps, model)
    context = catalog.context_length(info)
    request = validate_completion(values, endpoint=info.endpoint, model=info.id, context_length=context)
    return await _run_once(deps, deps.client.bounded(request))


async def chat_once(deps: Deps, model: str | None, values: dict[str, Any]) -> dict[str, Any]:
    info = await _chosen(deps, model)
    context = catalog.context_length(info)
    request = validate_chat(values, endpoint=info.endpoint, model=info.id, context_length=context)
    effective, left_out = accepts.effective(request, deps.client.endpoints[info.endpoint].kind)
    said = await _run_once(deps, deps.client.bounded(effective), asked=request.body())
    return {**said, "left_out": [left.param for left in left_out]}


async def _run_once(deps: Deps, request: Request, *, asked: dict[str, Any] | None = None) -> dict[str, Any]:
    last: Progress | None = None
    runs = run(request, client=deps.client, store=deps.store, counter=deps.counter, asked=asked)
    async with aclosing(runs):
        async for progress in runs:
            last = progress
    if last is None or last.state.error is not None:
        raise (last and last.state.error) or PlaygroundError("There was no answer.")
    return answer(last)


async def count_once(deps: Deps, model: str | None, text: str) -> dict[str, Any]:
    counted = await deps.count(text, await _chosen(deps, model))
    return {"tokens": counted.tokens, "encoding": counted.encoding, "exact": counted.exact}


async def _chosen(deps: Deps, model: str | None) -> Any:
    available = deps.models or await deps.list_models()
    await deps.engine_ready()
    if model:
        return catalog.resolve(model, available, deps.client.endpoints)
    first = catalog.default_model(available)
    if first is None:
        raise PlaygroundError("No server lists a model.", hint="Start one, or unset PLAYGROUND_ENGINE=off.")
    return first
