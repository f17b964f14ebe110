"""What the Datasets tab works on: the store's datasets, read once a version; files, and what was deleted."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from playground.deps import Deps
from playground.errors import refused
from playground.evaluate import dataset_kept
from playground.evaluate.dataset import MAX_CASES, MAX_NAME, Case, Dataset
from playground.evaluate.dataset_files import Source
from playground.evaluate.dataset_kept import Kept
from playground.evaluate.dataset_view import View
from playground.store.datasets import Datasets
from playground.ui.asking import Asked
from playground.ui.events import is_id
from playground.ui.uploads import Held
from playground.unicode import well_formed

HELD = 2 * MAX_CASES
"""Cases of datasets that are kept in memory because somebody looks through them."""


@dataclass(frozen=True, slots=True)
class Trash:
    """Cases that were deleted, with their places; or the `whole` dataset."""

    dataset: str
    name: str
    cases: tuple[tuple[int, Case], ...]
    whole: bool = False


class Shelf:
    """What is held for all visits: files and what was deleted, by ids that nobody can guess, and datasets as they were
    read."""

    def __init__(self) -> None:
        self.sources: Held[Source] = Held()
        self.trash: Held[Trash] = Held(HELD)
        self._views: OrderedDict[str, View] = OrderedDict()
        self._lock = threading.Lock()

    def view(self, id: str) -> View | None:
        return self._views.get(id)

    def remember(self, view: View) -> View:
        with self._lock:
            self._views[view.kept.id] = view
            self._views.move_to_end(view.kept.id)
            while len(self._views) > 1 and sum(len(each.cases) for each in self._views.values()) > HELD:
                self._views.popitem(last=False)
        return view


class Desk:
    """What an account works on: whatever is asked of a dataset, its own store is asked first."""

    def __init__(self, deps: Deps, shelf: Shelf) -> None:
        self.deps, self._shelf = deps, shelf
        self.sources, self.trash = shelf.sources, shelf.trash

    @property
    def datasets(self) -> Datasets:
        return self.deps.store.datasets

    def view(self, id: str) -> View:
        """The dataset as it is now. Raises InvalidRequest where there is none of this id."""
        row = self.datasets.row(id)
        if row is None:
            raise refused("dataset_gone", param="dataset")
        view = self._shelf.view(id)
        if view is None or view.kept.version != row.version:
            view = View(dataset_kept.load(self.datasets, id))
        return self._shelf.remember(view)

    def change(self, id: str, make: Callable[[Dataset], Dataset]) -> Dataset:
        """Change the dataset as `dataset_kept.change` does."""
        before = self.view(id)
        kept = dataset_kept.change(self.datasets, before.kept, make)
        self._shelf.remember(View(kept, before))
        return kept.dataset

    def put(self, dataset: Dataset) -> Kept:
        """A new dataset, which is looked at next. Raises InvalidRequest where another has its name."""
        return self._shelf.remember(View(dataset_kept.keep(self.datasets, dataset))).kept


def dataset_id(asked: Asked) -> str:
    id = asked.get("dataset")
    if not is_id(id):
        raise refused("dataset_gone", param="dataset")
    return id


def version_of(asked: Asked) -> int:
    """The version that the person has seen."""
    seen = asked.get("seen")
    if type(seen) is not int or not 0 <= seen < 2**63:
        raise refused("dataset_changed", param="seen")
    return seen


def name_of(value: Any) -> str:
    """A dataset's name from outside. Raises InvalidRequest."""
    name = well_formed(value).strip() if isinstance(value, str) else ""
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise refused("dataset_name", param="name", most=MAX_NAME)
    return name
