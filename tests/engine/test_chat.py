"""/v1/chat/completions: messages, limits, streams, JSON, and what a small model is not asked."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest

pytestmark = pytest.mark.engine
PATH = "/v1/chat/completions"


def test_an_answer_has_openais_shape(engine: Any, valid: Any) -> None:
    answer = engine.chat([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say hi."}])
    valid("CreateChatCompletionResponse", answer)
    assert answer["choices"][0]["message"]["role"] == "assistant"
    assert answer["usage"]["completion_tokens"] <= 4
    assert answer["usage"]["prompt_tokens"] > 10


def test_text_parts_and_the_developer_role_are_the_same_conversation(engine: Any) -> None:
    plain = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is 2+2?"}]
    parts = [
        {"role": "developer", "content": [{"type": "text", "text": "Be brief."}]},
        {"role": "user", "content": [{"type": "text", "text": "What is "}, {"type": "text", "text": "2+2?"}]},
    ]
    one, other = engine.chat(plain, temperature=0), engine.chat(parts, temperature=0)
    assert one["choices"] == other["choices"]
    assert one["usage"] == other["usage"]


def test_max_completion_tokens_goes_before_max_tokens(engine: Any) -> None:
    answer = engine.chat("Tell me a story.", max_completion_tokens=3, max_tokens=9)
    assert answer["usage"]["completion_tokens"] == 3
    assert answer["choices"][0]["finish_reason"] == "length"


def test_n_choices_are_streamed_each_with_its_role_and_end(engine: Any, valid: Any) -> None:
    events = engine.stream(
        PATH,
        messages=[{"role": "user", "content": "Hi"}],
        n=2,
        seed=4,
        max_tokens=6,
        stream_options={"include_usage": True},
    )
    *chunks, last = events
    for chunk in chunks:
        valid("CreateChatCompletionStreamResponse", {k: v for k, v in chunk.items() if k != "usage"})
    valid("CreateChatCompletionStreamResponse", last)
    for index in (0, 1):
        mine = [chunk["choices"][0] for chunk in chunks if chunk["choices"][0]["index"] == index]
        assert mine[0]["delta"] == {"role": "assistant", "content": ""}
        assert [choice["finish_reason"] for choice in mine][:-1] == [None] * (len(mine) - 1)
        assert mine[-1]["finish_reason"] in ("stop", "length")
    assert last["choices"] == []
    assert 2 <= last["usage"]["completion_tokens"] <= 12


def test_stop_ends_a_chat(engine: Any) -> None:
    # Not one answer against another: at temperature 0, too, a prompt that is still in the cache may tip a near tie.
    choice = engine.chat("Count: 1, 2, 3", temperature=0, max_tokens=60, stop=" ")["choices"][0]
    assert choice["message"]["content"]
    assert " " not in choice["message"]["content"]
    assert choice["finish_reason"] == "stop"


def test_response_format_holds_the_answer_to_json(engine: Any) -> None:
    schema = {
        "type": "object",
        "properties": {"ok": {"type": "boolean"}},
        "required": ["ok"],
        "additionalProperties": False,
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}
    choice = engine.chat("Is the sky blue?", max_tokens=30, temperature=0, response_format=wanted)["choices"][0]
    assert set(json.loads(choice["message"]["content"])) == {"ok"}
    started = engine.chat("Write JSON.", max_tokens=3, response_format={"type": "json_object"})["choices"][0]
    assert started["message"]["content"].lstrip().startswith("{")


PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 8},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "maxItems": 2},
    },
    "required": ["name", "age", "tags"],
    "additionalProperties": False,
}
WIDE = {
    "type": "object",
    "properties": {f"p{i}": {"type": "null"} for i in range(390)},
    "additionalProperties": False,
}


@pytest.mark.parametrize("temperature", [0, 1.5])
@pytest.mark.parametrize("schema", [PERSON, WIDE], ids=["a person", "as wide as any may be"])
def test_an_answer_is_held_to_its_schema_to_the_end(engine: Any, schema: dict[str, Any], temperature: float) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "data", "schema": schema}}
    ask = {"max_tokens": 120, "temperature": temperature, "seed": 3, "response_format": wanted}
    choice = engine.chat("Who?", **ask)["choices"][0]
    if choice["finish_reason"] == "stop":
        assert jsonschema_rs.is_valid(schema, json.loads(choice["message"]["content"]))
    else:
        assert choice["message"]["content"].startswith('{"p')


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {f"p{i}": {"type": "integer"} for i in range(520)}},
        {"anyOf": [{"type": "object", "properties": {f"p{i}": {"type": "integer"}}} for i in range(200)]},
        {"type": "frob"},
        {"$ref": "http://127.0.0.1:1/x"},
        {"$ref": "#/nowhere"},
        {"type": "string", "pattern": "^(a+)+$(((("},
        {"type": "integer", "minimum": -(10**30), "maximum": 10**30, "multipleOf": 1e-300},
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_schema_that_cannot_be_held_is_refused(engine: Any, schema: dict[str, Any], stream: bool) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    body = {"model": "smollm2-135m-instruct", "messages": [{"role": "user", "content": "x"}], "max_tokens": 2}
    error = engine.refused(PATH, {**body, "stream": stream, "response_format": wanted})
    assert error["param"] == "response_format"


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "messages"),
        ({"messages": [{"role": "user", "content": 3}]}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"functions": [{"name": "f"}]}, "functions"),
        ({"modalities": ["audio"]}, "modalities"),
        ({"response_format": {"type": "yaml"}}, "response_format"),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"top_logprobs": 21, "logprobs": True}, "top_logprobs"),
        ({"logprobs": 3}, "logprobs"),
        ({"max_completion_tokens": -1}, "max_completion_tokens"),
    ],
)
def test_a_bad_chat_request_is_refused_by_its_parameter(engine: Any, change: dict[str, Any], param: str) -> None:
    body = {"model": "smollm2-135m-instruct", "messages": [{"role": "user", "content": "x"}], "max_tokens": 2}
    assert engine.refused(PATH, {**body, **change})["param"] == param


def test_a_conversation_beyond_the_context_is_refused(engine: Any) -> None:
    for text in ("word " * 9000, "x" * 3_000_000):
        body = {"model": "smollm2-135m-instruct", "messages": [{"role": "user", "content": text}]}
        assert engine.refused(PATH, body)["code"] == "context_length_exceeded"


QUESTION = {"role": "user", "content": "Count from one to five."}
BEGUN = {"role": "assistant", "content": "One, two, three,"}


def prompt(engine: Any, messages: list[dict[str, Any]]) -> str:
    """What the model reads of a conversation."""
    return "".join(
        piece["piece"] for piece in engine.good("/tokenize", {"messages": messages, "with_pieces": True})["tokens"]
    )


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "¿Qué tal? 👋🏽"}],
        [{"role": "developer", "content": [{"type": "text", "text": "Be"}, {"type": "text", "text": " brief."}]}],
        [QUESTION, BEGUN, QUESTION],
        [QUESTION, BEGUN],
        [QUESTION, {"role": "assistant", "content": ""}],
    ],
    ids=["a question", "text parts", "a second turn", "an answer begun", "an empty answer"],
)
def test_tokenize_counts_a_chat_as_the_chat_itself_does(engine: Any, messages: list[dict[str, Any]]) -> None:
    counted = engine.good("/tokenize", {"messages": messages, "add_generation_prompt": True})
    answer = engine.chat(messages, max_tokens=1)
    assert counted["count"] == len(counted["tokens"]) == answer["usage"]["prompt_tokens"]
    assert counted["max_model_len"] == engine.http.get("/v1/models").json()["data"][0]["meta"]["context_length"]


def test_a_last_message_of_the_assistants_is_continued_not_answered(engine: Any) -> None:
    assert prompt(engine, [QUESTION]).endswith("five.<|im_end|>\n<|im_start|>assistant\n")
    assert prompt(engine, [QUESTION, BEGUN]) == prompt(engine, [QUESTION]) + "One, two, three,"
    said = engine.chat([QUESTION, BEGUN], temperature=0, max_tokens=3)["choices"][0]["message"]["content"]
    assert "four" in said


@pytest.mark.parametrize("nothing", ["", None, []])
def test_an_answer_that_has_not_begun_is_begun(engine: Any, nothing: Any) -> None:
    assert prompt(engine, [QUESTION, {"role": "assistant", "content": nothing}]) == prompt(engine, [QUESTION])


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "content"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "wizard"}]}, "messages"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}, "messages"),
        ({"messages": [QUESTION, BEGUN, BEGUN]}, "messages"),
        ({"messages": [QUESTION], "tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"messages": [QUESTION], "add_generation_prompt": False}, "add_generation_prompt"),
    ],
)
def test_a_chat_that_cannot_be_tokenized_is_refused(engine: Any, body: dict[str, Any], param: str) -> None:
    assert engine.refused("/tokenize", body)["param"] == param
