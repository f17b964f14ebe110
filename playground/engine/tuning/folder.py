"""How things are written down: whole or not at all, under names that we give."""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
import string
from pathlib import Path
from typing import Any

from playground.engine.errors import ApiError
from playground.locks import lock
from playground.memory import MB

LETTERS = string.ascii_lowercase + string.digits
FULL = (errno.ENOSPC, errno.EDQUOT) if hasattr(errno, "EDQUOT") else (errno.ENOSPC,)


def new_id(kind: str) -> str:
    """`file-` or `ftjob-` and 24 letters. Lower case: some file systems do not tell a from A."""
    return kind + "-" + "".join(secrets.choice(LETTERS) for _ in range(24))


def is_id(kind: str, name: str) -> bool:
    """Whether we may have given this name: only then is it looked for in a folder."""
    return re.fullmatch(rf"{kind}-[a-z0-9]{{24}}", name) is not None


def write_json(path: Path, value: Any) -> None:
    """Whole or not at all, whatever happens meanwhile. Raises OSError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(value, file, indent=1)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read_json(path: Path) -> dict[str, Any] | None:
    """None for what is not there, or is not an object of JSON."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def disk_full(what: str, needed: int | None = None, free: int | None = None) -> ApiError:
    """What is answered when the disk has no room for `what`."""
    sizes = f": it takes {_mb(needed)}, and {_mb(free)} are free" if needed is not None and free is not None else ""
    return ApiError(
        507,
        f"The disk has no room for {what}{sizes}. Delete files or fine-tuned models that you no longer need.",
        type="server_error",
        code="disk_full",
    )


def _mb(size: int) -> str:
    return f"{-(-size // MB)} MB"


class Lock:
    """A lock on a file that one process has at a time. The system lets go of it when the process ends, however."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None

    @property
    def held(self) -> bool:
        return self._fd is not None

    def take(self) -> bool:
        """Whether we have it now. Does not wait. Raises OSError where the folder cannot be written."""
        if self._fd is None:
            fd = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600)
            if not lock(fd):
                os.close(fd)
                return False
            self._fd = fd
        return True
