"""What a training curve says, by rules that are written down here and figures that are shown beside it.

Losses only: accuracies of OpenAI's files are too coarse. In this order:

- **too short**: fewer than 20 points of training loss, or all at one step.
- **diverging**: training loss ends infinite; or the run is cut into ten parts, and the last part's median lies above
  the lowest part's by half of all progress or more, and by four standard errors.
- **overfitting**: validation loss (full_valid_loss where there are six points of it) is averaged over neighbours (a
  tenth of them, at least three). After the lowest such mean at least four points follow, a line through them rises
  beyond chance (`Line.rises`), their last third lies 5 % or more above the lowest mean, and training loss does not rise
  over the same steps.
- **still learning**, **converged** or **noisy**, by a line through the second half. Falling: beyond chance, and by a
  tenth of all progress or more. Flat: by two standard errors, it did not lose a quarter of it. Else unclear. Ten points
  of validation loss or more decide where they are clear, since what counts is texts the model has not seen: falling is
  still learning, flat is converged. Where they are unclear, or there are none, training loss decides: flat is
  converged, unclear noisy; falling is still learning where there is no validation loss, and noisy where it is unclear.

Progress is the median of the first twentieth less that of the last tenth, and counts as a tenth of the start at least.
The thresholds are ours, chosen on synthetic curves (tests/unit/test_results_verdict.py): a help to read a curve, not a
test of significance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np

from playground.finetune.results import Column, Floats, Results
from playground.finetune.results_trend import LEAST_PROGRESS, Course, Line, course, fit, running_mean, spread_out
from playground.words import Said

VerdictKind = Literal["overfitting", "still_learning", "converged", "diverging", "noisy", "too_short"]

Args = dict[str, str | int | float]

FEWEST = 20
FEWEST_TO_JUDGE, FEWEST_TO_OVERFIT, FEWEST_AFTER = 10, 6, 4
"""Points of validation loss for a trend, for overfitting, and after its lowest mean."""
PARTS = 10
RISE = 0.05
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
    valid = _loss(results, held_out, scale) if held_out else None
    if len(train.y) < FEWEST or not spread_out(train.x[len(train.x) // 2 :]):
        said = Said("verdict.too_short", {"name": column.name, "points": len(train.y), "needed": FEWEST})
        return Verdict(kind="too_short", said=said, evidence={"training_points": len(train.y)})
    whole = course(train.x, train.y)
    seen = course(valid.x, valid.y) if valid and _judges(valid) else None
    return (
        _diverging(train, whole, scale)
        or (_overfitting(train, valid, scale) if valid else None)
        or _by_trend(train, whole, valid, seen, scale)
    )


def _validation(results: Results) -> Column | None:
    full = results.columns.get("full_valid_loss")
    if full is not None and np.isfinite(full.values).sum() >= FEWEST_TO_OVERFIT:
        return full
    return results.first("loss", "validation")


def _loss(results: Results, column: Column, scale: float) -> _Loss:
    present = np.isfinite(column.values)
    return _Loss(column.name, results.steps[present], column.values[present] / scale)


def _judges(valid: _Loss) -> bool:
    return len(valid.y) >= FEWEST_TO_JUDGE and spread_out(valid.x[len(valid.x) // 2 :])


def _diverging(train: _Loss, whole: Course, scale: float) -> Verdict | None:
    parts = np.array_split(train.y, PARTS)
    middles = [float(np.median(part)) for part in parts]
    lowest = int(np.argmin(middles))
    rise = middles[-1] - middles[lowest]
    progress = max(whole.start - middles[lowest], LEAST_PROGRESS * abs(whole.start))
    if not (rise > progress / 2 and rise > 4 * _error_of_difference(parts)):
        return None
    at = sum(len(part) for part in parts[:lowest]) + len(parts[lowest]) // 2
    best, last = middles[lowest] * scale, middles[-1] * scale
    step = float(train.x[at])
    args: Args = {"name": train.name, "best": best, "last": last, "step": step}
    evidence = {**_figures("training", whole, scale), "best_step": step, "best": best, "rise": rise * scale}
    return Verdict(kind="diverging", said=Said("verdict.diverging", args), evidence=evidence)


def _error_of_difference(parts: list[Floats]) -> float:
    """The standard error of the difference of two parts' medians.

    From the median distance to the median (of normal noise, a spike does not move it): the parts' own, which are few
    points each, taken together.
    """
    distance = np.median(np.concatenate([np.abs(part - np.median(part)) for part in parts]))
    return float(1.2533 * 1.4826 * distance * (2 / len(parts[-1])) ** 0.5)


def _overfitting(train: _Loss, valid: _Loss, scale: float) -> Verdict | None:
    width = max(3, len(valid.y) // 10)
    if len(valid.y) < FEWEST_TO_OVERFIT:
        return None
    means = running_mean(valid.y, width)
    lowest = int(np.argmin(means))
    best, at = float(means[lowest]), lowest + width // 2
    x, y = valid.x[at + 1 :], valid.y[at + 1 :]
    if len(y) < FEWEST_AFTER or not spread_out(x):
        return None
    after, end = fit(x, y), float(y[-max(2, len(y) // 3) :].mean())
    trained = _over(train, float(valid.x[at]))
    if not after.rises() or end - best < RISE * abs(best) or end <= best or (trained and trained.rises()):
        return None
    step = float(valid.x[at])
    args: Args = {"name": valid.name, "step": step, "best": best * scale, "last": end * scale}
    evidence = {
        "best_step": step,
        "best": best * scale,
        "validation_points": len(valid.y),
        "validation_rise": (end - best) * scale,
        "validation_slope": after.slope * scale,
        "training_slope": (trained.slope if trained else 0.0) * scale,
        "noise": after.scatter * scale,
    }
    return Verdict(kind="overfitting", said=Said("verdict.overfitting", args), evidence=evidence)


def _over(train: _Loss, step: float) -> Line | None:
    """Training loss from `step` on."""
    x, y = train.x[train.x >= step], train.y[train.x >= step]
    return fit(x, y) if len(y) > 2 and spread_out(x) else None


def _by_trend(train: _Loss, whole: Course, valid: _Loss | None, seen: Course | None, scale: float) -> Verdict:
    evidence = _figures("training", whole, scale)
    if seen:
        evidence |= _figures("validation", seen, scale)
    judge, how = (valid, seen) if valid and seen and seen.state != "unclear" else (train, whole)
    args: Args = {"name": judge.name, "start": how.start * scale, "end": how.end * scale}
    if seen and seen.state == "unclear" and how.state == "falling":
        said = Said("verdict.validation_unclear", {**args, "valid": valid.name if valid else ""})
        return Verdict(kind="noisy", said=said, evidence=evidence)
    if how.state == "falling":
        said = Said("verdict.still_learning", {**args, "share": how.share})
        return Verdict(kind="still_learning", said=said, evidence=evidence)
    if how.state == "unclear":
        noisy = Said("verdict.noisy", {"name": judge.name, "noise": how.late.scatter * scale})
        return Verdict(kind="noisy", said=noisy, evidence=evidence)
    return Verdict(kind="converged", said=_flat(train, whole, judge, how, seen, args), evidence=evidence)


def _flat(train: _Loss, whole: Course, judge: _Loss, how: Course, seen: Course | None, args: Args) -> Said:
    if judge is not train and whole.state == "falling":
        return Said("verdict.validation_flat", {**args, "train": train.name})
    if seen and seen.state == "unclear":
        return Said("verdict.converged_unseen", args)
    fell = how.start - how.end > max(0.02 * abs(how.start), 2 * how.late.error)
    return Said("verdict.converged" if fell else "verdict.never_fell", args)


def _figures(side: str, how: Course, scale: float) -> dict[str, float]:
    return {
        f"{side}_start": how.start * scale,
        f"{side}_end": how.end * scale,
        f"{side}_slope": how.late.slope * scale,
        f"{side}_late_share": how.share,
        f"{side}_noise": how.late.scatter * scale,
    }
