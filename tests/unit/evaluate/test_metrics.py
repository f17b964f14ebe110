"""Overlap, labels, diversity, novelty and domain agree with sacrebleu and nltk called directly, and by definition."""

from __future__ import annotations

import math
import random
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.metrics import ConfusionMatrix
from nltk.stem.porter import PorterStemmer
from nltk.translate.meteor_score import single_meteor_score

from playground.evaluate.dataset import Case
from playground.evaluate.metrics import diversity, domain, labels, novelty, overlap
from playground.evaluate.metrics.metric import Metric, corpus_score

PAIRS = [
    ("The cat sat on the mat.", "The cat is sitting on the mat."),
    ("A completely different sentence", "There is nothing in common here"),
    ("La comida estaba fría y sosa", "La comida estaba fría, y muy sosa."),
    ("Paris", "Paris"),
    ("", "Something was expected"),
    ("日本語のテキスト", "日本語の文章"),
]
ANSWERS, CASES = [answer for answer, _ in PAIRS], [Case(id=right[:20], expected=right) for _, right in PAIRS]
WORDS = st.lists(st.sampled_from(["a", "b", "c", "d", "e", "f", "."]), max_size=9).map(" ".join)


def score(metric: Metric, answer: str, case: Case) -> float | None:
    assert metric.score is not None
    return metric.score(answer, case)


def test_bleu_and_chrf_of_an_answer_are_sacrebleus() -> None:
    for answer, case in zip(ANSWERS, CASES, strict=True):
        assert case.expected is not None
        assert score(overlap.bleu(), answer, case) == sacrebleu.sentence_bleu(answer, [case.expected]).score
        assert score(overlap.chrf(), answer, case) == sacrebleu.sentence_chrf(answer, [case.expected]).score


def test_bleu_and_chrf_of_many_are_sacrebleus_corpus_scores_and_say_how_they_were_made() -> None:
    references = [[right for _, right in PAIRS]]
    bleu, chrf = overlap.bleu(), overlap.chrf()
    assert corpus_score(bleu, ANSWERS, CASES) == sacrebleu.corpus_bleu(ANSWERS, references).score
    assert corpus_score(chrf, ANSWERS, CASES) == sacrebleu.corpus_chrf(ANSWERS, references).score
    assert "tok:13a|smooth:exp|version:" in bleu.notes[0].text()
    assert corpus_score(bleu, ["a"], [Case(id="1")]) is None


@settings(max_examples=40, deadline=None)
@given(WORDS, WORDS.filter(bool))
def test_meteor_is_nltks(answer: str, expected: str) -> None:
    mine = score(overlap.meteor(), answer, Case(id="1", expected=expected))
    theirs = single_meteor_score(
        overlap.words(expected), overlap.words(answer), stemmer=PorterStemmer(), wordnet=overlap.NoWordNet()
    )
    assert mine == pytest.approx(theirs)


def test_meteor_knows_stems_and_says_whether_wordnet_was_there() -> None:
    metric = overlap.meteor()
    assert (score(metric, "the cats are running", Case(id="1", expected="The cat is run")) or 0) > 0.3
    assert metric.notes[0].text() in (
        "METEOR without WordNet, which is not installed: exact words and English stems, no synonyms.",
        "METEOR with WordNet: exact words, English stems, synonyms.",
    )
    assert score(metric, "a", Case(id="1")) is None


def test_nothing_of_this_is_imported_before_it_is_asked_for() -> None:
    code = (
        "import sys; import playground.evaluate.metrics.build, playground.evaluate.statistics;"
        "print(sorted({'sacrebleu', 'nltk', 'scipy', 'regex', 'yaml', 'jsonschema', 'openpyxl'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


LABELS = ("Positive", "Negative", "Neutral")


@pytest.mark.parametrize(
    ("answer", "read"),
    [
        (" positive.", "Positive"),
        ("NEGATIVE!!", "Negative"),
        ("Neutral, because nothing was said", "Neutral"),
        ("The sentiment is negative", "Negative"),
        ("It is neither positive nor negative", None),
        ("positively", None),
        ("", None),
    ],
)
def test_an_answer_is_read_as_a_label(answer: str, read: str | None) -> None:
    assert labels.Reader(LABELS).read(answer) == read


def test_of_labels_that_are_part_of_one_another_the_longer_is_meant_where_it_stands() -> None:
    reader = labels.Reader(["good", "not good", "very good"])
    assert reader.read("not good at all") == "not good"
    assert reader.read("I find it very good") == "very good"
    assert reader.read("good") == "good"


@given(st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS)), min_size=1, max_size=40))
def test_a_report_is_nltks_confusion_matrix(pairs: list[tuple[str, str]]) -> None:
    expected, answers = zip(*pairs, strict=True)
    found = labels.report(answers, expected, LABELS)
    assert found is not None
    theirs = ConfusionMatrix(list(expected), list(answers))
    for at, name in enumerate(LABELS):
        if name not in theirs._values:
            assert found.classes[at].support == 0
            continue
        mine = found.classes[at]
        assert (mine.precision, mine.recall) == pytest.approx((theirs.precision(name), theirs.recall(name)))
        assert mine.f1 == pytest.approx(theirs.f_measure(name) or 0)
        for other, column in enumerate(LABELS):
            if column in theirs._values:
                assert found.matrix[at][other] == theirs[name, column]
    right = sum(a == b for a, b in pairs) / len(pairs)
    assert found.accuracy == pytest.approx(right)
    assert found.weighted.recall == pytest.approx(right)
    assert found.macro.f1 == pytest.approx(np.mean([each.f1 for each in found.classes]))
    assert found.unread == 0


def test_answers_that_are_no_label_have_a_column_and_expected_ones_that_are_none_do_not_count() -> None:
    found = labels.report(["maybe", "Positive", "Positive"], ["Positive", "Positive", "unknown"], LABELS)
    assert found is not None
    assert found.matrix[0] == (1, 0, 0, 1)
    assert (found.unread, found.accuracy, found.classes[0].recall) == (1, 0.5, 0.5)
    assert labels.report(["a"], ["b"], []) is None
    assert labels.report(["a"], ["unknown"], LABELS) is None
    assert score(labels.label(LABELS), "positive", Case(id="1", expected="Positive")) == 1
    assert score(labels.label(LABELS), "maybe", Case(id="1", expected="Positive")) == 0
    assert score(labels.label(LABELS), "positive", Case(id="1", expected="unknown")) is None


def test_distinct_n_by_hand() -> None:
    assert diversity.distinct_n(["a b a b", "A b"], 1) == pytest.approx(2 / 6)
    assert diversity.distinct_n(["a b a b", "A b"], 2) == pytest.approx(2 / 4)
    assert diversity.distinct_n(["a"], 2) is None


@settings(max_examples=60, deadline=None)
@given(st.lists(WORDS.filter(lambda text: text.strip() != ""), min_size=2, max_size=6))
def test_self_bleu_is_sacrebleus_bleu_against_all_others(answers: list[str]) -> None:
    theirs = [
        sacrebleu.sentence_bleu(answer, answers[:at] + answers[at + 1 :]).score for at, answer in enumerate(answers)
    ]
    assert diversity.self_bleu(answers) == pytest.approx(np.mean(theirs))


def test_the_same_answer_again_is_no_diversity() -> None:
    assert diversity.self_bleu(["one and the same answer"] * 3) == pytest.approx(100)
    assert diversity.self_bleu(["alone", ""]) is None


def test_what_answers_have_copied_is_the_share_of_their_n_grams_in_training() -> None:
    chance = random.Random(4)
    texts = [" ".join(chance.choice("abcdefg") for _ in range(30)) for _ in range(50)]
    training = novelty.TrainingText(texts, 3)
    known = {gram for text in texts for gram in diversity.grams(text.split(), 3)}
    for _ in range(30):
        answer = [chance.choice("abcdefgh") for _ in range(12)]
        grams = list(diversity.grams(answer, 3))
        assert training.overlap(" ".join(answer)) == pytest.approx(sum(gram in known for gram in grams) / len(grams))
    assert training.overlap(texts[0].upper()) == 1
    assert training.overlap("a b") is None
    assert novelty.TrainingText([], 3).overlap("a b c d") == 0
    assert not training.cut


def _tfidf(texts: list[str]) -> tuple[dict[str, float], list[dict[str, float]]]:
    """As scikit-learn defines it, written out."""
    counts = [Counter(text.lower().split()) for text in texts]
    frequency = Counter(word for each in counts for word in each)
    idf = {word: math.log((1 + len(texts)) / (1 + times)) + 1 for word, times in frequency.items()}
    return idf, [_unit({word: times * idf[word] for word, times in each.items()}) for each in counts]


def _unit(weights: dict[str, float]) -> dict[str, float]:
    length = math.sqrt(sum(weight**2 for weight in weights.values()))
    return {word: weight / length for word, weight in weights.items()}


def test_closeness_is_the_cosine_of_tf_idf_to_the_nearest_training_text() -> None:
    chance = random.Random(9)
    drawn = [" ".join(chance.choice(["sun", "rain", "snow", "wind", "fog"]) for _ in range(6)) for _ in range(60)]
    # Of texts with the same words the first counts.
    texts = list({tuple(sorted(text.split())): text for text in reversed(drawn)}.values())[::-1]
    index = domain.Domain(drawn)
    idf, vectors = _tfidf(texts)
    for answer in ("sun sun wind", "fog rain", "snow martian"):
        own = {
            word: times * idf.get(word, math.log(1 + len(texts)) + 1) for word, times in Counter(answer.split()).items()
        }
        unit = _unit(own)
        cosines = [sum(unit[word] * vector.get(word, 0) for word in unit) for vector in vectors]
        found = index.closeness(answer)
        assert found is not None
        assert found.cosine == pytest.approx(max(cosines), abs=1e-5)
        assert found.nearest is not None
        assert cosines[texts.index(drawn[found.nearest])] == pytest.approx(max(cosines), abs=1e-5)
    martian = index.closeness("snow martian")
    assert martian is not None
    assert martian.vocabulary == 0.5


def test_answers_off_the_domain_are_told_by_the_training_texts_themselves() -> None:
    topics = ["the soup was cold", "the waiter was friendly", "the dessert was sweet", "the soup was hot and good"] * 10
    index = domain.Domain(topics)
    answers = ["the soup was friendly", "quantum chromodynamics of gluons", "", "the waiter was cold"]
    assert index.off(answers) == [1]
    assert index.closeness("") is None
    assert index.closeness("gluons") == domain.Closeness(0.0, 0.0, None)
    assert score(domain.domain(index), "the soup was cold", Case(id="1")) == pytest.approx(1)


def test_a_large_training_set_is_looked_at_evenly() -> None:
    assert domain.spread(5, 9) == [0, 1, 2, 3, 4]
    assert domain.spread(10, 4) == [0, 2, 5, 7]
