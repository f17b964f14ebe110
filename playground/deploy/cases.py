"""Regression cases: cases.json. Each says what of the frozen request it changes, and what answer it expects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from playground.deploy.frozen import Frozen
from playground.errors import refused
from playground.evaluate.dataset import Case, Dataset, check_fits
from playground.evaluate.metrics.build import MetricSpec, read_metrics
from playground.types import CompletionRequest

CHECKS = ("exact_match", "contains", "regex", "json_schema")
"""The metrics that a bundle has in it: those that need nothing but the answer and its case."""
DEFAULT = "contains"
MOST = 1_000
"""Cases of a bundle: each is a request that is paid for at every run of its tests."""
_FIRST = ("system", "developer")


def read_check(given: Any) -> MetricSpec:
    """One metric, as a spec names them. Raises InvalidRequest."""
    found = read_metrics(DEFAULT if given is None else given)
    if len(found) != 1 or found[0].kind not in CHECKS:
        raise refused("deploy_metric", param="metric", known=", ".join(CHECKS))
    return found[0]


def read_at_least(share: float) -> float:
    """The share of cases that has to pass. Raises InvalidRequest for what is none."""
    if not 0 < share <= 1:
        raise refused("deploy_at_least", param="at_least")
    return share


def cases_json(
    frozen: Frozen, dataset: Dataset | None, *, check: MetricSpec | None = None, at_least: float = 1.0
) -> dict[str, Any]:
    """cases.json. Without a dataset the one case is the preset itself with its own values, of which only an answer is
    expected.

    Raises InvalidRequest where the cases lack a variable, or none can be asked.
    """
    chosen = read_check(None) if check is None else check
    cases = _own(frozen) if dataset is None else _of(frozen, dataset)
    return {"check": {"kind": chosen.kind, "options": dict(chosen.options)}, "at_least": at_least, "cases": cases}


def _own(frozen: Frozen) -> list[dict[str, Any]]:
    """The preset as it is, where it has a value for each of its variables."""
    complete = all(frozen.variables.values())
    return [{"id": "preset", "variables": dict(frozen.variables)}] if complete else []


def _of(frozen: Frozen, dataset: Dataset) -> list[dict[str, Any]]:
    if len(dataset) > MOST:
        raise refused("deploy_cases", param="cases", count=len(dataset), most=MOST)
    found = []
    for case in dataset.cases:
        said = _case(frozen, case)
        found.append(said)
        filled = Case(id=case.id, variables={**frozen.variables, **said["variables"]})
        check_fits(Dataset(dataset.name, (filled,)), _left(frozen, said))
    return found


def _left(frozen: Frozen, said: Mapping[str, Any]) -> dict[str, Any]:
    """What is left of the frozen prompt or messages, as answer.py sends the case."""
    frozen_messages = frozen.written.get("messages")
    if frozen_messages is None:
        return {} if "text" in said else frozen.written
    if "messages" in said:
        own = any(message["role"] in _FIRST for message in said["messages"])
        return {"messages": [] if own else [each for each in frozen_messages if each["role"] in _FIRST]}
    replaced = "text" in said and frozen_messages[-1]["role"] == "user"
    return {"messages": frozen_messages[:-1] if replaced else frozen_messages}


def _case(frozen: Frozen, case: Case) -> dict[str, Any]:
    completing = isinstance(frozen.request, CompletionRequest)
    if case.messages is not None and completing:
        raise refused("deploy_messages", param="cases", id=case.id)
    values = _values(frozen, case)
    text = case.prompt if case.prompt is not None and "prompt" not in frozen.variables else None
    if case.messages is None and text is None and not values:
        raise refused("deploy_case", param="cases", id=case.id, variables=", ".join(frozen.variables) or "–")
    said: dict[str, Any] = {
        "id": case.id,
        "variables": values,
        "text": text,
        "messages": None if case.messages is None else [dict(message) for message in case.messages],
        "expected": case.expected,
        "tags": list(case.tags) or None,
    }
    return {name: value for name, value in said.items() if value is not None}


def _values(frozen: Frozen, case: Case) -> Mapping[str, str]:
    return {name: text for name, text in case.values.items() if name in frozen.variables}
