"""Counting tokens: tiktoken for OpenAI's models, exact and offline, and a server's own tokenizer for others.

A keystroke in a long text must not count it anew. A text is cut into chunks of about 2 KB before a space that stands
between two ASCII letters: in all four encodings no token crosses such a place, so the chunks' counts add up exactly.
The next text shares its first and last chunks with the one before; only what lies between is counted again.
"""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import tiktoken

FALLBACK = "o200k_base"
"""The encoding an unknown model is estimated by: OpenAI's newest."""

CHUNK = 2_000
LONGEST = 100_000
"""Characters tokenized at once. tiktoken's o200k panics on a million spaces in one piece; nobody writes that."""

REMEMBERED = 64
_CUT = re.compile(r"(?<=[A-Za-z]) (?=[A-Za-z])")

#: The names under which tiktoken looks for its rank files: the SHA-1 of the address each was published at.
_RANKS = {
    "r50k_base": "0ea1e91bbb3a60f729a8dc8f777fd2fc07cd8df4",
    "p50k_base": "ec7223a39ce59f226a68acc30dc1af2788490e15",
    "cl100k_base": "9b5ad71b2ce5302211f9c61530b329a4922fc6a4",
    "o200k_base": "fb374d419588a4632f3f557e76b4b70aebbca790",
}
_LEGACY_BASES = ("ada", "babbage", "curie", "davinci")


@dataclass(frozen=True, slots=True)
class TokenCount:
    """A number of tokens, whose tokenizer counted them, and whether that is the model's own."""

    tokens: int
    encoding: str | None
    exact: bool


class Chunk(NamedTuple):
    text: str
    tokens: int


def encoding_for(model: str) -> str | None:
    """The tiktoken encoding of an OpenAI model, its snapshots and its fine-tunes; None for any other name."""
    from tiktoken.model import encoding_name_for_model

    base = base_model(model)
    if base in _LEGACY_BASES:
        return "r50k_base"
    try:
        name = encoding_name_for_model(base)
    except KeyError:
        # Models newer than the installed tiktoken: every one since gpt-4o has used o200k.
        return "o200k_base" if re.match(r"(gpt-[4-9]|gpt-\d\d|o\d|chatgpt)", base) else None
    return name if name in _RANKS else FALLBACK


def base_model(model: str) -> str:
    """What a fine-tune was made from: `ft:base:org:suffix:id` and the legacy `base:ft-org-…`; else the name itself."""
    name = model.removeprefix("ft:") if model.startswith("ft:") else model
    return name.split(":", 1)[0]


_lock = threading.Lock()
_loaded: dict[str, tiktoken.Encoding] = {}


def load(name: str) -> tiktoken.Encoding:
    """An encoding by its name, from the rank files in the package: 60–460 ms the first time, then at once."""
    with _lock:
        if name not in _loaded:
            _loaded[name] = _load(name)
        return _loaded[name]


def _load(name: str) -> tiktoken.Encoding:
    import tiktoken

    own = os.environ.get("TIKTOKEN_CACHE_DIR")
    if own and (Path(own) / _RANKS[name]).exists():
        return tiktoken.get_encoding(name)
    # A folder that lacks the file would make tiktoken download it, or hang offline: ours has all four.
    with as_file(files("playground").joinpath("data", "encodings")) as ours:
        os.environ["TIKTOKEN_CACHE_DIR"] = str(ours)
        try:
            return tiktoken.get_encoding(name)
        finally:
            if own is None:
                del os.environ["TIKTOKEN_CACHE_DIR"]
            else:
                os.environ["TIKTOKEN_CACHE_DIR"] = own


class Counter:
    """Counts texts, and remembers the chunks of the last ones. Safe to share between threads."""

    def __init__(self) -> None:
        self._remembered: OrderedDict[tuple[str, str], tuple[Chunk, ...]] = OrderedDict()
        self._lock = threading.Lock()

    def count(self, text: str, model: str) -> TokenCount:
        """The tokens of `text` for `model`; of a model we do not know, an estimate by the newest encoding."""
        known = encoding_for(model)
        name = known or FALLBACK
        encoding = load(name)
        head, middle, tail = self._changed(name, text)
        counted = [Chunk(part, len(encoding.encode_ordinary(part))) for part in pieces(middle)]
        exact, tokens = self._sum(name, text, head, counted, tail)
        return TokenCount(tokens, name, exact=exact and known is not None)

    async def count_with(
        self, tokenize: Callable[[str], Awaitable[list[int] | None]], text: str, *, key: str, splittable: bool
    ) -> TokenCount:
        """The tokens of `text` by a server's tokenizer, `key` naming it; an estimate where it does not answer.

        `splittable` says that its tokens never cross a space between two ASCII letters (GPT-2's way of splitting).
        """
        head, middle, tail = self._changed(key, text) if splittable else ((), text, ())
        parts = list(pieces(middle)) if splittable else [text] if text else []
        answers = await asyncio.gather(*(tokenize(part) for part in parts))
        counted = [Chunk(part, len(ids)) for part, ids in zip(parts, answers, strict=True) if ids is not None]
        if len(counted) < len(parts):
            return TokenCount(self.count(text, "").tokens, FALLBACK, exact=False)
        exact, tokens = self._sum(key, text, head, counted, tail)
        return TokenCount(tokens, key, exact=exact or not splittable)

    def _changed(self, key: str, text: str) -> tuple[tuple[Chunk, ...], str, tuple[Chunk, ...]]:
        """The known chunks `text` begins with, what is new in it, and the known chunks it ends with."""
        known = self._recall(key, text)
        start, head = 0, 0
        while head < len(known) and text.startswith(known[head].text, start):
            start += len(known[head].text)
            head += 1
        while head and start < len(text) and not _is_cut(text, start):
            head -= 1
            start -= len(known[head].text)
        end, tail = len(text), len(known)
        while tail > head and text.endswith(known[tail - 1].text, start, end):
            tail -= 1
            end -= len(known[tail].text)
        while tail < len(known) and start < end and not _is_cut(text, end):
            end += len(known[tail].text)
            tail += 1
        if start == end and 0 < start < len(text) and not _is_cut(text, start):
            return (), text, ()
        return known[:head], text[start:end], known[tail:]

    def _recall(self, key: str, text: str) -> tuple[Chunk, ...]:
        """The chunks of the last text that began or ended as this one does."""
        with self._lock:
            found = self._remembered.get((key, "^" + text[:64])) or self._remembered.get((key, "$" + text[-64:]))
        return found or ()

    def _sum(
        self, key: str, text: str, head: tuple[Chunk, ...], counted: list[Chunk], tail: tuple[Chunk, ...]
    ) -> tuple[bool, int]:
        """Whether the count is exact, and the count. Chunks that were cut blindly are not remembered."""
        chunks = (*head, *counted, *tail)
        exact = not any(len(chunk.text) >= LONGEST for chunk in counted[:-1])
        if exact:
            self._remember(key, text, chunks)
        return exact, sum(chunk.tokens for chunk in chunks)

    def _remember(self, key: str, text: str, chunks: tuple[Chunk, ...]) -> None:
        with self._lock:
            for place in ((key, "^" + text[:64]), (key, "$" + text[-64:])):
                self._remembered[place] = chunks
                self._remembered.move_to_end(place)
            while len(self._remembered) > REMEMBERED:
                self._remembered.popitem(last=False)


def pieces(text: str) -> Iterator[str]:
    """`text` in chunks of at least CHUNK characters, cut where no token crosses; of at most LONGEST in any case."""
    at = 0
    while at < len(text):
        cut = _CUT.search(text, at + CHUNK, at + LONGEST)
        # At the end of a search window the look-ahead sees nothing: such a cut is found by the next, longer chunk.
        end = cut.start() if cut else min(at + LONGEST, len(text))
        yield text[at:end]
        at = end


def _is_cut(text: str, at: int) -> bool:
    return at == 0 or at == len(text) or (0 < at < len(text) - 1 and _CUT.match(text, at) is not None)
