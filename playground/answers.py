"""Reads a server's chunks (or its one whole answer) into events; knows every shape that servers use.

The chunks are plain JSON values: the SDK's typed objects cost several times as much a token, and drop or mangle what
servers other than OpenAI send.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from playground.types import (
    Delta,
    Finished,
    Loading,
    ModelInfo,
    StreamEvent,
    Thought,
    TokenLogprob,
    ToolDelta,
    Usage,
    UsageReported,
)
from playground.unicode import well_formed

IMPOSSIBLE = -9999.0
"""OpenAI's logprob for "practically never"; servers that divide by nothing say -Infinity."""


class Unreadable(ValueError):
    """The server sent JSON that is no answer of OpenAI's API."""


class Answer:
    """One answer as it arrives: which choices have begun, which have ended, and the usage once it is known."""

    def __init__(self) -> None:
        self.begun = False
        self._open: set[int] = set()
        self._ended: set[int] = set()
        self._usage: Usage | None = None

    @property
    def complete(self) -> bool:
        """Whether there is a choice and each has its finish_reason. A server may ignore `n`: that is no cut."""
        return bool(self._ended) and self._open <= self._ended

    def read(self, chunk: object) -> list[StreamEvent]:
        """The events of one chunk of either endpoint, streamed or whole. Raises Unreadable."""
        try:
            return self._read(chunk)
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as exc:
            raise Unreadable from exc

    def _read(self, chunk: Any) -> list[StreamEvent]:
        events: list[StreamEvent] = []
        for choice in chunk.get("choices") or ():
            index = int(choice.get("index") or 0)
            self._open.add(index)
            said = choice.get("logprobs")
            logprobs = token_logprobs(said) if said else ()
            part = choice.get("delta") or choice.get("message")
            if part:
                events += _beside(index, part)
            text = _text(choice, part)
            if text or logprobs:
                events.append(Delta(index, text, logprobs))
            self.begun = self.begun or bool(events)
            reason = choice.get("finish_reason")
            if reason and index not in self._ended:
                self._ended.add(index)
                events.append(Finished(index, str(reason)))
        if loading := chunk.get("loading"):  # the embedded engine says so in chunks without choices
            events.append(Loading(max(0.0, float(loading["seconds"]))))
        # Some servers report a running usage in every chunk: the last one counts.
        if usage := chunk.get("usage"):
            self._usage = _usage(usage)
        return events

    def ending(self) -> list[StreamEvent]:
        return [] if self._usage is None else [UsageReported(self._usage)]


def _text(choice: dict[str, Any], part: dict[str, Any] | None) -> str:
    text = choice.get("text")
    if text is None and part:
        text = part.get("content") or part.get("refusal")
    return _string(text)


def _beside(index: int, part: dict[str, Any]) -> list[StreamEvent]:
    """What a chat model says beside its text: what it thinks (`reasoning_content` of llama.cpp, vLLM and DeepSeek,
    `reasoning` of Ollama and OpenRouter), and the functions it wants called."""
    events: list[StreamEvent] = []
    if thought := _string(part.get("reasoning_content") or part.get("reasoning")):
        events.append(Thought(index, thought))
    for at, call in enumerate(part.get("tool_calls") or ()):
        function = call.get("function") or call.get("custom") or {}
        position = call.get("index")
        events.append(
            ToolDelta(
                index,
                position if type(position) is int and position >= 0 else at,
                _string(call.get("id")),
                _string(function.get("name")),
                _string(function.get("arguments") or function.get("input")),
            )
        )
    return events


def _string(said: Any) -> str:
    if said is not None and not isinstance(said, str):
        raise Unreadable
    return said or ""


def token_logprobs(said: dict[str, Any]) -> tuple[TokenLogprob, ...]:
    """Logprobs in either of OpenAI's shapes: the legacy arrays, or `content` with one object a token.

    llama.cpp answers /v1/completions in the second, OpenAI in the first.
    """
    content = said.get("content") or said.get("refusal")
    if content:
        return tuple(_from_chat(item) for item in content)
    tokens = said.get("tokens") or ()
    chances = said.get("token_logprobs") or [None] * len(tokens)
    tops = said.get("top_logprobs") or [None] * len(tokens)
    return tuple(
        TokenLogprob(well_formed(str(token)), _chance(chance), _likeliest((top or {}).items()))
        for token, chance, top in zip(tokens, chances, tops, strict=False)
    )


def _from_chat(item: dict[str, Any]) -> TokenLogprob:
    tops = ((top["token"], top["logprob"]) for top in item.get("top_logprobs") or ())
    return TokenLogprob(well_formed(str(item["token"])), _chance(item["logprob"]), _likeliest(tops))


def _likeliest(pairs: Any) -> tuple[tuple[str, float], ...]:
    known = [(well_formed(str(token)), chance) for token, said in pairs if (chance := _chance(said)) is not None]
    return tuple(sorted(known, key=lambda pair: -pair[1]))


def _chance(said: Any) -> float | None:
    if said is None:
        return None
    value = float(said)
    return None if math.isnan(value) else max(IMPOSSIBLE, value)


def _usage(said: dict[str, Any]) -> Usage:
    return Usage(
        prompt_tokens=_count(said.get("prompt_tokens")),
        completion_tokens=_count(said.get("completion_tokens")),
        cached_tokens=_count((said.get("prompt_tokens_details") or {}).get("cached_tokens")),
        reasoning_tokens=_count((said.get("completion_tokens_details") or {}).get("reasoning_tokens")),
    )


def _count(said: Any) -> int:
    """Tokens, from outside: missing is none. Raises Unreadable rather than bill a nonsense."""
    if said is None:
        return 0
    if isinstance(said, bool) or not isinstance(said, int) or said < 0:
        raise Unreadable
    return said


def model_info(endpoint: str, about: dict[str, Any]) -> ModelInfo:
    """One entry of /v1/models, with what llama.cpp (`meta`), vLLM and OpenRouter say of the context beside OpenAI's."""
    rest = {k: v for k, v in about.items() if k not in ("id", "object", "created", "owned_by", "meta", "shutdown_date")}
    inner = about.get("meta")
    meta = {**rest, **(inner if isinstance(inner, dict) else {})}
    sizes = (meta.get(name) for name in ("n_ctx", "max_model_len", "context_length", "context_window", "n_ctx_train"))
    created, owner, end = about.get("created"), about.get("owned_by"), about.get("shutdown_date")
    return ModelInfo(
        id=str(about["id"]),
        endpoint=endpoint,
        created=created if isinstance(created, int) else None,
        owned_by=owner if isinstance(owner, str) else None,
        context_length=next((size for size in sizes if isinstance(size, int) and size > 0), None),
        shutdown_date=_day(end),
        meta=meta,
    )


def _day(said: Any) -> str | None:
    """A date as text, from text or from seconds since 1970."""
    if isinstance(said, str):
        return said
    try:
        return datetime.fromtimestamp(said, UTC).date().isoformat()
    except (TypeError, ValueError, OverflowError, OSError):
        return None
