"""Writes GGUFs of a real model's size with random weights, in seconds: what loading and generating take depends on the
size and the kinds, not on what the weights say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGMLQuantizationType as Kinds
from gguf import GGUFValueType, GGUFWriter
from gguf.quants import quantize

from playground.engine.training.reader import Reader

TILE = 256
"""Rows that are drawn; a larger matrix repeats them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A model's numbers, by their names in a GGUF's header."""

    architecture: str
    layers: int
    width: int
    hidden: int
    heads: int
    kv_heads: int
    vocabulary: int
    context: int
    head: int | None = None
    """Numbers of a head where they are not width / heads."""

    @property
    def head_size(self) -> int:
        return self.head or self.width // self.heads


#: Qwen 2.5 0.5B's (huggingface.co/Qwen/Qwen2.5-0.5B-Instruct, config.json).
QWEN_HALF = Size(
    architecture="qwen2",
    layers=24,
    width=896,
    hidden=4864,
    heads=14,
    kv_heads=2,
    vocabulary=151_936,
    context=32_768,
)


def write(path: Path, size: Size, *, tokenizer_of: Path, kind: Kinds = Kinds.Q4_0) -> Path:
    """A model of that size, its matrices of `kind`, its embedding (which is its head too) Q8_0. Returns `path`."""
    writer = GGUFWriter(path, size.architecture)
    _header(writer, size)
    _tokenizer(writer, tokenizer_of, size.vocabulary)
    random = np.random.default_rng(0)
    for name, shape in _shapes(size):
        as_kind = Kinds.F32 if len(shape) == 1 else Kinds.Q8_0 if name.startswith("token_embd") else kind
        tile = random.normal(0, shape[-1] ** -0.5, (min(TILE, shape[0]), *shape[1:])).astype(np.float32)
        data = quantize(1 + 0 * tile if name.endswith("norm.weight") else tile, as_kind)
        writer.add_tensor(name, np.resize(data, (shape[0], *data.shape[1:])), raw_dtype=as_kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _header(writer: GGUFWriter, size: Size) -> None:
    numbers: dict[str, Any] = {
        "block_count": size.layers,
        "context_length": size.context,
        "embedding_length": size.width,
        "feed_forward_length": size.hidden,
        "attention.head_count": size.heads,
        "attention.head_count_kv": size.kv_heads,
        "attention.key_length": size.head_size,
        "attention.value_length": size.head_size,
        "vocab_size": size.vocabulary,
    }
    for name, number in numbers.items():
        writer.add_uint32(f"{size.architecture}.{name}", number)
    writer.add_float32(f"{size.architecture}.attention.layer_norm_rms_epsilon", 1e-6)
    writer.add_float32(f"{size.architecture}.rope.freq_base", 1_000_000.0)


def _tokenizer(writer: GGUFWriter, source: Path, vocabulary: int) -> None:
    """Another model's, with more tokens that occur in no text."""
    for name, field in Reader(source).fields.items():
        if not name.startswith("tokenizer."):
            continue
        value, inner = field.contents(), field.types[-1] if field.types[0] == GGUFValueType.ARRAY else None
        if name == "tokenizer.ggml.tokens":
            value = [*value, *(f"[more{number}]" for number in range(len(value), vocabulary))][:vocabulary]
        if name == "tokenizer.ggml.token_type":
            value = [*value, *([1] * (vocabulary - len(value)))][:vocabulary]
        writer.add_key_value(name, value, field.types[0], sub_type=inner)


def _shapes(size: Size) -> Iterator[tuple[str, tuple[int, ...]]]:
    keys, queries = size.kv_heads * size.head_size, size.heads * size.head_size
    yield "token_embd.weight", (size.vocabulary, size.width)
    yield "output_norm.weight", (size.width,)
    for layer in range(size.layers):
        block = f"blk.{layer}."
        yield block + "attn_norm.weight", (size.width,)
        yield block + "ffn_norm.weight", (size.width,)
        for one, rows in (("q", queries), ("k", keys), ("v", keys)):
            yield f"{block}attn_{one}.weight", (rows, size.width)
            if size.architecture == "qwen2":
                yield f"{block}attn_{one}.bias", (rows,)
            if size.architecture == "qwen3" and one != "v":
                yield f"{block}attn_{one}_norm.weight", (size.head_size,)
        yield block + "attn_output.weight", (size.width, queries)
        yield block + "ffn_gate.weight", (size.hidden, size.width)
        yield block + "ffn_up.weight", (size.hidden, size.width)
        yield block + "ffn_down.weight", (size.width, size.hidden)
