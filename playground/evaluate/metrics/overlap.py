"""BLEU and chrF by sacrebleu, METEOR by nltk: what the field computes, not something like it.

Both libraries are imported when a metric is first made (60 ms, and 2 s). nltk's data is never downloaded: WordNet is
used where it is installed, and METEOR says whether it was.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from typing import Any

from playground.evaluate.dataset import Case
from playground.evaluate.metrics.metric import Metric
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
    return _sacre("bleu", sentence, corpus)


def chrf() -> Metric:
    """chrF2 (character n-grams up to 6), from 0 to 100, of one answer or of many. Popović (2015)."""
    from sacrebleu.metrics.chrf import CHRF

    return _sacre("chrf", CHRF(), CHRF())


def _sacre(name: str, sentence: Any, corpus: Any) -> Metric:
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

    signature = Said("note.signature", {"name": name, "signature": _signature(corpus)})
    return Metric(name=name, score=score, corpus=corpus_score, most=100.0, notes=(signature,))


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
