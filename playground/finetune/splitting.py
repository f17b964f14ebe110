"""Training and validation: which examples are held out, by a ratio and a seed."""

from __future__ import annotations

import json
import random
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from playground.errors import refused
from playground.finetune.chat_format import last_answer
from playground.finetune.duplicates import nearly_equal, normalised

MOST_HELD_OUT = 1_000
NEARLY = 20_000
"""Different questions that are compared with one another: of more, as many from the beginning."""


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


def split(keys: Sequence[Hashable], *, ratio: float, seed: int, strata: Sequence[Hashable] | None = None) -> Split:
    """Holds out about `ratio` of the examples that `keys` stand for. Those with equal keys are on one side.

    Both sides get something where there are two different keys. With `strata`, what each example counts as, every
    stratum is held out by its share; equal keys count as the first of them does. Raises InvalidRequest.
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
    for part, share in _strata(shuffled, strata, wanted):
        valid += _filled(part, share)
    # What no stratum could hold out alone: its groups were too large, or all of it was to be.
    held = set(valid)
    rest = [group for group in shuffled if group[0] not in held]
    valid += _filled(rest, min(wanted, len(keys) - 1) - len(valid))
    if not valid:
        valid = min(shuffled, key=len)
    held = set(valid)
    train = tuple(place for place in range(len(keys)) if place not in held)
    return Split(train, tuple(sorted(valid)), max(0, wanted - len(valid)))


def _strata(
    groups: list[list[int]], strata: Sequence[Hashable] | None, wanted: int
) -> list[tuple[list[list[int]], int]]:
    """The groups of each stratum, and how many of its examples are held out: `wanted` by largest remainders."""
    if strata is None:
        return []
    parts: dict[Hashable, list[list[int]]] = {}
    for group in groups:
        parts.setdefault(strata[group[0]], []).append(group)
    sizes = [sum(map(len, part)) for part in parts.values()]
    exact = [wanted * size / sum(sizes) for size in sizes]
    shares = [int(each) for each in exact]
    by_rest = sorted(range(len(sizes)), key=lambda at: shares[at] - exact[at])
    for at in by_rest[: wanted - sum(shares)]:
        shares[at] += 1
    return list(zip(parts.values(), shares, strict=True))


def _filled(groups: list[list[int]], most: int) -> list[int]:
    """Groups, each whole, as long as they make no more than `most`."""
    found: list[int] = []
    for group in groups:
        if len(found) + len(group) <= most:
            found += group
    return found


def split_lines(data: bytes, *, ratio: float, seed: int) -> tuple[bytes, bytes]:
    """A JSONL file's lines for training and for validation, as they are.

    Examples of one question stay on one side, whatever their answers, since validation would else ask for what was
    learned; those of nearly the same question, too, where as many are held out all the same. Where all have one
    question, equal examples stay together. Raises InvalidRequest.
    """
    lines = [line for line in data.split(b"\n") if line.strip()]
    records = [_record(line) for line in lines]
    questions: list[Hashable] = [_question(line) or record for line, record in zip(lines, records, strict=True)]
    if len(set(questions)) < 2:
        made = split(records, ratio=ratio, seed=seed)
    else:
        made = split(questions, ratio=ratio, seed=seed)
        families = _families(questions)
        if len(set(families)) > 1:
            wider = split(families, ratio=ratio, seed=seed)
            made = wider if wider.shortfall <= made.shortfall else made
    train, valid = (b"".join(lines[place] + b"\n" for place in places) for places in (made.train, made.valid))
    return train, valid


def _families(questions: Sequence[Hashable]) -> list[Hashable]:
    """Each question, or the first that is nearly the same."""
    different = list(dict.fromkeys(questions))
    texts = [each if isinstance(each, str) else "" for each in different[:NEARLY]]
    first = {different[at]: different[group[0]] for group in nearly_equal(texts) for at in group}
    return [first.get(question, question) for question in questions]


def _question(line: bytes) -> str:
    """What a line's example asks, but for case, punctuation and spaces; empty where it asks nothing."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return ""
    about = record if isinstance(record, dict) else {}
    given = about.get("input")
    messages = (given if isinstance(given, dict) else about).get("messages")
    if isinstance(messages, list) and all(isinstance(message, dict) for message in messages):
        # A preference's answers stand elsewhere: all of its input is the question.
        said = [*messages, {"role": "assistant"}] if isinstance(given, dict) else messages
        return normalised(last_answer(said)[0])
    prompt = about.get("prompt")
    return normalised(prompt) if isinstance(prompt, str) else ""


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
