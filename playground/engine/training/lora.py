"""Low-rank adaptation (Hu et al. 2021, arXiv 2106.09685): y = W x + (alpha / rank) · B A x; only A and B learn."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from playground.engine.training.base import Arrays, Floats
from playground.engine.training.plan import Plan
from playground.engine.training.shape import Shape


class Pair(NamedTuple):
    """The two matrices beside a weight of `outputs × inputs`: `a` is rank × inputs, `b` is outputs × rank."""

    a: Floats
    b: Floats


def initial(plan: Plan, shape: Shape) -> Arrays:
    """How learning begins: B is zero, so that the first step's model is the base itself; A is uniform within
    ±1/√inputs, as peft has it (kaiming_uniform with a = √5). The same seed gives the same numbers everywhere."""
    random = np.random.default_rng(plan.seed)
    arrays: Arrays = {}
    for layer in range(plan.first_layer, shape.layers):
        for module in plan.targets:
            outputs, inputs = shape.matrix(module)
            name, bound = f"blk.{layer}.{module}.weight", inputs**-0.5
            arrays[f"{name}.lora_a"] = random.uniform(-bound, bound, (plan.rank, inputs)).astype(np.float32)
            arrays[f"{name}.lora_b"] = np.zeros((outputs, plan.rank), np.float32)
    return arrays


def pair(adapter: Arrays, name: str) -> Pair | None:
    """The matrices beside the weight `name`; None where it does not learn."""
    a = adapter.get(f"{name}.lora_a")
    return None if a is None else Pair(a, adapter[f"{name}.lora_b"])


def write(path: Path, adapter: Arrays, alpha: float, architecture: str) -> None:
    """A GGUF that llama.cpp takes as `--lora` of a base of the same architecture. It computes the scale as alpha / rows
    of lora_a.

    All F32: a tensor of another type would end llama.cpp's process. Raises OSError.
    """
    from gguf import GGUFWriter

    writer = GGUFWriter(path, architecture)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", alpha)
    for name, array in adapter.items():
        writer.add_tensor(name, np.ascontiguousarray(array, np.float32))
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()
