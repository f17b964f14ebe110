"""A sweep asked by the file: its calls as OpenAI batches, sent, followed, their answers kept as live ones are.

In rounds: every call that has no answer is sent, and when all batches have ended, what failed and may do better is sent
again. Batches outlive this process, and are gone on with by whoever resumes the sweep (`batch_sending.py`).
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from playground.errors import (
    EndpointError,
    InvalidRequest,
    NotFound,
    PlaygroundError,
    QuotaExceeded,
    refused,
)
from playground.evaluate.batch_lines import Limits, kinds, line_of
from playground.evaluate.batch_merging import Merged, Merger
from playground.evaluate.batch_sending import BETWEEN, Sender, TooLarge, told
from playground.evaluate.batch_words import far
from playground.evaluate.budget import NOTHING, at_most
from playground.evaluate.plan import Plan
from playground.evaluate.running import budget_reached
from playground.evaluate.work import Progress, Work
from playground.store import BatchKind, Output, Part, SweepState
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


class Batched(Work):
    """A sweep whose calls are sent by the file. `pause` leaves the batches to their servers, `stop` cancels them."""

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
        self._todo: deque[Todo] = deque()
        self._trouble: Said | None = None
        self._blocked: Said | None = None
        common: dict[str, Any] = {"client": self._client, "retry": self._retry}
        self._sender = Sender(plan, store=self._store, rest=self._rest, between=between, **common)
        self._merger = Merger(plan, counter=self._counter, **common)

    def stop(self) -> None:
        """Cancel the batches; what they have answered is kept, and the rest is asked again later."""
        if self._ending is None or self._ending[0] == "paused":
            self._ending = ("stopped", None)
        self._cancelling = True
        self._news.set()

    def abandon(self) -> None:
        self.pause()

    async def _ask(self) -> None:
        try:
            await self._rounds()
        except EndpointError as error:
            quota = isinstance(error, QuotaExceeded)
            self._end("failed", Said("why.quota") if quota else Said("why.batch_refused", {"error": str(error)}))
        except PlaygroundError as error:  # the store, or no room for a file
            self._end("failed", Said("why.store", {"error": error.message}))
        except OSError as error:
            self._end("failed", Said("why.store", {"error": error.strerror or str(error)}))
        if self._ending == ("paused", None) and any(part.state == "sent" for part in self._open.values()):
            self._ending = ("paused", Said("why.batch_left"))

    async def _rounds(self) -> None:
        parts = await asyncio.to_thread(self._store.batches.of, self.id)
        self._next = max((part.part for part in parts), default=-1) + 1
        self._open = {part.part: part for part in parts if part.state != "merged"}
        under_way = {number for part in self._open.values() for number in part.calls}
        fresh = [number for number in range(len(self.plan)) if number not in self._settled and number not in under_way]
        for key, numbers in await asyncio.to_thread(lambda: list(kinds(self.plan, fresh))):
            self._todo.append(Todo(key, tuple(numbers), 1, self._limits.requests))
        for part in list(self._open.values()):
            await self._send(part)
        while True:
            await self._send_all()
            if not self._open:
                break
            await self._follow()
            if self._ending is not None and not self._cancelling:
                return
        if self._blocked is not None and self._ending is None:
            self._end("budget", self._blocked)

    # --- out ---

    async def _send_all(self) -> None:
        """Send what is to be sent, as far as the budget reaches."""
        self._blocked = None
        waiting: list[Todo] = []
        while self._todo and self._ending is None and self._blocked is None:
            todo = self._todo.popleft()
            if todo.alone and self._others(todo.key):
                waiting.append(todo)
                continue
            part, rest = await self._cut(todo)
            if rest:
                self._todo.appendleft(replace(todo, numbers=rest))
            if part is not None:
                self._next += 1
                self._open[part.part] = await self._sender.save(part)
                await self._send(part)
        self._todo.extend(waiting)

    def _others(self, key: BatchKind, but: Part | None = None) -> bool:
        """Whether batches of this kind are under way."""
        return any(part.key == key and (but is None or part.part != but.part) for part in self._open.values())

    async def _cut(self, todo: Todo) -> tuple[Part | None, tuple[int, ...]]:
        """As many of the calls as fit into a file and the budget, as a part; and those that are left."""
        taken: list[int] = []
        size, reserved = 0, NOTHING
        room = None if self._budget.cap is None else self._budget.cap - self._budget.spent - self._reserved
        at = 0
        for at, number in enumerate(todo.numbers):
            if at % CHUNK == 0:
                await asyncio.sleep(0)
            call = self.plan.call(number)
            try:
                request = self.plan.request(call)
            except InvalidRequest as error:  # the text of this case does not fit this model
                await self._keep(self._merger.failed(number, error, todo.attempt), None)
                continue
            length = len(line_of(call, request))
            if taken and (len(taken) >= todo.most or size + length > self._limits.bytes):
                break
            worst = NOTHING if room is None else await self._worst.of(call, request)
            if room is not None and reserved + worst > room:
                self._blocked = budget_reached(self._budget, worst)
                break
            taken.append(number)
            size, reserved = size + length, reserved + worst
        else:
            at = len(todo.numbers)
        endpoint, model, url = todo.key
        part = Part(
            sweep=self.id,
            part=self._next,
            endpoint=endpoint,
            model=model,
            url=url,
            calls=tuple(taken),
            attempt=todo.attempt,
            reserved=reserved,
        )
        return part if taken else None, todo.numbers[at:]

    @property
    def _reserved(self) -> Decimal:
        return sum((part.reserved for part in self._open.values()), NOTHING)

    async def _send(self, part: Part) -> None:
        """Bring a part to its server; one that is not there yet when the sweep is to end is given back."""
        if part.state == "sent":
            return
        if self._ending is not None:
            await self._given_back(part)
            return
        try:
            part = self._open[part.part] = await self._sender.send(part)
            if part.state != "sent":
                await self._given_back(part)
        except TooLarge:
            await self._dropped(part)
            await self._halved(part)
        except EndpointError:
            await self._given_back(await self._as_kept(part))
            raise

    async def _given_back(self, part: Part) -> None:
        """Nobody will send it now: forgotten, unless it may have been created."""
        if part.state != "sending":
            await self._dropped(part)
        elif self._cancelling:
            found = await self._sender.find(part)
            if found is None:
                await self._dropped(part)
            else:
                self._open[part.part] = found

    async def _as_kept(self, part: Part) -> Part:
        kept = await asyncio.to_thread(self._store.batches.of, self.id)
        return next(each for each in kept if each.part == part.part)

    async def _dropped(self, part: Part) -> None:
        self._open.pop(part.part, None)
        await asyncio.to_thread(self._store.batches.drop, part)

    async def _halved(self, part: Part) -> None:
        """The server takes no file so large."""
        key = part.key
        if len(part.calls) == 1:
            await self._keep(self._merger.failed(part.calls[0], refused("batch_line_large"), part.attempt), None)
            return
        most = (len(part.calls) + 1) // 2
        self._todo = deque(replace(each, most=min(each.most, most)) if each.key == key else each for each in self._todo)
        self._todo.appendleft(Todo(key, part.calls, part.attempt, most))

    # --- back ---

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

    async def _worst_of(self, number: int) -> Decimal:
        if self._budget.cap is None:
            return NOTHING
        call = self.plan.call(number)
        return await self._worst.of(call, self.plan.request(call))

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

    # --- meanwhile ---

    async def _rest(self, seconds: float) -> bool:
        """Wait, at most until somebody says something; whether the sweep is to end."""
        # Cleared afterwards: what was said while a server was asked is heard now.
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()
        self._news.clear()
        return self._ending is not None

    def _heard(self, kept: Output, error: PlaygroundError | None) -> None:
        """A line that fails says nothing of the others."""

    def _progress(self, state: SweepState, why: Said | None = None) -> Progress:
        sent = [part for part in self._open.values() if part.state == "sent"]
        return Progress(
            id=self.id,
            state=state,
            calls=len(self.plan),
            done=self._done,
            failed=self._failed,
            running=sum(len(part.calls) for part in sent),
            spent=self._budget.spent,
            budget=self._budget.cap,
            elapsed=time.monotonic() - self._started,
            eta=None,
            limit=0,
            held=0.0,
            latest=tuple(self._latest),
            why=why,
            batches=far(sent, self._trouble) if state == "running" else None,
        )
