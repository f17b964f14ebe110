"""A job's events: one line of JSON each, only ever added to."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any, Literal

from playground.engine.tuning.folder import new_id

Level = Literal["info", "warn", "error"]


class Events:
    """The events of one job, oldest first. Whoever else reads the file sees them too, a line at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: list[dict[str, Any]] = []
        self._at = 0

    def add(self, message: str, *, level: Level = "info", data: dict[str, Any] | None = None) -> None:
        """Raises OSError."""
        event = {
            "object": "fine_tuning.job.event",
            "id": new_id("ftevent"),
            "created_at": int(time.time()),
            "level": level,
            "message": message,
            "type": "metrics" if data else "message",
            "data": data or {},
        }
        with self._path.open("ab") as file:
            file.write(self._ending() + json.dumps(event).encode() + b"\n")

    def _ending(self) -> bytes:
        """What ends a last line that was cut, so that what comes next is not lost with it."""
        with self._path.open("rb") as file:
            if not file.seek(0, os.SEEK_END):
                return b""
            file.seek(-1, os.SEEK_END)
            return b"" if file.read() == b"\n" else b"\n"

    def all(self) -> list[dict[str, Any]]:
        """Only what is new since the last look is read. A line that was cut by a crash is passed over."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._at)
                new = file.read()
        except OSError:
            return self._read
        whole = new[: new.rfind(b"\n") + 1]
        self._at += len(whole)
        self._read += [event for event in map(_event, whole.splitlines()) if event]
        return self._read

    def last(self, name: str) -> Any:
        """What the newest event with a value of that name says; None where there is none."""
        return next((event["data"][name] for event in reversed(self.all()) if name in event["data"]), None)


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None
