"""Fine-tunes and their checkpoints, by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from playground.engine.errors import ApiError
from playground.engine.serving import Adapter
from playground.engine.tuning.jobs import Jobs, Record

LISTED = 3
"""Checkpoints of a job that are listed, as OpenAI keeps the last three. The others answer too."""
_NAME = re.compile(r"(?P<model>ft:[^:]+:local:[^:]*:[a-z0-9]{8})(?::ckpt-step-(?P<step>\d{1,9}))?")


class Models:
    """What the jobs of a folder have made: `size` says how many bytes the GGUF of a base has, which tells it from
    another of the same name; None where it is not served."""

    def __init__(self, jobs: Jobs, size: Callable[[str], int | None]) -> None:
        self._jobs = jobs
        self._size = size

    def find(self, name: str) -> Adapter | None:
        """None for a name that nobody has. Raises a 404 for a model of another base."""
        found = self._record(name)
        if found is None:
            return None
        record, step = found
        adapter = self._final(record) if step is None else self._checkpoint(record, step)
        if adapter is not None and not self._ours(record):
            raise ApiError(
                404,
                f"The model {name!r} was made from {record.job['model']!r}, and this engine no longer has that file: "
                "it was deleted, or is another one now.",
                param="model",
                code="model_not_found",
            )
        return adapter

    def listed(self) -> list[Adapter]:
        """What can be asked, newest first: each model, and then its last checkpoints."""
        return [adapter for record in self._jobs.all() if self._ours(record) for adapter in self._of(record)]

    def delete(self, name: str) -> list[Path]:
        """Delete a model with its checkpoints, or a checkpoint; the adapters that are gone. Raises a 404, and a 409
        while its job is under way."""
        found = self._record(name)
        if found is None or not self._has(*found):
            raise ApiError(404, f"The model {name[:120]!r} does not exist.", param="model", code="model_not_found")
        record, step = found
        if not record.ended:
            raise ApiError(
                409,
                f"The job {record.id} is still under way. Cancel it first.",
                param="model",
                code="model_in_training",
            )
        steps = _steps(record) if step is None else [step]
        if step is None:
            record.step = record.job["fine_tuned_model"] = None
        elif step == record.step:
            # The model itself: only the name of its checkpoint goes.
            record.checkpoints = [each for each in record.checkpoints if each["step_number"] != step]
            steps = []
        for each in steps:
            self._jobs.forget(record, each)
        self._jobs.save(record)
        self._jobs.events(record).add(f"{name} was deleted")
        return [self._jobs.adapter(record, each) for each in steps]

    def _record(self, name: str) -> tuple[Record, int | None] | None:
        parts = _NAME.fullmatch(name)
        record = parts and next((each for each in self._jobs.all() if each.model == parts["model"]), None)
        return (record, int(parts["step"]) if parts["step"] else None) if parts and record else None

    def _has(self, record: Record, step: int | None) -> bool:
        return (
            any(each["step_number"] == step for each in record.checkpoints)
            if step is not None
            else bool(_steps(record))
        )

    def _ours(self, record: Record) -> bool:
        return self._size(record.job["model"]) == record.base_bytes

    def _of(self, record: Record) -> Iterator[Adapter]:
        if final := self._final(record):
            yield final
        steps = [each["step_number"] for each in record.checkpoints if each["step_number"] != record.step]
        for step in steps[-LISTED:]:
            if found := self._checkpoint(record, step):
                yield found

    def _final(self, record: Record) -> Adapter | None:
        if record.step is None:
            return None
        return self._adapter(record, record.model, record.step, None, record.job["finished_at"])

    def _checkpoint(self, record: Record, step: int) -> Adapter | None:
        found = next((each for each in record.checkpoints if each["step_number"] == step), None)
        if found is None:
            return None
        return self._adapter(record, found["fine_tuned_model_checkpoint"], step, step, found["created_at"])

    def _adapter(self, record: Record, name: str, at: int, step: int | None, created: int) -> Adapter | None:
        path = self._jobs.adapter(record, at)
        if not path.is_file():
            return None
        return Adapter(name=name, path=path, created=created, base=record.job["model"], job=record.id, step=step)


def _steps(record: Record) -> list[int]:
    """The steps whose adapters are kept: the model's own stays when the name of its checkpoint is deleted."""
    kept = {each["step_number"] for each in record.checkpoints} | {record.step}
    return sorted(step for step in kept if step is not None)
