"""The chat count against the cookbook's own figures, and images by OpenAI's published examples."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from playground.chat_tokens import count_chat, image_tokens
from playground.images import size
from playground.tokens import Counter

#: The example of the openai-cookbook's "How to count tokens with tiktoken": 129 tokens by cl100k, 124 by o200k.
COOKBOOK = [
    {
        "role": "system",
        "content": "You are a helpful, pattern-following assistant that translates "
        "corporate jargon into plain English.",
    },
    {"role": "system", "name": "example_user", "content": "New synergies will help drive top-line growth."},
    {"role": "system", "name": "example_assistant", "content": "Things working well together will increase revenue."},
    {
        "role": "system",
        "name": "example_user",
        "content": "Let's circle back when we have more bandwidth to touch base on "
        "opportunities for increased leverage.",
    },
    {
        "role": "system",
        "name": "example_assistant",
        "content": "Let's talk later when we're less busy about how to do better.",
    },
    {
        "role": "user",
        "content": "This late pivot means we don't have time to boil the ocean for the client deliverable.",
    },
]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_current_weather",
        "description": "Get the current weather in a given location",
        "parameters": {
            "type": "object",
            "properties": {
                "location": {"type": "string", "description": "The city and state, e.g. San Francisco, CA"},
                "unit": {
                    "type": "string",
                    "description": "The unit of temperature to return",
                    "enum": ["celsius", "fahrenheit"],
                },
            },
            "required": ["location"],
        },
    },
}
ASKED = [
    {"role": "system", "content": "You are a helpful assistant that can answer to questions about the weather."},
    {"role": "user", "content": "What's the weather like in San Francisco?"},
]


def counted(messages: Any, model: str = "gpt-4o", **more: Any) -> int:
    return count_chat(Counter(), {"messages": messages, **more}, model).tokens


@pytest.mark.parametrize(
    ("model", "tokens"), [("gpt-3.5-turbo", 129), ("gpt-4", 129), ("gpt-4o", 124), ("gpt-4o-mini", 124)]
)
def test_the_cookbooks_conversation_has_the_cookbooks_count(model: str, tokens: int) -> None:
    assert counted(COOKBOOK, model) == tokens


@pytest.mark.parametrize(("model", "tokens"), [("gpt-3.5-turbo", 105), ("gpt-4", 105), ("gpt-4o", 101)])
def test_the_cookbooks_function_has_the_cookbooks_count(model: str, tokens: int) -> None:
    assert counted(ASKED, model, tools=[WEATHER]) == tokens


def test_a_name_is_a_token_more_and_was_one_less_on_the_oldest() -> None:
    plain, named = [{"role": "user", "content": "Hi"}], [{"role": "user", "content": "Hi", "name": "ana"}]
    word = Counter().count("ana", "gpt-4").tokens
    assert counted(named, "gpt-4") - counted(plain, "gpt-4") == word + 1
    assert counted(named, "gpt-3.5-turbo-0301") - counted(plain, "gpt-3.5-turbo-0301") == word - 1


@pytest.mark.parametrize(
    "messages",
    [None, 7, "Hi", [], [None, 7, "Hi"], [{"role": 7, "content": None}], [{"content": [None, 7, {"type": "text"}]}],
     [{"content": [{"type": "image_url", "image_url": 7}]}], [{"tool_calls": [None, {"function": 7}]}],
     [{"content": {}}]],
)  # fmt: skip
def test_values_of_wrong_types_count_nothing_and_never_raise(messages: Any) -> None:
    assert counted(messages, tools=[None, {"function": {"parameters": {"properties": {"a": 7}}}}]) >= 3


def test_a_call_counts_its_name_and_arguments() -> None:
    call = {"id": "x", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Lima"}'}}
    without = counted([{"role": "assistant", "content": None}])
    words = Counter().count("weather", "gpt-4o").tokens + Counter().count('{"city":"Lima"}', "gpt-4o").tokens
    assert counted([{"role": "assistant", "content": None, "tool_calls": [call]}]) == without + words


def part(width: int, height: int, detail: str = "auto") -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": "", "detail": detail}, "width": width, "height": height}


@pytest.mark.parametrize(
    ("model", "pixels", "detail", "tokens"),
    [
        ("gpt-4o", (1024, 1024), "high", 765),  # OpenAI's own three examples
        ("gpt-4o", (2048, 4096), "high", 1105),
        ("gpt-4o", (4096, 8192), "low", 85),
        ("gpt-4o", (512, 512), "auto", 255),
        ("gpt-4o", (513, 512), "auto", 425),
        ("gpt-4o-mini", (512, 512), "high", 8500),
        ("gpt-5", (512, 512), "high", 210),
        ("o3", (512, 512), "high", 225),
        ("gpt-4.1-mini", (1024, 1024), "auto", 1659),  # 1,024 patches × 1.62
        ("gpt-4.1-mini", (1800, 2400), "auto", 2353),  # 1,452 patches after scaling
        ("o4-mini", (32, 32), "auto", 2),
        ("somebody-elses", (512, 512), "auto", 765),
    ],
)
def test_an_image_costs_what_openai_says(model: str, pixels: tuple[int, int], detail: str, tokens: int) -> None:
    assert image_tokens(part(*pixels, detail), model) == tokens


PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (300).to_bytes(4, "big") + (200).to_bytes(4, "big") + b"\x08\x02\x00"
GIF = b"GIF89a" + (300).to_bytes(2, "little") + (200).to_bytes(2, "little") + b"\x00\x00"
APP = b"\xff\xe0\x00\x10JFIF" + b"\x00" * 10
JPEG = b"\xff\xd8" + APP + b"\xff\xc0\x00\x11\x08" + (200).to_bytes(2, "big") + (300).to_bytes(2, "big") + b"\x03\x01"
VP8X = b"RIFF\x00\x00\x00\x00WEBPVP8X" + b"\x00" * 8 + (299).to_bytes(3, "little") + (199).to_bytes(3, "little")
VP8L = b"RIFF\x00\x00\x00\x00WEBPVP8L\x00\x00\x00\x00\x2f" + (299 | 199 << 14).to_bytes(4, "little") + b"\x00" * 8


@pytest.mark.parametrize("data", [PNG, GIF, JPEG, VP8X, VP8L], ids=["png", "gif", "jpeg", "webp", "lossless webp"])
def test_the_size_is_read_from_the_file(data: bytes) -> None:
    url = "data:image/x;base64," + b64encode(data).decode()
    assert size(url) == (300, 200)
    for cut in range(len(data)):  # cut anywhere, it is unknown and never an error
        assert size("data:image/x;base64," + b64encode(data[:cut]).decode()) in (None, (300, 200))


@pytest.mark.parametrize(
    "url", ["", "x", "data:image/png;base64,", "data:image/png;base64,é", "data:image/png;base64,AAA="]
)
def test_what_is_no_image_has_no_size(url: str) -> None:
    assert size(url) is None
