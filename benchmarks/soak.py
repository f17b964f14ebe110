"""Ten thousand runs on loopback, twenty at a time, with pages opened anew now and then: nothing may pile up."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness import Figure, Viewer, app, fake_server, memory_mib, run
from benchmarks.wire import until_end

RUNS = int(os.environ.get("SOAK_RUNS", "10000"))
AT_ONCE, OF_A_PAGE = 20, 25
MODEL = "fault-burst:20"


@dataclass(frozen=True)
class Held:
    """What the app's process holds when nothing is under way."""

    memory: float
    files: int
    threads: int


def measure() -> list[Figure]:
    with fake_server() as server, app(server) as (url, pid, _):
        held = run(lambda: _measure(url, pid))
    first, middle, last = held
    told = f"{first.memory:.0f}, {middle.memory:.0f}, {last.memory:.0f} MiB after a third, two, three"
    return [
        Figure(
            f"memory after {RUNS:,} runs against after two thirds", last.memory / middle.memory, 1.05, False, "x", told
        ),
        Figure("files and sockets more than after a third", last.files - first.files, 10, False, "", f"{last.files}"),
        Figure("threads more than after a third", last.threads - first.threads, 20, False, "", f"{last.threads}"),
    ]


async def _measure(url: str, pid: int) -> list[Held]:
    held = []
    for _ in range(3):
        pages = iter(range(max(AT_ONCE, RUNS // 3 // OF_A_PAGE)))
        await asyncio.gather(*(_visitor(url, pages) for _ in range(AT_ONCE)))
        await asyncio.sleep(3)  # connections that were closed are seen to be
        held.append(_held(pid))
    return held


async def _visitor(url: str, pages: Iterator[int]) -> None:
    """Open one page after the other, as long as there are any, and run in each."""
    for _ in pages:
        viewer = await asyncio.to_thread(Viewer, url)
        for _ in range(OF_A_PAGE):
            await until_end(viewer.run(MODEL))
        await viewer.aclose()


def _held(pid: int) -> Held:
    about = Path(f"/proc/{pid}")
    return Held(
        memory=memory_mib(pid),
        files=len(list((about / "fd").iterdir())),
        threads=len(list((about / "task").iterdir())),
    )
