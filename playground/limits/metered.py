"""The client of an account. Each call passes its meter; servers and connections are the host's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from playground.client import Client
from playground.errors import PlaygroundError, RateLimited, refused
from playground.limits.meter import Meter
from playground.retry import RetryPolicy
from playground.store import HOST, Charge
from playground.streaming import RunState
from playground.types import Endpoint, Failed, Request, Retrying, StreamEvent
from playground.words import Said


class Metered(Client):
    """`client`'s servers for the account of `meter`."""

    def __init__(self, client: Client, meter: Meter) -> None:
        # The same connections: a server that joins there has joined here.
        self.__dict__.update(client.__dict__)
        self.meter = meter

    def bounded(self, request: Request) -> Request:
        return self.meter.bounded(request)

    @property
    def near(self) -> Said | None:
        return self.meter.near[0].said if self.meter.near else None

    def check_calls(self, calls: int) -> None:
        self.meter.check_calls(calls)

    @property
    def account(self) -> str:
        return self.meter.account

    async def _answer(self, endpoint: Endpoint, request: Request, policy: RetryPolicy) -> AsyncGenerator[StreamEvent]:
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

    async def create_job(self, endpoint: str, body: Mapping[str, Any]) -> dict[str, Any]:
        self.meter.limits.check_job(self.kind_of(endpoint))
        return await super().create_job(endpoint, body)

    async def create_batch(
        self, endpoint: str, *, file: str, url: str, metadata: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        self.meter.limits.check_job(self.kind_of(endpoint))
        return await super().create_batch(endpoint, file=file, url=url, metadata=metadata)

    def _managed(self, name: str) -> Endpoint:
        if self.meter.account != HOST:
            raise refused("host_jobs")
        return super()._managed(name)


async def _to_its_end(meter: Meter, charge: Charge, request: Request, state: RunState) -> None:
    """Shielded: a handler that is being cancelled must still book what was paid for."""
    await asyncio.shield(asyncio.ensure_future(meter.settle(charge, request, state)))
