"""A sweep asked by the file: its calls as OpenAI batches, sent, followed, their answers kept as live ones are.

In rounds: every call that has no answer is sent, and when all batches have ended, what failed and may do better is sent
again. Batches outlive this process, and are gone on with by whoever resumes the sweep (`batch_sending.py`).
"""

from __future__ import annotations

import asyncio
import time

from playground.errors import EndpointError, PlaygroundError, QuotaExceeded
from playground.evaluate.batch_back import Returning
from playground.evaluate.batch_lines import kinds
from playground.evaluate.batch_out import Outgoing
from playground.evaluate.batch_state import Todo
from playground.evaluate.batch_words import far
from playground.evaluate.work import Progress
from playground.store import Output, SweepState
from playground.words import Said


class Batched(Outgoing, Returning):
    """A sweep whose calls are sent by the file. `pause` leaves the batches to their servers, `stop` cancels them."""

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
