"""From events to what is shown: `RunState` adds them up, `pump` wakes the page 25 times a second. Pure asyncio, no I/O.

Why a pump and not a clock inside the reading loop: "show when 33 ms have passed" hides a burst's last tokens until the
next one arrives. Here one task drains the server while another wakes the page, so what has come is always shown soon.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field

from playground.errors import PlaygroundError
from playground.types import (
    Choice,
    Delta,
    Failed,
    Finished,
    Loading,
    Queued,
    Retrying,
    RunStatus,
    StreamEvent,
    Thought,
    TokenLogprob,
    ToolCall,
    ToolDelta,
    Usage,
    UsageReported,
)
from playground.unicode import well_formed

TICK = 0.4
"""Seconds between two looks at a countdown."""


@dataclass(slots=True)
class Growing:
    """One choice while it arrives."""

    parts: list[str] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    finish_reason: str | None = None
    thoughts: list[str] = field(default_factory=list)
    calls: dict[int, list[ToolDelta]] = field(default_factory=dict)
    ids: dict[int, str] = field(default_factory=dict)

    def choice(self, index: int) -> Choice:
        return Choice(
            index=index,
            text=well_formed(_joined(self.parts)),
            finish_reason=self.finish_reason,
            logprobs=tuple(self.logprobs),
            tool_calls=tuple(self._call(position) for position in sorted(self.calls)),
            reasoning=well_formed(_joined(self.thoughts)),
        )

    def _call(self, position: int) -> ToolCall:
        deltas = self.calls[position]
        return ToolCall(
            id=self._call_id(position, next((delta.id for delta in deltas if delta.id), "")),
            name=well_formed(next((delta.name for delta in deltas if delta.name), "")),
            arguments=well_formed("".join(delta.arguments for delta in deltas)),
        )

    def _call_id(self, position: int, said: str) -> str:
        # A result names the call it answers. Some servers give no id, or one id to several calls: those get one here,
        # once, for it must be the same each time the choice is looked at.
        others = [id_ for at, id_ in self.ids.items() if at != position]
        if said and said not in others:
            self.ids[position] = said
        elif position not in self.ids or self.ids[position] in others:
            self.ids[position] = f"call_{uuid.uuid4().hex[:24]}"
        return self.ids[position]


def _joined(parts: list[str]) -> str:
    # Joined once per look, not once per token: a long answer would otherwise be copied at each of its tokens.
    if len(parts) > 1:
        parts[:] = ["".join(parts)]
    return parts[0] if parts else ""


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
        self.place: int | None = None
        self.loading: float | None = None
        self.retrying: Retrying | None = None
        self.retry_at: float | None = None

    def apply(self, event: StreamEvent) -> None:
        # Deltas first and by class: there are thousands of them and a handful of the others.
        if type(event) is Delta:
            self._delta(event)
        elif isinstance(event, (Thought, ToolDelta)):
            self._beside(event)
        elif isinstance(event, Finished):
            self._choice(event.index).finish_reason = event.reason
        elif isinstance(event, UsageReported):
            self.usage = event.usage
        elif isinstance(event, Queued):
            self.place = event.place
        elif isinstance(event, Loading):
            self.loading = event.seconds
        elif isinstance(event, Retrying):
            self.retrying, self.retry_at = event, self._clock() + event.delay
        elif isinstance(event, Failed):
            self.error = event.error
            self.retrying = self.retry_at = None

    def _arrived(self) -> None:
        now = self.last_token_at = self._clock()
        if self.first_token_at is None:
            self.first_token_at = now
            self.retrying = self.retry_at = None

    def _beside(self, event: Thought | ToolDelta) -> None:
        self._arrived()
        choice = self._choice(event.index)
        if isinstance(event, Thought):
            choice.thoughts.append(event.text)
        else:
            choice.calls.setdefault(event.position, []).append(event)

    def _delta(self, event: Delta) -> None:
        self._arrived()
        choice = self._growing.get(event.index) or self._choice(event.index)
        choice.parts.append(event.text)
        if event.logprobs:
            choice.logprobs.extend(event.logprobs)

    def end(self) -> None:
        """Nothing more comes: the clock stops. Only the first call counts."""
        if self.ended_at is None:
            self.ended_at = self._clock()
        self.retrying = self.retry_at = None

    def choices(self) -> tuple[Choice, ...]:
        """The choices so far, by index."""
        return tuple(growing.choice(index) for index, growing in sorted(self._growing.items()))

    @property
    def status(self) -> RunStatus:
        """`stopped` where it ended without an error and without a finish_reason for every choice."""
        if self.error is not None:
            return "failed"
        if self.ended_at is None:
            return "running"
        whole = self._growing and all(choice.finish_reason for choice in self._growing.values())
        return "done" if whole else "stopped"

    @property
    def latency(self) -> float:
        """Seconds from the start to the end, or to now."""
        return (self._clock() if self.ended_at is None else self.ended_at) - self.started

    @property
    def time_to_first_token(self) -> float | None:
        return None if self.first_token_at is None else self.first_token_at - self.started

    @property
    def tokens_per_second(self) -> float | None:
        """Tokens that came after the first one, per second of streaming; None where nothing streamed."""
        if self.usage is None or self.first_token_at is None or self.last_token_at is None:
            return None
        seconds = self.last_token_at - self.first_token_at
        # What is thought unseen comes before the first token; what is seen is itself streamed.
        seen = any(growing.thoughts for growing in self._growing.values())
        tokens = self.usage.completion_tokens - (0 if seen else self.usage.reasoning_tokens) - 1
        return tokens / seconds if seconds > 0.01 and tokens > 0 else None

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

    The first token, a retry and the end are yielded at once; while a retry waits, every 0.4 s for its countdown.
    `stop` or closing this generator closes `events`, and with them the request, before anything else happens.
    Raises what `events` raises, once they are closed.
    """
    state = state or RunState()
    news = _News()
    task = asyncio.create_task(_drain(events, state, news))
    task.add_done_callback(lambda _: news.tell(urgent=True))
    halt = asyncio.create_task(_halt(stop, news)) if stop else None
    try:
        while True:
            await news.wait(TICK if state.retry_at is not None else None)
            if task.done() or (stop is not None and stop.is_set()):
                break
            yield state
            await news.pause(1 / hz)
    finally:
        await _end([task, *([halt] if halt else [])])
        await events.aclose()
        state.end()
    if not task.cancelled():
        task.result()
    yield state


class _News:
    """Wakes the one who shows: for anything when it waits, only for what is urgent when it pauses."""

    def __init__(self) -> None:
        self._some = False
        self._urgent = False
        self._waker: asyncio.Future[None] | None = None
        self._pausing = False

    def tell(self, *, urgent: bool = False) -> None:
        self._some = True
        self._urgent = self._urgent or urgent
        if self._waker is not None and not self._waker.done() and (urgent or not self._pausing):
            self._waker.set_result(None)

    async def wait(self, seconds: float | None) -> None:
        """Until there is something new, or `seconds` have passed."""
        if not self._some:
            await self._sleep(seconds, pausing=False)
        self._some = self._urgent = False

    async def pause(self, seconds: float) -> None:
        """For `seconds`, or until something urgent."""
        if not self._urgent:
            await self._sleep(seconds, pausing=True)

    async def _sleep(self, seconds: float | None, *, pausing: bool) -> None:
        self._pausing = pausing
        self._waker = asyncio.get_running_loop().create_future()
        try:
            # `wait` and not `wait_for`: running out of time is no error here, and nothing is cancelled.
            await asyncio.wait([self._waker], timeout=seconds)
        finally:
            self._waker = None


async def _drain(events: AsyncGenerator[StreamEvent], state: RunState, news: _News) -> None:
    async for event in events:
        first = state.first_token_at is None
        state.apply(event)
        news.tell(urgent=first)
        # Without this a burst that is already in the socket's buffer would be read to its end before anything is shown.
        await asyncio.sleep(0)


async def _halt(stop: asyncio.Event, news: _News) -> None:
    await stop.wait()
    news.tell(urgent=True)


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    """Cancel and wait, even if the one who waits is cancelled meanwhile: upstream must be closed when this returns."""
    for task in tasks:
        task.cancel()
    cancelled = None
    while unfinished := [task for task in tasks if not task.done()]:
        try:
            await asyncio.wait(unfinished)
        except asyncio.CancelledError as error:
            cancelled = error
    for task in tasks:
        if not task.cancelled():
            task.exception()  # seen: whoever still listens gets it from `result`
    if cancelled is not None:
        raise cancelled
