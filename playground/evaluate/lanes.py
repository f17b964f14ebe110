"""A sweep's calls by the server they go to, each with its own pace: one that refuses holds up nobody else's."""

from __future__ import annotations

import heapq
import time
from collections.abc import Collection, Iterator
from typing import NamedTuple

from playground.evaluate.pace import Pace
from playground.evaluate.plan import Call, Plan


class Turn(NamedTuple):
    """A call whose turn it is, for the `attempt`th time (from 1)."""

    call: Call
    attempt: int


class Lane:
    """The calls to one server that are still to be made, in their order; those to be tried again as soon as due."""

    def __init__(self, plan: Plan, endpoint: str, settled: Collection[int]) -> None:
        self.endpoint = endpoint
        self.pace = Pace(plan.spec.concurrency)
        self._fresh = _calls(plan, endpoint, settled)
        self._next = next(self._fresh, None)
        self._again: list[tuple[float, int, Turn]] = []

    def wait(self) -> float | None:
        """Seconds until a call may start; None where there is none, or one has to end before."""
        if self._next is None and not self._again:
            return None
        wait = self.pace.wait()
        if wait is None or self._next is not None:
            return wait
        return max(wait, self._again[0][0] - time.monotonic())

    def take(self) -> Turn:
        if self._again and (self._next is None or self._again[0][0] <= time.monotonic()):
            return heapq.heappop(self._again)[2]
        if self._next is None:
            raise IndexError("no call is left")
        call, self._next = self._next, next(self._fresh, None)
        return Turn(call, 1)

    def again(self, turn: Turn, delay: float) -> None:
        """The call is tried once more, after `delay` seconds."""
        due = time.monotonic() + delay
        heapq.heappush(self._again, (due, turn.call.number, Turn(turn.call, turn.attempt + 1)))


def lanes(plan: Plan, settled: Collection[int]) -> tuple[Lane, ...]:
    names = dict.fromkeys(cell.model.endpoint for cell in plan.cells)
    return tuple(Lane(plan, name, settled) for name in names)


def _calls(plan: Plan, endpoint: str, settled: Collection[int]) -> Iterator[Call]:
    own = {cell.number for cell in plan.cells if cell.model.endpoint == endpoint}
    return (call for call in plan.calls() if call.cell in own and call.number not in settled)
