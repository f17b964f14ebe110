"""What a training curve says, by rules that are written down here and figures that are shown beside it.

Losses only: accuracies of OpenAI's files are too coarse. Each loss is falling, flat, rising or unclear
(results_trend.py says when), and the first of these that holds is said:

- **too short**: fewer than 20 points of training loss, or all at one step.
- **diverging**: training loss ends infinite, or rises; or both rise from validation's best step on.
- **overfitting**: validation loss rises (full_valid_loss where there is a trend in it), and training loss does not.
- Validation loss is unclear, since it jumps or was measured too rarely (once an epoch, most often): training loss
  alone is told of, and that the rest is not known. **Still learning** where validation was lowest at its end,
  **noisy** where it was not, and **converged** where training loss is flat.
- Else by validation loss, since what counts is texts the model has not seen, or by training loss where there is none:
  falling is **still learning**; flat is **converged**, with the best step where it rose a little; unclear is **noisy**.

The thresholds are ours, chosen on synthetic curves (tests/unit/test_results_verdict.py): a help to read a curve, not a
test of significance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np

from playground.finetune.results import Column, Floats, Results
from playground.finetune.results_trend import (
    FALLING,
    FEW,
    FEWEST,
    PARTS,
    RISE,
    Course,
    Line,
    Turn,
    fit,
    noise_of,
    spread_out,
    training,
    validation,
)
from playground.words import Said

VerdictKind = Literal["overfitting", "still_learning", "converged", "diverging", "noisy", "too_short"]

Args = dict[str, str | int | float]

FEWEST_TRAINING = 2 * PARTS
HUGE = 1e100
"""Losses beyond it are scaled down while they are judged: their squares would be infinite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`said` is the sentence; `evidence` has the figures it rests on, by name, those that there are."""

    kind: VerdictKind
    said: Said
    evidence: Mapping[str, float] = field(default_factory=dict)


class _Loss(NamedTuple):
    name: str
    x: Floats
    y: Floats


class _Judged(NamedTuple):
    """Both losses, divided by `scale`, and how they went; `seen` is None where validation has no trend."""

    train: _Loss
    whole: Course
    valid: _Loss | None
    seen: Course | None
    scale: float

    def says(self, kind: VerdictKind, key: str, loss: _Loss, how: Course, **more: str | int | float) -> Verdict:
        """With the figures of the loss that decides, and those that `more` adds."""
        figures: Args = {"start": how.start * self.scale, "end": how.end * self.scale, "share": how.share}
        return Verdict(kind=kind, said=Said(key, {"name": loss.name, **figures, **more}), evidence=self.evidence())

    def about(self, kind: VerdictKind, key: str, loss: _Loss, turn: Turn, **more: str | int | float) -> Verdict:
        """With the best step of the loss that decides."""
        best, last = turn.best * self.scale, turn.end * self.scale
        said = Said(key, {"name": loss.name, "best": best, "last": last, "step": turn.step, **more})
        evidence = {"best_step": turn.step, "best": best, "rise": last - best, **self.evidence()}
        return Verdict(kind=kind, said=said, evidence=evidence)

    def evidence(self) -> dict[str, float]:
        figures = _figures("training", self.whole, self.scale)
        if self.valid:
            figures["validation_points"] = len(self.valid.y)
        if self.seen:
            figures |= _figures("validation", self.seen, self.scale)
        return figures


def verdict(results: Results) -> Verdict:
    """What the losses say, by the rules above."""
    column = results.first("loss", "train")
    if column is None:
        return Verdict(kind="too_short", said=Said("verdict.no_loss"))
    if column.ends_infinite:
        return Verdict(kind="diverging", said=Said("verdict.infinite", {"name": column.name}))
    held_out = _validation(results)
    largest = max(float(np.nanmax(np.abs(each.values))) for each in (column, held_out) if each)
    scale = largest if largest > HUGE else 1.0
    train = _loss(results, column, scale)
    if len(train.y) < FEWEST_TRAINING or not spread_out(train.x[len(train.x) // 2 :]):
        said = Said("verdict.too_short", {"name": column.name, "points": len(train.y), "needed": FEWEST_TRAINING})
        return Verdict(kind="too_short", said=said, evidence={"training_points": len(train.y)})
    valid = _loss(results, held_out, scale) if held_out else None
    noise = noise_of(train.y)
    seen = validation(valid.x, valid.y, noise=noise) if valid else None
    return _decided(_Judged(train, training(train.x, train.y, noise=noise), valid, seen, scale))


def _validation(results: Results) -> Column | None:
    full = results.columns.get("full_valid_loss")
    if full is not None and np.isfinite(full.values).sum() >= FEWEST:
        return full
    return results.first("loss", "validation")


def _loss(results: Results, column: Column, scale: float) -> _Loss:
    present = np.isfinite(column.values)
    return _Loss(column.name, results.steps[present], column.values[present] / scale)


def _decided(both: _Judged) -> Verdict:
    train, whole, valid, seen, _ = both
    if whole.turn and whole.state == "rising":
        return both.about("diverging", "verdict.diverging", train, whole.turn)
    if valid and seen and seen.turn and seen.state == "rising":
        return _risen(both, valid, seen.turn)
    if valid and (seen is None or seen.state == "unclear"):
        return _unseen(both, valid)
    loss, how = (valid, seen) if valid and seen else (train, whole)
    if how.state == "falling":
        return both.says("still_learning", "verdict.still_learning", loss, how)
    if how.state == "unclear":
        return _noisy(both)
    return _flat(both, loss, how)


def _risen(both: _Judged, valid: _Loss, turn: Turn) -> Verdict:
    """Validation loss rises. Training loss that does as well over the same steps has not learned by heart."""
    trained = _over(both.train, turn.step)
    progress = abs(both.whole.start - both.whole.end)
    follows = trained is not None and trained.rises() and trained.change >= FALLING * progress
    kind: VerdictKind = "diverging" if follows else "overfitting"
    key = "verdict.both_rise" if follows else "verdict.overfitting"
    return both.about(kind, key, valid, turn, train=both.train.name)


def _over(train: _Loss, step: float) -> Line | None:
    """Training loss from `step` on."""
    x, y = train.x[train.x >= step], train.y[train.x >= step]
    return fit(x, y) if spread_out(x) else None


def _unseen(both: _Judged, valid: _Loss) -> Verdict:
    """Training loss alone, and that it is not known how the model does with other texts."""
    train, whole, few = both.train, both.whole, len(valid.y) < FEW
    if whole.state == "unclear":
        return _noisy(both)
    lowest = int(np.argmin(valid.y))
    turn = Turn(float(valid.x[lowest]), float(valid.y[lowest]), float(valid.y[-1]))
    if few and turn.rise > RISE * abs(turn.best):
        return both.about("noisy", "verdict.rose_few", valid, turn, points=len(valid.y))
    if whole.state == "falling":
        kind: VerdictKind = "still_learning" if few else "noisy"
        key = "verdict.still_learning_few" if few else "verdict.validation_unclear"
        return both.says(kind, key, train, whole, **_rarely(valid))
    key = "verdict.never_fell" if not whole.fell else "verdict.converged_few" if few else "verdict.converged_unseen"
    return both.says("converged", key, train, whole, **_rarely(valid))


def _rarely(valid: _Loss) -> Args:
    return {"valid": valid.name, "points": len(valid.y)}


def _noisy(both: _Judged) -> Verdict:
    return both.says("noisy", "verdict.noisy", both.train, both.whole, noise=both.whole.late.scatter * both.scale)


def _flat(both: _Judged, loss: _Loss, how: Course) -> Verdict:
    if how.turn:
        return both.about("converged", "verdict.crept_up", loss, how.turn)
    if loss is not both.train and both.whole.state == "falling":
        return both.says("converged", "verdict.validation_flat", loss, how, train=both.train.name)
    return both.says("converged", "verdict.converged" if how.fell else "verdict.never_fell", loss, how)


def _figures(side: str, how: Course, scale: float) -> dict[str, float]:
    """What stands beside the sentence, in the loss's own unit."""
    return {
        f"{side}_start": how.start * scale,
        f"{side}_end": how.end * scale,
        f"{side}_slope": how.late.slope * scale,
        f"{side}_late_share": how.share,
        f"{side}_noise": how.late.scatter * scale,
    }
