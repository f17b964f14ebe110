"""In Chromium, from the click to the last of 2,000 tokens visible, against `gr.load_chat` on the same server."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from benchmarks.harness import Figure, app, fake_server, free_port, median, process, run

TOKENS = 2_000
LAST = f"t{TOKENS - 1}"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
LOAD_CHAT = """
import sys, gradio as gr
gr.load_chat(sys.argv[1], model=sys.argv[2], token="benchmark").launch(
    server_port=int(sys.argv[3]), quiet=True, ssr_mode=False, run_history=False)
"""
#: Milliseconds from `act()` until `seen()`, looked at once a frame.
TIMED = """async ([act, seen]) => {
  const run = new Function(act), done = new Function('return ' + seen), begun = performance.now();
  run();
  while (!done()) await new Promise(requestAnimationFrame);
  return performance.now() - begun;
}"""


def measure() -> list[Figure]:
    with fake_server() as server, app(server) as (url, _pid, _seconds), tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "load_chat.py"
        script.write_text(LOAD_CHAT)
        port = free_port()
        arguments = [str(script), server, f"fault-burst:{TOKENS}", str(port)]
        with process(arguments, f"http://127.0.0.1:{port}") as _:
            ours, theirs = run(lambda: _both(url, f"http://127.0.0.1:{port}"))
    return [
        Figure(
            "in Chromium, 2,000 tokens: times faster than gr.load_chat",
            theirs / ours,
            12,
            True,
            "x",
            f"{ours / 1000:.2f} s against {theirs / 1000:.2f} s",
        )
    ]


async def _both(ours: str, theirs: str) -> tuple[float, float]:
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        timed = [await _ours(browser, ours) for _ in range(3)]
        chat = await _theirs(browser, theirs)
        await browser.close()
    return median(timed), chat


async def _ours(browser: Any, url: str) -> float:
    page = await browser.new_page()
    await page.goto(url)
    await page.wait_for_selector(".pg-front")
    await page.wait_for_function("document.querySelector('#pg-model input').value !== ''")
    await page.fill("#pg-model input", f"server/fault-burst:{TOKENS}")
    await page.keyboard.press("Enter")
    await page.fill(".pg-front", "Once")
    await page.wait_for_timeout(1000)
    act = "document.querySelector('.pg-submit').click()"
    seen = f"document.querySelector('.pg-back').textContent.includes({LAST!r})"
    taken = float(await page.evaluate(TIMED, [act, seen]))
    await page.close()
    return taken


async def _theirs(browser: Any, url: str) -> float:
    page = await browser.new_page()
    await page.goto(url)
    box = page.locator("textarea").first
    await box.fill("Once")
    await page.wait_for_timeout(1000)
    act = "document.querySelector('.submit-button').click()"
    taken = float(await page.evaluate(TIMED, [act, f"document.body.innerText.includes({LAST!r})"]))
    await page.close()
    return taken
