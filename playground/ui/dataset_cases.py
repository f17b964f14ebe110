"""The Datasets tab's cases: one looked at, written, doubled; several deleted and brought back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from playground.errors import refused
from playground.evaluate import dataset_kept
from playground.evaluate.dataset import MAX_CASES, Case, Dataset, case_json, digest, made, read_case
from playground.ui.asking import Answer, Asked
from playground.ui.dataset_desk import Desk, Trash, dataset_id, version_of
from playground.ui.dataset_rows import listed, wanted


def _case(desk: Desk, asked: Asked) -> Answer:
    """A case with all of its texts, and what tells it from what it may become meanwhile."""
    case = _find(desk.view(dataset_id(asked)).kept.dataset, asked.get("id"))
    return {"case": case_json(case), "was": digest(case)}


def _find(dataset: Dataset, id: Any) -> Case:
    found = next((case for case in dataset.cases if case.id == id), None)
    if found is None:
        raise refused("case_gone", param="id")
    return found


class _Changed(Exception):
    """Somebody else has changed the case since it was seen."""

    def __init__(self, theirs: Case) -> None:
        super().__init__()
        self.theirs = theirs


def _put(desk: Desk, asked: Asked) -> Answer:
    """Write a case in the place of the one that was seen, or a new one at the end.

    One that somebody else has changed since is not written over: what it is now comes back as `theirs`.
    """
    wrote: list[str] = []

    def make(dataset: Dataset) -> Dataset:
        cases = [*dataset.cases]
        if asked.get("id") is None:
            case = _named(read_case(asked.get("case"), len(cases) + 1), asked, free_id(cases))
            cases.append(case)
        else:
            before = _find(dataset, asked.get("id"))
            at = cases.index(before)
            case = cases[at] = _named(read_case(asked.get("case"), at + 1), asked, before.id)
            if digest(before) not in (asked.get("was"), digest(case)):
                raise _Changed(before)
        wrote[:] = [case.id]
        return made(dataset.name, cases)

    try:
        desk.change(dataset_id(asked), make)
    except _Changed as changed:
        return {"theirs": case_json(changed.theirs), "was": digest(changed.theirs)}
    return {"changed": True, "wrote": wrote[0], "datasets": listed(desk.datasets)}


def _named(case: Case, asked: Asked, id: str) -> Case:
    """With `id` where the page gave it none."""
    given = asked.get("case")
    return case if isinstance(given, Mapping) and given.get("id") else replace(case, id=id)


def free_id(cases: Sequence[Case]) -> str:
    """The next number that no case has as its id."""
    known, number = {case.id for case in cases}, len(cases) + 1
    while str(number) in known:
        number += 1
    return str(number)


def _double(desk: Desk, asked: Asked) -> Answer:
    """A case once more, right behind it, to be changed."""
    made_id: list[str] = []

    def make(dataset: Dataset) -> Dataset:
        case = _find(dataset, asked.get("id"))
        place, again = dataset.cases.index(case) + 1, replace(case, id=free_id(dataset.cases))
        made_id[:] = [again.id]
        return made(dataset.name, [*dataset.cases[:place], again, *dataset.cases[place:]])

    desk.change(dataset_id(asked), make)
    return {"changed": True, "edit": made_id[0], "datasets": listed(desk.datasets)}


def _drop(desk: Desk, asked: Asked) -> Answer:
    """Delete cases by their ids, or all that a filter finds, of the version that was seen."""
    view, seen = desk.view(dataset_id(asked)), version_of(asked)
    if view.kept.version != seen:
        raise refused("dataset_changed", param="seen")
    ids = asked.get("ids")
    if ids == "found":
        places = set(view.found(wanted(asked)))
    elif isinstance(ids, list) and all(isinstance(id, str) for id in ids) and len(ids) <= MAX_CASES:
        chosen = set(ids)
        places = {at for at, case in enumerate(view.cases) if case.id in chosen}
    else:
        places = set()
    if not places:
        raise refused("no_case_chosen", param="ids")
    if len(places) == len(view.cases):
        raise refused("last_case", param="ids")
    gone = tuple((at, view.cases[at]) for at in sorted(places))
    away = {case.id for _, case in gone}

    def make(dataset: Dataset) -> Dataset:
        if dataset is not view.kept.dataset:
            raise refused("dataset_changed", param="seen")
        return dataset.without(away)

    desk.change(view.kept.id, make)
    undo = desk.trash.put(Trash(view.kept.id, view.kept.dataset.name, gone), len(gone))
    return {"changed": True, "undo": {"id": undo, "count": len(gone)}, "datasets": listed(desk.datasets)}


def _restore(desk: Desk, asked: Asked) -> Answer:
    """Bring back what was deleted: cases to their places, or the whole dataset under its name or the next free one."""
    gone = desk.trash.get(asked.get("undo"))
    if gone.whole:
        if desk.datasets.row(gone.dataset) is None:
            name = dataset_kept.free_name(desk.datasets, gone.name)
            desk.datasets.save(gone.dataset, name, [case_json(case) for _, case in gone.cases])
    else:
        desk.change(gone.dataset, lambda dataset: _with(dataset, gone.cases))
    desk.trash.forget(asked.get("undo"))
    return {"changed": True, "restored": gone.dataset, "datasets": listed(desk.datasets)}


def _with(dataset: Dataset, gone: Sequence[tuple[int, Case]]) -> Dataset:
    """With cases at the places where they stood; one whose id is another's by now gets a number."""
    rest, cases, known = iter(dataset.cases), list[Case](), {case.id for case in dataset.cases}
    number = len(dataset)
    for at, case in gone:
        cases += islice(rest, max(0, at - len(cases)))
        while case.id in known:
            number += 1
            case = replace(case, id=str(number))
        known.add(case.id)
        cases.append(case)
    return made(dataset.name, [*cases, *rest])


ACTIONS: dict[str, Callable[[Desk, Asked], Answer]] = {
    "case": _case,
    "put": _put,
    "double": _double,
    "drop": _drop,
    "restore": _restore,
}
