"""How different answers are from one another: distinct-n and self-BLEU."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence

from playground.evaluate.metrics.metric import Metric
from playground.evaluate.metrics.overlap import LONGEST, words

Gram = tuple[str, ...]


def distinct_n(answers: Sequence[str], n: int) -> float | None:
    """Different n-grams of all answers, as a share of all their n-grams; words in lower case. Li et al. (2016).

    None where no answer has n words. Longer or more answers repeat more: compare like with like.
    """
    found: set[Gram] = set()
    count = 0
    for answer in answers:
        for gram in grams([word.lower() for word in words(answer[:LONGEST])], n):
            found.add(gram)
            count += 1
    return len(found) / count if count else None


def grams(tokens: Sequence[str], n: int) -> Iterator[Gram]:
    return (tuple(tokens[at : at + n]) for at in range(len(tokens) - n + 1))


def self_bleu(answers: Sequence[str]) -> float | None:
    """The mean BLEU of each answer against all others, from 0 to 100: the higher, the less diverse. Zhu et al. (2018).

    It is sacrebleu's sentence BLEU with the others as references, computed at once: what matters of the others is how
    often each n-gram occurs at most in one of them, and of all answers the two highest counts say that. None for less
    than two answers that are not empty.
    """
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.helpers import extract_all_word_ngrams

    metric = BLEU(effective_order=True)
    texts = [answer[:LONGEST] for answer in answers if answer.strip()]
    if len(texts) < 2:
        return None
    counted = [extract_all_word_ngrams(metric.tokenizer(text.rstrip()), 1, metric.max_ngram_order) for text in texts]
    highest = _two_highest([counts for counts, _ in counted])
    lengths = sorted(length for _, length in counted)
    total = 0.0
    for counts, length in counted:
        correct, whole = [0] * metric.max_ngram_order, [0] * metric.max_ngram_order
        for gram, count in counts.items():
            first, second = highest[gram]
            others = second if count == first else first
            correct[len(gram) - 1] += min(count, others)
            whole[len(gram) - 1] += count
        score = BLEU.compute_bleu(
            correct, whole, length, _closest(lengths, length), smooth_method="exp", effective_order=True
        )
        total += score.score
    return total / len(counted)


def _two_highest(counted: Sequence[Counter[Gram]]) -> dict[Gram, tuple[int, int]]:
    """By each n-gram: how often it occurs in the text that has it most, and in the one that comes next."""
    found: dict[Gram, tuple[int, int]] = {}
    for counts in counted:
        for gram, count in counts.items():
            first, second = found.get(gram, (0, 0))
            found[gram] = (count, first) if count > first else (first, max(count, second))
    return found


def _closest(lengths: Sequence[int], own: int) -> int:
    """The length closest to `own` among the others, of two the shorter; `lengths` are sorted, with `own` in them."""
    at = bisect_left(lengths, own)
    others = [lengths[each] for each in (at - 1, at + 1) if 0 <= each < len(lengths)]
    return min(others, key=lambda length: (abs(length - own), length))


def distinct(n: int) -> Metric:
    return Metric(name=f"distinct_{n}", corpus=lambda answers, cases: distinct_n(answers, n))


def unlike() -> Metric:
    """Self-BLEU as a metric: less is better."""
    return Metric(
        name="self_bleu", corpus=lambda answers, cases: self_bleu(answers), higher_is_better=False, most=100.0
    )
