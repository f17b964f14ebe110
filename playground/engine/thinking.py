"""What a model thinks before it answers, apart from the answer: Qwen 3 and DeepSeek R1 write it between <think> and
</think>, at the beginning and nowhere else. Its name is that of llama.cpp, vLLM and DeepSeek: `reasoning_content`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from playground.engine.generation import Piece, Token

OPEN, CLOSE = "<think>", "</think>"
ANSWERED = f"\n{CLOSE}\n\n"
"""What closes the thinking that a template has opened, where there is to be none."""

Phase = Literal["before", "thinking", "between", "answer"]


def opened(prompt: str, messages: Sequence[dict[str, Any]]) -> Phase:
    """Where an answer to `prompt`, a conversation in its template, begins.

    Some templates open the thinking themselves. An answer that is continued is beyond it, unless it was cut within.
    """
    last = messages[-1]
    if last["role"] == "assistant" and last["content"]:
        return "thinking" if last["content"].rfind(OPEN) > last["content"].rfind(CLOSE) else "answer"
    return "thinking" if prompt.rstrip().endswith(OPEN) else "before"


@dataclass(frozen=True, slots=True)
class Part:
    """More of a choice: what it thinks, what it answers, and the tokens of the answer."""

    thought: str
    text: str
    tokens: tuple[Token, ...]


class Split:
    """One choice's pieces as they come → thoughts and text. What may yet become a tag waits, and so does the white
    space around the tags, which belongs to neither."""

    def __init__(self, phase: Phase) -> None:
        self._phase = phase
        self._held = ""
        self._thought = False
        self._waiting: list[tuple[int, Token]] = []
        self._bytes = self._behind = 0
        self.reasoning_tokens = 0

    def take(self, piece: Piece) -> Part:
        self._keep(piece.tokens)
        thought, text = self._read(piece)
        if piece.finish_reason:
            more = self._rest(cut=piece.finish_reason == "length")
            thought, text = thought + more[0], text + more[1]
            if self._phase == "thinking":
                self.reasoning_tokens = piece.so_far
        return Part(thought, text, self._due())

    def _read(self, piece: Piece) -> tuple[str, str]:
        self._held += piece.text
        thought = ""
        if self._phase == "before":
            self._begin()
        if self._phase == "thinking":
            thought = self._think(piece.so_far)
        if self._phase == "between":
            self._drop(len(self._held) - len(self._held.lstrip()))
            self._phase = "answer" if self._held else "between"
        if self._phase == "answer":
            text, self._held = self._held, ""
            return thought, text
        return thought, ""

    def _begin(self) -> None:
        start = self._held.lstrip()
        if start.startswith(OPEN):
            self._drop(len(self._held) - len(start) + len(OPEN))
            self._phase = "thinking"
        elif not OPEN.startswith(start):
            self._phase = "answer"

    def _think(self, so_far: int) -> str:
        """The next thoughts, as far as no tag can begin in them."""
        end = self._held.find(CLOSE)
        if end < 0:
            return self._thoughts(len(self._held) - _overlap(self._held))
        thought = self._thoughts(end)
        self._drop(len(self._held) - len(self._held.lstrip()) + len(CLOSE))
        self._phase, self.reasoning_tokens = "between", so_far
        return thought

    def _thoughts(self, end: int) -> str:
        """What is held up to there, without the white space at its end; the first of it without that at its start."""
        said = self._held[:end]
        if not self._thought:
            said = said.lstrip()
            self._drop(end - len(said))
            end = len(said)
        kept = said.rstrip()
        self._thought = self._thought or bool(kept)
        self._drop(len(kept))
        return kept

    def _rest(self, *, cut: bool) -> tuple[str, str]:
        """What still waits at the end, as thought and text; without a tag that the limit has cut."""
        left, self._held = self._held, ""
        if self._phase == "before":
            self._phase = "thinking" if cut and len(left.lstrip()) > 1 else "answer"
            return "", left if self._phase == "answer" else ""
        if self._phase != "thinking":
            return "", ""
        half = _overlap(left)
        left = left[:-half] if cut and half > 1 else left
        return left.rstrip() if self._thought else left.strip(), ""

    def _drop(self, characters: int) -> None:
        """So many characters of what is held are no part of the answer."""
        self._behind += len(self._held[:characters].encode("utf-8", "surrogatepass"))
        self._held = self._held[characters:]

    def _keep(self, tokens: Sequence[Token]) -> None:
        for token in tokens:
            self._bytes += len(token.raw)
            self._waiting.append((self._bytes, token))

    def _due(self) -> tuple[Token, ...]:
        """The tokens that have come, once it is clear which are the answer's; one across the border is."""
        if self._phase != "answer":
            return ()
        due = tuple(token for end, token in self._waiting if end > self._behind or not self._behind)
        self._waiting.clear()
        return due


def _overlap(text: str) -> int:
    """How many characters at the end of `text` may begin the closing tag."""
    return next((length for length in range(len(CLOSE) - 1, 0, -1) if text.endswith(CLOSE[:length])), 0)
