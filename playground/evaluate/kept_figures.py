"""Figures that take seconds to work out, of ten thousand answers, kept with the sweep that they are of."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from playground.errors import StoreError
from playground.store import Store

log = logging.getLogger("playground")


@dataclass(frozen=True, slots=True)
class KeptFigures:
    """A sweep's, of its outcomes as `stamp` says they are. A store that fails costs the time, and nothing else."""

    store: Store
    sweep: str
    stamp: str

    def read(self, about: str) -> str | None:
        try:
            return self.store.figures.kept(self.sweep, about, self.stamp)
        except StoreError:
            return None

    def write(self, about: str, value: str) -> None:
        try:
            self.store.figures.keep(self.sweep, about, self.stamp, value)
        except StoreError as error:
            log.warning("The figures of a sweep were not kept. %s", error.message)


def stamp(store: Store, sweep: str, training: Sequence[str] = ()) -> str | None:
    """What changes whenever an outcome, a judge's opinion, a rating or a training text does; None where there is no
    such sweep. Blocks. Raises StoreError."""
    found = store.sweeps.stamp(sweep)
    if found is None:
        return None
    digest = hashlib.sha256()
    for text in training:
        digest.update(hashlib.sha256(text.encode("utf-8", "replace")).digest())
    return " ".join(map(str, (*found, store.ratings.stamp(sweep), digest.hexdigest()[:32])))
