"""Whether this process can serve: its database answers, its engine runs, and it is not about to end."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from playground.deps import Deps

FRESH = 1.0
"""Seconds that an answer holds: probes of several proxies make one question to the database."""
PATIENCE = 2.0
"""Seconds in which the database answers, or is away."""


@dataclass(frozen=True, slots=True)
class State:
    """What a probe is told: each part is `ok`, or a word on why not."""

    parts: dict[str, str]

    @property
    def ready(self) -> bool:
        return all(said == "ok" for said in self.parts.values())


class Readiness:
    """The answer to a probe, at most a second old."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._known: tuple[float, State] | None = None
        self._asking: asyncio.Task[None] | None = None

    async def state(self) -> State:
        if self._known is None or time.monotonic() - self._known[0] > FRESH:
            # One question at a time: a database that hangs must not take a thread for every probe.
            if self._asking is None or self._asking.done():
                self._asking = asyncio.create_task(asyncio.to_thread(self._deps.store.check))
            self._known = time.monotonic(), State(self._parts(await _store(self._asking)))
        return self._known[1]

    def _parts(self, store: str) -> dict[str, str]:
        engine = self._deps.engine
        running = {} if engine is None else {"engine": "ok" if engine.state.phase == "ready" else engine.state.phase}
        return {"app": "ending" if self._deps.turns.closed else "ok", "store": store, **running}


async def _store(asking: asyncio.Task[None]) -> str:
    done, _ = await asyncio.wait({asking}, timeout=PATIENCE)
    if not done:
        return "no answer"
    return "ok" if asking.exception() is None else "away"
