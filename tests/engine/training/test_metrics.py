"""Metrics, computed by hand beside them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from playground.engine.training import classification
from playground.engine.training.classification import Classes
from playground.engine.training.errors import TrainingError
from playground.engine.training.examples import Example
from playground.engine.training.metrics import Measured, joined
from playground.engine.training.plan import Classification


def measured(losses: list[float], correct: list[int], owners: list[int], scores: list[list[float]] = []) -> Measured:  # noqa: B006
    rows = np.array(scores, np.float32) if scores else np.zeros((max(owners) + 1, 0), np.float32)
    return Measured(np.array(losses, np.float32), np.array(correct, bool), np.array(owners), 10, rows)


def example(label: str, *completion: int) -> Example:
    tokens = np.array([9, 9, *completion], np.int32)
    return Example(tokens, np.arange(2, len(tokens)), label)


def test_loss_and_token_accuracy_are_means_over_tokens_and_exact_match_over_examples() -> None:
    found = measured([1, 2, 3, 6], [1, 0, 1, 1], [0, 0, 0, 1])
    assert (found.loss, found.accuracy, found.exact_match) == (3.0, 0.75, 0.5)


def test_batches_measured_one_after_another_are_one() -> None:
    one, two = measured([1, 2], [1, 0], [0, 1]), measured([3, 6], [1, 1], [0, 0])
    whole = joined([one, two])
    assert whole.owners.tolist() == [0, 1, 2, 2]
    assert (whole.loss, whole.accuracy, whole.tokens) == (3.0, 0.75, 20)
    assert whole.exact.tolist() == [True, False, True]


def test_two_classes_are_told_apart_by_the_first_token_that_differs() -> None:
    asked = Classification(2, positive_class=" happy")
    found = classification.classes(asked, [example("happy", 5, 6, 1), example("real", 5, 7, 1)])
    assert (found.names, found.tokens, found.place, found.positive) == (("happy", "real"), (6, 7), 1, 0)


def test_a_class_that_begins_like_another_is_told_by_where_it_ends() -> None:
    found = classification.classes(Classification(2, "no"), [example("no", 5, 1), example("none", 5, 6, 1)])
    assert found.tokens == (1, 6)


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        (Classification(3), "classification_n_classes"),
        (Classification(2), "classification_positive_class"),
        (Classification(2, "maybe"), "classification_positive_class"),
    ],
)
def test_classes_that_the_files_do_not_have_are_refused(asked: Classification, param: str) -> None:
    with pytest.raises(TrainingError) as caught:
        classification.classes(asked, [example("yes", 5, 1), example("no", 6, 1)])
    assert caught.value.param == param


def test_binary_columns_by_hand() -> None:
    """Scores 3, 1, −1, −2 for truths +, −, +, −: one hit, one miss, one false alarm, one right no."""
    found = Classes(("no", "yes"), (6, 5), 0, positive=1)
    examples = [example("yes", 5), example("no", 6), example("yes", 5), example("no", 6)]
    scores = [[0.0, 3.0], [0.0, 1.0], [1.0, 0.0], [2.0, 0.0]]
    values = classification.measures(found, examples, measured([1] * 4, [1, 0, 0, 1], [0, 1, 2, 3], scores))
    assert values["classification/accuracy"] == 0.5
    assert values["classification/precision"] == 0.5
    assert values["classification/recall"] == 0.5
    assert values["classification/f1.0"] == 0.5
    # Of four pairs of a positive and a negative, three are in order.
    assert values["classification/auroc"] == 0.75
    # Half the recall at precision 1, half at 2/3.
    assert values["classification/auprc"] == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_multiclass_columns_by_hand() -> None:
    found = Classes(("a", "b", "c"), (5, 6, 7), 0, positive=None)
    examples = [example("a", 5), example("a", 5), example("b", 6), example("c", 7)]
    scores = [[1.0, 0, 0], [0, 1.0, 0], [0, 1.0, 0], [1.0, 0, 0]]
    values = classification.measures(found, examples, measured([1] * 4, [1, 0, 1, 0], [0, 1, 2, 3], scores))
    assert values["classification/accuracy"] == 0.5
    # F1 of a: precision 1/2, recall 1/2; of b: 1/2 and 1; of c: never chosen.
    assert values["classification/weighted_f1_score"] == pytest.approx(0.5 * 0.5 + 0.25 * 2 / 3)


def test_classes_that_share_their_token_are_told_apart_by_the_whole_completion() -> None:
    found = Classes(("a", "b", "c"), (5, 5, 7), 0, positive=None)
    examples = [example("a", 5, 1), example("b", 5, 2), example("c", 7, 1)]
    scores = [[2.0, 2.0, 0], [2.0, 2.0, 0], [0, 0, 1.0]]
    said = measured([1] * 6, [1, 1, 1, 0, 1, 1], [0, 0, 1, 1, 2, 2], scores)
    assert classification.measures(found, examples, said)["classification/accuracy"] == pytest.approx(2 / 3)


def test_curves_with_ties_and_with_one_kind_only() -> None:
    truth, score = np.array([True, False, True, False]), np.array([1, 1, 0, 0], np.float32)
    assert classification.auroc(truth, score) == 0.5
    assert classification.auprc(truth, score) == 0.5
    alone = np.array([True, True])
    assert math.isnan(classification.auroc(alone, score[:2]))
    assert math.isnan(classification.auprc(~alone, score[:2]))
    assert classification.present({"a": 1.0, "b": math.nan}) == {"a": 1.0}
