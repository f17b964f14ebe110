"""What one step is made of: which examples, at which rate, cut how, and what the optimizer does with the gradients."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.engine.training import examples, memory
from playground.engine.training.optimizer import AdamW, clip, rate

LENGTHS = st.lists(st.integers(2, 60), min_size=1, max_size=200)


@given(LENGTHS, st.integers(1, 20), st.integers(0, 5), st.integers(0, 3))
def test_every_epoch_has_each_example_once_in_whole_batches(
    lengths: list[int], size: int, seed: int, epoch: int
) -> None:
    found = examples.batches(lengths, size, seed=seed, epoch=epoch)
    assert sorted(number for batch in found for number in batch) == list(range(len(lengths)))
    assert len(found) == examples.steps_per_epoch(len(lengths), size)
    assert all(len(batch) <= size for batch in found)
    assert found == examples.batches(lengths, size, seed=seed, epoch=epoch)


def test_epochs_and_seeds_differ_and_a_batch_is_of_similar_length() -> None:
    lengths = np.random.default_rng(0).integers(2, 200, 400).tolist()
    orders = [examples.batches(lengths, 8, seed=seed, epoch=epoch) for seed in (1, 2) for epoch in (0, 1)]
    assert len({str(order) for order in orders}) == 4
    spread = [max(lengths[n] for n in batch) - min(lengths[n] for n in batch) for batch in orders[0]]
    assert np.mean(spread) < 30


@given(st.integers(1, 50), st.integers(1, 20))
def test_the_validation_parts_rotate_through_all_examples(count: int, size: int) -> None:
    turns = -(-count // size)
    seen = [number for turn in range(turns) for number in examples.subset(count, size, seed=3, turn=turn)]
    assert set(seen) == set(range(count))
    assert all(len(set(examples.subset(count, size, seed=3, turn=t))) == min(size, count) for t in range(turns))


@given(LENGTHS, st.integers(1, 2_000))
def test_parts_are_the_batch_in_order_and_fit_or_are_alone(lengths: list[int], cap: int) -> None:
    parts = memory.parts(lengths, 10, cap)
    assert [number for part in parts for number in part] == list(range(len(lengths)))
    assert all(len(part) == 1 or sum(lengths[number] for number in part) * 10 <= cap for part in parts)


def test_the_rate_warms_up_and_decays_in_straight_lines() -> None:
    rates = [rate(step, total=10, peak=1.0, warmup_ratio=0.2) for step in range(1, 11)]
    assert rates == pytest.approx([0.5, 1, 8 / 9, 7 / 9, 6 / 9, 5 / 9, 4 / 9, 3 / 9, 2 / 9, 1 / 9])
    assert rate(1, total=4, peak=1.0, warmup_ratio=0.0) == 0.8
    assert [rate(step, total=2, peak=1.0, warmup_ratio=1.0) for step in (1, 2)] == [0.5, 1.0]


def test_clipping_scales_all_gradients_together_to_the_norm() -> None:
    gradients = {"a": np.array([3.0], np.float32), "b": np.array([[4.0]], np.float32)}
    assert clip(gradients, 10) == 5
    assert gradients["a"] == [3]
    assert clip(gradients, 1) == 5
    assert [gradients["a"][0], gradients["b"][0, 0]] == pytest.approx([0.6, 0.8], rel=1e-5)


def test_adamw_by_hand_for_two_steps() -> None:
    """In plain Python numbers, by the paper's algorithm 2."""
    parameters = {"a": np.array([1.0], np.float32)}
    optimizer, theta, first, second = AdamW(parameters), 1.0, 0.0, 0.0
    for step, (gradient, rate_now) in enumerate([(0.5, 0.1), (-0.25, 0.05)], 1):
        optimizer.step({"a": np.array([gradient], np.float32)}, rate_now)
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        adam = (first / (1 - 0.9**step)) / ((second / (1 - 0.999**step)) ** 0.5 + 1e-8)
        theta -= rate_now * (adam + 0.01 * theta)
        assert parameters["a"][0] == pytest.approx(theta, rel=1e-5)
    assert parameters["a"].dtype == np.float32


def test_an_optimizer_goes_on_from_its_state() -> None:
    random = np.random.default_rng(0)
    gradients = [{"a": random.normal(size=3).astype(np.float32)} for _ in range(4)]
    whole, half = {"a": np.ones(3, np.float32)}, {"a": np.ones(3, np.float32)}
    one, two = AdamW(whole), AdamW(half)
    for gradient in gradients:
        one.step(gradient, 0.1)
    for gradient in gradients[:2]:
        two.step(gradient, 0.1)
    saved = {name: array.copy() for name, array in two.state().items()}
    three = AdamW(half)
    three.restore(saved, two.steps)
    for gradient in gradients[2:]:
        three.step(gradient, 0.1)
    assert half["a"].tolist() == whole["a"].tolist()
