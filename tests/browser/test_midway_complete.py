"""Complete and Edit when a person does something else than wait: type, load, stop and go back in the middle."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio

from tests.browser.test_presets import load
from tests.fakes.helpers import until
from tests.fakes.server import FakeServer

LONG = tuple(f" t{i}" for i in range(60))
ANSWER = "Hello, world!"
SLOW, FAST = "server/fault-slow:20", "server/fake"


@pytest_asyncio.fixture(loop_scope="session")
async def screen(visits: Any, fake_app: Any) -> Any:
    return await visits(fake_app, model=FAST)


def prompts(fake: FakeServer) -> list[str]:
    return [request.body["prompt"] for request in fake.requests if request.path == "/v1/completions"]


async def click(screen: Any, name: str) -> None:
    await screen.page.click(f"#pg-{'editor' if screen.scope == 'complete' else screen.scope} .pg-{name}")


async def slow_run(screen: Any, text: str) -> None:
    """A run that is under way, its first words there."""
    await screen.choose(SLOW)
    await screen.write(text)
    await screen.submit()
    await screen.grown(len(text) + 4)


async def test_what_was_typed_after_an_answer_comes_back_after_regenerate(screen: Any, fake: FakeServer) -> None:
    await screen.run("Once")
    await screen.page.keyboard.press("End")
    await screen.page.keyboard.type(" and my own words")
    await click(screen, "again")
    await screen.ended()
    assert prompts(fake)[-1] == "Once"
    assert await screen.text() == "Once" + ANSWER
    await click(screen, "undo")
    assert await screen.text() == "Once"
    await click(screen, "undo")
    assert await screen.text() == f"Once{ANSWER} and my own words"
    await click(screen, "undo")
    assert await screen.text() == "Once" + ANSWER
    assert await screen.marks() == [ANSWER]
    for _ in range(3):
        await click(screen, "redo")
    assert await screen.text() == "Once" + ANSWER
    assert await screen.page.is_disabled("#pg-editor .pg-redo")


async def test_regenerate_sends_the_prompt_as_it_has_been_edited_since(screen: Any, fake: FakeServer) -> None:
    await screen.run("Once upon")
    await screen.page.keyboard.press("Home")
    await screen.page.keyboard.type("More than ")
    await click(screen, "again")
    await screen.ended()
    assert prompts(fake)[-1] == "More than Once upon"
    await screen.page.reload()
    await screen.ready()
    await click(screen, "again")
    await screen.ended()
    assert prompts(fake)[-1] == "More than Once upon"


async def test_undo_of_typing_can_be_taken_back(screen: Any) -> None:
    await screen.page.locator("#pg-editor .pg-front").press_sequentially("a long thought")
    await click(screen, "undo")
    assert await screen.text() == ""
    await click(screen, "redo")
    assert await screen.text() == "a long thought"


async def test_a_server_that_no_longer_answers_stop_cannot_write_into_what_is_typed_after(
    screen: Any, fake: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fake, "tokens", LONG * 20)
    await slow_run(screen, "Say")
    await screen.page.route("**/gradio_api/**", lambda route: None)  # held back until the end of the silence
    await screen.page.wait_for_timeout(500)
    await screen.page.keyboard.press("Escape")
    await screen.ended(seconds=6)
    await screen.write("What I typed since")
    sent = [request for request in fake.requests if request.path == "/v1/completions"][-1]
    await screen.page.wait_for_timeout(700)  # fourteen more tokens arrive
    assert sent.closed_by_client_at is None
    assert await screen.text() == "What I typed since"
    await screen.page.unroute("**/gradio_api/**")
    await until(lambda: sent.closed_by_client_at is not None)
    monkeypatch.setattr(fake, "tokens", (" fine",))
    await screen.run()
    assert await screen.text() == "What I typed since fine"


async def test_a_preset_opened_during_a_run_stops_it_and_stays(
    screen: Any, fake_app: Any, fake: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fake, "tokens", LONG * 20)
    await slow_run(screen, "Say")
    sent = fake.requests[-1]
    await load(screen, "Tweet sentiment")
    await screen.ended()
    text = await screen.text()
    assert "sentiment" in text
    await until(lambda: sent.closed_by_client_at is not None)
    await screen.page.wait_for_timeout(300)
    assert await screen.text() == text
    await until(lambda: fake_app.last_run().status == "stopped")
    await click(screen, "undo")
    assert (await screen.text()).startswith("Say t0 t1")
    await click(screen, "redo")
    monkeypatch.setattr(fake, "tokens", (" fine",))
    await screen.run()
    assert await screen.text() == text + " fine"


async def test_a_refused_run_sent_again_without_takes_the_text_as_it_stands(screen: Any, fake: FakeServer) -> None:
    await screen.choose("server/fault-400:top_p-then-ok")
    await screen.set("top_p", "0.5")
    await screen.run("Say")
    await screen.write("Say it")
    await screen.page.get_by_text("Send again without top_p").click()
    await screen.until(f"document.querySelector('#pg-editor .pg-front').value === 'Say it{ANSWER}'")
    assert "top_p" not in fake.requests[-1].body


async def edited(screen: Any) -> str:
    return str(await screen.page.inner_text("#pg-edit .pg-edit-output"))


async def edit(screen: Any, instruction: str) -> None:
    await screen.page.fill("#pg-edit-how", instruction)
    await screen.page.locator("#pg-edit-how").press("Control+Enter")
    await screen.until("!document.querySelector('#pg-edit .pg-stop')")


async def test_an_edit_that_is_refused_leaves_the_last_output(screen: Any) -> None:
    await screen.tab("edit")
    await screen.page.click("#pg-edit .pg-edit-plain")
    await screen.page.fill("#pg-edit-in", "a text")
    await edit(screen, "Greet")
    assert await edited(screen) == ANSWER
    await edit(screen, "")
    assert "There is no instruction" in await screen.notice()
    assert await edited(screen) == ANSWER
    await screen.choose("server/fault-500")
    await edit(screen, "Greet again")
    assert await edited(screen) == ANSWER
    await screen.page.reload()
    await screen.ready()
    await screen.page.click("#pg-edit .pg-edit-plain")
    assert await edited(screen) == ANSWER


async def test_a_preset_opened_during_an_edit_is_not_mixed_with_its_answer(
    screen: Any, fake: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fake, "tokens", LONG * 20)
    await screen.tab("edit")
    await screen.page.fill("#pg-edit-in", "kept")
    await screen.page.fill("#pg-edit-how", "Rewrite")
    await screen.page.click(".pg-toolbar-right >> text=Save")
    await screen.page.fill("#pg-name", "An edit")
    await screen.page.click(".pg-dialog footer .pg-primary")
    await screen.toast("Saved as")
    await screen.page.fill("#pg-edit-in", "other")
    await screen.choose(SLOW)
    await screen.page.locator("#pg-edit-how").press("Control+Enter")
    await screen.until("document.querySelector('#pg-edit .pg-edit-output').textContent.includes('t2')")
    await load(screen, "An edit")
    await screen.until("document.querySelector('#pg-edit-in').value === 'kept'")
    assert not await screen.page.locator("#pg-edit .pg-stop").count()
    await screen.page.wait_for_timeout(300)
    assert await edited(screen) == ""
    await click(screen, "undo")
    assert await screen.page.input_value("#pg-edit-in") == "other"
    assert "t2" in await edited(screen)


async def test_answers_to_another_text_are_not_kept_in_this_one(screen: Any) -> None:
    await screen.set("n", "2")
    await screen.run("Say")
    await screen.write("Another text")
    await screen.page.click("#pg-choices-complete .pg-keep >> nth=1")
    await screen.toast("no longer here")
    assert await screen.text() == "Another text"
    await screen.page.click("#pg-editor .pg-undo")
    await screen.page.click("#pg-choices-complete .pg-keep >> nth=1")
    assert await screen.text() == "SayHello, world!"
