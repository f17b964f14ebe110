"""Stop, and what is heard of a run after it: however late something comes, no run goes on and no answer is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio

from tests.fakes.helpers import until
from tests.fakes.server import FakeServer

LONG = tuple(f" t{i}" for i in range(400))
SLOW = "server/fault-slow:20"
CARD = "[...document.querySelectorAll('#pg-choices-chat .pg-card-text')].some(n => n.textContent.includes('{}'))"


@pytest_asyncio.fixture(loop_scope="session")
async def screen(visits: Any, fake_app: Any, fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(fake, "tokens", LONG)
    return await visits(fake_app, model=SLOW)


@asynccontextmanager
async def held(screen: Any, path: str, *, first: int = 99) -> AsyncIterator[asyncio.Event]:
    """The first requests to `path` wait for the event."""
    go, seen = asyncio.Event(), [0]

    async def hold(route: Any) -> None:
        seen[0] += 1
        if seen[0] <= first:
            await go.wait()
        await route.continue_()

    await screen.page.route(path, hold)
    yield go
    go.set()
    await screen.page.unroute_all(behavior="wait")


async def stop(screen: Any) -> None:
    await screen.page.wait_for_timeout(600)
    await screen.page.keyboard.press("Escape")
    await screen.until("!document.querySelector('.pg-stop')", seconds=10)


def runs(fake: FakeServer) -> list[Any]:
    return [request for request in fake.requests if request.path.endswith("completions")]


@pytest.mark.parametrize("tab", ["complete", "chat", "edit"])
async def test_a_run_that_begins_after_it_was_stopped_is_stopped_again(screen: Any, fake: FakeServer, tab: str) -> None:
    await screen.tab(tab)
    before = len(runs(fake))
    async with held(screen, "**/queue/join**") as arrives:
        await screen.begin()
        await stop(screen)
        arrives.set()
        await until(lambda: len(runs(fake)) > before and runs(fake)[-1].closed_by_client_at is not None)
    assert not await screen.page.locator(".pg-stop").count()
    await screen.choose("server/fake")
    await screen.begin()
    await screen.until("!document.querySelector('.pg-stop')")
    assert "not ended" not in await screen.notice()


async def test_a_stop_that_got_lost_does_not_hold_up_the_next(screen: Any, fake: FakeServer) -> None:
    async with held(screen, "**/gradio_api/run/**", first=1):
        await screen.begin()
        await screen.grown(12)
        first = runs(fake)[-1]
        await stop(screen)
        # What is still heard of it says that it has not ended: it is stopped once more.
        await until(lambda: first.closed_by_client_at is not None)
        await screen.begin()
        await until(lambda: runs(fake)[-1] is not first)
        await screen.page.wait_for_timeout(1000)
        await stop(screen)
        await until(lambda: runs(fake)[-1].closed_by_client_at is not None)


async def test_several_answers_given_up_midway_are_branches_that_keep_can_show(
    visits: Any, screen: Any, fake: FakeServer
) -> None:
    await screen.tab("chat")
    await screen.set("n", "2")
    await screen.begin()
    await screen.until(CARD.format("t5"), seconds=20)
    async with held(screen, "**/gradio_api/run/**"):
        await stop(screen)
        assert await screen.branch(1) == "1/2"
        assert "t4" in (await screen.messages())[1][1]
        # Its cards go on; what they hold now is what Keep shows.
        await screen.until(CARD.format("t60"), seconds=20)
        await screen.page.click("#pg-choices-chat .pg-keep >> nth=1")
        assert await screen.branch(1) == "2/2"
        assert "t59" in (await screen.messages())[1][1]
    visits.problems.clear()


async def test_several_answers_are_kept_when_the_page_is_left_midway(visits: Any, screen: Any) -> None:
    await screen.tab("chat")
    await screen.set("n", "2")
    await screen.begin()
    await screen.until(CARD.format("t9"), seconds=20)
    await screen.page.reload()
    await screen.ready()
    assert "t8" in (await screen.messages())[1][1]
    assert await screen.branch(1) == "1/2"
    visits.problems.clear()  # Gradio says in the console that the page it streamed to has gone.


async def test_keep_and_pick_wait_for_the_answer_that_is_coming(screen: Any, fake: FakeServer) -> None:
    await screen.tab("chat")
    await screen.set("n", "2")
    await screen.choose("server/fake")
    fake.tokens = ("Yes",)
    await screen.asked("Two")
    await screen.set("n", "1")
    await screen.choose("server/fault-stall_first")
    await screen.say("And?")
    await screen.page.click("#pg-choices-chat .pg-keep >> nth=1")
    await screen.toast("still coming")
    await stop(screen)
    await screen.page.click("#pg-choices-chat .pg-keep >> nth=1")
    assert await screen.branch(1) == "2/2"
