"""One transformer block of a Llama model: attention and feed-forward, each added to what came in.

    h = norm(x)                         q, k, v = Wq h, Wk h, Wv h
    m = x + Wo attention(rope(q), rope(k), v)
    g = norm(m)                         y = m + Wdown (silu(Wgate g) · Wup g)

(Touvron et al. 2023, arXiv 2302.13971, section 2.2; llama.cpp's src/models/llama.cpp.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from playground.engine.training import operations as op
from playground.engine.training.base import Arrays, Base, Floats
from playground.engine.training.lora import pair
from playground.engine.training.operations import Span
from playground.engine.training.plan import Module


class Kept(NamedTuple):
    """What the backward needs of a forward: in rows, 4 × width-like and 2 × hidden floats a token. The rest it computes
    again from these. `q` and `k` are rotated."""

    x: Floats
    q: Floats
    k: Floats
    v: Floats
    attended: Floats
    middle: Floats
    gate: Floats
    up: Floats


@dataclass(frozen=True, slots=True)
class Positions:
    """Where each example's tokens stand, and the rotations that belong there."""

    spans: Sequence[Span]
    cosines: Floats
    sines: Floats


@dataclass(frozen=True, slots=True)
class Layer:
    """Block `number` of `base`, with the pairs of `adapter` that belong to it."""

    base: Base
    adapter: Arrays
    scale: float
    number: int

    def forward(self, x: Floats, at: Positions) -> tuple[Floats, Kept]:
        """Rows × width → rows × width."""
        shape = self.base.shape
        h = self._norm("attn_norm", x)
        q = self._linear("attn_q", h).reshape(-1, shape.heads, shape.head_size)
        k = self._linear("attn_k", h).reshape(-1, shape.kv_heads, shape.head_size)
        v = self._linear("attn_v", h).reshape(-1, shape.kv_heads, shape.head_size)
        q, k = op.rotate(q, at.cosines, at.sines), op.rotate(k, at.cosines, at.sines)
        attended = op.attention(q, k, v, at.spans).reshape(len(x), -1)
        middle = self._linear("attn_output", attended)
        middle += x
        g = self._norm("ffn_norm", middle)
        gate, up = self._linear("ffn_gate", g), self._linear("ffn_up", g)
        y = self._linear("ffn_down", op.swiglu(gate, up))
        y += middle
        return y, Kept(x, q, k, v, attended, middle, gate, up)

    def backward(self, d_y: Floats, kept: Kept, at: Positions, gradients: Arrays) -> Floats:
        """d_x. Adds what the layer's pairs learn to `gradients`."""
        d_middle, h, outputs = self._to_projections(d_y, kept, at, gradients)
        d_h = np.zeros_like(h)
        for module, d_out in outputs.items():
            d_h += self._backward(module, d_out, h, gradients)
        return d_middle + self._norm_backward("attn_norm", d_h, kept.x)

    def learn(self, d_y: Floats, kept: Kept, at: Positions, gradients: Arrays) -> None:
        """Only `gradients`: nothing below the lowest layer that learns asks for its d_x."""
        _, h, outputs = self._to_projections(d_y, kept, at, gradients)
        for module, d_out in outputs.items():
            self._learn(module, d_out, h, gradients)

    def _to_projections(
        self, d_y: Floats, kept: Kept, at: Positions, gradients: Arrays
    ) -> tuple[Floats, Floats, dict[Module, Floats]]:
        """Back to where q, k and v come from: d_middle, their input h, and the derivatives by each."""
        d_middle = self._feed_forward_backward(d_y, kept, gradients)
        d_attended = self._backward("attn_output", d_middle, kept.attended, gradients)
        d_q, d_k, d_v = op.attention_inputs(d_attended.reshape(kept.q.shape), kept.q, kept.k, kept.v, at.spans)
        d_q, d_k = op.rotate(d_q, at.cosines, -at.sines), op.rotate(d_k, at.cosines, -at.sines)
        outputs: dict[Module, Floats] = {"attn_q": d_q, "attn_k": d_k, "attn_v": d_v}
        rows = len(d_y)
        flat = {module: d_out.reshape(rows, -1) for module, d_out in outputs.items()}
        return d_middle, self._norm("attn_norm", kept.x), flat

    def _feed_forward_backward(self, d_y: Floats, kept: Kept, gradients: Arrays) -> Floats:
        """d_middle, of the sum's both ways."""
        d_activated = self._backward("ffn_down", d_y, op.swiglu(kept.gate, kept.up), gradients)
        d_gate, d_up = op.swiglu_inputs(d_activated, kept.gate, kept.up)
        g = self._norm("ffn_norm", kept.middle)
        d_g = self._backward("ffn_gate", d_gate, g, gradients)
        d_g += self._backward("ffn_up", d_up, g, gradients)
        return d_y + self._norm_backward("ffn_norm", d_g, kept.middle)

    def _linear(self, module: Module, x: Floats) -> Floats:
        name = self._name(module)
        return op.linear(x, self.base.weights[name], pair(self.adapter, name), self.scale)

    def _backward(self, module: Module, d_out: Floats, x: Floats, gradients: Arrays) -> Floats:
        """The derivative by the module's input; those by its pair are added to `gradients`."""
        self._learn(module, d_out, x, gradients)
        name = self._name(module)
        return op.linear_input(d_out, self.base.weights[name], pair(self.adapter, name), self.scale)

    def _learn(self, module: Module, d_out: Floats, x: Floats, gradients: Arrays) -> None:
        name = self._name(module)
        if (learns := pair(self.adapter, name)) is not None:
            d_pair = op.linear_pair(d_out, x, learns, self.scale)
            gradients[f"{name}.lora_a"] += d_pair.a
            gradients[f"{name}.lora_b"] += d_pair.b

    def _norm(self, which: str, x: Floats) -> Floats:
        return op.rms_norm(x, self.base.weights[self._name(which)], self.base.shape.epsilon)

    def _norm_backward(self, which: str, d_out: Floats, x: Floats) -> Floats:
        return op.rms_norm_input(d_out, x, self.base.weights[self._name(which)], self.base.shape.epsilon)

    def _name(self, module: str) -> str:
        return f"blk.{self.number}.{module}.weight"
