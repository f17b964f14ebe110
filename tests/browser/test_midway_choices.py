"""Several answers side by side: whatever is done in place of Keep, none of them is lost."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio

from tests.browser.test_midway_chat import ANSWER, BOX, click, sent, stop
from tests.fakes import payloads
from tests.fakes.server import FakeServer

CARDS = "#pg-choices-chat .pg-card"


@pytest_asyncio.fixture(loop_scope="session")
async def screen(visits: Any, fake_app: Any) -> Any:
    """Three answers to a question have arrived; none has been kept."""
    opened = await visits(fake_app, model="server/fake")
    await opened.tab("chat")
    await opened.set("n", "3")
    await opened.asked("Pick one")
    return opened


async def keep(screen: Any, at: int) -> None:
    await screen.page.click(f"#pg-choices-chat .pg-keep >> nth={at}")


async def test_submit_in_place_of_keep_goes_on_from_the_first_and_keeps_all(screen: Any, fake: FakeServer) -> None:
    await screen.set("n", "1")
    await screen.asked("And now?")
    assert sent(fake) == [("user", "Pick one"), ("assistant", ANSWER), ("user", "And now?")]
    assert await screen.branch(1) == "1/3"


async def test_an_answer_that_undo_took_away_comes_back_with_keep(screen: Any) -> None:
    await click(screen, "undo")
    assert await screen.messages() == [("user", "Pick one")]
    await keep(screen, 2)
    assert await screen.messages() == [("user", "Pick one"), ("assistant", ANSWER)]
    assert not await screen.page.locator(CARDS).count()


async def test_one_that_was_deleted_comes_back_in_its_place(screen: Any) -> None:
    await screen.act(1, "trash")
    assert await screen.branch(1) == "1/2"
    await keep(screen, 0)
    assert await screen.branch(1) == "3/3"


async def test_keep_in_another_conversation_is_refused_and_the_cards_stay(screen: Any) -> None:
    await click(screen, "new")
    await keep(screen, 1)
    await screen.toast("no longer here")
    assert await screen.page.locator(CARDS).count() == 3
    assert await screen.messages() == []
    await click(screen, "undo")
    await keep(screen, 1)
    assert await screen.branch(1) == "2/3"


async def test_keep_shows_its_answer_also_after_another_question_was_asked(screen: Any) -> None:
    await screen.page.locator(BOX).last.fill("Not sent yet")
    await keep(screen, 1)
    assert await screen.branch(1) == "2/3"
    await screen.page.click(".pg-branch button >> nth=0")
    assert (await screen.messages())[-1] == ("user", "Not sent yet")


async def test_a_partial_answer_continued_three_ways_stays_beside_them(screen: Any) -> None:
    await keep(screen, 0)
    await click(screen, "submit")
    await screen.answered()
    assert await screen.branch(1) == "4/6"
    assert (await screen.messages())[1] == ("assistant", ANSWER + ANSWER)


async def test_a_refused_run_leaves_the_answers_before_it_and_keep_works(screen: Any) -> None:
    await screen.choose("server/fault-401")
    await screen.say("And now?")
    await screen.notice_with("key")
    assert await screen.page.locator(CARDS).count() == 3
    await keep(screen, 2)
    assert await screen.branch(1) == "3/3"


async def test_keep_shows_the_card_that_was_clicked_when_another_is_empty(
    screen: Any, fake: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The third of three answers has come first, the others not yet, when the run is stopped."""
    real = payloads.sse

    def turned(said: Any) -> bytes:
        if isinstance(said, dict) and said.get("choices"):
            said = {**said, "choices": [{**each, "index": 2 - each["index"]} for each in said["choices"]]}
        return real(said)

    monkeypatch.setattr(payloads, "sse", turned)
    monkeypatch.setattr(fake, "tokens", tuple(f"v{i} " for i in range(9)))
    await click(screen, "new")
    await screen.choose("server/fault-slow:1")
    await screen.say("Three")
    await screen.until(f"[...document.querySelectorAll('{CARDS} .pg-card-text')].some(n => n.textContent === 'v0 ')")
    await stop(screen)
    # On a slow machine the others have come as well: the third is then the last branch, and none is made twice.
    came = len([text for text in await screen.page.locator(f"{CARDS} .pg-card-text").all_inner_texts() if text])
    await keep(screen, 2)
    assert (await screen.messages())[1][1].startswith("v0")
    assert await screen.branch(1) == ("" if came == 1 else f"{came}/{came}")


async def test_a_token_is_picked_after_new_and_undo(screen: Any, fake: FakeServer) -> None:
    if not await screen.page.locator("#pg-param-logprobs").is_visible():
        await screen.page.locator("#pg-params summary").click()
    await screen.page.locator("#pg-param-logprobs").check()
    await screen.asked("And with its tokens?")
    await click(screen, "new")
    await screen.page.locator("#pg-choices-chat [data-at]").nth(1).click()
    await screen.page.locator("#pg-choices-chat .pg-alt").nth(0).click()
    await screen.toast("no longer here")
    await click(screen, "undo")
    await screen.set("n", "1")
    before = len(fake.requests)
    await screen.page.locator("#pg-choices-chat [data-at]").nth(1).click()
    await screen.page.locator("#pg-choices-chat .pg-alt").nth(0).click()
    await screen.answered()
    assert [each.path for each in fake.requests[before:]].count("/v1/chat/completions") == 1
    assert (await screen.messages())[-1][1].endswith(ANSWER)
