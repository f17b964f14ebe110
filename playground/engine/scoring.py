"""How likely each token of a given text was: what `echo` with `logprobs` asks for, and llama.cpp does not give.

It does give the probabilities of what it generates, as they were before any bias. So each token is made certain in turn
and generated after those before it, whose keys and values stay cached: about as fast as writing the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from math import nan
from typing import Any

from playground.engine.generation import NEUTRAL, Generator, Token

FORCED = 1_000.0
"""A bias that makes one token certain."""
WIDTHS = (200, 1_000_000)
"""How far down the list a look goes; only the rare token that is not near its top costs the whole vocabulary."""
LOOKS = 64
"""Looks for one text at most, since each may cost several MB of JSON. What is beyond stays unknown (nan)."""


async def score(generator: Generator, prompt: Sequence[int], alternatives: int) -> list[Token]:
    """The tokens of `prompt` with their natural-log probabilities; the first, with nothing before it, has nan."""
    vocabulary = generator.llama.header.vocabulary
    scored, looks = [Token(vocabulary[prompt[0]], nan, ())], 0
    async with generator.room.place(len(prompt)):
        for at in range(1, len(prompt)):
            token = await _forced(generator, prompt[:at], prompt[at], alternatives)
            if token is None and looks < LOOKS:
                looks += 1
                token = await _look(generator, prompt[:at], prompt[at], alternatives)
            scored.append(token or Token(vocabulary[prompt[at]], nan, ()))
    return scored


async def _forced(generator: Generator, before: Sequence[int], token: int, alternatives: int) -> Token | None:
    """`token` as it is generated; None for one that ends within a character or ends the generation, which llama.cpp
    leaves out of its probabilities."""
    vocabulary = generator.llama.header.vocabulary
    for said in await _next(generator, before, token, max(1, alternatives)):
        return _token(vocabulary, said, said["top_logprobs"][:alternatives])
    return None


async def _look(generator: Generator, before: Sequence[int], token: int, alternatives: int) -> Token | None:
    """`token` as it stands in the list of all that could have come."""
    vocabulary = generator.llama.header.vocabulary
    # Any token that is a whole character: what is generated here does not matter, the list beside it does.
    whole = vocabulary.index(b"x")
    for width in WIDTHS:
        for said in await _next(generator, before, whole, min(width, len(vocabulary))):
            for one in said["top_logprobs"]:
                if one["id"] == token:
                    return _token(vocabulary, one, said["top_logprobs"][:alternatives])
    return None


async def _next(generator: Generator, before: Sequence[int], token: int, width: int) -> list[dict[str, Any]]:
    """llama.cpp's own probabilities of the next token, which is made to be `token`, and of the `width` likeliest."""
    body = {
        **NEUTRAL,
        "prompt": list(before),
        "n_predict": 1,
        "samplers": ["temperature"],
        "temperature": 0.0,
        "n_probs": width,
        "logit_bias": [[token, FORCED]],
    }
    answer = generator.llama.generate("/completion", body, stream=False)
    async with generator.starting, aclosing(answer) as answers:
        said: list[dict[str, Any]] = (await anext(answers)).get("completion_probabilities") or []
        return said


def _token(vocabulary: Sequence[bytes], said: dict[str, Any], top: Sequence[dict[str, Any]]) -> Token:
    return Token(vocabulary[said["id"]], said["logprob"], tuple((vocabulary[one["id"]], one["logprob"]) for one in top))
