"""The store's datasets as cases. What is changed is changed as it was seen, or not at all."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from playground.errors import InvalidRequest, refused
from playground.evaluate.dataset import MAX_NAME, Dataset, case_json, made, read_cases
from playground.store.datasets import Datasets

TRIES = 5
"""How often a change is made anew on what somebody else has written meanwhile."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A dataset of the store, as it was at that version."""

    id: str
    version: int
    dataset: Dataset


def load(datasets: Datasets, id: str) -> Kept:
    """Raises InvalidRequest where there is none of this id."""
    found = datasets.whole(id)
    if found is None:
        raise refused("dataset_gone", param="dataset")
    row, cases = found
    return Kept(id, row.version, made(row.name, list(read_cases(cases))))


def keep(datasets: Datasets, dataset: Dataset) -> Kept:
    """A new one in the store. Raises InvalidRequest where another has its name."""
    id = uuid.uuid4().hex
    return Kept(id, datasets.save(id, dataset.name, list(map(case_json, dataset.cases))), dataset)


def keep_anyway(datasets: Datasets, dataset: Dataset) -> Kept:
    """The same, under the next free name."""
    return keep(datasets, replace(dataset, name=free_name(datasets, dataset.name)))


def check_free(datasets: Datasets, names: Sequence[str]) -> None:
    """Raises InvalidRequest where a dataset has one of these names, or two of them are one."""
    taken = {row.name for row in datasets.listed()}
    for name in names:
        if name in taken:
            raise refused("dataset_name_taken", param="names", name=name)
        taken.add(name)


def free_name(datasets: Datasets, name: str) -> str:
    """`name`, or with a number behind it that no dataset has yet."""
    taken = {row.name for row in datasets.listed()}
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{name[: MAX_NAME - 8].rstrip()} ({number})"
    return free


def change(datasets: Datasets, kept: Kept, make: Callable[[Dataset], Dataset]) -> Kept:
    """What `make` makes of the dataset; made anew of what somebody else has written meanwhile."""
    for left in reversed(range(TRIES)):
        dataset = make(kept.dataset)
        try:
            version = datasets.save(kept.id, dataset.name, list(map(case_json, dataset.cases)), seen=kept.version)
        except InvalidRequest as error:
            if error.key != "error.dataset_changed" or not left:
                raise
            kept = load(datasets, kept.id)
        else:
            return Kept(kept.id, version, dataset)
    raise AssertionError
