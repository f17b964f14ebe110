"""When a failed request is tried again, and how long that waits."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from playground.errors import ConnectionFailed, EndpointError, QuotaExceeded, RateLimited, ServerFailed, TimedOut


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Exponential backoff with full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter").

    The wait before attempt k + 1 is drawn from [floor, min(cap, base · 2^(k-1))] seconds; a server's Retry-After wins,
    unless it asks for more than `longest`, when waiting is the person's decision and not ours.
    """

    attempts: int = 4
    base: float = 1.0
    cap: float = 20.0
    floor: float = 0.25
    longest: float = 60.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    draw: Callable[[float, float], float] = random.uniform

    def delay(self, error: EndpointError, attempt: int) -> float | None:
        """Seconds to wait after `attempt` (from 1) failed with `error`; None: do not try again."""
        again = isinstance(error, (RateLimited, ServerFailed, ConnectionFailed, TimedOut))
        if not again or isinstance(error, QuotaExceeded) or attempt >= self.attempts:
            return None
        if error.retry_after is not None:
            return error.retry_after if error.retry_after <= self.longest else None
        return self.draw(self.floor, max(self.floor, min(self.cap, self.base * 2 ** (attempt - 1))))
