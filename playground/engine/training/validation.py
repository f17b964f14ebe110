"""How good the model is on examples that it does not learn from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from playground.engine.training import classification
from playground.engine.training.classification import Classes
from playground.engine.training.errors import Stopped
from playground.engine.training.examples import Example, subset
from playground.engine.training.learner import Learner
from playground.engine.training.metrics import Measured, joined

AT_ONCE = 32
"""Examples between two looks at whether a stop is asked for."""


@dataclass(frozen=True, slots=True)
class Validation:
    """`classes` are those of the examples, where classification metrics are asked for."""

    examples: Sequence[Example]
    learner: Learner
    seed: int
    classes: Classes | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        return self.classes.columns if self.classes else ()

    def whole(self, stopping: Callable[[], bool]) -> dict[str, float]:
        """All examples: loss, token accuracy, exact match, and what there is on classes. Raises Stopped."""
        measured = []
        for start in range(0, len(self.examples), AT_ONCE):
            if stopping():
                raise Stopped
            measured.append(self._measured(self.examples[start : start + AT_ONCE]))
        whole = joined(measured)
        values = {**_values(whole), "valid_exact_match": whole.exact_match}
        if self.classes:
            values |= classification.present(classification.measures(self.classes, self.examples, whole))
        return values

    def part(self, turn: int, size: int) -> dict[str, float]:
        """`size` examples, others at each turn: what OpenAI's valid_loss during training is."""
        chosen = subset(len(self.examples), size, seed=self.seed, turn=turn)
        return _values(self._measured([self.examples[number] for number in chosen]))

    def _measured(self, examples: Sequence[Example]) -> Measured:
        if self.classes is None:
            return self.learner.measure(examples)
        return self.learner.measure(examples, self.classes.tokens, self.classes.place)


def _values(measured: Measured) -> dict[str, float]:
    return {"valid_loss": measured.loss, "valid_mean_token_accuracy": measured.accuracy}
