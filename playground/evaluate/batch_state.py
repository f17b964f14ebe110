"""What is known of a sweep that is asked by the file: what is to be sent, what is at its servers, what is reserved."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from playground.evaluate.batch_lines import Limits
from playground.evaluate.batch_merging import Merger
from playground.evaluate.batch_sending import BETWEEN, Sender
from playground.evaluate.budget import NOTHING
from playground.evaluate.plan import Plan
from playground.evaluate.work import Work
from playground.store import BatchKind, Part
from playground.words import Said

ROUNDS = 4
"""How often a call is sent that no answer was given to."""
FIRST, LONGEST, FACTOR = 1.0, 60.0, 1.5
"""Seconds between two looks at a batch: more and more while nothing changes."""
SIGN = 300.0
"""Seconds between two signs of life while nothing changes: who gives none for long counts as dead to other machines."""
CHUNK = 500
"""Answers that are scored and kept in one go."""
ENDED = ("completed", "failed", "expired", "cancelled")
ENDED_MEANWHILE = (400, 409)
"""What a server answers to whoever cancels a batch that is over."""


@dataclass(frozen=True, slots=True)
class Todo:
    """Calls of one kind that are to be sent for the `attempt`th time, at most `most` in a file; `alone`: only when no
    other batch of this kind is at the server."""

    key: BatchKind
    numbers: tuple[int, ...]
    attempt: int
    most: int
    alone: bool = False


class BatchState(Work):
    """What both directions share: `batch_out.py` sends, `batch_back.py` follows and keeps."""

    by_file = True

    def __init__(
        self,
        id: str,
        plan: Plan,
        *,
        limits: Limits | None = None,
        looks: float = FIRST,
        between: float = BETWEEN,
        **parts: Any,
    ) -> None:
        super().__init__(id, plan, **parts)
        self._limits, self._looks = limits or Limits.published(), looks
        self._cancelling = False
        self._signed = time.monotonic()
        self._open: dict[int, Part] = {}
        self._next = 0
        self._todo: deque[Todo] = deque()
        self._trouble: Said | None = None
        self._blocked: Said | None = None
        common: dict[str, Any] = {"client": self._client, "retry": self._retry}
        self._sender = Sender(plan, store=self._store, rest=self._rest, between=between, **common)
        self._merger = Merger(plan, counter=self._counter, **common)

    def _others(self, key: BatchKind, but: Part | None = None) -> bool:
        """Whether batches of this kind are under way."""
        return any(part.key == key and (but is None or part.part != but.part) for part in self._open.values())

    @property
    def _reserved(self) -> Decimal:
        return sum((part.reserved for part in self._open.values()), NOTHING)

    async def _worst_of(self, number: int) -> Decimal:
        if self._budget.cap is None:
            return NOTHING
        call = self.plan.call(number)
        return await self._worst.of(call, self.plan.request(call))

    async def _rest(self, seconds: float) -> bool:
        """Wait, at most until somebody says something; whether the sweep is to end."""
        # Cleared afterwards: what was said while a server was asked is heard now.
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()
        self._news.clear()
        return self._ending is not None
