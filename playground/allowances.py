"""What a server still lets through, as its `x-ratelimit-*` headers say: a request that would be refused waits instead.

OpenAI's headers, which other servers send too (platform.openai.com/docs/guides/rate-limits, "Rate limits in headers"):
a limit, what remains of it, and in how long it is whole again, for requests and for tokens.
Between two answers it is a token bucket: what is asked for leaves it, and it fills at the pace that the headers imply.
"""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from playground.types import CompletionRequest, Request

Counted = Literal["requests", "tokens"]
COUNTED: tuple[Counted, ...] = ("requests", "tokens")
BELIEVED = 60.0
"""Seconds for which a server's word is enough to refuse a request in its place; then one is sent to hear it again."""
LONGEST_RESET = 24 * 3600.0
REMEMBERED = 500
"""Models whose allowance is known; of more, what was heard of longest ago is forgotten."""

_PART = re.compile(r"(\d{1,12}(?:\.\d{1,12})?)(ns|us|µs|ms|s|m|h|d)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(slots=True)
class Bucket:
    """`level` of `limit` was left at `at`, and `rate` comes back in each second. Below zero: so much is waited for."""

    limit: float
    level: float
    rate: float
    at: float

    def fill(self, now: float) -> None:
        self.level, self.at = min(self.limit, self.level + self.rate * (now - self.at)), now


@dataclass(slots=True, eq=False)
class Pass:
    """One request that was asked about: it may be sent in `wait` seconds. `believed`: the server said so just now."""

    needs: dict[Counted, float]
    wait: float = 0.0
    believed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What one model's server said last, brought up to now: `left` of `limit`, whole again in `seconds`."""

    endpoint: str
    model: str
    counted: Counted
    left: int
    limit: int
    seconds: float


@dataclass(slots=True)
class _Model:
    heard: float
    buckets: dict[Counted, Bucket] = field(default_factory=dict)
    passes: list[Pass] = field(default_factory=list)


class Allowances:
    """By server and model. May be asked from any thread. `clock` in seconds."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._models: dict[tuple[str, str], _Model] = {}

    def ask(self, endpoint: str, request: Request) -> Pass:
        """What the request will take is taken; `wait` is 0 where nothing is known. It ends with `sent` or `gave_up`."""
        with self._lock:
            model = self._models.get((endpoint, request.model))
            if model is None:
                return Pass({})
            now, needs = self._clock(), {"requests": 1.0, "tokens": float(weight(request))}
            made = Pass({}, believed=now - model.heard < BELIEVED)
            for counted, bucket in model.buckets.items():
                bucket.fill(now)
                # What is more than the whole limit the server itself will refuse.
                need = made.needs[counted] = min(needs[counted], bucket.limit)
                bucket.level -= need
                made.wait = max(made.wait, -bucket.level / bucket.rate)
            model.passes.append(made)
            return made

    def gave_up(self, endpoint: str, model: str, given: Pass) -> None:
        """It was not sent: what it would have taken is there for others."""
        with self._lock:
            known = self._models.get((endpoint, model))
            if known is None or given not in known.passes:
                return
            known.passes.remove(given)
            for counted, need in given.needs.items():
                if counted in known.buckets:
                    known.buckets[counted].level += need

    def sent(self, endpoint: str, model: str, given: Pass, headers: Mapping[str, str]) -> None:
        """It was answered with these headers, which need not say anything."""
        said = read(headers)
        with self._lock:
            known = self._models.get((endpoint, model))
            if known is not None and given in known.passes:
                known.passes.remove(given)
            if not said:
                return
            now = self._clock()
            known = self._models.pop((endpoint, model), None) or _Model(heard=now)
            self._models[endpoint, model] = known
            known.heard = now
            for counted, (limit, left, reset) in said.items():
                # Who waits, or is on the way, the server does not know yet.
                coming = sum(each.needs.get(counted, 0.0) for each in known.passes)
                rate = (limit - left) / reset if reset and left < limit else limit / 60
                known.buckets[counted] = Bucket(limit, left - coming, rate, now)
            while len(self._models) > REMEMBERED:
                del self._models[next(iter(self._models))]

    def forget(self, endpoint: str) -> None:
        with self._lock:
            for key in [key for key in self._models if key[0] == endpoint]:
                del self._models[key]

    def left(self) -> list[Left]:
        """What is known, by server and model."""
        found = []
        with self._lock:
            for (endpoint, name), model in sorted(self._models.items()):
                for counted, bucket in model.buckets.items():
                    bucket.fill(self._clock())
                    left = max(0.0, bucket.level)
                    found.append(
                        Left(
                            endpoint=endpoint,
                            model=name,
                            counted=counted,
                            left=int(left),
                            limit=int(bucket.limit),
                            seconds=(bucket.limit - bucket.level) / bucket.rate,
                        )
                    )
        return found


def read(headers: Mapping[str, str]) -> dict[Counted, tuple[float, float, float]]:
    """Limit, what is left, and the seconds until it is whole, of what the headers say so that it can be read."""
    found: dict[Counted, tuple[float, float, float]] = {}
    for counted in COUNTED:
        limit = _number(headers.get(f"x-ratelimit-limit-{counted}"))
        left = _number(headers.get(f"x-ratelimit-remaining-{counted}"))
        if limit is None or left is None or limit < 1:
            continue
        found[counted] = limit, min(left, limit), seconds(headers.get(f"x-ratelimit-reset-{counted}")) or 0.0
    return found


def seconds(text: str | None) -> float | None:
    """Of Go's way to write a duration (`6m0s`, `1.5s`, `20ms`), or of a number of seconds; None for anything else."""
    text = (text or "").strip()
    if (number := _number(text)) is not None:
        return min(number, LONGEST_RESET)
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return min(sum(float(number) * _SECONDS[unit] for number, unit in parts), LONGEST_RESET)


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def weight(request: Request) -> int:
    """Tokens that a request counts for when it comes in: what it may write, or a quarter of its characters where that
    is more (OpenAI's guide to rate limits, "Reduce the max_tokens to match the size of your completions")."""
    if isinstance(request, CompletionRequest):
        return max(request.max_tokens or 0, len(request.prompt) // 4)
    characters = sum(_characters(message.content) for message in request.messages)
    return max(request.max_completion_tokens or request.max_tokens or 0, characters // 4)


def _characters(content: object) -> int:
    if isinstance(content, str):
        return len(content)
    parts = content if isinstance(content, tuple) else ()
    return sum(len(str(part.get("text") or "")) for part in parts if isinstance(part, Mapping))
