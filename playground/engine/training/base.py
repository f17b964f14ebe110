"""The model that is tuned: its weights as float32, out of any quantization that gguf can undo.

Names and layout are llama.cpp's own (docs/gguf.md of ggml-org/ggml; llama.cpp's src/llama-arch.cpp). Rows of attn_q and
attn_k are in its interleaved rotary order, so that an adapter trained here is served as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from playground.engine.training import shape as shapes
from playground.engine.training.errors import TrainingError
from playground.engine.training.plan import MODULES
from playground.engine.training.shape import Shape

if TYPE_CHECKING:
    from gguf import ReaderTensor

Floats: TypeAlias = NDArray[np.float32]
Arrays: TypeAlias = dict[str, Floats]
"""Arrays by the name that their tensor has in a GGUF."""

ROWS = 4_096
"""Rows that are dequantized at once: doing so takes several times their size."""
_DAMAGE = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RuntimeError)


@dataclass(frozen=True, slots=True)
class Base:
    """`weights` by their GGUF names; `head` (vocabulary × width) is the embedding itself where the two are tied;
    `rope_factors` (head_size / 2) divide the rotary frequencies: Llama 3's, times what positions are scaled by."""

    shape: Shape
    weights: Mapping[str, Floats]
    head: Floats
    rope_factors: Floats


def load(path: Path) -> Base:
    """The weights in a GGUF, 4 bytes each. Raises TrainingError: bad_base, unsupported_architecture."""
    from playground.engine.training.reader import Reader

    shape = shapes.read(path)
    expected = _expected(shape)
    try:
        tensors = {tensor.name: tensor for tensor in Reader(path).tensors}
    except _DAMAGE as exc:
        raise _damaged() from exc
    unknown = sorted(set(tensors) - set(expected) - {"output.weight", "rope_freqs.weight"})
    if unknown:
        raise shapes.unsupported(f"it has a tensor {unknown[0][:60]!r}")
    if missing := [name for name in expected if name not in tensors]:
        raise TrainingError("bad_base", f"The model file lacks the tensor {missing[0]!r}.", param="model")
    weights = {name: _floats(tensors[name], wanted) for name, wanted in expected.items()}
    embedding = weights["token_embd.weight"]
    tied = "output.weight" not in tensors
    factors = np.full(shape.head_size // 2, shape.rope_scale, np.float32)
    if "rope_freqs.weight" in tensors:
        factors *= _floats(tensors["rope_freqs.weight"], factors.shape)
    return Base(
        shape=shape,
        weights=weights,
        head=embedding if tied else _floats(tensors["output.weight"], embedding.shape),
        rope_factors=factors,
    )


def _expected(shape: Shape) -> dict[str, tuple[int, ...]]:
    """Every tensor that a model of this shape must have, with its rows and columns."""
    width = (shape.width,)
    names: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (shape.vocabulary, shape.width),
        "output_norm.weight": width,
    }
    for layer in range(shape.layers):
        names[f"blk.{layer}.attn_norm.weight"] = names[f"blk.{layer}.ffn_norm.weight"] = width
        names |= {f"blk.{layer}.{module}.weight": shape.matrix(module) for module in MODULES}
    return names


def _floats(tensor: ReaderTensor, wanted: tuple[int, ...]) -> Floats:
    """A tensor as float32 of the wanted shape (GGUF writes its dimensions the other way round)."""
    from gguf import dequantize

    found = tuple(int(length) for length in reversed(tensor.shape))
    if found != wanted:
        raise TrainingError("bad_base", f"The tensor {tensor.name!r} is {found} and not {wanted}.", param="model")
    floats = np.empty(wanted, np.float32)
    try:
        for start in range(0, len(floats), ROWS):
            rows = slice(start, start + ROWS)
            floats[rows] = dequantize(tensor.data[rows], tensor.tensor_type)
    except NotImplementedError as exc:
        kind = tensor.tensor_type.name
        raise shapes.unsupported(f"its tensors are quantized as {kind}, which cannot be undone here") from exc
    except _DAMAGE as exc:
        raise _damaged() from exc
    if not np.isfinite(floats).all():
        raise TrainingError("bad_base", f"The tensor {tensor.name!r} holds values that are no numbers.", param="model")
    return floats


def _damaged() -> TrainingError:
    return TrainingError("bad_base", "The model file is damaged or cut short. Download it again.", param="model")
