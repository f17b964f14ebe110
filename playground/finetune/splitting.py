"""Training and validation: which examples are held out, by a ratio and a seed."""

from __future__ import annotations

import json
import random
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from playground.errors import refused

MOST_HELD_OUT = 1_000


@dataclass(frozen=True, slots=True)
class Split:
    """Places of examples, the first being 0, in their order. `shortfall` is how many fewer than the ratio asks for are
    held out, because equal examples stay together."""

    train: tuple[int, ...]
    valid: tuple[int, ...]
    shortfall: int


def suggested_ratio(count: int) -> float:
    """How much of `count` examples to hold out: 30 % of a few, 20 % of up to 5,000, 1,000 examples of more."""
    if count < 100:
        return 0.3
    return 0.25 if count < 500 else min(0.2, MOST_HELD_OUT / count)


def split(keys: Sequence[Hashable], *, ratio: float, seed: int) -> Split:
    """Holds out about `ratio` of the examples that `keys` stand for. Those with equal keys are on one side.

    Both sides get something where there are two different keys. Raises InvalidRequest.
    """
    if not 0 < ratio < 1:
        raise refused("ratio", param="ratio")
    groups: dict[Hashable, list[int]] = {}
    for place, key in enumerate(keys):
        groups.setdefault(key, []).append(place)
    if len(groups) < 2:
        raise refused("one_example", param="file")
    shuffled = list(groups.values())
    random.Random(seed).shuffle(shuffled)  # noqa: S311 (nothing secret: the same seed has to give the same split)
    wanted = max(1, round(len(keys) * ratio))
    valid: list[int] = []
    for group in shuffled:
        if len(valid) + len(group) <= min(wanted, len(keys) - 1):
            valid += group
    if not valid:
        valid = min(shuffled, key=len)
    held = set(valid)
    train = tuple(place for place in range(len(keys)) if place not in held)
    return Split(train, tuple(sorted(valid)), max(0, wanted - len(valid)))


def split_lines(data: bytes, *, ratio: float, seed: int) -> tuple[bytes, bytes]:
    """A JSONL file's lines for training and for validation, as they are. Equal records stay on one side."""
    lines = [line for line in data.split(b"\n") if line.strip()]
    made = split([_record(line) for line in lines], ratio=ratio, seed=seed)
    train, valid = (b"".join(lines[place] + b"\n" for place in places) for places in (made.train, made.valid))
    return train, valid


def without_duplicates(data: bytes) -> bytes:
    """A JSONL file's lines as they are, of equal records the first."""
    lines = {_record(line): line for line in reversed(data.split(b"\n")) if line.strip()}
    return b"".join(line + b"\n" for line in reversed(lines.values()))


def _record(line: bytes) -> bytes:
    """A line's record written in the one way; what is none stands for itself."""
    try:
        return json.dumps(json.loads(line), sort_keys=True).encode()
    except (ValueError, RecursionError):
        return line.strip()
