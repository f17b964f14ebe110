"""What answers have copied from a training file: the share of their n-grams that stand in it."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from playground.evaluate.dataset import Case
from playground.evaluate.metrics.metric import Metric
from playground.evaluate.metrics.overlap import LONGEST, words

ORDER = 5
"""Words. Shorter n-grams are shared by any two texts of one language."""
MOST_WORDS = 20_000_000
"""Of a training file that are looked at: 160 MB of hashes."""
_FACTOR = np.uint64(0x100000001B3)


class TrainingText:
    """The n-grams of training texts, each as a hash of 64 bits. `cut`: the file has more words than are looked at."""

    def __init__(self, texts: Iterable[str], n: int = ORDER) -> None:
        self.n = n
        self.cut = False
        found, total = list[NDArray[np.uint64]](), 0
        for block in _blocks(texts):
            found.append(np.unique(np.concatenate([self._hashes(text) for text in block])))
            total += sum(map(len, block))
            if total >= MOST_WORDS:
                self.cut = True
                break
        self._known = np.unique(np.concatenate(found)) if found else np.empty(0, np.uint64)

    def overlap(self, answer: str) -> float | None:
        """The share of the answer's n-grams that training has; None where it has less than n words."""
        hashes = self._hashes(_words(answer))
        if not len(hashes):
            return None
        if not len(self._known):
            return 0.0
        places = np.minimum(np.searchsorted(self._known, hashes), len(self._known) - 1)
        return float(np.mean(self._known[places] == hashes))

    def _hashes(self, tokens: Sequence[str]) -> NDArray[np.uint64]:
        if len(tokens) < self.n:
            return np.empty(0, np.uint64)
        # The same in one process, which is all that is asked of it.
        each = np.frombuffer(array("q", map(hash, tokens)), np.int64).view(np.uint64)
        hashes = np.zeros(len(each) - self.n + 1, np.uint64)
        for place in range(self.n):  # wraps around at 2⁶⁴, which is meant
            hashes = (hashes ^ (hashes >> np.uint64(29))) * _FACTOR + each[place : place + len(hashes)]
        return hashes


def _words(text: str) -> list[str]:
    return [word.lower() for word in words(text[:LONGEST])]


def _blocks(texts: Iterable[str]) -> Iterator[list[list[str]]]:
    """The texts' words, some hundred thousand at a time, so that their hashes are made in few and large pieces."""
    block, size = list[list[str]](), 0
    for text in texts:
        block.append(_words(text))
        size += len(block[-1])
        if size >= 200_000:
            yield block
            block, size = [], 0
    if block:
        yield block


def training_overlap(training: TrainingText) -> Metric:
    """How much of an answer stands word for word in the training file: less is more of its own."""

    def score(answer: str, case: Case) -> float | None:
        return training.overlap(answer)

    return Metric(name="training_overlap", score=score, higher_is_better=False)
