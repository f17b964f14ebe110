"""Which process a run belongs to, and whether that process still lives.

Each store that starts runs holds a lock on a file of its own. The system lets go of the lock when the process ends,
however it ends, so a file that can be locked belongs to the dead. That holds on Linux, macOS and Windows and between
containers that share the folder, where process numbers mean nothing.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from pathlib import Path

from playground.locks import lock

SUFFIX = ".lock"


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
