"""The worker's process: `python -m playground.engine.training JOB_DIR`.

Everything that happens is a line of JSON on stdout. SIGTERM, Ctrl+C, or a reader that is gone: the step under way is
finished, a checkpoint written, exit 0. Exit 1 after `failed`. A worker that is started again goes on by itself.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from types import FrameType
from typing import Any, BinaryIO

from playground.engine.training.errors import TrainingError
from playground.engine.training.plan import Plan
from playground.locks import share

LOCK = "worker.lock"
LOCK_SECONDS = 60
_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


class Process:
    """What the outside asked for, and what is told to it."""

    def __init__(self) -> None:
        self.stopping = False
        self._heard = True
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True

    def emit(self, line: dict[str, Any]) -> None:
        if not self._heard:
            return
        try:
            sys.stdout.write(json.dumps(line, allow_nan=False) + "\n")
            sys.stdout.flush()
        except BrokenPipeError:
            # Whoever started us is gone: what was learnt is kept, and nobody waits for more.
            self.stopping, self._heard = True, False
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m playground.engine.training", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("job", type=Path, help="the job's folder, with plan.json and train.jsonl")
    folder: Path = parser.parse_args().job
    process = Process()
    try:
        _run(folder, process)
    except TrainingError as error:
        return _failed(process, error)
    except MemoryError:
        message = "The memory is used up. Create the job again with a smaller batch_size or shorter examples."
        return _failed(process, TrainingError("out_of_memory", message, param="batch_size"))
    except Exception as exc:
        traceback.print_exc()
        return _failed(process, _unforeseen(exc))
    return 0


def _run(folder: Path, process: Process) -> None:
    plan = Plan.read(folder)
    share(plan.base)  # until we end: nobody deletes it meanwhile
    # Read by the libraries when they are loaded, hence before NumPy is.
    for name in _THREADS:
        os.environ[name] = str(plan.threads)
    os.environ["OMP_WAIT_POLICY"] = "passive"
    if hasattr(os, "nice"):
        os.nice(plan.nice)
    with (folder / LOCK).open("wb") as lock:
        if not _alone(lock, process):
            process.emit({"type": "paused", "step": 0})
            return
        from playground.engine.training.worker import run

        run(folder, plan, emit=process.emit, stopping=lambda: process.stopping)


def _alone(lock: BinaryIO, process: Process) -> bool:
    """Wait until no other worker is at this job: one whose engine is gone ends with its step. False where a stop is
    asked for meanwhile. Raises TrainingError."""
    if sys.platform == "win32":
        return True
    import fcntl

    until = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if process.stopping:
                return False
            if time.monotonic() > until:
                message = "Another worker is still at this job. End it, and create the job again."
                raise TrainingError("worker_failed", message) from None
            time.sleep(0.1)


def _unforeseen(exc: Exception) -> TrainingError:
    from playground.engine.training.checkpoints import no_room

    if isinstance(exc, OSError) and (full := no_room(exc)) is not None:
        return full
    message = f"The worker failed ({type(exc).__name__}). Create the job again; its last checkpoint is kept."
    return TrainingError("worker_failed", message)


def _failed(process: Process, error: TrainingError) -> int:
    process.emit({"type": "failed", "code": error.code, "message": error.message, "param": error.param})
    return 1


if __name__ == "__main__":
    sys.exit(main())
