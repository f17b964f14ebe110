"""A server's limit on requests, as OpenAI keeps and tells it: a bucket that refills all the time."""

from __future__ import annotations

import time

from tests.fakes.faults import Refusal, refuse


class Limiter:
    """`most` requests in `seconds`. `refused` counts those that came too early."""

    def __init__(self, most: int, seconds: float, *, tokens: int = 1_000_000) -> None:
        self.most, self.seconds, self.tokens = most, seconds, tokens
        self.refused = 0
        self._level, self._at = float(most), time.monotonic()

    def take(self) -> bool:
        self._fill()
        if self._level < 1:
            self.refused += 1
            return False
        self._level -= 1
        return True

    def headers(self) -> dict[str, str]:
        self._fill()
        reset = (self.most - self._level) * self.seconds / self.most
        return {
            "x-ratelimit-limit-requests": str(self.most),
            "x-ratelimit-remaining-requests": str(int(self._level)),
            "x-ratelimit-reset-requests": f"{int(reset * 1000) + 1}ms",
            "x-ratelimit-limit-tokens": str(self.tokens),
            "x-ratelimit-remaining-tokens": str(self.tokens),
            "x-ratelimit-reset-tokens": "0s",
        }

    def refusal(self) -> Refusal:
        said = refuse(429, "Rate limit reached.", kind="requests", code="rate_limit_exceeded", headers=self.headers())
        return said

    def _fill(self) -> None:
        now = time.monotonic()
        self._level = min(self.most, self._level + (now - self._at) * self.most / self.seconds)
        self._at = now
