"""A JSON array's elements one after the other. The whole as a text takes four bytes a character where there is an emoji
in it, and its values as much again; here only what is being read is held.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, TextIO

PIECE = 1 << 18
"""Characters that are read at once, or as many as an element has so far, so that a long one takes no time squared."""


def elements(text: TextIO, decoder: json.JSONDecoder, piece: int = PIECE) -> Iterator[Any]:
    """Raises ValueError or RecursionError where `text` is no array, which may be after the first elements."""
    window = _Window(text, piece)
    if window.take() != "[":
        raise ValueError("this is no array")
    mark = "" if window.peek() != "]" else window.take()
    while mark != "]":
        yield window.value(decoder)
        mark = window.take()
        if mark not in (",", "]"):
            raise ValueError("an element is followed by neither a comma nor the end")
    if window.peek():
        raise ValueError("there is more after the end")


class _Window:
    """What of the text has been read and not been used yet."""

    def __init__(self, source: TextIO, piece: int) -> None:
        self._source, self._piece = source, piece
        self._text, self._at = "", 0

    def peek(self) -> str:
        """The next character that is no white space; empty at the end."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in " \t\r\n":
                    return self._text[self._at]
                self._at += 1
            if not self._read_on():
                return ""

    def take(self) -> str:
        found = self.peek()
        self._at += len(found)
        return found

    def value(self, decoder: json.JSONDecoder) -> Any:
        self.peek()
        while True:
            try:
                value, end = decoder.raw_decode(self._text, self._at)
            except (ValueError, RecursionError):  # what is missing may stand in what has not been read
                if not self._read_on():
                    raise
                continue
            # A number that ends with the window may go on.
            if end < len(self._text) or not self._read_on():
                self._at = end
                return value

    def _read_on(self) -> bool:
        left = self._text[self._at :]
        piece = self._source.read(max(self._piece, len(left)))
        if piece:
            self._text, self._at = left + piece, 0
        return bool(piece)
