"""Lines → tokens, and which of them are learnt: exactly what the served model will read, by the engine's own tokenizer
and chat template.

A prompt is made into tokens as a request's is, alone; the answer's tokens come after it as the model would write them,
and then the token that ends it. A chat whose later turns would be read in other tokens than its earlier ones were
written in (a template that cuts what is past, letters that melt into one token across a border) becomes one example a
turn; all others are one example.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncGenerator, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from playground.engine.errors import ApiError
from playground.engine.llama import Llama
from playground.engine.tuning.lines import Example, Message, Param

AT_ONCE = 16
"""Lines that are made into tokens side by side."""
_MARK = "QZX"


@dataclass(frozen=True, slots=True)
class Tokens:
    """An example as the trainer reads it: `weights[i]` is 1 where `tokens[i]` is learnt. `label` is its answer."""

    tokens: list[int]
    weights: list[int]
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What was written: examples, tokens in all, tokens of the longest."""

    examples: int
    tokens: int
    longest: int


class Speech:
    """A model's way of reading and of ending an answer."""

    def __init__(self, llama: Llama, end: int, turn_end: int) -> None:
        self._llama = llama
        self._end = end
        self._turn_end = turn_end
        self.longest_token = max(map(len, llama.header.vocabulary))
        """Bytes of text that a token makes at most."""

    @staticmethod
    async def of(llama: Llama) -> Speech:
        """Asks the chat template how it ends an answer. Raises ApiError where the model knows no end."""
        end = llama.header.eos_token_id
        if end is None:
            raise ApiError(
                400, "This model's file names no token that ends a text: it cannot be trained.", param="model"
            )
        return Speech(llama, end, await _turn_end(llama) or end)

    async def examples(self, example: Example) -> list[Tokens]:
        return await (self._chat(example.messages) if example.messages else self._pair(example))

    async def _pair(self, example: Example) -> list[Tokens]:
        # An empty prompt begins a document, as it does when it is asked.
        prompt = await self._read(example.prompt) or [self._llama.header.bos_token_id or 0]
        answer = [*await self._continued(example.completion), self._end]
        weights = [0] * len(prompt) + [1] * len(answer)
        return [Tokens(prompt + answer, weights, example.completion.strip())]

    async def _chat(self, messages: tuple[Message, ...]) -> list[Tokens]:
        made: list[Tokens] = []
        tokens: list[int] = []
        weights: list[int] = []
        label = ""
        for at, message in enumerate(messages):
            if message.role != "assistant":
                continue
            prompt = await self._read(await self._rendered(messages[:at]))
            if prompt[: len(tokens)] != tokens:
                made += [Tokens(tokens, weights, label)] if any(weights) else []
                weights = [0] * len(prompt)
            else:
                weights = weights + [0] * (len(prompt) - len(tokens))
            answer = [*await self._continued(message.content), self._turn_end]
            tokens, weights = prompt + answer, weights + [int(message.learnt)] * len(answer)
            label = message.content.strip()
        return [*made, Tokens(tokens, weights, label)] if any(weights) else made

    async def _rendered(self, messages: Iterable[Message]) -> str:
        said = [{"role": message.role, "content": message.content} for message in messages]
        # A template needs something to answer to.
        return await self._llama.render(said or [{"role": "user", "content": ""}])

    async def _read(self, text: str) -> list[int]:
        return await self._llama.tokenize(text, add_special=True)

    async def _continued(self, text: str) -> list[int]:
        """The tokens of a text that goes on after another. SentencePiece puts a space before every text's beginning:
        what comes after a line break is free of it."""
        if self._llama.header.tokenizer_model == "gpt2":
            return await self._llama.tokenize(text)
        before, both = await asyncio.gather(self._llama.tokenize("\n"), self._llama.tokenize("\n" + text))
        return both[len(before) :] if both[: len(before)] == before else await self._llama.tokenize(text)


async def _turn_end(llama: Llama) -> int | None:
    """The control token right after an answer in the chat template, None where there is none."""
    if not llama.header.has_chat_template:
        return None
    user = {"role": "user", "content": "a"}
    closed = await llama.render([user, {"role": "assistant", "content": _MARK}, user])
    after = await llama.tokenize(closed.rpartition(_MARK)[2].lstrip()[:200])
    return after[0] if after and after[0] in llama.header.control else None


async def write(speech: Speech, lines: Iterator[Example], path: Path, *, context: int, param: Param) -> Written:
    """The examples of `lines` as the trainer reads them. Raises a 400 for one that is longer than `context` tokens."""
    count = tokens = longest = 0
    temporary = path.with_name(f".{path.name}")
    with temporary.open("w", encoding="utf-8") as file:
        async for line, made in _made(speech, _fitting(lines, speech.longest_token, context, param)):
            for each in made:
                if len(each.tokens) > context:
                    raise _too_long(line, f"{len(each.tokens)} tokens long", context, param)
                count, tokens, longest = count + 1, tokens + len(each.tokens), max(longest, len(each.tokens))
                said = {"tokens": each.tokens, "weights": each.weights, "label": each.label}
                file.write(json.dumps(said, separators=(",", ":")) + "\n")
    os.replace(temporary, path)
    return Written(examples=count, tokens=tokens, longest=longest)


async def _made(speech: Speech, lines: Iterator[Example]) -> AsyncGenerator[tuple[int, list[Tokens]]]:
    while some := list(islice(lines, AT_ONCE)):
        for example, made in zip(some, await asyncio.gather(*map(speech.examples, some)), strict=True):
            yield example.line, made


def _fitting(lines: Iterator[Example], longest_token: int, context: int, param: Param) -> Iterator[Example]:
    """Refuses a text that cannot fit, without making tokens of it: 6 MB took 30 s and 600 MB of memory."""
    for example in lines:
        if example.size > longest_token * context:
            raise _too_long(example.line, f"more than {example.size // longest_token} tokens long", context, param)
        yield example


def _too_long(line: int, how: str, context: int, param: Param) -> ApiError:
    return ApiError(
        400,
        f"Line {line} is {how}, and the model's context is {context}. Shorten it or remove it, and "
        "upload the file again.",
        param=param,
        code=f"invalid_{param}",
    )
