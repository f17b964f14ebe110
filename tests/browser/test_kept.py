"""What the browser keeps of a page: whatever window, link or reload comes, what was written and answered is there."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio

from tests.browser.screen import FRONT, Screen
from tests.browser.test_presets import load
from tests.fakes.server import FakeServer

FAST, SLOW = "server/fake", "server/fault-slow:40"
KEPT = "(localStorage.getItem('playground.draft.{}') || '').includes('{}')"
WRITE = """([selector, text]) => { const box = document.querySelector(selector);
    box.value = text; box.dispatchEvent(new Event('input', {bubbles: true})); }"""


@pytest_asyncio.fixture(loop_scope="session")
async def screen(visits: Any, fake_app: Any) -> Any:
    return await visits(fake_app, model=FAST)


async def another(screen: Screen, tab: str) -> Screen:
    """A second window of the same browser."""
    window = Screen(await screen.page.context.new_page(), screen.url)
    await window.open()
    await window.tab(tab)
    return window


async def close(screen: Screen) -> None:
    """As a person does, who leaves the page: it hears of that."""
    await screen.page.goto("about:blank")
    await screen.page.close()


async def test_a_link_is_opened_once_and_a_reload_shows_what_was_made_of_it(screen: Any) -> None:
    await screen.tab("chat")
    await load(screen, "Sports assistant")
    await screen.page.click(".pg-toolbar-right >> text=Share")
    link = await screen.page.input_value(".pg-share-link")
    await screen.page.goto(link + "&theme=dark")
    await screen.ready()
    await screen.until("!location.search.includes('preset')")
    assert "theme=dark" in screen.page.url
    await screen.asked("My own question")
    shown = await screen.messages()
    for _ in range(2):
        await screen.page.reload()
        await screen.ready()
        await screen.until("document.body.dataset.mode === 'chat'")
        assert await screen.messages() == shown


@pytest.mark.parametrize("tab", ["complete", "chat", "edit"])
async def test_a_window_in_which_nothing_happens_overwrites_nothing(screen: Any, tab: str) -> None:
    await screen.tab(tab)
    idle = await another(screen, tab)
    box = {"complete": FRONT, "chat": "#pg-conversation .pg-message-text", "edit": ".pg-edit-input"}[tab]
    await screen.page.locator(box).last.fill("An hour of work")
    await screen.until(KEPT.format(tab, "An hour"))
    await close(screen)
    await close(idle)
    third = Screen(await screen.page.context.new_page(), screen.url)
    await third.open()
    assert await third.page.input_value(box) == "An hour of work"


@pytest.mark.parametrize("tab", ["complete", "chat", "edit"])
async def test_an_answer_is_kept_while_it_comes(
    screen: Any, fake: FakeServer, tab: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fake, "tokens", tuple(f" t{i}" for i in range(600)))
    await screen.choose(SLOW)
    await screen.tab(tab)
    await screen.begin()
    # The browser could crash now: nothing hears of that.
    await screen.until(KEPT.format(tab, " t40"), seconds=30)
    await screen.page.wait_for_timeout(600)
    await screen.page.keyboard.press("Escape")
    await screen.until("!document.querySelector('.pg-stop')")


async def test_a_text_whose_past_does_not_fit_is_kept_without_it(screen: Any) -> None:
    await screen.choose("server/fault-401")
    half = "x" * 1_500_000
    for last in ("1", "2", "3"):
        await screen.page.evaluate(WRITE, [FRONT, half + last])
        await screen.page.click("#pg-editor .pg-submit")
        await screen.notice_with("key")
        await screen.ended()
    await screen.until(KEPT.format("complete", "x3"), seconds=30)
    await screen.page.reload()
    await screen.ready()
    assert await screen.text() == half + "3"


async def test_what_does_not_fit_into_the_storage_is_told_once(screen: Any) -> None:
    await screen.page.evaluate(WRITE, [FRONT, "x" * 6_000_000])
    await screen.toast("does not fit into the browser's storage")


async def test_what_does_not_fit_into_a_request_is_said_and_the_page_lives(screen: Any, fake: FakeServer) -> None:
    before = len(fake.requests)
    await screen.page.evaluate(WRITE, [FRONT, "☃" * 4_000_000])
    await screen.page.click("#pg-editor .pg-submit")
    await screen.toast("more than fits into one request")
    await screen.tab("chat")
    await screen.page.evaluate(WRITE, ["#pg-conversation .pg-message-text", "☃" * 4_000_000])
    await screen.page.locator("#pg-conversation .pg-submit").click()
    await screen.toast("more than fits into one request")
    assert not await screen.page.locator(".pg-stop").count()
    assert not [each for each in fake.requests[before:] if "completions" in each.path]


async def test_half_a_character_in_a_prompt_is_sent_as_a_whole_one(screen: Any, fake: FakeServer) -> None:
    await screen.page.evaluate(WRITE, [FRONT, "a\ud83d"])
    await screen.run()
    assert [each.body["prompt"] for each in fake.requests if each.path == "/v1/completions"][-1] == "a�"
    assert await screen.text() == "a�Hello, world!"
