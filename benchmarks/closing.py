"""Stop, a closed tab, and Stop while the server stalls: seconds until the upstream request is closed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from benchmarks.harness import Figure, Viewer, app, median, run
from tests.fakes.server import FakeServer

ROUNDS = 3
GIVE_UP = 10


def measure() -> list[Figure]:
    with FakeServer(tokens=tuple(f" t{i}" for i in range(2_000))) as server, app(server.url) as (url, _pid, _seconds):
        return [
            Figure(
                f"{name}: the upstream request is closed, median",
                run(lambda m=m, t=t: _median(server, url, m, t)),
                1,
                False,
                "s",
            )
            for name, m, t in (
                ("Stop", "fault-slow:50", False),
                ("the tab is closed", "fault-slow:50", True),
                ("Stop while the server stalls", "fault-stall_first", False),
            )
        ]


async def _median(server: FakeServer, url: str, model: str, tab: bool) -> float:
    return median([await _closed_after(server, url, model, tab) for _ in range(ROUNDS)])


async def _closed_after(server: FakeServer, url: str, model: str, tab: bool) -> float:
    """Let a run begin, end it as a person would, and wait until the server sees the connection go."""
    viewer = Viewer(url)
    task = asyncio.create_task(_drain(viewer, model))
    await _until(lambda: server.open_streams == 1)
    await asyncio.sleep(0.5)
    begun = time.perf_counter()
    if tab:
        task.cancel()
    else:
        await viewer.stop()
    await _until(lambda: server.open_streams == 0)
    seconds = time.perf_counter() - begun
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await viewer.aclose()
    return seconds


async def _drain(viewer: Viewer, model: str) -> None:
    async for _ in viewer.run(model):
        pass


async def _until(true: Callable[[], bool]) -> None:
    deadline = time.perf_counter() + GIVE_UP
    while not true() and time.perf_counter() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
