"""How a download is ended from outside: at its next step, and at once where it waits for a server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

Why = Literal["paused", "cancelled"]


class Stopped(Exception):
    """Somebody paused or cancelled the download."""


class Stop:
    """Set once, from any thread."""

    def __init__(self) -> None:
        self.why: Why | None = None
        self._set = threading.Event()
        self._lock = threading.Lock()
        self._cut: Callable[[], None] | None = None

    def set(self, why: Why) -> None:
        with self._lock:
            self.why = why
            self._set.set()
            cut = self._cut
        if cut is not None:
            cut()

    def check(self) -> None:
        """Raises Stopped when it is set."""
        if self._set.is_set():
            raise Stopped

    def wait(self, seconds: float) -> None:
        """Wait so long. Raises Stopped as soon as it is set."""
        self._set.wait(seconds)
        self.check()

    @contextmanager
    def cutting(self, cut: Callable[[], None]) -> Iterator[None]:
        """While the block runs, `cut` is called when this is set: it ends what the block waits for."""
        with self._lock:
            self._cut = cut
        try:
            self.check()
            yield
        finally:
            with self._lock:
                self._cut = None
