"""Files that a visitor dropped on the page: taken from where Gradio put them; what was read of them is held a while."""

from __future__ import annotations

import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Generic, TypeVar

from gradio.utils import get_upload_folder

from playground.errors import refused

T = TypeVar("T")

ARRIVAL = 5.0
"""Seconds until a file that was said to be here is here: Gradio moves it after it has answered."""
MOST_HELD = 512_000_000
"""Bytes of what all visitors' files became. What was used longest ago goes first."""


def take(path: Any, *, most: int) -> bytes:
    """What stands in an uploaded file, which is gone then. Raises InvalidRequest; `most` in bytes.

    The path comes from the browser: only what lies in Gradio's folder for uploads is read.
    """
    folder = Path(get_upload_folder()).resolve()
    try:
        file = Path(path).resolve() if isinstance(path, str) else None
    except (OSError, ValueError):
        file = None
    if file is None or folder not in file.parents:
        raise refused("no_arrival", param="file")
    until = time.monotonic() + ARRIVAL
    while not file.is_file():
        if time.monotonic() > until:
            raise refused("no_arrival", param="file")
        time.sleep(0.05)
    try:
        size = file.stat().st_size
        if size > most:
            raise refused("large_upload", param="file", size=size / 1e6, most=most / 1e6)
        return file.read_bytes()
    finally:
        file.unlink(missing_ok=True)
        if file.parent != folder:
            with suppress(OSError):  # another file may lie there
                file.parent.rmdir()


def dropped(file: Any, *, most: int, unnamed: str = "") -> tuple[str, bytes]:
    """The name and the content of a file that the page names as {name, path}. Raises InvalidRequest as `take` does."""
    about = file if isinstance(file, Mapping) else {}
    return str(about.get("name") or unnamed)[:120], take(about.get("path"), most=most)


class Held(Generic[T]):
    """What was read of the visitors' files, by ids that nobody can guess. In memory alone: a restart ends it."""

    def __init__(self, most: int = MOST_HELD) -> None:
        self._most = most
        self._held: OrderedDict[str, tuple[T, int]] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, thing: T, size: int) -> str:
        """Hold it; `size` in bytes. Returns its id."""
        id_ = uuid.uuid4().hex
        with self._lock:
            self._held[id_] = (thing, size)
            while len(self._held) > 1 and sum(each for _, each in self._held.values()) > self._most:
                self._held.popitem(last=False)
        return id_

    def get(self, id_: Any) -> T:
        """Raises InvalidRequest where it is no longer held."""
        with self._lock:
            found = self._held.get(id_) if isinstance(id_, str) else None
            if found is None:
                raise refused("not_held", param="file")
            self._held.move_to_end(id_)
            return found[0]

    def forget(self, id_: Any) -> None:
        with self._lock:
            self._held.pop(id_, None)
