"""gguf's reader of a model file, quick where that one takes seconds: tens of thousands of tokens and as many merges.

Import it where it is used: gguf takes a moment to import.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gguf import GGUFReader, GGUFValueType
from numpy.typing import NDArray

_LENGTH = 8
"""Bytes of a length before a text or an array (docs/gguf.md of ggml-org/ggml)."""


class Reader(GGUFReader):
    """A GGUF's fields and tensors as gguf's own reader gives them: `contents()`, `parts[place] for place in data`.

    Raises what gguf raises for a damaged file: ValueError, LookupError, TypeError, AttributeError, OverflowError.
    """

    # numpy's memmap runs Python for every piece that is cut from it; a plain array over the same file does not.
    @property
    def data(self) -> Any:
        return self._plain

    @data.setter
    def data(self, mapped: Any) -> None:
        self._plain: NDArray[np.uint8] = mapped.view(np.ndarray)

    def _get_field_parts(self, orig_offs: int, raw_type: int) -> tuple[int, list[Any], list[int], list[GGUFValueType]]:
        """Bytes, parts, which parts are values, types: of an array all at once, not one value after another."""
        if raw_type != GGUFValueType.ARRAY or self.byte_order == "S":
            return super()._get_field_parts(orig_offs, raw_type)
        head = [self._get(orig_offs, np.uint32), self._get(orig_offs + 4, np.uint64)]
        inner, count, start = GGUFValueType(head[0][0]), int(head[1][0]), orig_offs + 4 + _LENGTH
        if inner is GGUFValueType.ARRAY or not count:
            return super()._get_field_parts(orig_offs, raw_type)
        if inner is GGUFValueType.STRING:
            end, values = self._texts(start, count)
        else:
            values = [self._get(start, self.gguf_scalar_to_np[inner], count)]
            end = start + values[0].nbytes
        places = [place + len(head) for place in range(len(values))]
        return end - orig_offs, head + values, places, [GGUFValueType.ARRAY, inner]

    def _texts(self, start: int, count: int) -> tuple[int, list[Any]]:
        """Where the last of `count` texts ends, and each as its bytes."""
        plain, raw, values = self._plain, self._plain.data, []
        for _ in range(count):
            begin = start + _LENGTH
            start = begin + int.from_bytes(raw[start:begin], "little")
            if start > len(raw):
                raise ValueError("a text is longer than the file")
            values.append(plain[begin:start])
        return start, values
