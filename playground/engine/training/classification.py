"""The legacy API's classification metrics, of a validation set whose examples have a class as their completion.

Which class the model would choose is read from one token: the first where the classes' completions differ. For two
classes its probability against the other's is the score that the curves (AUROC, AUPRC) are of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from playground.engine.training.errors import TrainingError
from playground.engine.training.examples import Example
from playground.engine.training.metrics import Measured
from playground.engine.training.plan import Classification

MULTICLASS = ("classification/accuracy", "classification/weighted_f1_score")
BINARY = (
    "classification/accuracy",
    "classification/precision",
    "classification/recall",
    "classification/auroc",
    "classification/auprc",
    "classification/f1.0",
)


@dataclass(frozen=True, slots=True)
class Classes:
    """`tokens[i]` is what class `names[i]` begins with, at the `place`-th learnt token; `positive` is a number among
    them, or None for more than two classes."""

    names: tuple[str, ...]
    tokens: tuple[int, ...]
    place: int
    positive: int | None

    @property
    def columns(self) -> tuple[str, ...]:
        return MULTICLASS if self.positive is None else BINARY


def classes(asked: Classification, examples: Sequence[Example]) -> Classes:
    """The classes that the examples have. Raises TrainingError when they are not those that were asked for."""
    completions: dict[str, list[int]] = {}
    for example in examples:
        if example.label is None:
            raise _wrong("an example has no class")
        completions.setdefault(example.label.strip(), example.tokens[example.learnt].tolist())
    names = tuple(sorted(completions))
    if len(names) != asked.n_classes:
        raise _wrong(f"the files have {len(names)} classes, not {asked.n_classes}", "classification_n_classes")
    positive = None
    if len(names) == 2:
        if asked.positive_class is None or asked.positive_class.strip() not in names:
            raise _wrong("of two classes one must be the positive one", "classification_positive_class")
        positive = names.index(asked.positive_class.strip())
    place = _shared([completions[name] for name in names])
    # A class whose whole completion is the beginning of another's differs from it where it ends.
    tokens = tuple(completions[name][min(place, len(completions[name]) - 1)] for name in names)
    return Classes(names, tokens, place, positive)


def _shared(completions: Sequence[Sequence[int]]) -> int:
    """How many tokens all of them have in common at their beginning."""
    place = 0
    while all(len(tokens) > place + 1 for tokens in completions) and len({c[place] for c in completions}) == 1:
        place += 1
    return place


def measures(found: Classes, examples: Sequence[Example], measured: Measured) -> dict[str, float]:
    """The columns' values of a validation set that was measured with `found.tokens` at `found.place`."""
    truth = np.array([found.names.index((example.label or "").strip()) for example in examples])
    chosen = _chosen(found, truth, measured)
    values = {"classification/accuracy": float(np.mean(chosen == truth))}
    if found.positive is None:
        return values | {"classification/weighted_f1_score": weighted_f1(truth, chosen)}
    positive = truth == found.positive
    precision, recall, f1 = precision_recall_f1(positive, chosen == found.positive)
    margin = measured.scores[:, found.positive] - measured.scores[:, 1 - found.positive]
    return values | {
        "classification/precision": precision,
        "classification/recall": recall,
        "classification/auroc": auroc(positive, margin),
        "classification/auprc": auprc(positive, margin),
        "classification/f1.0": f1,
    }


def _chosen(found: Classes, truth: NDArray[np.intp], measured: Measured) -> NDArray[np.intp]:
    """The class with the likeliest token. Classes that share it are told apart by what follows: the true one if the
    whole completion would be written, else the first other one."""
    chosen: NDArray[np.intp] = measured.scores.argmax(axis=1)
    tokens = np.array(found.tokens)
    for row, (right, whole) in enumerate(zip(truth, measured.exact, strict=True)):
        alike = np.flatnonzero(tokens == tokens[chosen[row]])
        if len(alike) > 1 and right in alike:
            chosen[row] = right if whole else alike[alike != right][0]
    return chosen


def precision_recall_f1(truth: NDArray[np.bool_], chosen: NDArray[np.bool_]) -> tuple[float, float, float]:
    """TP / (TP + FP), TP / (TP + FN), and 2 TP / (2 TP + FP + FN); 0 where nothing is divided."""
    hits = int(np.sum(truth & chosen))
    said, there = int(np.sum(chosen)), int(np.sum(truth))
    return _ratio(hits, said), _ratio(hits, there), _ratio(2 * hits, said + there)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def weighted_f1(truth: NDArray[np.intp], chosen: NDArray[np.intp]) -> float:
    """Each class's F1, weighted by how often the class occurs."""
    return float(
        sum(np.mean(truth == name) * precision_recall_f1(truth == name, chosen == name)[2] for name in np.unique(truth))
    )


def auroc(truth: NDArray[np.bool_], score: NDArray[np.float32]) -> float:
    """How often a positive example scores above a negative one, ties counting half (Mann and Whitney's U); nan
    where one kind is missing."""
    positive, negative = score[truth], score[~truth]
    if not len(positive) or not len(negative):
        return float("nan")
    above = np.sum(positive[:, None] > negative) + 0.5 * np.sum(positive[:, None] == negative)
    return float(above / (len(positive) * len(negative)))


def auprc(truth: NDArray[np.bool_], score: NDArray[np.float32]) -> float:
    """Average precision: Σ (recallₙ − recallₙ₋₁) precisionₙ over the thresholds; nan where there is no positive."""
    if not truth.any():
        return float("nan")
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(truth[order])
    # Only where the score changes is there a threshold.
    ends = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    precision, recall = hits[ends] / (ends + 1), hits[ends] / hits[-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def present(values: Mapping[str, float]) -> dict[str, float]:
    """Without those that have no value, which are empty cells."""
    return {name: value for name, value in values.items() if not np.isnan(value)}


def _wrong(why: str, param: str = "compute_classification_metrics") -> TrainingError:
    return TrainingError("worker_failed", f"No classification metrics can be computed: {why}.", param=param)
