"""One batch on its way to its server: written down before and after each step, so that a process killed between any
two of them leaves nothing that would be asked, and paid for, twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar

from playground.errors import (
    AuthenticationFailed,
    BadRequest,
    EndpointError,
    NotFound,
    PermissionDenied,
    RateLimited,
)
from playground.evaluate.batch_lines import write
from playground.evaluate.plan import Plan
from playground.retry import RetryPolicy
from playground.store import Part, Store

if TYPE_CHECKING:
    from playground.client import Client

T = TypeVar("T")
LOOKS, BETWEEN = 3, 2.0
"""How often, and how many seconds apart, a batch that may have been created is looked for before another is."""
TOO_LARGE = 413
REFUSALS = (BadRequest, AuthenticationFailed, PermissionDenied, NotFound, RateLimited)
"""After these, nothing was created."""


class TooLarge(Exception):
    """The server takes no file of this size: nothing of it was asked."""


class Sender:
    """Of one sweep. `rest` waits, and tells whether somebody wants it to end."""

    def __init__(
        self,
        plan: Plan,
        *,
        client: Client,
        store: Store,
        retry: RetryPolicy,
        rest: Callable[[float], Awaitable[bool]],
        between: float = BETWEEN,
    ) -> None:
        self._plan, self._client, self._store, self._retry = plan, client, store, retry
        self._rest, self._between = rest, between

    async def send(self, part: Part) -> Part:
        """The part as far as it came: `sent`, or less where somebody wants it to end. Raises EndpointError where the
        server refuses it (nothing was begun, unless its state is `sending`), TooLarge, StoreError."""
        if part.state == "planned":
            part = await self._upload(part)
        for attempt in count(1):
            if part.state == "sending" and (found := await self.find(part)) is not None:
                return found
            part = await self.save(replace(part, state="sending"))
            try:
                return await self._create(part)
            except EndpointError as error:
                delay = self._retry.delay(error, attempt)
                if delay is None:
                    if isinstance(error, REFUSALS):
                        await self.save(replace(part, state="uploaded"))
                    raise
                if await self._rest(delay):
                    return part
        raise AssertionError("unreachable")

    async def find(self, part: Part) -> Part | None:
        """The part whose batch may have been created without anybody hearing of it: as `sent` where it was."""
        for look in range(LOOKS):
            if look:
                await asyncio.sleep(self._between)
            said = await self._patiently(lambda: self._client.find_batch(part.endpoint, _mark(part)))
            if said is not None:
                return await self.save(_sent(part, said))
        return None

    async def save(self, part: Part) -> Part:
        return await asyncio.to_thread(self._store.batches.save, part)

    async def _upload(self, part: Part) -> Part:
        with TemporaryDirectory(prefix="playground-batch-", ignore_cleanup_errors=True) as folder:
            file = Path(folder) / f"playground-{part.sweep}-{part.part}.jsonl"
            await asyncio.to_thread(write, self._plan, part.calls, file)
            try:
                said = await self._patiently(lambda: self._client.upload(part.endpoint, file, purpose="batch"))
            except BadRequest as error:
                if error.status == TOO_LARGE:
                    raise TooLarge from None
                raise
        return await self.save(replace(part, state="uploaded", file=said["id"]))

    async def _create(self, part: Part) -> Part:
        said = await self._client.create_batch(part.endpoint, file=str(part.file), url=part.url, metadata=_mark(part))
        return await self.save(_sent(part, said))

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """What costs nothing and may be asked again."""
        for attempt in count(1):
            try:
                return await ask()
            except EndpointError as error:
                delay = self._retry.delay(error, attempt)
                if delay is None:
                    raise
                await asyncio.sleep(delay)
        raise AssertionError("unreachable")


def _mark(part: Part) -> dict[str, str]:
    """What a batch is known by where its id was not heard: in its metadata, which holds no text of anybody's."""
    return {"playground_sweep": part.sweep, "playground_part": str(part.part)}


def _sent(part: Part, said: dict[str, Any]) -> Part:
    return told(replace(part, state="sent", batch=said["id"]), said)


def told(part: Part, said: dict[str, Any]) -> Part:
    """With what the server says of it now."""
    counts = said.get("request_counts")
    counts = counts if isinstance(counts, dict) else {}

    def number(name: str) -> int | None:
        return counts[name] if type(counts.get(name)) is int else None

    status = said.get("status")
    return replace(
        part,
        status=status[:32] if isinstance(status, str) else None,
        completed=number("completed"),
        failed=number("failed"),
    )
