"""What the embedded engine says of training, in the reader's language.

The engine speaks OpenAI's API, whose messages are English sentences. `data/engine_words.json` has each of them: the
English text is the pattern that a message is known by, its placeholders are the figures, the Spanish text says it anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from string import Formatter

from playground.words import Language, Said, texts

GROUP = "engine."
LONGEST = 1_000
"""Characters of a message that is looked at."""
_NUMBER = r"-?\d{1,9}(?:\.\d{1,9})?"


@lru_cache(maxsize=4_096)
def recognised(message: str) -> Said | None:
    """A message of the engine's as sentences that are known in every language; None where a part of it is not."""
    return _known(message.strip()) if len(message) <= LONGEST else None


def told(message: str, reader: Language) -> str:
    """The message in that language where it is known in it, else as it is."""
    said = recognised(message) if reader != "en" else None
    return said.text(reader) if said else message


def _known(message: str) -> Said | None:
    for key, pattern in _patterns():
        for found in filter(None, (pattern.match(message), pattern.fullmatch(message))):
            first = Said(key, {name: _value(name, text) for name, text in found.groupdict().items()})
            rest = message[found.end() :].strip()
            if not rest:
                return first
            if after := _known(rest):
                return Said(f"{GROUP}then", {"first": first, "rest": after})
    return None


def _value(name: str, text: str) -> str | float:
    """A figure that is written with decimals is a number, which Spanish writes with a comma."""
    return float(text) if name.startswith("n_") else text


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """In the file's order: what has more in it before what is its beginning. A sentence ends at a space or the end."""
    return tuple(
        (key, re.compile("".join(_parts(text)) + r"(?=\s|\Z)", re.DOTALL))
        for key, text in texts("en").items()
        if key.startswith(GROUP) and key != f"{GROUP}then"
    )


def _parts(text: str) -> Iterator[str]:
    for literal, name, _, _ in Formatter().parse(text):
        yield re.escape(literal)
        if name:
            yield f"(?P<{name}>{_NUMBER if name.startswith('n_') else '.+?'})"
