"""Fifty visitors of a shared page whose answers stream at once: first token, errors, memory. The server apart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from openai import AsyncOpenAI

from benchmarks.harness import ANSWER, Figure, Viewer, app, fake_server, memory_mib, run
from benchmarks.wire import PROMPT, raw, until_end

VISITORS, ROUNDS, RATE = 50, 3, 20
MODEL = f"fault-slow:{RATE}"
PHRASE = "benchmark"
SHARED = {
    "PLAYGROUND_SHARED": "1",
    "PLAYGROUND_PASSWORD": PHRASE,
    # Far away, but counted: each call is set aside and booked.
    "PLAYGROUND_LIMITS": "1000M tokens/day, visitor 100M tokens/day, visitor max_tokens=5000",
}


def measure() -> list[Figure]:
    with fake_server() as server, app(server, settings=SHARED) as (url, pid, _):
        alone, through, whole = run(lambda: _measure(server, url))
        memory = memory_mib(pid)
    calls = VISITORS * ROUNDS
    told = f"p95 {_p95(through):.3f} s, median {_p95(through, 0.5):.3f} s; the server alone p95 {_p95(alone):.3f} s"
    return [
        Figure(
            f"{VISITORS} streams at once, to the first token over the server's own",
            _p95(through) - _p95(alone),
            1,
            False,
            "s",
            told,
        ),
        Figure("of them, not whole", calls - whole, 0, False, "answers", f"of {calls}"),
        Figure("memory of the app after them", memory / 1024, 1.5, False, "GiB"),
    ]


async def _measure(server: str, url: str) -> tuple[list[float], list[float], int]:
    sdk = AsyncOpenAI(base_url=server, api_key="benchmark", max_retries=0)
    visitors = await asyncio.gather(*(asyncio.to_thread(_visitor, url, n) for n in range(VISITORS)))
    # A page that is open has asked something already: its session in Gradio is there.
    await asyncio.gather(*(until_end(visitor.run("fault-burst:50")) for visitor in visitors))
    alone: list[float] = []
    through: list[float] = []
    whole = 0
    for _ in range(ROUNDS):
        alone += [first for first, _ in await asyncio.gather(*(_first(raw(sdk, MODEL)) for _ in range(VISITORS)))]
        seen = await asyncio.gather(*(_first(visitor.run(MODEL), PROMPT) for visitor in visitors))
        through += [first for first, _ in seen]
        whole += sum(len(text.split()) >= ANSWER for _, text in seen)
    for visitor in visitors:
        await visitor.aclose()
    await sdk.close()
    return alone, through, whole


def _visitor(url: str, number: int) -> Viewer:
    return Viewer(url, name=f"visitor {number}", password=PHRASE)


async def _first(updates: AsyncGenerator[tuple[float, str]], shown: str = "") -> tuple[float, str]:
    """Seconds until there is more text than was `shown`, and the text at the end."""
    first, text = 0.0, ""
    async for at, text in updates:
        if not first and len(text) > len(shown):
            first = at
    return first, text


def _p95(values: list[float], share: float = 0.95) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
