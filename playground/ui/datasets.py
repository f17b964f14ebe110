"""The Datasets tab: test cases brought in, looked through, edited, split and taken out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import replace
from typing import Any

import gradio as gr

from playground.deps import Deps
from playground.errors import refused
from playground.evaluate import dataset_kept, dataset_out
from playground.evaluate.dataset import Case, made, split
from playground.evaluate.dataset_files import MAX_BYTES
from playground.ui import components, dataset_cases, dataset_import, present
from playground.ui.asking import Answer, Asked, answered, in_parts, language
from playground.ui.dataset_desk import Desk, Shelf, Trash, dataset_id, name_of, version_of
from playground.ui.dataset_rows import listed, looked, wanted
from playground.ui.events import ASKED, shown
from playground.ui.opening import Places
from playground.ui.visitor import theirs

PAGE = 50
PART = 200_000
"""Characters of a file that is handed over at a time."""

_MARKUP = """<div class="pg-datasets"><div class="pg-ds-side"></div><div class="pg-ds-main">
<div class="pg-notice" aria-live="polite" hidden></div><div class="pg-ds-undo" role="status" hidden></div>
<div class="pg-ds-import" hidden></div><div class="pg-ds-detail"></div></div>
<dialog class="pg-dialog"></dialog></div>"""


def build_datasets(deps: Deps) -> Callable[[Places], None]:
    """Lay the tab out; returns how it is wired to the rest of the page."""
    shelf = Shelf()
    view = components.component("datasets.js", _MARKUP, {}, most=MAX_BYTES, elem_id="pg-datasets")

    def wire(places: Places) -> None:
        async def on_ask(value: Any, who: gr.Request) -> tuple[Any, ...]:
            return await act(Desk(theirs(deps, who), shelf), value)

        async def on_export(value: Any, who: gr.Request) -> AsyncGenerator[Any]:
            async for part in exported(Desk(theirs(deps, who), shelf), value):
                yield part

        view.input(on_ask, view, [view, *places.all], **ASKED)
        view.submit(on_export, view, view, show_progress="hidden", api_visibility="private", concurrency_limit=4)

    return wire


async def act(desk: Desk, value: Any) -> tuple[Any, ...]:
    """Do what the tab asks; its value and the page's updates. Never raises."""
    return await answered(_ACTIONS, value, desk)


def _list(desk: Desk, asked: Asked) -> Answer:
    return {"datasets": listed(desk.datasets)}


def _look(desk: Desk, asked: Asked) -> Answer:
    """A page of the cases that are wanted, and what there is to say of all."""
    view, page = desk.view(dataset_id(asked)), asked.get("page")
    return {"look": looked(view, wanted(asked), page=page if type(page) is int else 0, size=PAGE)}


def _new(desk: Desk, asked: Asked) -> Answer:
    """One that begins with a case in which nothing stands."""
    dataset = made(name_of(asked.get("name")), [Case(id="1", prompt="")])
    kept = desk.put(replace(dataset, name=dataset_kept.free_name(desk.datasets, dataset.name)))
    return {"made": [kept.id], "edit": "1", "datasets": listed(desk.datasets)}


def _rename(desk: Desk, asked: Asked) -> Answer:
    desk.datasets.rename(dataset_id(asked), name_of(asked.get("name")), seen=version_of(asked))
    return {"changed": True, "datasets": listed(desk.datasets)}


def _copy(desk: Desk, asked: Asked) -> Answer:
    dataset = desk.view(dataset_id(asked)).kept.dataset
    kept = desk.put(replace(dataset, name=dataset_kept.free_name(desk.datasets, dataset.name)))
    return {"made": [kept.id], "datasets": listed(desk.datasets)}


def _remove(desk: Desk, asked: Asked) -> Answer:
    """The whole dataset; it can be brought back for as long as it is held."""
    kept = desk.view(dataset_id(asked)).kept
    desk.datasets.delete(kept.id, seen=version_of(asked))
    undo = desk.trash.put(Trash(kept.id, kept.dataset.name, tuple(enumerate(kept.dataset.cases)), whole=True), 1)
    said = {"undo": {"id": undo, "name": kept.dataset.name}, "removed": kept.id}
    return {**said, "datasets": listed(desk.datasets)}


def _split(desk: Desk, asked: Asked) -> Answer:
    """Two new datasets; the one that was split stays."""
    dataset = desk.view(dataset_id(asked)).kept.dataset
    ratio, seed = _ratio(asked, len(dataset)), asked.get("seed")
    if type(seed) is not int or not 0 <= seed < 2**31:
        raise refused("split_seed", param="seed")
    names = asked.get("names")
    given = names if isinstance(names, list) and len(names) == 2 else [None, None]
    called = [name_of(name) for name in given]
    dataset_kept.check_free(desk.datasets, called)
    parts = split(dataset, ratio=ratio, seed=seed, by_label=asked.get("by_label") is True)
    kept = [desk.put(replace(part, name=name)) for part, name in zip(parts, called, strict=True)]
    counts = [len(each.dataset) for each in kept]
    return {"made": [each.id for each in kept], "counts": counts, "datasets": listed(desk.datasets)}


def _ratio(asked: Asked, of: int) -> float:
    """The share of the second part, given as one or as a number of cases."""
    count, ratio = asked.get("count"), asked.get("ratio")
    if count is not None:
        if type(count) is not int or not 0 < count < of:
            raise refused("split_count", param="count", most=of - 1)
        return count / of
    if not isinstance(ratio, float) or not 0 < ratio < 1:
        raise refused("ratio", param="ratio")
    return ratio


_ACTIONS: dict[str, Callable[[Desk, Asked], Answer]] = {
    "list": _list,
    "look": _look,
    "new": _new,
    "rename": _rename,
    "copy": _copy,
    "remove": _remove,
    "split": _split,
    **dataset_cases.ACTIONS,
    **dataset_import.ACTIONS,
}


async def exported(desk: Desk, value: Any) -> AsyncGenerator[Any]:
    """A dataset as a file, in parts: {part, n, name, done}."""
    asked = value if isinstance(value, Mapping) else {}
    n, kind = asked.get("n"), asked.get("format")
    try:
        if kind not in ("jsonl", "csv"):
            raise refused("dataset_format", param="format")
        dataset = desk.view(dataset_id(asked)).kept.dataset
        write = dataset_out.to_csv if kind == "csv" else dataset_out.to_jsonl
        text = write(dataset).decode("utf-8")
        parts = (text[at : at + PART] for at in range(0, len(text), PART))
        async for part in in_parts(n, f"{_file_name(dataset.name)}.{kind}", parts):
            yield part
    except Exception as error:
        yield {"n": n, "notice": present.failure(shown(error), reader=language(asked))}


def _file_name(name: str) -> str:
    """What a dataset's file may be called on every system."""
    return "".join("_" if char in '<>:"/\\|?*' else char for char in name).strip(". ") or "dataset"
