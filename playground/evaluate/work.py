"""A sweep under way, however its calls are asked: held by this process, within its budget, each outcome stored before
it counts. `Running` asks them one by one, `batching.Batched` by the file."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

from playground.errors import PlaygroundError, StoreError
from playground.evaluate.budget import Budget
from playground.evaluate.metrics.metric import Metric
from playground.evaluate.plan import Plan
from playground.evaluate.plan_cost import Count
from playground.evaluate.worst import Worst
from playground.evaluate.writing import Writer
from playground.retry import RetryPolicy
from playground.store import Output, Store, SweepState
from playground.words import Said

if TYPE_CHECKING:
    from playground.client import Client
    from playground.tokens import Counter

ATTEMPTS = 6
"""How often something is tried that fails."""
TICK = 0.1
"""Seconds between two looks at the progress."""
LATEST = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A sweep as it stands. `done` and `failed` count its outcomes, those of earlier runs too; `eta` is in seconds;
    `limit` is how many calls at once the servers take now; `held` for how long one asked to wait; `why` it rests;
    `batches` says how far its batches are, where it has any under way."""

    id: str
    state: SweepState
    calls: int
    done: int
    failed: int
    running: int
    spent: Decimal
    budget: Decimal | None
    elapsed: float
    eta: float | None
    limit: int
    held: float
    latest: tuple[Output, ...]
    why: Said | None
    batches: Said | None = None
    judge: str | None = None
    """The judge who is asked now, of whose calls `calls`, `done` and `failed` are."""


class Ongoing(Protocol):
    """A sweep under way, to whoever follows it."""

    @property
    def id(self) -> str: ...
    @property
    def plan(self) -> Plan: ...
    @property
    def by_file(self) -> bool:
        """Whether what is under way now are batches, which go on at their server when nobody follows them."""
        ...

    def run(self) -> AsyncGenerator[Progress]: ...
    def pause(self) -> None: ...
    def stop(self) -> None: ...
    def abandon(self) -> None: ...


class Work(ABC):
    """One sweep, already kept in the store (`sweeping.begin`), run once: `run`, and meanwhile `pause` or `stop`."""

    by_file = False

    def __init__(
        self,
        id: str,
        plan: Plan,
        *,
        client: Client,
        store: Store,
        counter: Counter,
        count: Count,
        metrics: Sequence[Metric] = (),
        retry: RetryPolicy | None = None,
    ) -> None:
        self.id, self.plan = id, plan
        self._client, self._store, self._counter = client, store, counter
        self._metrics = tuple(metrics)
        self._retry = retry or RetryPolicy(attempts=ATTEMPTS)
        self._news = asyncio.Event()
        self._ending: tuple[SweepState, Said | None] | None = None
        self._latest: deque[Output] = deque(maxlen=LATEST)
        self._done = self._failed = self._now_done = 0
        self._calls = len(plan)
        self._budget = Budget(plan.spec.budget)
        self._worst = Worst(plan, count)
        self._started = time.monotonic()

    def pause(self) -> None:
        """Nothing begins any more; what is under way is not given up, since it is paid for."""
        self._end("paused")

    @abstractmethod
    def stop(self) -> None:
        """The same, and what is under way is ended: what it said so far is kept, and it is asked again later."""

    @abstractmethod
    def abandon(self) -> None:
        """Nobody follows any more: the page was closed, or the app ends."""

    @abstractmethod
    async def _ask(self) -> None:
        """Ask what has no answer, until nothing is left or `_ending` is set."""

    async def run(self) -> AsyncGenerator[Progress]:
        """Run what is not answered yet; yields some ten times a second, and at the end, when nothing runs any more.

        Raises InvalidRequest where it runs elsewhere; StoreError where it cannot even begin. Closing the generator
        abandons the sweep.
        """
        spent = await asyncio.to_thread(self._store.sweeps.claim, self.id)
        work = asyncio.create_task(self._work(spent))
        try:
            while not work.done():
                await asyncio.wait({work}, timeout=TICK)
                if not work.done():
                    yield self._progress("running")
        finally:
            if not work.done():
                self.abandon()
                await asyncio.shield(asyncio.wait({work}))
        state, why = work.result()
        yield self._progress(state, why)

    async def _work(self, spent: Decimal) -> tuple[SweepState, Said | None]:
        state: SweepState = "failed"
        why: Said | None = None
        try:
            await self._prepare(spent)
            await self._ask()
            state, why = self._ending or ("done", None)
        finally:
            told = None if why is None else {"key": why.key, "args": dict(why.args)}
            try:
                await asyncio.to_thread(self._store.sweeps.let_go, self.id, state, told)
            except StoreError as error:
                state, why = "failed", Said("why.store", {"error": error.message})
        return state, why

    async def _prepare(self, spent: Decimal) -> None:
        self._settled = await asyncio.to_thread(self._store.sweeps.settled, self.id)
        found = await asyncio.to_thread(self._store.sweeps.sweep, self.id)
        self._done = found.done if found else 0
        self._failed = len(self._settled) - self._done
        self._budget = Budget(self.plan.spec.budget, spent)
        self._writer = Writer(self._store, self.id, self._budget, self._metrics, self.plan.cases)
        self._started = time.monotonic()

    async def _keep(self, output: Output, error: PlaygroundError | None) -> None:
        kept = await self._writer.keep(output)
        if kept is None:
            return
        self._latest.append(kept)
        if kept.status == "done":
            self._done, self._now_done = self._done + 1, self._now_done + 1
        elif kept.status == "failed":
            self._failed += 1
        self._heard(kept, error)

    @abstractmethod
    def _heard(self, kept: Output, error: PlaygroundError | None) -> None:
        """An outcome was written, and counted."""

    def _end(self, state: SweepState, why: Said | None = None) -> None:
        if self._ending is None:
            self._ending = (state, why)
        self._news.set()

    @abstractmethod
    def _progress(self, state: SweepState, why: Said | None = None) -> Progress: ...
