"""The backward against finite differences, in float64: every operation, every matrix that learns, the whole network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from playground.engine.training import base, lora, operations
from playground.engine.training.examples import Example
from playground.engine.training.lora import Pair
from playground.engine.training.network import Network
from playground.engine.training.plan import MODULES, Plan
from tests.fakes import tiny_gguf

RANDOM = np.random.default_rng(3)
SPANS = [(0, 5), (5, 6), (6, 12)]


def draw(*shape: int) -> np.ndarray:
    return RANDOM.normal(0, 1, shape)


def agree(
    function: Callable[..., np.ndarray], inputs: list[np.ndarray], derivatives: list[np.ndarray], d_y: np.ndarray
):
    """Each derivative, along a random direction, is the change of Σ d_y · function(inputs)."""
    for number, derivative in enumerate(derivatives):
        direction, step = draw(*inputs[number].shape), 1e-5
        ahead, behind = (
            [x + sign * step * direction if i == number else x for i, x in enumerate(inputs)] for sign in (1, -1)
        )
        change = np.sum(d_y * (function(*ahead) - function(*behind))) / (2 * step)
        assert np.sum(derivative * direction) == pytest.approx(change, rel=1e-6, abs=1e-8)


def test_rms_norm() -> None:
    x, weight, d_y = draw(6, 8), draw(8), draw(6, 8)
    agree(lambda x: operations.rms_norm(x, weight, 1e-5), [x], [operations.rms_norm_input(d_y, x, weight, 1e-5)], d_y)


def test_a_linear_layer_and_its_pair() -> None:
    x, weight, d_y = draw(6, 8), draw(5, 8), draw(6, 5)
    pair, scale = Pair(draw(3, 8), draw(5, 3)), 2.0
    agree(
        lambda x, a, b: operations.linear(x, weight, Pair(a, b), scale),
        [x, *pair],
        [operations.linear_input(d_y, weight, pair, scale), *operations.linear_pair(d_y, x, pair, scale)],
        d_y,
    )


def test_swiglu() -> None:
    gate, up, d_y = draw(6, 8), draw(6, 8), draw(6, 8)
    agree(operations.swiglu, [gate, up], list(operations.swiglu_inputs(d_y, gate, up)), d_y)


def test_rotation_and_its_derivative_which_is_the_rotation_back() -> None:
    cosines, sines = operations.rope_angles(SPANS, 4, 10_000.0, np.ones(2, np.float32))
    x, d_y = draw(12, 3, 4), draw(12, 3, 4)
    agree(lambda x: operations.rotate(x, cosines, sines), [x], [operations.rotate(d_y, cosines, -sines)], d_y)


@pytest.mark.parametrize("queries", [256, 2], ids=["at once", "in blocks"])
def test_attention_of_grouped_queries(monkeypatch: pytest.MonkeyPatch, queries: int) -> None:
    monkeypatch.setattr(operations, "QUERIES", queries)
    q, k, v, d_y = draw(12, 4, 6), draw(12, 2, 6), draw(12, 2, 6), draw(12, 4, 6)
    agree(
        lambda q, k, v: operations.attention(q, k, v, SPANS),
        [q, k, v],
        list(operations.attention_inputs(d_y, q, k, v, SPANS)),
        d_y,
    )


def test_attention_is_what_its_formula_says_row_by_row() -> None:
    q, k, v = draw(12, 4, 6), draw(12, 2, 6), draw(12, 2, 6)
    found = operations.attention(q, k, v, SPANS)
    for start, stop in SPANS:
        for row in range(start, stop):
            for head in range(4):
                scores = np.exp(k[start : row + 1, head // 2] @ q[row, head] / np.sqrt(6))
                expected = (scores / scores.sum()) @ v[start : row + 1, head // 2]
                assert found[row, head] == pytest.approx(expected)


def test_cross_entropy() -> None:
    logits, targets = draw(6, 9), np.array([0, 3, 8, 3, 1, 2])
    _, d_logits = operations.cross_entropy(logits.copy(), targets)
    agree(lambda x: operations.cross_entropy(x.copy(), targets)[0], [logits], [d_logits], np.ones(6))


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize("keep", [True, False], ids=["kept", "computed again"])
def test_every_matrix_of_the_whole_network(tmp_path: Path, tied: bool, keep: bool) -> None:
    model = wide(base.load(tiny_gguf.write(tmp_path / "tiny.gguf", tied=tied)))
    plan = Plan(
        base=tmp_path, n_epochs=1, batch_size=4, seed=1, context=64, first_layer=0, targets=MODULES, rank=3, alpha=5
    )
    adapter = {name: RANDOM.normal(0, 0.1, array.shape) for name, array in lora.initial(plan, model.shape).items()}
    assert len(adapter) == 2 * 2 * len(MODULES)
    network = Network(model, adapter, scale=plan.scale, first_layer=0)
    check(network, adapter, batch(64), keep=keep)


def test_layers_that_do_not_learn_stand_below_those_that_do(tmp_path: Path) -> None:
    model = wide(base.load(tiny_gguf.write(tmp_path / "tiny.gguf", layers=3)))
    plan = Plan(base=tmp_path, n_epochs=1, batch_size=4, seed=1, context=64, first_layer=1)
    adapter = {name: RANDOM.normal(0, 0.1, array.shape) for name, array in lora.initial(plan, model.shape).items()}
    assert {name.split(".")[1] for name in adapter} == {"1", "2"}
    check(Network(model, adapter, scale=plan.scale, first_layer=1), adapter, batch(64), keep=True)


def test_the_real_model(default: Path) -> None:
    """Its last layer's matrices, in its own float32."""
    model = base.load(default)
    plan = Plan(base=default, n_epochs=1, batch_size=4, seed=1, context=64, first_layer=29, targets=MODULES)
    adapter = {
        name: RANDOM.normal(0, 0.02, array.shape).astype(np.float32)
        for name, array in lora.initial(plan, model.shape).items()
    }
    network = Network(model, adapter, scale=plan.scale, first_layer=29)
    check(network, adapter, batch(model.shape.vocabulary), keep=True, step=0.02, rel=0.01, along_gradient=True)


def wide(model: base.Base) -> base.Base:
    """In float64, in which finite differences have enough digits."""
    weights = {name: array.astype(np.float64) for name, array in model.weights.items()}
    return replace(model, weights=weights, head=model.head.astype(np.float64))


def batch(vocabulary: int) -> list[Example]:
    """Three examples of differing length, some of whose tokens are learnt, one of them in the middle."""
    tokens = [RANDOM.integers(0, vocabulary, length).astype(np.int32) for length in (7, 2, 11)]
    return [Example(t, np.array(learnt)) for t, learnt in zip(tokens, ([3, 6], [1], [1, 2, 9, 10]), strict=True)]


def check(
    network: Network,
    adapter: dict[str, np.ndarray],
    examples: list[Example],
    *,
    keep: bool,
    step: float = 1e-5,
    rel: float = 1e-5,
    along_gradient: bool = False,
) -> None:
    gradients = {name: np.zeros_like(array) for name, array in adapter.items()}
    network.learn(examples, gradients, share=1 / 7, keep=keep)
    for name, gradient in gradients.items():
        direction = gradient if along_gradient else draw(*gradient.shape)
        direction = (direction / np.linalg.norm(direction)).astype(gradient.dtype)
        before = adapter[name].copy()
        losses = []
        for sign in (1, -1):
            adapter[name][...] = before + sign * step * direction
            losses.append(network.measure(examples).loss)
        adapter[name][...] = before
        change = (losses[0] - losses[1]) / (2 * step)
        assert np.sum(gradient * direction) == pytest.approx(change, rel=rel, abs=1e-8), name
