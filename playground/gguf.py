"""Reads the header of a GGUF file (github.com/ggml-org/ggml, docs/gguf.md): its metadata, not its tensors.

Imports nothing of the app: the engine reads headers with it, and so does whoever takes care of model files.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cache
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

MAGIC = b"GGUF"
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_NORMAL, _UNKNOWN, _CONTROL, _USER_DEFINED, _UNUSED, _BYTE = 1, 2, 3, 4, 5, 6
_DAMAGE = (struct.error, ValueError, LookupError, TypeError, AttributeError, MemoryError, RuntimeError, ArithmeticError)
_MOST_BLOCKS = 2_000
_MOST_CONTEXT = 2**31 - 1
_MOST_ENTRIES = 100_000
_FILL_IN = (("fim_pre", "fim_suf", "fim_mid"), ("prefix", "suffix", "middle"))


class GgufError(Exception):
    """The file cannot be served. `missing`: it cannot be read at all; else it is not what it should be."""

    def __init__(self, message: str, *, missing: bool = False) -> None:
        super().__init__(message)
        self.missing = missing


@dataclass(frozen=True, slots=True)
class Header:
    """What the engine needs of it. `vocabulary[id]` are the bytes that token `id` stands for; `control` are the ids of
    tokens that are no text, `tokens` how many there are of all, `kv_width` the numbers that are kept of each token of a
    context, over all layers; `thinks` says whether its chat template knows <think>."""

    architecture: str
    context_length: int
    block_count: int
    kv_width: int
    tokens: int
    tokenizer_model: str
    tokenizer_pre: str
    has_fill_in_middle: bool
    has_chat_template: bool
    thinks: bool
    bos_token_id: int | None
    eos_token_id: int | None
    control: frozenset[int]
    vocabulary: tuple[bytes, ...]


def read(path: Path) -> Header:
    """The header of the file at `path`. Raises GgufError when it is not a whole GGUF."""
    meta = metadata(path)
    return header(path, meta)


def header(path: Path, meta: dict[str, Any], *, vocabulary: bool = True) -> Header:
    """What the engine needs of the metadata of the file at `path`; without its `vocabulary`, which is most of it, where
    a model is only told of. Raises GgufError when it describes no model."""
    try:
        return _header(meta, vocabulary=vocabulary)
    except _DAMAGE as exc:
        raise _damaged(path) from exc


def metadata(path: Path) -> dict[str, Any]:
    """Everything that the header says, by its keys. Raises GgufError when it cannot be read."""
    try:
        with path.open("rb") as file:
            return _metadata(file)
    except OSError as exc:
        raise GgufError(f"The model file {path} cannot be read: {exc.strerror}.", missing=True) from exc
    except _DAMAGE as exc:
        raise _damaged(path) from exc


def _damaged(path: Path) -> GgufError:
    return GgufError(f"The model file {path} is damaged or cut short. Download it again.")


def check_adapter(path: Path, architecture: str) -> None:
    """Raises GgufError unless the file at `path` is a whole LoRA adapter for `architecture`, of plain floats: one of
    another type ends llama.cpp, and the process with it."""
    try:
        with path.open("rb") as file:
            tensors, _count = _begin(file)
            file.seek(0)
            meta = _metadata(file)
            kinds = [_tensor(file) for _ in range(tensors)]
            end = -(-file.tell() // 32) * 32 + max(offset + size for _, size, offset in kinds)
            whole = end <= path.stat().st_size
    except (OSError, *_DAMAGE) as exc:
        raise GgufError(f"The adapter {path} cannot be read.") from exc
    told = meta.get("general.type"), meta.get("adapter.type"), meta.get("general.architecture")
    if told != ("adapter", "lora", architecture) or not whole or any(kind > 1 for kind, _, _ in kinds):
        raise GgufError(f"The file {path} is no adapter for this model.")


#: Numbers in a block and bytes of it, by ggml's type (ggml-common.h; gguf-py's GGML_QUANT_SIZES).
_BLOCKS = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 40), 10: (256, 84),
    11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292), 16: (256, 66), 17: (256, 74),
    18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82), 23: (256, 136), 24: (1, 1), 25: (1, 2),
    26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2), 34: (256, 54), 35: (256, 66), 39: (32, 17),
    40: (64, 36), 41: (128, 18),
}  # fmt: skip
_MOST_TENSORS = 100_000


def check_whole(path: Path) -> None:
    """Raises GgufError unless every tensor that the header names lies within the file. Of a type that is not known
    here, only its beginning has to."""
    inspect(path)


def inspect(path: Path) -> tuple[dict[str, Any], int]:
    """What the header of a whole file says, and how many numbers its tensors hold. Raises as `check_whole`."""
    try:
        with path.open("rb") as file:
            tensors, _count = _begin(file)
            file.seek(0)
            meta = _metadata(file)
            alignment = meta.get("general.alignment", 32)
            if not 0 < tensors <= _MOST_TENSORS:
                raise ValueError("no such model")
            told = [_tensor_end(file) for _ in range(tensors)]
            whole = -(-file.tell() // alignment) * alignment + max(end for end, _ in told) <= path.stat().st_size
    except (OSError, *_DAMAGE) as exc:
        raise _damaged(path) from exc
    if not whole:
        raise _damaged(path)
    return meta, sum(size for _, size in told)


def _tensor_end(file: BinaryIO) -> tuple[int, int]:
    """Where the next tensor that is told of ends, in bytes from where the tensors begin; how many numbers it holds."""
    _string(file)
    size = prod(_number(file, "Q") for _ in range(_number(file, "I")))
    kind, offset = _number(file, "I"), _number(file, "Q")
    numbers, length = _BLOCKS.get(kind, (1, 0))
    return int(offset + -(-size // numbers) * length), size


def _tensor(file: BinaryIO) -> tuple[int, int, int]:
    """What is said of the next tensor: its type (0 is F32, 1 F16), its size in bytes if it is one of these, where it
    begins."""
    _string(file)
    size = prod(_number(file, "Q") for _ in range(_number(file, "I")))
    kind, offset = _number(file, "I"), _number(file, "Q")
    return kind, size * (2 if kind else 4), offset


def _begin(file: BinaryIO) -> tuple[int, int]:
    """How many tensors there are, and how many entries the metadata has."""
    if file.read(4) != MAGIC:
        raise GgufError("The model file is not a GGUF. Choose a file that ends in .gguf.")
    version, tensors, count = struct.unpack("<IQQ", file.read(20))
    if version not in (2, 3):
        raise GgufError(f"The model file is a GGUF of version {version}, which is not read.")
    if count > _MOST_ENTRIES:
        raise ValueError("no such header")
    return tensors, count


def _metadata(file: BinaryIO) -> dict[str, Any]:
    _tensors, count = _begin(file)
    return {_string(file): _value(file, _number(file, "I")) for _ in range(count)}


def _value(file: BinaryIO, kind: int) -> Any:
    if kind == _STRING:
        return _string(file)
    if kind != _ARRAY:
        return _number(file, _SCALARS[kind])
    inner, length = _number(file, "I"), _number(file, "Q")
    if inner in _SCALARS:
        size = struct.calcsize("<" + _SCALARS[inner])
        return struct.unpack(f"<{length}{_SCALARS[inner]}", file.read(size * length))
    return [_value(file, inner) for _ in range(length)]


def _number(file: BinaryIO, code: str) -> Any:
    return struct.unpack("<" + code, file.read(struct.calcsize("<" + code)))[0]


def _string(file: BinaryIO) -> str:
    length = _number(file, "Q")
    raw = file.read(length) if length < 1 << 30 else b""
    if len(raw) != length:
        raise struct.error("cut short")
    return raw.decode("utf-8", "surrogateescape")


def _header(meta: dict[str, Any], *, vocabulary: bool) -> Header:
    architecture = meta["general.architecture"]
    named = {key.removeprefix("tokenizer.ggml.") for key in meta}
    kinds = meta.get("tokenizer.ggml.token_type") or ()
    tokens = meta["tokenizer.ggml.tokens"]
    byte_level = meta.get("tokenizer.ggml.model") == "gpt2"
    # llama.cpp refuses most numbers that cannot be, but these end the process or come to light with a request.
    blocks, context = (meta[f"{architecture}.{name}"] for name in ("block_count", "context_length"))
    if not 0 < blocks <= _MOST_BLOCKS or not 0 < context <= _MOST_CONTEXT or not tokens:
        raise ValueError("no such model")
    if any(type(number) is not int for number in (blocks, context)) or not isinstance(architecture, str):
        raise ValueError("no such model")
    if not 0 <= (meta.get("tokenizer.ggml.bos_token_id") or 0) < len(tokens):
        raise ValueError("no such token")
    return Header(
        architecture=architecture,
        context_length=context,
        block_count=blocks,
        kv_width=_kv_width(meta, architecture),
        tokens=len(tokens),
        tokenizer_model=meta.get("tokenizer.ggml.model", ""),
        tokenizer_pre=meta.get("tokenizer.ggml.pre", meta.get("tokenizer.ggml.model", "")),
        has_fill_in_middle=any(all(f"{part}_token_id" in named for part in names) for names in _FILL_IN),
        has_chat_template="tokenizer.chat_template" in meta,
        # What a model thinks is part of its template: what it has thought is taken out of the conversation there.
        thinks="</think>" in str(meta.get("tokenizer.chat_template")),
        bos_token_id=meta.get("tokenizer.ggml.bos_token_id"),
        eos_token_id=meta.get("tokenizer.ggml.eos_token_id"),
        control=frozenset(i for i, kind in enumerate(kinds) if kind == _CONTROL),
        vocabulary=tuple(
            _token_bytes(token, kinds[i] if i < len(kinds) else _NORMAL, byte_level)
            for i, token in enumerate(tokens if vocabulary else ())
        ),
    )


def _kv_width(meta: dict[str, Any], architecture: str) -> int:
    """A key and a value for each head of each layer; an architecture that keeps less (a sliding window) counts more."""
    layers, heads = meta[f"{architecture}.block_count"], meta.get(f"{architecture}.attention.head_count") or 1
    shared = meta.get(f"{architecture}.attention.head_count_kv", heads)
    width = meta.get(f"{architecture}.embedding_length", 0) // max(1, max(heads) if isinstance(heads, tuple) else heads)
    keys = meta.get(f"{architecture}.attention.key_length", width)
    values = meta.get(f"{architecture}.attention.value_length", width)
    return int(sum(shared) if isinstance(shared, tuple) else shared * layers) * int(keys + values)


def _token_bytes(token: str, kind: int, byte_level: bool) -> bytes:
    if kind in (_CONTROL, _USER_DEFINED):
        return token.encode("utf-8", "surrogateescape")
    if byte_level:
        table = _byte_level()
        return bytes(table[c] for c in token) if all(c in table for c in token) else token.encode()
    if kind == _BYTE:
        return bytes([int(token[3:5], 16)])
    return token.replace("▁", " ").encode("utf-8", "surrogateescape")


@cache
def _byte_level() -> dict[str, int]:
    """GPT-2's characters for bytes (openai/gpt-2, src/encoder.py, bytes_to_unicode), the other way round."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table = {chr(b): b for b in plain}
    rest = [b for b in range(256) if b not in set(plain)]
    return table | {chr(256 + i): b for i, b in enumerate(rest)}
