"""A sweep under way: bounded calls at the servers' pace, within the budget, every outcome stored before it counts.

What was answered is never asked again: a sweep that was paused, stopped, cut by a crash or out of budget goes on with
the calls that have no answer. What failed before anything came is tried again, here some times, and when it goes on.
"""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal
from typing import Any

from playground.errors import (
    AuthenticationFailed,
    EndpointError,
    InvalidRequest,
    LimitReached,
    PlaygroundError,
    QuotaExceeded,
    RateLimited,
    StoreError,
    TimedOut,
)
from playground.evaluate.budget import NOTHING, Budget, at_most
from playground.evaluate.calling import Came, ask
from playground.evaluate.lanes import Lane, Turn, lanes
from playground.evaluate.plan import Call, Plan
from playground.evaluate.work import Progress, Work
from playground.pricing import format_money
from playground.store import Output, SweepState
from playground.types import Request
from playground.words import Said

__all__ = ["IN_A_ROW", "Progress", "Running", "budget_reached"]

REFUSED = 30
"""How often a call is tried that a server refuses because it is asked too much."""
IN_A_ROW = 20
"""Calls that fail one after the other, none answered in between, after which the sweep rests: something is wrong."""


class Running(Work):
    """A sweep whose calls are asked one by one."""

    def __init__(self, id: str, plan: Plan, **parts: Any) -> None:
        super().__init__(id, plan, **parts)
        self._stop = asyncio.Event()
        self._bug: BaseException | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._lanes: tuple[Lane, ...] = ()
        self._row = 0

    def stop(self) -> None:
        """The same, and those under way are closed: what they said so far is kept, and they are asked again later."""
        if self._ending is None or self._ending[0] == "paused":
            self._ending = ("stopped", None)
        self._stop.set()
        self._news.set()

    def abandon(self) -> None:
        """As `stop`: nobody would write down what comes."""
        self.stop()

    async def _ask(self) -> None:
        self._lanes = lanes(self.plan, self._settled)
        await self._dispatch()
        if self._bug is not None:
            raise self._bug

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
        worst = await self._worst.of(call, request)
        if not await self._budget.reserve(worst):
            self._end("budget", budget_reached(self._budget, worst))
            return None
        if worst:
            await self._writer.keep(None)  # a process that is killed now may have paid for it
        return worst

    def _heard(self, kept: Output, error: PlaygroundError | None) -> None:
        if kept.status == "done":
            self._row = 0
        elif kept.status == "failed":
            self._row += 1
            if isinstance(error, LimitReached):
                self._end("failed", Said("why.limit", {"error": error.said}))
            elif isinstance(error, QuotaExceeded):
                self._end("failed", Said("why.quota"))
            elif isinstance(error, AuthenticationFailed) or self._row >= max(IN_A_ROW, self.plan.spec.concurrency):
                self._end("failed", Said("why.refused", {"count": self._row, "error": kept.error or ""}))

    def _progress(self, state: SweepState, why: Said | None = None) -> Progress:
        elapsed = time.monotonic() - self._started
        left = self._calls - self._done - self._failed
        running = [lane.pace for lane in self._lanes]
        return Progress(
            id=self.id,
            state=state,
            calls=self._calls,
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
