"""What "auto" comes to, and whether there is memory and disk for it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from playground.engine.errors import ApiError
from playground.engine.llama import physical_cores
from playground.engine.shelf import Model
from playground.engine.training import memory
from playground.engine.training.plan import LEARNING_RATE, NICE, Classification, Plan, first_layer
from playground.engine.training.shape import Shape
from playground.engine.tuning.asked import Asked
from playground.engine.tuning.folder import disk_full
from playground.memory import MB, available_bytes

RESERVE = 128 * 2**20
"""Bytes of memory and of disk that a job leaves to others."""

SMALLER = (128 * 2**20, 32 * 2**20)


def epochs(examples: int) -> int:
    """OpenAI's rule (openai-cookbook, Chat_finetuning_data_prep): 3; for few examples up to 25, for many down to 1."""
    if 3 * examples < 100:
        return min(25, 100 // examples)
    if 3 * examples > 25_000:
        return max(1, 25_000 // examples)
    return 3


def batch_size(examples: int) -> int:
    """8, which on a CPU is where a step's fixed work is spread well enough and a small set still has 25 steps an epoch;
    fewer for a tiny set, so that an epoch has 10 steps; for a large one OpenAI's 0.2 % of the examples, up to 64."""
    return max(1, min(8, examples // 10), min(64, examples // 500))


def make(
    asked: Asked,
    *,
    base: Path,
    layers: int,
    context: int,
    examples: int,
    seed: int,
    lines: int,
    threads: int | None = None,
) -> Plan:
    """Every number final. `lines` are the file's examples, which OpenAI's rules count; a chat may make several."""
    cores = physical_cores()
    return Plan(
        base=base,
        n_epochs=asked.n_epochs or epochs(lines),
        batch_size=asked.batch_size or batch_size(examples),
        learning_rate=LEARNING_RATE * (asked.learning_rate_multiplier or 1.0),
        seed=seed,
        context=context,
        first_layer=first_layer(layers),
        trainer=asked.trainer or "numpy",
        early_stopping=asked.early_stopping,
        # llama.cpp's threads wait for one another: one that shares its core with a trainer holds all of them up.
        threads=threads or max(1, cores - 1),
        nice=NICE if cores > 1 else 19,
        classification=_classification(asked),
    )


def _classification(asked: Asked) -> Classification | None:
    if not asked.compute_classification_metrics:
        return None
    return Classification(asked.classification_n_classes or 2, asked.classification_positive_class)


def check_weights(asked: Asked, base: Model, shape: Shape) -> None:
    """That the smallest training there is would fit, before anything of it is begun. Raises ApiError, out_of_memory."""
    plan = make(
        asked, base=base.path, layers=shape.layers, context=base.header.context_length, examples=1, seed=0, lines=1
    )
    needed = memory.estimate(replace(plan, memory=SMALLER[-1]), shape, longest=1, batch=1)
    free = available_bytes() - RESERVE
    if needed > free:
        raise ApiError(
            400,
            f"Training {base.id!r} needs at least {-(-needed // MB)} MB of memory, and {max(0, free) // MB} MB are "
            "free. Close other programs, or choose a smaller model.",
            param="model",
            code="out_of_memory",
        )


def fitted(plan: Plan, shape: Shape, *, longest: int) -> Plan:
    """The plan, with less memory for a step where it would not fit: smaller parts of a batch, the same result. Raises
    ApiError, code out_of_memory, where that does not help either."""
    free = available_bytes() - RESERVE
    for memory_ in (plan.memory, *SMALLER):
        smaller = replace(plan, memory=memory_)
        needed = memory.estimate(smaller, shape, longest=longest, batch=plan.batch_size)
        if needed <= free:
            return smaller
    raise ApiError(
        400,
        f"Training needs {-(-needed // MB)} MB of memory, and {max(0, free) // MB} MB are free. Close other programs, "
        f"or shorten the examples: the longest has {longest} tokens.",
        param="training_file",
        code="out_of_memory",
    )


def check_disk(plan: Plan, shape: Shape, folder: Path) -> None:
    """Room for every epoch's checkpoint. Raises ApiError, code disk_full."""
    sides = sum(sum(shape.matrix(module)) for module in plan.targets)
    adapter = 4 * plan.rank * (shape.layers - plan.first_layer) * sides
    # Each has the adapter as it is served, and for going on: the adapter and two moments.
    needed = plan.n_epochs * 4 * adapter + RESERVE
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise disk_full("the job's checkpoints", needed, free)
