"""The Chat tab over the real model: a conversation, its messages, its branches, and what comes back after a reload."""

from __future__ import annotations

from typing import Any

import pytest_asyncio


@pytest_asyncio.fixture(loop_scope="session")
async def screen(visits: Any, engine_app: Any) -> Any:
    opened = await visits(engine_app)
    await opened.set("max_tokens", "12")
    await opened.set("temperature", "0")
    await opened.tab("chat")
    return opened


async def test_a_message_is_answered_below_and_everything_is_sent_as_it_stands(screen: Any, engine_app: Any) -> None:
    await screen.page.fill(".pg-system-text", "You are brief.")
    await screen.asked("Say hello 👋🏽")
    kept = engine_app.last_run()
    assert kept.effective_request["messages"] == [
        {"role": "system", "content": "You are brief."},
        {"role": "user", "content": "Say hello 👋🏽"},
    ]
    assert (kept.mode, kept.status) == ("chat", "done")
    assert await screen.messages() == [("user", "Say hello 👋🏽"), ("assistant", kept.choices[0].text)]
    assert "in" in await screen.last("usage")


async def test_the_counter_counts_the_conversation_as_the_model_reads_it(screen: Any, engine_app: Any) -> None:
    await screen.page.fill(".pg-system-text", "You are brief.")
    await screen.page.locator(".pg-message-text").last.fill("One two three")
    prompt = screen.page.locator("#pg-next-chat .pg-cell[data-key='prompt'] .pg-cell-value")
    await screen.until("document.querySelector('#pg-next-chat [data-key=prompt]')?.innerText.includes('tokens')")
    await screen.page.wait_for_timeout(500)
    before = (await prompt.inner_text()).split()[0]
    await screen.asked("One two three")
    assert int(before) == engine_app.last_run().usage.prompt_tokens


async def test_submit_with_nothing_new_continues_the_answer(screen: Any, engine_app: Any) -> None:
    await screen.asked("Tell me a long story about the sea.")
    first = engine_app.last_run().choices[0].text
    await screen.page.click("#pg-conversation .pg-submit")
    await screen.answered()
    kept = engine_app.last_run()
    assert kept.effective_request["messages"][-1] == {"role": "assistant", "content": first}
    assert (await screen.messages())[-1] == ("assistant", first + kept.choices[0].text)


async def test_another_answer_is_another_branch_and_both_stay(screen: Any) -> None:
    await screen.set("temperature", "1.5")
    await screen.asked("Name an animal.")
    first = (await screen.messages())[1][1]
    await screen.act(1, "again")
    await screen.answered()
    second = (await screen.messages())[1][1]
    assert await screen.branch(1) == "2/2"
    await screen.page.click(".pg-branch button >> nth=0")
    assert (await screen.messages())[1][1] == first
    assert await screen.branch(1) == "1/2"
    await screen.page.click(".pg-branch button >> nth=1")
    assert (await screen.messages())[1][1] == second


async def test_an_edited_question_leaves_the_answered_one_as_a_branch(screen: Any, engine_app: Any) -> None:
    await screen.asked("Name a river.")
    answer = (await screen.messages())[1]
    await screen.page.locator(".pg-message-text").first.fill("Name a mountain.")
    assert await screen.branch(0) == "2/2"
    await screen.act(0, "again")
    await screen.answered()
    assert engine_app.last_run().effective_request["messages"][-1]["content"] == "Name a mountain."
    await screen.page.click(".pg-branch button >> nth=0")
    assert (await screen.messages())[:2] == [("user", "Name a river."), answer]


async def test_messages_are_added_moved_renamed_deleted_and_it_can_be_undone(screen: Any) -> None:
    boxes = screen.page.locator(".pg-message-text")
    await boxes.last.fill("one")
    await screen.page.click(".pg-add")
    await boxes.last.fill("two")
    await screen.page.click(".pg-add")
    await boxes.nth(2).fill("three")
    assert await screen.messages() == [("user", "one"), ("assistant", "two"), ("user", "three")]
    await screen.act(2, "up")
    assert await screen.messages() == [("user", "one"), ("user", "three"), ("assistant", "two")]
    await screen.act(1, "down")
    assert await screen.messages() == [("user", "one"), ("assistant", "two"), ("user", "three")]
    await screen.page.locator(".pg-role").first.click()
    assert (await screen.messages())[0] == ("assistant", "one")
    await screen.act(1, "trash")
    assert await screen.messages() == [("assistant", "one"), ("user", "three")]
    await screen.page.click("#pg-conversation .pg-undo")
    assert await screen.messages() == [("assistant", "one"), ("assistant", "two"), ("user", "three")]
    await screen.page.click("#pg-conversation .pg-new")
    assert await screen.messages() == []
    await screen.page.click("#pg-conversation .pg-undo")
    assert len(await screen.messages()) == 3


async def test_three_answers_side_by_side_one_is_kept_and_the_others_are_branches(screen: Any, engine_app: Any) -> None:
    await screen.set("temperature", "1")
    await screen.set("n", "3")
    await screen.asked("My favourite fruit is")
    texts = [choice.text for choice in engine_app.last_run().choices]
    assert await screen.page.locator("#pg-choices-chat .pg-card-text").all_inner_texts() == texts
    await screen.page.click("#pg-choices-chat .pg-keep >> nth=1")
    assert await screen.messages() == [("user", "My favourite fruit is"), ("assistant", texts[1])]
    assert await screen.branch(1) == "2/3"


async def test_stop_keeps_what_was_said_and_it_can_be_continued(screen: Any, engine_app: Any) -> None:
    await screen.set("max_tokens", "1500")
    await screen.set("logit_bias", '{"2": -100}')  # the token that would end the answer
    await screen.say("Count from one to a thousand in words.")
    await screen.until("[...document.querySelectorAll('.pg-message-text')].some(n => n.value.length > 60)", seconds=60)
    await screen.page.wait_for_timeout(500)
    await screen.page.keyboard.press("Escape")
    await screen.answered(seconds=5)
    await screen.notice_with("Stopped. What had arrived is kept.")
    kept = engine_app.last_run()
    assert kept.status == "stopped"
    said = (await screen.messages())[1][1]
    assert said == kept.choices[0].text


async def test_a_token_picked_continues_from_there_in_a_branch(screen: Any, engine_app: Any) -> None:
    await screen.page.click("#pg-param-logprobs")
    await screen.asked("The sky is")
    first = engine_app.last_run().choices[0]
    assert "".join(await screen.page.locator("#pg-choices-chat .pg-token").all_text_contents()) == first.text
    await screen.page.locator("#pg-choices-chat .pg-token").nth(1).click()
    await screen.page.locator(".pg-popover .pg-alt:not(.pg-chosen)").first.click()
    await screen.until("document.querySelector('#pg-conversation .pg-stop')")
    await screen.answered()
    sent = engine_app.last_run().effective_request["messages"][-1]
    assert sent["role"] == "assistant"
    assert sent["content"].startswith(first.logprobs[0].token)
    assert await screen.branch(1) == "2/2"


async def test_a_json_schema_holds_the_answer_and_the_answer_is_checked(screen: Any, engine_app: Any) -> None:
    await screen.set("max_tokens", "120")
    await screen.page.select_option("#pg-param-response_format", "json_schema")
    await screen.page.click(".pg-param[data-name='json_schema'] .pg-link")
    await screen.asked("The food was wonderful.")
    await screen.notice_with("fits what was asked for")
    assert '"sentiment"' in engine_app.last_run().choices[0].text
    await screen.page.fill("#pg-param-json_schema", '{"type": "objekt"}')
    before = engine_app.last_run().id
    await screen.asked("Again.")
    assert "wrong at type" in await screen.notice()
    assert engine_app.last_run().id == before


async def test_a_reload_keeps_the_conversation_its_branches_and_the_open_tab(screen: Any) -> None:
    await screen.page.fill(".pg-system-text", "Be brief.")
    await screen.asked("Name a colour.")
    await screen.act(1, "again")
    await screen.answered()
    said = await screen.messages()
    await screen.page.reload()
    await screen.ready()
    await screen.until("document.body.dataset.mode === 'chat'")
    assert await screen.messages() == said
    assert await screen.branch(1) == "2/2"
    assert await screen.page.input_value(".pg-system-text") == "Be brief."


async def test_an_empty_conversation_is_asked_for_and_nothing_is_sent(screen: Any, engine_app: Any) -> None:
    before = engine_app.deps.store.runs(limit=1)
    await screen.page.click("#pg-conversation .pg-submit")
    await screen.notice_with("The conversation is empty.")
    assert engine_app.deps.store.runs(limit=1) == before


async def test_a_conversation_that_is_too_long_says_what_to_cut(screen: Any) -> None:
    await screen.asked("word " * 9_000)
    assert "Delete the oldest messages" in await screen.notice()
    assert (await screen.messages())[0][1].startswith("word word")
