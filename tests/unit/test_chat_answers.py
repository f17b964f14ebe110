"""What a chat model says beside its text: calls and thoughts, streamed and whole, and requests as OpenAI wants them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from playground.accepts import effective
from playground.answers import Answer, Unreadable
from playground.client import Client
from playground.parameters import validate_chat, validate_completion
from playground.streaming import RunState
from playground.types import Loading, ToolCall
from tests.fakes.helpers import chat, collect, endpoint, text_of
from tests.fakes.openai_like import ARGUMENTS, CALL_ID
from tests.fakes.server import FakeServer

SPEC = json.loads((Path(__file__).parents[1] / "fixtures" / "openai_openapi_subset.json").read_text())
WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}
CALL = {"type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
PIXEL = "data:image/png;base64,iVBORw0KGgo="


async def state_of(server: FakeServer, **changes: Any) -> RunState:
    client, state = Client([endpoint(server)]), RunState()
    for event in await collect(client, chat(**changes)):
        state.apply(event)
    await client.aclose()
    return state


@pytest.mark.parametrize("model", ["fake", "fault-unstreamed"])
async def test_a_functions_call_is_put_together(model: str) -> None:
    with FakeServer() as server:
        if model == "fault-unstreamed":
            server.enqueue("unstreamed")
        state = await state_of(server, tools=(WEATHER,))
    (choice,) = state.choices()
    assert choice.finish_reason == "tool_calls"
    assert choice.tool_calls == (ToolCall(id=CALL_ID, name="get_weather", arguments="".join(ARGUMENTS)),)
    assert choice.text == ""
    assert state.error is None


async def test_thoughts_stand_apart_from_the_answer() -> None:
    with FakeServer() as server:
        state = await state_of(server, model="fault-reasoning")
    (choice,) = state.choices()
    assert (choice.reasoning, choice.text) == ("Let me think.", "Hello, world!")


def test_a_model_that_is_loaded_first_is_told_and_no_answer_has_begun() -> None:
    answer = Answer()
    chunk = {"id": "", "object": "chat.completion.chunk", "choices": [], "loading": {"model": "m", "seconds": 1.5}}
    assert answer.read(chunk) == [Loading(1.5)]
    assert not answer.begun
    for odd in ({}, {"seconds": "soon"}, {"seconds": None}, 7):
        with pytest.raises(Unreadable):
            answer.read({"choices": [], "loading": odd} if odd else {"choices": [], "loading": {"model": "m"}})


@pytest.mark.parametrize(
    "odd", ['{"tool_calls": 7}', '{"tool_calls": [7]}', '{"tool_calls": [{"function": {"name": 7}}]}',
            '{"reasoning_content": 7}'],
)  # fmt: skip
async def test_calls_of_a_shape_nobody_expects_are_an_error_and_no_crash(odd: str) -> None:
    with FakeServer() as server:
        server.enqueue('odd:{"choices": [{"index": 0, "delta": %s}]}' % odd)  # noqa: UP031
        state = await state_of(server)
    assert state.error is not None
    assert state.error.kind == "BadStream"


# --- requests ---

MESSAGES: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "developer", "content": "Be kind."},
    {
        "role": "user",
        "name": "ana",
        "content": [{"type": "text", "text": "What?"}, {"type": "image_url", "image_url": {"url": PIXEL}}],
    },
    {"role": "assistant", "content": None, "tool_calls": [{**CALL, "id": "c"}]},
    {"role": "tool", "content": "rain", "tool_call_id": "c"},
]  # fmt: skip
EVERYTHING: dict[str, Any] = {
    "messages": MESSAGES,
    "temperature": 0.5,
    "top_p": 0.9,
    "n": 2,
    "max_tokens": 50,
    "frequency_penalty": 0.5,
    "presence_penalty": -0.5,
    "stop": ["\n", " END"],
    "seed": 7,
    "logit_bias": {"50256": -100},
    "logprobs": True,
    "top_logprobs": 5,
    "response_format": {"type": "json_schema", "json_schema": {"type": "object"}},
    "tools": [WEATHER["function"]],
    "tool_choice": "get_weather",
    "parallel_tool_calls": False,
    "reasoning_effort": "low",
    "verbosity": "high",
    "service_tier": "flex",
    "user": "ana",
}


def conforms(name: str, body: Any) -> None:
    schema = {"$ref": f"#/components/schemas/{name}", "components": SPEC["components"]}
    errors = [
        f"{e.instance_path}: {e.message}"[:300] for e in jsonschema_rs.Draft202012Validator(schema).iter_errors(body)
    ]
    assert not errors, errors


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-5", "gpt-5.2", "o3", "gpt-6-luna"])
@pytest.mark.parametrize("left", [None, *EVERYTHING], ids=lambda name: f"without {name}")
def test_every_chat_request_is_what_openai_publishes(model: str, left: str | None) -> None:
    values = {name: value for name, value in EVERYTHING.items() if name != left}
    if left == "logprobs":
        values.pop("top_logprobs")
    values.setdefault("messages", [{"role": "user", "content": "Hi"}])
    request = validate_chat(values, endpoint="openai", model=model)
    sent, _ = effective(request, "openai")
    conforms("CreateChatCompletionRequest", sent.body())


@pytest.mark.parametrize("model", ["gpt-5", "gpt-5-mini", "o3", "o4-mini"])
async def test_what_is_left_is_accepted_by_a_server_like_openais(model: str) -> None:
    plain = {name: value for name, value in EVERYTHING.items() if name not in ("tools", "tool_choice", "n")}
    request = validate_chat(plain, endpoint="server", model=model)
    sent, left_out = effective(request, "openai")
    with FakeServer() as server:
        client = Client([endpoint(server)])
        assert text_of(await collect(client, sent)) == "Hello, world!"
        refused = await collect(client, request)
        await client.aclose()
    assert {left.param for left in left_out} >= {"temperature", "top_p", "logprobs"}
    assert "Unsupported parameter" in str(refused[-1])


def test_every_completion_request_is_what_openai_publishes() -> None:
    values = {
        "prompt": "Hi", "temperature": 1, "top_p": 1, "n": 1, "best_of": 2, "max_tokens": 5, "stop": ["\n"], "seed": 1,
        "logit_bias": {"1": 1}, "logprobs": 5, "echo": True, "suffix": "x", "user": "u", "frequency_penalty": 1,
        "presence_penalty": 1,
    }  # fmt: skip
    request = validate_completion(values, endpoint="openai", model="gpt-3.5-turbo-instruct")
    conforms("CreateCompletionRequest", effective(request, "openai")[0].body())
