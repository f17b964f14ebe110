"""Intervals and tests of figures that all answers together have agree with scipy and sacrebleu called directly."""

from __future__ import annotations

import random
from itertools import product

import numpy as np
import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from playground.evaluate import resampling as ours
from playground.evaluate import statistics
from playground.evaluate.dataset import Case
from playground.evaluate.metrics import diversity, labels, overlap
from playground.evaluate.metrics.metric import Metric

TEXTS = st.lists(st.sampled_from(["the", "cat", "sat", "on", "a", "mat", "."]), max_size=8).map(" ".join)
PAIRS = st.lists(st.tuples(TEXTS, TEXTS.filter(bool)), min_size=1, max_size=5)


def cases(expected: list[str]) -> list[Case]:
    return [Case(id=str(at), expected=text) for at, text in enumerate(expected)]


def answered(count: int, seed: int) -> tuple[list[str], list[str]]:
    draw = random.Random(seed)
    words = ["the", "cat", "sat", "on", "a", "mat", "with", "another", "dog"]
    expected = [" ".join(draw.choices(words, k=7)) for _ in range(count)]
    answers = [" ".join(word if draw.random() < 0.8 else "other" for word in text.split()) for text in expected]
    return answers, expected


def drawn(metric: Metric, answers: list[str], expected: list[str]) -> ours.Drawn:
    assert metric.sums is not None
    return ours.Drawn(metric.sums.rows(answers, cases(expected)), metric.sums.figures)


BLEU, CHRF = overlap.bleu(), overlap.chrf()


@settings(max_examples=150, deadline=None)
@given(PAIRS)
def test_bleu_and_chrf_of_added_counts_are_sacrebleus(pairs: list[tuple[str, str]]) -> None:
    answers, expected = [answer for answer, _ in pairs], [right for _, right in pairs]
    for metric, theirs in ((BLEU, sacrebleu.corpus_bleu), (CHRF, sacrebleu.corpus_chrf)):
        each = drawn(metric, answers, expected)
        mine = each.figures(each.rows.sum(axis=0)[None])[0]
        assert mine == pytest.approx(theirs(answers, [expected]).score, abs=1e-9)


def test_a_case_without_an_expected_answer_counts_nowhere() -> None:
    assert BLEU.sums is not None
    rows = BLEU.sums.rows(["a b", "c"], [Case(id="1"), Case(id="2", expected="c")])
    assert not rows[0].any()
    assert np.isnan(BLEU.sums.figures(rows[:1])[0])


@pytest.mark.parametrize(("metric", "name"), [(BLEU, "corpus_bleu"), (CHRF, "corpus_chrf")])
def test_the_interval_of_a_corpus_figure_is_scipys_over_cases(metric: Metric, name: str) -> None:
    answers, expected = answered(12, 1)

    def figure(places: np.ndarray) -> float:  # type: ignore[type-arg]
        chosen = [int(place) for place in places]
        corpus = getattr(sacrebleu, name)
        return float(corpus([answers[at] for at in chosen], [[expected[at] for at in chosen]]).score)

    theirs = stats.bootstrap(
        (np.arange(12),), figure, vectorized=False, n_resamples=499, method="BCa", rng=np.random.default_rng(7)
    ).confidence_interval
    (mine,) = ours.intervals([drawn(metric, answers, expected)], resamples=499, seed=7)
    assert mine is not None
    assert mine.value == pytest.approx(getattr(sacrebleu, name)(answers, [expected]).score)
    assert (mine.low, mine.high, mine.count) == (pytest.approx(theirs.low), pytest.approx(theirs.high), 12)


def test_means_are_drawn_as_the_bootstrap_draws_them_and_differences_of_pairs_too() -> None:
    one, other = [0.125, 0.875, 0.5, 0.375, 0.75], [0.25, 0.125, 0.5, 0.375, 0.0]
    between = ours.differences(ours.means(one), ours.means(other))
    found = ours.intervals([ours.means(one), between, ours.means([])])
    alone = statistics.bootstrap([[value] for value in one])
    paired = statistics.bootstrap([[a - b] for a, b in zip(one, other, strict=True)])
    assert alone is not None
    assert paired is not None
    assert found[2] is None
    for mine, theirs in zip(found, (alone, paired), strict=False):
        assert mine is not None
        assert (mine.value, mine.low, mine.high) == pytest.approx((theirs.value, theirs.low, theirs.high))


def test_what_does_not_vary_or_is_one_case_has_no_width() -> None:
    same, single = ours.intervals([ours.means([0.5] * 4), ours.means([0.3])])
    assert same == statistics.Interval(0.5, 0.5, 0.5, 4)
    assert single == statistics.Interval(0.3, 0.3, 0.3, 1)


def test_randomization_counts_every_exchange_of_a_few_cases() -> None:
    (first, expected), (second, _) = answered(6, 2), answered(6, 3)
    mine = ours.randomization(drawn(BLEU, first, expected), drawn(BLEU, second, expected))
    assert mine is not None
    theirs = []
    for swaps in product((False, True), repeat=6):
        one = [b if swap else a for a, b, swap in zip(first, second, swaps, strict=True)]
        other = [a if swap else b for a, b, swap in zip(first, second, swaps, strict=True)]
        theirs.append(sacrebleu.corpus_bleu(one, [expected]).score - sacrebleu.corpus_bleu(other, [expected]).score)
    assert mine.difference == pytest.approx(theirs[0])
    assert mine.p_value == np.mean([abs(each) >= abs(theirs[0]) - 1e-9 for each in theirs])
    assert (mine.test, mine.count) == ("randomization", 6)


def test_randomization_of_means_is_the_paired_permutation_test() -> None:
    draw = np.random.default_rng(4)
    first, second = draw.random(40), draw.random(40) * 0.8
    mine = ours.randomization(ours.means(list(first)), ours.means(list(second)))
    assert mine is not None
    assert mine.p_value == pytest.approx(statistics.permutation(first - second), abs=0.02)
    assert ours.randomization(ours.means([]), ours.means([])) is None


def test_macro_f1_of_added_counts_is_the_reports_and_has_an_interval() -> None:
    names = ("yes", "no", "maybe")
    draw = random.Random(5)
    expected = [draw.choice(names) for _ in range(30)]
    answers = [text if draw.random() < 0.7 else draw.choice([*names, "what?"]) for text in expected]
    metric = labels.macro_f1(names)
    report = labels.report(answers, expected, names)
    (mine,) = ours.intervals([drawn(metric, answers, expected)])
    assert report is not None
    assert metric.corpus is not None
    assert mine is not None
    assert mine.value == pytest.approx(report.macro.f1) == metric.corpus(answers, cases(expected))
    assert mine.low < mine.value < mine.high
    assert metric.corpus(["yes"], [Case(id="1", expected="unknown")]) is None


def test_diversity_of_a_part_is_that_of_the_part_alone() -> None:
    answers, _ = answered(9, 6)
    answers[3] = "  "
    for parted, whole in (
        (diversity.self_bleu_of(answers), diversity.self_bleu),
        (diversity.distinct_of(answers, 2), lambda texts: diversity.distinct_n(texts, 2)),
    ):
        for places in ([0, 1, 2, 3, 4, 5, 6, 7, 8], [8, 2, 3, 5], [1, 7], [3]):
            assert parted(places) == pytest.approx(whole([answers[at] for at in places]))


def test_the_jackknife_of_a_mean_is_its_standard_error_and_students_test() -> None:
    values = np.random.default_rng(8).normal(0.3, 1, 25)
    found = ours.jackknife(lambda places: float(values[list(places)].mean()), range(25))
    assert found is not None
    theirs = stats.ttest_1samp(values, 0)
    ends = theirs.confidence_interval(0.95)
    interval = found.interval()
    assert (interval.low, interval.high) == pytest.approx((ends.low, ends.high), abs=1e-6)
    assert found.tested().p_value == pytest.approx(theirs.pvalue, abs=1e-6)
    assert found.minus(found).tested().p_value == 1.0


@pytest.mark.parametrize("freedom", [1, 2, 5, 39])
@pytest.mark.parametrize("t", [0.0, 0.4, 1.96, -2.5, 8.0])
def test_students_p_value_is_scipys(t: float, freedom: int) -> None:
    assert ours.student(t, freedom) == pytest.approx(2 * stats.t.sf(abs(t), freedom), abs=1e-6)


def test_the_jackknifes_groups_are_of_cases_and_no_more_than_forty() -> None:
    sizes: list[int] = []

    def whole(places: object) -> float:
        sizes.append(len(places))  # type: ignore[arg-type]
        return 1.0

    assert ours.jackknife(whole, range(200)) is not None
    assert sizes == [200] + [195] * 40
    assert ours.jackknife(lambda places: None, range(3)) is None
