"""A column of texts in the room that a file takes for them.

Python's own strings take four bytes a character where a single one lies beyond U+FFFF, as an emoji does, and 50 to 75
bytes each beside their characters: a file of short texts, or of texts with an emoji in each, would take eight times its
size as a list.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

_ERRORS = "surrogatepass"  # what is no character stays as it was: whoever writes it has to say so


class Texts(Sequence[str]):
    """Texts behind each other in UTF-8, each made a string when it is asked for."""

    __slots__ = ("_data", "_ends", "_hashes")
    __hash__ = None  # type: ignore[assignment]  # it can grow

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._data = bytearray()
        self._ends = array("Q", (0,))
        self._hashes: NDArray[np.int64] | None = None
        for text in texts:
            self.append(text)

    def append(self, text: str) -> None:
        self._data += text.encode("utf-8", _ERRORS)
        self._ends.append(len(self._data))
        self._hashes = None

    @property
    def sizes(self) -> NDArray[np.uint64]:
        """How many bytes each text has."""
        return np.diff(np.array(self._ends))

    @property
    def hashes(self) -> NDArray[np.int64]:
        """A number for each text: equal texts have equal ones. Two others have the same in one of 10¹⁹ cases."""
        if self._hashes is None:
            self._hashes = np.fromiter(map(hash, self), np.int64, len(self))
        return self._hashes

    def holds(self, part: str) -> bool:
        """Whether a text has `part` in it. Almost always it is enough to look at all of them as one."""
        return part.encode("utf-8", _ERRORS) in self._data and any(part in text for text in self)

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        if isinstance(place, slice):
            return [self[each] for each in range(*place.indices(len(self)))]
        at = range(len(self))[place]
        return self._data[self._ends[at] : self._ends[at + 1]].decode("utf-8", _ERRORS)

    def __iter__(self) -> Iterator[str]:
        data, begin, ends = self._data, 0, iter(self._ends)
        next(ends)
        for end in ends:
            yield data[begin:end].decode("utf-8", _ERRORS)
            begin = end

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Texts):
            return self._ends == other._ends and self._data == other._data
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(str.__eq__, self, other))

    def __repr__(self) -> str:
        return f"Texts({list(self)!r})"


def as_texts(texts: Iterable[str]) -> Texts:
    """The same as a column, where it is none yet."""
    return texts if isinstance(texts, Texts) else Texts(texts)
