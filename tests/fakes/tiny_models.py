"""Whole GGUFs of a few kilobytes, with a tokenizer of a few tokens: enough for whoever reads headers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from gguf import GGUFWriter


def write(
    path: Path,
    *,
    seed: int = 0,
    context: int = 512,
    architecture: str = "llama",
    size: int = 4_096,
    metadata: dict[str, int | str] | None = None,
) -> Path:
    """`size` numbers of weights; `metadata` adds to the header or changes it. Returns `path`."""
    writer = GGUFWriter(path, architecture)
    writer.add_block_count(2)
    writer.add_context_length(context)
    writer.add_embedding_length(32)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(["<s>", "</s>", "a", "b"])
    writer.add_token_types([3, 3, 1, 1])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_chat_template("{{ messages[0].content }}")
    for key, value in (metadata or {}).items():
        if isinstance(value, str):
            writer.add_string(key, value)
        else:
            writer.add_uint32(key, value)
    weights = np.random.default_rng(seed).normal(size=size).astype(np.float32)
    writer.add_tensor("token_embd.weight", weights)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
