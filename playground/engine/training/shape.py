"""A model's numbers, from its GGUF's header; and what of the architecture is not trained here."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playground.engine import gguf
from playground.engine.errors import WeightsError
from playground.engine.training.errors import TrainingError
from playground.engine.training.plan import Module

ARCHITECTURE = "llama"
_MOST = 2**24
"""More of anything than a model has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """`width` is the embedding's, `hidden` the feed-forward's. `heads` query heads share `kv_heads` key/value heads."""

    layers: int
    width: int
    hidden: int
    heads: int
    kv_heads: int
    head_size: int
    vocabulary: int
    epsilon: float
    rope_base: float
    rope_scale: float
    """Positions are divided by it (`linear` scaling); 1 for most models."""

    @property
    def group(self) -> int:
        """How many query heads share one key/value head."""
        return self.heads // self.kv_heads

    def matrix(self, module: Module) -> tuple[int, int]:
        """Rows and columns of a block's matrix: outputs and inputs."""
        queries, keys = self.heads * self.head_size, self.kv_heads * self.head_size
        return {
            "attn_q": (queries, self.width),
            "attn_k": (keys, self.width),
            "attn_v": (keys, self.width),
            "attn_output": (self.width, queries),
            "ffn_gate": (self.hidden, self.width),
            "ffn_up": (self.hidden, self.width),
            "ffn_down": (self.width, self.hidden),
        }[module]


def read(path: Path) -> Shape:
    """The shape of the model in a GGUF. Raises TrainingError: bad_base, unsupported_architecture."""
    try:
        meta = gguf.metadata(path)
    except WeightsError as exc:
        # WeightsError names the path, which a job's message does not.
        message = "The model file is missing, damaged or not a GGUF. Download it again, or choose another base."
        raise TrainingError("bad_base", message, param="model") from exc
    architecture = meta.get("general.architecture")
    if architecture != ARCHITECTURE:
        raise unsupported(f"its architecture is {str(architecture)[:40]!r}")
    try:
        return _shape({key.removeprefix("llama."): value for key, value in meta.items()}, meta)
    except (KeyError, TypeError, ValueError, OverflowError, ZeroDivisionError) as exc:
        raise TrainingError(
            "bad_base", "The model file's header does not describe a model. Download it again.", param="model"
        ) from exc


def _shape(llama: dict[str, Any], meta: dict[str, Any]) -> Shape:
    heads, width = _count(llama["attention.head_count"]), _count(llama["embedding_length"])
    size = _count(llama.get("attention.key_length", width // heads))
    if llama.get("attention.value_length", size) != size:
        raise unsupported("its keys and values differ in length")
    if llama.get("rope.dimension_count", size) != size:
        raise unsupported("only a part of each head is rotated")
    if llama.get("expert_count"):
        raise unsupported("it is a mixture of experts")
    shape = Shape(
        layers=_count(llama["block_count"]),
        width=width,
        hidden=_count(llama["feed_forward_length"]),
        heads=heads,
        kv_heads=_count(llama.get("attention.head_count_kv", heads)),
        head_size=size,
        vocabulary=_count(llama.get("vocab_size", len(meta.get("tokenizer.ggml.tokens", ())))),
        epsilon=_positive(llama["attention.layer_norm_rms_epsilon"]),
        rope_base=_positive(llama.get("rope.freq_base", 10_000.0)),
        rope_scale=_rope_scale(llama),
    )
    if shape.heads % shape.kv_heads or shape.head_size % 2:
        raise ValueError("heads do not divide")
    return shape


def _rope_scale(llama: dict[str, Any]) -> float:
    kind = llama.get("rope.scaling.type", "linear" if "rope.scale_linear" in llama else "none")
    if kind == "none":
        return 1.0
    if kind != "linear":
        raise unsupported(f"its positions are scaled by {str(kind)[:20]!r}")
    return _positive(llama.get("rope.scaling.factor", llama.get("rope.scale_linear", 1.0)))


def _count(value: Any) -> int:
    if type(value) is not int or not 0 < value <= _MOST:
        raise ValueError("no such count")
    return value


def _positive(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number) or number <= 0:
        raise ValueError("no such number")
    return number


def unsupported(why: str) -> TrainingError:
    return TrainingError(
        "unsupported_architecture",
        f"The default trainer trains models of the Llama architecture, and this model is not one it knows: {why}. "
        "Choose another base, or the torch trainer.",
        param="model",
    )
