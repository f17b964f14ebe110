"""What only OpenAI does: models that refuse parameters, fine-tunes in pages, closing dates, images, functions."""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import pytest_asyncio

from tests.fakes.openai_like import ARGUMENTS, CALL_ID
from tests.fakes.server import FakeServer

SPEC = json.loads((Path(__file__).parents[1] / "fixtures" / "openai_openapi_subset.json").read_text())
PIXEL = b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
NAMES = "ns => ns.map(n => n.textContent)"


@pytest_asyncio.fixture(loop_scope="session")
async def screen(visits: Any, openai_like_app: Any) -> Any:
    opened = await visits(openai_like_app, model="openai/gpt-4o")
    await opened.tab("chat")
    return opened


@pytest.fixture(autouse=True)
def every_request_is_what_openai_publishes(openai_server: FakeServer) -> Any:
    before = len(openai_server.requests)
    yield
    schema = {"$ref": "#/components/schemas/CreateChatCompletionRequest", "components": SPEC["components"]}
    validator = jsonschema_rs.Draft202012Validator(schema)
    for request in openai_server.requests[before:]:
        if request.path == "/v1/chat/completions":
            assert [error.message for error in validator.iter_errors(request.body)] == []


def sent(server: FakeServer) -> dict[str, Any]:
    bodies = [request.body for request in server.requests if request.path == "/v1/chat/completions"]
    body: dict[str, Any] = bodies[-1]
    return body


async def test_the_picker_groups_models_and_pages_through_fine_tunes(screen: Any) -> None:
    await screen.page.click("#pg-picker-input")
    groups = await screen.page.eval_on_selector_all(".pg-group", NAMES)
    assert groups == ["Chat", "Completion", "Fine-tunes", "Shut down by OpenAI"]
    names = await screen.page.eval_on_selector_all(".pg-option-name", NAMES)
    assert not {"text-embedding-3-small", "whisper-1"} & set(names)
    tuned = "ft:gpt-4o-mini-2024-07-18:acme:tweets:abc123"
    assert names[names.index(tuned) + 1] == f"{tuned}:ckpt-step-20"
    assert {"ada:ft-acme-2023-02-01-12-00-00", "ft:gpt-4.1-nano-2025-04-14:acme:job4:x4"} <= set(names)
    assert "ft:gpt-4.1-nano-2025-04-14:acme:job1:x1" not in names
    about = await screen.page.inner_text(".pg-option[data-ref='openai/gpt-4o-2024-11-20']")
    assert "128,000 tokens" in about
    assert "$2.5 in · $10 out" in about
    assert "shuts down on 2099-01-14" in about


async def test_typing_filters_arrows_choose_and_a_name_by_hand_is_taken(screen: Any) -> None:
    box = screen.page.locator("#pg-picker-input")
    await box.fill("5.2")
    assert await screen.page.eval_on_selector_all(".pg-option-name", NAMES) == ["gpt-5.2"]
    await box.press("ArrowDown")
    await box.press("Enter")
    assert await box.input_value() == "openai/gpt-5.2"
    await box.fill("openai/my-own-model")
    await box.press("Enter")
    assert await box.input_value() == "openai/my-own-model"
    await screen.asked("Hi")
    assert (await screen.messages())[-1] == ("assistant", "Hello, world!")


async def test_a_retired_model_is_offered_with_what_takes_its_place(screen: Any) -> None:
    await screen.page.fill("#pg-picker-input", "text-davinci-003")
    row = screen.page.locator(".pg-option[data-ref='openai/text-davinci-003']")
    assert "shut down; use gpt-5-mini" in await row.inner_text()
    await row.click()
    assert await screen.page.input_value("#pg-picker-input") == "openai/gpt-5-mini"


async def test_a_completion_model_in_chat_says_so_and_opens_the_right_tab(screen: Any) -> None:
    await screen.choose("openai/gpt-3.5-turbo-instruct")
    about = screen.page.locator(".pg-picker-about")
    assert "only completes text" in await about.inner_text()
    await about.get_by_text("Open Complete").click()
    await screen.until("document.body.dataset.mode === 'complete'")
    await screen.choose("openai/gpt-5")
    assert "answers chats only" in await about.inner_text()
    await about.get_by_text("Open Chat").click()
    await screen.until("document.body.dataset.mode === 'chat'")


async def test_a_reasoning_model_is_not_sent_what_it_refuses_and_the_page_says_so(
    screen: Any, openai_server: FakeServer
) -> None:
    await screen.choose("openai/gpt-5")
    await screen.set("temperature", "0.3")
    await screen.set("max_tokens", "64")
    note = screen.page.locator(".pg-param[data-name='temperature'] .pg-refused-note")
    assert "does not accept" in await note.inner_text()
    await screen.page.select_option("#pg-param-reasoning_effort", "minimal")
    await screen.page.select_option("#pg-param-verbosity", "low")
    await screen.asked("Think.")
    body = sent(openai_server)
    assert not {"temperature", "max_tokens", "top_p"} & set(body) - {"top_p"}
    assert (body["max_completion_tokens"], body["reasoning_effort"], body["verbosity"]) == (64, "minimal", "low")
    assert await screen.last("left_out") == "temperature"
    assert (await screen.messages())[-1] == ("assistant", "Hello, world!")


async def test_at_effort_none_the_same_parameter_is_sent(screen: Any, openai_server: FakeServer) -> None:
    await screen.choose("openai/gpt-5.2")
    await screen.set("temperature", "0.3")
    await screen.page.locator(".pg-param[data-name='temperature'] .pg-refused-note").wait_for()
    await screen.page.select_option("#pg-param-reasoning_effort", "none")
    await screen.page.locator(".pg-param[data-name='temperature'] .pg-refused-note").wait_for(state="detached")
    await screen.asked("Be warm.")
    assert sent(openai_server)["temperature"] == 0.3


async def test_what_a_server_refuses_is_offered_without_and_learned(screen: Any, openai_server: FakeServer) -> None:
    await screen.choose("openai/picky-top_p")
    await screen.set("top_p", "0.5")
    await screen.asked("Hello?")
    assert "refused the value of top_p" in await screen.notice()
    await screen.page.get_by_text("Send again without top_p").click()
    await screen.until("[...document.querySelectorAll('.pg-message-text')].some(n => n.value === 'Hello, world!')")
    assert "top_p" not in sent(openai_server)
    assert await screen.last("left_out") == "top_p"
    await screen.asked("Once more")
    assert "top_p" not in sent(openai_server)


async def test_a_function_is_called_its_result_typed_in_and_sent_back(screen: Any, openai_server: FakeServer) -> None:
    await screen.choose("openai/gpt-4o")
    await screen.page.click(".pg-param[data-name='tools'] .pg-link")
    await screen.asked("What is the weather in Lima?")
    await screen.notice_with("The model calls a function")
    assert await screen.page.inner_text("#pg-conversation .pg-call-name") == "get_weather()"
    assert "Lima" in await screen.page.inner_text("#pg-conversation .pg-call pre")
    await screen.page.click("#pg-conversation .pg-submit")
    await screen.answered()
    result = screen.page.locator(".pg-message[data-role='tool'] .pg-message-text")
    await result.fill("rain")
    await result.press("Control+Enter")
    await screen.answered()
    messages = sent(openai_server)["messages"]
    call = {"id": CALL_ID, "type": "function", "function": {"name": "get_weather", "arguments": "".join(ARGUMENTS)}}
    assert messages[1] == {"role": "assistant", "content": None, "tool_calls": [call]}
    assert messages[2] == {"role": "tool", "content": "rain", "tool_call_id": CALL_ID}
    assert (await screen.messages())[-1] == ("assistant", "Hello, world!")


async def test_broken_functions_are_said_before_anything_is_sent(screen: Any, openai_server: FakeServer) -> None:
    before = len(openai_server.requests)
    await screen.page.fill("#pg-param-tools", '[{"name": "two words"}]')
    await screen.asked("Hi")
    assert "name that cannot be sent" in await screen.notice()
    assert len(openai_server.requests) == before


async def test_an_image_is_attached_shown_counted_and_sent_inside(
    screen: Any, openai_server: FakeServer, tmp_path: Path
) -> None:
    picture = tmp_path / "pixel.png"
    picture.write_bytes(PIXEL)
    await screen.page.locator(".pg-message-text").last.fill("What is this?")
    async with screen.page.expect_file_chooser() as chooser:
        await screen.act(0, "image")
    await (await chooser.value).set_files(str(picture))
    await screen.page.locator(".pg-image img").wait_for()
    await screen.page.click("#pg-conversation .pg-submit")
    await screen.answered()
    text, image = sent(openai_server)["messages"][0]["content"]
    assert text == {"type": "text", "text": "What is this?"}
    assert image["image_url"]["url"].startswith("data:image/png;base64,")
    assert set(image) == {"type", "image_url"}


async def test_thoughts_are_shown_apart(screen: Any) -> None:
    await screen.choose("openai/fault-reasoning")
    await screen.asked("Think aloud.")
    assert (await screen.messages())[-1] == ("assistant", "Hello, world!")
    assert "Let me think." in (await screen.page.locator(".pg-thought").nth(1).text_content() or "")


async def test_refreshing_finds_a_new_model(screen: Any, openai_server: FakeServer) -> None:
    before = openai_server.models
    new = {"id": "gpt-brand-new", "object": "model", "created": 99, "owned_by": "openai"}
    openai_server.models = {**before, "data": [*before["data"], new]}
    await screen.page.click(".pg-picker-box .pg-icon")
    await screen.until("!document.querySelector('.pg-turning')")
    openai_server.models = before
    await screen.page.fill("#pg-picker-input", "brand")
    assert await screen.page.eval_on_selector_all(".pg-option-name", NAMES) == ["gpt-brand-new"]


async def test_another_answer_that_was_refused_is_asked_for_again_and_not_the_old_one_continued(
    screen: Any, openai_server: FakeServer
) -> None:
    await screen.asked("One")
    await screen.choose("openai/picky-seed")
    await screen.set("seed", "7")
    await screen.act(1, "again")
    await screen.answered()
    assert "refused the value of seed" in await screen.notice()
    await screen.page.get_by_text("Send again without seed").click()
    await screen.until("document.querySelectorAll('#pg-conversation .pg-branch')[1].textContent.includes('2/2')")
    await screen.answered()
    assert [message["role"] for message in sent(openai_server)["messages"]] == ["user"]
    assert await screen.branch(1) == "2/2"


async def test_a_click_beside_the_names_leaves_what_is_typed(screen: Any) -> None:
    box = screen.page.locator("#pg-picker-input")
    await box.fill("gpt")
    edge = await screen.page.locator("#pg-picker-list").bounding_box()
    await screen.page.mouse.click(edge["x"] + edge["width"] - 3, edge["y"] + edge["height"] / 2)
    assert await screen.page.is_visible("#pg-picker-list")
    assert await box.input_value() == "gpt"
    await box.press("Escape")
    assert await box.input_value() == "openai/gpt-4o"
