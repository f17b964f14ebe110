"""The whole model: tokens → embedding → blocks → output head, the loss at the tokens that are learnt, its gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from playground.engine.training import operations as op
from playground.engine.training.base import Arrays, Base, Floats
from playground.engine.training.examples import Batch
from playground.engine.training.layer import Kept, Layer, Positions
from playground.engine.training.metrics import Measured

_EMBEDDING, _LAST_NORM = "token_embd.weight", "output_norm.weight"


@dataclass(frozen=True, slots=True)
class Packed:
    """A batch as rows, one a token, the examples one below the other. An example's last token is not read: nothing
    comes after it. `asking`: the rows whose next token is learnt; `targets`: those tokens; `owners`: whose they are."""

    tokens: NDArray[np.int32]
    spans: Sequence[op.Span]
    asking: NDArray[np.intp]
    targets: NDArray[np.int32]
    owners: NDArray[np.intp]


def pack(batch: Batch) -> Packed:
    stops = np.cumsum([len(example) - 1 for example in batch]).tolist()
    starts = [0, *stops[:-1]]
    return Packed(
        tokens=np.concatenate([example.tokens[:-1] for example in batch]),
        spans=list(zip(starts, stops, strict=True)),
        asking=np.concatenate([start + example.learnt - 1 for start, example in zip(starts, batch, strict=True)]),
        targets=np.concatenate([example.tokens[example.learnt] for example in batch]),
        owners=np.repeat(np.arange(len(batch)), [len(example.learnt) for example in batch]),
    )


class Network:
    """`base` with the pairs of `adapter` beside its weights, whose layers from `first_layer` on learn."""

    def __init__(self, base: Base, adapter: Arrays, *, scale: float, first_layer: int) -> None:
        self.base = base
        self.adapter = adapter
        self._first = first_layer
        self._layers = [Layer(base, adapter, scale, number) for number in range(base.shape.layers)]

    def measure(self, batch: Batch, candidates: Sequence[int] = (), place: int = 0) -> Measured:
        """Forward only. `scores`: the logs of how likely `candidates` are as each example's `place`-th learnt token."""
        packed = pack(batch)
        x, at = self._embedded(packed)
        for layer in self._layers:
            x, _ = layer.forward(x, at)
        return self._head(packed, x, candidates, place)[0]

    def learn(self, batch: Batch, gradients: Arrays, *, share: float, keep: bool = True) -> Measured:
        """Adds to `gradients` the derivatives of `share` · Σ losses. Without `keep` each layer's forward is computed
        again when the backward comes to it: the same numbers, with one layer's memory in place of all."""
        packed = pack(batch)
        x, at = self._embedded(packed)
        inputs: list[Floats] = []
        kept: list[Kept] = []
        for layer in self._layers:
            before = x
            x, of_layer = layer.forward(x, at)
            if layer.number >= self._first:
                if keep:
                    kept.append(of_layer)
                else:
                    inputs.append(before)
        measured, d_asked = self._head(packed, x, share=share)
        d_x = np.zeros_like(x)
        d_x[packed.asking] = d_asked
        for layer in reversed(self._layers[self._first :]):
            of_layer = kept.pop() if keep else layer.forward(inputs.pop(), at)[1]
            if layer.number > self._first:
                d_x = layer.backward(d_x, of_layer, at, gradients)
            else:
                layer.learn(d_x, of_layer, at, gradients)
        return measured

    def _embedded(self, packed: Packed) -> tuple[Floats, Positions]:
        shape = self.base.shape
        angles = op.rope_angles(packed.spans, shape.head_size, shape.rope_base, self.base.rope_factors)
        return self.base.weights[_EMBEDDING][packed.tokens], Positions(packed.spans, *angles)

    def _head(
        self, packed: Packed, x: Floats, candidates: Sequence[int] = (), place: int = 0, *, share: float = 0.0
    ) -> tuple[Measured, Floats]:
        """What was measured, and `share` times the derivative by the asking rows of `x`; only those go through the
        head, a part of them at a time, since each has a logit for every token of the vocabulary."""
        norm, epsilon = self.base.weights[_LAST_NORM], self.base.shape.epsilon
        losses = np.empty(len(packed.asking), x.dtype)
        correct = np.empty(len(packed.asking), np.bool_)
        scores = np.full((len(packed.spans), len(candidates)), -np.inf, x.dtype)
        d_asked = np.empty((len(packed.asking) if share else 0, x.shape[1]), x.dtype)
        asked_for = _places(packed.owners) == place
        for start in range(0, len(packed.asking), op.POSITIONS):
            rows = slice(start, start + op.POSITIONS)
            last = x[packed.asking[rows]]
            logits = op.rms_norm(last, norm, epsilon) @ self.base.head.T
            correct[rows] = logits.argmax(axis=-1) == packed.targets[rows]
            if candidates:
                here = np.flatnonzero(asked_for[rows])
                scores[packed.owners[rows][here]] = op.log_softmax(logits[here])[:, list(candidates)]
            losses[rows], d_logits = op.cross_entropy(logits, packed.targets[rows])
            if share:
                d_logits *= share
                d_asked[rows] = op.rms_norm_input(d_logits @ self.base.head, last, norm, epsilon)
        read = len(packed.tokens) + len(packed.spans)
        return Measured(losses, correct, packed.owners, read, scores), d_asked


def _places(owners: NDArray[np.intp]) -> NDArray[np.intp]:
    """For each learnt token, how many of its example come before it."""
    return np.arange(len(owners)) - np.searchsorted(owners, owners)
