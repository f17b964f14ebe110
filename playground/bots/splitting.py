"""A text in parts that one message of Telegram can hold: 4,096 UTF-16 code units (Bot API, sendMessage)."""

from __future__ import annotations

import unicodedata

MOST = 4096
"""UTF-16 code units of one message: a character beyond U+FFFF, as most emoji are, takes two."""

_JOINS = "\u200d\ufe0e\ufe0f"
"""Zero-width joiner and variation selectors: an emoji with one before or behind it is one with its neighbour."""


def units(text: str) -> int:
    """UTF-16 code units of `text`, which has no lone surrogates."""
    return len(text) + sum(character > "\uffff" for character in text)


def split(text: str, most: int = MOST) -> list[str]:
    """`text` in parts of at most `most` units, broken where a paragraph, a line, a sentence or a word ends.

    Only a word longer than a part is broken, and then between characters. The white space at a break is dropped, since
    Telegram drops it too. No parts for a text of white space alone.
    """
    parts: list[str] = []
    rest = text.strip()
    while rest:
        end = _reach(rest, most)
        if end < len(rest):
            end = _break(rest, end)
        parts.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return parts


def _reach(text: str, most: int) -> int:
    """How many characters from the start have at most `most` units."""
    used = 0
    for at, character in enumerate(text):
        used += 2 if character > "\uffff" else 1
        if used > most:
            return at
    return len(text)


def _break(text: str, end: int) -> int:
    """The best place to break at or before `end`. A break that leaves the part less than half full is worth it only for
    a word's sake."""
    for mark in ("\n\n", "\n", ". ", "? ", "! ", "。"):
        at = text.rfind(mark, end // 2, end + len(mark) - len(mark.rstrip()))
        if at >= 0:
            return at + len(mark)
    at = next((at for at in range(end, 0, -1) if text[at].isspace()), 0)
    return at or _between_characters(text, end)


def _between_characters(text: str, end: int) -> int:
    """Not between a letter and its accent, nor inside a joined emoji; but somewhere, whatever the text is."""
    for at in range(end, max(0, end - 64), -1):
        if not _belongs(text[at]) and text[at - 1] != "\u200d":
            return at
    return end


def _belongs(character: str) -> bool:
    return bool(unicodedata.combining(character)) or character in _JOINS or "\U0001f3fb" <= character <= "\U0001f3ff"
