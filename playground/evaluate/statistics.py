"""Intervals and paired tests for figures of few samples, each by a formula that is known, and seeded where it draws.

Scores come by case, each case with its repeats: repeats of one case are not independent, so that what is drawn anew,
changed over and counted are cases. Only where there is a single case are its repeats the sample.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

SEED = 20_240_607
RESAMPLES = 9_999
EXACT = 13
"""Cases up to which all 2ⁿ changes of sign are counted, in place of RESAMPLES drawn ones (8,192 are fewer)."""
BLOCK = 4_000_000
"""Numbers that are drawn at a time."""
_KEPT = 2_000_000
"""Numbers up to which what was drawn is kept: 16 MB."""

Array = NDArray[np.float64]
Test = Literal["mcnemar", "permutation", "unpaired", "randomization", "jackknife"]


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and its confidence interval. `count` is how many cases (or votes) it is of."""

    value: float
    low: float
    high: float
    count: int

    def within(self, least: float, most: float | None) -> Interval:
        """Of a figure that cannot be below or above these, the part of the interval that can be."""
        high = self.high if most is None else min(self.high, most)
        return Interval(self.value, max(self.low, least), high, self.count)


@dataclass(frozen=True, slots=True)
class Paired:
    """Of two systems on the same cases: by how much the first is higher on average, and how likely at least such a
    difference would be if there were none (two-sided)."""

    difference: float
    p_value: float
    test: Test
    count: int


def case_means(groups: Sequence[Sequence[float | None]]) -> list[float]:
    """The mean of each case's repeats, leaving out what was not scored; a single case's repeats as they are."""
    there = [[score for score in group if score is not None] for group in groups]
    there = [group for group in there if group]
    if len(there) == 1:
        return list(there[0])
    return [sum(group) / len(group) for group in there]


def bootstrap(
    groups: Sequence[Sequence[float | None]], *, confidence: float = 0.95, resamples: int = RESAMPLES, seed: int = SEED
) -> Interval | None:
    """The mean over cases with its BCa bootstrap interval (Efron 1987), as `scipy.stats.bootstrap` computes it.

    None without a score. Where all cases have one value, or there is one, the interval is that value: nothing else was
    seen, and a report has to say so (`count`).
    """
    sample = np.array(case_means(groups), np.float64)
    if not len(sample):
        return None
    value = float(sample.mean())
    if len(sample) < 2 or np.all(sample == sample[0]):
        return Interval(value, value, value, len(sample))
    left_out = (sample.sum() - sample) / (len(sample) - 1)
    low, high = bca(value, _resampled_means(sample, resamples, seed), left_out, confidence=confidence)
    return Interval(value, low, high, len(sample))


def _resampled_means(sample: Array, resamples: int, seed: int) -> Array:
    size = len(sample)
    if size * resamples <= _KEPT:
        means: Array = sample[_drawn(size, resamples, seed)].mean(axis=1)
        return means
    random = np.random.default_rng(seed)
    batch = max(1, BLOCK // size)
    parts = []
    for done in range(0, resamples, batch):
        rows = min(batch, resamples - done)
        parts.append(sample[random.integers(0, size, (rows, size))].mean(axis=1))
    return np.concatenate(parts)


@lru_cache(maxsize=1)
def _drawn(size: int, resamples: int, seed: int) -> NDArray[np.int64]:
    """The places that are drawn: the same for every figure over as many cases, and most of the time that one takes."""
    return np.random.default_rng(seed).integers(0, size, (resamples, size))


def bca(value: float, drawn: Array, left_out: Array, *, confidence: float = 0.95) -> tuple[float, float]:
    """The ends of the BCa interval: quantiles of the `drawn` figures, corrected for their bias (z0; ties count half),
    and for how the error changes with the figure (a, by the figures with each case left out)."""
    normal = NormalDist()
    below = (np.sum(drawn < value) + np.sum(drawn <= value)) / (2 * len(drawn))
    bias = normal.inv_cdf(min(max(float(below), 1e-12), 1 - 1e-12))
    spread = left_out.mean() - left_out
    squares = float(np.sum(spread**2))
    shape = float(np.sum(spread**3)) / (6 * squares**1.5) if squares else 0.0
    quantiles = []
    for quantile in ((1 - confidence) / 2, (1 + confidence) / 2):
        z = bias + normal.inv_cdf(quantile)
        quantiles.append(float(normal.cdf(bias + z / (1 - shape * z))))
    low, high = np.quantile(drawn, quantiles)
    return float(low), float(high)


def wilson(successes: int, count: int, *, confidence: float = 0.95) -> Interval | None:
    """A share with Wilson's score interval (1927), which holds for few and for extreme ones. None of nothing."""
    if count <= 0:
        return None
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = successes / count
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    low = 0.0 if successes == 0 else middle - half
    high = 1.0 if successes == count else middle + half
    return Interval(share, low, high, count)


def paired(
    first: Sequence[Sequence[float | None]],
    second: Sequence[Sequence[float | None]],
    *,
    binary: bool = False,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Paired | None:
    """Two systems on the same cases, in the same order: exact McNemar where every case has one 0 or 1 each, else the
    paired permutation test over the cases' means. None where no case has scores of both.

    The repeats of a single case have no partners: there it is the permutation test of two samples.
    """
    if len(first) == len(second) == 1:
        return _unpaired(case_means(first), case_means(second), resamples=resamples, seed=seed)
    pairs = [
        (sum(one) / len(one), sum(other) / len(other), len(one) == len(other) == 1)
        for one, other in (
            ([score for score in a if score is not None], [score for score in b if score is not None])
            for a, b in zip(first, second, strict=True)
        )
        if one and other
    ]
    if not pairs:
        return None
    differences = np.array([one - other for one, other, _ in pairs], np.float64)
    if binary and all(single for *_, single in pairs):
        p = mcnemar(int(np.sum(differences > 0)), int(np.sum(differences < 0)))
        return Paired(float(differences.mean()), p, "mcnemar", len(pairs))
    return Paired(
        float(differences.mean()), permutation(differences, resamples=resamples, seed=seed), "permutation", len(pairs)
    )


def _unpaired(first: list[float], second: list[float], *, resamples: int, seed: int) -> Paired | None:
    """The permutation test of the means of two samples: which score is whose might as well be otherwise. Two-sided is
    twice the smaller tail, as scipy has it."""
    if not first or not second:
        return None
    size, whole = len(first), np.array([*first, *second], np.float64)
    # A sum of the first sample says its mean and the other's. What differs in its last digits is the same.
    seen, slack = sum(first), 1e-9 * max(1.0, float(np.abs(whole).sum()))
    exact = math.comb(len(whole), size) <= resamples
    if exact:
        sums = np.array([whole[list(places)].sum() for places in combinations(range(len(whole)), size)])
    else:
        random = np.random.default_rng(seed)
        sums = random.permuted(np.broadcast_to(whole, (resamples, len(whole))), axis=1)[:, :size].sum(axis=1)
    own = 0 if exact else 1  # the one that was seen counts among drawn ones
    tail = min(int(np.sum(sums >= seen - slack)), int(np.sum(sums <= seen + slack)))
    p = min(1.0, 2 * (tail + own) / (len(sums) + own))
    return Paired(float(np.mean(first) - np.mean(second)), p, "unpaired", min(len(first), len(second)))


def mcnemar(first_only: int, second_only: int) -> float:
    """The exact two-sided p-value that of the cases which one system alone has right, so uneven a share is chance's:
    the binomial test with one half (McNemar 1947; exact by Edwards). 1 where there are none."""
    count = first_only + second_only
    fewer = min(first_only, second_only)
    if first_only == second_only:
        return 1.0
    if count <= 1_000:
        return min(1.0, 2 * sum(math.comb(count, at) for at in range(fewer + 1)) / (1 << count))
    logs = (math.lgamma(count + 1) - math.lgamma(at + 1) - math.lgamma(count - at + 1) for at in range(fewer + 1))
    return min(1.0, 2 * math.fsum(math.exp(each - count * math.log(2)) for each in logs))


def permutation(differences: Array | Sequence[float], *, resamples: int = RESAMPLES, seed: int = SEED) -> float:
    """The two-sided p-value of the mean of paired differences when each might as well have the other sign.

    All 2ⁿ of up to EXACT differences, `resamples` drawn ones of more; the one that was seen counts among those (Phipson
    and Smyth 2010), so that it is never 0.
    """
    values = np.asarray(differences, np.float64)
    values = values[values != 0]  # their sign changes nothing
    size = len(values)
    if not size:
        return 1.0
    seen = abs(values.sum()) * (1 - 1e-9)  # what differs in its last digits is the same
    if size <= EXACT:
        signs = 1.0 - 2.0 * ((np.arange(2**size)[:, None] >> np.arange(size)) & 1)
        return float(np.mean(np.abs(signs @ values) >= seen).item())
    random = np.random.default_rng(seed)
    batch, hits = max(1, BLOCK // size), 0
    for done in range(0, resamples, batch):
        signs = 1.0 - 2.0 * random.integers(0, 2, (min(batch, resamples - done), size), np.int8)
        hits += int(np.sum(np.abs(signs @ values) >= seen))
    return (hits + 1) / (resamples + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for being several, in their order (Holm 1979): an adjusted one below α is significant at α
    with the chance of any false one among all at most α."""
    order = sorted(range(len(p_values)), key=lambda at: p_values[at])
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, at in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[at]))
        adjusted[at] = highest
    return adjusted


def agreement(answers: Sequence[Sequence[str]]) -> float | None:
    """How likely two repeats of a case give the same answer, spaces around it aside; the mean over cases that have two.

    1 is the same answer each time. None where no case was repeated.
    """
    rates = []
    for group in answers:
        if len(group) > 1:
            same = sum(times * (times - 1) for times in Counter(answer.strip() for answer in group).values())
            rates.append(same / (len(group) * (len(group) - 1)))
    return sum(rates) / len(rates) if rates else None


def pareto_front(points: Sequence[Sequence[float | None]], *, higher_is_better: Sequence[bool]) -> list[int]:
    """Places of the points that no other is at least as good as in everything and better in something.

    A point with a None is on no front. Of equal points all are on it.
    """
    signs = [-1.0 if higher else 1.0 for higher in higher_is_better]
    whole = [at for at, point in enumerate(points) if None not in point]
    costs = np.array([points[at] for at in whole], np.float64).reshape(len(whole), len(signs)) * signs
    front, kept = np.empty_like(costs), list[int]()
    # Sorted by all costs, the first counting most, whoever is beaten is beaten by one before it that is on the front.
    for place in np.lexsort(costs.T[::-1]):
        before = front[: len(kept)]
        if not np.any(np.all(before <= costs[place], axis=1) & np.any(before < costs[place], axis=1)):
            front[len(kept)] = costs[place]
            kept.append(whole[place])
    return sorted(kept)
