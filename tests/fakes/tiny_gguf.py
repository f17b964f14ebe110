"""Writes a Llama-architecture GGUF with random weights: small enough to train and to check in a moment.

`write(path)` is for the trainer alone: F32, 2 layers, 4 query heads over 2 key/value heads, 64 tokens, no tokenizer.
`write(path, tokenizer_of=weights.find(None).path)` is one that llama.cpp serves too: it copies that model's tokenizer
and chat template, and so has its vocabulary (49,152 tokens, 6 MB). Any part of the engine's tests may use it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGMLQuantizationType, GGUFValueType, GGUFWriter
from gguf.quants import quantize

from playground.engine.training.reader import Reader

LAYERS, WIDTH, HIDDEN, HEADS, KV_HEADS, VOCABULARY = 2, 32, 64, 4, 2, 64


def write(
    path: Path,
    *,
    seed: int = 0,
    layers: int = LAYERS,
    tied: bool = True,
    tokenizer_of: Path | None = None,
    kind: GGMLQuantizationType = GGMLQuantizationType.F32,
    context: int = 256,
    architecture: str = "llama",
    metadata: dict[str, float | int | str] | None = None,
    tensors: dict[str, np.ndarray | None] | None = None,
) -> Path:
    """`kind` is the matrices' quantization; `metadata` adds to or changes the header, a name without prefix being the
    architecture's; `tensors` adds or changes some, or leaves out what is None. Returns `path`."""
    writer = GGUFWriter(path, architecture)
    vocabulary = _copy_tokenizer(writer, tokenizer_of) if tokenizer_of else VOCABULARY
    header: dict[str, Any] = {
        "block_count": layers,
        "context_length": context,
        "embedding_length": WIDTH,
        "feed_forward_length": HIDDEN,
        "attention.head_count": HEADS,
        "attention.head_count_kv": KV_HEADS,
        "attention.layer_norm_rms_epsilon": 1e-5,
        "rope.freq_base": 10_000.0,
        "rope.dimension_count": WIDTH // HEADS,
        "vocab_size": vocabulary,
        **(metadata or {}),
    }
    for name, value in header.items():
        key = name if name.startswith(("general.", "tokenizer.")) else f"{architecture}.{name}"
        writer.add_key_value(key, value, _kind_of(value))
    for name, array in {**random_weights(layers, vocabulary, seed=seed, tied=tied), **(tensors or {})}.items():
        if array is not None:
            as_kind = kind if array.ndim == 2 else GGMLQuantizationType.F32
            writer.add_tensor(name, quantize(array.astype(np.float32), as_kind), raw_dtype=as_kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def random_weights(layers: int, vocabulary: int, *, seed: int, tied: bool) -> dict[str, np.ndarray]:
    """Of a size that lets every part of the model matter: attention that is not uniform, gates that are not open."""
    random = np.random.default_rng(seed)
    keys = WIDTH // HEADS * KV_HEADS
    shapes = {
        "attn_q": (WIDTH, WIDTH),
        "attn_k": (keys, WIDTH),
        "attn_v": (keys, WIDTH),
        "attn_output": (WIDTH, WIDTH),
        "ffn_gate": (HIDDEN, WIDTH),
        "ffn_up": (HIDDEN, WIDTH),
        "ffn_down": (WIDTH, HIDDEN),
    }
    arrays = {"token_embd.weight": random.normal(0, 0.5, (vocabulary, WIDTH))}
    arrays["output_norm.weight"] = 1 + random.normal(0, 0.1, WIDTH)
    if not tied:
        arrays["output.weight"] = random.normal(0, 0.5, (vocabulary, WIDTH))
    for layer in range(layers):
        for norm in ("attn_norm", "ffn_norm"):
            arrays[f"blk.{layer}.{norm}.weight"] = 1 + random.normal(0, 0.1, WIDTH)
        for module, (rows, columns) in shapes.items():
            arrays[f"blk.{layer}.{module}.weight"] = random.normal(0, 1.5 * columns**-0.5, (rows, columns))
    return arrays


def more_tensors(architecture: str, *, layers: int = LAYERS) -> dict[str, np.ndarray]:
    """What a Qwen has beside a Llama: biases of q, k and v, or norms of each head's q and k."""
    random, head = np.random.default_rng(5), WIDTH // HEADS
    rows = {"q": WIDTH, "k": head * KV_HEADS, "v": head * KV_HEADS}
    blocks = range(layers)
    if architecture == "qwen2":
        return {f"blk.{n}.attn_{one}.bias": random.normal(0, 0.5, rows[one]) for n in blocks for one in "qkv"}
    if architecture == "qwen3":
        return {f"blk.{n}.attn_{one}_norm.weight": 1 + random.normal(0, 0.1, head) for n in blocks for one in "qk"}
    return {}


def _kind_of(value: Any) -> GGUFValueType:
    if isinstance(value, str):
        return GGUFValueType.STRING
    return GGUFValueType.UINT32 if isinstance(value, int) else GGUFValueType.FLOAT32


def _copy_tokenizer(writer: GGUFWriter, source: Path) -> int:
    """All `tokenizer.*` of another GGUF; how many tokens it has."""
    fields = Reader(source).fields
    for name, field in fields.items():
        if name.startswith("tokenizer."):
            inner = field.types[-1] if field.types[0] == GGUFValueType.ARRAY else None
            writer.add_key_value(name, field.contents(), field.types[0], sub_type=inner)
    return len(fields["tokenizer.ggml.tokens"].contents())
