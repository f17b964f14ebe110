"""Which process a run belongs to, and whether that process still lives.

Each store that starts runs holds a lock on a file of its own. The system lets go of the lock when the process ends,
however it ends, so a file that can be locked belongs to the dead. That holds on Linux, macOS and Windows and between
containers that share the folder, where process numbers mean nothing.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import uuid
from pathlib import Path

import sqlalchemy as sa

from playground.locks import lock

SUFFIX = ".lock"

ABANDONED = 2 * 3600
"""Seconds without a sign of life after which a run of another machine counts as dead.

Above any wait for a server's next byte (PLAYGROUND_TIMEOUT is at most an hour), since a waiting run writes nothing.
"""


class Process:
    """This process to the database at `engine`: the mark on what it works on, and whose mark still lives."""

    def __init__(self, engine: sa.Engine, folder: Path) -> None:
        self._local = engine.dialect.name == "sqlite"
        self._folder = folder
        self._owner: Owner | None = None
        self._guard = threading.Lock()

    def name(self) -> str:
        """Made when it is first asked for. OSError where the folder cannot be written."""
        with self._guard:
            if self._owner is None:
                self._owner = Owner(self._folder)
            return self._owner.name

    def is_dead(self, owner: str, last_sign: int) -> bool:
        """Whether the process of that mark has ended; `last_sign` is when it last wrote, in microseconds since 1970."""
        with self._guard:
            if self._owner is not None and self._owner.name == owner:
                return False
        living = alive(owner, self._folder)
        if living is None and not self._local:
            # A process on another machine, whose locks are in a folder there.
            return time.time_ns() // 1000 - last_sign > ABANDONED * 1_000_000
        return not living

    def sweep(self) -> None:
        """Remove the lock files of dead processes."""
        sweep(self._folder)

    def close(self) -> None:
        with self._guard:
            if self._owner is not None:
                self._owner.release()
                self._owner = None


class Owner:
    """This store's mark on the runs it starts: `name` stands in their rows, the lock is held until `release`."""

    def __init__(self, folder: Path) -> None:
        """OSError when the folder cannot be written."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        while True:
            self.name = uuid.uuid4().hex
            path = folder / f"{self.name}{SUFFIX}"
            self._fd = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
            # Between creating and locking, another process may have taken it for a dead one's and removed it.
            if lock(self._fd) and path.exists():
                break
            os.close(self._fd)

    def release(self) -> None:
        """Let go. The file stays for the next start, which tells by it that this owner is dead and sweeps it away."""
        os.close(self._fd)


def alive(name: str, folder: Path) -> bool | None:
    """Whether the owner's process holds its lock; None when its file is not in this folder."""
    try:
        fd = os.open(folder / f"{name}{SUFFIX}", os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        return not lock(fd)
    finally:
        os.close(fd)


def sweep(folder: Path) -> None:
    """Remove the lock files of dead processes."""
    for path in folder.glob(f"*{SUFFIX}"):
        with contextlib.suppress(OSError):
            if not alive(path.stem, folder):
                path.unlink()
