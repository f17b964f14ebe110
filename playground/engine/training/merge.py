"""A base and an adapter as one GGUF, which any llama.cpp, Ollama or LM Studio runs: W + (alpha / rank) · B A.

F16 keeps the tune exactly enough, and so does Q8_0 at about half its size. The base's own 4-bit kinds would round it
away (measured: held-out exact match 0.84 → 0.00), so they are not offered.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from playground.engine.training.base import ROWS, Floats
from playground.engine.training.checkpoints import no_room
from playground.engine.training.errors import Code, TrainingError
from playground.engine.training.lora import Pair

if TYPE_CHECKING:
    from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter, ReaderField, ReaderTensor

Kind = Literal["f16", "q8_0"]
_DAMAGE = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RuntimeError)
_FILE_TYPES = {"f16": 1, "q8_0": 7}
"""llama.cpp's llama_ftype."""


def merge(base: Path, adapter: Path, out: Path, *, type: Kind, scale: float = 1.0) -> None:
    """Writes `out`, whole or not at all; `scale` is how strongly the adapter counts. Any architecture, any adapter.

    Takes the memory of one matrix at a time. Raises TrainingError: bad_base, worker_failed, disk_full.
    """
    model = _opened(base, "bad_base", "The model file is damaged or cut short. Download it again.")
    learnt = _opened(adapter, "worker_failed", "The fine-tune's adapter is damaged. Export another checkpoint.")
    pairs, strength = _pairs(learnt), scale * _alpha(learnt)
    shapes = {tensor.name: tuple(int(length) for length in reversed(tensor.shape)) for tensor in model.tensors}
    for name, (a, b) in pairs.items():
        if shapes.get(name) != (b.shape[0], a.shape[-1]) or a.shape[0] != b.shape[-1]:
            message = f"The adapter does not belong to this model: it has no tensor {name[:60]!r} of its size."
            raise TrainingError("worker_failed", message)
    temporary = out.with_name(f".{out.name}.tmp")
    try:
        _write(temporary, model, pairs, strength, type)
        os.replace(temporary, out)
    except OSError as exc:
        raise no_room(exc) or exc from exc
    finally:
        temporary.unlink(missing_ok=True)


def _opened(path: Path, code: Code, message: str) -> GGUFReader:
    from playground.engine.training.reader import Reader

    try:
        return Reader(path)
    except (*_DAMAGE, OSError) as exc:
        raise TrainingError(code, message) from exc


def _alpha(adapter: GGUFReader) -> float:
    field = adapter.fields.get("adapter.lora.alpha")
    if field is None:
        raise TrainingError("worker_failed", "This file is not an adapter: it has no adapter.lora.alpha.")
    return float(field.contents())


def _pairs(adapter: GGUFReader) -> dict[str, Pair]:
    """By the name of the weight that each belongs to."""
    arrays = {tensor.name: _dequantized(tensor, slice(None)) for tensor in adapter.tensors}
    names = {name.removesuffix(".lora_a") for name in arrays if name.endswith(".lora_a")}
    try:
        return {name: Pair(arrays[f"{name}.lora_a"], arrays[f"{name}.lora_b"]) for name in sorted(names)}
    except KeyError as exc:
        raise TrainingError("worker_failed", f"The fine-tune's adapter lacks {exc.args[0]!r}.") from exc


def _write(path: Path, model: GGUFReader, pairs: Mapping[str, Pair], strength: float, kind: Kind) -> None:
    from gguf import GGUFWriter

    writer = GGUFWriter(path, _text(model, "general.architecture"))
    kinds = {tensor.name: _kind(tensor, kind) for tensor in model.tensors}
    try:
        _copy_header(writer, model, kind)
        for tensor in model.tensors:
            _announce(writer, tensor, kinds[tensor.name])
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for tensor in model.tensors:
            writer.write_tensor_data(_merged(tensor, pairs.get(tensor.name), strength, kinds[tensor.name]))
    finally:
        writer.close()


def _kind(tensor: ReaderTensor, kind: Kind) -> GGMLQuantizationType:
    """Vectors stay as exact as they are; a matrix whose rows are not whole blocks of 32 is F16."""
    from gguf import GGMLQuantizationType as Types

    if len(tensor.shape) < 2:
        return Types.F32
    return Types.Q8_0 if kind == "q8_0" and int(tensor.shape[0]) % 32 == 0 else Types.F16


def _announce(writer: GGUFWriter, tensor: ReaderTensor, kind: GGMLQuantizationType) -> None:
    from gguf import GGML_QUANT_SIZES

    block, size = GGML_QUANT_SIZES[kind]
    # GGUF counts dimensions from the shortest step; NumPy, and the writer, from the longest.
    shape = [int(length) for length in reversed(tensor.shape)]
    total = int(np.prod(shape)) // block * size
    writer.add_tensor_info(tensor.name, shape, np.dtype(np.float32), total, raw_dtype=kind)


def _merged(tensor: ReaderTensor, pair: Pair | None, strength: float, kind: GGMLQuantizationType) -> NDArray[Any]:
    """The tensor in its new kind, some rows at a time: undoing a quantization takes several times their size."""
    from gguf.quants import quantize

    if tensor.tensor_type == kind and pair is None:
        return tensor.data
    rows = tensor.data.shape[0]
    parts = []
    for start in range(0, rows, ROWS):
        some = slice(start, start + ROWS)
        floats = _dequantized(tensor, some)
        if pair is not None:
            floats = floats + np.float32(strength / len(pair.a)) * (pair.b[some] @ pair.a)
        parts.append(quantize(floats, kind))
    return np.ascontiguousarray(np.concatenate(parts))


def _dequantized(tensor: ReaderTensor, rows: slice) -> Floats:
    from gguf import dequantize

    try:
        return np.asarray(dequantize(tensor.data[rows], tensor.tensor_type), np.float32)
    except NotImplementedError as exc:
        message = f"The tensor {tensor.name!r} is quantized as {tensor.tensor_type.name}, which cannot be undone here."
        raise TrainingError("unsupported_architecture", message) from exc


def _copy_header(writer: GGUFWriter, model: GGUFReader, kind: Kind) -> None:
    """Everything that the base says of itself, its tokenizer and chat template among it; but for its quantization."""
    from gguf import GGUFValueType

    for name, field in model.fields.items():
        if name.startswith("GGUF.") or name in ("general.architecture", "general.file_type"):
            continue
        inner = field.types[-1] if field.types[0] == GGUFValueType.ARRAY else None
        writer.add_key_value(name, _value(field), field.types[0], sub_type=inner)
    writer.add_file_type(_FILE_TYPES[kind])


def _value(field: ReaderField) -> Any:
    """As it stands in the file; texts as bytes, since a token need not be whole UTF-8."""
    from gguf import GGUFValueType

    if field.types[-1] != GGUFValueType.STRING:
        return field.contents()
    texts = [bytes(field.parts[place]) for place in field.data]
    return texts if field.types[0] == GGUFValueType.ARRAY else texts[0]


def _text(model: GGUFReader, name: str) -> str:
    field = model.fields.get(name)
    if field is None:
        raise TrainingError("bad_base", f"The model file does not say its {name}.")
    return str(field.contents())
