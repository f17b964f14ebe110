"""A sweep as the page shows it: its row in the list, how far it is, what it may cost. Data in, plain JSON out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from playground.evaluate.judging import Standing
from playground.evaluate.plan import Plan
from playground.evaluate.plan_cost import PlanEstimate
from playground.evaluate.table import is_evaluation
from playground.evaluate.work import Ongoing, Progress
from playground.pricing import batch_terms, format_money
from playground.store import Output, SweepRow
from playground.words import Language, Said

LATEST = 6
"""Answers that are shown while others come."""
SHORT = 300
"""Characters of an answer in a list."""


def row(
    sweep: SweepRow, reader: Language, live: tuple[Ongoing, Progress] | None = None, judged: Standing | None = None
) -> dict[str, Any]:
    """A sweep in the list, and how far it is, `judged` being its judges' part. `here`: this process runs it, and can
    pause or stop it."""
    judging = judged is not None and sweep.state == "done" and judged.state != "done"
    said = {
        "id": sweep.id,
        "name": sweep.name,
        "created": sweep.created_at.timestamp(),
        "state": _state(judged) if judged and judging else sweep.state,
        "here": live is not None,
        "calls": sweep.calls,
        "cells": len(sweep.cells),
        "evaluation": is_evaluation(sweep.spec),
        "batch": sweep.spec.get("batch") is True,
        "done": sweep.done,
        "failed": sweep.failed,
        "spent": format_money(sweep.spent + (judged.spent if judged else 0)),
        "budget": money(sweep.spec.get("budget")),
        "why": _why(judged.why if judged and judging else sweep.why, reader),
        "judges": judged and {"calls": judged.calls, "done": judged.done, "failed": judged.failed},
    }
    return said if live is None else {**said, **_live(*live, reader)}


def _state(judged: Standing) -> str:
    """Judges that were not begun wait, as if somebody had paused the sweep."""
    return "paused" if judged.state == "ready" else judged.state


def _live(running: Ongoing, progress: Progress, reader: Language) -> dict[str, Any]:
    return {
        "state": progress.state,
        **_counts(progress),
        "running": progress.running,
        "spent": format_money(progress.spent),
        "budget": None if progress.budget is None else format_money(progress.budget),
        "elapsed": progress.elapsed,
        "eta": progress.eta,
        "limit": progress.limit,
        "held": progress.held,
        "batches": progress.batches and progress.batches.text(reader),
        "why": progress.why and progress.why.text(reader),
        "latest": [_latest(running, each) for each in reversed(progress.latest[-LATEST:])],
    }


def _counts(progress: Progress) -> dict[str, Any]:
    """How many of what is asked now: answers, or a judge's opinions."""
    counts = {"done": progress.done, "failed": progress.failed}
    if progress.judge is None:
        return counts
    return {"judges": {**counts, "calls": progress.calls, "name": progress.judge}}


def _latest(running: Ongoing, output: Output) -> dict[str, Any]:
    return {
        "number": output.number,
        "name": running.plan.cells[output.cell].name,
        "case": running.plan.cases[output.row].id,
        "status": output.status,
        "text": (output.error or output.answer)[:SHORT],
    }


def estimate(plan: Plan, found: PlanEstimate, reader: Language, judges: Sequence[Plan] = ()) -> dict[str, Any]:
    """What a plan and its judges are going to do, before they do it. Costs None: not known; `free`: all on this
    machine."""
    free = all(cell.kind == "engine" for each in (plan, *judges) for cell in each.cells)
    return {
        "calls": found.calls,
        "cells": len(plan.cells),
        "cases": len(plan.cases),
        "repeats": plan.spec.repeats,
        "concurrency": plan.spec.concurrency,
        "judged": found.judged,
        "exact": found.exact,
        "free": free,
        "expected": None if found.expected is None else format_money(found.expected),
        "worst": None if found.worst is None else format_money(found.worst),
        "budget": None if plan.spec.budget is None else format_money(plan.spec.budget),
        "seconds": found.seconds,
        "worst_seconds": found.worst_seconds,
        "notes": [note.text(reader) for note in plan.notes],
        "batch": _batch(plan) if plan.spec.batch else None,
    }


def _batch(plan: Plan) -> dict[str, Any]:
    """What a batch's price is: lower by `discount`, a share, where OpenAI is asked."""
    asked = any(cell.kind == "openai" for cell in plan.cells)
    terms = batch_terms()
    return {"discount": float(terms["discount"]), "as_of": terms["as_of"]} if asked else {}


def money(amount: Any) -> str | None:
    return None if amount is None else format_money(Decimal(str(amount)))


def _why(told: Mapping[str, Any] | None, reader: Language) -> str | None:
    """Why it rests, in the reader's language; None for what an earlier version may have called otherwise."""
    if told is None:
        return None
    try:
        return Said(told["key"], told["args"]).text(reader)
    except (KeyError, TypeError):
        return None
