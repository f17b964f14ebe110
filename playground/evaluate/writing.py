"""Outcomes on their way into the store: scored and written in a thread, several in one transaction where they queue up.

Who hands one over waits until it is written: only then does it count, and only then does the next call begin.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from playground.errors import StoreError
from playground.evaluate.budget import Budget
from playground.evaluate.dataset import Case
from playground.evaluate.metrics.metric import Metric
from playground.store import Output, Store

TRIES, PAUSE = 5, 1.0
"""A disk that is full or a database that another holds gets this many chances, so many seconds apart."""


class Writer:
    """Of one sweep. `keep` raises StoreError when the store does not take it, also after some patience."""

    def __init__(self, store: Store, id: str, budget: Budget, metrics: Sequence[Metric], cases: Sequence[Case]) -> None:
        self._store, self._id, self._budget, self._metrics, self._cases = store, id, budget, metrics, cases
        self._queue: list[tuple[Output | None, asyncio.Future[Output | None]]] = []
        self._task: asyncio.Task[None] | None = None

    async def keep(self, output: Output | None) -> Output | None:
        """The output as it was written, with its scores. None: only what the budget has set aside is written."""
        future: asyncio.Future[Output | None] = asyncio.get_running_loop().create_future()
        self._queue.append((output, future))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._flush())
        return await future

    async def _flush(self) -> None:
        while self._queue:
            batch, self._queue = self._queue, []
            try:
                written = await self._patiently([output for output, _ in batch])
            except BaseException as error:
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                if not isinstance(error, StoreError):
                    raise
                continue
            for (_, future), output in zip(batch, written, strict=True):
                if not future.done():
                    future.set_result(output)

    async def _patiently(self, outputs: list[Output | None]) -> list[Output | None]:
        for attempt in range(1, TRIES + 1):
            try:
                return await asyncio.to_thread(self._write, outputs)
            except StoreError:
                if attempt == TRIES:
                    raise
                await asyncio.sleep(PAUSE)
        raise AssertionError("unreachable")

    def _write(self, outputs: list[Output | None]) -> list[Output | None]:
        scored = [output and self._scored(output) for output in outputs]
        there = [output for output in scored if output is not None]
        self._store.sweeps.keep(self._id, there, spent=self._budget.spent, reserved=self._budget.reserved)
        return scored

    def _scored(self, output: Output) -> Output:
        """What was answered has scores; what failed has none, and is told apart."""
        if output.status != "done":
            return output
        case = self._cases[output.row]
        scores = {each.name: each.score(output.answer, case) for each in self._metrics if each.score is not None}
        return replace(output, scores=scores)
