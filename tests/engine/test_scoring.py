"""A prompt's own probabilities under `echo`: every token has one, whatever it is made of."""

from __future__ import annotations

from math import exp
from typing import Any

import pytest

pytestmark = pytest.mark.engine


@pytest.mark.parametrize(
    "prompt",
    ["Ünï 日本 😀😀x", "a<|im_end|> and<|endoftext|>b<|im_start|>user", "\x00é\n\n", "<|endoftext|><|endoftext|>"],
    ids=ascii,
)
def test_every_token_after_the_first_has_a_probability(engine: Any, prompt: str) -> None:
    choice = engine.complete(prompt, max_tokens=0, echo=True, logprobs=3)["choices"][0]
    said = choice["logprobs"]
    assert choice["text"] == prompt
    assert len(said["tokens"]) == engine.good("/tokenize", {"content": prompt})["count"]
    assert said["token_logprobs"][0] is None
    assert all(logprob <= 0 for logprob in said["token_logprobs"][1:])
    for token, logprob, top in zip(
        said["tokens"][1:], said["token_logprobs"][1:], said["top_logprobs"][1:], strict=True
    ):
        assert top[token] == logprob
        assert 3 <= len(top) <= 4
        assert sum(map(exp, top.values())) < 1.001


def test_scores_are_a_distribution_over_what_could_have_come(engine: Any) -> None:
    """The same beginning with each of two endings: the likelier ending of the model is the likelier in the scores."""
    scores = {}
    for word in (" Paris", " Berlin"):
        said = engine.complete("The capital of France is" + word, max_tokens=0, echo=True, logprobs=5)["choices"][0]
        scores[word] = said["logprobs"]["token_logprobs"][-1]
        assert (
            max(said["logprobs"]["top_logprobs"][-1], key=said["logprobs"]["top_logprobs"][-1].__getitem__) == " Paris"
        )
    assert scores[" Paris"] > scores[" Berlin"] + 1


def test_several_choices_of_one_prompt_have_the_same_scores_before_their_own(engine: Any) -> None:
    answer = engine.complete("The cat sat", n=2, seed=1, max_tokens=2, echo=True, logprobs=0)
    first, second = (choice["logprobs"]["token_logprobs"] for choice in answer["choices"])
    assert first[:3] == second[:3]
