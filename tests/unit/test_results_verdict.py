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
from playground.finetune.results_verdict import FEWEST_TRAINING, Verdict, VerdictKind, verdict
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


@pytest.mark.parametrize(("rows", "noise"), [(40, 0.4), (300, 0.8), (3000, 0.8)])
def test_pure_noise_is_called_too_noisy_to_tell(rows: int, noise: float) -> None:
    def level(u: Floats) -> Floats:
        return 1.5 + 0 * u

    said = Counter(judged(level, level, rows=rows, noise=noise, seed=seed).kind for seed in SEEDS)
    assert said["noisy"] >= 0.85 * len(SEEDS), said


# --- jobs that validate once an epoch ---


def validated(points: list[float], *, train: Curve = SETTLES, rows: int = 300, noise: float = 0.02) -> Verdict:
    """A job whose validation loss was measured so rarely, the last time at its end."""
    lines = ["step,train_loss,valid_loss"]
    losses = np.maximum(train(np.linspace(0, 1, rows)) + np.random.default_rng(0).normal(0, noise, rows), 0.001)
    epoch = rows // len(points)
    for step, loss in enumerate(losses.tolist(), 1):
        lines.append(f"{step},{loss},{points[step // epoch - 1] if step % epoch == 0 else ''}")
    return verdict(read("\n".join(lines).encode()))


@pytest.mark.parametrize("rows", [40, 300, 3000])
@pytest.mark.parametrize(
    ("points", "best"),
    [([0.9, 0.7, 0.75, 0.95, 1.2], 0.7), ([0.9, 1.2, 1.6], 0.9), ([0.9, 0.6, 0.7, 0.9], 0.6), ([1.5, 0.8, 1.1], 0.8)],
)
def test_validation_once_an_epoch_that_plainly_rises_is_overfitting(
    points: list[float], best: float, rows: int
) -> None:
    said = validated(points, train=falling(0.1, 1.9, 5), rows=rows, noise=0.03)
    assert (said.kind, said.evidence["best"]) == ("overfitting", best)
    assert said.evidence["best_step"] == (points.index(best) + 1) * (rows // len(points))


@pytest.mark.parametrize("points", [[1.6, 1.3, 1.1, 0.95, 0.85], [1.5, 1.1, 0.8]])
def test_validation_once_an_epoch_that_plainly_falls_is_still_learning(points: list[float]) -> None:
    said = validated(points, train=LEARNS)
    assert (said.kind, said.said.key, said.said.args["name"]) == (
        "still_learning",
        "verdict.still_learning",
        "valid_loss",
    )


@pytest.mark.parametrize(
    ("points", "train", "kind", "key"),
    [
        ([1.0, 2.5, 0.8, 1.9, 2.2], LEARNS, "noisy", "verdict.rose_few"),
        ([1.0, 1.6], LEARNS, "noisy", "verdict.rose_few"),
        ([1.0, 1.6], SETTLES, "noisy", "verdict.rose_few"),
        ([1.6, 1.0], LEARNS, "still_learning", "verdict.still_learning_few"),
        ([1.0], LEARNS, "still_learning", "verdict.still_learning_few"),
        ([1.0], SETTLES, "converged", "verdict.converged_few"),
    ],
)
def test_validation_measured_too_rarely_to_tell_is_said_and_more_epochs_are_not_advised(
    points: list[float], train: Curve, kind: str, key: str
) -> None:
    said = validated(points, train=train)
    assert (said.kind, said.said.key) == (kind, key)
    assert f"measured only {len(points)}×" in said.said.text()
    assert "More epochs" not in said.said.text()


@pytest.mark.parametrize("points", [3, 5, 8])
def test_a_few_points_of_noise_are_hardly_ever_called_overfitting_or_learning(points: int) -> None:
    kinds = Counter(
        validated((1.5 + np.random.default_rng(seed).normal(0, 0.2, points)).tolist(), noise=0.2).kind
        for seed in range(100)
    )
    assert kinds["overfitting"] + kinds["still_learning"] <= 6, kinds


# --- a small rise after the best ---


@pytest.mark.parametrize("rows", [40, 300, 3000])
def test_training_that_takes_back_a_fifth_steadily_got_worse_since_its_best_step(rows: int) -> None:
    def turns_up(u: Floats) -> Floats:
        return 2 * np.exp(-8 * u) + 1.2 * np.clip(u - 2 / 3, 0, 1)

    for seed in range(10):
        said = judged(turns_up, None, rows=rows, noise=0.01, seed=seed)
        assert said.kind == "diverging"
        assert 0.5 * rows <= said.evidence["best_step"] <= 0.8 * rows
        assert f"{said.evidence['best_step']:,.10g}" in said.said.text()


def test_a_rise_too_small_to_matter_is_named_with_its_best_step() -> None:
    def creeps(u: Floats) -> Floats:
        return 2 * np.exp(-8 * u) + 0.16 * np.clip(u - 0.5, 0, 1)

    said = judged(creeps, None, rows=3000, noise=0.02, seed=0)
    assert (said.kind, said.said.key) == ("converged", "verdict.crept_up")
    assert 1200 <= said.evidence["best_step"] <= 2000
    u = np.linspace(0, 1, 100)
    said = verdict(results(SETTLES(u), 0.9 + np.exp(-15 * u) + 0.03 * u))
    assert (said.said.key, said.said.args["name"]) == ("verdict.crept_up", "valid_loss")


def test_a_loss_that_breaks_out_at_the_very_end_is_no_convergence() -> None:
    u = np.linspace(0, 1, 300)
    loss = SETTLES(u) + np.random.default_rng(0).normal(0, 0.02, 300)
    assert verdict(results(loss)).kind == "converged"
    loss[-4:] += 8
    said = verdict(results(loss))
    assert (said.kind, said.evidence["best"]) == ("diverging", pytest.approx(0.4, abs=0.02))


def test_where_both_rise_nothing_is_learned_by_heart() -> None:
    u = np.linspace(0, 1, 300)
    noise = np.random.default_rng(4).normal(0, 0.6, 300)
    train = 2 + 2 * np.exp(-10 * u) + 0.6 * u + noise
    said = verdict(results(train, 2 + np.exp(-10 * u) + u, every=10))
    assert (said.kind, said.said.key) == ("diverging", "verdict.both_rise")


@pytest.mark.parametrize("seed", range(60))
def test_every_sentence_agrees_with_its_figures(seed: int) -> None:
    """Whatever is said of a curve: what fell ends lower, what rose ends higher, and a share is one."""
    chance = np.random.default_rng(seed)
    curves = [LEARNS, SETTLES, settles_higher, turns, explodes, lambda u: 1.5 + 0 * u, lambda u: 1 + np.sin(9 * u) / 2]
    train, valid = curves[chance.integers(7)], curves[chance.integers(7)]
    rows, every = int(chance.integers(20, 400)), int(chance.integers(1, 100))
    noise = [0.0, 0.02, 0.3, 1.0][chance.integers(4)]
    u = np.linspace(0, 1, rows)
    said = verdict(
        results(train(u) + chance.normal(0, noise, rows), valid(u) + chance.normal(0, noise, rows), every=every)
    )
    args = said.said.args
    if said.said.key in ("verdict.still_learning", "verdict.still_learning_few", "verdict.converged"):
        assert args["end"] < args["start"]
    if said.kind in ("overfitting", "diverging") or said.said.key in ("verdict.crept_up", "verdict.rose_few"):
        assert args["last"] > args["best"]
    if "share" in args:
        assert args["share"] <= 1
    assert all(math.isfinite(figure) for figure in said.evidence.values())


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
    assert said.evidence["rise"] == pytest.approx(0.24, abs=0.1)
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


@pytest.mark.parametrize("points", [FEWEST_TRAINING - 1, FEWEST_TRAINING])
def test_so_few_points_are_not_judged(points: int) -> None:
    said = verdict(results(LEARNS(np.linspace(0, 1, points))))
    assert (said.kind == "too_short") == (points < FEWEST_TRAINING)


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
