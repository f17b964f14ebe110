"""What is kept under a name: test cases, and what a model was trained on. No file is ever read."""

from __future__ import annotations

from playground.errors import refused
from playground.evaluate.dataset import Dataset, made, read_cases
from playground.store import Store


def dataset(store: Store, name: str | None, param: str = "dataset") -> Dataset | None:
    """The dataset of this name; None for no name. Blocks. Raises InvalidRequest where there is none."""
    if name is None:
        return None
    id = store.datasets.named(name)
    found = None if id is None else store.datasets.cases(id)
    if found is None:
        raise refused("no_dataset", param=param, name=name[:80])
    return made(found[0], list(read_cases(found[1])))


def training(store: Store, name: str | None) -> list[str]:
    """The texts that a model was trained on: the expected answers of the dataset of that name."""
    found = dataset(store, name, "training")
    return [case.expected for case in found.cases if case.expected and case.expected.strip()] if found else []
