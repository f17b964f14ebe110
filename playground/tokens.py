"""Counting tokens: tiktoken for OpenAI's models, exact and offline, and a server's own tokenizer for others.

A keystroke in a long text must not count it anew. A text is cut into chunks of about 2 KB at places that no token
crosses, so the chunks' counts add up exactly. The next text shares its first and last chunks with the one before; only
what lies between is counted again.
"""

from __future__ import annotations

import codecs
import hashlib
import os
import re
import threading
from binascii import a2b_base64
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from playground.errors import ConfigurationError

if TYPE_CHECKING:
    import tiktoken

FALLBACK = "o200k_base"
"""The encoding an unknown model is estimated by: OpenAI's newest."""

CHUNK = 2_000
LONGEST = 100_000
"""Characters tokenized at once. tiktoken's o200k panics on a million spaces in one piece; nobody writes that."""

REQUESTS = 16
"""Into how many chunks a text is cut at most for a tokenizer that is asked over HTTP."""

REMEMBERED, MEMORY = 64, 16_000_000
"""How many texts are remembered, and how many characters they may have together. Each counts twice."""

#: Before white space or punctuation that follows a letter or a digit: every encoding's pattern ends a piece there
#: (letters and digits go on only with their like, an apostrophe or a mark), and none looks back.
CUT = re.compile(r"(?<=[^\W_])(?=[\s.,;:!?()\[\]{}<>\"=/\\|、。，！？；：「」『』（）“”…])")
#: The same for tokenizers we do not know so well: before a space between two ASCII letters, as GPT-2 splits.
CAREFUL_CUT = re.compile(r"(?<=[A-Za-z])(?= [A-Za-z])")


class Ranks(NamedTuple):
    """A rank file: `name` is the SHA-1 of the address it was published at, by which tiktoken looks for it."""

    name: str
    sha256: str


_RANKS = {
    "r50k_base": Ranks(
        "0ea1e91bbb3a60f729a8dc8f777fd2fc07cd8df4", "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930"
    ),
    "p50k_base": Ranks(
        "ec7223a39ce59f226a68acc30dc1af2788490e15", "94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069"
    ),
    "cl100k_base": Ranks(
        "9b5ad71b2ce5302211f9c61530b329a4922fc6a4", "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"
    ),
    "o200k_base": Ranks(
        "fb374d419588a4632f3f557e76b4b70aebbca790", "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"
    ),
}
ENCODINGS = tuple(reversed(_RANKS))
"""Their names, the newest first."""

#: How each splits a text before it merges (tiktoken_ext.openai_public; a test holds them to it).
_GPT2 = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"
_PATTERNS = {
    "r50k_base": _GPT2,
    "p50k_base": _GPT2,
    "cl100k_base": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
    r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
    "o200k_base": r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
}
#: Encodings that differ from one of ours in special tokens only, which are never counted as such.
_SAME_RANKS = {"gpt2": "r50k_base", "p50k_edit": "p50k_base", "o200k_harmony": "o200k_base"}


@dataclass(frozen=True, slots=True)
class TokenCount:
    """A number of tokens, whose tokenizer counted them, and whether that is the model's own and the sum certain."""

    tokens: int
    encoding: str | None
    exact: bool


class Chunk(NamedTuple):
    """A piece of a text. `exact` is False where it was cut through the middle of a word, or not counted at all."""

    text: str
    tokens: int
    exact: bool = True


def encoding_for(model: str) -> str | None:
    """The tiktoken encoding of an OpenAI model, its snapshots and its fine-tunes; None for any other name."""
    from tiktoken.model import encoding_name_for_model

    base = base_model(model)
    try:
        name = encoding_name_for_model(base)
    except KeyError:
        # Models newer than the installed tiktoken: every one since gpt-4o has used o200k.
        return "o200k_base" if re.match(r"(gpt-([4-9]|\d\d)|o\d+|chatgpt|codex)(?![a-z0-9])", base) else None
    name = _SAME_RANKS.get(name, name)
    return name if name in _RANKS else None


def base_model(model: str) -> str:
    """What a fine-tune was made from: `ft:base:org:suffix:id` and the legacy `base:ft-org-…`; else the name itself."""
    if model.startswith("ft:"):
        return model.split(":", 2)[1]
    base, legacy, _ = model.partition(":ft-")
    return base if legacy else model


_lock = threading.Lock()
_loaded: dict[str, tiktoken.Encoding] = {}


def load(name: str) -> tiktoken.Encoding:
    """An encoding by its name: 60–460 ms the first time, then at once. Raises ConfigurationError, never downloads."""
    if name in _loaded:
        return _loaded[name]
    with _lock:
        if name not in _loaded:
            _loaded[name] = _load(name)
        return _loaded[name]


def _load(name: str) -> tiktoken.Encoding:
    """tiktoken's BPE over our own reading of the rank file: half the time of tiktoken's, and never a download."""
    import tiktoken

    own = os.environ.get("TIKTOKEN_CACHE_DIR")
    with as_file(files("playground").joinpath("data", "encodings")) as ours:
        folders = [Path(folder) for folder in (own, ours) if folder]
        found = next(filter(None, (_read(folder, _RANKS[name]) for folder in folders)), None)
    if found is None:
        raise ConfigurationError(
            f"The token file of {name} is missing or damaged.",
            hint="Install Playground again, or set TIKTOKEN_CACHE_DIR to a folder that has it.",
        )
    words = found.split()
    # Mapped, not looped over: o200k has 200,000 lines, and whoever counts first waits for them.
    ranks = dict(zip(map(a2b_base64, words[::2]), map(int, words[1::2]), strict=True))
    return tiktoken.Encoding(name, pat_str=_PATTERNS[name], mergeable_ranks=ranks, special_tokens={})


def _read(folder: Path, ranks: Ranks) -> bytes | None:
    """A rank file, None where it is missing or not what was published."""
    try:
        content = (folder / ranks.name).read_bytes()
    except OSError:
        return None
    return content if hashlib.sha256(content).hexdigest() == ranks.sha256 else None


def token_texts(name: str, text: str) -> tuple[list[int], list[str]]:
    """The ids of the tokens of `text` in the encoding `name`, and what each adds to the text.

    Of a character that several tokens make up, all but the last add nothing.
    """
    encoding = load(name)
    ids = [id_ for part, _ in pieces(text) for id_ in encoding.encode_ordinary(part)]
    return ids, added_texts(encoding.decode_single_token_bytes(id_) for id_ in ids)


def added_texts(tokens: Iterable[bytes]) -> list[str]:
    """What each token's bytes add to the text that all of them make."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    return [decoder.decode(token) for token in tokens]


class Counter:
    """Counts texts, and remembers the chunks of the last ones. Safe to share between threads."""

    def __init__(self) -> None:
        self._remembered: OrderedDict[tuple[str, str], tuple[Chunk, ...]] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def count(self, text: str, model: str) -> TokenCount:
        """The tokens of `text` for `model`; of a model we do not know, an estimate by the newest encoding.

        Raises ConfigurationError where the encoding's file is gone.
        """
        known = encoding_for(model)
        said = self.count_as(known or FALLBACK, text)
        return said if known else replace(said, exact=False)

    def count_as(self, name: str, text: str) -> TokenCount:
        """The tokens of `text` in the encoding `name`. Raises ConfigurationError where its file is gone."""
        encoding = load(name)
        head, middle, tail = self._changed(name, text, CUT)
        clean = _is_cut(text, len(text) - _length(tail), CUT)
        counted = [_counted(encoding, part, ends) for part, ends in pieces(middle, CUT, clean=clean)]
        return self._sum(name, text, (*head, *counted, *tail))

    async def count_with(
        self, tokenize: Callable[[str], Awaitable[list[int] | None]], text: str, *, key: str, splittable: bool
    ) -> TokenCount:
        """The tokens of `text` by a server's tokenizer, `key` naming it; an estimate where it does not answer.

        `splittable` says that its tokens never cross a space between two ASCII letters (GPT-2's way of splitting).
        Raises what `tokenize` raises.
        """
        import asyncio  # not above: whoever counts OpenAI's tokens does not pay for it

        cut = CAREFUL_CUT if splittable else None
        head, middle, tail = self._changed(key, text, cut)
        clean = _is_cut(text, len(text) - _length(tail), cut)
        parts = list(pieces(middle, cut, chunk=max(CHUNK, len(text) // REQUESTS), clean=clean))
        answers = await asyncio.gather(*(tokenize(part) for part, _ in parts))
        asked = zip(parts, answers, strict=True)
        counted = [Chunk(part, len(ids), ends) for (part, ends), ids in asked if ids is not None]
        if len(counted) < len(parts):
            return self.count(text, "")
        return self._sum(key, text, (*head, *counted, *tail))

    def _changed(
        self, key: str, text: str, cut: re.Pattern[str] | None
    ) -> tuple[tuple[Chunk, ...], str, tuple[Chunk, ...]]:
        """The known chunks `text` begins with, what is new in it, and the known chunks it ends with."""
        known = self._recall(key, text)
        start, head = 0, 0
        while head < len(known) and text.startswith(known[head].text, start):
            start += len(known[head].text)
            head += 1
        # What follows may have changed so that a token now crosses the place; of an estimate nobody asks that.
        while head and known[head - 1].exact and not _is_cut(text, start, cut):
            head -= 1
            start -= len(known[head].text)
        end, tail = len(text), len(known)
        while tail > head and text.endswith(known[tail - 1].text, start, end):
            tail -= 1
            end -= len(known[tail].text)
        while tail < len(known) and start < end and known[tail - 1].exact and not _is_cut(text, end, cut):
            end += len(known[tail].text)
            tail += 1
        return known[:head], text[start:end], known[tail:]

    def _recall(self, key: str, text: str) -> tuple[Chunk, ...]:
        """The chunks of the last text that began or ended as this one does."""
        with self._lock:
            found = self._remembered.get((key, "^" + text[:64])) or self._remembered.get((key, "$" + text[-64:]))
        return found or ()

    def _sum(self, key: str, text: str, chunks: tuple[Chunk, ...]) -> TokenCount:
        """The chunks' sum, and them remembered for the next text."""
        with self._lock:
            for place in ((key, "^" + text[:64]), (key, "$" + text[-64:])):
                self._size += len(text) - _length(self._remembered.pop(place, ()))
                self._remembered[place] = chunks
            while len(self._remembered) > REMEMBERED or self._size > MEMORY:
                self._size -= _length(self._remembered.popitem(last=False)[1])
        return TokenCount(sum(chunk.tokens for chunk in chunks), key, all(chunk.exact for chunk in chunks))


def pieces(
    text: str, cut: re.Pattern[str] | None = CUT, *, chunk: int = CHUNK, clean: bool = True
) -> Iterator[tuple[str, bool]]:
    """`text` in pieces of `chunk` characters or a little more, each with whether it ends where no token crosses.

    For tiktoken's sake no piece is longer than LONGEST: where none of its places can be cut at, it is cut blindly.
    Without a `cut` the text is one piece. `clean` says whether the end of `text` itself is such a place.
    """
    at, longest = 0, max(LONGEST, 2 * chunk)
    while at < len(text):
        # At the end of a search window the look-ahead sees nothing: such a cut is found by the next, longer piece.
        found = cut.search(text, at + chunk, at + longest) if cut else None
        end = found.start() if found else min(at + longest, len(text)) if cut else len(text)
        yield text[at:end], found is not None or (clean and end == len(text))
        at = end


def _counted(encoding: tiktoken.Encoding, part: str, exact: bool) -> Chunk:
    try:
        return Chunk(part, len(encoding.encode_ordinary(part)), exact)
    except BaseException as error:
        # tiktoken's Rust panics, which Python sees as a BaseException of a class that cannot be imported.
        if type(error).__name__ != "PanicException":
            raise
    return Chunk(part, 1 + len(part.encode("utf-8", "replace")) // 4, exact=False)


def _is_cut(text: str, at: int, cut: re.Pattern[str] | None) -> bool:
    return at in (0, len(text)) or (cut is not None and cut.match(text, at) is not None)


def _length(chunks: tuple[Chunk, ...]) -> int:
    return sum(len(chunk.text) for chunk in chunks)
