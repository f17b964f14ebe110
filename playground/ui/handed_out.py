"""Large files that are handed out: each in Gradio's own folder under a name that nobody can guess, for a while."""

from __future__ import annotations

import asyncio
import atexit
import secrets
import shutil
import time
from pathlib import Path
from urllib.parse import quote

from gradio.utils import get_upload_folder

FOLDER = "playground-out"
KEPT = 1800.0
"""Seconds that a file stays. A browser that has begun to fetch it gets the rest of it, whatever becomes of its name."""


class HandedOut:
    """Places for files that a visitor's browser fetches, of which nothing stays behind."""

    def __init__(self, kept: float = KEPT) -> None:
        self._kept = kept
        self._made: set[Path] = set()
        atexit.register(self.close)

    def place(self, name: str) -> Path:
        """Where a file of that name can be put. To be called in a running loop, which clears it away later."""
        folder = Path(get_upload_folder()).resolve() / FOLDER
        self._sweep(folder)
        own = folder / secrets.token_hex(16)
        own.mkdir(parents=True, mode=0o700)
        self._made.add(own)
        asyncio.get_running_loop().call_later(self._kept, self.forget, own / name)
        return own / name

    def forget(self, file: Path) -> None:
        shutil.rmtree(file.parent, ignore_errors=True)
        self._made.discard(file.parent)

    def close(self) -> None:
        for own in list(self._made):
            self.forget(own / "file")

    def _sweep(self, folder: Path) -> None:
        """What an app that was killed has left."""
        for own in folder.glob("*"):
            try:
                old = time.time() - own.stat().st_mtime > max(self._kept, KEPT)
            except OSError:
                continue
            if old:
                shutil.rmtree(own, ignore_errors=True)


def address(file: Path) -> str:
    """Where Gradio serves it, from the page's own address on."""
    return f"gradio_api/file={quote(file.as_posix())}"
