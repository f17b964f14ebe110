"""Intervals and tests agree with scipy called directly, and with their definitions."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from playground.evaluate import statistics as ours
from playground.evaluate.verdict import verdict

SAMPLES = [
    [0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0],
    [0.1, 0.2, 0.25, 0.9, 0.4, 0.45, 0.47, 0.8],
    [100.0, 3.0, 2.0, 1.0, 1.0, 0.5],
    list(np.random.default_rng(3).normal(5, 2, 60)),
]
P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=8)


def alone(values: list[float]) -> list[list[float]]:
    """Each case once."""
    return [[value] for value in values]


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_a_bootstrap_interval_is_scipys(sample: list[float], confidence: float) -> None:
    theirs = stats.bootstrap(
        (sample,),
        np.mean,
        confidence_level=confidence,
        n_resamples=ours.RESAMPLES,
        method="BCa",
        rng=np.random.default_rng(ours.SEED),
    ).confidence_interval
    mine = ours.bootstrap(alone(sample), confidence=confidence)
    assert mine is not None
    assert (mine.value, mine.count) == (pytest.approx(np.mean(sample)), len(sample))
    assert (mine.low, mine.high) == pytest.approx((theirs.low, theirs.high), rel=1e-9)


def test_repeats_of_a_case_do_not_make_the_interval_narrower() -> None:
    once = [[0.0], [1.0], [1.0], [0.0], [1.0]]
    assert ours.bootstrap([group * 20 for group in once]) == ours.bootstrap(once)


def test_the_repeats_of_a_single_case_are_the_sample() -> None:
    assert ours.bootstrap([[0.0, 1.0, 1.0, None, 0.0]]) == ours.bootstrap(alone([0.0, 1.0, 1.0, 0.0]))


def test_what_was_not_scored_is_left_out_and_nothing_has_no_interval() -> None:
    assert ours.bootstrap([[None], [], [0.5, None]]) == ours.Interval(0.5, 0.5, 0.5, 1)
    assert ours.bootstrap([[None], []]) is None
    assert ours.bootstrap([]) is None
    assert ours.bootstrap(alone([1.0] * 9)) == ours.Interval(1.0, 1.0, 1.0, 9)


@pytest.mark.parametrize(("successes", "count"), [(0, 1), (1, 1), (3, 10), (0, 50), (50, 50), (499, 1000)])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_wilsons_interval_is_scipys(successes: int, count: int, confidence: float) -> None:
    theirs = stats.binomtest(successes, count).proportion_ci(confidence, method="wilson")
    mine = ours.wilson(successes, count, confidence=confidence)
    assert mine is not None
    assert (mine.value, mine.low, mine.high) == pytest.approx((successes / count, theirs.low, theirs.high), abs=1e-12)
    assert ours.wilson(0, 0) is None


@pytest.mark.parametrize(("first", "second"), [(0, 0), (1, 0), (5, 1), (12, 30), (7, 7), (0, 64), (900, 1_000)])
def test_mcnemars_test_is_scipys_binomial_test(first: int, second: int) -> None:
    theirs = stats.binomtest(first, first + second, 0.5).pvalue if first + second else 1.0
    assert ours.mcnemar(first, second) == pytest.approx(theirs, rel=1e-9)
    assert ours.mcnemar(second, first) == ours.mcnemar(first, second)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-8, 8).map(lambda whole: whole / 8), min_size=2, max_size=9))
def test_the_exact_permutation_test_is_scipys(differences: list[float]) -> None:
    theirs = stats.permutation_test(
        (differences, np.zeros(len(differences))),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        n_resamples=np.inf,
        vectorized=True,
    ).pvalue
    assert ours.permutation(differences) == pytest.approx(theirs)


def test_the_drawn_permutation_test_is_near_scipys_and_never_0() -> None:
    differences = np.random.default_rng(1).normal(0.3, 1, 40)
    theirs = stats.permutation_test(
        (differences, np.zeros(40)),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        n_resamples=20_000,
        vectorized=True,
        rng=np.random.default_rng(2),
    ).pvalue
    assert ours.permutation(differences) == pytest.approx(theirs, abs=0.012)
    assert ours.permutation([1.0] * 60) == 1 / (ours.RESAMPLES + 1)


def test_equal_differences_in_sum_count_whatever_their_last_digits() -> None:
    values = [0.1, 0.2, -0.3, 0.3, 0.7]
    signs = [sum(s * v for s, v in zip(each, values, strict=True)) for each in product((1, -1), repeat=5)]
    share = sum(round(abs(each), 9) >= round(sum(values), 9) for each in signs) / len(signs)
    assert ours.permutation(values) == share


def test_one_case_with_repeats_is_compared_as_two_samples() -> None:
    first, second = [1.0, 0.9, 0.8, 1.0, 0.7], [0.1, 0.3, 0.2, 0.6]
    theirs = stats.permutation_test(
        (first, second), lambda a, b: np.mean(a) - np.mean(b), permutation_type="independent", n_resamples=np.inf
    ).pvalue
    mine = ours.paired([first], [second])
    assert mine is not None
    assert (mine.test, mine.p_value) == ("unpaired", pytest.approx(theirs))
    many = ours.paired([[0.0, 1.0] * 20], [[1.0, 0.0] * 20])
    assert many is not None
    assert many.p_value > 0.9


def test_cases_are_paired_where_both_have_a_score() -> None:
    first, second = [[1.0], [None], [1.0], [0.0]], [[0.0], [1.0], [1.0], []]
    result = ours.paired(first, second, binary=True)
    assert result == ours.Paired(0.5, 1.0, "mcnemar", 2)
    repeated = ours.paired([[1.0, 1.0], [0.0]], [[0.0, 1.0], [0.0]], binary=True)
    assert repeated is not None
    assert (repeated.test, repeated.difference) == ("permutation", 0.25)
    assert ours.paired([[None], [None]], [[1.0], [1.0]]) is None


def test_holms_adjustment_by_hand() -> None:
    assert ours.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert ours.holm([]) == []


@given(P_VALUES, st.floats(0.001, 0.2))
def test_holm_rejects_what_stepping_down_rejects(p_values: list[float], alpha: float) -> None:
    rejected = set()
    for rank, at in enumerate(sorted(range(len(p_values)), key=lambda at: p_values[at])):
        if p_values[at] * (len(p_values) - rank) > alpha:
            break
        rejected.add(at)
    adjusted = ours.holm(p_values)
    assert {at for at, p in enumerate(adjusted) if p <= alpha} == rejected
    assert all(p <= q <= min(1, p * len(p_values)) + 1e-12 for p, q in zip(p_values, adjusted, strict=True))


def test_agreement_is_how_likely_two_repeats_are_the_same() -> None:
    assert ours.agreement([["a", "a ", "b"], ["c", "c"], ["alone"]]) == pytest.approx((1 / 3 + 1) / 2)
    assert ours.agreement([["alone"], []]) is None


POINTS = st.lists(st.tuples(*[st.none() | st.integers(0, 4).map(float)] * 3), max_size=25)


@given(POINTS)
def test_the_pareto_front_is_what_nothing_beats(points: list[tuple[float | None, ...]]) -> None:
    higher = (True, False, False)

    def beats(one: tuple[float | None, ...], other: tuple[float | None, ...]) -> bool:
        gains = [(a - b) * (1 if up else -1) for a, b, up in zip(one, other, higher, strict=True)]  # type: ignore[operator]
        return all(gain >= 0 for gain in gains) and any(gain > 0 for gain in gains)

    whole = [at for at, point in enumerate(points) if None not in point]
    expected = [at for at in whole if not any(beats(points[other], points[at]) for other in whole)]
    assert ours.pareto_front(points, higher_is_better=higher) == expected


def test_a_clear_difference_has_a_winner_with_its_evidence() -> None:
    random = np.random.default_rng(5)
    good, bad = random.random(60) < 0.9, random.random(60) < 0.4
    found = verdict({"bad": alone(list(bad.astype(float))), "good": alone(list(good.astype(float)))}, binary=True)
    assert found is not None
    assert (found.winner, found.level) == ("good", ())
    (against,) = found.against
    assert (against.other, against.test, against.count) == ("bad", "mcnemar", 60)
    assert against.p_value < 0.001
    assert against.difference == pytest.approx(found.means["good"].value - found.means["bad"].value)


def test_less_is_better_where_the_metric_says_so() -> None:
    short, long = alone([0.1, 0.2] * 15), alone([0.5, 0.6] * 15)
    found = verdict({"long": long, "short": short}, higher_is_better=False)
    assert found is not None
    assert (found.winner, found.against[0].difference) == ("short", pytest.approx(0.4))


def test_without_enough_cases_no_difference_is_shown_and_those_on_a_level_are_named() -> None:
    found = verdict({"a": alone([1, 1, 1]), "b": alone([0, 0, 0]), "c": [[None]] * 3})
    assert found is not None
    assert (found.winner, found.best, found.level) == (None, "a", ("b",))
    assert verdict({"a": [[None]]}) is None
    single = verdict({"a": alone([1.0, 0.0])})
    assert single is not None
    assert (single.winner, single.against) == (None, ())


def test_where_there_is_no_difference_a_winner_is_rarely_named() -> None:
    random = np.random.default_rng(11)
    named = 0
    for _ in range(150):
        same = {str(k): alone(list((random.random(40) < 0.6).astype(float))) for k in range(4)}
        found = verdict(same, binary=True, resamples=200)
        named += found is not None and found.winner is not None
    assert named / 150 <= 0.05


def test_the_same_seed_gives_the_same_figures() -> None:
    groups = alone(SAMPLES[3])
    assert ours.bootstrap(groups) == ours.bootstrap(groups)
    assert ours.bootstrap(groups, seed=1) != ours.bootstrap(groups)
    assert math.isfinite(ours.permutation(SAMPLES[3]))
