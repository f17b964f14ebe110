"""/v1/completions: prompts in any of OpenAI's four forms, choices streamed or whole, echo, best_of, legacy logprobs."""

from __future__ import annotations

import codecs
import secrets
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from math import isnan
from typing import Any

from playground.engine.errors import bad
from playground.engine.generation import Generator, Piece, Sampling, Token
from playground.engine.schemas import CompletionBody
from playground.engine.scoring import score

MAX_TOKENS = 16
"""What is written at most when `max_tokens` is unset (OpenAI's reference)."""
MOST = 256


@dataclass(slots=True)
class Job:
    """A request that has been checked: the prompts as tokens and text, and how to continue them."""

    body: CompletionBody
    prompts: list[list[int]]
    texts: list[str]
    sampling: Sampling
    each: int
    scores: dict[int, list[Token]] = field(default_factory=dict)
    id: str = field(default_factory=lambda: "cmpl-" + secrets.token_hex(14))
    created: int = field(default_factory=lambda: int(time.time()))

    @property
    def prompt_tokens(self) -> int:
        return sum(map(len, self.prompts))

    def answer(self, choices: list[dict[str, Any]], usage: dict[str, Any] | None) -> dict[str, Any]:
        head = {"id": self.id, "object": "text_completion", "created": self.created, "model": self.body.model}
        return {**head, "choices": choices, **({"usage": usage} if usage is not None else {})}


async def prepare(generator: Generator, body: CompletionBody) -> Job:
    """Check what needs the model: the suffix, the tokens, the context."""
    n = body.n or 1
    if body.suffix and not generator.llama.header.has_fill_in_middle:
        raise bad("This model has no fill-in tokens: it cannot complete before a suffix.", "suffix")
    if body.best_of is not None and body.best_of < n:
        raise bad(f"best_of ({body.best_of}) must be at least n ({n}).", "best_of")
    if body.stream and (body.best_of or 1) > n:
        raise bad("best_of is known only when all completions have ended: it cannot be streamed.", "best_of")
    vocabulary = generator.llama.header.vocabulary
    given = _given(body)
    prompts = [await _tokens(generator, prompt) for prompt in given]
    for prompt in prompts:
        if any(token >= len(vocabulary) for token in prompt):
            raise bad(f"The prompt has a token id beyond the vocabulary's {len(vocabulary)}.", "prompt")
    sampling = _sampling(body, generator)
    for prompt in prompts:
        generator.fit(prompt, sampling.max_tokens, "prompt")
    texts = [p if isinstance(p, str) else _text(p, vocabulary) for p in given]
    return Job(body, prompts, texts, sampling, max(n, body.best_of or 1))


def _sampling(body: CompletionBody, generator: Generator) -> Sampling:
    ranked = (body.best_of or 1) > (body.n or 1)
    return Sampling(
        max_tokens=MAX_TOKENS if body.max_tokens is None else body.max_tokens,
        temperature=1.0 if body.temperature is None else body.temperature,
        top_p=1.0 if body.top_p is None else body.top_p,
        presence_penalty=body.presence_penalty or 0.0,
        frequency_penalty=body.frequency_penalty or 0.0,
        seed=body.seed,
        stop=body.stops,
        logit_bias=biases(body.logit_bias, len(generator.llama.header.vocabulary)),
        logprobs=0 if ranked and body.logprobs is None else body.logprobs,
    )


def biases(given: dict[str, float] | None, vocabulary: int) -> dict[str, float]:
    for token in given or ():
        if not (token.isascii() and token.isdecimal()) or len(token) > 9 or int(token) >= vocabulary:
            raise bad(f"logit_bias names {token[:20]!r}, which is not a token id of this model.", "logit_bias")
    return given or {}


def _given(body: CompletionBody) -> list[str | list[int]]:
    """The prompts of a request, in whichever of OpenAI's four forms they came; none is an empty one."""
    given: Any = body.prompt if body.prompt is not None else ""
    if isinstance(given, str) or isinstance(given[0], int):
        given = [given]
    if len(given) * max(body.n or 1, body.best_of or 1) > MOST:
        raise bad(f"At most {MOST} completions are generated for one request.", "prompt")
    return list(given)


async def _tokens(generator: Generator, prompt: str | list[int]) -> list[int]:
    """A prompt's tokens; an empty one begins a document, as at OpenAI."""
    if isinstance(prompt, list):
        return prompt
    generator.check_length(prompt, "prompt")
    tokens = await generator.llama.tokenize(prompt, add_special=True)
    return tokens or [generator.llama.header.bos_token_id or 0]


def _text(prompt: Sequence[int], vocabulary: Sequence[bytes]) -> str:
    return b"".join(vocabulary[token] for token in prompt).decode("utf-8", "replace")


class Written:
    """Where one choice stands in its text: `offset` counts characters from the prompt's beginning."""

    def __init__(self, index: int, prompt: str) -> None:
        self.index, self.offset = index, len(prompt)
        self._characters = codecs.getincrementaldecoder("utf-8")("replace")

    def logprobs(self, tokens: Sequence[Token], alternatives: int | None) -> dict[str, Any] | None:
        """The next tokens in the legacy shape. JSON has no nan: a prompt's first token has null."""
        if alternatives is None:
            return None
        said: dict[str, list[Any]] = {"tokens": [], "token_logprobs": [], "top_logprobs": [], "text_offset": []}
        for token in tokens:
            name, unknown = legacy(token.raw), isnan(token.logprob)
            said["tokens"].append(name)
            said["token_logprobs"].append(None if unknown else token.logprob)
            said["top_logprobs"].append(None if unknown else _top(token, alternatives))
            said["text_offset"].append(self.offset)
            self.offset += len(self._characters.decode(token.raw))
        return said


def _top(token: Token, alternatives: int) -> dict[str, float]:
    """The alternatives and the token itself: up to one more than was asked for, as at OpenAI."""
    top = {legacy(raw): logprob for raw, logprob in token.top[:alternatives]}
    return {**top, legacy(token.raw): token.logprob}


def legacy(raw: bytes) -> str:
    """A token as text; one that is part of a character as OpenAI writes it, `bytes:\\xe2\\x80`."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in raw)


async def _scored(generator: Generator, job: Job, number: int, alternatives: int) -> list[Token]:
    """The prompt's tokens that are in its text: not the one that the tokenizer puts before every document."""
    if number not in job.scores:
        job.scores[number] = await score(generator, job.prompts[number], alternatives)
    tokens = job.scores[number]
    bos = generator.llama.header.bos_token_id
    unseen = job.prompts[number][0] == bos and not job.texts[number].startswith(legacy(tokens[0].raw))
    return tokens[1:] if unseen else tokens


async def whole(generator: Generator, job: Job) -> dict[str, Any]:
    """The answer in one piece."""
    count = len(job.prompts) * job.each
    pieces: list[list[Piece]] = [[] for _ in range(count)]
    async with aclosing(
        generator.choices(job.prompts, job.each, job.sampling, suffix=job.body.suffix or None)
    ) as coming:
        async for piece in coming:
            pieces[piece.index].append(piece)
    completion_tokens = sum(parts[-1].completion_tokens for parts in pieces)
    choices: list[dict[str, Any]] = []
    for number in range(len(job.prompts)):
        mine = pieces[number * job.each : (number + 1) * job.each]
        for parts in _best(mine, job.body.n or 1):
            choices.append(await _choice(generator, job, number, len(choices), parts))
    return job.answer(choices, usage(job.prompt_tokens, completion_tokens))


def _best(candidates: list[list[Piece]], n: int) -> list[list[Piece]]:
    """The n with the highest mean log-probability per token (OpenAI's reference of best_of)."""
    if len(candidates) == n:
        return candidates

    def mean(parts: list[Piece]) -> float:
        logprobs = [token.logprob for piece in parts for token in piece.tokens if not isnan(token.logprob)]
        return sum(logprobs) / len(logprobs) if logprobs else float("-inf")

    return sorted(candidates, key=mean, reverse=True)[:n]


async def _choice(generator: Generator, job: Job, number: int, index: int, parts: list[Piece]) -> dict[str, Any]:
    tokens = [token for piece in parts for token in piece.tokens]
    text, offset_text = "".join(piece.text for piece in parts), job.texts[number] if job.texts else ""
    written = Written(index, "" if job.body.echo else offset_text)
    said = None
    if job.body.logprobs is not None:
        if job.body.echo:
            tokens = await _scored(generator, job, number, job.body.logprobs) + tokens
        said = written.logprobs(tokens, job.body.logprobs)
    text = job.texts[number] + text if job.body.echo else text
    return {"index": index, "text": text, "logprobs": said, "finish_reason": parts[-1].finish_reason}


async def chunks(generator: Generator, job: Job) -> AsyncGenerator[dict[str, Any]]:
    """The answer as it comes, in OpenAI's chunks."""
    tail = {"usage": None} if job.body.include_usage else {}
    written = [Written(i, job.texts[i // job.each] if job.texts else "") for i in range(len(job.prompts) * job.each)]
    if job.body.echo:
        for choice in written:
            yield {**job.answer([await _echoed(generator, job, choice)], None), **tail}
    completion_tokens = 0
    async with aclosing(
        generator.choices(job.prompts, job.each, job.sampling, suffix=job.body.suffix or None)
    ) as coming:
        async for piece in coming:
            completion_tokens += piece.completion_tokens
            if piece.text or piece.tokens or piece.finish_reason:
                said = written[piece.index].logprobs(piece.tokens, job.body.logprobs)
                said_now = {"index": piece.index, "text": piece.text, "logprobs": said}
                yield {**job.answer([{**said_now, "finish_reason": piece.finish_reason}], None), **tail}
    if job.body.include_usage:
        yield job.answer([], usage(job.prompt_tokens, completion_tokens))


async def _echoed(generator: Generator, job: Job, choice: Written) -> dict[str, Any]:
    number, said = choice.index // job.each, None
    if job.body.logprobs is not None:
        choice.offset = 0
        said = choice.logprobs(await _scored(generator, job, number, job.body.logprobs), job.body.logprobs)
    return {"index": choice.index, "text": job.texts[number], "logprobs": said, "finish_reason": None}


def usage(prompt_tokens: int, completion_tokens: int, reasoning_tokens: int | None = None) -> dict[str, Any]:
    """`reasoning_tokens` are part of the completion's; None for a model that does not think."""
    spent: dict[str, Any] = {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }
    details = {"completion_tokens_details": {"reasoning_tokens": reasoning_tokens}}
    return spent if reasoning_tokens is None else {**spent, **details}
