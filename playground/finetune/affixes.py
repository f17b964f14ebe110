"""What all texts begin and end with, and what none of them holds: separators and endings are chosen by that."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import takewhile

from playground.finetune.column import Texts


def common_prefix(texts: Sequence[str]) -> str:
    """The longest beginning that all of `texts` share. Time grows with their length together, not with its square."""
    common = texts[0] if texts else ""
    for text in texts:
        if not text.startswith(common):
            common = common[: _shared(common, text)]
        if not common:
            break
    return common


def common_suffix(texts: Sequence[str]) -> str:
    """The longest ending that all of `texts` share."""
    common = texts[0] if texts else ""
    for text in texts:
        if not text.endswith(common):
            common = common[len(common) - _shared(reversed(common), reversed(text)) :]
        if not common:
            break
    return common


def _shared(one: Iterable[str], other: Iterable[str]) -> int:
    """How many characters are the same before the first that differs."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def first_unused(options: Iterable[str], texts: Texts, *, otherwise: str) -> str:
    """The first of `options` that occurs in none of `texts`."""
    return next((option for option in options if not texts.holds(option)), otherwise)


def repeats(suffix: str, texts: Iterable[str]) -> int:
    """How many of `texts`, which all end with `suffix`, hold it before their end as well."""
    return sum(text.find(suffix, 0, len(text) - len(suffix)) >= 0 for text in texts)
