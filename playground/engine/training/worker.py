"""A job's folder → its plan, its examples and its learner, put together and run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playground.engine.training import classification, examples, memory
from playground.engine.training.errors import TrainingError
from playground.engine.training.learner import Learner, NumpyLearner
from playground.engine.training.loop import Emit, Job, Loop
from playground.engine.training.plan import Plan
from playground.engine.training.validation import Validation

TRAIN, VALID = "train.jsonl", "valid.jsonl"


def run(folder: Path, plan: Plan, *, emit: Emit, stopping: Callable[[], bool]) -> None:
    """Raises TrainingError, MemoryError, OSError."""
    emit({"type": "loading"})
    learner = load(plan)
    train = examples.read(folder / TRAIN, vocabulary=learner.shape.vocabulary, context=plan.context)
    validation = _validation(folder, plan, learner, train)
    job = Job(folder, plan, learner, train, validation, emit, stopping)
    longest, batch = max(map(len, train)), min(plan.batch_size, len(train))
    Loop(job).run(memory.estimate(plan, learner.shape, longest=longest, batch=batch))


def load(plan: Plan) -> Learner:
    """The trainer that the plan names, with its model. Raises TrainingError."""
    if plan.trainer == "numpy":
        return NumpyLearner.load(plan)
    from playground.engine.training.torch_learner import load as load_torch

    return load_torch(plan)


def _validation(folder: Path, plan: Plan, learner: Learner, train: list[examples.Example]) -> Validation | None:
    path = folder / VALID
    if not path.exists():
        if plan.early_stopping is not None:
            message = "Early stopping needs a validation file: it ends when that gets no better."
            raise TrainingError("worker_failed", message, param="validation_file")
        return None
    valid = examples.read(path, vocabulary=learner.shape.vocabulary, context=plan.context)
    classes = classification.classes(plan.classification, [*train, *valid]) if plan.classification else None
    return Validation(valid, learner, plan.seed, classes)
