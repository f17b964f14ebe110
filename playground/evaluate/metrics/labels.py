"""Classification: an answer read as one of the labels, and the report of all of them.

Precision, recall and F1 of a label, their macro average (each label counts alike) and weighted average (each as often
as it is expected) are scikit-learn's `classification_report`; what would be 0/0 is 0 there and here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from playground.evaluate.dataset import Case
from playground.evaluate.metrics.metric import Metric
from playground.finetune.duplicates import normalised

MOST_LABELS = 50
"""A set with more different expected answers has texts, not labels."""


@dataclass(frozen=True, slots=True)
class ClassScore:
    """Of one label, or an average. `support` is how often it was expected."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, slots=True)
class ClassReport:
    """`matrix[i][j]` is how often label i was expected and label j answered; the last column counts answers that are
    no label (`unread` in all)."""

    labels: tuple[str, ...]
    matrix: tuple[tuple[int, ...], ...]
    classes: tuple[ClassScore, ...]
    accuracy: float
    macro: ClassScore
    weighted: ClassScore

    @property
    def unread(self) -> int:
        return sum(row[-1] for row in self.matrix)


class Reader:
    """Reads answers as one of `labels`, but for case and punctuation."""

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = tuple(dict.fromkeys(labels))
        self._plain = {normalised(label): label for label in reversed(self.labels)}
        longest = sorted(self._plain, key=len, reverse=True)
        # Two labels of which one is part of the other: the longer is meant where it stands.
        self._inside = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest))})(?!\w)") if longest else None

    def read(self, answer: str) -> str | None:
        """The label that the answer is; else the one that it begins with; else the only one in it; else None."""
        text = normalised(answer[:2_000])
        if text in self._plain:
            return self._plain[text]
        if self._inside is None:
            return None
        if first := self._inside.match(text):
            return self._plain[first[0]]
        found = set(self._inside.findall(text))
        return self._plain[found.pop()] if len(found) == 1 else None


def label(labels: Sequence[str]) -> Metric:
    """1 where the answer, read as one of `labels`, is the expected one; else 0. For many answers: the accuracy."""
    reader = Reader(labels)

    def score(answer: str, case: Case) -> float | None:
        expected = None if case.expected is None else reader.read(case.expected)
        return None if expected is None else float(reader.read(answer) == expected)

    return Metric(name="label", score=score, binary=True)


def report(answers: Sequence[str], expected: Sequence[str], labels: Sequence[str]) -> ClassReport | None:
    """Of answers whose expected one is a label; None where there is none, or more than MOST_LABELS labels."""
    reader = Reader(labels)
    if not 0 < len(reader.labels) <= MOST_LABELS:
        return None
    place: Mapping[str | None, int] = {
        **{name: at for at, name in enumerate(reader.labels)},
        None: len(reader.labels),
    }
    matrix = [[0] * (len(reader.labels) + 1) for _ in reader.labels]
    for answer, right in zip(answers, expected, strict=True):
        wanted = reader.read(right)
        if wanted is not None:
            matrix[place[wanted]][place[reader.read(answer)]] += 1
    total = sum(map(sum, matrix))
    if not total:
        return None
    classes = tuple(_class(matrix, at) for at in range(len(reader.labels)))
    right_ones = sum(matrix[at][at] for at in range(len(classes)))
    return ClassReport(
        labels=reader.labels,
        matrix=tuple(map(tuple, matrix)),
        classes=classes,
        accuracy=right_ones / total,
        macro=_average(classes, [1] * len(classes), total),
        weighted=_average(classes, [each.support for each in classes], total),
    )


def _class(matrix: Sequence[Sequence[int]], at: int) -> ClassScore:
    right, answered, support = matrix[at][at], sum(row[at] for row in matrix), sum(matrix[at])
    precision = right / answered if answered else 0.0
    recall = right / support if support else 0.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return ClassScore(precision, recall, f1, support)


def _average(classes: Sequence[ClassScore], weights: Sequence[int], total: int) -> ClassScore:
    whole = sum(weights)

    def of(name: str) -> float:
        return float(sum(getattr(each, name) * weight for each, weight in zip(classes, weights, strict=True)) / whole)

    return ClassScore(of("precision"), of("recall"), of("f1"), total)
