"""A job's events as they happen, as server-sent events."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable

from playground.engine.tuning.events import Events

LOOK = 0.2
"""Seconds between two looks: events are a file, which another engine may be writing."""
QUIET = 15.0
"""Seconds without an event after which a comment shows that the connection lives."""


async def lines(events: Events, ended: Callable[[], bool], after: str | None) -> AsyncGenerator[str]:
    """Events from the oldest on, or those after one; then each as it comes, and [DONE] when the job has ended."""
    told = next((at for at, event in enumerate(events.all(), 1) if event["id"] == after), 0)
    spoke = time.monotonic()
    while True:
        # Asked before the events are read: an ended job has written its last one.
        over = ended()
        for event in events.all()[told:]:
            told, spoke = told + 1, time.monotonic()
            yield f"data: {json.dumps(event, separators=(',', ':'))}\n\n"
        if over:
            yield "data: [DONE]\n\n"
            return
        if time.monotonic() - spoke > QUIET:
            spoke = time.monotonic()
            yield ": still there\n\n"
        await asyncio.sleep(LOOK)
