"""Outputs by pages: those of some cells, of a status, with a text, with a score in a range; in an order."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from playground.errors import refused
from playground.evaluate.results import Measure, Results, value_of
from playground.store import Output

PAGE = 50
"""Outputs of a page."""
STATUSES = ("done", "failed", "stopped")
ORDERS = ("number", "cell", "case")
LONGEST = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which outputs, in which order. `cells` empty: of all; `low` and `high` are of `measure`; `sort` is a measure or
    one of ORDERS; `page` counts from 0."""

    cells: frozenset[int] = frozenset()
    status: str | None = None
    text: str = ""
    measure: Measure | None = None
    low: float | None = None
    high: float | None = None
    sort: str = "number"
    descending: bool = False
    page: int = 0

    @classmethod
    def read(cls, results: Results, given: Mapping[str, Any]) -> Wanted:
        """From a page. Raises InvalidRequest for what cannot be meant."""
        cells, status, text = given.get("cells") or [], given.get("status") or None, given.get("text") or ""
        score, sort, at = given.get("score") or {}, given.get("sort") or "number", given.get("page") or 0
        whole = isinstance(cells, Sequence) and all(type(each) is int for each in cells)
        if (
            not whole
            or (status is not None and status not in STATUSES)
            or not isinstance(text, str)
            or len(text) > LONGEST
            or not isinstance(score, Mapping)
            or not isinstance(sort, str)
            or type(at) is not int
            or at < 0
        ):
            raise refused("outputs_wanted")
        measure = results.measure(str(score["measure"])) if score.get("measure") else None
        if sort not in ORDERS:
            results.measure(sort)
        return cls(
            cells=frozenset(cells),
            status=status,
            text=text.casefold(),
            measure=measure,
            low=_number(score.get("low")),
            high=_number(score.get("high")),
            sort=sort,
            descending=given.get("descending") is True,
            page=at,
        )


def page(results: Results, wanted: Wanted) -> tuple[list[Output], int, int]:
    """One page's outputs, how many match in all, and which page it is: the last one, for a page beyond it."""
    found = [output for at, output in enumerate(results.outputs) if _matches(results, at, output, wanted)]
    if wanted.sort != "number" or wanted.descending:
        key = _order(results, wanted.sort)
        # What has no figure comes last, whichever the order.
        there = [output for output in found if key(output) is not None]
        there.sort(key=key, reverse=wanted.descending)
        found = [*there, *(output for output in found if key(output) is None)]
    at = min(wanted.page, max(0, (len(found) - 1) // PAGE))
    return found[at * PAGE : (at + 1) * PAGE], len(found), at


def _matches(results: Results, at: int, output: Output, wanted: Wanted) -> bool:
    if wanted.cells and output.cell not in wanted.cells:
        return False
    if wanted.status is not None and output.status != wanted.status:
        return False
    if wanted.measure is not None and (wanted.low is not None or wanted.high is not None):
        value = value_of(output, wanted.measure)
        low, high = wanted.low, wanted.high
        if value is None or (low is not None and value < low) or (high is not None and value > high):
            return False
    return not wanted.text or wanted.text in results.folded[at]


def _order(results: Results, sort: str) -> Callable[[Output], Any]:
    if sort == "number":
        return lambda output: output.number
    if sort == "cell":
        return lambda output: (output.cell, output.row, output.repeat)
    if sort == "case":
        return lambda output: (output.row, output.cell, output.repeat)
    measure = results.measure(sort)
    return lambda output: value_of(output, measure)


def _number(given: Any) -> float | None:
    if given is None or given == "":
        return None
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
        raise refused("outputs_wanted")
    return float(given)
