"""The Datasets tab's way in: a file is read, its columns are told by their names or by the person, then it is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from playground.errors import PlaygroundError, refused
from playground.evaluate import dataset_kept
from playground.evaluate.dataset_files import MAX_BYTES, Columns, Source, called, guess, read_source
from playground.ui import present
from playground.ui.asking import Answer, Asked, language
from playground.ui.dataset_desk import Desk, name_of
from playground.ui.dataset_rows import cut, listed, preview
from playground.ui.uploads import dropped

ROLES = ("variable", "prompt", "messages", "expected", "tags", "id", "ignored")
SAMPLES = 2
"""Cells of a column, and cases, that the person sees before anything is kept."""


def _take(desk: Desk, asked: Asked) -> Answer:
    name, data = dropped(asked.get("file"), most=MAX_BYTES)
    source = read_source(data, name)
    id = desk.sources.put(source, 4 * len(data))
    free = dataset_kept.free_name(desk.datasets, called(name))
    return {"source": {**_told(source, guess(source.columns), asked), "id": id, "file": name, "name": free}}


def _columns(desk: Desk, asked: Asked) -> Answer:
    """The same file with its columns as the person says they are."""
    source = desk.sources.get(asked.get("id"))
    return {"source": {**_told(source, _roles(asked), asked), "id": asked.get("id")}}


def _told(source: Source, roles: Columns, asked: Asked) -> dict[str, Any]:
    told = {
        "count": len(source),
        "columns": [
            {"name": name, "role": _role(roles, name), "cells": [cut(cell) for cell in source.cells(name, SAMPLES)]}
            for name in source.columns
        ],
        "notes": [note.text(language(asked)) for note in source.notes],
        "cases": [],
        "wrong": None,
    }
    try:
        return {**told, "cases": preview(source.loaded(roles).dataset.cases[:SAMPLES])}
    except PlaygroundError as error:
        # The columns may be what is wrong: they can be told anew.
        return {**told, "wrong": present.failure(error, reader=language(asked))}


def _role(roles: Columns, name: str) -> str:
    if name in roles.ignored:
        return "ignored"
    own = ("prompt", "messages", "expected", "tags", "id")
    return next((role for role in own if getattr(roles, role) == name), "variable")


def _roles(asked: Asked) -> Columns:
    """What the page says of each column. Raises InvalidRequest where two are to be one thing."""
    given = asked.get("columns")
    said = given if isinstance(given, Mapping) else {}
    found: dict[str, str] = {}
    for name, role in said.items():
        if role not in ROLES or not isinstance(name, str):
            raise refused("column_role", param="columns", known=", ".join(ROLES))
        if role in found and role not in ("variable", "ignored"):
            raise refused("column_twice", param="columns", first=found[role][:40], second=name[:40])
        found[role] = name
    own = {role: name for role, name in found.items() if role not in ("variable", "ignored")}
    return Columns(**own, ignored=tuple(name for name, role in said.items() if role == "ignored"))


def _import(desk: Desk, asked: Asked) -> Answer:
    source = desk.sources.get(asked.get("id"))
    dataset = replace(source.loaded(_roles(asked)).dataset, name=name_of(asked.get("name")))
    kept = desk.put(dataset)
    desk.sources.forget(asked.get("id"))
    return {"made": [kept.id], "counts": [len(dataset)], "imported": True, "datasets": listed(desk.datasets)}


ACTIONS: dict[str, Callable[[Desk, Asked], Answer]] = {"take": _take, "columns": _columns, "import": _import}
