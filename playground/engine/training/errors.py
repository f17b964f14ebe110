"""Why a job failed."""

from __future__ import annotations

from typing import Literal

Code = Literal[
    "diverged",
    "out_of_memory",
    "disk_full",
    "unsupported_architecture",
    "bad_base",
    "missing_extra",
    "worker_failed",
]


class TrainingError(Exception):
    """Ends a job as `failed`. The message says what to do, and is safe to show: no paths, no texts of examples."""

    def __init__(self, code: Code, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.code: Code = code
        self.message = message
        self.param = param


class Stopped(Exception):
    """SIGTERM came while something was measured: the step it belongs to is finished after a resume."""
