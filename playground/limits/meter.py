"""An account's calls: bounded before they are sent, set aside at the most they may take, booked at what they took."""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from playground import pricing
from playground.chat_tokens import count_chat
from playground.errors import BadStream, LimitReached, RateLimited, StoreError, TimedOut, refused
from playground.limits.rules import WARN, Limits
from playground.runner import estimated
from playground.store import HOST, Cap, Charge, Store
from playground.store.ledger import PICO, today
from playground.streaming import RunState
from playground.tokens import Counter
from playground.types import CompletionRequest, EndpointKind, ModelInfo, Request, Usage
from playground.words import Said
from playground.worst_case import longest, price_of

log = logging.getLogger("playground")

NOTHING = Decimal(0)
TIERS = (None, "auto", "default", "flex")
"""Service tiers whose prices are known, or lower: a limit in dollars holds for no other."""
MARGIN = (Decimal("1.25"), 100)
"""A chat's prompt by the cookbook's rules is an estimate: so many times as much, and so many tokens more, bound it."""
BOOKING = (0.5, 2.0, 8.0, 30.0, 60.0)
"""Seconds between two tries to book a call while the database is away. Until then it stays set aside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """How much of a limit is used: of `cap.amount`, in its measure, what is set aside included."""

    cap: Cap
    used: int

    @property
    def nearly(self) -> bool:
        return self.cap.period != "minute" and self.used >= self.cap.amount * WARN

    @property
    def said(self) -> Said:
        whose = whose_of(self.cap)
        used, amount = said_amount(self.cap, self.used), said_amount(self.cap)
        return Said(f"limit.near_{whose}_{self.cap.period}", {"used": used, "amount": amount})


class Meter:
    """`info_of` says what is known of a model by its `endpoint/name`; `store` is the account's own."""

    def __init__(
        self,
        store: Store,
        limits: Limits,
        counter: Counter,
        *,
        info_of: Callable[[str, str], ModelInfo],
        kind_of: Callable[[str], EndpointKind],
    ) -> None:
        self.account, self.limits = store.account, limits
        self._ledger, self._counter = store.ledger, counter
        self._info_of, self._kind_of = info_of, kind_of
        self._booking: set[asyncio.Task[None]] = set()
        #: The limits of a day or a month that were nearly reached when the last call had ended.
        self.near: tuple[Left, ...] = ()

    def bounded(self, request: Request) -> Request:
        """The request as a visitor may send it: an answer that it does not limit gets the longest allowed.

        Raises InvalidRequest naming the parameter that asks for too much.
        """
        if self.limits.in_dollars and getattr(request, "service_tier", None) not in TIERS:
            raise refused("limit_tier", param="service_tier")
        if self.account == HOST:
            return request
        bounds = self.limits.bounds
        for name in ("n", "best_of"):
            asked = getattr(request, name, None)
            if name in bounds and asked is not None and asked > bounds[name]:
                raise refused("limit_bound", param=name, name=name, most=bounds[name])
        most = bounds.get("max_tokens")
        if most is None:
            return request
        for name in ("max_tokens", "max_completion_tokens"):
            asked = getattr(request, name, None)
            if asked is not None and asked > most:
                raise refused("limit_bound", param=name, name=name, most=most)
        return self._ending(request, most)

    def check_calls(self, calls: int) -> None:
        """Raises InvalidRequest for a visitor's sweep of more calls than one may have."""
        most = self.limits.bounds.get("calls")
        if self.account != HOST and most is not None and calls > most:
            raise refused("limit_calls", param="sweep", most=most, calls=calls)

    def _ending(self, request: Request, most: int) -> Request:
        if isinstance(request, CompletionRequest):
            # Servers that are not OpenAI's have defaults of their own, which may be endless.
            return request if request.max_tokens is not None else replace(request, max_tokens=pricing.SERVER_MAX_TOKENS)
        if request.max_tokens is not None or request.max_completion_tokens is not None:
            return request
        if self._kind_of(request.endpoint) == "openai":
            return replace(request, max_completion_tokens=most)
        return replace(request, max_tokens=most)

    async def reserve(self, request: Request) -> Charge:
        """Set aside the most that the request may take.

        Raises InvalidRequest where nothing bounds that, LimitReached where a day's or a month's limit would be passed,
        RateLimited (with `retry_after`) for a minute's, StoreError where it cannot be kept.
        """
        caps = self.limits.of(self.account, request.endpoint, request.model)
        charge = await asyncio.to_thread(self._worst, request, caps)
        verdict = await asyncio.to_thread(self._ledger.reserve, charge, caps)
        if verdict.stopped:
            raise _stopped()
        if verdict.passed is not None:
            raise _passed(verdict.passed, verdict.wait)
        return charge

    async def check_stopped(self) -> None:
        """Raises LimitReached for an account that the host has stopped, or where everything is; StoreError."""
        if await asyncio.to_thread(self._ledger.stopped, self.account):
            raise _stopped()

    def _worst(self, request: Request, caps: list[Cap]) -> Charge:
        info, kind = self._info_of(request.endpoint, request.model), self._kind_of(request.endpoint)
        prompt, most = self._prompt(request, kind), longest(request, info, 0)
        if most is None and any(cap.measure != "requests" for cap in caps):
            raise refused("limit_endless", param="max_tokens")
        cost = NOTHING if kind == "engine" else price_of(request, info, kind, prompt, most or 0, None, False)
        if cost is None and _in_dollars(caps) and not _in_tokens(caps):
            raise refused("limit_no_price", param="model", model=info.ref)
        return Charge(
            id=uuid.uuid4().hex,
            account=self.account,
            endpoint=request.endpoint,
            model=request.model,
            cost=cost or NOTHING,
            tokens=prompt + (most or 0),
        )

    def _prompt(self, request: Request, kind: EndpointKind) -> int:
        """More tokens than the prompt has. No tokenizer makes more tokens than bytes; with JSON's marks that bounds
        a chat's template too, and images are counted by OpenAI's rules."""
        body = request.body()
        if kind == "openai" and isinstance(request, CompletionRequest):
            return self._counter.count(request.prompt, request.model).tokens
        if kind == "openai":
            counted = count_chat(self._counter, body, request.model).tokens
            return int(counted * MARGIN[0]) + MARGIN[1]
        pictures = count_chat(self._counter, {"messages": _pictures(body)}, request.model).tokens
        return len(json.dumps(_texts(body), ensure_ascii=False, default=list).encode(errors="replace")) + pictures

    async def settle(self, charge: Charge, request: Request, state: RunState) -> None:
        """Book what the call took. Never raises: while the database is away it is tried again, and stays set aside."""
        try:
            cost, tokens = await asyncio.to_thread(self._took, charge, request, state)
        except Exception:
            log.exception("a call could not be counted, and is booked at its most")
            cost, tokens = charge.cost, charge.tokens
        try:
            await asyncio.to_thread(self._ledger.settle, charge.id, cost=cost, tokens=tokens)
            await self._look(charge)
        except StoreError:
            task = asyncio.create_task(self._book_later(charge, cost, tokens))
            self._booking.add(task)
            task.add_done_callback(self._booking.discard)

    async def _book_later(self, charge: Charge, cost: Decimal, tokens: int) -> None:
        for wait in BOOKING:
            await asyncio.sleep(wait)
            try:
                await asyncio.to_thread(self._ledger.settle, charge.id, cost=cost, tokens=tokens)
            except StoreError:
                continue
            return
        log.warning("a call could not be booked: it stays set aside at its most until this process ends")

    def _took(self, charge: Charge, request: Request, state: RunState) -> tuple[Decimal, int]:
        """By the server's usage. One that says less than half of what came is not believed, nor one that says more than
        was possible. Without any, it is counted here. A refusal costs nothing; what broke off before anything came may
        have cost everything."""
        choices, said = state.choices(), state.usage
        if said is None and not choices and state.error is not None:
            lost = isinstance(state.error, (TimedOut, BadStream))
            return (charge.cost, charge.tokens) if lost else (NOTHING, 0)
        usage = _believed(said, estimated(request, choices, self._counter))
        cost = pricing.price(request.model, self._kind_of(request.endpoint), usage) or NOTHING
        if cost > charge.cost or usage.total_tokens > charge.tokens:
            log.warning("a server says that a call took more than was possible: it is booked at the most")
        return min(cost, charge.cost), min(max(0, usage.total_tokens), charge.tokens)

    async def _look(self, charge: Charge) -> None:
        """What is nearly reached now. Of what all together use, the log says it once a day."""
        caps = self.limits.of(self.account, charge.endpoint, charge.model)
        used = await asyncio.to_thread(self._ledger.used, caps)
        left = (Left(cap=cap, used=each) for cap, each in zip(caps, used, strict=True))
        self.near = tuple(each for each in left if each.nearly)
        for each in self.near:
            key = (each.cap, today())
            if each.cap.account is None and key not in self.limits.told:
                self.limits.told.add(key)
                log.warning("%s (%s)", each.said.text(), "PLAYGROUND_LIMITS")


def _believed(said: Usage | None, counted: Usage) -> Usage:
    """The server's usage; our count in the place of less than half of it, or of none."""
    if said is None:
        return counted
    prompt, written = said.prompt_tokens, said.completion_tokens
    return replace(
        said,
        prompt_tokens=counted.prompt_tokens if 2 * prompt < counted.prompt_tokens else prompt,
        completion_tokens=counted.completion_tokens if 2 * written < counted.completion_tokens else written,
    )


def _in_dollars(caps: list[Cap]) -> bool:
    return any(cap.measure == "dollars" for cap in caps)


def _in_tokens(caps: list[Cap]) -> bool:
    return any(cap.measure == "tokens" and cap.period != "minute" for cap in caps)


def said_amount(cap: Cap, used: int | None = None) -> str | Said:
    """The cap's amount, or what is used of it, as it is said: `$0.50`, `20 requests`."""
    amount = cap.amount if used is None else used
    if cap.measure == "dollars":
        return pricing.format_money(Decimal(amount) / PICO)
    return Said(f"limit.{cap.measure}", {"count": amount})


def whose_of(cap: Cap) -> str:
    return "visitor" if cap.account is not None else "model" if cap.model is not None else "all"


def _stopped() -> LimitReached:
    return LimitReached(Said("error.limit_stopped"), hint=Said("error_hint.limit_stopped"))


def _passed(cap: Cap, wait: float) -> LimitReached | RateLimited:
    amount = said_amount(cap)
    said = Said(f"error.limit_{whose_of(cap)}_{cap.period}", {"amount": amount})
    if cap.period == "minute":
        return RateLimited(said, hint=Said("error_hint.limit_minute"), retry_after=max(0.25, wait))
    return LimitReached(said, hint=Said(f"error_hint.limit_{cap.period}"))


def _texts(body: Mapping[str, Any]) -> dict[str, Any]:
    """What a request says, without its pictures."""
    return {**body, "messages": [_without(message) for message in body.get("messages", ())]}


def _without(message: Mapping[str, Any]) -> dict[str, Any]:
    content = message.get("content")
    if not isinstance(content, (list, tuple)):
        return dict(message)
    return {**message, "content": [part for part in content if part.get("type") != "image_url"]}


def _pictures(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = []
    for message in body.get("messages", ()):
        content = message.get("content")
        if isinstance(content, (list, tuple)):
            found += [part for part in content if part.get("type") == "image_url"]
    return [{"role": "user", "content": found}] if found else []
