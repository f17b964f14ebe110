"""When a failed request is tried again, and how long that waits."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from time import time

from playground.errors import ConnectionFailed, EndpointError, QuotaExceeded, RateLimited, ServerFailed, TimedOut

NOT_IMPLEMENTED = 501
"""A server's way to say that it will never do this: llama.cpp's answer to a feature that is switched off."""


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
        hopeless = isinstance(error, QuotaExceeded) or error.status == NOT_IMPLEMENTED
        if not again or hopeless or attempt >= self.attempts:
            return None
        if error.retry_after is not None:
            return max(self.floor, error.retry_after) if error.retry_after <= self.longest else None
        return self.draw(self.floor, max(self.floor, min(self.cap, self.base * 2 ** (attempt - 1))))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds by `retry-after-ms` or `Retry-After` (seconds or a date, RFC 9110 section 10.2.3); None if unreadable."""
    milliseconds, value = headers.get("retry-after-ms"), headers.get("retry-after")
    seconds = _number(milliseconds)
    seconds = seconds / 1000 if seconds is not None else _number(value)
    if seconds is None and value is not None:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time()
        except (ValueError, OverflowError):
            return None
    return None if seconds is None else max(0.0, seconds)


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
