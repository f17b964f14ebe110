"""The way back: batches looked at until they end, their answers kept, what may do better put up for another round."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playground.errors import EndpointError, NotFound, refused
from playground.evaluate.batch_merging import Merged
from playground.evaluate.batch_sending import told
from playground.evaluate.batch_state import (
    CHUNK,
    ENDED,
    ENDED_MEANWHILE,
    FACTOR,
    LONGEST,
    ROUNDS,
    SIGN,
    BatchState,
    Todo,
)
from playground.evaluate.budget import NOTHING, at_most
from playground.store import Output, Part
from playground.words import Said


class Returning(BatchState):
    """Follows what is at the servers, and keeps what they answer."""

    async def _follow(self) -> None:
        """Until every batch has ended, or somebody wants to end."""
        wait = self._looks
        while self._open and (self._ending is None or self._cancelling):
            before = list(self._open.values())
            for part in before:
                await self._look(part)
            changed = list(self._open.values()) != before
            wait = self._looks if changed else min(LONGEST, wait * FACTOR)
            if self._open:
                await self._rest(wait)

    async def _look(self, part: Part) -> None:
        """Ask for a batch once, and keep what it has answered when it has ended."""
        if part.state != "sent":
            return
        try:
            said = await self._asked(part)
            self._trouble = None
        except NotFound as error:
            await self._client.check_batches(part.endpoint)
            await self._gone(part, error)
            return
        except EndpointError as error:
            if not self._passing(error):
                raise
            self._trouble = Said("batch.trouble", {"error": str(error)})
            return
        now = told(part, said)
        if now != part or time.monotonic() - self._signed > SIGN:
            self._signed = time.monotonic()
            self._open[part.part] = await self._sender.save(now)
        if now.status in ENDED:
            await self._merge(now, said)

    async def _asked(self, part: Part) -> dict[str, Any]:
        if self._cancelling and part.status not in ("cancelling", *ENDED):
            try:
                return await self._client.cancel_batch(part.endpoint, str(part.batch))
            except EndpointError as error:
                if error.status not in ENDED_MEANWHILE:
                    raise
        return await self._client.batch(part.endpoint, str(part.batch))

    def _passing(self, error: EndpointError) -> bool:
        return self._retry.delay(error, 1) is not None

    async def _merge(self, part: Part, said: dict[str, Any]) -> None:
        """Keep what a batch that has ended has answered; remember what is to be sent again."""
        if part.status == "failed":
            await self._settle(part, self._merger.refused(part, said))
            return
        merged = Merged()
        known = set(part.calls) & await asyncio.to_thread(self._store.sweeps.settled, self.id)
        with TemporaryDirectory(prefix="playground-batch-", ignore_cleanup_errors=True) as folder:
            try:
                files = await self._merger.fetched(part, said, Path(folder))
            except EndpointError as error:
                if not self._passing(error):
                    raise
                self._trouble = Said("batch.trouble", {"error": str(error)})
                return
            outcomes = self._merger.outcomes(part, files, known, merged)
            while chunk := await asyncio.to_thread(lambda: list(islice(outcomes, CHUNK))):
                await self._kept(chunk)
        await self._settle(part, merged)

    async def _kept(self, outputs: Sequence[Output]) -> None:
        """Answers and what they cost, in one transaction."""
        for output in outputs:
            self._budget.spent += await self._booked(output)
        await asyncio.gather(*(self._keep(output, None) for output in outputs))

    async def _booked(self, output: Output) -> Decimal:
        """What an answer is counted at: its cost, or the worst where that cannot be read."""
        unread = output.completion_tokens is None
        if not unread and not output.usage_estimated:
            return output.cost or NOTHING
        worst = await self._worst_of(output.number)
        return worst if unread else at_most(True, worst=worst, cost=output.cost)

    async def _gone(self, part: Part, error: NotFound) -> None:
        """The server no longer knows the batch: whether it has answered, and was paid, nobody can say."""
        await self._settle(part, Merged(lost=list(part.calls)), str(error))

    async def _settle(self, part: Part, merged: Merged, lost: str | None = None) -> None:
        """The end of a batch: what failed is kept, what may do better waits for the next round."""
        more = self._again(part, merged)
        failures = list(merged.failures)
        if more is None:
            failures += [self._merger.failed(number, why, part.attempt) for number, why in merged.again.items()]
        why = lost or str(refused("batch_lost"))
        failures += [self._merger.failed(number, why, part.attempt) for number in merged.lost]
        for at in range(0, len(failures), CHUNK):
            await asyncio.gather(*(self._keep(output, None) for output in failures[at : at + CHUNK]))
        for number in merged.lost:
            self._budget.spent += await self._worst_of(number)
        done = replace(part, state="merged", reserved=NOTHING)
        await asyncio.to_thread(self._store.batches.save, done, spent=self._budget.spent)
        self._open.pop(part.part, None)
        if more is not None:
            self._todo.append(more)
        if merged.left and not self._cancelling:
            self._end("stopped", Said("why.batch_cancelled", {"count": len(merged.left)}))

    def _again(self, part: Part, merged: Merged) -> Todo | None:
        """What of a batch is sent once more. One that its server had no room for was not asked: that is no attempt."""
        todo = Todo(part.key, tuple(sorted(merged.again)), part.attempt, self._limits.requests, merged.crowded)
        if not todo.numbers:
            return None
        if merged.crowded and self._others(part.key, part):
            return replace(todo, most=len(part.calls))
        if merged.smaller:
            return replace(todo, most=(len(part.calls) + 1) // 2) if len(part.calls) > 1 else None
        return replace(todo, attempt=part.attempt + 1) if part.attempt < ROUNDS else None
