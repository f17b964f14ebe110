"""What a running job's events tell besides its curves: how fast it goes, what it takes, and base against tuned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from playground.finetune.jobs import Event

PACE = ("tokens_per_second", "memory_bytes", "trained_tokens")
"""Numbers of an event that are no measure of the model."""
BASE = "base_"
"""What the base's own score begins with: `base_valid_loss` is compared with `valid_loss`."""
FULL = "full_"
"""The same over the whole validation file, which counts before what a part of it says."""
EXAMPLES = "valid_examples"
"""Of how many examples a share of whole answers is."""
OF_EXAMPLES = "valid_exact_match"


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One measure of the base, before training, and the newest of the tuned model, None until there is one. `of` is of
    how many examples it is a share, where it is one and the server tells."""

    name: str
    base: float
    tuned: float | None = None
    of: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """The newest of each, None where the server does not tell. Bytes of the training process."""

    tokens_per_second: float | None = None
    memory_bytes: float | None = None
    trained_tokens: float | None = None
    scores: tuple[Score, ...] = ()


def is_measure(name: str) -> bool:
    """Whether a number of this name says how good the model is, so that its curve is worth drawing."""
    return name not in (*PACE, EXAMPLES) and not name.startswith(BASE)


def live(values: Mapping[str, float]) -> Live:
    """From the newest value of each name that the events told."""
    scores = [_score(name.removeprefix(BASE), values) for name in values if name.startswith(BASE)]
    return Live(**{name: values.get(name) for name in PACE}, scores=tuple(scores))


def newest(before: Mapping[str, float], events: Iterable[Event]) -> dict[str, float]:
    """`before` with what newer events, oldest first, tell."""
    found = dict(before)
    for event in events:
        found |= event.values
    return found


def _score(name: str, values: Mapping[str, float]) -> Score:
    of = int(values.get(EXAMPLES, 0)) if name == OF_EXAMPLES else 0
    return Score(name=name, base=values[BASE + name], tuned=values.get(FULL + name, values.get(name)), of=of or None)
