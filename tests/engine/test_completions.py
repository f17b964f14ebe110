"""/v1/completions: the four forms of a prompt, choices, echo, best_of, stop, limits, streams."""

from __future__ import annotations

import json
import subprocess
import sys
from statistics import fmean
from typing import Any

import pytest

pytestmark = pytest.mark.engine
PATH = "/v1/completions"
PROMPT = "The capital of France is"

RAW = """
import json, sys, xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.n_ctx, params.hostnames, params.port = sys.argv[1], 2048, ["127.0.0.1"], 0
params.verbosity = 0
server = xllamacpp.Server(params)
bodies = ({"temperature": 0, "max_tokens": 24, "prompt": prompt} for prompt in sys.argv[2:])
texts = [server.handle_completions(body)["choices"][0]["text"] for body in bodies]
print("\\nANSWER" + json.dumps(texts), flush=True)
import os; os._exit(0)
"""


def test_a_completion_has_openais_shape(engine: Any, valid: Any) -> None:
    answer = engine.complete(PROMPT, temperature=0, user="someone")
    valid("CreateCompletionResponse", answer)
    assert answer["choices"][0]["text"].startswith(" Paris")
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"] == {"prompt_tokens": 5, "completion_tokens": 4, "total_tokens": 9}


def test_max_tokens_is_sixteen_when_unset_and_may_be_zero(engine: Any) -> None:
    assert engine.complete("Once upon a time", max_tokens=None, temperature=0)["usage"]["completion_tokens"] == 16
    none = engine.complete("Once", max_tokens=0)
    assert none["choices"][0]["text"] == ""
    assert none["usage"]["completion_tokens"] == 0


def test_greedy_text_is_llama_cpps_own(engine: Any) -> None:
    from playground.engine.weights import find

    prompts = ["Once upon a time, a small robot", "def fibonacci(n):", "La capital de España es", "¿Cómo estás? Yo"]
    said = subprocess.run(
        [sys.executable, "-c", RAW, str(find(None).path), *prompts],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    own = json.loads(said.stdout.split("ANSWER")[1].splitlines()[0])
    ask = {"temperature": 0, "max_tokens": 24}
    assert [engine.complete(prompt, **ask)["choices"][0]["text"] for prompt in prompts] == own
    for prompt, text in zip(prompts, own, strict=True):
        assert "".join(event["choices"][0]["text"] for event in engine.stream(PATH, prompt=prompt, **ask)) == text


def test_every_form_of_prompt_gives_the_same_text(engine: Any) -> None:
    ids = engine.good("/tokenize", {"content": PROMPT})["tokens"]
    expected = engine.complete(PROMPT, temperature=0)["choices"][0]["text"]
    assert engine.complete(ids, temperature=0)["choices"][0]["text"] == expected
    for several in ([PROMPT, PROMPT], [ids, ids]):
        answer = engine.complete(several, temperature=0)
        assert [choice["text"] for choice in answer["choices"]] == [expected, expected]
        assert [choice["index"] for choice in answer["choices"]] == [0, 1]
        assert answer["usage"] == {"prompt_tokens": 10, "completion_tokens": 8, "total_tokens": 18}


def test_n_beyond_the_slots_gives_that_many_different_choices(engine: Any) -> None:
    answer = engine.complete("My favourite", n=9, seed=3, temperature=1.2)
    assert [choice["index"] for choice in answer["choices"]] == list(range(9))
    assert len({choice["text"] for choice in answer["choices"]}) > 4
    assert answer["usage"]["completion_tokens"] >= 9
    assert answer["usage"]["prompt_tokens"] == len(engine.good("/tokenize", {"content": "My favourite"})["tokens"])


@pytest.mark.parametrize("seed", [7, 0, -1, 2**32 - 1, 2**63 - 1])
def test_a_seed_gives_the_same_text_again(engine: Any, seed: int) -> None:
    texts = [engine.complete("A random word:", seed=seed, temperature=1.5)["choices"][0]["text"] for _ in range(2)]
    assert texts[0] == texts[1]


def test_a_stop_text_ends_the_choice_and_is_not_part_of_it(engine: Any) -> None:
    choice = engine.complete(PROMPT, temperature=0, max_tokens=8, stop=["nowhere", "."], logprobs=0)["choices"][0]
    assert (choice["text"], choice["finish_reason"]) == (" Paris", "stop")
    assert choice["logprobs"]["tokens"] == [" Paris"]


def test_best_of_gives_the_likeliest_and_its_usage_counts_all(engine: Any) -> None:
    best = engine.complete("I like", best_of=4, n=2, seed=5, temperature=0.9, logprobs=0)
    means = [fmean(choice["logprobs"]["token_logprobs"]) for choice in best["choices"]]
    assert [choice["index"] for choice in best["choices"]] == [0, 1]
    assert means == sorted(means, reverse=True)
    assert 4 < best["usage"]["completion_tokens"] <= 16
    assert engine.complete("I like", best_of=2)["choices"][0]["logprobs"] is None


def test_the_best_have_the_highest_mean_logprob() -> None:
    from playground.engine.completions import _best
    from playground.engine.generation import Piece, Token

    def choice(index: int, *logprobs: float) -> list[Piece]:
        return [Piece(index, "x", tuple(Token(b"x", logprob, ()) for logprob in logprobs), "stop", len(logprobs))]

    candidates = [choice(0, -1, -3), choice(1, -1), choice(2, -0.5, -0.7, -0.9), choice(3)]
    assert [parts[0].index for parts in _best(candidates, 2)] == [2, 1]
    assert _best(candidates, 4) == candidates


def test_echo_gives_the_prompt_before_its_continuation(engine: Any) -> None:
    for prompt in (PROMPT, "", "a😀\x00<|endoftext|>"):
        text = engine.complete(prompt, echo=True, temperature=0)["choices"][0]["text"]
        assert text == prompt + engine.complete(prompt, temperature=0)["choices"][0]["text"]


def test_logit_bias_forbids_and_forces_tokens(engine: Any) -> None:
    (paris,) = engine.good("/tokenize", {"content": " Paris"})["tokens"]
    assert "Paris" not in engine.complete(temperature=0, logit_bias={str(paris): -100})["choices"][0]["text"]
    forced = engine.complete("x", temperature=0, logit_bias={str(paris): 100})["choices"][0]["text"]
    assert forced == " Paris" * 4


def test_a_penalty_keeps_a_token_from_coming_again(engine: Any) -> None:
    london, paris = (engine.good("/tokenize", {"content": word})["tokens"][0] for word in (" London", " Paris"))

    def kinds(**penalty: float) -> int:
        bias = {str(london): 30, str(paris): 30}
        answer = engine.complete("Go to", temperature=0, max_tokens=8, logit_bias=bias, **penalty)
        return len(set(answer["choices"][0]["text"].split()))

    assert kinds() == 1
    assert kinds(frequency_penalty=2) == 2
    story = {"prompt": "Once upon a time", "temperature": 0, "max_tokens": 16}
    assert engine.complete(**story)["choices"] != engine.complete(**story, presence_penalty=2)["choices"]


def test_a_stream_has_the_text_of_the_whole_answer(engine: Any, valid: Any) -> None:
    events = engine.stream(PATH, prompt=PROMPT, temperature=0, max_tokens=8)
    whole = engine.complete(PROMPT, temperature=0, max_tokens=8)["choices"][0]
    for event in events:
        valid("CreateCompletionResponse", {**event, "choices": [{**event["choices"][0], "finish_reason": "stop"}]})
        assert "usage" not in event
    assert "".join(event["choices"][0]["text"] for event in events) == whole["text"]
    assert [e["choices"][0]["finish_reason"] for e in events] == [None] * (len(events) - 1) + ["length"]
    assert len(events) > 3


def test_streamed_choices_come_interleaved_and_usage_comes_last(engine: Any) -> None:
    events = engine.stream(
        PATH, prompt="Once", n=3, seed=1, max_tokens=12, temperature=0.5, stream_options={"include_usage": True}
    )
    *chunks, last = events
    order = [chunk["choices"][0]["index"] for chunk in chunks]
    assert order != sorted(order)
    ends = [chunk["choices"][0] for chunk in chunks if chunk["choices"][0]["finish_reason"]]
    assert sorted(end["index"] for end in ends) == [0, 1, 2]
    assert all(chunk["usage"] is None for chunk in chunks)
    assert last["choices"] == []
    assert 3 <= last["usage"]["completion_tokens"] <= 36
    assert last["usage"]["total_tokens"] == last["usage"]["prompt_tokens"] + last["usage"]["completion_tokens"]


def test_a_streamed_echo_begins_with_the_prompt(engine: Any) -> None:
    events = engine.stream(PATH, prompt=PROMPT, echo=True, temperature=0, logprobs=1, max_tokens=2)
    assert events[0]["choices"][0]["text"] == PROMPT
    offsets = [offset for event in events for offset in event["choices"][0]["logprobs"]["text_offset"]]
    assert offsets[:6] == [0, 3, 11, 14, 21, 24]
