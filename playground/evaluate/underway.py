"""The sweeps that this process runs, each in a task of its own: whoever asked for one may leave and come back."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field

from playground.errors import refused
from playground.evaluate.work import Ongoing, Progress

log = logging.getLogger("playground")

ENDING = 5.0
"""Seconds that are waited for sweeps to be kept when the app ends."""
MOST = 8
"""Sweeps at once: each has its own calls under way and answers in memory."""


@dataclass
class _Run:
    running: Ongoing
    progress: Progress
    loop: asyncio.AbstractEventLoop
    ended: Future[None] = field(default_factory=Future)


class Underway:
    """Sweeps by their ids. All methods but `close` belong to one event loop. `done` is told, in a thread, of each that
    came to its end."""

    def __init__(self, done: Callable[[str], object] = lambda id: None) -> None:
        self._done = done
        self._runs: dict[str, _Run] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, running: Ongoing) -> Progress:
        """Run it from here on; what it first says. Raises InvalidRequest where it runs already, or too many do."""
        if len(self._runs) >= MOST:
            raise refused("sweeps_many", most=MOST)
        frames = running.run()
        first = await anext(frames)  # what cannot begin says so here
        run = self._runs[running.id] = _Run(running, first, asyncio.get_running_loop())
        task = asyncio.create_task(self._follow(run, frames))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return first

    async def _follow(self, run: _Run, frames: AsyncGenerator[Progress]) -> None:
        try:
            async for run.progress in frames:
                pass
        except Exception:
            log.exception("a sweep failed")
        finally:
            del self._runs[run.running.id]
            run.ended.set_result(None)
        if run.progress.state == "done":
            try:
                await asyncio.to_thread(self._done, run.running.id)
            except Exception:
                log.exception("what follows a sweep failed")

    @property
    def busy(self) -> bool:
        return bool(self._runs)

    def of(self, id: str) -> tuple[Ongoing, Progress] | None:
        """The sweep and how far it is, where it runs here."""
        run = self._runs.get(id)
        return None if run is None else (run.running, run.progress)

    def pause(self, id: str) -> None:
        """No call begins any more. Raises InvalidRequest for one that does not run here."""
        self._running(id).pause()

    def stop(self, id: str) -> None:
        """The same, and those under way are closed."""
        self._running(id).stop()

    def pause_all(self) -> None:
        """From another thread: when this returns, no call begins any more."""
        for run in list(self._runs.values()):
            paused = threading.Event()
            run.loop.call_soon_threadsafe(_pause, run.running, paused)
            paused.wait(1)

    def _running(self, id: str) -> Ongoing:
        if id not in self._runs:
            raise refused("sweep_still", param="sweep")
        return self._runs[id].running

    async def close(self) -> None:
        """Leave what runs, a batch to its server, and wait until it is kept. May be called from another loop than the
        sweeps'."""
        live = [run for run in self._runs.values() if run.loop.is_running()]
        for run in live:
            run.loop.call_soon_threadsafe(run.running.abandon)
        with suppress(TimeoutError):
            async with asyncio.timeout(ENDING):
                await asyncio.gather(*(asyncio.wrap_future(run.ended) for run in live))


def _pause(running: Ongoing, paused: threading.Event) -> None:
    running.pause()
    paused.set()
