"""What is left of a job that has ended: its curve among the files, and nothing that only going on needs."""

from __future__ import annotations

import logging
from pathlib import Path

from playground.engine.errors import ApiError
from playground.engine.tuning.files import Files
from playground.engine.tuning.jobs import Jobs, Record

log = logging.getLogger(__name__)


def tidy(record: Record, jobs: Jobs, files: Files) -> None:
    """What a disk that was full, or an engine that was killed, has left to do. Raises OSError."""
    if keep_results(record, jobs.folder(record), files):
        jobs.save(record)
    let_go(jobs.folder(record))


def keep_results(record: Record, folder: Path, files: Files) -> bool:
    """Whether the curve is now among the files, and was not before; the record is not yet written down."""
    path = folder / "results.csv"
    if record.job["result_files"] or not path.exists() or not path.stat().st_size:
        return False
    try:
        with path.open("rb") as results:
            kept = files.add(results, "step_metrics.csv", "fine-tune-results")
    except (ApiError, OSError):
        # A disk that is full must not change how the job ended.
        log.warning("The results of a job could not be kept among the files.")
        return False
    record.job["result_files"] = [kept["id"]]
    return True


def let_go(folder: Path) -> None:
    """Delete what only going on needs: the larger part of a checkpoint, and the examples. Raises OSError."""
    for state in (folder / "checkpoints").glob("step-*/state.npz"):
        state.unlink(missing_ok=True)
    for name in ("train.jsonl", "valid.jsonl"):
        (folder / name).unlink(missing_ok=True)
