"""The process that trains: started, heard, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import playground

ROOT = str(Path(playground.__file__).resolve().parents[1])
#: Whatever multiplies matrices reads one of these, and only when it is loaded.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
LINE = 2**20


class Worker:
    """One life of it."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @staticmethod
    async def start(folder: Path, *, threads: int) -> Worker:
        """Train what lies in a job's folder. Raises OSError."""
        with (folder / "worker.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "playground.engine.tuning.child",
                str(os.getpid()),
                str(folder),
                env=environment(threads),
                stdin=DEVNULL,
                stdout=PIPE,
                stderr=log,
                limit=LINE,
            )
        return Worker(process)

    async def said(self) -> AsyncGenerator[dict[str, Any]]:
        """What it says, until it has ended."""
        stdout = self._process.stdout
        assert stdout is not None  # noqa: S101 - PIPE gives one
        while line := await stdout.readline():
            with contextlib.suppress(ValueError):
                message = json.loads(line)
                if isinstance(message, dict) and isinstance(message.get("type"), str):
                    yield message
        await self._process.wait()

    async def stop(self, grace: float) -> None:
        """Ask it to end after a checkpoint, and kill it when it has not in `grace` seconds."""
        self._signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), grace)
        except TimeoutError:
            self._signal(signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
            await self._process.wait()

    @property
    def end(self) -> str:
        """How it ended, in words."""
        code = self._process.returncode
        if code is None or code >= 0:
            return f"exit code {code}"
        if -code == getattr(signal, "SIGKILL", 9):
            return "killed, as the system does when memory is short"
        return f"killed by signal {-code}"

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)


def environment(threads: int) -> dict[str, str]:
    """Ours without the key, for a process that multiplies with `threads` threads."""
    env = {name: value for name, value in os.environ.items() if name != "PLAYGROUND_ENGINE_KEY"}
    env["PYTHONPATH"] = os.pathsep.join(filter(None, (ROOT, env.get("PYTHONPATH"))))
    # Sleeping while they wait for one another, as the engine's own do: what spins takes the core from an answer.
    return {**env, **dict.fromkeys(THREADS, str(threads)), "OMP_WAIT_POLICY": "passive"}
