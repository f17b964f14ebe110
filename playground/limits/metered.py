"""The client of an account. Each call passes its meter; servers and connections are the host's."""

from __future__ import annotations

import asyncio
from collections import ChainMap
from collections.abc import AsyncGenerator, Mapping, MutableMapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from playground.allowances import Left
from playground.client import Client
from playground.errors import PlaygroundError, RateLimited, refused
from playground.limits.meter import Meter
from playground.retry import RetryPolicy
from playground.store import HOST, Charge
from playground.streaming import RunState
from playground.types import Endpoint, Failed, Request, Retrying, StreamEvent
from playground.words import Said


class Metered(Client):
    """`client`'s servers for the account of `meter`, and its `own`.

    What is asked with its own key passes no meter, for it costs the host nothing. Whom the host has stopped is stopped
    there, too.
    """

    def __init__(self, client: Client, meter: Meter, own: MutableMapping[str, Endpoint] | None = None) -> None:
        # The same connections: a server that joins there has joined here.
        self.__dict__.update(client.__dict__)
        self.meter, self._own = meter, {} if own is None else own
        if own is not None:
            self._endpoints = ChainMap(own, self._endpoints)

    def bounded(self, request: Request) -> Request:
        return request if request.endpoint in self._own else self.meter.bounded(request)

    @property
    def near(self) -> Said | None:
        return self.meter.near[0].said if self.meter.near else None

    def allowed(self) -> list[Left]:
        if self.account == HOST:
            return super().allowed()
        names = {self._whose(name): name for name in self._own}
        left = self.allowances.left()
        return [replace(each, endpoint=names[each.endpoint]) for each in left if each.endpoint in names]

    def check_calls(self, calls: int) -> None:
        self.meter.check_calls(calls)

    @property
    def keeps_books(self) -> bool:
        return True

    @property
    def account(self) -> str:
        return self.meter.account

    async def _answer(self, endpoint: Endpoint, request: Request, policy: RetryPolicy) -> AsyncGenerator[StreamEvent]:
        if endpoint.name in self._own:
            async for event in self._unmetered(endpoint, request, policy):
                yield event
            return
        attempt, charge = 1, None
        while charge is None:
            try:
                request = self.bounded(request)
                charge = await self.meter.reserve(request)
            except PlaygroundError as error:
                failure = error.with_traceback(None)
            else:
                break
            # A minute passes: who waits is told, and is let in when there is room.
            delay = policy.delay(failure, attempt) if isinstance(failure, RateLimited) else None
            if delay is None:
                yield Failed(failure)
                return
            attempt += 1
            yield Retrying(attempt, policy.attempts, delay, failure)
            await policy.sleep(delay)
        state = RunState()
        try:
            async with aclosing(super()._answer(endpoint, request, policy)) as events:
                async for event in events:
                    state.apply(event)
                    yield event
        finally:
            await _to_its_end(self.meter, charge, request, state)

    async def _unmetered(
        self, endpoint: Endpoint, request: Request, policy: RetryPolicy
    ) -> AsyncGenerator[StreamEvent]:
        try:
            await self.meter.check_stopped()
        except PlaygroundError as error:
            yield Failed(error.with_traceback(None))
            return
        async with aclosing(super()._answer(endpoint, request, policy)) as events:
            async for event in events:
                yield event

    def _whose(self, name: str) -> str:
        # Two visitors' servers may have one name: their keys and connections are kept apart.
        return f"{self.account}/{name}" if name in self._own else name

    async def create_job(self, endpoint: str, body: Mapping[str, Any]) -> dict[str, Any]:
        self._check_job(endpoint)
        return await super().create_job(endpoint, body)

    async def create_batch(
        self, endpoint: str, *, file: str, url: str, metadata: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        self._check_job(endpoint)
        return await super().create_batch(endpoint, file=file, url=url, metadata=metadata)

    def _check_job(self, endpoint: str) -> None:
        if endpoint not in self._own:
            self.meter.limits.check_job(self.kind_of(endpoint))

    def _managed(self, name: str) -> Endpoint:
        if self.meter.account != HOST and name not in self._own:
            raise refused("host_jobs")
        return super()._managed(name)


async def _to_its_end(meter: Meter, charge: Charge, request: Request, state: RunState) -> None:
    """Shielded: a handler that is being cancelled must still book what was paid for."""
    await asyncio.shield(asyncio.ensure_future(meter.settle(charge, request, state)))
