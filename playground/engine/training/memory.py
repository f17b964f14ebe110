"""What a job needs of the machine's memory, and how a batch is cut so that it fits."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from playground.engine.training.plan import MODULES, Plan
from playground.engine.training.shape import Shape

FLOAT = 4
ACTIVATIONS = 384 * 2**20
"""Bytes that what a backward needs of its forward may take. A larger batch is learnt in parts whose gradients add up;
for an example that is too long alone, each layer's forward is computed twice."""
PROCESS = 130 * 2**20
"""Python, NumPy and gguf before anything is loaded."""
TORCH_KEPT = 3
"""torch keeps about so many times what the hand-written backward does: it computes nothing again."""
TORCH_PROCESS = 700 * 2**20
"""Python, torch, transformers and peft before anything is loaded."""
_BLOCK = 256
"""operations.QUERIES and operations.POSITIONS, which say why."""


def kept_bytes(shape: Shape, layers: int) -> int:
    """What is kept of one token for the backward of `layers` layers (layer.Kept)."""
    attention = shape.head_size * (2 * shape.heads + 2 * shape.kv_heads)
    return FLOAT * layers * (2 * shape.width + attention + 2 * shape.hidden)


def parts(lengths: Sequence[int], bytes_per_token: int, cap: int) -> list[list[int]]:
    """The numbers of a batch's examples, cut where one more would not fit; one alone that does not is a part."""
    cut: list[list[int]] = []
    room = 0
    for number, length in enumerate(lengths):
        if not cut or length * bytes_per_token > room:
            cut.append([])
            room = cap
        cut[-1].append(number)
        room -= length * bytes_per_token
    return cut


def estimate(plan: Plan, shape: Shape, *, longest: int, batch: int) -> int:
    """Bytes that training needs at its highest, with `batch` examples of `longest` tokens in a batch.

    On a GPU the most of it is the GPU's.
    """
    if plan.trainer == "torch":
        return _torch(plan, shape, longest=longest, batch=batch)
    layers = shape.layers - plan.first_layer
    outputs_inputs = [shape.matrix(module) for module in plan.targets]
    adapter = FLOAT * plan.rank * layers * sum(rows + columns for rows, columns in outputs_inputs)
    cap, per_token = plan.memory or ACTIVATIONS, kept_bytes(shape, layers)
    whole = min(batch * longest * per_token, cap)
    kept = whole if longest * per_token <= cap else longest * FLOAT * layers * shape.width
    tokens = max(longest, min(batch * longest, cap // per_token))
    # A layer's backward has its own inputs, outputs and derivatives side by side.
    working = 2 * kept_bytes(shape, 1) * tokens
    attention = 3 * FLOAT * shape.heads * min(longest, _BLOCK) * longest
    head = 3 * FLOAT * shape.vocabulary * min(batch * longest, _BLOCK)
    # The adapter, its gradients, two moments, and a copy while a checkpoint is written.
    return PROCESS + weights(shape) + 5 * adapter + kept + working + max(attention, head)


def _torch(plan: Plan, shape: Shape, *, longest: int, batch: int) -> int:
    cap, per_token = plan.memory or ACTIVATIONS, TORCH_KEPT * kept_bytes(shape, shape.layers - plan.first_layer)
    kept = max(min(batch * longest * per_token, cap), longest * TORCH_KEPT * kept_bytes(shape, 1))
    head = 3 * FLOAT * shape.vocabulary * min(batch * longest, max(longest, cap // per_token))
    # While it is loaded, the weights are there twice: as they were read, and in the model.
    return TORCH_PROCESS + 2 * weights(shape) + max(0, kept + head - weights(shape))


def weights(shape: Shape, *, tied: bool = True) -> int:
    """Bytes of the base's weights as float32."""
    blocks = sum(rows * columns for rows, columns in map(shape.matrix, MODULES)) + 2 * shape.width
    return FLOAT * (shape.vocabulary * shape.width * (1 if tied else 2) + shape.layers * blocks + shape.width)


def resident() -> int:
    """Bytes of memory that this process has now; its highest so far where the system says no more; 0 on Windows."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        if sys.platform == "win32":
            return 0
        import resource

        # macOS counts bytes, the others KiB.
        highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return highest if sys.platform == "darwin" else highest * 1024
