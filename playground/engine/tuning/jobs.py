"""Jobs, written down after every change."""

from __future__ import annotations

import re
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playground.engine.errors import ApiError
from playground.engine.tuning.events import Events
from playground.engine.tuning.folder import is_id, new_id, read_json, write_json

ENDED = ("succeeded", "failed", "cancelled")


@dataclass(slots=True)
class Record:
    """A job: `job` is OpenAI's object, `checkpoints` are OpenAI's too, oldest first; the rest is ours.

    `model` is the name that its model has or will have, `asked` the hyperparameters as asked for (`asked.Asked`),
    `base_bytes` the size of the GGUF that it trains, `step` the checkpoint that is its model,
    `longest` the tokens of its longest example.
    """

    job: dict[str, Any]
    model: str
    asked: dict[str, Any]
    base_bytes: int
    checkpoints: list[dict[str, Any]] = field(default_factory=list)
    step: int | None = None
    longest: int = 0
    order: int = field(default_factory=time.time_ns)

    @property
    def id(self) -> str:
        return str(self.job["id"])

    @property
    def status(self) -> str:
        return str(self.job["status"])

    @property
    def ended(self) -> bool:
        return self.status in ENDED


class Jobs:
    """A folder of jobs. What another process has written is seen."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._known: dict[str, tuple[tuple[int, int], Record]] = {}
        self._events: dict[str, Events] = {}

    def folder(self, record: Record) -> Path:
        return self._folder / record.id

    def create(self, **about: Any) -> Record:
        """A new job of OpenAI's shape, from `model`, `training_file` and so on; not yet written down."""
        name = new_id("ftjob")
        asked, suffix = about.pop("asked"), about.pop("suffix")
        base_bytes = about.pop("base_bytes")
        job = {
            "object": "fine_tuning.job",
            "id": name,
            "created_at": int(time.time()),
            "finished_at": None,
            "fine_tuned_model": None,
            "organization_id": "local",
            "result_files": [],
            "status": "validating_files",
            "trained_tokens": None,
            "error": None,
            "estimated_finish": None,
            "integrations": [],
            "user_provided_suffix": suffix or None,
            **about,
        }
        model = f"ft:{job['model']}:local:{suffix}:{name.removeprefix('ftjob-')[:8]}"
        return Record(job=job, model=model, asked=asked, base_bytes=base_bytes)

    def save(self, record: Record) -> None:
        """Raises OSError."""
        path = self._folder / record.id / "job.json"
        path.parent.mkdir(exist_ok=True)
        ours = {name: getattr(record, name) for name in Record.__slots__}
        write_json(path, ours)
        self._known[record.id] = _stamp(path), record

    def get(self, name: str) -> Record:
        """Raises a 404."""
        record = self._load(name) if is_id("ftjob", name) else None
        if record is None:
            raise ApiError(
                404, f"Could not find fine tune: {name[:80]}", param="fine_tune_id", code="fine_tune_not_found"
            )
        return record

    def all(self) -> list[Record]:
        """Newest first."""
        found = [self._load(path.name) for path in self._folder.glob("ftjob-*")]
        return sorted((record for record in found if record), key=lambda record: record.order, reverse=True)

    def events(self, record: Record) -> Events:
        if record.id not in self._events:
            self._events[record.id] = Events(self._folder / record.id / "events.jsonl")
        return self._events[record.id]

    def adapter(self, record: Record, step: int) -> Path:
        return self.folder(record) / "checkpoints" / f"step-{step}" / "adapter.gguf"

    def newest_step(self, record: Record) -> int | None:
        """The step of the newest checkpoint that the worker has finished writing."""
        steps = [
            int(found[1])
            for path in (self.folder(record) / "checkpoints").glob("step-*")
            if (found := re.fullmatch(r"step-(\d{1,9})", path.name))
        ]
        return max(steps, default=None)

    def forget(self, record: Record, step: int) -> None:
        """Delete a checkpoint."""
        record.checkpoints = [each for each in record.checkpoints if each["step_number"] != step]
        shutil.rmtree(self.adapter(record, step).parent, ignore_errors=True)

    def discard(self, record: Record) -> None:
        """A job that could not be written down whole."""
        shutil.rmtree(self.folder(record), ignore_errors=True)
        self._known.pop(record.id, None)

    def _load(self, name: str) -> Record | None:
        path = self._folder / name / "job.json"
        try:
            stamp = _stamp(path)
        except OSError:
            return None
        if name not in self._known or self._known[name][0] != stamp:
            value = read_json(path)
            if value is None or set(value) != set(Record.__slots__):
                return None
            self._known[name] = stamp, Record(**value)
        return self._known[name][1]


def _stamp(path: Path) -> tuple[int, int]:
    """Changes with every write, which makes a new file."""
    stat = path.stat()
    return stat.st_ino, stat.st_mtime_ns
