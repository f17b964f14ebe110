"""What occurs twice: equal and nearly equal texts, prompts with several answers, validation that training has seen.

Groups are places of rows, the first being 0, in the order of their first row.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Hashable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from operator import eq

import numpy as np

from playground.finetune.affixes import common_prefix, common_suffix

Groups = list[tuple[int, ...]]

SHINGLE = 5
"""Characters. Short enough that one changed word leaves most shingles of a sentence as they were."""
BANDS, ROWS = 10, 3
"""Of the signature: texts that share 80 % of their shingles meet in one band of the ten with a probability of 0.999."""
MARGIN = 0.2
"""How far a signature may be from the truth: two and a half standard errors of 30 hashes."""
LONGEST = 20_000
_BLOCK = 500_000
_SPACE = re.compile(r"\W+")


def normalised(text: str) -> str:
    """Without case, punctuation and the width of spaces; of a text that has nothing else, the text."""
    return _SPACE.sub(" ", text.casefold()).strip() or text


def equal(keys: Sequence[Hashable]) -> Groups:
    """Groups of rows whose keys are equal."""
    places: dict[Hashable, list[int]] = {}
    for place, key in enumerate(keys):
        places.setdefault(key, []).append(place)
    return [tuple(group) for group in places.values() if len(group) > 1]


def contradictions(prompts: Sequence[str], completions: Sequence[str]) -> Groups:
    """Groups of rows whose prompts are equal but for case, punctuation and spaces, and whose completions are not."""
    answers = [normalised(completion) for completion in completions]
    groups = equal([normalised(prompt) for prompt in prompts])
    return [group for group in groups if prompts[group[0]] and len({answers[place] for place in group}) > 1]


def leaked(train: Sequence[str], valid: Sequence[str]) -> tuple[int, ...]:
    """Places in `valid` of prompts that `train` has as well, but for case, punctuation and spaces."""
    seen = set(map(normalised, train))
    return tuple(place for place, prompt in enumerate(valid) if prompt and normalised(prompt) in seen)


def nearly_equal(texts: Sequence[str], *, threshold: float = 0.8) -> Groups:
    """Groups of rows of whose different shingles of five characters at least `threshold` are shared (Jaccard).

    MinHash signatures of the normalised texts, in ten bands of three (locality-sensitive hashing): texts that agree in
    a band are candidates, and are compared with the first text of that band by their signatures, and exactly where
    those agree. Each text is compared ten times at most, so time grows with the length of the file. Groups are joined
    where they share a row. A pair that meets in no band is missed (1 in 1,000 at 80 %); of a text the first 20,000
    characters count; what all texts begin or end with does not (an instruction, a separator); empty texts are in no
    group.
    """
    places = [place for place, text in enumerate(texts) if text]
    plain = _without_common([normalised(texts[place][:LONGEST]) for place in places])
    leader = list(range(len(plain)))
    signatures: list[array[int]] = []
    shingles = lru_cache(1_000)(_shingles)
    first: list[dict[bytes, int]] = [{} for _ in range(BANDS)]
    for place, signature in enumerate(chain.from_iterable(map(_signatures, _blocks(plain)))):
        signatures.append(signature)
        bands = (signature[at : at + ROWS].tobytes() for at in range(0, len(signature), ROWS))
        for candidate in {known.setdefault(band, place) for known, band in zip(first, bands, strict=True)}:
            one, other = _root(leader, candidate), _root(leader, place)
            if one == other or sum(map(eq, signature, signatures[candidate])) < (threshold - MARGIN) * len(signature):
                continue
            mine, theirs = shingles(plain[place]), shingles(plain[candidate])
            if len(mine & theirs) >= threshold * len(mine | theirs):
                leader[max(one, other)] = min(one, other)
    return [tuple(places[at] for at in group) for group in equal([_root(leader, at) for at in range(len(plain))])]


def _without_common(texts: Sequence[str]) -> list[str]:
    if len(set(texts)) < 2:
        return list(texts)
    start = len(common_prefix(texts))
    rest = [text[start:] for text in texts]
    end = len(common_suffix(rest))
    return [text[: len(text) - end] for text in rest]


def _root(leader: list[int], place: int) -> int:
    while leader[place] != place:
        leader[place] = leader[leader[place]]
        place = leader[place]
    return place


def _blocks(texts: Sequence[str]) -> Iterator[list[str]]:
    """The texts in lists of about _BLOCK characters, so that their shingles fit into memory."""
    block: list[str] = []
    size = 0
    for text in texts:
        block.append(text)
        size += len(text) + SHINGLE
        if size >= _BLOCK:
            yield block
            block, size = [], 0
    if block:
        yield block


def _signatures(texts: Sequence[str]) -> list[array[int]]:
    """The least of each text's shingles under each of 30 hash functions."""
    padded = [text.ljust(SHINGLE) for text in texts]
    codes = np.frombuffer("".join(padded).encode("utf-32-le", "replace"), "<u4").astype(np.uint64)
    lengths = np.fromiter(map(len, padded), np.int64, len(padded))
    ends = np.cumsum(lengths)
    hashes = np.zeros(len(codes) - SHINGLE + 1, np.uint64)
    for place in range(SHINGLE):  # wraps around at 2⁶⁴, which is meant
        hashes = hashes * np.uint64(0x100000001B3) + codes[place : place + len(hashes)]
    inside = np.ones(len(codes), bool)  # a shingle that begins in the last four characters crosses into the next text
    for back in range(1, SHINGLE):
        inside[ends - back] = False
    hashes = hashes[inside[: len(hashes)]]
    starts = np.concatenate(([0], np.cumsum(lengths - SHINGLE + 1)[:-1]))
    random = np.random.default_rng(7)
    factors = random.integers(1, 2**63, BANDS * ROWS, np.uint64) | np.uint64(1)
    offsets = random.integers(0, 2**63, BANDS * ROWS, np.uint64)
    signatures = np.empty((len(texts), BANDS * ROWS), np.uint32)
    for place, (factor, offset) in enumerate(zip(factors, offsets, strict=True)):
        mixed = (hashes ^ (hashes >> np.uint64(29)) ^ offset) * factor
        signatures[:, place] = np.minimum.reduceat(mixed >> np.uint64(32), starts)
    return [array("I", row.tobytes()) for row in signatures]


def _shingles(text: str) -> frozenset[str]:
    return frozenset(text[at : at + SHINGLE] for at in range(max(1, len(text) - SHINGLE + 1)))
