"""Classification: an answer read as one of the labels, and the report of all of them.

Precision, recall and F1 of a label, their macro average (each label counts alike) and weighted average (each as often
as it is expected) are scikit-learn's `classification_report`; what would be 0/0 is 0 there and here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from playground.evaluate.dataset import Case
from playground.evaluate.metrics.metric import Array, Metric, Sums
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


def macro_f1(labels: Sequence[str]) -> Metric:
    """The F1 of each label, averaged: a rare label counts as much as a frequent one. Of all answers together only."""
    reader = Reader(labels)
    place: Mapping[str | None, int] = {name: at for at, name in enumerate(reader.labels)}
    size = len(reader.labels)

    def rows(answers: Sequence[str], cases: Sequence[Case]) -> Array:
        # Of each label whether it was expected and answered, answered, expected.
        counts = np.zeros((len(answers), 3, size))
        for at, (answer, case) in enumerate(zip(answers, cases, strict=True)):
            expected = None if case.expected is None else place.get(reader.read(case.expected))
            if expected is None:
                continue
            counts[at, 2, expected] = 1
            if (answered := place.get(reader.read(answer))) is not None:
                counts[at, 1, answered] = 1
                counts[at, 0, answered] = answered == expected
        return counts.reshape(len(answers), 3 * size)

    def figures(sums: Array) -> Array:
        right, answered, expected = sums[:, :size], sums[:, size : 2 * size], sums[:, 2 * size :]
        with np.errstate(divide="ignore", invalid="ignore"):
            f1 = np.nan_to_num(2 * right / (answered + expected))
        return np.where(expected.any(axis=1), f1.mean(axis=1), np.nan)

    def corpus(answers: Sequence[str], cases: Sequence[Case]) -> float | None:
        pairs = [(answer, case.expected) for answer, case in zip(answers, cases, strict=True) if case.expected]
        found = report([answer for answer, _ in pairs], [expected for _, expected in pairs], reader.labels)
        return None if found is None else found.macro.f1

    return Metric(name="macro_f1", corpus=corpus, sums=Sums(rows, figures))


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
