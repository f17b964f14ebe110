"""One choice as it is generated, and several side by side. Both endpoints are made of this."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from math import nan
from typing import Any, Literal

from playground.engine.errors import bad
from playground.engine.llama import CONTEXT, SLOTS, Llama
from playground.engine.room import Room

FinishReason = Literal["stop", "length"]

#: llama.cpp's own samplers, off: temperature and top_p are to mean what OpenAI says, and nothing else is to interfere.
NEUTRAL: dict[str, Any] = {
    "top_k": 0,
    "min_p": 0.0,
    "typical_p": 1.0,
    "repeat_penalty": 1.0,
    "repeat_last_n": CONTEXT,
    "dry_multiplier": 0.0,
    "xtc_probability": 0.0,
    "cache_prompt": True,
}


WIDEST = 2_000
"""Ways to go on that llguidance, llama.cpp's grammar, follows at once; beyond it stops holding, with a warning."""


@dataclass(frozen=True, slots=True)
class Token:
    """A generated token: its bytes (perhaps half a character), natural-log probability, likeliest alternatives."""

    raw: bytes
    logprob: float
    top: tuple[tuple[bytes, float], ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """More of choice `index`, of which `so_far` tokens have been generated. The last piece of a choice has its
    `finish_reason` and the tokens it took."""

    index: int
    text: str
    tokens: tuple[Token, ...] = ()
    finish_reason: FinishReason | None = None
    completion_tokens: int = 0
    so_far: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How to generate; the names and ranges are OpenAI's. `logprobs` None: none; else how many alternatives."""

    max_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    logit_bias: Mapping[str, float] = field(default_factory=dict)
    logprobs: int | None = None
    json_schema: Mapping[str, Any] | None = None

    def body(self, index: int) -> dict[str, Any]:
        """llama.cpp's own names for it, for choice `index`: each choice draws with a seed of its own."""
        body = {
            **NEUTRAL,
            "n_predict": self.max_tokens,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "presence_penalty": self.presence_penalty,
            "frequency_penalty": self.frequency_penalty,
            "stop": list(self.stop),
            "logit_bias": [[int(token), bias] for token, bias in self.logit_bias.items()],
            "n_probs": 0 if self.logprobs is None else max(1, self.logprobs),
            "samplers": self._samplers(),
        }
        if self.seed is not None:
            # 2**32 - 1 is llama.cpp's word for "any seed": it never comes out.
            body["seed"] = (self.seed + index) % (2**32 - 1)
        if self.json_schema is not None:
            body["json_schema"] = dict(self.json_schema)
        return body

    def _samplers(self) -> list[str]:
        """Only those that do something: each one otherwise walks or sorts the whole vocabulary at every token."""
        used = {
            "penalties": bool(self.presence_penalty or self.frequency_penalty),
            "top_p": self.top_p < 1,
            "temperature": True,
        }
        return [name for name, on in used.items() if on]


class Generator:
    """Generates over one loaded model, as many at once as there is room for; the rest wait their turn."""

    def __init__(self, llama: Llama) -> None:
        self.llama = llama
        self.room = Room(slots=SLOTS, tokens=llama.context)
        # A slot keeps what it read for the last request, and lets go of it only when it starts the next one. Two that
        # start at once find the context full of one another's past, and llama.cpp then gives up all that is running.
        self.starting = asyncio.Lock()
        self._longest = max(map(len, llama.header.vocabulary))

    def check_length(self, text: str, param: str) -> None:
        """Refuse a text that cannot fit, without tokenizing it: megabytes take seconds."""
        if len(text.encode()) > self._longest * self.llama.context:
            raise bad(
                f"This model's maximum context length is {self.llama.context} tokens, and the text is far longer. "
                "Please reduce its length.",
                param,
                "context_length_exceeded",
            )

    def fit(self, prompt: Sequence[int], max_tokens: int, param: str) -> None:
        """Raises OpenAI's context_length_exceeded."""
        if len(prompt) + max_tokens > self.llama.context:
            raise bad(
                f"This model's maximum context length is {self.llama.context} tokens. However, you requested "
                f"{len(prompt) + max_tokens} tokens ({len(prompt)} in the prompt, {max_tokens} in the completion). "
                "Please reduce the length of the prompt or of the completion.",
                param,
                "context_length_exceeded",
            )

    async def check_schema(self, schema: Mapping[str, Any]) -> None:
        """llama.cpp ignores a schema that it cannot read, without a word. So offer it a first token that no JSON begins
        with: only a schema that works keeps it away. One that is too wide it would hold to for a few tokens, and then
        no longer: that has to be counted."""
        if _width(schema) > WIDEST:
            raise bad(
                "The JSON schema has more objects and properties than llama.cpp can hold the answer to.",
                "response_format",
            )
        forced = {str(self.llama.header.vocabulary.index(b"x")): 1_000.0}
        sampling = Sampling(max_tokens=1, temperature=0.0, json_schema=schema, logit_bias=forced)
        async with aclosing(self.choice(0, [self.llama.header.bos_token_id or 0], sampling)) as pieces:
            if any([piece.text == "x" async for piece in pieces]):
                raise bad("The JSON schema is not one that llama.cpp can hold the answer to.", "response_format")

    async def choices(
        self,
        prompts: Sequence[Sequence[int]],
        each: int,
        sampling: Sampling,
        *,
        suffix: str | None = None,
    ) -> AsyncGenerator[Piece]:
        """`each` choices a prompt, as their pieces come. Closing this ends all of them."""
        queue: asyncio.Queue[Piece | BaseException | None] = asyncio.Queue()

        async def one(index: int) -> None:
            try:
                prompt = prompts[index // each]
                async with aclosing(self.choice(index, prompt, sampling, suffix=suffix)) as pieces:
                    async for piece in pieces:
                        queue.put_nowait(piece)
                queue.put_nowait(None)
            except Exception as exc:
                queue.put_nowait(exc)

        tasks = [asyncio.create_task(one(index)) for index in range(len(prompts) * each)]
        try:
            left = len(tasks)
            while left:
                item = await queue.get()
                if isinstance(item, BaseException):
                    raise item
                if item is None:
                    left -= 1
                else:
                    yield item
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def choice(
        self, index: int, prompt: Sequence[int], sampling: Sampling, *, suffix: str | None = None
    ) -> AsyncGenerator[Piece]:
        """One choice. llama.cpp leaves out the probabilities of the first bytes of a character that several tokens make
        up: they are nan."""
        if sampling.max_tokens == 0:
            yield Piece(index, "", finish_reason="length")
            return
        body = sampling.body(index)
        path = "/completion"
        if suffix is None:
            body["prompt"] = list(prompt)
        else:
            path, body["input_suffix"] = "/infill", suffix
            body["input_prefix"] = await self.llama.detokenize(list(prompt))
        # Streamed even when it is wanted whole: the first chunk says that it has started.
        answer = self.llama.generate(path, body, stream=True)
        async with self.room.place(len(prompt) + sampling.max_tokens), aclosing(answer) as chunks:
            held = Aligner(self.llama.header.vocabulary, sampling.logprobs)
            async with self.starting:
                first = await anext(chunks)
            yield held.piece(index, first)
            async for chunk in chunks:
                yield held.piece(index, chunk)


def _width(schema: Any) -> int:
    """At most so many ways to go on are open at once in an answer: 5 for a property, 9 for an object (measured 4.4 and
    7)."""
    width, left = 0, [schema]
    while left:
        node = left.pop()
        if isinstance(node, dict):
            properties = node.get("properties")
            width += 5 * len(properties) if isinstance(properties, dict) else 0
            width += 9 if properties or "object" in str(node.get("type")) else 0
            left += node.values()
        elif isinstance(node, list):
            left += node
    return width


class Aligner:
    """Gives tokens out with the text they make. llama.cpp holds text back that may begin a stop sequence, or that is
    half a character, but not its tokens; and it never takes back the tokens of a stop sequence that was met."""

    def __init__(self, vocabulary: Sequence[bytes], logprobs: int | None) -> None:
        self._vocabulary = vocabulary
        self._logprobs = logprobs
        self._waiting: list[Token] = []
        self._text = b""

    def piece(self, index: int, chunk: dict[str, Any]) -> Piece:
        text: str = chunk["content"]
        limit = chunk.get("stop_type") == "limit"
        tokens: tuple[Token, ...] = ()
        if self._logprobs is not None:
            self._text += text.encode("utf-8", "surrogatepass")
            self._waiting += map(self._token, chunk.get("completion_probabilities") or ())
            # At the limit nothing is held back any more: what waits makes no text (half a character, a control token).
            tokens = (*self._due(), *(self._waiting if limit else ()))
        if not chunk["stop"]:
            return Piece(index, text, tokens, so_far=chunk.get("tokens_predicted", 0))
        spent = chunk["tokens_predicted"]
        return Piece(index, text, tokens, "length" if limit else "stop", spent, spent)

    def _due(self) -> Iterator[Token]:
        """The waiting tokens whose text is out, and for bytes whose token llama.cpp left out, one of our own."""
        while self._text and self._waiting:
            token = self._waiting[0]
            gap = self._text.find(token.raw, 0, len(token.raw) + 4)
            if gap > 0:
                yield Token(self._text[:gap], nan, ())
            yield self._cut(self._waiting.pop(0))
            self._text = self._text[max(0, gap) + len(token.raw) :]

    def _cut(self, token: Token) -> Token:
        """A stop sequence may begin within a token: of that one, only what is in the text."""
        if len(self._text) >= len(token.raw) or not token.raw.startswith(self._text):
            return token
        top = tuple((self._text if raw == token.raw else raw, logprob) for raw, logprob in token.top)
        return Token(self._text, token.logprob, top)

    def _token(self, said: dict[str, Any]) -> Token:
        # llama.cpp's "token" is the text it gives out, which may be several tokens or none: the id is what counts.
        top = tuple((self._vocabulary[t["id"]], t["logprob"]) for t in said.get("top_logprobs") or ())
        return Token(self._vocabulary[said["id"]], said["logprob"], top[: self._logprobs])
