"""A job's checkpoints: `checkpoints/step-N/` with the adapter that is served and all that is needed to go on exactly.

A checkpoint is whole or not there: it is written under another name, flushed to the disk and renamed.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from playground.engine.training import lora
from playground.engine.training.base import Arrays
from playground.engine.training.errors import TrainingError

FOLDER, ADAPTER, STATE = "checkpoints", "adapter.gguf", "state.npz"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_UNREADABLE = (OSError, ValueError, LookupError, TypeError, EOFError, zipfile.BadZipFile)


@dataclass(frozen=True, slots=True)
class Position:
    """Where a job stands. `step` steps are done, but for its validation if `unfinished` (a stop came in the middle);
    `last` has that step's own values. `best` is the lowest full validation loss, `fruitless` how many came after it."""

    step: int = 0
    trained_tokens: int = 0
    best: float | None = None
    fruitless: int = 0
    unfinished: bool = False
    last: dict[str, float] | None = None


def save(job: Path, position: Position, state: Arrays, adapter: Arrays, *, alpha: float, architecture: str) -> None:
    """Raises TrainingError, disk_full: then the last whole checkpoint is as it was."""
    folder = job / FOLDER
    whole, half = folder / f"step-{position.step}", folder / f".step-{position.step}.tmp"
    try:
        folder.mkdir(exist_ok=True)
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir()
        lora.write(half / ADAPTER, adapter, alpha, architecture)
        with (half / STATE).open("wb") as file:
            np.savez(file, allow_pickle=False, position=np.array(json.dumps(asdict(position))), **state)
        for name in (ADAPTER, STATE):
            _flush(half / name)
        if whole.exists():
            # The same step again, after its validation: only where the job stands has changed.
            os.replace(half / STATE, whole / STATE)
            shutil.rmtree(half)
        else:
            os.rename(half, whole)
    except OSError as exc:
        shutil.rmtree(half, ignore_errors=True)
        raise no_room(exc) or exc from exc


def newest(job: Path) -> tuple[Position, Arrays] | None:
    """The newest checkpoint that can be read, or None. What was left half written is removed."""
    for half in (job / FOLDER).glob(".step-*.tmp"):
        shutil.rmtree(half, ignore_errors=True)
    for folder in _newest_first(job / FOLDER):
        try:
            with np.load(folder / STATE, allow_pickle=False) as saved:
                arrays = {name: saved[name] for name in saved.files}
            return Position(**json.loads(str(arrays.pop("position")))), arrays
        except _UNREADABLE:
            continue
    return None


def _newest_first(folder: Path) -> Iterator[Path]:
    found = {int(match[1]): path for path in folder.glob("step-*") if (match := re.fullmatch(r"step-(\d+)", path.name))}
    for step in sorted(found, reverse=True):
        yield found[step]


def _flush(path: Path) -> None:
    """Onto the disk, so that a power cut after the rename does not leave a checkpoint of zeros."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def no_room(exc: OSError) -> TrainingError | None:
    """The failure that a full disk is; None for another error. NumPy's short writes come without a number."""
    if exc.errno not in _FULL and exc.errno is not None:
        return None
    return TrainingError(
        "disk_full",
        "The disk is full. Delete files or fine-tuned models that you no longer need, and create the job again. The "
        "last checkpoint and the curve are kept.",
    )
