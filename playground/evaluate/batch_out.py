"""The way out of a sweep that is asked by the file: calls cut into parts that fit, and sent."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import replace

from playground.errors import EndpointError, InvalidRequest, refused
from playground.evaluate.batch_lines import line_of
from playground.evaluate.batch_sending import TooLarge
from playground.evaluate.batch_state import CHUNK, BatchState, Todo
from playground.evaluate.budget import NOTHING
from playground.evaluate.running import budget_reached
from playground.store import Part


class Outgoing(BatchState):
    """Sends what is to be sent, as far as the budget reaches."""

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
