"""Datasets that other tabs make: of History's runs, of a training set's validation half, of a job's validation file."""

from __future__ import annotations

from typing import Any

from playground.deps import Deps
from playground.evaluate import dataset_kept
from playground.evaluate.dataset_files import Loaded
from playground.parameters import escape
from playground.words import Language


def kept(deps: Deps, loaded: Loaded, reader: Language) -> dict[str, Any]:
    """Keep it under its name, or the next free one; what the script tells of it (dataset_made.js)."""
    made = dataset_kept.keep_anyway(deps.store.datasets, loaded.dataset)
    return {
        "kept": {
            "id": made.id,
            "name": made.dataset.name,
            "count": len(made.dataset),
            "stop": escape(loaded.stop),
            "notes": [note.text(reader) for note in loaded.notes],
        }
    }
