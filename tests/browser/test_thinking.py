"""What a model thinks before it answers: apart, live, folded when the answer comes, counted, kept, not sent again."""

from __future__ import annotations

from typing import Any

import pytest_asyncio

from tests.fakes.server import FakeServer

THOUGHT = "#pg-conversation .pg-message:nth-of-type(2) .pg-thought"
OPEN = f"document.querySelector('{THOUGHT}').open"


@pytest_asyncio.fixture(loop_scope="session")
async def screen(visits: Any, fake_app: Any) -> Any:
    made = await visits(fake_app, model="server/fault-thinks:2")
    await made.tab("chat")
    return made


async def thought(screen: Any) -> str:
    return str(await screen.page.locator(f"{THOUGHT} div").text_content())


async def test_thinking_is_seen_live_and_folds_when_the_answer_comes(
    screen: Any, fake_app: Any, fake: FakeServer
) -> None:
    await screen.say("Think")
    await screen.until(f"document.querySelector('{THOUGHT} div')?.textContent === 'Let me think.' && {OPEN}")
    assert await screen.page.inner_text(f"{THOUGHT} summary") == "Thinking"
    await screen.answered()
    await screen.until(f"!{OPEN}")
    assert (await screen.messages())[-1] == ("assistant", "Hello, world!")
    cell = await screen.page.inner_text("#pg-last-chat .pg-cell[data-key='usage']")
    assert "6 out" in cell
    assert "of which 2 thinking" in cell
    run = fake_app.last_run()
    assert (run.choices[0].reasoning, run.usage.reasoning_tokens) == ("Let me think.", 2)
    await screen.asked("Again")
    sent = fake.requests[-1].body["messages"]
    assert sent[1] == {"role": "assistant", "content": "Hello, world!"}


async def test_stop_while_it_thinks_keeps_the_thoughts_also_after_a_reload(screen: Any, fake_app: Any) -> None:
    await screen.choose("server/fault-thinks:60")
    await screen.say("Think long")
    await screen.until(f"document.querySelector('{THOUGHT} div')?.textContent === 'Let me think.'")
    await screen.page.wait_for_timeout(600)  # a click that soon after Submit is a double click's second
    await screen.page.click("#pg-conversation .pg-stop")
    await screen.answered()
    assert await thought(screen) == "Let me think."
    run = fake_app.last_run()
    assert (run.status, run.choices[0].reasoning, run.choices[0].text) == ("stopped", "Let me think.", "")
    assert run.usage.reasoning_tokens > 0
    await screen.page.reload()
    await screen.ready()
    assert await thought(screen) == "Let me think."


async def test_a_limit_that_is_reached_while_it_thinks_says_what_to_do(screen: Any) -> None:
    await screen.choose("server/fault-thinks_only")
    await screen.asked("Think")
    assert "while it was still thinking" in await screen.notice()
    assert await thought(screen) == "Let me think."


async def test_several_answers_show_each_its_thinking_and_the_history_keeps_it(screen: Any) -> None:
    await screen.choose("server/fault-thinks:1")
    await screen.set("n", "2")
    await screen.say("Think twice")
    await screen.until("document.querySelectorAll('#pg-choices-chat .pg-thought:not([hidden])').length === 2")
    await screen.answered()
    await screen.tab("history")
    await screen.page.locator(".pg-run-open").first.click()
    details = screen.page.locator("dialog .pg-thought div")
    await details.first.wait_for(state="attached")
    assert await details.all_text_contents() == ["Let me think."] * 2
    assert "of which 4 thinking" in await screen.page.inner_text("dialog dl")


async def test_in_spanish_it_is_called_pensamiento(visits: Any, fake_app: Any) -> None:
    screen = await visits(fake_app, model="server/fault-thinks:0", locale="es-ES", width=390, height=844)
    await screen.tab("chat")
    await screen.asked("Piensa")
    assert await screen.page.inner_text(f"{THOUGHT} summary") == "Pensamiento"
    cell = await screen.page.inner_text("#pg-last-chat .pg-cell[data-key='usage']")
    assert "de ellos 2 de pensamiento" in cell
