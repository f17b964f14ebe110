"""What a trainer must be able to do, whatever it computes with; and the default one, which computes with NumPy."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from playground.engine.training import base, lora, memory
from playground.engine.training.base import Arrays, Base
from playground.engine.training.errors import TrainingError
from playground.engine.training.examples import Batch
from playground.engine.training.metrics import Measured, joined
from playground.engine.training.network import Network
from playground.engine.training.optimizer import AdamW, clip
from playground.engine.training.plan import Plan
from playground.engine.training.shape import Shape


class Learner(Protocol):
    """A model, its adapter and its optimizer. The loop decides what is learnt and when; this computes it.

    Two learners with the same plan take the same steps: they begin with `lora.initial`, learn the mean loss over the
    batch's learnt tokens, clip with `optimizer.clip` and step as `optimizer.AdamW` does.
    """

    @property
    def shape(self) -> Shape:
        """The model's numbers."""

    def learn(self, batch: Batch, rate: float) -> Measured:
        """One step of the optimizer on the whole batch; what was measured before it.

        A loss or a gradient that is no finite number changes nothing and raises TrainingError, diverged.
        """

    def measure(self, batch: Batch, candidates: Sequence[int] = (), place: int = 0) -> Measured:
        """Forward only, with the logs of how likely `candidates` are as each example's `place`-th learnt token."""

    def adapter(self) -> Arrays:
        """The pairs under their GGUF names, in llama.cpp's layout, float32."""

    def state(self) -> Arrays:
        """All that is needed to go on exactly from here."""

    def restore(self, state: Arrays) -> None:
        """Go on from what `state` gave, of a job with the same plan. Raises KeyError or ValueError."""


class AdapterLearner(ABC):
    """What every Learner does alike: it keeps the adapter and its optimizer as arrays in llama.cpp's layout, and asks
    for gradients in the same."""

    def __init__(self, plan: Plan, shape: Shape) -> None:
        if plan.first_layer >= shape.layers:
            message = f"first_layer is {plan.first_layer}, but the model has {shape.layers} layers."
            raise TrainingError("worker_failed", message, param="first_layer")
        self.plan = plan
        self._shape = shape
        self._adapter = lora.initial(plan, shape)
        self._optimizer = AdamW(self._adapter)
        self._cap = plan.memory or memory.ACTIVATIONS

    @property
    def shape(self) -> Shape:
        return self._shape

    @abstractmethod
    def gradients(self, batch: Batch) -> tuple[Measured, Arrays]:
        """Of the mean loss over the batch's learnt tokens, by the adapter's arrays."""

    @abstractmethod
    def measure(self, batch: Batch, candidates: Sequence[int] = (), place: int = 0) -> Measured: ...

    @abstractmethod
    def changed(self) -> None:
        """The adapter's arrays have other values than before."""

    def learn(self, batch: Batch, rate: float) -> Measured:
        # What overflows is told by the loss and the gradients' norm.
        with np.errstate(over="ignore", invalid="ignore"):
            measured, gradients = self.gradients(batch)
            if not math.isfinite(measured.loss) or not math.isfinite(clip(gradients, self.plan.max_grad_norm)):
                raise diverged(measured.loss)
            self._optimizer.step(gradients, rate)
        self.changed()
        return measured

    def parts(self, batch: Batch, bytes_per_token: int) -> list[Batch]:
        """The batch, cut so that each part fits into the memory that a step may take."""
        cut = memory.parts([len(example) for example in batch], bytes_per_token, self._cap)
        return [[batch[number] for number in part] for part in cut]

    def fits(self, part: Batch, bytes_per_token: int) -> bool:
        return sum(map(len, part)) * bytes_per_token <= self._cap

    def adapter(self) -> Arrays:
        return self._adapter

    def state(self) -> Arrays:
        return {**self._adapter, **self._optimizer.state(), "steps": np.array([self._optimizer.steps], np.float32)}

    def restore(self, state: Arrays) -> None:
        for name, array in self._adapter.items():
            array[...] = state[name]
        self._optimizer.restore(state, int(state["steps"][0]))
        self.changed()


class NumpyLearner(AdapterLearner):
    """The Learner on the CPU, for the Llama architecture."""

    def __init__(self, plan: Plan, model: Base) -> None:
        super().__init__(plan, model.shape)
        self._network = Network(model, self._adapter, scale=plan.scale, first_layer=plan.first_layer)
        self._kept = memory.kept_bytes(model.shape, model.shape.layers - plan.first_layer)

    @classmethod
    def load(cls, plan: Plan) -> NumpyLearner:
        """Raises TrainingError: bad_base, unsupported_architecture."""
        return cls(plan, base.load(plan.base))

    def changed(self) -> None:
        """The network reads the arrays themselves."""

    def gradients(self, batch: Batch) -> tuple[Measured, Arrays]:
        gradients = {name: np.zeros_like(array) for name, array in self._adapter.items()}
        share = share_of(batch)
        measured = [
            self._network.learn(part, gradients, share=share, keep=self.fits(part, self._kept))
            for part in self.parts(batch, self._kept)
        ]
        return joined(measured), gradients

    def measure(self, batch: Batch, candidates: Sequence[int] = (), place: int = 0) -> Measured:
        # Nothing is kept but one layer's own.
        parts = self.parts(batch, 2 * memory.kept_bytes(self._shape, 1))
        with np.errstate(over="ignore", invalid="ignore"):
            return joined([self._network.measure(part, candidates, place) for part in parts])


def share_of(batch: Batch) -> float:
    """What one learnt token's loss counts: a mean over the whole batch, so that how it is cut makes no difference."""
    return 1 / sum(len(example.learnt) for example in batch)


def diverged(loss: float) -> TrainingError:
    shown = f"{loss:.4g}" if math.isfinite(loss) else "not a number"
    return TrainingError(
        "diverged",
        f"Training diverged: the loss is {shown}. Create the job again with a learning_rate_multiplier of a third, or "
        "use its last checkpoint, if it has one; the curve so far is kept.",
        param="learning_rate_multiplier",
    )
