"""The chat count against the cookbook's own figures, and images by OpenAI's published examples."""

from __future__ import annotations

import io
from base64 import b64encode
from random import Random
from typing import Any

import pytest
from PIL import Image

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
    ("model", "tokens"),
    [
        ("gpt-3.5-turbo-0301", 127),
        ("gpt-3.5-turbo", 129),
        ("gpt-4", 129),
        ("gpt-4o", 124),
        ("gpt-4o-mini", 124),
        ("ft:gpt-4o-mini-2024-07-18:acme::x1", 124),
    ],
)
def test_the_cookbooks_conversation_has_the_cookbooks_count(model: str, tokens: int) -> None:
    assert counted(COOKBOOK, model) == tokens


@pytest.mark.parametrize(("model", "tokens"), [("gpt-3.5-turbo", 105), ("gpt-4", 105), ("gpt-4o", 101)])
def test_the_cookbooks_function_has_the_cookbooks_count(model: str, tokens: int) -> None:
    assert counted(ASKED, model, tools=[WEATHER]) == tokens


@pytest.mark.parametrize("model", ["gpt-4.1", "o3", "gpt-5", "somebody-elses"])
def test_what_came_after_gpt_4o_counts_functions_as_it_does(model: str) -> None:
    assert counted(ASKED, model, tools=[WEATHER]) == 101


def test_text_parts_count_as_their_text() -> None:
    parts = [{"type": "text", "text": "What is"}, {"type": "text", "text": " this?"}]
    assert counted([{"role": "user", "content": parts}]) == counted([{"role": "user", "content": "What is this?"}])


@pytest.mark.parametrize("length", [1, 1_999, 2_000, 2_001, 40_000])
@pytest.mark.parametrize("model", ["gpt-4", "gpt-4o", "somebody-elses"])
def test_a_text_counts_the_same_in_a_chat_as_alone(length: int, model: str) -> None:
    text = ("Größe, 3 × naïve\n" * (1 + length // 15))[:length]
    around = counted([{"role": "user", "content": ""}], model)
    assert counted([{"role": "user", "content": text}], model) == around + Counter().count(text, model).tokens


def test_half_a_character_is_counted_and_does_not_raise() -> None:
    assert counted([{"role": "user", "content": "\ud83d"}]) > counted([{"role": "user", "content": ""}])


def test_the_encoding_is_said_only_of_models_whose_encoding_is_known() -> None:
    said = [count_chat(Counter(), {"messages": ASKED}, model).encoding for model in ("gpt-4", "gpt-5", "gguf")]
    assert said == ["cl100k_base", "o200k_base", None]


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
        ("gpt-5-nano", (1024, 1024), "auto", 2520),  # 1,024 patches × 2.46, rounded up
        ("gpt-4o", (4_000_000, 1), "high", 765),  # no side is that long: taken as unknown
        ("gpt-4o", (99_999, 1), "high", 765),  # 4 tiles in a row, as 1,024 square has
        ("gpt-4.1-mini", (99_999, 1), "auto", 2489),  # never more than 1,536 patches
        ("gpt-6", (512, 512), "high", 765),  # nothing is published of it
        ("somebody-elses", (512, 512), "auto", 765),
    ],
)
def test_an_image_costs_what_openai_says(model: str, pixels: tuple[int, int], detail: str, tokens: int) -> None:
    assert image_tokens(part(*pixels, detail), model) == tokens


def data_url(data: bytes) -> str:
    return "data:image/x;base64," + b64encode(data).decode()


PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (300).to_bytes(4, "big") + (200).to_bytes(4, "big") + b"\x08\x02\x00"
GIF = b"GIF89a" + (300).to_bytes(2, "little") + (200).to_bytes(2, "little") + b"\x00\x00"
APP = b"\xff\xe0\x00\x10JFIF" + b"\x00" * 10
JPEG = b"\xff\xd8" + APP + b"\xff\xc0\x00\x11\x08" + (200).to_bytes(2, "big") + (300).to_bytes(2, "big") + b"\x03\x01"
VP8X = b"RIFF\x00\x00\x00\x00WEBPVP8X" + b"\x00" * 8 + (299).to_bytes(3, "little") + (199).to_bytes(3, "little")
VP8L = b"RIFF\x00\x00\x00\x00WEBPVP8L\x00\x00\x00\x00\x2f" + (299 | 199 << 14).to_bytes(4, "little") + b"\x00" * 8


@pytest.mark.parametrize("data", [PNG, GIF, JPEG, VP8X, VP8L], ids=["png", "gif", "jpeg", "webp", "lossless webp"])
def test_the_size_is_read_from_the_file(data: bytes) -> None:
    assert size(data_url(data)) == (300, 200)
    for cut in range(len(data)):  # cut anywhere, it is unknown and never an error
        assert size(data_url(data[:cut])) in (None, (300, 200))


@pytest.mark.parametrize(
    "url", ["", "x", "data:image/png;base64,", "data:image/png;base64,é", "data:image/png;base64,AAA="]
)
def test_what_is_no_image_has_no_size(url: str) -> None:
    assert size(url) is None


def saved(kind: str, **how: Any) -> bytes:
    """A file of 300 by 200 pixels as a library writes it."""
    file = io.BytesIO()
    Image.new("RGBA" if how.pop("alpha", False) else "RGB", (300, 200), "teal").save(file, kind, **how)
    return file.getvalue()


@pytest.mark.parametrize(
    ("kind", "how"),
    [
        ("PNG", {}),
        ("GIF", {}),
        ("JPEG", {}),
        ("JPEG", {"progressive": True, "icc_profile": b"x" * 60_000, "comment": "hello"}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"alpha": True, "exif": b"Exif"}),
    ],
)
def test_files_as_libraries_write_them_are_read(kind: str, how: dict[str, Any]) -> None:
    url = data_url(saved(kind, **how))
    assert size(url) == (300, 200)
    image = {"type": "image_url", "image_url": {"url": url, "detail": "high"}}
    assert image_tokens(image, "gpt-4o") == 255


def test_an_image_at_an_address_is_assumed_to_be_of_a_common_size() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    assert image_tokens(image, "gpt-4o") == image_tokens(image, "gpt-4.1-mini") == 765
    assert image_tokens({**image, "image_url": {"url": "https://example.com/a.png", "detail": "low"}}, "gpt-4o") == 85


@pytest.mark.parametrize("start", [PNG, GIF, JPEG, VP8X, VP8L, saved("WEBP")])
def test_hostile_bytes_have_some_size_or_none_and_never_raise(start: bytes) -> None:
    random = Random(7)
    for _ in range(300):
        data = bytearray(start + random.randbytes(40))
        for _ in range(random.randint(1, 8)):
            data[random.randrange(len(data))] = random.choice((0, 255, random.randrange(256)))
        found = size(data_url(bytes(data)))
        assert found is None or min(found) > 0
        tokens = image_tokens({"type": "image_url", "image_url": {"url": data_url(bytes(data))}}, "gpt-4o")
        assert 255 <= tokens <= 85 + 170 * 8


def test_a_jpeg_whose_segments_lead_nowhere_ends() -> None:
    assert size(data_url(b"\xff\xd8" + b"\xff" * 300_000)) is None
    assert size(data_url(b"\xff\xd8" + b"\xff\xe0\x00\x00" * 70_000)) is None
