"""What a Llama model is made of: each operation, and its derivative beside it.

`x` holds one row a token; the tokens of several examples stand one below the other, without padding, and only attention
needs to know where an example begins. `d_…` is the derivative of the loss by `…`, of the same shape. All float32.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from playground.engine.training.base import Floats
from playground.engine.training.lora import Pair

Span: TypeAlias = tuple[int, int]
"""Where an example's tokens begin and end among the rows."""

QUERIES = 256
"""Queries that look at their keys at once: what bounds attention's memory in a long example."""
POSITIONS = 256
"""Rows that go through the output head at once: their logits take 4 bytes for each token of the vocabulary."""


# y = W x + scale · B A x   (LoRA: Hu et al. 2021, arXiv 2106.09685, equation 3)


def linear(x: Floats, weight: Floats, pair: Pair | None, scale: float) -> Floats:
    """Rows of `inputs` → rows of `outputs`; `weight` is outputs × inputs."""
    y = x @ weight.T
    if pair is not None:
        y += (scale * (x @ pair.a.T)) @ pair.b.T
    return y


def linear_input(d_y: Floats, weight: Floats, pair: Pair | None, scale: float) -> Floats:
    """d_x = Wᵀ d_y + scale · Aᵀ Bᵀ d_y."""
    d_x = d_y @ weight
    if pair is not None:
        d_x += (scale * (d_y @ pair.b)) @ pair.a
    return d_x


def linear_pair(d_y: Floats, x: Floats, pair: Pair, scale: float) -> Pair:
    """d_A = scale · Bᵀ d_y xᵀ and d_B = scale · d_y (A x)ᵀ, summed over the rows."""
    d_low: Floats = scale * (d_y @ pair.b)
    low: Floats = scale * (x @ pair.a.T)
    return Pair(d_low.T @ x, d_y.T @ low)


# y = x / √(mean(x²) + ε) · w   (RMSNorm: Zhang and Sennrich 2019, arXiv 1910.07467, equation 4)


def rms_norm(x: Floats, weight: Floats, epsilon: float) -> Floats:
    return x * _inverse(x, epsilon) * weight


def rms_norm_input(d_y: Floats, x: Floats, weight: Floats, epsilon: float) -> Floats:
    """With r = 1/√(mean(x²) + ε) and t = w · d_y:  d_x = r t − r³ x mean(t x)."""
    inverse = _inverse(x, epsilon)
    t = d_y * weight
    along = np.mean(t * x, axis=-1, keepdims=True)
    d_x: Floats = inverse * t - x * (inverse**3 * along)
    return d_x


def _inverse(x: Floats, epsilon: float) -> Floats:
    inverse: Floats = 1 / np.sqrt(np.mean(np.square(x), axis=-1, keepdims=True) + epsilon)
    return inverse


# (x₂ᵢ, x₂ᵢ₊₁) turned by the angle position · base^(−2i/d)   (RoPE: Su et al. 2021, arXiv 2104.09864, equation 34)


def rope_angles(spans: Sequence[Span], head_size: int, base: float, factors: Floats) -> tuple[Floats, Floats]:
    """Cosines and sines, each rows × 1 × head_size/2. Positions count from 0 in each example. The angles are computed
    in float64: in float32 those of late positions would be off by a thousandth."""
    positions = np.concatenate([np.arange(stop - start) for start, stop in spans]).astype(np.float64)
    frequencies = base ** (-np.arange(0, head_size, 2) / head_size) / factors
    angles = positions[:, None, None] * frequencies
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


def rotate(x: Floats, cosines: Floats, sines: Floats) -> Floats:
    """Rows × heads × head_size, neighbours as pairs: llama.cpp's interleaved order, not the halves of Hugging Face.
    A rotation's derivative is the rotation back: the same with −sines."""
    even, odd = x[..., ::2], x[..., 1::2]
    turned = np.empty_like(x)
    turned[..., ::2] = even * cosines - odd * sines
    turned[..., 1::2] = odd * cosines + even * sines
    return turned


# softmax(q kᵀ / √d) v over the tokens so far   (Vaswani et al. 2017, arXiv 1706.03762, equation 1), where a group of
# query heads shares one key/value head   (grouped-query attention: Ainslie et al. 2023, arXiv 2305.13245)


def attention(q: Floats, k: Floats, v: Floats, spans: Sequence[Span]) -> Floats:
    """`q` rows × heads × head_size, `k` and `v` rows × kv_heads × head_size → rows × heads × head_size."""
    out = np.empty_like(q)
    for rows, seen in _blocks(spans):
        probabilities = _attended(q[rows], k[seen])
        _grouped(out[rows], k)[...] = probabilities @ _shared(v[seen])
    return out


def attention_inputs(
    d_out: Floats, q: Floats, k: Floats, v: Floats, spans: Sequence[Span]
) -> tuple[Floats, Floats, Floats]:
    """With p = softmax(s):  d_v = pᵀ d_out,  d_p = d_out vᵀ,  d_s = p (d_p − Σ d_p p),  d_q = d_s k,  d_k = d_sᵀ q.

    The probabilities are computed again: kept, they would take the square of the length (as in FlashAttention, Dao et
    al. 2022, arXiv 2205.14135, section 3.1).
    """
    scale = q.shape[-1] ** -0.5
    d_q, d_k, d_v = np.empty_like(q), np.zeros_like(k), np.zeros_like(v)
    for rows, seen in _blocks(spans):
        probabilities = _attended(q[rows], k[seen])
        d_rows = _grouped(d_out[rows], k)
        d_scores = d_rows @ _shared(v[seen]).swapaxes(-1, -2)
        d_scores -= np.sum(d_scores * probabilities, axis=-1, keepdims=True)
        d_scores *= probabilities
        d_scores *= scale
        _grouped(d_q[rows], k)[...] = d_scores @ _shared(k[seen])
        # What the heads of a group ask of their shared key and value adds up.
        d_k[seen] += (d_scores.swapaxes(-1, -2) @ _grouped(q[rows], k)).sum(axis=1).swapaxes(0, 1)
        d_v[seen] += (probabilities.swapaxes(-1, -2) @ d_rows).sum(axis=1).swapaxes(0, 1)
    return d_q, d_k, d_v


def _blocks(spans: Sequence[Span]) -> Iterator[tuple[slice, slice]]:
    """Some rows of one example, and the rows that the last of them may look at."""
    for start, stop in spans:
        for first in range(start, stop, QUERIES):
            last = min(first + QUERIES, stop)
            yield slice(first, last), slice(start, last)


def _attended(q: Floats, k: Floats) -> Floats:
    """kv_heads × group × queries × keys: how much each query takes of each key. Those after it count nothing."""
    scores: Floats = _grouped(q, k) @ _shared(k).swapaxes(-1, -2)
    scores *= q.shape[-1] ** -0.5
    queries, keys = scores.shape[-2:]
    later = np.arange(keys) > np.arange(keys - queries, keys)[:, None]
    scores[..., later] = -np.inf
    return softmax(scores)


def _grouped(x: Floats, k: Floats) -> Floats:
    """A view of rows × heads × head_size as kv_heads × group × rows × head_size."""
    rows, heads, size = x.shape
    kv_heads = k.shape[1]
    return x.reshape(rows, kv_heads, heads // kv_heads, size).transpose(1, 2, 0, 3)


def _shared(x: Floats) -> Floats:
    """A view of rows × kv_heads × head_size as kv_heads × 1 × rows × head_size: one for its whole group."""
    return x.swapaxes(0, 1)[:, None]


def softmax(scores: Floats) -> Floats:
    """eˣ / Σ eˣ over the last axis, in place, with the highest taken off first so that nothing overflows."""
    scores -= scores.max(axis=-1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=-1, keepdims=True)
    return scores


def log_softmax(scores: Floats) -> Floats:
    """x − log Σ eˣ over the last axis, of a copy."""
    scores = scores - scores.max(axis=-1, keepdims=True)
    scores -= np.log(np.exp(scores).sum(axis=-1, keepdims=True))
    return scores


# y = silu(gate) · up,  silu(x) = x · σ(x)   (SwiGLU: Shazeer 2020, arXiv 2002.05202, equation 5)


def swiglu(gate: Floats, up: Floats) -> Floats:
    y = _sigmoid(gate)
    y *= gate
    y *= up
    return y


def swiglu_inputs(d_y: Floats, gate: Floats, up: Floats) -> tuple[Floats, Floats]:
    """d_up = d_y silu(gate),  d_gate = d_y up σ(gate) (1 + gate (1 − σ(gate)))."""
    sigmoid = _sigmoid(gate)
    silu = gate * sigmoid
    d_up = d_y * silu
    # σ (1 + g (1 − σ)) = σ + silu − silu σ
    slope = silu * sigmoid
    np.subtract(silu, slope, out=slope)
    slope += sigmoid
    slope *= up
    slope *= d_y
    return slope, d_up


def _sigmoid(x: Floats) -> Floats:
    """1 / (1 + e⁻ˣ). Below −88 e⁻ˣ is infinite in float32, and the result is the 0 that it should be."""
    y = np.negative(x)
    with np.errstate(over="ignore"):
        np.exp(y, out=y)
    y += 1
    return np.reciprocal(y, out=y)


# −log softmax(h Wᵀ)[target]   (cross-entropy of the next token)


def cross_entropy(logits: Floats, targets: NDArray[np.int32]) -> tuple[Floats, Floats]:
    """The loss of each row, in nats, and d_logits = softmax(logits) − one_hot(target). `logits` is used up."""
    rows = np.arange(len(targets))
    logits -= logits.max(axis=-1, keepdims=True)
    chosen = logits[rows, targets]
    np.exp(logits, out=logits)
    total = logits.sum(axis=-1, keepdims=True)
    losses = np.log(total[:, 0]) - chosen
    logits /= total
    logits[rows, targets] -= 1
    return losses, logits
