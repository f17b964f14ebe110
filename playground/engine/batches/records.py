"""Batches as they are written down: whole or not at all, each answer as soon as it is there."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from playground.engine.errors import ApiError
from playground.engine.tuning.folder import is_id, new_id, read_json, write_json

ENDED = ("completed", "failed", "expired", "cancelled")
DAY = 24 * 60 * 60
"""Seconds: the completion window, of which OpenAI has this one."""
Kind = Literal["output", "error"]
KINDS: tuple[Kind, ...] = ("output", "error")


class Records:
    """A folder of batches."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def create(self, *, endpoint: str, input_file_id: str, metadata: dict[str, str] | None) -> dict[str, Any]:
        """OpenAI's object, written down. Raises OSError."""
        now = int(time.time())
        times = ("in_progress", "finalizing", "completed", "failed", "expired", "cancelling", "cancelled")
        batch = {
            "id": new_id("batch"),
            "object": "batch",
            "endpoint": endpoint,
            "errors": None,
            "input_file_id": input_file_id,
            "completion_window": "24h",
            "status": "validating",
            "output_file_id": None,
            "error_file_id": None,
            "created_at": now,
            "expires_at": now + DAY,
            **{f"{each}_at": None for each in times},
            "request_counts": {"total": 0, "completed": 0, "failed": 0},
            "metadata": metadata,
        }
        (self._folder / str(batch["id"])).mkdir()
        write_json(self._folder / str(batch["id"]) / "batch.json", {**batch, "order": time.time_ns()})
        return batch

    def save(self, batch: dict[str, Any]) -> None:
        """Raises OSError."""
        path = self._folder / str(batch["id"]) / "batch.json"
        order = (read_json(path) or {}).get("order", 0)
        write_json(path, {**batch, "order": order})

    def get(self, name: str) -> dict[str, Any]:
        """Raises a 404."""
        found = read_json(self._folder / name / "batch.json") if is_id("batch", name) else None
        if found is None:
            raise ApiError(404, f"No batch found with id '{name[:80]}'.", param="id", code="batch_not_found")
        return _public(found)

    def all(self) -> list[dict[str, Any]]:
        """Newest first."""
        found = [read_json(path) for path in self._folder.glob("batch-*/batch.json")]
        kept = [each for each in found if each is not None]
        return [_public(each) for each in sorted(kept, key=lambda each: each["order"], reverse=True)]

    def part(self, batch: dict[str, Any], kind: Kind) -> Path:
        """Where the answers so far are."""
        return self._folder / str(batch["id"]) / f"{kind}.jsonl"

    def add(self, batch: dict[str, Any], kind: Kind, line: dict[str, Any]) -> None:
        """One more answer, on the disk when this returns. Raises OSError."""
        with self.part(batch, kind).open("ab") as file:
            file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def answered(self, batch: dict[str, Any], kind: Kind) -> Iterator[str]:
        """The `custom_id` of every line; the last one, where it was cut by a crash, is taken off."""
        path = self.part(batch, kind)
        if not path.exists():
            return
        whole = 0
        with path.open("rb+") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                whole += len(line)
                yield json.loads(line)["custom_id"]
            file.truncate(whole)


def _public(batch: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in batch.items() if name != "order"}
