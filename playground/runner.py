"""One run from request to record: stream it, price it, keep it. The page, the API and the command line all run here."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from playground import pricing
from playground.errors import StoreError
from playground.store import Store
from playground.streaming import RunState, pump
from playground.tokens import Counter
from playground.types import Choice, CompletionRequest, Request, Run, RunStatus, Usage

if TYPE_CHECKING:
    from playground.client import Client

SAVE_EVERY = 1.5
"""Seconds between two saves of a run that streams: what a crash of the process can cost."""


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
    """Keeps one run in the store, off the event loop, in order, and without ever holding the stream up."""

    def __init__(self, store: Store, run: Run) -> None:
        self.run = run
        self.error: StoreError | None = None
        self._store = store
        self._saved_at = time.monotonic()
        self._writing: asyncio.Future[None] = self._write(store.start_run)

    def progress(self, state: RunState) -> None:
        """Save what has arrived, if the last save is done and a while ago."""
        if self._writing.done() and time.monotonic() - self._saved_at > SAVE_EVERY:
            self._saved_at = time.monotonic()
            self.run = replace(self.run, choices=state.choices())
            self._writing = self._write(self._store.save_progress)

    async def finish(self, run: Run) -> None:
        self.run = run
        await self._writing
        await self._write(self._store.finish_run)

    def _write(self, how: Any) -> asyncio.Future[None]:
        return asyncio.ensure_future(self._guarded(how, self.run))

    async def _guarded(self, how: Any, run: Run) -> None:
        try:
            await asyncio.to_thread(how, run)
        except StoreError as error:
            self.error = error


async def run(
    request: Request, *, client: Client, store: Store, counter: Counter, stop: asyncio.Event | None = None
) -> AsyncGenerator[Progress]:
    """Stream `request` and keep it. Yields some 25 times a second while text arrives, and finished at the end.

    A failure of the server is in `progress.state.error`, one of the store in `progress.store_error`: neither raises,
    and neither costs the text. Closing the generator (the tab is gone) stops the request and keeps the run as stopped.
    """
    record = Record(store, _begun(request))
    state = RunState()
    ended = False
    try:
        async with aclosing(pump(client.stream(request), stop=stop, state=state)) as states:
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
    said = {"index": choice.index, "text": choice.text, "finish_reason": choice.finish_reason}
    if not choice.logprobs:
        return said
    tokens = [{"token": t.token, "logprob": t.logprob, "top": [list(pair) for pair in t.top]} for t in choice.logprobs]
    return {**said, "logprobs": tokens}


def _begun(request: Request) -> Run:
    return Run(
        id=uuid.uuid4().hex,
        created_at=datetime.now(UTC),
        mode="complete" if isinstance(request, CompletionRequest) else "chat",
        endpoint=request.endpoint,
        model=request.model,
        status="running",
        request=request.body(),
        effective_request=request.body(),
    )


def _finished(request: Request, run: Run, state: RunState, client: Client, counter: Counter, *, stopped: bool) -> Run:
    choices = state.choices()
    # A stop that came when all was said and done has stopped nothing.
    whole = bool(choices) and all(c.finish_reason for c in choices)
    status: RunStatus = "failed" if state.error else "stopped" if stopped and not whole else "done"
    if state.usage is None and choices:
        state.usage = _estimated(request, [c.text for c in choices], counter)
    kind = client.endpoints[request.endpoint].kind
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


def _estimated(request: Request, texts: list[str], counter: Counter) -> Usage:
    """Our own count where the server gave none (it was stopped, or never says)."""
    prompt = request.prompt if isinstance(request, CompletionRequest) else _spoken(request.body())
    return Usage(
        prompt_tokens=counter.count(prompt, request.model).tokens,
        completion_tokens=sum(counter.count(text, request.model).tokens for text in texts),
        estimated=True,
    )


def _spoken(body: Mapping[str, Any]) -> str:
    return "\n".join(str(message.get("content") or "") for message in body["messages"])
