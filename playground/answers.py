"""Reads a server's chunks (or its one whole answer) into events; knows every shape that servers use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from playground.types import Delta, Finished, StreamEvent, TokenLogprob, Usage, UsageReported


class Answer:
    """One answer as it arrives: which choices have begun, which have ended, and the usage once it is known."""

    def __init__(self, *, choices: int) -> None:
        self.begun = False
        self._choices = choices
        self._ended: set[int] = set()
        self._usage: Usage | None = None

    @property
    def complete(self) -> bool:
        """Whether every choice that was asked for has its finish_reason."""
        return len(self._ended) >= self._choices

    def read(self, chunk: Any) -> Iterator[StreamEvent]:
        """The events of one chunk: an SDK object of either endpoint, streamed or whole."""
        for choice in chunk.choices or ():
            index = choice.index or 0
            text = _text(choice)
            logprobs = token_logprobs(getattr(choice, "logprobs", None))
            if text or logprobs:
                self.begun = True
                yield Delta(index, text, logprobs)
            if choice.finish_reason and index not in self._ended:
                self._ended.add(index)
                yield Finished(index, choice.finish_reason)
        # Some servers report a running usage in every chunk: the last one counts.
        if getattr(chunk, "usage", None) is not None:
            self._usage = _usage(chunk.usage)

    def ending(self) -> Iterator[StreamEvent]:
        if self._usage is not None:
            yield UsageReported(self._usage)


def _text(choice: Any) -> str:
    text = getattr(choice, "text", None)
    if text is not None:
        return str(text)
    part = getattr(choice, "delta", None) or getattr(choice, "message", None)
    return str(getattr(part, "content", None) or getattr(part, "refusal", None) or "")


def token_logprobs(said: Any) -> tuple[TokenLogprob, ...]:
    """Logprobs in either of OpenAI's shapes: the legacy arrays, or `content` with one object a token.

    llama.cpp answers /v1/completions in the second, OpenAI in the first.
    """
    if said is None:
        return ()
    content = getattr(said, "content", None)
    if content:
        return tuple(_from_chat(item) for item in content)
    tokens = getattr(said, "tokens", None) or ()
    chances = getattr(said, "token_logprobs", None) or [None] * len(tokens)
    tops = getattr(said, "top_logprobs", None) or [None] * len(tokens)
    return tuple(
        TokenLogprob(token, chance, tuple(sorted((top or {}).items(), key=lambda pair: -pair[1])))
        for token, chance, top in zip(tokens, chances, tops, strict=False)
    )


def _from_chat(item: Any) -> TokenLogprob:
    pairs = [(_get(top, "token"), _get(top, "logprob")) for top in _get(item, "top_logprobs") or ()]
    return TokenLogprob(_get(item, "token") or "", _get(item, "logprob"), tuple(pairs))


def _get(item: Any, name: str) -> Any:
    """A field of what the SDK knows (an object) or does not know (a plain dict)."""
    return item.get(name) if isinstance(item, dict) else getattr(item, name, None)


def _usage(said: Any) -> Usage:
    prompt_details = getattr(said, "prompt_tokens_details", None)
    completion_details = getattr(said, "completion_tokens_details", None)
    return Usage(
        prompt_tokens=said.prompt_tokens or 0,
        completion_tokens=said.completion_tokens or 0,
        cached_tokens=getattr(prompt_details, "cached_tokens", None) or 0,
        reasoning_tokens=getattr(completion_details, "reasoning_tokens", None) or 0,
    )
