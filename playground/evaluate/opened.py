"""The results that were looked at last, read once for as long as neither they nor their ratings change."""

from __future__ import annotations

import threading
from collections import OrderedDict

from playground.errors import InvalidRequest, refused
from playground.evaluate import kept_figures, stored
from playground.evaluate.results import Results, load
from playground.store import Store

KEPT = 3


class Opened:
    """Results by their sweep's id. May be called from any thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: OrderedDict[str, tuple[str, Results]] = OrderedDict()
        self._lock = threading.Lock()

    def results(self, id: str) -> Results:
        """The sweep's results as they are now. Blocks. Raises InvalidRequest where there is none; StoreError."""
        stamp = kept_figures.stamp(self._store, id)
        if stamp is None:
            raise refused("no_sweep", param="sweep", id=id[:40])
        with self._lock:
            kept = self._kept.get(id)
            if kept is not None and kept[0] == stamp:
                self._kept.move_to_end(id)
                return kept[1]
        found = load(self._store, id, training=self._training(id))
        with self._lock:
            self._kept[id] = stamp, found
            self._kept.move_to_end(id)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return found

    def _training(self, id: str) -> list[str]:
        """What a model was trained on, where that is still kept: without it some figures are missing."""
        sweep = self._store.sweeps.sweep(id)
        try:
            return stored.training(self._store, sweep.spec.get("training")) if sweep else []
        except InvalidRequest:
            return []
