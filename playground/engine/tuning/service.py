"""The parts that the routes answer from, made once for a data folder and a loaded model."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from typing import Any

from playground.engine.errors import ApiError, bad
from playground.engine.shelf import Model, Shelf
from playground.engine.training import extra, shape
from playground.engine.training.errors import TrainingError
from playground.engine.tuning import asked, lines, plans
from playground.engine.tuning.asked import SEEDS, Asked, JobBody
from playground.engine.tuning.files import Files
from playground.engine.tuning.folder import Lock
from playground.engine.tuning.jobs import Jobs, Record
from playground.engine.tuning.lines import Param
from playground.engine.tuning.models import Models
from playground.engine.tuning.supervisor import Supervisor
from playground.gguf import GgufError

QUICK = 4 * 2**20
"""Bytes of a file that is read while whoever creates the job waits; of a larger one the job says what is wrong."""


class Tuning:
    """Files, jobs and models of one data folder. Raises OSError where it cannot be written."""

    def __init__(self, data: Path, shelf: Shelf) -> None:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.data, self._shelf = data, shelf
        self.files = Files(data / "files")
        self.jobs = Jobs(data / "jobs")
        self.models = Models(self.jobs, shelf.bytes)
        self.lock = Lock(data / "lock")
        self.supervisor = Supervisor(self.jobs, self.files, self.lock)

    async def create(self, content: bytes) -> dict[str, Any]:
        """POST /v1/fine_tuning/jobs. Raises a 400."""
        self.supervisor.check_ours()
        body, wanted = asked.read(content)
        base = await self._base(body, wanted)
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
            base_bytes=base.bytes,
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

    def check_unused(self, base: str) -> None:
        """Raises a 409 for a model that a job is to train, or is training."""
        job = next((each for each in self.jobs.all() if not each.ended and each.job["model"] == base), None)
        if job is not None:
            raise ApiError(
                409,
                f"The job {job.id} trains {base!r}. Cancel it first, or wait for its end.",
                param="model",
                code="model_in_training",
            )

    async def _base(self, body: JobBody, wanted: Asked) -> Model:
        try:
            base = await self._shelf.get(body.model)
        except GgufError as error:
            raise bad(str(error), "model", "bad_base") from None
        if base is None:
            tuned = "It was fine-tuned already, and is not trained further." if body.model.startswith("ft:") else ""
            able = self._shelf.base.id
            said = f"The model {body.model[:120]!r} cannot be trained here, but {able!r} can. {tuned}".strip()
            raise bad(said, "model", "model_not_available")
        try:
            if wanted.trainer == "torch":
                extra.check()
            model = await asyncio.to_thread(shape.read, base.path, wanted.trainer or "numpy")
            plans.check_weights(wanted, base, model)
        except TrainingError as error:
            raise bad(error.message, error.param, error.code) from None
        return base

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
