"""How many calls a server is asked at once, and when: additive increase, multiplicative decrease, as TCP does it.

Each answer adds 1/limit, so that a round of answers adds one call; a refusal for asking too much halves the limit, once
for all the calls that were under way together (Chiu and Jain 1989). A server's Retry-After holds all calls to it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

BACKOFF, CAP = 1.0, 30.0
"""Seconds: a server that says nothing of when it wants to be asked again is left alone so long, doubled each time."""


class Pace:
    """One server's. `most` is what the spec allows; times are on `clock`."""

    def __init__(self, most: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.most, self.limit, self.running = most, float(most), 0
        self.not_before = 0.0
        self._clock = clock
        self._lowered_at = float("-inf")
        self._refusals = 0

    def wait(self) -> float | None:
        """Seconds until one more call may start; None: not before one that runs has ended."""
        if self.running >= int(self.limit):
            return None
        return max(0.0, self.not_before - self._clock())

    def begin(self) -> float:
        """A call starts: the moment, to hand back with what became of it."""
        self.running += 1
        return self._clock()

    def answered(self) -> None:
        self.running -= 1
        self._refusals = 0
        self.limit = min(float(self.most), self.limit + 1 / self.limit)

    def ended(self) -> None:
        """A call ended in a way that says nothing of the pace."""
        self.running -= 1

    def refused(self, began: float, retry_after: float | None) -> None:
        """The server said that this was too much (429, or 503 with Retry-After)."""
        self.running -= 1
        now = self._clock()
        if began >= self._lowered_at:
            self.limit, self._lowered_at = max(1.0, self.limit / 2), now
            self._refusals += 1
        wait = min(CAP, BACKOFF * 2 ** (self._refusals - 1)) if retry_after is None else retry_after
        self.not_before = max(self.not_before, now + wait)
