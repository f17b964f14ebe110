"""A streamed answer whose model is loaded first: what comes meanwhile says so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, aclosing
from typing import Any

from playground.engine.generation import Generator
from playground.engine.serving import Serving

PATIENCE = 1.0
"""Seconds before it is said that a model is being loaded, and between two times. A refusal comes within the first, and
so has its HTTP status."""

Answer = Callable[[Generator], AsyncGenerator[dict[str, Any]]]


async def answered(serving: Serving, name: str, kind: str, answer: Answer) -> AsyncGenerator[dict[str, Any]]:
    """The chunks of `answer`, whose model stays loaded until the last of them. While it is being loaded, chunks without
    choices, which clients pass over, have `loading`: the model and the seconds so far."""
    started = time.monotonic()
    async with AsyncExitStack() as stack:
        entering = asyncio.ensure_future(stack.enter_async_context(serving.use(name)))
        try:
            while not (await asyncio.wait({entering}, timeout=PATIENCE))[0]:
                seconds = round(time.monotonic() - started, 1)
                head = {"id": "", "object": kind, "created": int(time.time()), "model": name, "choices": []}
                yield {**head, "loading": {"model": name, "seconds": seconds}}
        finally:
            # Also when the client has gone away meanwhile. What has been entered is left by the stack.
            entering.cancel()
            await asyncio.wait({entering})
        async with aclosing(answer(entering.result())) as chunks:
            async for chunk in chunks:
                yield chunk
