"""One call of a sweep: asked once, and what came of it as an `Output`.

It goes straight through the client, not through `runner`: a thousand calls would bury what a person asked by hand under
them in History, and each would be written twice. They are kept among the sweep's outputs instead.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from playground import pricing
from playground.errors import PlaygroundError
from playground.evaluate.plan import Call
from playground.retry import RetryPolicy
from playground.runner import estimated
from playground.store import Output, OutputStatus
from playground.streaming import RunState
from playground.types import Choice, Request, Usage

if TYPE_CHECKING:
    from playground.client import Client
    from playground.tokens import Counter

ONCE = RetryPolicy(attempts=1)
"""A sweep tries again itself: it has to slow down for all of a server's calls, not for one."""


@dataclass(frozen=True, slots=True)
class Came:
    """What came of asking once. `begun`: text had arrived, so that it was paid for in part."""

    output: Output
    error: PlaygroundError | None
    begun: bool


async def ask(
    call: Call, request: Request, *, client: Client, counter: Counter, stop: asyncio.Event, attempts: int = 1
) -> Came:
    """Ask once. A failure is in the result; setting `stop` closes the request, and what came until then is kept."""
    state = RunState()
    stopped = await _until(stop, _read(client, request, state))
    state.end()
    choices = state.choices()
    begun = any(choice.text or choice.reasoning or choice.tool_calls for choice in choices)
    error = state.error
    if stopped and not (choices and all(choice.finish_reason for choice in choices)):
        status: OutputStatus = "stopped"
    else:
        status = "failed" if error is not None else "done"
    usage = state.usage
    if usage is None and begun:
        usage = await asyncio.to_thread(estimated, request, choices, counter)
    kind = client.kind_of(request.endpoint)
    cost = pricing.price(request.model, kind, usage) if usage else None
    return Came(output_of(call, state, status, usage=usage, cost=cost, attempts=attempts), error, begun)


def output_of(
    call: Call, state: RunState, status: OutputStatus, *, usage: Usage | None, cost: Decimal | None, attempts: int
) -> Output:
    """What is kept of a call: of several answers the first."""
    choices = state.choices()
    first = choices[0] if choices else None
    return Output(
        number=call.number,
        cell=call.cell,
        row=call.case,
        repeat=call.repeat,
        status=status,
        answer=first.text if first else "",
        beside=_beside(first),
        prompt_tokens=None if usage is None else usage.prompt_tokens,
        completion_tokens=None if usage is None else usage.completion_tokens,
        usage_estimated=None if usage is None else usage.estimated,
        cost=cost,
        latency=state.latency,
        time_to_first_token=state.time_to_first_token,
        finish_reason=first.finish_reason if first else None,
        attempts=attempts,
        error=str(state.error) if state.error is not None else None,
    )


async def _read(client: Client, request: Request, state: RunState) -> None:
    async with aclosing(client.stream(request, retry=ONCE)) as events:
        async for event in events:
            state.apply(event)


async def _until(stop: asyncio.Event, reading: Any) -> bool:
    """Read to the end, or until `stop`; whether it was stopped."""
    task, stopping = asyncio.ensure_future(reading), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
            return False
        return True
    finally:
        for each in (task, stopping):
            each.cancel()
        await asyncio.gather(task, stopping, return_exceptions=True)


def _beside(choice: Choice | None) -> dict[str, Any] | None:
    if choice is None:
        return None
    said: dict[str, Any] = {}
    if choice.reasoning:
        said["reasoning"] = choice.reasoning
    if choice.tool_calls:
        said["tool_calls"] = [call.body() for call in choice.tool_calls]
    return said or None
