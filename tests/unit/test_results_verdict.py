"""Verdicts on curves of which we know what they are, each over many seeds."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
import pytest

from playground.errors import InvalidRequest
from playground.finetune.results import Floats, Results, accuracy_floor
from playground.finetune.results_columns import Axis
from playground.finetune.results_read import read
from playground.finetune.results_trend import Line
from playground.finetune.results_verdict import FEWEST, Verdict, VerdictKind, verdict
from playground.words import texts

SEEDS = range(40)
Curve = Callable[[Floats], Floats]


def falling(floor: float, drop: float, speed: float) -> Curve:
    return lambda u: floor + drop * np.exp(-speed * u)


LEARNS = falling(0.5, 1.5, 1.5)
SETTLES = falling(0.4, 1.6, 12)


def settles_higher(u: Floats) -> Floats:
    return 0.6 + 1.4 * np.exp(-12 * u)


def turns(u: Floats) -> Floats:
    return 0.9 + 1.1 * np.exp(-8 * u) + 0.9 * u**1.5


def explodes(u: Floats) -> Floats:
    return 1 + np.exp(-10 * u) + 16 * np.clip(u - 0.5, 0, 1) ** 2


def results(train: Floats, valid: Floats | None = None, *, every: int = 1) -> Results:
    """A file of these losses, validation in every `every`-th row."""
    rows = ["step,train_loss" + (",valid_loss" if valid is not None else "")]
    for row, value in enumerate(train.tolist()):
        extra = "" if valid is None else f",{valid[row].item()!r}" if row % every == 0 else ","
        rows.append(f"{row + 1},{value!r}{extra}")
    return read("\n".join(rows).encode())


def judged(train: Curve, valid: Curve | None, *, rows: int, noise: float, seed: int) -> Verdict:
    chance, u = np.random.default_rng(seed), np.linspace(0, 1, rows)

    def measured(curve: Curve) -> Floats:
        return np.maximum(curve(u) + chance.normal(0, noise, rows), 0.001)

    losses = measured(train), measured(valid) if valid else None
    return verdict(results(*losses, every=max(1, rows // 30)))


@pytest.mark.parametrize("rows", [60, 300])
@pytest.mark.parametrize(
    ("train", "valid", "kind", "key", "noise"),
    [
        (falling(0.2, 1.8, 4), turns, "overfitting", "verdict.overfitting", 0.1),
        (LEARNS, lambda u: LEARNS(u) + 0.2, "still_learning", "verdict.still_learning", 0.02),
        (LEARNS, None, "still_learning", "verdict.still_learning", 0.1),
        (SETTLES, settles_higher, "converged", "verdict.converged", 0.02),
        (SETTLES, None, "converged", "verdict.converged", 0.05),
        (LEARNS, settles_higher, "converged", "verdict.validation_flat", 0.02),
        (lambda u: 1.5 + 0 * u, None, "converged", "verdict.never_fell", 0.01),
        (explodes, None, "diverging", "verdict.diverging", 0.25),
        (lambda u: 5 - 0.2 * u, lambda u: 5 - 0.2 * u, "noisy", "verdict.noisy", 1.5),
    ],
    ids=["overfits", "learns", "learns alone", "settles", "settles alone", "by heart", "flat", "explodes", "noise"],
)
def test_a_curve_is_called_what_it_is(
    train: Curve, valid: Curve | None, kind: str, key: str, noise: float, rows: int
) -> None:
    said = [judged(train, valid, rows=rows, noise=noise, seed=seed) for seed in SEEDS]
    assert Counter(each.kind for each in said)[kind] >= 0.85 * len(SEEDS)
    assert Counter(each.said.key for each in said)[key] >= 0.85 * len(SEEDS)


@pytest.mark.parametrize("noise", [0.1, 0.5, 1.0])
def test_pure_noise_is_hardly_ever_called_overfitting_or_diverging(noise: float) -> None:
    def level(u: Floats) -> Floats:
        return 3 + 0 * u

    kinds = Counter(judged(level, level, rows=200, noise=noise, seed=seed).kind for seed in range(150))
    assert kinds["overfitting"] + kinds["diverging"] + kinds["still_learning"] <= 8


def test_unclear_validation_is_said_rather_than_passed_over() -> None:
    chance, u = np.random.default_rng(0), np.linspace(0, 1, 200)
    said = verdict(results(LEARNS(u), 3 + chance.normal(0, 1, 200), every=10))
    assert (said.kind, said.said.key) == ("noisy", "verdict.validation_unclear")
    said = verdict(results(SETTLES(u), 3 + chance.normal(0, 1, 200), every=10))
    assert (said.kind, said.said.key) == ("converged", "verdict.converged_unseen")


def test_overfitting_says_where_validation_was_best_and_by_how_much_it_rose() -> None:
    u = np.linspace(0, 1, 100)
    said = verdict(results(falling(0.2, 1.8, 4)(u), (u - 0.4) ** 2 + 1))
    assert said.kind == "overfitting"
    assert said.evidence["best_step"] == pytest.approx(41, abs=2)
    assert said.evidence["best"] == pytest.approx(1, abs=0.01)
    assert said.evidence["validation_rise"] == pytest.approx(0.24, abs=0.1)
    assert said.evidence["validation_slope"] > 0 > said.evidence["training_slope"]
    assert all(math.isfinite(figure) for figure in said.evidence.values())


def test_full_validation_is_preferred_where_there_is_enough_of_it() -> None:
    u = np.linspace(0, 1, 60)
    rows = ["step,train_loss,valid_loss,full_valid_loss"]
    rows += [
        f"{row + 1},{LEARNS(u)[row]},{1 + u[row]},{LEARNS(u)[row] if row % 5 == 0 else ''}" for row in range(len(u))
    ]
    said = verdict(read("\n".join(rows).encode()))
    assert (said.kind, said.said.args["name"]) == ("still_learning", "full_valid_loss")
    without = "\n".join(line.rsplit(",", 1)[0] for line in rows)
    assert verdict(read(without.encode())).kind == "overfitting"


@pytest.mark.parametrize("points", [FEWEST - 1, FEWEST])
def test_so_few_points_are_not_judged(points: int) -> None:
    said = verdict(results(LEARNS(np.linspace(0, 1, points))))
    assert (said.kind == "too_short") == (points < FEWEST)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("step,train_loss\n", "verdict.no_loss"),
        ("step,train_loss\n1,2\n", "verdict.too_short"),
        ("step,valid_loss\n1,2\n", "verdict.no_loss"),
        ("step,train_loss\n" + "1,2\n" * 50, "verdict.too_short"),
        ("step,train_loss\n1,3\n" + "2,2\n" * 50, "verdict.too_short"),
        ("step,train_loss\n0,3\n" + "5e-324,2\n" * 50, "verdict.too_short"),
        ("step,train_loss\n1,2\n2,inf\n", "verdict.infinite"),
    ],
)
def test_where_there_is_nothing_to_judge_by_it_is_said(text: str, key: str) -> None:
    assert verdict(read(text.encode())).said.key == key


@pytest.mark.parametrize("scale", [1e-300, 1e-6, 1.0, 1e6, 1e300])
def test_the_unit_of_the_loss_does_not_matter(scale: float) -> None:
    u = np.linspace(0, 1, 100)
    said = verdict(results(LEARNS(u) * scale, turns(u) * scale))
    assert said.kind == "overfitting"
    assert said.evidence["best"] == pytest.approx(turns(u).min() * scale, rel=0.02)


@pytest.mark.parametrize("steps", [1e-6, 1.0, 1e9, 1e300])
def test_the_unit_of_the_steps_does_not_matter(steps: float) -> None:
    u = np.linspace(0, 1, 100)
    text = "step,train_loss\n" + "".join(f"{at * steps!r},{y!r}\n" for at, y in zip(u, LEARNS(u).tolist(), strict=True))
    assert verdict(read(text.replace("np.float64(", "").replace(")", "").encode())).kind == "still_learning"


@pytest.mark.parametrize("value", [0.0, 1.5, 1e308, -3.0])
def test_a_constant_loss_has_converged(value: float) -> None:
    assert verdict(results(np.full(50, value), np.full(50, value))).kind == "converged"


@pytest.mark.parametrize("free", [2, 3, 4, 5, 10, 16, 30, 120])
def test_the_bar_for_chance_lies_just_above_students_quantile(free: int) -> None:
    students = {2: 6.965, 3: 4.541, 4: 3.747, 5: 3.365, 10: 2.764, 16: 2.583, 30: 2.457, 120: 2.358}[free]
    assert not Line(change=students, error=1, scatter=1, points=free + 2, range=1).rises()
    assert Line(change=students * 1.1, error=1, scatter=1, points=free + 2, range=1).rises()
    assert Line(change=-students * 1.1, error=1, scatter=1, points=free + 2, range=1).rises(-1)


def test_three_points_prove_nothing() -> None:
    assert not Line(change=100, error=0, scatter=0, points=3, range=1).rises()


@pytest.mark.parametrize("language", ["en", "es"])
def test_every_verdict_has_its_sentence(language: Literal["en", "es"]) -> None:
    u = np.linspace(0, 1, 100)
    for said in (verdict(results(LEARNS(u), turns(u))), verdict(results(explodes(u))), verdict(results(u[:3]))):
        assert "{" not in said.said.text(language)


def test_both_languages_have_the_same_texts_with_the_same_figures() -> None:
    import string

    def figures(text: str) -> set[str | None]:
        return {name for _, name, _, _ in string.Formatter().parse(text)} - {None}

    assert texts("en").keys() == texts("es").keys()
    for key, text in texts("en").items():
        assert figures(text) == figures(texts("es")[key]), key


@pytest.mark.parametrize("language", ["en", "es"])
def test_every_kind_and_axis_has_its_name(language: Literal["en", "es"]) -> None:
    words = texts(language)
    assert {f"kind.{kind}" for kind in get_args(VerdictKind)} <= words.keys()
    assert {f"axis.{axis}" for axis in get_args(Axis)} <= words.keys()


# --- the floor of OpenAI's token accuracy ---


@pytest.mark.parametrize(("tokens", "floor"), [(1, 2 / 3), (2, 0.5), (8, 0.2), (198, 0.01)])
def test_two_hidden_tokens_are_right_whatever_the_answer(tokens: int, floor: float) -> None:
    found = accuracy_floor(tokens)
    assert found.value == pytest.approx(floor)
    assert f"{floor:.2f}" in found.why.text()


@pytest.mark.parametrize("tokens", [0, -1])
def test_a_completion_has_a_token(tokens: int) -> None:
    with pytest.raises(InvalidRequest):
        accuracy_floor(tokens)
