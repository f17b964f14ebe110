"""Whether a download fits on the disk, said with the numbers."""

from __future__ import annotations

import shutil
from pathlib import Path

from playground.errors import library_failed

RESERVE = 200_000_000
"""Bytes that a download leaves free on the disk."""


def room(folder: Path, title: str, total: int | None, have: int) -> None:
    """Raises LibraryError, with the numbers, where what is still to come does not fit on the disk."""
    free = shutil.disk_usage(folder).free
    if total is not None and total - have + RESERVE > free:
        needed = size_text(total - have + RESERVE)
        raise library_failed(
            "library_room", title=title, needed=needed, free=size_text(free), folder=str(folder.parent)
        )


def size_text(size: int) -> str:
    """Bytes as a person reads them: 1.06 GB, 491 MB, 3.2 MB, 801 kB."""
    if size >= 999_500_000:
        return f"{size / 1e9:,.2f} GB"
    if size >= 999_500:
        return f"{size / 1e6:,.{0 if size >= 9_950_000 else 1}f} MB"
    return f"{size / 1e3:,.0f} kB"
