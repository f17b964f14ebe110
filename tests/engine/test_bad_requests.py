"""What a client may send that is wrong, hostile or merely odd: a clear 400, or an answer; never a crash."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytestmark = pytest.mark.engine
PATH = "/v1/completions"
BODY = {"model": "smollm2-135m-instruct", "prompt": "x", "max_tokens": 1}


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": "1"}, "temperature"),
        ({"temperature": 1e308}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"top_p": 1.01}, "top_p"),
        ({"n": 0}, "n"),
        ({"n": 129}, "n"),
        ({"n": 1.5}, "n"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": 10**30}, "prompt"),
        ({"presence_penalty": 2.01}, "presence_penalty"),
        ({"frequency_penalty": -3}, "frequency_penalty"),
        ({"logprobs": 6}, "logprobs"),
        ({"logprobs": True}, "logprobs"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"stop": 3}, "stop"),
        ({"best_of": 21}, "best_of"),
        ({"best_of": 1, "n": 2}, "best_of"),
        ({"best_of": 2, "stream": True}, "best_of"),
        ({"suffix": " end"}, "suffix"),
        ({"seed": 2**63}, "seed"),
        ({"logit_bias": {"5": 101}}, "logit_bias"),
        ({"logit_bias": {"-1": 1}}, "logit_bias"),
        ({"logit_bias": {"999999": 1}}, "logit_bias"),
        ({"logit_bias": {"\ud800": 1}}, "logit_bias"),
        ({"logit_bias": {"٣": 1}}, "logit_bias"),
        ({"logit_bias": [1]}, "logit_bias"),
        ({"prompt": []}, "prompt"),
        ({"prompt": [[]]}, "prompt"),
        ({"prompt": [-1]}, "prompt"),
        ({"prompt": [10**9]}, "prompt"),
        ({"prompt": [10**40]}, "prompt"),
        ({"prompt": [1, "a"]}, "prompt"),
        ({"prompt": {"a": 1}}, "prompt"),
        ({"prompt": ["x"] * 100, "n": 3}, "prompt"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": 3}, "stream_options"),
        ({"echo": 1}, "echo"),
        ({"model": 3}, "model"),
    ],
)
def test_a_bad_parameter_is_refused_by_its_name(engine: Any, change: dict[str, Any], param: str) -> None:
    error = engine.refused(PATH, {**BODY, **change})
    assert error["param"] == param
    assert error["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"3",
        b"\xff\xfe{}",
        b'{"model": NaN}',
        b'{"model": "smollm2-135m-instruct", "temperature": Infinity}',
        b'{"model": "smollm2-135m-instruct", "temperature": 1e999}',
        b'{"model": "smollm2-135m-instruct", "seed": ' + b"9" * 5000 + b"}",
        b'{"model":' + b"[" * 100_000,
    ],
)
def test_a_body_that_is_no_good_json_object_is_refused(engine: Any, body: bytes) -> None:
    engine.refused(PATH, body)


def test_a_missing_or_unknown_model_is_named(engine: Any) -> None:
    assert engine.refused(PATH, {"prompt": "x"})["param"] == "model"
    for path, more in ((PATH, {"prompt": "x"}), ("/v1/chat/completions", {"messages": [{"role": "user"}]})):
        error = engine.refused(path, {"model": "gpt-\ud800", **more}, 404)
        assert (error["param"], error["code"]) == ("model", "model_not_found")


@pytest.mark.parametrize("prompt", ["word " * 9000, "x" * 5_000_000, [5] * 9000])
def test_a_prompt_beyond_the_context_is_refused(engine: Any, prompt: Any) -> None:
    error = engine.refused(PATH, {**BODY, "prompt": prompt})
    assert (error["param"], error["code"]) == ("prompt", "context_length_exceeded")
    assert "8192" in error["message"]


def test_an_answer_beyond_the_context_is_refused_and_one_that_just_fits_is_not(engine: Any) -> None:
    assert engine.refused(PATH, {**BODY, "max_tokens": 8192})["code"] == "context_length_exceeded"
    assert engine.complete("1, 2,", max_tokens=8192 - 5, temperature=0, stop=[" 5", "5"])["choices"][0]["finish_reason"]


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": ""},
        {"prompt": None},
        {"prompt": "\x00\x00"},
        {"prompt": "<|endoftext|><|im_start|>"},
        {"prompt": "\ud83d alone \udc00"},
        {"prompt": ["a", ""]},
        {"temperature": 0, "top_p": 0},
        {"temperature": 5e-324, "top_p": 5e-324},
        {"stop": ""},
        {"stop": ["", "\x00", "\ud800"]},
        {"logit_bias": {str(token): -100 for token in range(49152)}},
        {"logit_bias": {}},
        {"presence_penalty": -2, "frequency_penalty": -2},
        {"user": "\ud800", "unknown": {"deep": [[[]]]}},
        {"suffix": ""},
        dict.fromkeys(("temperature", "top_p", "n", "stop", "seed", "logprobs", "best_of", "echo", "stream")),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_odd_values_are_answered(engine: Any, valid: Any, change: dict[str, Any], stream: bool) -> None:
    body = {**BODY, "logprobs": 2, **change}
    if stream:
        assert engine.stream(PATH, **{**body, "stream": True})
        return
    answer = engine.http.post(PATH, content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert answer.status_code == 200, answer.text
    if answer.headers["content-type"] == "application/json":
        valid("CreateCompletionResponse", _known(answer.json()))


def _known(answer: dict[str, Any]) -> dict[str, Any]:
    """The published schema has no null for the probability of a prompt's first token; OpenAI sends it all the same."""
    for choice in answer["choices"]:
        choice["logprobs"] = None
    return answer


def _held_to(const: Any) -> str:
    schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"const": const}}}
    body = {"model": BODY["model"], "messages": [{"role": "user", "content": "x"}], "response_format": schema}
    return json.dumps({**body, "max_tokens": 9}, ensure_ascii=False)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-32"])
@pytest.mark.parametrize("half", ["\ud800", "\\ud800"], ids=["itself", "escaped"])
def test_a_lone_surrogate_becomes_a_replacement_character(engine: Any, encoding: str, half: str) -> None:
    raw = _held_to("MARK").replace("MARK", half).encode(encoding, "surrogatepass")
    answer = engine.http.post("/v1/chat/completions", content=raw)
    assert answer.status_code == 200, answer.text
    assert json.loads(answer.json()["choices"][0]["message"]["content"]) == "\ufffd"


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1" + "0" * 400])
def test_a_number_that_cannot_be_sent_on_is_refused_in_a_few_words(engine: Any, number: str) -> None:
    error = engine.refused("/v1/chat/completions", _held_to("MARK").replace('"MARK"', number).encode())
    assert len(error["message"]) < 400


@pytest.mark.parametrize("text", [" " * 100_000, "\n" * 100_000, "a" * 100_000, "é" * 50_000, "😀" * 20_000], ids=len)
def test_a_long_run_of_one_character_does_no_harm(engine: Any, text: str) -> None:
    answer = engine.http.post(PATH, json={**BODY, "prompt": text})
    assert answer.status_code in (200, 400)
    assert engine.good("/tokenize", {"content": text})["count"] > 1000
    assert engine.http.get("/health").json()["status"] == "ok"
