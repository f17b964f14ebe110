"""A winner with its evidence, or "no difference shown".

The system with the highest mean is compared with each other one on the cases that both have, by a paired test, and the
p-values are adjusted by Holm. It is named where every adjusted one is below α. Whoever is chosen because it came out
highest needs no further correction: to be named by mistake it has to beat, at α, the one that is as good (the argument
of Hsu's multiple comparisons with the best, 1984; a test draws samples without differences and counts the winners).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from playground.evaluate.statistics import RESAMPLES, SEED, Interval, Paired, Test, bootstrap, holm, paired

ALPHA = 0.05

Scores = Sequence[Sequence[float | None]]
"""By case, in one order for all systems: the scores of its repeats."""
Compare = Callable[[str, str], Paired | None]
"""The paired test of two systems by their names; None where they share no case."""


@dataclass(frozen=True, slots=True)
class Against:
    """The best against another: by how much it is better, in the metric's own unit. `p_value` is adjusted by Holm."""

    other: str
    difference: float
    raw_p_value: float
    p_value: float
    test: Test
    count: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """`winner` None: no difference shown. `best` has the best mean whether or not that is shown; `level` are those it
    is not shown to be better than, in their order."""

    winner: str | None
    best: str
    means: Mapping[str, Interval]
    against: tuple[Against, ...]
    level: tuple[str, ...]
    alpha: float


def verdict(
    systems: Mapping[str, Scores],
    *,
    means: Mapping[str, Interval] | None = None,
    binary: bool = False,
    higher_is_better: bool = True,
    alpha: float = ALPHA,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Verdict | None:
    """Which system is best. None where none has a score. `means` are those of `systems`, where they have been drawn.

    With many systems more samples are drawn, since the lowest p-value that n of them can show is 1/(n + 1).
    """
    if means is None:
        drawn = {name: bootstrap(scores, resamples=resamples, seed=seed) for name, scores in systems.items()}
        means = {name: each for name, each in drawn.items() if each}
    draws = max(resamples, round(4 * len(means) / alpha))

    def compare(first: str, second: str) -> Paired | None:
        return paired(systems[first], systems[second], binary=binary, resamples=draws, seed=seed)

    return decide(means, compare, higher_is_better=higher_is_better, alpha=alpha)


def decide(
    means: Mapping[str, Interval], compare: Compare, *, higher_is_better: bool = True, alpha: float = ALPHA
) -> Verdict | None:
    """The same of figures that are there, whatever they are, by a paired test of two systems."""
    if not means:
        return None
    sign = 1 if higher_is_better else -1
    best = max(means, key=lambda name: sign * means[name].value)
    found = {name: result for name in means if name != best and (result := compare(best, name)) is not None}
    against = tuple(
        Against(name, sign * result.difference, result.p_value, p, result.test, result.count)
        for (name, result), p in zip(found.items(), adjusted(found.values()), strict=True)
    )
    beaten = {each.other for each in against if each.p_value < alpha and each.difference > 0}
    level = tuple(name for name in means if name != best and name not in beaten)
    winner = best if len(means) > 1 and not level else None
    return Verdict(winner, best, means, against, level, alpha)


def adjusted(found: Iterable[Paired]) -> list[float]:
    """Their p-values, adjusted by Holm for being several."""
    return holm([result.p_value for result in found])
