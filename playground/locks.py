"""A lock on an open file that one process has at a time. The system lets go of it when the process ends, however."""

from __future__ import annotations

import sys


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
