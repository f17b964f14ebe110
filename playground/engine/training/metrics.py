"""What is measured: loss and accuracies over the tokens that are learnt, as OpenAI names and defines them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from playground.engine.training.base import Floats


@dataclass(frozen=True, slots=True)
class Measured:
    """One entry a learnt token, in the batch's order. `losses` in nats; `correct`: the likeliest token was the right
    one; `owners`: the example's number in the batch. `tokens`: all tokens that were read. `scores` (examples ×
    candidates): how likely each candidate was (log) at the place that was asked for."""

    losses: Floats
    correct: NDArray[np.bool_]
    owners: NDArray[np.intp]
    tokens: int
    scores: Floats

    @property
    def loss(self) -> float:
        """The mean over the learnt tokens."""
        return float(self.losses.mean(dtype=np.float64))

    @property
    def accuracy(self) -> float:
        """The share of learnt tokens that were predicted."""
        return float(self.correct.mean())

    @property
    def exact(self) -> NDArray[np.bool_]:
        """For each example: every one of its learnt tokens was predicted, as it would be written at temperature 0."""
        whole = np.ones(int(self.owners.max(initial=-1)) + 1, np.bool_)
        np.logical_and.at(whole, self.owners, self.correct)
        return whole

    @property
    def exact_match(self) -> float:
        return float(self.exact.mean())


def joined(parts: Sequence[Measured]) -> Measured:
    """Batches measured one after another, as if they had been one."""
    starts = np.cumsum([0, *(int(part.owners.max()) + 1 for part in parts)])
    return Measured(
        losses=np.concatenate([part.losses for part in parts]),
        correct=np.concatenate([part.correct for part in parts]),
        owners=np.concatenate([part.owners + start for part, start in zip(parts, starts, strict=False)]),
        tokens=sum(part.tokens for part in parts),
        scores=np.concatenate([part.scores for part in parts]),
    )
