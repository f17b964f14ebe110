"""Messages from outside, in OpenAI's shape: what is taken, what is refused, and that the place is named."""

from __future__ import annotations

from typing import Any

import pytest

from playground.errors import InvalidRequest
from playground.messages import MAX_MESSAGES, MAX_TEXT, read_messages

PIXEL = "data:image/png;base64,iVBORw0KGgo="
CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Lima"}'}}


def user(content: Any = "Hi", **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": content, **more}


def refused(messages: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        read_messages(messages)
    assert caught.value.param in ("messages", "messages[0].content")
    return caught.value


def test_a_conversation_comes_out_as_it_went_in() -> None:
    given = [
        {"role": "system", "content": "Be brief."},
        user("Hi", name="ana"),
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "content": "rain", "tool_call_id": "c1"},
        {"role": "assistant", "content": "It rains."},
        {"role": "developer", "content": ""},
    ]
    assert [message.body() for message in read_messages(given)] == given


def test_an_empty_text_beside_a_call_is_null_as_servers_want_it() -> None:
    first, _ = read_messages(
        [
            {"role": "assistant", "content": "", "tool_calls": [CALL]},
            {"role": "tool", "content": "", "tool_call_id": "c1"},
        ]
    )
    assert first.content is None


def test_images_travel_inside_and_lose_what_only_the_page_needs() -> None:
    image = {"type": "image_url", "image_url": {"url": PIXEL, "detail": "low"}}
    parts = [{"type": "text", "text": "What is this?"}, {**image, "width": 1, "height": 1}]
    (message,) = read_messages([user(parts)])
    assert message.body()["content"] == [parts[0], image]


@pytest.mark.parametrize(
    "url",
    ["https://example.org/a.png", "http://127.0.0.1/x", "data:text/html;base64,PGI+",
     "data:image/svg+xml;base64,PHN2Zz4=",
     "data:image/png;base64,not base64", "file:///etc/passwd", "", None, 7],
)  # fmt: skip
def test_an_image_that_is_not_in_the_request_is_refused(url: Any) -> None:
    error = refused([user([{"type": "image_url", "image_url": {"url": url}}])])
    assert "PNG" in error.hint


@pytest.mark.parametrize(
    "messages",
    [None, "Hi", 7, {}, [None], ["Hi"], [[]], [{}], [{"role": "wizard", "content": ""}], [{"role": 1}], [user(7)],
     [user([None])], [user([{"type": "text"}])], [user([{"type": "video"}])], [user(api_key="x")], [user(name="a b")],
     [user(tool_calls=[CALL])], [{"role": "assistant", "tool_calls": "x"}], [{"role": "assistant", "tool_calls": [{}]}],
     [{"role": "tool", "content": "x"}],
     [user([{"type": "image_url", "image_url": {"url": PIXEL, "detail": "huge"}}])]],
)  # fmt: skip
def test_what_is_no_conversation_is_refused(messages: Any) -> None:
    refused(messages)


def test_an_empty_conversation_says_what_to_do() -> None:
    assert refused([]).hint == "Write a message first."


def test_the_message_that_is_wrong_is_named_by_its_place() -> None:
    assert refused([user(), user(), {"role": "wizard"}]).message.startswith("Message 3 ")


@pytest.mark.parametrize(("count", "taken"), [(MAX_MESSAGES, True), (MAX_MESSAGES + 1, False)])
def test_more_messages_than_any_model_reads_are_refused(count: int, taken: bool) -> None:
    messages = [user()] * count
    assert len(read_messages(messages)) == count if taken else refused(messages)


def test_a_text_longer_than_any_context_is_refused() -> None:
    refused([user("a" * (MAX_TEXT + 1))])


def test_half_an_emoji_becomes_what_every_server_would_make_of_it() -> None:
    (message,) = read_messages([user("a\ud83d")])
    assert message.content == "a?"


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([{"role": "assistant", "tool_calls": [CALL]}], "The result of weather() is missing."),
        ([{"role": "assistant", "tool_calls": [CALL]}, user()], "comes before the result of weather()"),
        ([{"role": "tool", "content": "x", "tool_call_id": "c9"}], "answers a function call that is not before it"),
        (
            [
                {"role": "assistant", "tool_calls": [CALL]},
                {"role": "tool", "content": "x", "tool_call_id": "c1"},
                {"role": "tool", "content": "x", "tool_call_id": "c1"},
            ],
            "answers a function call that is not before it",
        ),
    ],
)
def test_a_call_and_its_result_belong_together(messages: Any, said: str) -> None:
    assert said in refused(messages).message
