"""A model's numbers, from its GGUF's header; and what of the architecture is not trained here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playground import gguf
from playground.engine.training.errors import TrainingError
from playground.engine.training.plan import Module, Trainer

ARCHITECTURES: Mapping[Trainer, tuple[str, ...]] = {
    "numpy": ("llama",),
    "torch": ("llama", "qwen2", "qwen3", "gemma2", "gemma3"),
}
"""By trainer, the `general.architecture` of what it trains; Mistral's and SmolLM's models are "llama" to llama.cpp."""
_MOST = 2**24
"""More of anything than a model has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """`width` is the embedding's, `hidden` the feed-forward's. `heads` query heads share `kv_heads` key/value heads."""

    architecture: str
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


def read(path: Path, trainer: Trainer = "numpy") -> Shape:
    """The shape of the model in a GGUF, which `trainer` is to train.

    Raises TrainingError: bad_base, unsupported_architecture.
    """
    try:
        meta = gguf.metadata(path)
    except gguf.GgufError as exc:
        # GgufError names the path, which a job's message does not.
        message = "The model file is missing, damaged or not a GGUF. Download it again, or choose another base."
        raise TrainingError("bad_base", message, param="model") from exc
    return of(meta, trainer)


def of(meta: Mapping[str, Any], trainer: Trainer = "numpy") -> Shape:
    """The shape that a GGUF's metadata describes. Raises as `read`."""
    architecture = str(meta.get("general.architecture"))
    if architecture not in ARCHITECTURES[trainer]:
        raise unsupported(f"its architecture is {architecture[:40]!r}", trainer)
    try:
        return _shape({key.removeprefix(f"{architecture}."): value for key, value in meta.items()}, meta, trainer)
    except (KeyError, TypeError, ValueError, OverflowError, ZeroDivisionError) as exc:
        raise TrainingError(
            "bad_base", "The model file's header does not describe a model. Download it again.", param="model"
        ) from exc


def _shape(own: dict[str, Any], meta: Mapping[str, Any], trainer: Trainer) -> Shape:
    heads, width = _count(own["attention.head_count"]), _count(own["embedding_length"])
    size = _count(own.get("attention.key_length", width // heads))
    if own.get("attention.value_length", size) != size:
        raise unsupported("its keys and values differ in length", trainer)
    if own.get("rope.dimension_count", size) != size:
        raise unsupported("only a part of each head is rotated", trainer)
    if own.get("expert_count"):
        raise unsupported("it is a mixture of experts", trainer)
    shape = Shape(
        architecture=str(meta["general.architecture"]),
        layers=_count(own["block_count"]),
        width=width,
        hidden=_count(own["feed_forward_length"]),
        heads=heads,
        kv_heads=_count(own.get("attention.head_count_kv", heads)),
        head_size=size,
        vocabulary=_count(own.get("vocab_size", len(meta.get("tokenizer.ggml.tokens", ())))),
        epsilon=_positive(own["attention.layer_norm_rms_epsilon"]),
        rope_base=_positive(own.get("rope.freq_base", 10_000.0)),
        rope_scale=_rope_scale(own, trainer),
    )
    if shape.heads % shape.kv_heads or shape.head_size % 2:
        raise ValueError("heads do not divide")
    return shape


def _rope_scale(own: dict[str, Any], trainer: Trainer) -> float:
    kind = own.get("rope.scaling.type", "linear" if "rope.scale_linear" in own else "none")
    if kind == "none":
        return 1.0
    if kind != "linear":
        raise unsupported(f"its positions are scaled by {str(kind)[:20]!r}", trainer)
    return _positive(own.get("rope.scaling.factor", own.get("rope.scale_linear", 1.0)))


def _count(value: Any) -> int:
    if type(value) is not int or not 0 < value <= _MOST:
        raise ValueError("no such count")
    return value


def _positive(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number) or number <= 0:
        raise ValueError("no such number")
    return number


def unsupported(why: str, trainer: Trainer = "numpy") -> TrainingError:
    name, else_ = ("default", ", or the torch trainer") if trainer == "numpy" else ("torch", "")
    return TrainingError(
        "unsupported_architecture",
        f"The {name} trainer trains models of {_listed(ARCHITECTURES[trainer])}, and this model is not one it knows: "
        f"{why}. Choose another base{else_}.",
        param="model",
    )


def _listed(architectures: tuple[str, ...]) -> str:
    """As a sentence has it."""
    if len(architectures) == 1:
        return f"the architecture {architectures[0]}"
    return f"the architectures {', '.join(architectures[:-1])} and {architectures[-1]}"
