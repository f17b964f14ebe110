"""/v1/chat/completions: the same generation, behind the model's chat template and in the chat shape."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from math import isnan
from typing import Any

from playground.engine.completions import biases, usage
from playground.engine.errors import bad
from playground.engine.generation import Generator, Piece, Sampling, Token
from playground.engine.llama import SLOTS
from playground.engine.schemas import ChatBody, speakable
from playground.engine.thinking import ANSWERED, Phase, Split, opened

UNKNOWN = -9999.0
ROLES = ("system", "developer", "user", "assistant")


@dataclass(slots=True)
class Chat:
    """A request that has been checked, with its conversation as the template renders it. `begins` says where an answer
    begins; None for a model that does not think."""

    body: ChatBody
    prompt: list[int]
    sampling: Sampling
    begins: Phase | None = None
    id: str = field(default_factory=lambda: "chatcmpl-" + secrets.token_hex(14))
    created: int = field(default_factory=lambda: int(time.time()))

    def answer(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        head = {"id": self.id, "object": kind, "created": self.created, "model": self.body.model}
        return {**head, "choices": choices}


async def prepare(generator: Generator, body: ChatBody) -> Chat:
    """Check what needs the model, and render the conversation."""
    if body.functions:
        raise bad("This model does not call functions.", "functions")
    if body.modalities not in (None, ["text"]):
        raise bad("This model writes text only.", "modalities")
    if body.top_logprobs is not None and not body.logprobs:
        raise bad("top_logprobs needs logprobs: true.", "top_logprobs")
    prompt, begins = await _read(generator, body)
    limit = body.max_completion_tokens if body.max_completion_tokens is not None else body.max_tokens
    if limit is None:
        # A conversation without a limit would keep the whole context from all others.
        limit = max(1, min(generator.llama.context - len(prompt), generator.llama.context // SLOTS))
    generator.fit(prompt, limit, "messages")
    chat = Chat(body, prompt, _sampling(generator, body, limit), begins)
    if chat.sampling.json_schema is not None:
        await generator.check_schema(chat.sampling.json_schema)
    return chat


async def rendered(generator: Generator, given: list[dict[str, Any]], tools: list[Any] | None) -> list[int]:
    """The tokens of a conversation in the model's template: what it reads before it answers.

    A last message of the assistant's is left open, so that the model continues it (llama.cpp's /apply-template does
    that). Raises a 400 for what this model does not read.
    """
    messages = _conversation(generator, given, tools)
    return await generator.llama.tokenize(await _prompt(generator, messages, thinking=True), add_special=True)


async def _read(generator: Generator, body: ChatBody) -> tuple[list[int], Phase | None]:
    """The tokens of a request's conversation, and where the answer begins. Raises a 400."""
    messages = _conversation(generator, body.messages, body.tools)
    # A grammar holds from the first token on: in JSON nobody can think.
    thinking = body.reasoning_effort != "none" and _schema(body.response_format) is None
    prompt = await _prompt(generator, messages, thinking=thinking)
    begins: Phase | None = opened(prompt, messages) if generator.llama.header.thinks else None
    if begins == "thinking" and not thinking:
        prompt, begins = prompt.rstrip() + ANSWERED, "answer"
    return await generator.llama.tokenize(prompt, add_special=True), begins


async def _prompt(generator: Generator, messages: list[dict[str, Any]], *, thinking: bool) -> str:
    # llama.cpp refuses to have an answer continued by a model that it takes to be thinking.
    continues = messages[-1]["role"] == "assistant"
    asked = (thinking and not continues) or not generator.llama.header.thinks
    return await generator.llama.render(messages, thinking=asked)


def _conversation(generator: Generator, given: list[dict[str, Any]], tools: list[Any] | None) -> list[dict[str, Any]]:
    if tools:
        raise bad("This model does not call tools.", "tools")
    messages = [_message(message, number) for number, message in enumerate(given)]
    if len(messages) > 1 and messages[-1] == {"role": "assistant", "content": ""}:
        # /apply-template would neither close the turn before nor open this one: the model would write the role itself.
        messages.pop()
    generator.check_length("".join(message["content"] for message in messages), "messages")
    return messages


def _sampling(generator: Generator, body: ChatBody, limit: int) -> Sampling:
    return Sampling(
        max_tokens=limit,
        temperature=1.0 if body.temperature is None else body.temperature,
        top_p=1.0 if body.top_p is None else body.top_p,
        presence_penalty=body.presence_penalty or 0.0,
        frequency_penalty=body.frequency_penalty or 0.0,
        seed=body.seed,
        stop=body.stops,
        logit_bias=biases(body.logit_bias, len(generator.llama.header.vocabulary)),
        logprobs=(body.top_logprobs or 0) if body.logprobs else None,
        json_schema=_schema(body.response_format),
    )


def _schema(wanted: dict[str, Any] | None) -> dict[str, Any] | None:
    """The JSON schema that the answer is held to by a grammar; {} is any JSON object."""
    kind = (wanted or {"type": "text"}).get("type")
    if kind == "text":
        return None
    if kind == "json_object":
        return {"type": "object"}
    named = (wanted or {}).get("json_schema")
    schema = named.get("schema", {}) if isinstance(named, dict) else None
    if kind != "json_schema" or not isinstance(schema, dict):
        raise bad("response_format is text, json_object, or json_schema with a schema.", "response_format")
    return schema


def _message(message: dict[str, Any], number: int) -> dict[str, Any]:
    role = message.get("role")
    if role not in ROLES:
        raise bad(f"messages[{number}].role is one of {', '.join(ROLES)}.", "messages")
    # The role `developer` is OpenAI's newer name for `system`; templates know the older one.
    return {"role": "system" if role == "developer" else role, "content": _content(message.get("content"), number)}


def _content(content: Any, number: int) -> str:
    if content is None:
        return ""
    if isinstance(content, str):
        return speakable(content)
    if isinstance(content, list) and all(isinstance(part, dict) for part in content):
        if all(part.get("type") == "text" and isinstance(part.get("text"), str) for part in content):
            return "".join(speakable(part["text"]) for part in content)
        raise bad(f"messages[{number}] has a part that is not text, and this model reads text only.", "messages")
    raise bad(f"messages[{number}].content is text or a list of text parts.", "messages")


async def whole(generator: Generator, chat: Chat) -> dict[str, Any]:
    """The answer in one piece."""
    each = chat.body.n or 1
    pieces: list[list[Piece]] = [[] for _ in range(each)]
    async with aclosing(generator.choices([chat.prompt], each, chat.sampling)) as coming:
        async for piece in coming:
            pieces[piece.index].append(piece)
    splits = [_split(chat) for _ in pieces]
    choices = [
        _choice(chat, index, parts, split) for index, (parts, split) in enumerate(zip(pieces, splits, strict=True))
    ]
    spent = _usage(chat, sum(parts[-1].completion_tokens for parts in pieces), splits)
    return {**chat.answer("chat.completion", choices), "usage": spent}


def _split(chat: Chat) -> Split:
    return Split(chat.begins or "answer")


def _choice(chat: Chat, index: int, pieces: Sequence[Piece], split: Split) -> dict[str, Any]:
    parts = [split.take(piece) for piece in pieces]
    message = {"role": "assistant", "content": "".join(part.text for part in parts), "refusal": None}
    if thought := "".join(part.thought for part in parts):
        message["reasoning_content"] = thought
    return {
        "index": index,
        "message": message,
        "logprobs": _logprobs(chat, [token for part in parts for token in part.tokens]),
        "finish_reason": pieces[-1].finish_reason,
    }


def _usage(chat: Chat, completion_tokens: int, splits: Sequence[Split]) -> dict[str, Any]:
    thought = None if chat.begins is None else sum(split.reasoning_tokens for split in splits)
    return usage(len(chat.prompt), completion_tokens, thought)


async def chunks(generator: Generator, chat: Chat) -> AsyncGenerator[dict[str, Any]]:
    """The answer as it comes: the role first, then what is thought, then the text."""
    tail = {"usage": None} if chat.body.include_usage else {}
    each, completion_tokens = chat.body.n or 1, 0

    def chunk(index: int, delta: dict[str, Any], logprobs: Any = None, reason: str | None = None) -> dict[str, Any]:
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
        return {**chat.answer("chat.completion.chunk", [choice]), **tail}

    begun: set[int] = set()
    splits = [_split(chat) for _ in range(each)]
    async with aclosing(generator.choices([chat.prompt], each, chat.sampling)) as coming:
        async for piece in coming:
            completion_tokens += piece.completion_tokens
            if piece.index not in begun:
                begun.add(piece.index)
                yield chunk(piece.index, {"role": "assistant", "content": ""})
            part = splits[piece.index].take(piece)
            if part.thought:
                yield chunk(piece.index, {"reasoning_content": part.thought})
            if part.text or part.tokens:
                yield chunk(piece.index, {"content": part.text}, _logprobs(chat, part.tokens))
            if piece.finish_reason:
                yield chunk(piece.index, {}, None, piece.finish_reason)
    if chat.body.include_usage:
        yield {**chat.answer("chat.completion.chunk", []), "usage": _usage(chat, completion_tokens, splits)}


def _logprobs(chat: Chat, tokens: Sequence[Token]) -> dict[str, Any] | None:
    if chat.sampling.logprobs is None:
        return None
    content = [
        {**_token(token.raw, token.logprob), "top_logprobs": [_token(raw, logprob) for raw, logprob in token.top]}
        for token in tokens
    ]
    return {"content": content, "refusal": None}


def _token(raw: bytes, logprob: float) -> dict[str, Any]:
    # -9999 is how OpenAI writes a probability that it does not give.
    said = UNKNOWN if isnan(logprob) else logprob
    return {"token": raw.decode("utf-8", "replace"), "logprob": said, "bytes": list(raw)}
