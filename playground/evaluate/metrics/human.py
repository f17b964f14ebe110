"""People's ratings and votes: how far raters agree, and who wins."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from playground.evaluate.statistics import Interval, wilson

Weights = Literal["none", "linear", "quadratic"]
Level = Literal["nominal", "ordinal", "interval"]


@dataclass(frozen=True, slots=True)
class Rating:
    """What `rater` gave `item`: a grade."""

    item: str
    rater: str
    value: float


@dataclass(frozen=True, slots=True)
class Vote:
    """Which of the systems in `shown` a person preferred on a case; None: none of them (a tie)."""

    shown: tuple[str, ...]
    chosen: str | None


@dataclass(frozen=True, slots=True)
class WinRate:
    """Of `decided` votes that showed the system, `wins` were for it; `ties` are votes for none. `chance` is the share
    that nobody's preference would give it."""

    wins: int
    decided: int
    ties: int
    rate: Interval | None
    chance: float


@dataclass(frozen=True, slots=True)
class Kappa:
    """Cohen's kappa of two raters (None: where chance is all there is), and of how many items."""

    value: float | None
    count: int


def cohen_kappa(one: Sequence[float], other: Sequence[float], *, weights: Weights = "none") -> float | None:
    """How far two raters agree beyond chance on the same items; None without items, or where chance is all there is.

    Cohen (1960); with weights (1968), grades that are close disagree less: by their distance, or its square.
    """
    values = sorted({*one, *other})
    if len(one) != len(other) or not one or len(values) < 2:
        return None

    def apart(a: float, b: float) -> float:
        return float(a != b) if weights == "none" else abs(a - b) ** (2 if weights == "quadratic" else 1)

    first, second, count = Counter(one), Counter(other), len(one)
    observed = sum(apart(a, b) for a, b in zip(one, other, strict=True)) / count
    expected = sum(first[a] * second[b] * apart(a, b) for a in values for b in values) / count**2
    return 1 - observed / expected if expected else None


def pairwise_kappa(ratings: Iterable[Rating], *, weights: Weights = "none") -> dict[tuple[str, str], Kappa]:
    """Cohen's kappa of every two raters who have items in common, over those."""
    given: dict[str, dict[str, float]] = defaultdict(dict)
    for rating in ratings:
        given[rating.rater][rating.item] = rating.value
    found = {}
    for one, other in combinations(sorted(given), 2):
        both = [item for item in given[one] if item in given[other]]
        first, second = ([given[rater][item] for item in both] for rater in (one, other))
        if both:
            found[one, other] = Kappa(cohen_kappa(first, second, weights=weights), len(both))
    return found


def krippendorff_alpha(ratings: Iterable[Rating], *, level: Level = "ordinal") -> float | None:
    """How far any number of raters agree, whoever rated what: 1 where they do, 0 where chance would do as well.

    1 − observed/expected disagreement over the pairs of values of an item (Krippendorff 2011, "Computing
    Krippendorff's Alpha-Reliability"). An item that one rater has rated says nothing. None where no two values differ,
    or no item has two. A rater's last rating of an item counts.
    """
    items: dict[str, dict[str, float]] = defaultdict(dict)
    for rating in ratings:
        items[rating.item][rating.rater] = rating.value
    pairable = [list(values.values()) for values in items.values() if len(values) > 1]
    totals = Counter(value for values in pairable for value in values)
    count = totals.total()
    if len(totals) < 2:
        return None
    apart = _distance(totals, level)
    observed = sum(
        apart(a, b) / (len(values) - 1) for values in pairable for a, b in combinations(values, 2)
    )  # each pair once: halved here and below
    expected = sum(totals[a] * totals[b] * apart(a, b) for a, b in combinations(totals, 2)) / (count - 1)
    return 1 - observed / expected


class _distance:
    """The squared difference of two values by their level of measurement."""

    def __init__(self, totals: Mapping[float, int], level: Level) -> None:
        self._level = level
        self._rank: dict[float, float] = {}
        before = 0
        for value in sorted(totals):  # the middle of the value's own places among all, sorted
            self._rank[value] = before + totals[value] / 2
            before += totals[value]

    def __call__(self, a: float, b: float) -> float:
        if self._level == "nominal":
            return float(a != b)
        if self._level == "interval":
            return (a - b) ** 2
        return (self._rank[a] - self._rank[b]) ** 2


def win_rates(votes: Iterable[Vote], *, confidence: float = 0.95) -> dict[str, WinRate]:
    """By each system that was shown: its share of the votes that were decided, with Wilson's interval."""
    wins, decided, ties = Counter[str](), Counter[str](), Counter[str]()
    chances: dict[str, list[float]] = defaultdict(list)
    for vote in votes:
        for name in vote.shown:
            chances[name].append(1 / len(vote.shown))
            (decided if vote.chosen in vote.shown else ties)[name] += 1
        if vote.chosen in vote.shown:
            wins[str(vote.chosen)] += 1
    return {
        name: WinRate(
            wins=wins[name],
            decided=decided[name],
            ties=ties[name],
            rate=wilson(wins[name], decided[name], confidence=confidence),
            chance=sum(each) / len(each),
        )
        for name, each in chances.items()
    }
