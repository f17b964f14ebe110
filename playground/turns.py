"""Whose turn it is: so many answers of a server at once, and a line behind them in which each sees their place.

Fair by account: who has nothing under way comes before who has much, so that one sweep does not hold up a class. One
object for all event loops of a process.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from playground.errors import ServerBusy
from playground.types import Endpoint, Failed, Queued, StreamEvent
from playground.words import Said

AT_ONCE = 64
"""Answers of one server at once, where its `Endpoint` says nothing else."""
LINE = 500
"""Requests that wait for one server; the next is refused at once."""


@dataclass(eq=False, slots=True)
class Turn:
    """One request. `place` counts those that come first, itself included: 0 is under way."""

    account: str
    loop: asyncio.AbstractEventLoop
    task: asyncio.Task[object] | None
    place: int = 0
    cut: bool = False
    listening: bool = False
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    def told(self, place: int) -> None:
        self.place = place
        self.loop.call_soon_threadsafe(self.moved.set)

    async def next_of(self, events: AsyncGenerator[StreamEvent]) -> StreamEvent | None:
        """The next event; None at the end."""
        if self.cut:
            return Failed(_ending())
        self.listening = True
        try:
            return await anext(events, None)
        finally:
            self.listening = False

    def interrupt(self) -> None:
        """On its own loop: end its waiting for the server. Whoever reads what has come sees `cut` afterwards."""
        if self.listening and self.task is not None:
            self.task.cancel()


@dataclass(slots=True)
class Line:
    """What one server does, and who waits for it, in the order of arrival."""

    running: list[Turn] = field(default_factory=list)
    waiting: list[Turn] = field(default_factory=list)

    def ordered(self) -> list[Turn]:
        """Those who wait, as they will be served: by what their account has before them, then by arrival."""
        before = Counter(turn.account for turn in self.running)
        ranked = []
        for turn in self.waiting:
            ranked.append((before[turn.account], turn))
            before[turn.account] += 1
        return [turn for _, turn in sorted(ranked, key=lambda pair: pair[0])]


class Turns:
    """`at_once` answers of a server at once, `line` requests behind them."""

    def __init__(self, *, at_once: int = AT_ONCE, line: int = LINE) -> None:
        self._at_once, self._most = at_once, line
        self._lines: dict[str, Line] = {}
        self._changed = threading.Condition()
        self.closed = False

    async def taken(
        self, account: str, endpoint: Endpoint, model: str, make: Callable[[], AsyncGenerator[StreamEvent]]
    ) -> AsyncGenerator[StreamEvent]:
        """`make`'s events when it is this request's turn; before, a `Queued` whenever its place has changed."""
        # What an own engine does at once it does of each model.
        key = f"{endpoint.name}/{model}" if endpoint.at_once else endpoint.name
        most = endpoint.at_once or self._at_once
        turn = Turn(account, asyncio.get_running_loop(), asyncio.current_task())
        refusal = self._join(key, turn, most)
        if refusal is not None:
            yield Failed(refusal)
            return
        try:
            async for place in _places(turn):
                yield Queued(place)
            turn.task = asyncio.current_task()
            async with aclosing(make()) as events:
                while (event := await turn.next_of(events)) is not None:
                    yield event
                    if isinstance(event, Failed):
                        return
        except asyncio.CancelledError:
            if not turn.cut or turn.task is None:
                raise
            # Ours, not the caller's: what has come is kept, with the reason.
            turn.task.uncancel()
            yield Failed(_ending())
        finally:
            self._leave(key, turn, most)

    def _join(self, key: str, turn: Turn, most: int) -> ServerBusy | None:
        with self._changed:
            if self.closed:
                return _ending()
            line = self._lines.setdefault(key, Line())
            if len(line.waiting) >= self._most:
                said = Said("error.line_full", {"waiting": len(line.waiting)})
                return ServerBusy(said, hint=Said("error_hint.line_full"))
            line.waiting.append(turn)
            self._move(line, most)
        return None

    def _leave(self, key: str, turn: Turn, most: int) -> None:
        with self._changed:
            line = self._lines[key]
            (line.running if turn in line.running else line.waiting).remove(turn)
            self._move(line, most)
            if not line.running and not line.waiting:
                del self._lines[key]
            self._changed.notify_all()

    def _move(self, line: Line, most: int) -> None:
        ordered = line.ordered()
        for turn in ordered[: max(0, most - len(line.running))]:
            line.waiting.remove(turn)
            line.running.append(turn)
            turn.told(0)
        for place, turn in enumerate(line.ordered(), 1):
            if turn.place != place:
                turn.told(place)

    def counts(self) -> dict[str, tuple[int, int]]:
        """By server: answers under way, requests that wait."""
        found: dict[str, tuple[int, int]] = {}
        with self._changed:
            for key, line in self._lines.items():
                running, waiting = found.get(key.partition("/")[0], (0, 0))
                found[key.partition("/")[0]] = running + len(line.running), waiting + len(line.waiting)
        return found

    def close(self) -> None:
        """Nothing new begins, and who waits is told so; what is under way goes on."""
        with self._changed:
            self.closed = True
            for turn in [turn for line in self._lines.values() for turn in line.waiting]:
                turn.cut = True
                turn.told(0)

    def wait_until_idle(self, seconds: float) -> bool:
        """Block this thread until nothing is under way; False where `seconds` were not enough."""
        until = time.monotonic() + seconds
        with self._changed:
            while self._lines:
                if not self._changed.wait(max(0.0, until - time.monotonic())):
                    return not self._lines
        return True

    def cut(self) -> int:
        """End what is under way: each ends as a failure that says why, with all that has come. How many there were."""
        with self._changed:
            running = [turn for line in self._lines.values() for turn in line.running]
            for turn in running:
                turn.cut = True
                turn.loop.call_soon_threadsafe(turn.interrupt)
        return len(running)


async def _places(turn: Turn) -> AsyncGenerator[int]:
    """Its place in the line, whenever that has changed, until it is its turn."""
    told = 0
    while turn.place:
        if turn.place != told:
            told = turn.place
            yield told
        turn.moved.clear()
        if turn.place == told:
            await turn.moved.wait()
    if told:
        yield 0


def _ending() -> ServerBusy:
    return ServerBusy(Said("error.app_ends"), hint=Said("error_hint.app_ends"))
