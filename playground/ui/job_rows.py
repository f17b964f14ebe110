"""A fine-tuning job as the page shows it, and which one the page means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from playground.deps import Deps
from playground.engine_words import told
from playground.errors import refused
from playground.finetune.jobs import Checkpoint, Job, Metric
from playground.finetune.live import FULL, Live, Score, is_measure
from playground.finetune.results_columns import meaning
from playground.finetune.results_reduce import reduce
from playground.ui.asking import Asked
from playground.words import Language

WIDTH = 125
"""Pixel columns of a live curve, of each of which the first, last, lowest and highest point are sent."""


def row(endpoint: str, job: Job, reader: Language) -> dict[str, Any]:
    """A job as the page shows it, what went wrong in the reader's language where it is known in it."""
    return {
        "endpoint": endpoint,
        "id": job.id,
        "status": job.status,
        "base": job.base,
        "model": job.fine_tuned_model,
        "suffix": job.suffix,
        "created": job.created,
        "ended": job.ended,
        "tokens": job.trained_tokens,
        "settings": {name: _figure(value) for name, value in job.hyperparameters.items()},
        "error": job.error and told(job.error, reader),
        "results": bool(job.result_files),
        "validation": bool(job.validation_file),
    }


def _figure(value: int | float | str) -> str:
    """`1.0` is 1."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def curves(metrics: Sequence[Metric]) -> list[dict[str, Any]]:
    """What was measured, a curve a name with the points that it has: {name, kind, side, measure, points, x, y}.

    A classifier's six measures, one point an epoch, are a table here and curves in the Results tab.
    """
    names = dict.fromkeys(
        name for each in metrics for name in each.values if is_measure(name) and not _of_classes(name)
    )
    shown = [name for name in names if not _is_said_twice(name, metrics)]
    return [_curve(name, [each for each in metrics if name in each.values]) for name in shown]


def _of_classes(name: str) -> bool:
    return meaning(name).kind == "classification"


def _is_said_twice(name: str, metrics: Sequence[Metric]) -> bool:
    """Whether what the whole validation file says is, at each of its steps, what the plain name says there."""
    plain = name.removeprefix(FULL)
    whole = [each.values for each in metrics if name in each.values]
    return plain != name and all(values.get(plain) == values[name] for values in whole)


def _curve(name: str, measured: Sequence[Metric]) -> dict[str, Any]:
    what = meaning(name)
    x, y = np.array([[each.step, each.values[name]] for each in measured], dtype=float).T
    x, y = reduce(x, y, WIDTH)
    about = {"name": name, "kind": what.kind, "side": what.side, "measure": what.measure}
    return {**about, "points": len(measured), "x": x.tolist(), "y": y.tolist()}


def pace(live: Live) -> dict[str, Any]:
    """How fast the job goes and what it takes; the base's scores beside the newest of the tuned model."""
    return {
        "speed": live.tokens_per_second,
        "memory": live.memory_bytes,
        "tokens": live.trained_tokens,
        "scores": [
            {"measure": meaning(each.name).measure, "base": each.base, "tuned": each.tuned, "of": each.of}
            for each in sorted(live.scores, key=_told_first)
        ],
    }


def _told_first(score: Score) -> int:
    """Of how many examples the answer is right is what everybody understands; what a classifier's measures are, few."""
    return 0 if score.of else 2 if _of_classes(score.name) else 1


def saved(checkpoint: Checkpoint) -> dict[str, Any]:
    """A checkpoint as the page lists it, with its scores by their measure: on the validation file, whole before a part
    of it; where it has none, on the training file."""
    sides: dict[str, dict[str, float]] = {"validation": {}, "train": {}, "none": {}}
    plain = {name: value for name, value in checkpoint.values.items() if not _of_classes(name)}
    for name, value in sorted(plain.items(), key=lambda each: each[0].startswith(FULL)):
        what = meaning(name)
        sides[what.side][what.measure] = value
    return {"model": checkpoint.model, "step": checkpoint.step, "scores": sides["validation"] or sides["train"]}


def meant(deps: Deps, asked: Asked) -> tuple[str, str]:
    """The server and the job that are asked for. Raises InvalidRequest."""
    endpoint, job = asked.get("endpoint"), asked.get("job")
    if not isinstance(endpoint, str) or endpoint not in deps.client.endpoints or not isinstance(job, str) or not job:
        raise refused("no_job", param="job")
    return endpoint, job
