"""Datasets and their cases as the page shows them: plain JSON, long texts cut."""

from __future__ import annotations

from typing import Any

from playground.evaluate.dataset import Case
from playground.evaluate.dataset_view import ONLY, SORTS, View, Wanted, asked
from playground.store.datasets import Datasets
from playground.ui.asking import Asked
from playground.unicode import well_formed

CUT = 300
"""Characters of a text in a row."""
SHOWN = 6
"""Variables of a case in a row."""


def listed(datasets: Datasets) -> list[dict[str, Any]]:
    """Every dataset, the newest first."""
    return [
        {"id": row.id, "name": row.name, "count": row.count, "at": row.updated_at.isoformat()}
        for row in datasets.listed()
    ]


def wanted(asked: Asked) -> Wanted:
    """What the page's fields say; what they cannot say is nothing."""
    text, tag, label = (asked.get(name) for name in ("text", "tag", "label"))
    only, sort = asked.get("only"), asked.get("sort")
    return Wanted(
        text=well_formed(text[:1_000]) if isinstance(text, str) else "",
        tag=tag if isinstance(tag, str) else "",
        label=label if isinstance(label, str) else None,
        only=next((each for each in ONLY if each == only), ""),
        sort=next((each for each in SORTS if each == sort), "order"),
    )


def looked(view: View, what: Wanted, *, page: int, size: int) -> dict[str, Any]:
    """A page of the cases, the last one there is where there are fewer."""
    places, facts = view.found(what), view.facts
    pages = max(1, -(-len(places) // size))
    page = min(max(0, page), pages - 1)
    return {
        "id": view.kept.id,
        "name": view.kept.dataset.name,
        "seen": view.kept.version,
        "found": len(places),
        "page": page,
        "pages": pages,
        "size": size,
        "rows": [row(view, at) for at in places[page * size : (page + 1) * size]],
        "facts": {
            "count": facts.count,
            "expected": facts.expected,
            "variables": [*facts.variables.items()][: SHOWN * 4],
            "tags": sorted(facts.tags.items(), key=lambda each: -each[1])[:100],
            "labels": [*facts.labels.items()],
            "duplicate": facts.duplicates,
            "conflict": facts.conflicts,
            "empty": facts.empty,
        },
    }


def row(view: View, at: int) -> dict[str, Any]:
    """A case as a list shows it."""
    case = view.cases[at]
    is_variables = case.prompt is None and not case.messages
    marks = {"duplicate": view.duplicate, "conflict": view.conflict, "empty": view.empty}
    return {
        "id": case.id,
        "place": at + 1,
        "asked": "" if is_variables else cut(asked(case)),
        "turns": len(case.messages or ()),
        "variables": [[name, cut(value)] for name, value in [*case.variables.items()][:SHOWN]],
        "more": max(0, len(case.variables) - SHOWN),
        "expected": None if case.expected is None else cut(case.expected),
        "tags": list(case.tags),
        "marks": [name for name, places in marks.items() if at in places],
    }


def cut(text: str) -> str:
    return text if len(text) <= CUT else text[: CUT - 1] + "…"


def preview(cases: tuple[Case, ...]) -> list[dict[str, Any]]:
    """The first of the cases that a file would become."""
    return [
        {
            "id": case.id,
            "asked": cut(asked(case)) if case.prompt is not None or case.messages else "",
            "variables": [[name, cut(value)] for name, value in [*case.variables.items()][:SHOWN]],
            "expected": None if case.expected is None else cut(case.expected),
            "tags": list(case.tags),
        }
        for case in cases
    ]
