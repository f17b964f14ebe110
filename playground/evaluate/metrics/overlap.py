"""BLEU and chrF by sacrebleu, METEOR by nltk: what the field computes, not something like it.

Both libraries are imported when a metric is first made (60 ms, and 2 s). nltk's data is never downloaded: WordNet is
used where it is installed, and METEOR says whether it was.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from typing import Any

import numpy as np

from playground.evaluate.dataset import Case
from playground.evaluate.metrics.metric import Array, Metric, Sums
from playground.words import Said

LONGEST = 20_000
"""Characters of an answer or an expected answer that are compared; no metric of these says anything of a book."""

_WORD = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")


def bleu() -> Metric:
    """BLEU, from 0 to 100. Of one answer with the effective order (`sentence_bleu`), of many sacrebleu's corpus BLEU.

    Its signature (tokenizer, smoothing, version) is among the notes, as Post (2018) asks for.
    """
    from sacrebleu.metrics.bleu import BLEU

    sentence, corpus = BLEU(effective_order=True), BLEU()
    return _sacre("bleu", sentence, corpus, bleu_of)


def chrf() -> Metric:
    """chrF2 (character n-grams up to 6), from 0 to 100, of one answer or of many. Popović (2015)."""
    from sacrebleu.metrics.chrf import CHRF

    return _sacre("chrf", CHRF(), CHRF(), chrf_of)


def bleu_of(sums: Array, *, effective_order: bool = False) -> Array:
    """sacrebleu's BLEU (`smooth_method="exp"`) of each row of counts: lengths of answers and expected ones, then
    n-grams in both, then in the answers, n from 1 to 4. `effective_order`: of those n only that an answer has."""
    mine, theirs, right, whole = sums[:, 0], sums[:, 1], sums[:, 2:6], sums[:, 6:10]
    with np.errstate(divide="ignore", invalid="ignore"):
        missing = np.cumsum((right == 0) & (whole > 0), axis=1)
        # Each order without a match counts as half a match, a quarter, …
        precisions = np.where(right > 0, right, 0.5**missing) / whole
        there = np.logical_and.accumulate(whole > 0, axis=1)
        logs = np.where(there, np.log(100 * precisions), 0.0 if effective_order else -np.inf)
        orders = there.sum(axis=1) if effective_order else whole.shape[1]
        brevity = np.where(mine < theirs, np.exp(1 - theirs / mine), 1.0)
        scores = brevity * np.exp(logs.sum(axis=1) / orders)
    found: Array = np.where(right.any(axis=1), scores, 0.0)
    return found


def chrf_of(sums: Array) -> Array:
    """sacrebleu's chrF2 of each row of summed counts: for each n from 1 to 6 the n-grams of the answers, of the
    expected ones, and of both."""
    mine, theirs, both = sums[:, 0::3], sums[:, 1::3], sums[:, 2::3]
    there = (mine > 0) & (theirs > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        orders = there.sum(axis=1)
        precision = np.where(there, both / mine, 0.0).sum(axis=1) / orders
        recall = np.where(there, both / theirs, 0.0).sum(axis=1) / orders
        found: Array = np.nan_to_num(100 * 5 * precision * recall / (4 * precision + recall))
    return found


def _sacre(name: str, sentence: Any, corpus: Any, figures: Callable[[Array], Array]) -> Metric:
    def score(answer: str, case: Case) -> float | None:
        if not case.expected:
            return None
        return float(sentence.sentence_score(answer[:LONGEST], [case.expected[:LONGEST]]).score)

    def corpus_score(answers: Sequence[str], cases: Sequence[Case]) -> float | None:
        pairs = [
            (answer[:LONGEST], case.expected[:LONGEST])
            for answer, case in zip(answers, cases, strict=True)
            if case.expected
        ]
        if not pairs:
            return None
        hypotheses, references = zip(*pairs, strict=True)
        return float(corpus.corpus_score(list(hypotheses), [list(references)]).score)

    def rows(answers: Sequence[str], cases: Sequence[Case]) -> Array:
        # As sacrebleu's own significance tests do: there is no public way to the counts.
        expected = [(case.expected or "")[:LONGEST] for case in cases]
        counts = corpus._extract_corpus_statistics([answer[:LONGEST] for answer in answers], [expected])
        there = np.array([bool(each) for each in expected])
        found: Array = np.array(counts, np.float64) * there[:, None]
        return found

    signature = Said("note.signature", {"name": name, "signature": _signature(corpus)})
    # The second count of both is of what was expected.
    sums = Sums(rows, lambda sums: np.where(sums[:, 1] > 0, figures(sums), np.nan))
    return Metric(name=name, score=score, corpus=corpus_score, sums=sums, most=100.0, notes=(signature,))


def _signature(metric: Any) -> str:
    metric.corpus_score(["a"], [["a"]])  # how many references there were is in it, and known after a score
    return str(metric.get_signature())


def meteor() -> Metric:
    """METEOR, from 0 to 1, by nltk: exact words, then English stems, then synonyms where WordNet is installed.

    Words are told apart by Unicode's letters, in lower case. Banerjee and Lavie (2005).
    """
    from nltk.stem.porter import PorterStemmer
    from nltk.translate.meteor_score import single_meteor_score

    stem = lru_cache(50_000)(PorterStemmer().stem)
    stemmer: Any = _Remembering(stem)
    wordnet = _wordnet()

    def score(answer: str, case: Case) -> float | None:
        if not case.expected:
            return None
        reference, hypothesis = words(case.expected[:LONGEST]), words(answer[:LONGEST])
        return float(single_meteor_score(reference, hypothesis, stemmer=stemmer, wordnet=wordnet))

    has = not isinstance(wordnet, NoWordNet)
    note = Said("note.meteor_wordnet" if has else "note.meteor_plain")
    return Metric(name="meteor", score=score, notes=(note,))


def words(text: str) -> list[str]:
    """Words and punctuation, each for itself."""
    return _WORD.findall(text)


class NoWordNet:
    """What stands in WordNet's place where it is not installed: no word has a synonym."""

    def synsets(self, word: str) -> list[Any]:
        return []


class _Remembering:
    """nltk's stemmer asks for the same words again and again, and each takes it 20 µs."""

    def __init__(self, stem: Callable[[str], str]) -> None:
        self.stem = stem


@cache
def _wordnet() -> Any:
    from nltk.corpus import wordnet

    try:
        wordnet.ensure_loaded()
        wordnet.synsets("word")
    except (LookupError, OSError):
        return NoWordNet()
    return wordnet
