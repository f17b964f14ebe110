"""How different answers are from one another: distinct-n and self-BLEU.

Each is read into arrays once, and then told of any part of the answers: an interval asks for many of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from playground.evaluate.metrics.metric import Metric, Whole
from playground.evaluate.metrics.overlap import LONGEST, bleu_of, words

Gram = tuple[str, ...]
Ints = NDArray[np.int64]


def distinct_n(answers: Sequence[str], n: int) -> float | None:
    """Different n-grams of all answers, as a share of all their n-grams; words in lower case. Li et al. (2016).

    None where no answer has n words. Longer or more answers repeat more: compare like with like.
    """
    return distinct_of(answers, n)(range(len(answers)))


def distinct_of(answers: Sequence[str], n: int) -> Whole:
    """The same of the answers at any places."""
    known: dict[Gram, int] = {}
    owners, found = list[int](), list[int]()
    for at, answer in enumerate(answers):
        for gram in grams([word.lower() for word in words(answer[:LONGEST])], n):
            owners.append(at)
            found.append(known.setdefault(gram, len(known)))
    owner, gram_of = np.array(owners, np.int64), np.array(found, np.int64)

    def whole(places: Sequence[int]) -> float | None:
        there = gram_of[_chosen(len(answers), places)[owner]]
        return np.count_nonzero(np.bincount(there)) / len(there) if len(there) else None

    return whole


def grams(tokens: Sequence[str], n: int) -> Iterator[Gram]:
    return (tuple(tokens[at : at + n]) for at in range(len(tokens) - n + 1))


def self_bleu(answers: Sequence[str]) -> float | None:
    """The mean BLEU of each answer against all others, from 0 to 100: the higher, the less diverse. Zhu et al. (2018).

    It is sacrebleu's sentence BLEU with the others as references, computed at once: what matters of the others is how
    often each n-gram occurs at most in one of them, and of all answers the two highest counts say that. None for less
    than two answers that are not empty.
    """
    return self_bleu_of(answers)(range(len(answers)))


def self_bleu_of(answers: Sequence[str]) -> Whole:
    """The same of the answers at any places."""
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.helpers import extract_all_word_ngrams

    metric = BLEU(effective_order=True)
    known: dict[Gram, int] = {}
    entries, lengths, empty = list[tuple[int, int, int, int]](), list[int](), list[bool]()
    for at, answer in enumerate(answers):
        text = metric.tokenizer(answer[:LONGEST].rstrip()) if answer.strip() else ""
        counts, length = extract_all_word_ngrams(text, 1, metric.max_ngram_order)
        lengths.append(length)
        empty.append(not answer[:LONGEST].strip())
        entries += [(known.setdefault(gram, len(known)), -count, at, len(gram) - 1) for gram, count in counts.items()]
    # By n-gram, the answer that has it most often first: so it stays for any part of them.
    table = np.array(sorted(entries), np.int64).reshape(len(entries), 4)
    length_of, there = np.array(lengths, np.int64), ~np.array(empty, bool)

    def whole(places: Sequence[int]) -> float | None:
        chosen = _chosen(len(answers), places) & there
        return _self_bleu(table[chosen[table[:, 2]]], length_of, np.flatnonzero(chosen)) if chosen.sum() > 1 else None

    return whole


def _self_bleu(table: Ints, lengths: Ints, chosen: Ints) -> float:
    """Of the answers at `chosen`; a row of the table is an n-gram of one of them, how often it has it (below 0), the
    answer's place, and n - 1."""
    place = np.zeros(len(lengths), np.int64)
    place[chosen] = np.arange(len(chosen))
    gram, count, order = table[:, 0], -table[:, 1], table[:, 3]
    owner = place[table[:, 2]]
    first = np.flatnonzero(np.diff(gram, prepend=-1))  # where each n-gram begins
    size = np.diff(first, append=len(gram))
    most, second = count[first], np.where(size > 1, count[np.minimum(first + 1, len(gram) - 1)], 0)
    group = np.repeat(np.arange(len(first)), size)
    others = np.where(count == most[group], second[group], most[group])
    field, fields = owner * 4 + order, 4 * len(chosen)
    right = np.bincount(field, np.minimum(count, others), fields).reshape(-1, 4)
    whole = np.bincount(field, count, fields).reshape(-1, 4)
    own = lengths[chosen]
    return float(bleu_of(np.column_stack([own, _closest(own), right, whole]), effective_order=True).mean())


def _closest(lengths: Ints) -> Ints:
    """To each length the closest one of the others, of two the shorter."""
    order = np.argsort(lengths, kind="stable")
    ordered = lengths[order]
    far = np.iinfo(np.int64).max // 4
    below, above = np.concatenate([[-far], ordered[:-1]]), np.concatenate([ordered[1:], [far]])
    closest = np.empty_like(lengths)
    closest[order] = np.where(ordered - below <= above - ordered, below, above)
    return closest


def _chosen(count: int, places: Sequence[int]) -> NDArray[np.bool_]:
    found = np.zeros(count, bool)
    found[list(places)] = True
    return found


def distinct(n: int) -> Metric:
    return Metric(
        name=f"distinct_{n}",
        corpus=lambda answers, cases: distinct_n(answers, n),
        parted=lambda answers: distinct_of(answers, n),
    )


def unlike() -> Metric:
    """Self-BLEU as a metric: less is better."""
    return Metric(
        name="self_bleu",
        corpus=lambda answers, cases: self_bleu(answers),
        parted=self_bleu_of,
        higher_is_better=False,
        most=100.0,
    )
