"""A lock on an open file that one process has at a time, and a sign on one that any number has who use it. The system
lets go of both when the process ends, however."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def lock(fd: int) -> bool:
    """Take the lock without waiting; False when another holds it. Closing the file lets go."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def share(path: Path) -> int | None:
    """Say that the file is in use until `release`. None where that cannot be said: on Windows, which does not delete a
    file that is mapped."""
    if sys.platform == "win32":
        return None
    import fcntl

    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        return None
    return fd


def release(fd: int | None) -> None:
    """The end of what `share` has said."""
    if fd is not None:
        os.close(fd)


def shared(path: Path) -> bool:
    """Whether anybody says that the file is in use, in this process or another."""
    if sys.platform == "win32":
        return False
    import fcntl

    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(fd)
    return False
