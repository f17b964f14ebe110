"""Smoothing and reducing: nothing is made up, nothing is lost that a chart could show."""

from __future__ import annotations

import json
import math
from itertools import pairwise

import numpy as np
import pytest

from playground.errors import InvalidRequest
from playground.finetune.results import Floats
from playground.finetune.results_read import read
from playground.finetune.results_reduce import MOST_POINTS, curves, reduce, smooth

WIDTHS = [1, 2, 7, 100, 600]


def noisy(seed: int, rows: int = 20_000, missing: float = 0.0) -> tuple[Floats, Floats]:
    chance = np.random.default_rng(seed)
    y = chance.normal(size=rows).cumsum()
    y[chance.random(rows) < missing] = math.nan
    return np.arange(1.0, rows + 1), y


def naive(values: list[float], alpha: float) -> list[float]:
    """TensorBoard's loop."""
    smoothed, last, count = [], 0.0, 0
    for value in values:
        if math.isnan(value):
            smoothed.append(math.nan)
            continue
        last, count = last * (1 - alpha) + alpha * value, count + 1
        smoothed.append(last / (1 - (1 - alpha) ** count))
    return smoothed


# --- smooth ---


@pytest.mark.parametrize("alpha", [1.0, 0.9, 0.5, 0.1, 0.01, 0.001])
@pytest.mark.parametrize("missing", [0.0, 0.5, 0.99])
def test_smoothing_is_tensorboards_loop(alpha: float, missing: float) -> None:
    _, y = noisy(1, 3_000, missing)
    np.testing.assert_allclose(smooth(y, alpha), naive(y.tolist(), alpha), rtol=1e-9)


def test_a_missing_point_neither_counts_nor_gets_a_value() -> None:
    y = np.array([math.nan, 4.0, math.nan, math.nan, 2.0, math.inf])
    smoothed = smooth(y, 0.5)
    assert np.isnan(smoothed[[0, 2, 3, 5]]).all()
    np.testing.assert_allclose(smoothed[[1, 4]], smooth(np.array([4.0, 2.0]), 0.5))


def test_a_constant_stays_itself_from_its_first_point_on() -> None:
    np.testing.assert_allclose(smooth(np.full(50, 3.25), 0.02), 3.25)


@pytest.mark.parametrize("y", [[], [math.nan], [2.0]])
def test_smoothing_nothing_or_one_point(y: list[float]) -> None:
    np.testing.assert_array_equal(smooth(np.array(y), 0.1), y)


def test_the_largest_numbers_can_be_smoothed() -> None:
    np.testing.assert_allclose(smooth(np.array([1.7e308, 1.7e308, -1.7e308]), 0.5)[:2], 1.7e308)


@pytest.mark.parametrize("alpha", [0.0, -0.1, 1.01, math.nan, math.inf])
def test_alpha_is_above_0_and_at_most_1(alpha: float) -> None:
    with pytest.raises(InvalidRequest):
        smooth(np.array([1.0]), alpha)


# --- reduce ---


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("missing", [0.0, 0.9])
def test_only_existing_points_remain_and_few_enough(width: int, missing: float) -> None:
    x, y = noisy(2, missing=missing)
    left, up = reduce(x, y, width)
    assert len(left) <= 4 * width
    assert set(zip(left, up, strict=True)) <= set(zip(x, y, strict=True))
    assert (np.diff(left) > 0).all()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("seed", range(3))
def test_every_part_keeps_its_first_last_lowest_and_highest(width: int, seed: int) -> None:
    x, y = noisy(seed)
    chance = np.random.default_rng(seed)
    x = np.sort(x + chance.random(len(x)) * 500)
    left, up = reduce(x, y, width)
    edges = np.linspace(x[0], x[-1], width + 1)
    for low, high in pairwise(edges):
        inside = (x >= low) & ((x < high) | (high == edges[-1]))
        if not inside.any():
            continue
        kept = up[(left >= low) & ((left < high) | (high == edges[-1]))]
        assert (kept[0], kept[-1]) == (y[inside][0], y[inside][-1])
        assert (kept.min(), kept.max()) == (y[inside].min(), y[inside].max())


@pytest.mark.parametrize("at", [0, 1, 9_999, 10_000, 19_998, 19_999])
@pytest.mark.parametrize("spike", [1e6, -1e6])
def test_one_spike_is_never_lost(at: int, spike: float) -> None:
    x, y = noisy(4)
    y[at] = spike
    left, up = reduce(x, y, 10)
    assert (x[at], spike) in set(zip(left, up, strict=True))


def test_what_is_short_enough_is_kept_whole() -> None:
    x, y = noisy(5, 400)
    np.testing.assert_array_equal(reduce(x, y, 100), (x, y))
    assert len(reduce(*noisy(5, 401), 100)[0]) <= 400


def test_missing_points_are_left_out_not_filled() -> None:
    x, y = reduce(np.arange(4.0), np.array([math.nan, 1, math.nan, 2]), 100)
    assert (x.tolist(), y.tolist()) == ([1, 3], [1, 2])


def test_x_out_of_order_is_put_in_order() -> None:
    x, y = reduce(np.array([3.0, 1, 2]), np.array([30.0, 10, 20]), 5)
    assert (x.tolist(), y.tolist()) == ([1, 2, 3], [10, 20, 30])


def test_a_gap_in_x_leaves_its_parts_empty() -> None:
    x = np.concatenate([np.arange(1_000.0), np.arange(1e6, 1e6 + 1_000)])
    left, _ = reduce(x, np.sin(x), 100)
    assert len(left) <= 8
    assert {0.0, 999.0, 1e6, 1e6 + 999} <= set(left)


@pytest.mark.parametrize(
    "x",
    [
        np.full(1_000, 7.0),
        np.linspace(-1, 1, 1_000) * 1.7e308,
        np.repeat([0.0, 5e-324], 500),
        np.repeat([1.0, np.nextafter(1.0, 2)], 500),
        np.linspace(1e15, 1e15 + 1, 1_000),
    ],
    ids=["one", "all", "tiny", "neighbours", "coarse"],
)
def test_any_range_of_x_can_be_parted(x: Floats) -> None:
    y = np.random.default_rng(6).normal(size=1_000)
    _, up = reduce(x, y, 20)
    assert len(up) <= 80
    assert (up[0], up[-1], up.min(), up.max()) == (y[0], y[-1], y.min(), y.max())


@pytest.mark.parametrize("points", [0, 1])
def test_nothing_or_one_point_to_reduce(points: int) -> None:
    assert len(reduce(np.arange(float(points)), np.arange(float(points)), 1)[0]) == points


def test_a_chart_is_at_least_one_pixel_wide() -> None:
    with pytest.raises(InvalidRequest):
        reduce(np.arange(3.0), np.arange(3.0), 0)


# --- what the browser gets ---


def big(columns: int, rows: int, cell: str) -> bytes:
    names = ",".join(f"train_loss_{number}" for number in range(columns))
    values = ",".join([cell] * columns)
    return f"step,{names}\n".encode() + b"".join(f"{row},{values}\n".encode() for row in range(1, rows + 1))


@pytest.mark.parametrize("columns", [1, 4, 20, 199])
@pytest.mark.parametrize("cell", ["0.12345", "-1.234567890123e-300"])
def test_the_payload_stays_below_300_kb(columns: int, cell: str) -> None:
    results = read(big(columns, 4_000, cell))
    payload = curves(results, alpha=0.1)
    assert len(json.dumps(payload)) <= 300_000
    assert sum(len(curve["x"]) + len(curve["smooth_x"]) for curve in payload["curves"]) <= MOST_POINTS


def test_a_curve_says_what_belongs_together() -> None:
    payload = curves(read(b"step,elapsed_tokens,training_loss,validation_loss\n1,9,2.5,\n2,18,1.5,1.75\n"))
    assert (payload["axis"], payload["axes"]) == ("step", ["step", "tokens"])
    train, valid = payload["curves"]
    assert (train["name"], train["kind"], train["side"]) == ("training_loss", "loss", "train")
    assert (valid["name"], valid["kind"], valid["side"]) == ("validation_loss", "loss", "validation")
    assert train["measure"] == valid["measure"] == "loss"
    assert (train["points"], train["x"], train["y"]) == (2, [1, 2], [2.5, 1.5])
    assert (valid["points"], valid["x"], valid["y"]) == (1, [2], [1.75])


def test_the_axis_is_chosen_from_those_of_the_file() -> None:
    results = read(b"step,elapsed_tokens,training_loss\n1,9,2.5\n2,18,1.5\n")
    assert curves(results, axis="tokens")["curves"][0]["x"] == [9, 18]
    with pytest.raises(InvalidRequest, match="axis examples"):
        curves(results, axis="examples")


def test_smoothing_happens_before_reducing() -> None:
    x, y = noisy(8, 10_000)
    results = read(
        b"step,train_loss\n" + b"".join(f"{int(a)},{b!r}\n".encode() for a, b in zip(x, y.tolist(), strict=True))
    )
    curve = curves(results, alpha=0.01, width=50)["curves"][0]
    whole = smooth(y, 0.01)
    assert len(curve["smooth_x"]) <= 200
    np.testing.assert_allclose(curve["smooth_y"], whole[np.array(curve["smooth_x"]) - 1], rtol=1e-5)


def test_an_empty_file_has_empty_curves() -> None:
    assert curves(read(b"step,train_loss\n"), alpha=0.5)["curves"][0]["smooth_y"] == []
    assert curves(read(b"step\n1\n"))["curves"] == []
