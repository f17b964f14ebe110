"""In Chromium: streaming into a conversation of 200 messages against an empty one, and switching tab or model."""

from __future__ import annotations

import json
from typing import Any

from benchmarks.browser import FLAGS, LAST, TIMED, TOKENS
from benchmarks.harness import Figure, app, fake_server, median, run

MESSAGES = 200
TEXT = "A message of the conversation, about as long as people write them when they ask for something. " * 3


def measure() -> list[Figure]:
    with fake_server() as server, app(server) as (url, _pid, _seconds):
        empty, long, tab, model = run(lambda: _all(url))
    return [
        Figure(
            "streaming 2,000 tokens into 200 messages against an empty conversation",
            long / empty,
            1.5,
            False,
            "x",
            f"{long:.0f} ms against {empty:.0f} ms",
        ),
        Figure("switching the tab, with 200 messages in it", tab, 150, False, "ms"),
        Figure("switching the model, until the panel follows", model, 150, False, "ms"),
    ]


def _draft() -> str:
    """A conversation of MESSAGES messages as the page keeps it."""
    nodes: list[Any] = []
    for at in range(MESSAGES):
        role = "assistant" if at % 2 else "user"
        kids = [f"m{at + 1}"] if at + 1 < MESSAGES else []
        node = {"id": f"m{at}", "role": role, "text": TEXT, "images": [], "calls": [], "kids": kids, "at": 0}
        nodes.append([f"m{at}", node])
    root = ["root", {"id": "root", "kids": ["m0"], "at": 0}]
    return json.dumps({"version": 1, "system": "Be brief.", "nodes": [root, *nodes]})


async def _all(url: str) -> tuple[float, float, float, float]:
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        pairs = [(await _streamed(browser, url, None), await _streamed(browser, url, _draft())) for _ in range(3)]
        tab, model = await _switched(browser, url)
        await browser.close()
    return median([empty for empty, _ in pairs]), median([long for _, long in pairs]), tab, model


async def _opened(browser: Any, url: str, draft: str | None) -> Any:
    page = await browser.new_page(viewport={"width": 1280, "height": 900})
    if draft is not None:
        await page.add_init_script(f"localStorage.setItem('playground.draft.chat', {json.dumps(draft)})")
    await page.goto(url)
    await page.wait_for_selector(".pg-front")
    await page.wait_for_function("document.querySelector('#pg-model input').value !== ''")
    await page.click("#pg-tab-chat-button")
    return page


async def _streamed(browser: Any, url: str, draft: str | None) -> float:
    page = await _opened(browser, url, draft)
    await page.fill("#pg-model input", f"server/fault-burst:{TOKENS}")
    await page.keyboard.press("Enter")
    await page.locator(".pg-message-text").last.fill("Go on")
    await page.wait_for_timeout(1500)
    act = "document.querySelector('#pg-conversation .pg-submit').click()"
    # After the answer an empty message follows: the answer may be the last row or the one before.
    seen = f"[...document.querySelectorAll('.pg-message-text')].slice(-2).some((box) => box.value.includes({LAST!r}))"
    taken = float(await page.evaluate(TIMED, [act, seen]))
    await page.close()
    return taken


async def _switched(browser: Any, url: str) -> tuple[float, float]:
    page = await _opened(browser, url, _draft())
    tabs, models = [], []
    for _ in range(5):
        await page.click("#pg-tab-complete-button")
        await page.wait_for_timeout(200)
        seen = "document.querySelector('#pg-conversation').getBoundingClientRect().height > 0"
        tabs.append(float(await page.evaluate(TIMED, ["playground.openTab('chat')", seen])))
    for name, context in (("fake-gguf", "2048"), ("fake-vllm", "4096")) * 3:
        await page.fill("#pg-model input", f"server/{name}")
        act = """document.querySelector('#pg-model input').dispatchEvent(
            new KeyboardEvent('keydown', {key: 'Enter', bubbles: true}))"""
        seen = f"document.querySelector('#pg-param-max_tokens').max === '{context}'"
        models.append(float(await page.evaluate(TIMED, [act, seen])))
    await page.close()
    return median(tabs), median(models)
