"""One run from request to record: stream it, price it, keep it. The page, the API and the command line all run here."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from playground import pricing
from playground.chat_tokens import count_chat
from playground.errors import StoreError
from playground.store import Store
from playground.streaming import RunState, pump
from playground.tokens import Counter
from playground.types import Choice, CompletionRequest, Failed, Mode, Request, Run, RunStatus, StreamEvent, Usage

if TYPE_CHECKING:
    from playground.client import Client

SAVE_EVERY = 1.5
"""Seconds between two saves of a run that streams: what a crash of the process can cost."""


KEPT_FIRST = 1.0
"""Seconds that a run waits at most for its row in the store: a run that is killed later was paid for, and is found."""

AGAIN = (1, 2, 4, 8, 16, 32)
"""Seconds between attempts to keep a run that has ended and could not be kept: a minute, all in all."""
_LATER: set[asyncio.Task[None]] = set()
"""Runs that wait for their store: a task that nobody holds may be collected."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A run as it stands. `store_error` says that it could not be kept; the run itself goes on."""

    run: Run
    state: RunState
    store_error: StoreError | None = None

    @property
    def finished(self) -> bool:
        return self.run.status != "running"


class Record:
    """Keeps one run in the store, off the event loop, in order, and without ever holding a stream up."""

    def __init__(self, store: Store, run: Run) -> None:
        self.run = run
        self.error: StoreError | None = None
        self._store = store
        self._saved_at = time.monotonic()
        self._writing: asyncio.Future[bool] = self._write(store.start_run)

    async def begun(self, *, needed: bool) -> bool:
        """Wait until the run is kept, before anything is asked that has to be paid for. Whether it may go on: where its
        row is not `needed`, it goes on without after a while, and for a store that has failed."""
        if needed:
            return await self._writing
        await asyncio.wait({self._writing}, timeout=KEPT_FIRST)
        return True

    def progress(self, state: RunState) -> None:
        """Save what has arrived, if the last save is done and a while ago."""
        if self._writing.done() and time.monotonic() - self._saved_at > SAVE_EVERY:
            self._saved_at = time.monotonic()
            self.run = replace(self.run, choices=state.choices())
            self._writing = self._write(self._store.save_progress)

    async def finish(self, run: Run) -> None:
        self.run = run
        await self._writing
        if not await self._write(self._store.finish_run):
            later = asyncio.create_task(self._later())
            _LATER.add(later)
            later.add_done_callback(_LATER.discard)

    async def _later(self) -> None:
        """Nobody waits for this: a database that was away for a minute has the run all the same."""
        for seconds in AGAIN:
            await asyncio.sleep(seconds)
            if await self._write(self._store.finish_run):
                return

    def _write(self, how: Any) -> asyncio.Future[bool]:
        return asyncio.ensure_future(self._guarded(how, self.run))

    async def _guarded(self, how: Any, run: Run) -> bool:
        """Whether it was written."""
        try:
            await asyncio.to_thread(how, run)
        except StoreError as error:
            self.error = error
            return False
        return True


async def run(
    request: Request,
    *,
    client: Client,
    store: Store,
    counter: Counter,
    stop: asyncio.Event | None = None,
    mode: Mode | None = None,
    asked: Mapping[str, Any] | None = None,
) -> AsyncGenerator[Progress]:
    """Stream `request` and keep it. Yields some 25 times a second while text arrives, and finished at the end.

    `mode` is the tab it came from, by default the endpoint's own. `asked` is what the person set, where that is more
    than what goes out: variables, and parameters that the model does not take.

    A failure of the server is in `progress.state.error`, one of the store in `progress.store_error`: neither raises,
    and neither costs the text. Closing the generator (the tab is gone) stops the request and keeps the run as stopped.
    """
    record = Record(store, _begun(request, mode, asked))
    state = RunState()
    ended = False
    try:
        asking = client.stream(request) if await record.begun(needed=client.keeps_books) else _not_kept(record)
        async with aclosing(pump(asking, stop=stop, state=state)) as states:
            async for _ in states:
                record.progress(state)
                if state.ended_at is None:
                    yield Progress(record.run, state, record.error)
        ended = True
    finally:
        stopped = not ended or (stop is not None and stop.is_set())
        finished = _finished(request, record.run, state, client, counter, stopped=stopped)
        # Shielded: a handler that is being cancelled must still keep what was paid for.
        await asyncio.shield(record.finish(finished))
    yield Progress(record.run, state, record.error)


async def _not_kept(record: Record) -> AsyncGenerator[StreamEvent]:
    if record.error is not None:
        yield Failed(record.error)


def answer(progress: Progress) -> dict[str, Any]:
    """A finished run as plain JSON, as the API and the command line give it; logprobs where they were asked for."""
    run_, usage = progress.run, progress.run.usage
    return {
        "model": f"{run_.endpoint}/{run_.model}",
        "choices": [_choice(c) for c in run_.choices],
        "usage": usage
        and {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "total_tokens": usage.total_tokens,
            "estimated": usage.estimated,
        },
        "cost": None if run_.cost is None else format(run_.cost, "f"),
        "latency": run_.latency,
        "time_to_first_token": run_.time_to_first_token,
    }


def _choice(choice: Choice) -> dict[str, Any]:
    said: dict[str, Any] = {"index": choice.index, "text": choice.text, "finish_reason": choice.finish_reason}
    if choice.reasoning:
        said["reasoning"] = choice.reasoning
    if choice.tool_calls:
        said["tool_calls"] = [call.body() for call in choice.tool_calls]
    if choice.logprobs:
        tops = [[list(pair) for pair in token.top] for token in choice.logprobs]
        pairs = zip(choice.logprobs, tops, strict=True)
        said["logprobs"] = [{"token": token.token, "logprob": token.logprob, "top": top} for token, top in pairs]
    return said


def _begun(request: Request, mode: Mode | None, asked: Mapping[str, Any] | None) -> Run:
    return Run(
        id=uuid.uuid4().hex,
        created_at=datetime.now(UTC),
        mode=mode or ("complete" if isinstance(request, CompletionRequest) else "chat"),
        endpoint=request.endpoint,
        model=request.model,
        status="running",
        request=request.body() if asked is None else asked,
        effective_request=request.body(),
    )


def _finished(request: Request, run: Run, state: RunState, client: Client, counter: Counter, *, stopped: bool) -> Run:
    choices = state.choices()
    # A stop that came when all was said and done has stopped nothing.
    whole = bool(choices) and all(c.finish_reason for c in choices)
    status: RunStatus = "failed" if state.error else "stopped" if stopped and not whole else "done"
    if state.usage is None and choices:
        state.usage = estimated(request, choices, counter)
    kind = client.kind_of(request.endpoint)
    return replace(
        run,
        status=status,
        choices=choices,
        usage=state.usage,
        cost=pricing.price(request.model, kind, state.usage) if state.usage else None,
        latency=state.latency,
        time_to_first_token=state.time_to_first_token,
        error=str(state.error) if state.error else None,
    )


def estimated(request: Request, choices: Sequence[Choice], counter: Counter) -> Usage:
    """Our own count where the server gave none (it was stopped, or never says)."""

    def count(text: str) -> int:
        return counter.count(text, request.model).tokens

    if isinstance(request, CompletionRequest):
        prompt = count(request.prompt)
    else:
        prompt = count_chat(counter, request.body(), request.model).tokens
    reasoning = sum(count(choice.reasoning) for choice in choices)
    calls = sum(count(call.name) + count(call.arguments) for choice in choices for call in choice.tool_calls)
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=sum(count(choice.text) for choice in choices) + reasoning + calls,
        reasoning_tokens=reasoning,
        estimated=True,
    )
