"""Values to pixels, and the round numbers beside an axis: linear or logarithmic, for any number a float can hold."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from playground.finetune.results import Floats

MOST_DIGITS = 15
LEAST_POWER, MOST_POWER = -323.0, 308.25
"""Of ten, that a float holds."""


@dataclass(frozen=True, slots=True)
class Scale:
    """`low` is drawn at pixel `first`, `high` at `last`; both are powers of ten where it is logarithmic."""

    low: float
    high: float
    first: float
    last: float
    log: bool = False

    def __call__(self, values: Floats) -> Floats:
        """Weighted, not subtracted: the difference of the largest numbers is infinite."""
        at = np.log10(values) if self.log else values
        share = (at / 2 - self.low / 2) / (self.high / 2 - self.low / 2)
        pixels: Floats = self.first + share * (self.last - self.first)
        return pixels

    def ticks(self, about: int = 5) -> list[float]:
        """Round numbers of this scale, about so many."""
        return log_ticks(self.low, self.high) if self.log else ticks(self.low, self.high, about)


def spanning(values: Sequence[Floats], first: float, last: float, *, pad: float, log: bool = False) -> Scale:
    """The scale of all these values (above 0 where it is logarithmic) with `pad` of their span free at both ends."""
    low, high = min(float(each.min()) for each in values), max(float(each.max()) for each in values)
    if log:
        low, high = math.log10(low), math.log10(high)
    span = high / 2 - low / 2
    level = 0.5 if log else max(abs(low) * 0.1, 1e-300)
    margin = span * pad * 2 if span > 0 else level
    return Scale(_finite(low - margin), _finite(high + margin), first, last, log)


def _finite(value: float) -> float:
    return max(-1.7e308, min(1.7e308, value))


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers from `low` to `high`: steps of 1, 2 or 5 times a power of ten; both ends where those overflow."""
    span = high - low
    if not math.isfinite(span) or span <= 0 or span / about == 0:
        return [low, high]
    power = 10.0 ** math.floor(math.log10(span / about))
    step = next((power * by for by in (1, 2, 5, 10) if span / (power * by) <= about), 0.0)
    if not step or not math.isfinite(low / step):
        return [low, high]
    first = math.ceil(low / step)
    return [number * step for number in range(first, math.floor(high / step) + 1)] if abs(first) < 1e15 else [low, high]


def log_ticks(low: float, high: float, about: int = 7) -> list[float]:
    """Round numbers from 10^low to 10^high: powers of ten, about so many; within two of them 1, 2 and 5 times such.

    Where even of those there are fewer than three the numbers of a linear axis, which here stand unevenly.
    """
    low, high = max(low, LEAST_POWER), min(high, MOST_POWER)
    powers = range(math.ceil(low), math.floor(high) + 1)
    if len(powers) > 2:
        return [_power(round(power)) for power in ticks(low, high, about) if power == round(power)]
    near = range(math.floor(low), math.floor(high) + 1)
    found = [value for power in near for by in (1, 2, 5) if low <= math.log10(value := by * _power(power)) <= high]
    return found if len(found) > 2 else [value for value in ticks(10**low, 10**high) if value > 0]


def _power(power: int) -> float:
    """The nearest to it that a float holds, which 10.0**power is not always."""
    return float(f"1e{power}")


def told_apart(values: Sequence[float], write: Callable[[float, int], str]) -> list[str]:
    """Each value in as few digits as tell them apart, from four on: near 1 a level of 1.00002 is not "1"."""
    for digits in range(4, MOST_DIGITS):
        texts = [write(value, digits) for value in values]
        if len(set(texts)) == len(texts):
            return texts
    return [write(value, MOST_DIGITS) for value in values]
