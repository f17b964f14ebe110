"""A blind round: what the page may know before the vote, and whose answers they were after it.

The page is not sent what could tell: while columns answer, only how many have ended; then the answers in an order that
is chance's, without times, tokens, cost or thoughts. Whose they are is read from their runs when it is asked.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from playground import panel
from playground.deps import Deps
from playground.errors import refused
from playground.types import Run
from playground.ui import present
from playground.ui.comparing import LEAST, Column, settings

_CHANCE = random.SystemRandom()


def progress(columns: Sequence[Column]) -> dict[str, int]:
    """How many columns have ended, and of how many: not which."""
    return {"ended": sum(not column["busy"] for column in columns), "of": len(columns)}


def sealed(columns: Sequence[Column], *, stopped: bool) -> dict[str, Any]:
    """The end of a round: {columns}, those that answered in a random order, then the others with their place `at`.

    Where there is nothing to vote on, {columns, open}: all as they are. That is so of fewer than two answers, and of a
    round that was stopped, since the lengths of what had come tell who is fast.
    """
    told = [column for column in columns if column["text"]]
    if stopped or len(told) < LEAST:
        return {"columns": list(columns), "open": True}
    others = [{**column, "at": at} for at, column in enumerate(columns) if not column["text"]]
    return {"columns": [*map(_hidden, _CHANCE.sample(told, len(told))), *others]}


def _hidden(column: Column) -> Column:
    """Its text alone, and the run that its vote is for."""
    said = column["notice"]
    if said and "kind" in said:
        said = {"tone": said["tone"], "key": "compare_failed"}
    kept = {name: column[name] for name in ("text", "calls", "run", "busy")}
    return {**kept, "notice": said, "cells": [], "hidden": True}


def opened(deps: Deps, runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Whose answers these are, in their order: {model, params, answer} as a column of the page has them."""
    return [
        {
            "model": f"{run.endpoint}/{run.model}",
            "params": settings({}, panel.panel_values(run.request, run.mode)),
            "answer": _answer(deps, run),
        }
        for run in runs
    ]


def _answer(deps: Deps, run: Run) -> dict[str, Any]:
    cells = present.figures(run, kind=deps.client.kind_of(run.endpoint), price_as=deps.settings.price_as)
    said = present.answer(run.choices[0]) if run.choices else {"text": "", "reasoning": "", "calls": [], "finish": None}
    failed = {"tone": "error", "key": "notice_kept", "message": run.error} if run.error else None
    return {**said, "run": run.id, "busy": False, "notice": failed, "cells": cells}


def runs_of(deps: Deps, names: Sequence[str]) -> list[Run]:
    """The runs of a round. Raises InvalidRequest where one is no longer kept."""
    found = [deps.store.run(name) for name in names]
    whole = [run for run in found if run is not None]
    if len(whole) < len(found):
        raise refused("round_gone", param="runs")
    return whole
