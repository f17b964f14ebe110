"""How close answers are to a training set's vocabulary and topics, by TF-IDF, and which are off it.

Weights are scikit-learn's `TfidfVectorizer` by default: tf · (ln((1 + n) / (1 + df)) + 1), each text's vector of length
1; words in lower case, punctuation aside. A word of an answer that training lacks is a dimension of its own (df = 0).
An answer is as close as the cosine to its nearest training text. What is far
is told by the training texts themselves: an answer that is less close than 95 % of them are to their nearest other, or
that shares no word with any.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from playground.evaluate.dataset import Case
from playground.evaluate.metrics.metric import Metric
from playground.evaluate.metrics.overlap import LONGEST, words

MOST_TEXTS = 20_000
"""Of a larger set as many, evenly spread."""
CALIBRATED = 400
"""Training texts that the threshold is taken from, evenly spread."""
FAR = 0.05


@dataclass(frozen=True, slots=True)
class Closeness:
    """`cosine` to the nearest training text, which stands at `nearest` (the first being 0, None where nothing is
    shared); `vocabulary` is the share of the answer's words that training has."""

    cosine: float
    vocabulary: float
    nearest: int | None


class Domain:
    """Training texts as an index of words: for each, the texts that have it and its weight there."""

    def __init__(self, texts: Sequence[str]) -> None:
        different: dict[tuple[str, ...], int] = {}
        for place in spread(len(texts), MOST_TEXTS):  # of equal texts the first: they would be each other's nearest
            different.setdefault(tuple(sorted(_words(texts[place]))), place)
        self.places = tuple(different.values())
        counted = [Counter(each) for each in different]
        self.size = len(counted)
        frequency: Counter[str] = Counter()
        for counts in counted:
            frequency.update(counts.keys())
        self._idf = {word: math.log((1 + self.size) / (1 + times)) + 1 for word, times in frequency.items()}
        postings: dict[str, tuple[list[int], list[float]]] = {word: ([], []) for word in frequency}
        for place, counts in enumerate(counted):
            for word, weight in self._vector(counts).items():
                postings[word][0].append(place)
                postings[word][1].append(weight)
        self._postings: dict[str, tuple[NDArray[np.int32], NDArray[np.float32]]] = {
            word: (np.array(at, np.int32), np.array(weights, np.float32)) for word, (at, weights) in postings.items()
        }
        self.threshold = self._far(counted)

    def closeness(self, answer: str) -> Closeness | None:
        """None for an answer without words."""
        counts = Counter(_words(answer))
        if not counts:
            return None
        known = sum(times for word, times in counts.items() if word in self._idf)
        cosines = self._cosines(counts)
        best = int(np.argmax(cosines)) if self.size else 0
        near = float(cosines[best]) if self.size else 0.0
        return Closeness(min(1.0, near), known / counts.total(), self.places[best] if near > 0 else None)

    def off(self, answers: Sequence[str]) -> list[int]:
        """Places of the answers that are off the domain, the farthest first. An answer without words is none."""
        found = [(each.cosine, at) for at, answer in enumerate(answers) if (each := self.closeness(answer))]
        return [at for cosine, at in sorted(found) if self.is_off(cosine)]

    def is_off(self, cosine: float) -> bool:
        """Whether an answer as close as that is off the domain."""
        return cosine == 0 or cosine < self.threshold

    def _vector(self, counts: Counter[str]) -> dict[str, float]:
        weights = {word: times * self._idf[word] for word, times in counts.items() if word in self._idf}
        # A word that training lacks is a dimension of its own: it makes the answer's vector longer, and so farther.
        unknown = math.log(1 + self.size) + 1
        others = sum((times * unknown) ** 2 for word, times in counts.items() if word not in self._idf)
        length = math.sqrt(sum(weight**2 for weight in weights.values()) + others)
        return {word: weight / length for word, weight in weights.items()}

    def _cosines(self, counts: Counter[str]) -> NDArray[np.float32]:
        cosines = np.zeros(self.size, np.float32)
        for word, weight in self._vector(counts).items():
            at, weights = self._postings[word]
            cosines[at] += np.float32(weight) * weights  # a text stands once in a word's list
        return cosines

    def _far(self, counted: Sequence[Counter[str]]) -> float:
        """How close the farthest FAR of the training texts are to their nearest other."""
        nearest = []
        for place in spread(self.size, CALIBRATED):
            if not counted[place] or self.size < 2:
                continue
            cosines = self._cosines(counted[place])
            cosines[place] = -1
            nearest.append(float(cosines.max()))
        return float(np.quantile(nearest, FAR)) if nearest else 0.0


def spread(count: int, most: int) -> list[int]:
    """`most` of `count` places, evenly spread; all where they are fewer."""
    return list(range(count)) if count <= most else [at * count // most for at in range(most)]


def _words(text: str) -> list[str]:
    return [word.lower() for word in words(text[:LONGEST]) if word[0].isalnum() or word[0] == "_"]


def domain(training: Domain) -> Metric:
    """The cosine of an answer to its nearest training text."""

    def score(answer: str, case: Case) -> float | None:
        found = training.closeness(answer)
        return None if found is None else found.cosine

    return Metric(name="domain", score=score)


def off_domain(training: Domain) -> Metric:
    """1 for an answer that is off the domain, else 0: of many, the share that is off. What is off is kept with the
    answers, so that a report lists them without the training texts."""

    def score(answer: str, case: Case) -> float | None:
        found = training.closeness(answer)
        return None if found is None else float(training.is_off(found.cosine))

    return Metric(name="off_domain", score=score, binary=True, higher_is_better=False)
