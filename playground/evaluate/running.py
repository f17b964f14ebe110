"""A sweep under way: bounded calls at the servers' pace, within the budget, every outcome stored before it counts.

What was answered is never asked again: a sweep that was paused, stopped, cut by a crash or out of budget goes on with
the calls that have no answer. What failed before anything came is tried again, here some times, and when it goes on.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from playground.errors import (
    AuthenticationFailed,
    EndpointError,
    InvalidRequest,
    PlaygroundError,
    QuotaExceeded,
    RateLimited,
    StoreError,
    TimedOut,
)
from playground.evaluate.budget import NOTHING, Budget, at_most
from playground.evaluate.calling import Came, ask
from playground.evaluate.lanes import Lane, Turn, lanes
from playground.evaluate.metrics.metric import Metric
from playground.evaluate.plan import Call, Plan
from playground.evaluate.plan_cost import worst_cost
from playground.evaluate.writing import Writer
from playground.pricing import format_money
from playground.retry import RetryPolicy
from playground.store import Output, Store, SweepState
from playground.tokens import TokenCount
from playground.types import ModelInfo, Request
from playground.words import Said

if TYPE_CHECKING:
    from playground.client import Client
    from playground.tokens import Counter

ATTEMPTS, REFUSED = 6, 30
"""How often a call is tried that fails, and one that a server refuses because it is asked too much."""
IN_A_ROW = 20
"""Calls that fail one after the other, none answered in between, after which the sweep rests: something is wrong."""
TICK = 0.1
"""Seconds between two looks at the progress."""
LATEST = 50

Count = Callable[[Request, ModelInfo], Awaitable[TokenCount]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A sweep as it stands. `done` and `failed` count its outcomes, those of earlier runs too; `eta` is in seconds;
    `limit` is how many calls at once the servers take now; `held` for how long one asked to wait; `why` it rests."""

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


class Running:
    """One sweep, already kept in the store (`sweeping.begin`), run once: `run`, and meanwhile `pause` or `stop`."""

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
        self._client, self._store, self._counter, self._count = client, store, counter, count
        self._metrics = tuple(metrics)
        self._retry = retry or RetryPolicy(attempts=ATTEMPTS)
        self._stop = asyncio.Event()
        self._news = asyncio.Event()
        self._ending: tuple[SweepState, Said | None] | None = None
        self._bug: BaseException | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._lanes: tuple[Lane, ...] = ()
        self._latest: deque[Output] = deque(maxlen=LATEST)
        self._done = self._failed = self._now_done = self._row = 0
        self._budget = Budget(plan.spec.budget)
        self._counted: dict[tuple[Any, ...], int] = {}
        self._started = time.monotonic()

    def pause(self) -> None:
        """No call begins any more; those under way are answered, since they are paid for."""
        self._end("paused")

    def stop(self) -> None:
        """The same, and those under way are closed: what they said so far is kept, and they are asked again later."""
        if self._ending is None or self._ending[0] == "paused":
            self._ending = ("stopped", None)
        self._stop.set()
        self._news.set()

    async def run(self) -> AsyncGenerator[Progress]:
        """Run what is not answered yet; yields some ten times a second, and at the end, when nothing runs any more.

        Raises InvalidRequest where it runs elsewhere; StoreError where it cannot even begin. Closing the generator
        stops the sweep.
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
                self.stop()
                await asyncio.shield(asyncio.wait({work}))
        state, why = work.result()
        yield self._progress(state, why)

    async def _work(self, spent: Decimal) -> tuple[SweepState, Said | None]:
        state: SweepState = "failed"
        why: Said | None = None
        try:
            await self._prepare(spent)
            await self._dispatch()
            if self._bug is not None:
                raise self._bug
            state, why = self._ending or ("done", None)
        finally:
            told = None if why is None else {"key": why.key, "args": dict(why.args)}
            try:
                await asyncio.to_thread(self._store.sweeps.let_go, self.id, state, told)
            except StoreError as error:
                state, why = "failed", Said("why.store", {"error": error.message})
        return state, why

    async def _prepare(self, spent: Decimal) -> None:
        settled = await asyncio.to_thread(self._store.sweeps.settled, self.id)
        found = await asyncio.to_thread(self._store.sweeps.sweep, self.id)
        self._done = found.done if found else 0
        self._failed = len(settled) - self._done
        self._budget = Budget(self.plan.spec.budget, spent)
        self._writer = Writer(self._store, self.id, self._budget, self._metrics, self.plan.cases)
        self._lanes = lanes(self.plan, settled)
        self._started = time.monotonic()

    async def _dispatch(self) -> None:
        """Start calls as long as there are any and nobody said to end; wait for those that run."""
        while True:
            self._news.clear()
            wait = self._start()
            if not self._tasks and wait is None:
                return
            # `wait` and not `wait_for`: running out of time is no error here.
            news = asyncio.create_task(self._news.wait())
            await asyncio.wait({news}, timeout=wait)
            news.cancel()

    def _start(self) -> float | None:
        """Start what may start; seconds until more may, None: not before something happens."""
        while self._ending is None and len(self._tasks) < self.plan.spec.concurrency:
            waits = [(wait, at) for at, lane in enumerate(self._lanes) if (wait := lane.wait()) is not None]
            if not waits:
                return None
            wait, at = min(waits)
            if wait > 0:
                return wait
            lane = self._lanes[at]
            task = asyncio.create_task(self._one(lane, lane.take(), lane.pace.begin()))
            self._tasks.add(task)
            task.add_done_callback(self._over)
        return None

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._news.set()
        error = None if task.cancelled() else task.exception()
        if isinstance(error, StoreError):
            self._end("failed", Said("why.store", {"error": error.message}))
        elif error is not None:
            self._bug = error
            self._end("failed")

    async def _one(self, lane: Lane, turn: Turn, began: float) -> None:
        """One call, asked once: set aside, asked, booked, kept, or put back to be tried again."""
        released = False
        try:
            request = self.plan.request(turn.call)
            worst = await self._reserved(turn.call, request)
            if worst is None:
                return
            came = await ask(
                turn.call,
                request,
                client=self._client,
                counter=self._counter,
                stop=self._stop,
                attempts=turn.attempt,
            )
            released = True
            delay = self._paced(lane, turn, began, came)
            self._budget.settle(worst, _booked(came, worst))
            if delay is not None and self._ending is None:
                lane.again(turn, delay)
                return
            await self._keep(came.output, came.error)
        except InvalidRequest as error:  # the text of this case does not fit this model
            number, cell, row, repeat = turn.call
            output = Output(number=number, cell=cell, row=row, repeat=repeat, status="failed", error=str(error))
            await self._keep(output, None)
        finally:
            if not released:
                lane.pace.ended()

    def _paced(self, lane: Lane, turn: Turn, began: float, came: Came) -> float | None:
        """Tell the pace what became of a call; seconds until it is tried again, None: it is over."""
        error = came.error
        slow = isinstance(error, RateLimited) or (isinstance(error, EndpointError) and error.retry_after is not None)
        if isinstance(error, EndpointError) and slow and not isinstance(error, QuotaExceeded):
            lane.pace.refused(began, error.retry_after)
            return 0.0 if not came.begun and turn.attempt < REFUSED else None
        if error is None and came.output.status == "done":
            lane.pace.answered()
        else:
            lane.pace.ended()
        if came.begun or not isinstance(error, EndpointError):
            return None
        return self._retry.delay(error, turn.attempt)

    async def _reserved(self, call: Call, request: Request) -> Decimal | None:
        """What was set aside for the call; None where the budget does not reach for it."""
        if self._budget.cap is None:
            return NOTHING
        worst = await self._worst(call, request)
        if not await self._budget.reserve(worst):
            self._end("budget", budget_reached(self._budget, worst))
            return None
        if worst:
            await self._writer.keep(None)  # a process that is killed now may have paid for it
        return worst

    async def _worst(self, call: Call, request: Request) -> Decimal:
        cell = self.plan.cells[call.cell]
        if cell.kind == "engine":
            return NOTHING  # this machine's own
        key = cell.model.ref, cell.preset, call.case
        if key not in self._counted:
            self._counted = {} if len(self._counted) > 10_000 else self._counted
            self._counted[key] = (await self._count(request, cell.model)).tokens
        worst = worst_cost(request, cell.model, cell.kind, self._counted[key])
        return NOTHING if worst is None else worst  # `sweeping.check_budget` has ruled None out

    async def _keep(self, output: Output, error: PlaygroundError | None) -> None:
        kept = await self._writer.keep(output)
        if kept is None:
            return
        self._latest.append(kept)
        if kept.status == "done":
            self._done, self._now_done, self._row = self._done + 1, self._now_done + 1, 0
        elif kept.status == "failed":
            self._failed, self._row = self._failed + 1, self._row + 1
            if isinstance(error, QuotaExceeded):
                self._end("failed", Said("why.quota"))
            elif isinstance(error, AuthenticationFailed) or self._row >= max(IN_A_ROW, self.plan.spec.concurrency):
                self._end("failed", Said("why.refused", {"count": self._row, "error": kept.error or ""}))

    def _end(self, state: SweepState, why: Said | None = None) -> None:
        if self._ending is None:
            self._ending = (state, why)
        self._news.set()

    def _progress(self, state: SweepState, why: Said | None = None) -> Progress:
        elapsed = time.monotonic() - self._started
        left = len(self.plan) - self._done - self._failed
        running = [lane.pace for lane in self._lanes]
        return Progress(
            id=self.id,
            state=state,
            calls=len(self.plan),
            done=self._done,
            failed=self._failed,
            running=len(self._tasks),
            spent=self._budget.spent,
            budget=self._budget.cap,
            elapsed=elapsed,
            eta=elapsed / self._now_done * left if self._now_done and state == "running" else None,
            limit=min(self.plan.spec.concurrency, sum(int(pace.limit) for pace in running)),
            held=max((pace.wait() or 0.0 for pace in running), default=0.0),
            latest=tuple(self._latest),
            why=why,
        )


def budget_reached(budget: Budget, worst: Decimal) -> Said:
    figures = {"budget": budget.cap, "spent": budget.spent, "worst": worst}
    return Said("why.budget", {name: format_money(amount) for name, amount in figures.items()})


def _booked(came: Came, worst: Decimal) -> Decimal:
    """What a call is counted at. One that nobody answered in time, or that was stopped, may have been worked on."""
    output = came.output
    if output.completion_tokens is None:
        unsure = output.status == "stopped" or isinstance(came.error, TimedOut)
        return worst if unsure else NOTHING
    return at_most(bool(output.usage_estimated), worst=worst, cost=output.cost)
