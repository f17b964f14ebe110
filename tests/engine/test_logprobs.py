"""Probabilities: OpenAI's legacy shape, the chat shape, and characters that are several tokens."""

from __future__ import annotations

from math import exp
from typing import Any

import pytest

pytestmark = pytest.mark.engine
PROMPT = "The capital of France is"
WORD = "日本😀é"
HELD = {"type": "json_schema", "json_schema": {"name": "word", "schema": {"const": WORD}}}


def test_legacy_logprobs_have_four_lists_of_one_length(engine: Any, valid: Any) -> None:
    answer = engine.complete(PROMPT, temperature=0, logprobs=5)
    valid("CreateCompletionResponse", answer)
    said, text = answer["choices"][0]["logprobs"], answer["choices"][0]["text"]
    assert "".join(said["tokens"]) == text
    assert {len(said[name]) for name in said} == {4}
    assert said["text_offset"][0] == len(PROMPT)
    assert said["text_offset"][1] == len(PROMPT) + len(said["tokens"][0])
    for token, logprob, top in zip(said["tokens"], said["token_logprobs"], said["top_logprobs"], strict=True):
        # Greedy: the token is the likeliest one.
        assert len(top) == 5
        assert logprob == max(top.values()) == top[token] <= 0


def test_logprobs_zero_gives_the_tokens_own_alone(engine: Any) -> None:
    said = engine.complete(PROMPT, temperature=0, logprobs=0)["choices"][0]["logprobs"]
    assert [list(top) for top in said["top_logprobs"]] == [[token] for token in said["tokens"]]
    assert engine.complete(PROMPT)["choices"][0]["logprobs"] is None


def test_logprobs_do_not_change_the_text(engine: Any) -> None:
    texts = {
        engine.complete(PROMPT, temperature=0, max_tokens=8, **more)["choices"][0]["text"]
        for more in ({}, {"logprobs": 0}, {"logprobs": 5})
    }
    assert len(texts) == 1


def test_echo_scores_the_prompt_as_its_generation_does(engine: Any) -> None:
    made = engine.complete(PROMPT, temperature=0, max_tokens=2, logprobs=2)["choices"][0]
    scored = engine.complete(PROMPT + made["text"], temperature=0, max_tokens=0, echo=True, logprobs=2)["choices"][0]
    assert scored["text"] == PROMPT + made["text"]
    said = scored["logprobs"]
    assert said["token_logprobs"][0] is said["top_logprobs"][0] is None
    assert said["text_offset"][:3] == [0, 3, 11]
    assert said["tokens"][-2:] == made["logprobs"]["tokens"]
    for mine, its in zip(said["token_logprobs"][-2:], made["logprobs"]["token_logprobs"], strict=True):
        assert exp(mine) == pytest.approx(exp(its), abs=0.05)


def test_of_a_token_within_which_a_stop_begins_only_what_is_in_the_text_is_given(engine: Any) -> None:
    ask = {"temperature": 0, "max_tokens": 4, "logprobs": 2}
    (first, *_) = engine.complete(PROMPT, **ask)["choices"][0]["logprobs"]["token_logprobs"]
    whole = engine.complete(PROMPT, **ask, stop="ris")["choices"][0]
    assert (whole["text"], whole["finish_reason"]) == (" Pa", "stop")
    assert whole["logprobs"]["tokens"] == [" Pa"]
    assert whole["logprobs"]["token_logprobs"] == [pytest.approx(first, abs=0.01)]
    assert whole["logprobs"]["top_logprobs"][0][" Pa"] == whole["logprobs"]["token_logprobs"][0]
    assert len(whole["logprobs"]["top_logprobs"][0]) == 2
    events = engine.stream("/v1/completions", prompt=PROMPT, **ask, stop="ris")
    tokens = [token for event in events for token in event["choices"][0]["logprobs"]["tokens"]]
    assert "".join(tokens) == "".join(event["choices"][0]["text"] for event in events) == " Pa"


@pytest.mark.parametrize("stop", [None, [" the", "e", ". ", "\n\n"]])
def test_the_bytes_of_wild_tokens_join_to_the_text_whole_and_streamed(engine: Any, stop: list[str] | None) -> None:
    for seed, prompt in enumerate(("¡Hola", "日本", "😀 😁", "fn main", "La mañana", "👩‍👩‍👧")):
        ask = {"temperature": 2, "seed": seed, "max_tokens": 16, "logprobs": 1, "stop": stop}
        choice = engine.complete(prompt, **ask)["choices"][0]
        events = [event["choices"][0] for event in engine.stream("/v1/completions", prompt=prompt, **ask)]
        assert "".join(event["text"] for event in events) == choice["text"]
        assert not any(text in choice["text"] for text in stop or ())
        streamed = [token for event in events for token in event["logprobs"]["tokens"]]
        for tokens in (choice["logprobs"]["tokens"], streamed):
            assert b"".join(map(_raw, tokens)).decode("utf-8", "replace") == choice["text"]


def _raw(token: str) -> bytes:
    part = token.removeprefix("bytes:")
    return bytes.fromhex(part.replace("\\x", "")) if part != token else token.encode()


def test_an_offset_counts_characters_where_tokens_are_parts_of_them(engine: Any) -> None:
    said = engine.complete("a😀b", max_tokens=0, echo=True, logprobs=1)["choices"][0]["logprobs"]
    assert said["tokens"] == ["a", "bytes:\\xf0\\x9f", "bytes:\\x98", "bytes:\\x80", "b"]
    assert said["text_offset"] == [0, 1, 1, 1, 2]


def test_chat_logprobs_have_openais_shape_with_bytes(engine: Any, valid: Any) -> None:
    answer = engine.chat(max_tokens=4, logprobs=True, top_logprobs=3, temperature=0)
    valid("CreateChatCompletionResponse", answer)
    content = answer["choices"][0]["logprobs"]["content"]
    assert b"".join(bytes(token["bytes"]) for token in content).decode() == answer["choices"][0]["message"]["content"]
    assert {len(token["top_logprobs"]) for token in content} == {3}
    assert all(token["token"] == token["top_logprobs"][0]["token"] for token in content)


def test_the_bytes_of_split_characters_join_to_the_text(engine: Any) -> None:
    choice = engine.chat(max_tokens=20, response_format=HELD, logprobs=True)["choices"][0]
    assert choice["message"]["content"] == f'"{WORD}"'
    content = choice["logprobs"]["content"]
    assert b"".join(bytes(token["bytes"]) for token in content).decode() == f'"{WORD}"'
    assert all(token["logprob"] <= 0 for token in content)


@pytest.mark.parametrize("logprobs", [False, True])
def test_a_stream_never_splits_a_character(engine: Any, valid: Any, logprobs: bool) -> None:
    messages = [{"role": "user", "content": "x"}]
    events = engine.stream(
        "/v1/chat/completions", messages=messages, max_tokens=20, response_format=HELD, logprobs=logprobs
    )
    for event in events:
        valid("CreateChatCompletionStreamResponse", event)
    texts = [event["choices"][0]["delta"].get("content", "") for event in events]
    assert "".join(texts) == f'"{WORD}"'
    assert not any("\ufffd" in text for text in texts)
    tokens = [t for e in events for t in (e["choices"][0]["logprobs"] or {"content": []})["content"]]
    assert b"".join(bytes(token["bytes"]) for token in tokens).decode() == (f'"{WORD}"' if logprobs else "")
