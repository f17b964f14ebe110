"""From events to what is shown: `RunState` adds them up, `pump` wakes the page 25 times a second. Pure asyncio, no I/O.

Why a pump and not a clock inside the reading loop: "show when 33 ms have passed" hides a burst's last tokens until the
next one arrives. Here one task drains the server while another wakes the page, so what has come is always shown soon.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field

from playground.errors import PlaygroundError
from playground.types import (
    Choice,
    Delta,
    Failed,
    Finished,
    Retrying,
    StreamEvent,
    TokenLogprob,
    Usage,
    UsageReported,
)


@dataclass(slots=True)
class Growing:
    """One choice while it arrives."""

    parts: list[str] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    finish_reason: str | None = None

    @property
    def text(self) -> str:
        # Joined once per look, not once per token: a long answer would otherwise be copied at each of its tokens.
        if len(self.parts) > 1:
            self.parts[:] = ["".join(self.parts)]
        return self.parts[0] if self.parts else ""


class RunState:
    """Everything known of a run so far. Times are seconds on `clock`."""

    def __init__(self, *, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._growing: dict[int, Growing] = {}
        self.started = clock()
        self.first_token_at: float | None = None
        self.last_token_at: float | None = None
        self.ended_at: float | None = None
        self.usage: Usage | None = None
        self.error: PlaygroundError | None = None
        self.retrying: Retrying | None = None
        self.retry_at: float | None = None

    def apply(self, event: StreamEvent) -> None:
        match event:
            case Delta(index, text, logprobs):
                now = self._clock()
                if self.first_token_at is None:
                    self.first_token_at = now
                    self.retrying = self.retry_at = None
                self.last_token_at = now
                choice = self._choice(index)
                choice.parts.append(text)
                choice.logprobs.extend(logprobs)
            case Finished(index, reason):
                self._choice(index).finish_reason = reason
            case UsageReported(usage):
                self.usage = usage
            case Retrying():
                self.retrying, self.retry_at = event, self._clock() + event.delay
            case Failed(error):
                self.error = error
                self.retrying = self.retry_at = None

    def end(self) -> None:
        self.ended_at = self._clock()
        self.retrying = self.retry_at = None

    def choices(self) -> tuple[Choice, ...]:
        """The choices so far, by index."""
        return tuple(
            Choice(index=i, text=c.text, finish_reason=c.finish_reason, logprobs=tuple(c.logprobs))
            for i, c in sorted(self._growing.items())
        )

    @property
    def latency(self) -> float:
        """Seconds from the start to the end, or to now."""
        return (self.ended_at or self._clock()) - self.started

    @property
    def time_to_first_token(self) -> float | None:
        return None if self.first_token_at is None else self.first_token_at - self.started

    @property
    def tokens_per_second(self) -> float | None:
        """Tokens after the first one per second of streaming; None where nothing streamed."""
        if self.usage is None or self.first_token_at is None or self.last_token_at is None:
            return None
        seconds = self.last_token_at - self.first_token_at
        return (self.usage.completion_tokens - 1) / seconds if seconds > 0.01 else None

    @property
    def retry_in(self) -> float | None:
        """Seconds until the next attempt starts."""
        return None if self.retry_at is None else max(0.0, self.retry_at - self._clock())

    def _choice(self, index: int) -> Growing:
        return self._growing.setdefault(index, Growing())


async def pump(
    events: AsyncGenerator[StreamEvent],
    *,
    hz: float = 25,
    stop: asyncio.Event | None = None,
    state: RunState | None = None,
) -> AsyncGenerator[RunState]:
    """Drain `events` into a state and yield it when there is something new, at most `hz` times a second.

    The first token, a retry and the end are yielded at once; while a retry waits, twice a second for its countdown.
    `stop` or closing this generator closes `events`, and with them the request, before anything else happens.
    """
    state = state or RunState()
    changed = asyncio.Event()
    task = asyncio.create_task(_drain(events, state, changed))
    halted = asyncio.create_task(stop.wait()) if stop else None
    try:
        first = True
        while not task.done():
            await _wake(task, halted, changed, timeout=0.5 if state.retry_at is not None else None)
            if halted and halted.done():
                break
            changed.clear()
            yield state
            if not task.done() and not (first and state.first_token_at is not None):
                await asyncio.wait({task, *([halted] if halted else [])}, timeout=1 / hz, return_when="FIRST_COMPLETED")
            first = first and state.first_token_at is None
    finally:
        for waiting in filter(None, (task, halted)):
            waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await events.aclose()
        state.end()
    yield state


async def _drain(events: AsyncGenerator[StreamEvent], state: RunState, changed: asyncio.Event) -> None:
    async for event in events:
        state.apply(event)
        changed.set()
        # Without this a burst that is already in the socket's buffer would be read to its end before anything is shown.
        await asyncio.sleep(0)


async def _wake(
    task: asyncio.Task[None], halted: asyncio.Task[bool] | None, changed: asyncio.Event, *, timeout: float | None
) -> None:
    """Return when something is new, the events have ended, a stop is asked for, or `timeout` seconds have passed."""
    news = asyncio.create_task(changed.wait())
    try:
        await asyncio.wait({task, news, *([halted] if halted else [])}, timeout=timeout, return_when="FIRST_COMPLETED")
    finally:
        news.cancel()
