"""A sweep of two systems whose answers people can rate, put into a real store."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from playground.evaluate import rating
from playground.store import Output, Store

MODELS = ("server/secret-alpha", "server/secret-beta")
CASES = [{"id": f"c{at}", "variables": {"q": f"question {at}"}, "expected": f"expected {at}"} for at in range(12)]
REPEATS = 2


def put_sweep(store: Store, id: str = "rated", *, state: str = "done", **changes: Any) -> str:
    """12 cases × 2 systems × 2 repeats, numbered as a plan numbers them; `answers` may replace some by number."""
    answers: Mapping[int, str] = changes.pop("answers", {})
    failed: frozenset[int] = changes.pop("failed", frozenset())
    cells = [
        {"name": f"{model}, temperature {at}", "model": model, "preset": None, "parameters": {}, "varied": {}}
        for at, model in enumerate(MODELS)
    ]
    spec = {"models": list(MODELS), "prompt": "Answer: {{q}}", "repeats": REPEATS, "metrics": ["exact_match"]}
    about = {"name": "capitals", "fingerprint": "f", "calls": 48, "spec": spec, "cells": cells, "cases": CASES}
    store.sweeps.create(id, **{**about, **changes})
    outputs = []
    for number in range(48):
        rest, cell = divmod(number, 2)
        repeat, row = divmod(rest, len(CASES))
        outputs.append(
            Output(
                number=number,
                cell=cell,
                row=row,
                repeat=repeat,
                status="failed" if number in failed else "done",
                answer=answers.get(number, f"{'A' if cell else 'One'} answer to question {row}"),
                beside={"reasoning": "I am secret-alpha"},
                scores={"exact_match": 0.0},
            )
        )
    store.sweeps.keep(id, outputs, spent=Decimal(0), reserved=Decimal(0))
    store.sweeps.let_go(id, state)  # type: ignore[arg-type]
    return id


def rate_all(store: Store, sweep: str, rater: str, grades: Any, **queue: Any) -> None:
    """Somebody's whole queue; `grades(place, criterion)` is what they give."""
    at = rating.join(store, sweep, rater, rating.Queue(**queue))
    for place in at.places:
        given = {name: grades(place, name) for name in at.queue.criteria}
        rating.grade(store, at, at.key(place), given)
