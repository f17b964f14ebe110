"""Who may generate now: first come, first served, within llama.cpp's slots and the context that they share."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class Room:
    """`slots` generations at once, whose prompts and answers together have at most `tokens` tokens.

    A large one is not overtaken by small ones behind it: it would wait for ever on a busy engine.
    """

    def __init__(self, *, slots: int, tokens: int) -> None:
        self.active = 0
        self._slots = slots
        self._free = tokens
        self._queue: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def place(self, tokens: int) -> AsyncGenerator[None]:
        """Wait for a place, and have it until the block ends."""
        called: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((tokens, called))
        self._call()
        try:
            await called
            yield
        finally:
            if called.done() and not called.cancelled():
                self.active -= 1
                self._free += tokens
            called.cancel()
            self._call()

    def _call(self) -> None:
        """Let in whoever is first, as long as there is room; those who went away are passed over."""
        while self._queue:
            tokens, called = self._queue[0]
            if not called.done():
                if self.active == self._slots or (self.active and tokens > self._free):
                    return
                self.active += 1
                self._free -= tokens
                called.set_result(None)
            self._queue.popleft()
