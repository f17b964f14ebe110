"""Through the app against the raw SDK, on one fake server: throughput, time to first token, bursts, many viewers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator

from openai import AsyncOpenAI

from benchmarks.harness import Figure, Viewer, app, fake_server, median, run

BURST = 2_000
RATE = 100
VIEWERS = 20
PROMPT = "Once"


async def raw(sdk: AsyncOpenAI, model: str) -> AsyncGenerator[tuple[float, str]]:
    """What the app is compared with: the SDK alone, one update a token."""
    started = time.perf_counter()
    text = ""
    stream = await sdk.completions.create(model=model, prompt=PROMPT, max_tokens=4096, stream=True)
    async for chunk in stream:
        if chunk.choices and chunk.choices[0].text:
            text += chunk.choices[0].text
            yield time.perf_counter() - started, text


async def until_end(updates: AsyncGenerator[tuple[float, str]]) -> float:
    """Seconds until the last new text."""
    last, length = 0.0, 0
    async for at, text in updates:
        if len(text) > length:
            last, length = at, len(text)
    return last


async def until_long(updates: AsyncGenerator[tuple[float, str]], length: int) -> float:
    """Seconds until the text has `length` characters."""
    reached = 0.0
    async for at, text in updates:
        if not reached and len(text) >= length:
            reached = at
    return reached


def measure() -> list[Figure]:
    with fake_server() as server, app(server) as (url, _pid, _seconds):
        return list(run(lambda: _measure(server, url)))


async def _measure(server: str, url: str) -> list[Figure]:
    sdk = AsyncOpenAI(base_url=server, api_key="benchmark", max_retries=0)
    viewer = Viewer(url)
    await until_end(viewer.run("fault-burst:50"))  # warm: the first run loads what later ones share
    burst = f"fault-burst:{BURST}"
    through, alone = [], []
    for _ in range(5):
        alone.append(await until_end(raw(sdk, burst)))
        through.append(await until_end(viewer.run(burst)))
    figures = [
        Figure(
            "2,000 chunks at once, tokens/s against the raw SDK",
            median(alone) / median(through),
            0.75,
            True,
            "x",
            f"{BURST / median(through):,.0f} against {BURST / median(alone):,.0f} tokens/s",
        ),
        await _rate(sdk, viewer),
        await _first_token(sdk, viewer),
        await _burst_end(sdk, viewer),
        await _viewers(sdk, url),
    ]
    await viewer.aclose()
    await sdk.close()
    return figures


async def _rate(sdk: AsyncOpenAI, viewer: Viewer) -> Figure:
    model = f"fault-slow:{RATE}"
    alone, through = await until_end(raw(sdk, model)), await until_end(viewer.run(model))
    return Figure(
        "at 100 tokens/s, tokens/s against the raw SDK",
        alone / through,
        0.99,
        True,
        "x",
        f"{through:.2f} s against {alone:.2f} s",
    )


async def _first_token(sdk: AsyncOpenAI, viewer: Viewer) -> Figure:
    added = []
    for _ in range(21):
        alone = await until_long(raw(sdk, "fault-burst:20"), 1)
        added.append(await until_long(viewer.run("fault-burst:20"), len(PROMPT) + 1) - alone)
    return Figure("added time to first token, median", median(added) * 1000, 35, False, "ms")


async def _burst_end(sdk: AsyncOpenAI, viewer: Viewer) -> Figure:
    """The server sends two tokens, then nothing for a second: how much later than the SDK alone is the second shown."""
    late = []
    for _ in range(5):
        alone = await until_long(raw(sdk, "fault-burst_then_pause:1"), len(" t0 t1"))
        shown = await until_long(viewer.run("fault-burst_then_pause:1"), len(PROMPT + " t0 t1"))
        late.append(shown - alone)
    return Figure("a burst's last token is shown after it came, median", median(late) * 1000, 60, False, "ms")


async def _viewers(sdk: AsyncOpenAI, url: str) -> Figure:
    ideal = await until_end(raw(sdk, f"fault-slow:{RATE}"))
    viewers = [Viewer(url) for _ in range(VIEWERS)]
    times = await asyncio.gather(*(until_end(viewer.run(f"fault-slow:{RATE}")) for viewer in viewers))
    for viewer in viewers:
        await viewer.aclose()
    return Figure(
        f"{VIEWERS} viewers at 100 tokens/s, the slowest against one alone",
        max(times) / ideal,
        1.15,
        False,
        "x",
        f"{max(times):.2f} s against {ideal:.2f} s",
    )
