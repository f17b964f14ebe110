"""The Chat tab when a person does something else than wait: nothing that was written or answered is lost."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio

from tests.browser.test_presets import load
from tests.fakes.helpers import until
from tests.fakes.server import FakeServer

ANSWER = "Hello, world!"
LONG = tuple(f" t{i}" for i in range(60))
SLOW, FAST, SILENT = "server/fault-slow:20", "server/fake", "server/fault-stall_first"
BOX = "#pg-conversation .pg-message-text"
IMAGE = """async (draw) => { const canvas = document.createElement('canvas'); canvas.width = canvas.height = 2600;
    const paper = canvas.getContext('2d'); if (draw) for (let i = 0; i < 2600; i++) {
        paper.fillStyle = `rgb(${i % 255}, 9, ${i % 77})`; paper.fillRect(i, 0, 1, 2600); }
    const blob = await new Promise((done) => canvas.toBlob(done));
    return new File([blob], 'a.png', {type: 'image/png'}); }"""


@pytest_asyncio.fixture(loop_scope="session")
async def screen(visits: Any, fake_app: Any) -> Any:
    opened = await visits(fake_app, model=FAST)
    await opened.tab("chat")
    return opened


def sent(fake: FakeServer) -> list[Any]:
    bodies = [request.body for request in fake.requests if request.path == "/v1/chat/completions"]
    return [(each["role"], each["content"]) for each in bodies[-1]["messages"]]


async def click(screen: Any, name: str) -> None:
    await screen.page.click(f"#pg-conversation .pg-{name}")


async def stop(screen: Any) -> None:
    await screen.page.wait_for_timeout(500)
    await screen.page.keyboard.press("Escape")
    await screen.answered(seconds=8)


async def begun(screen: Any) -> None:
    await screen.until("[...document.querySelectorAll('.pg-message-text')].some(n => n.value.includes('t3'))")


async def test_what_is_typed_after_ctrl_enter_goes_below_and_not_into_the_question(screen: Any) -> None:
    await screen.asked("A question")
    await screen.page.keyboard.type("The next one")
    assert await screen.messages() == [("user", "A question"), ("assistant", ANSWER), ("user", "The next one")]
    assert await screen.branch(0) == ""


async def test_while_an_answer_comes_its_conversation_stands_still(
    screen: Any, fake: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await screen.asked("One")
    await screen.act(0, "again")
    await screen.answered()
    monkeypatch.setattr(fake, "tokens", LONG)
    await screen.choose(SLOW)
    await screen.say("Two")
    await begun(screen)
    for name in (
        "branch button >> nth=0",
        "role >> nth=0",
        "add",
        "new",
        "undo",
        "message-tools [data-act='trash'] >> nth=0",
    ):
        await screen.page.locator(f"#pg-conversation .pg-{name}").dispatch_event("click")
    assert not await screen.page.is_editable(f"{BOX} >> nth=0")
    await screen.answered()
    assert await screen.branch(1) == "2/2"
    whole = "".join(LONG)
    assert await screen.messages() == [("user", "One"), ("assistant", ANSWER), ("user", "Two"), ("assistant", whole)]
    assert await screen.page.is_editable(f"{BOX} >> nth=0")


async def test_what_is_typed_below_a_waiting_answer_stays_when_it_never_comes(screen: Any, fake: FakeServer) -> None:
    await screen.asked("One")
    await screen.choose(SILENT)
    await click(screen, "submit")  # nothing new: the answer is continued
    await screen.notice_with("Waiting for the first token")
    await screen.page.locator(BOX).last.fill("My next question")
    await stop(screen)
    assert (await screen.messages())[1:] == [("assistant", ANSWER), ("user", "My next question")]
    await screen.choose(FAST)
    await screen.page.locator(BOX).last.press("Control+Enter")
    await screen.answered()
    assert sent(fake) == [("user", "One"), ("assistant", ANSWER), ("user", "My next question")]


async def test_an_answer_that_never_comes_shows_again_what_stood_in_its_place(screen: Any) -> None:
    await screen.asked("One")
    for _ in range(2):
        await screen.act(0, "again")
        await screen.answered()
    await screen.page.click(".pg-branch button >> nth=0")
    await screen.page.click(".pg-branch button >> nth=0")
    assert await screen.branch(1) == "1/3"
    await screen.choose("server/fault-401")
    await screen.act(1, "again")
    await screen.answered()
    assert await screen.branch(1) == "1/3"
    assert await screen.messages() == [("user", "One"), ("assistant", ANSWER)]


@pytest.mark.parametrize("halfway", ["preset", "nothing"])
async def test_undo_takes_back_the_last_change_and_no_other(screen: Any, halfway: str) -> None:
    await screen.asked("One")
    await screen.page.locator(".pg-system-text").press_sequentially("A long system prompt")
    if halfway == "preset":
        await load(screen, "Sports assistant")
        await screen.until("document.querySelector('.pg-system-text').value !== 'A long system prompt'")
        await click(screen, "undo")
    await screen.page.locator(BOX).first.press_sequentially(" more")
    await click(screen, "undo")
    assert await screen.page.input_value(".pg-system-text") == "A long system prompt"
    assert await screen.messages() == [("user", "One"), ("assistant", ANSWER)]
    await click(screen, "undo")
    assert await screen.page.input_value(".pg-system-text") == ""
    assert await screen.messages() == [("user", "One"), ("assistant", ANSWER)]
    await click(screen, "redo")
    assert await screen.page.input_value(".pg-system-text") == "A long system prompt"


async def test_a_preset_opened_during_an_answer_stops_it_and_stays(
    screen: Any, fake_app: Any, fake: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fake, "tokens", LONG * 20)
    await screen.choose(SLOW)
    await screen.say("One")
    await begun(screen)
    running = fake.requests[-1]
    await load(screen, "Sports assistant")
    await screen.answered()
    await until(lambda: running.closed_by_client_at is not None)
    loaded = await screen.messages()
    assert ("user", "One") not in loaded
    await screen.page.wait_for_timeout(300)
    assert await screen.messages() == loaded
    await click(screen, "undo")
    assert [role for role, _ in await screen.messages()] == ["user", "assistant"]
    await click(screen, "redo")
    monkeypatch.setattr(fake, "tokens", (" fine",))
    await screen.asked("Go on")
    assert (await screen.messages())[-1] == ("assistant", " fine")
    await until(lambda: fake_app.last_run().status == "done")


async def test_a_page_left_before_the_first_word_comes_back_without_an_empty_answer(screen: Any, visits: Any) -> None:
    await screen.choose(SILENT)
    await screen.say("One")
    await screen.notice_with("Waiting for the first token")
    await screen.page.reload()
    await screen.ready()
    roles = await screen.page.eval_on_selector_all(".pg-message", "rows => rows.map(row => row.dataset.role)")
    assert roles == ["user", "user"]
    # Gradio says in the console that the page it streamed to has gone.
    visits.left_midway()


async def test_a_window_that_comes_back_to_the_front_makes_no_other_branch(screen: Any) -> None:
    await screen.asked("One")
    await screen.page.locator(BOX).first.press_sequentially("x")
    await screen.page.evaluate("(() => { const box = document.activeElement; box.blur(); box.focus(); })()")
    await screen.page.keyboard.type("y")
    assert await screen.branch(0) == "2/2"


async def test_what_is_said_under_an_edited_question_is_not_said_under_the_old_one(screen: Any) -> None:
    await screen.asked("One")
    await screen.page.locator(BOX).first.fill("Another")
    await screen.asked("Two")
    assert len(await screen.messages()) == 4
    await screen.page.click(".pg-branch button >> nth=0")
    assert await screen.messages() == [("user", "One"), ("assistant", ANSWER)]


async def test_esc_closes_what_is_open_and_leaves_the_answer_running(
    screen: Any, fake: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fake, "tokens", LONG)
    await screen.choose(SLOW)
    await screen.say("One")
    await begun(screen)
    await screen.page.click(".pg-toolbar-right >> text=Save")
    await screen.page.wait_for_timeout(500)
    await screen.page.keyboard.press("Escape")
    await screen.until("!document.querySelector('dialog[open]')")
    await screen.answered()
    assert (await screen.messages())[-1] == ("assistant", "".join(LONG))


async def test_thoughts_are_kept_when_the_answer_is_continued(screen: Any) -> None:
    await screen.choose("server/fault-reasoning")
    await screen.asked("Think")
    thoughts = await screen.page.locator(".pg-thought").nth(1).text_content()
    await screen.choose(FAST)
    await click(screen, "submit")
    await screen.answered()
    assert (await screen.messages())[1] == ("assistant", ANSWER + ANSWER)
    assert await screen.page.locator(".pg-thought").nth(1).text_content() == thoughts


async def test_submit_waits_for_the_image_that_was_pasted_before_it(screen: Any, fake: FakeServer) -> None:
    await screen.page.locator(BOX).last.fill("What is this?")
    await screen.page.evaluate(
        f"""async () => {{ const data = new DataTransfer(); data.items.add(await ({IMAGE})(true));
        const paste = new ClipboardEvent('paste', {{clipboardData: data, bubbles: true, cancelable: true}});
        document.querySelector('{BOX}').dispatchEvent(paste);
        document.querySelector('#pg-conversation .pg-submit').click(); }}"""
    )
    await screen.until(f"[...document.querySelectorAll('{BOX}')].some(n => n.value === '{ANSWER}')")
    _, content = sent(fake)[0]
    assert [part["type"] for part in content] == ["text", "image_url"]


PASTE = """async ([selector, row, times, then]) => { const file = await (MADE)(true);
    for (let i = 0; i < times; i++) { const data = new DataTransfer(); data.items.add(file);
        const paste = new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true});
        document.querySelectorAll(selector)[row].dispatchEvent(paste); }
    if (then) document.querySelectorAll('.pg-message')[row].querySelector(`[data-act=${then}]`).click(); }""".replace(
    "MADE", IMAGE
)
IMAGES = (
    "[...document.querySelectorAll('#pg-conversation .pg-message')].map(n => n.querySelectorAll('.pg-image').length)"
)


async def test_two_images_pasted_into_an_answered_question_are_one_branch(screen: Any) -> None:
    await screen.asked("What is this?")
    await screen.page.evaluate(PASTE, [BOX, 0, 2, ""])
    await screen.until(f"{IMAGES}[0] === 2")
    assert await screen.branch(0) == "2/2"


async def test_regenerate_waits_for_the_image_that_was_pasted_before_it(screen: Any, fake: FakeServer) -> None:
    await screen.asked("What is this?")
    await screen.page.evaluate(PASTE, [BOX, 0, 1, "again"])
    await until(lambda: isinstance(sent(fake)[0][1], list))
    assert [part["type"] for part in sent(fake)[0][1]] == ["text", "image_url"]
    await screen.answered()


async def test_a_message_moved_up_takes_the_image_along_that_was_pasted_before(screen: Any) -> None:
    await screen.asked("One")
    await screen.page.locator(BOX).last.fill("What is this?")
    await screen.page.evaluate(PASTE, [BOX, 2, 1, "up"])
    await screen.until(f"String({IMAGES}).startsWith('0,1')")
    assert [text for _, text in await screen.messages()][:2] == ["One", "What is this?"]


async def test_more_messages_than_are_taken_are_refused_in_words(screen: Any) -> None:
    await screen.page.evaluate("""() => {
        const {Tree, blank, ROOT} = playground.tree, made = new Tree(); let last = ROOT;
        for (let i = 0; i < 2001; i++) last = made.add(last, blank('user', {text: 'x'}));
        const draft = JSON.stringify({nodes: [...made.nodes], urls: [], system: '', version: 1});
        addEventListener('pagehide', () => localStorage.setItem('playground.draft.chat', draft)); }""")
    await screen.page.reload()
    await screen.ready()
    await screen.page.locator("#pg-conversation .pg-submit").click()
    await screen.notice_with("2,000", seconds=30)
    assert not await screen.page.locator(".pg-stop").count()


async def test_what_is_transparent_in_an_image_is_white_where_it_becomes_a_jpeg(screen: Any) -> None:
    pixel = await screen.page.evaluate(
        f"""async () => {{ const {{url}} = await playground.pictures.read(await ({IMAGE})(false)), image = new Image();
        image.src = url; await image.decode(); const canvas = document.createElement('canvas');
        const paper = canvas.getContext('2d'); paper.drawImage(image, 0, 0);
        return [url.slice(0, 15), ...paper.getImageData(5, 5, 1, 1).data]; }}"""
    )
    assert pixel == ["data:image/jpeg", 255, 255, 255, 255]


async def test_a_file_that_is_no_image_is_refused_and_the_page_stays(screen: Any) -> None:
    kept = await screen.page.evaluate(
        f"""() => {{ const data = new DataTransfer();
        data.items.add(new File(['%PDF'], 'a.pdf', {{type: 'application/pdf'}}));
        const drop = new DragEvent('drop', {{dataTransfer: data, bubbles: true, cancelable: true}});
        document.querySelector('{BOX}').dispatchEvent(drop); return drop.defaultPrevented; }}"""
    )
    assert kept
    await screen.toast("a.pdf")
