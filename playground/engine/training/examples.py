"""train.jsonl and valid.jsonl → arrays, and which examples make which batch of which epoch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from playground.engine.training.errors import TrainingError

POOL = 16
"""Batches that are sorted by length together: their examples are alike in length, and their order is still chance."""


@dataclass(frozen=True, slots=True)
class Example:
    """`tokens` of the model's vocabulary. `learnt` are the places (never the first) whose token is to be predicted
    from those before it. `label` is the class, in classification."""

    tokens: NDArray[np.int32]
    learnt: NDArray[np.intp]
    label: str | None = None

    def __len__(self) -> int:
        return len(self.tokens)


Batch: TypeAlias = Sequence[Example]


def read(path: Path, *, vocabulary: int, context: int) -> list[Example]:
    """The examples of a file that have something to learn. Raises TrainingError, naming the line that is wrong."""
    param = "validation_file" if path.name.startswith("valid") else "training_file"
    examples = []
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    example = _example(json.loads(line), vocabulary, context)
                except (ValueError, KeyError, TypeError, RecursionError) as exc:
                    why = f"Line {number} of the job's {path.name} is not valid ({_why(exc)}). Create the job again."
                    raise TrainingError("worker_failed", why, param=param) from exc
                if len(example.learnt):
                    examples.append(example)
    except OSError as exc:
        message = f"The job's {path.name} cannot be read: {exc.strerror}. Create the job again."
        raise TrainingError("worker_failed", message, param=param) from exc
    if not examples:
        message = f"No example of the job's {path.name} has a token to learn: every weight is 0."
        raise TrainingError("worker_failed", message, param=param)
    return examples


class _Wrong(ValueError):
    """Says itself what is wrong with a line."""


def _why(exc: Exception) -> str:
    return str(exc) if isinstance(exc, _Wrong) else 'it is not {"tokens": […], "weights": […]}'


def _example(data: Any, vocabulary: int, context: int) -> Example:
    tokens, weights, label = data["tokens"], data["weights"], data.get("label")
    if not isinstance(tokens, list) or not isinstance(weights, list) or not isinstance(label, str | None):
        raise TypeError
    if len(tokens) != len(weights):
        raise _Wrong(f"{len(tokens)} tokens, {len(weights)} weights")
    if len(tokens) > context:
        raise _Wrong(f"{len(tokens)} tokens, the context is {context}")
    # type() and not isinstance: JSON's true is an int to Python.
    if any(type(token) is not int or not 0 <= token < vocabulary for token in tokens):
        raise _Wrong(f"a token is not one of the model's {vocabulary}")
    if any(type(weight) not in (int, float) or weight not in (0, 1) for weight in weights):
        raise _Wrong("a weight is neither 0 nor 1")
    learnt = np.flatnonzero(np.array(weights[1:], bool)) + 1
    return Example(np.array(tokens, np.int32), learnt, label)


def steps_per_epoch(examples: int, batch_size: int) -> int:
    return -(-examples // batch_size)


def batches(lengths: Sequence[int], batch_size: int, *, seed: int, epoch: int) -> list[list[int]]:
    """The numbers of the examples of each batch of an epoch, each example once; `epoch` counts from 0.

    In random order, but of similar length within a batch: that saves padding where a trainer pads. Only of the seed and
    the epoch, so that a job that goes on in the middle of an epoch has the same batches.
    """
    random = np.random.default_rng((seed, epoch))
    order = random.permutation(len(lengths))
    cut: list[list[int]] = []
    for start in range(0, len(order), POOL * batch_size):
        pool = sorted(order[start : start + POOL * batch_size].tolist(), key=lambda number: lengths[number])
        cut += [pool[first : first + batch_size] for first in range(0, len(pool), batch_size)]
    return [cut[number] for number in random.permutation(len(cut))]


def subset(examples: int, size: int, *, seed: int, turn: int) -> list[int]:
    """The `turn`-th part of the validation set for a look in between: it rotates, so that all get their turn."""
    order = np.random.default_rng((seed, examples)).permutation(examples)
    return [int(order[(turn * size + i) % examples]) for i in range(min(size, examples))]
