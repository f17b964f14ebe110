"""What a metric is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from playground.evaluate.dataset import Case
from playground.words import Said

Score = Callable[[str, Case], float | None]
CorpusScore = Callable[[Sequence[str], Sequence[Case]], float | None]
Whole = Callable[[Sequence[int]], float | None]
"""A figure of what stands at these places; None where there is nothing to score."""
Parted = Callable[[Sequence[str]], Whole]
"""The figure of answers' parts, by their places."""
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sums:
    """What a figure of all answers is made of where that adds up: `rows` gives each answer some counts (answers × k),
    `figures` the figure of each row of summed ones (m × k → m), NaN where there is nothing to score."""

    rows: Callable[[Sequence[str], Sequence[Case]], Array]
    figures: Callable[[Array], Array]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A figure for one answer (`score`), for all together (`corpus`), or both; None where there is nothing to score.

    `sums` are what `corpus` is of, or `parted` tells it of any part of the answers: what an interval is made of.
    Without a `corpus` of its own a metric's figure for many answers is their mean. `binary`: a score is 0 or 1, so that
    two systems are compared by McNemar's test. `most` is the highest figure there is. `notes` are what a report has to
    say beside it: how exactly it was computed.
    """

    name: str
    score: Score | None = None
    corpus: CorpusScore | None = None
    sums: Sums | None = None
    parted: Parted | None = None
    binary: bool = False
    higher_is_better: bool = True
    most: float | None = 1.0
    notes: tuple[Said, ...] = ()


def mean(values: Sequence[float | None]) -> float | None:
    """Of those that are there."""
    there = [value for value in values if value is not None]
    return sum(there) / len(there) if there else None


def corpus_score(metric: Metric, answers: Sequence[str], cases: Sequence[Case]) -> float | None:
    """The metric's figure for these answers to these cases, one answer a case."""
    if metric.corpus is not None:
        return metric.corpus(answers, cases)
    if metric.score is None:
        return None
    return mean([metric.score(answer, case) for answer, case in zip(answers, cases, strict=True)])
