"""The parts that the routes answer from, made once for a data folder and a loaded model."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from typing import Any

from playground.engine.errors import ApiError, bad
from playground.engine.generation import Generator
from playground.engine.training import extra, shape
from playground.engine.training.errors import TrainingError
from playground.engine.tuning import asked, lines
from playground.engine.tuning.asked import SEEDS, Asked, JobBody
from playground.engine.tuning.files import Files
from playground.engine.tuning.folder import Lock
from playground.engine.tuning.jobs import Jobs, Record
from playground.engine.tuning.lines import Param
from playground.engine.tuning.models import Models
from playground.engine.tuning.supervisor import Supervisor

QUICK = 4 * 2**20
"""Bytes of a file that is read while whoever creates the job waits; of a larger one the job says what is wrong."""


class Tuning:
    """Files, jobs and models of one data folder. Raises OSError where it cannot be written."""

    def __init__(self, data: Path, generator: Generator, base: Path, model_id: str) -> None:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.data, self.base, self._model_id = data, base, model_id
        self.files = Files(data / "files")
        self.jobs = Jobs(data / "jobs")
        self._base_bytes = base.stat().st_size
        self.models = Models(self.jobs, model_id, self._base_bytes)
        self.supervisor = Supervisor(self.jobs, self.files, Lock(data / "lock"), generator, base)
        self._architecture = generator.llama.header.architecture

    async def create(self, content: bytes) -> dict[str, Any]:
        """POST /v1/fine_tuning/jobs. Raises a 400."""
        self.supervisor.check_ours()
        body, wanted = asked.read(content)
        self._check_base(body, wanted)
        await self._check_files(body)
        said = {"n_epochs": "auto", "batch_size": "auto", "learning_rate_multiplier": "auto"}
        said |= {name: value for name, value in wanted.model_dump().items() if value is not None}
        record = self.jobs.create(
            model=body.model,
            training_file=body.training_file,
            validation_file=body.validation_file,
            seed=secrets.randbelow(SEEDS + 1) if body.seed is None else body.seed,
            suffix=body.suffix or "",
            metadata=body.metadata,
            hyperparameters=said,
            method={"type": "supervised", "supervised": {"hyperparameters": said}},
            asked=wanted.model_dump(),
            base_bytes=self._base_bytes,
        )
        try:
            self._announce(record)
        except OSError:
            self.jobs.discard(record)
            raise
        await self.supervisor.woken()
        return record.job

    def _announce(self, record: Record) -> None:
        self.jobs.save(record)
        events = self.jobs.events(record)
        events.add(f"Created fine-tuning job: {record.id}")
        also = record.job["validation_file"]
        also = f" and validation file: {also}" if also else ""
        events.add(f"Validating training file: {record.job['training_file']}{also}")

    def _check_base(self, body: JobBody, wanted: Asked) -> None:
        if body.model != self._model_id:
            tuned = "It was fine-tuned already, and is not trained further." if body.model.startswith("ft:") else ""
            said = f"The model {body.model[:120]!r} cannot be trained here, but {self._model_id!r} can. {tuned}".strip()
            raise bad(said, "model", "model_not_available")
        try:
            if wanted.trainer == "torch":
                extra.check()
            shape.read(self.base, wanted.trainer or "numpy")
        except TrainingError as error:
            raise bad(error.message, error.param, error.code) from None

    async def _check_files(self, body: JobBody) -> None:
        """That the files are there, and of those that are read in a moment, that they can be trained on."""
        training = await self._check_file(body.training_file, "training_file")
        if body.validation_file is not None:
            valid = await self._check_file(body.validation_file, "validation_file")
            if training and valid:
                lines.agree(training, valid)

    async def _check_file(self, name: str, param: Param) -> lines.Summary | None:
        try:
            file, path = self.files.get(name), self.files.content(name)
        except ApiError:
            raise bad(
                f"Invalid {param}: there is no file {name[:80]}. Upload it first.", param, f"invalid_{param}"
            ) from None
        if file["purpose"] != "fine-tune":
            raise bad(f"Invalid {param}: the purpose of {name} is not fine-tune.", param, f"invalid_{param}")
        return await asyncio.to_thread(lines.check, path, param) if file["bytes"] <= QUICK else None
