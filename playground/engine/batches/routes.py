"""The addresses of batches."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from playground.engine.batches.lines import ENDPOINTS, MOST_BYTES
from playground.engine.batches.records import ENDED, Records
from playground.engine.batches.runner import Runner
from playground.engine.errors import ApiError, bad
from playground.engine.schemas import Text, parse
from playground.engine.tuning.paging import page
from playground.engine.tuning.service import Tuning
from playground.memory import MB

BATCHES = "/v1/batches"
MOST_WAITING = 100
"""Batches that have not ended."""


class BatchBody(BaseModel):
    """What creates a batch. What OpenAI knows and we have no use for is ignored."""

    model_config = ConfigDict(strict=True)
    input_file_id: Text
    endpoint: Text
    completion_window: Text
    metadata: Annotated[dict[Annotated[str, Field(max_length=64)], Text], Field(max_length=16)] | None = None


class Batches:
    """The batches of one data folder, over the files of `tuning`."""

    def __init__(self, data: Path, tuning: Tuning) -> None:
        self.records = Records(data / "batches")
        self.runner = Runner(self.records, tuning.files, tuning.lock)
        self._tuning = tuning

    def create(self, content: bytes) -> dict[str, Any]:
        """Raises a 400, a 409 where another engine has the folder, a 429 for too many."""
        self._tuning.supervisor.check_ours()
        body = parse(BatchBody, content)
        if body.endpoint not in ENDPOINTS:
            raise bad(f"endpoint is one of {', '.join(ENDPOINTS)}.", "endpoint")
        if body.completion_window != "24h":
            raise bad("completion_window is 24h.", "completion_window")
        try:
            file = self._tuning.files.get(body.input_file_id)
        except ApiError:
            said = f"There is no file {body.input_file_id[:80]}. Upload it first."
            raise bad(said, "input_file_id", "invalid_input_file") from None
        if file["purpose"] != "batch":
            raise bad(f"The purpose of {file['id']} is not batch.", "input_file_id", "invalid_input_file")
        if file["bytes"] > MOST_BYTES:
            raise bad(f"The file of a batch has at most {MOST_BYTES // MB} MB.", "input_file_id", "invalid_input_file")
        if sum(batch["status"] not in ENDED for batch in self.records.all()) >= MOST_WAITING:
            raise ApiError(
                429, f"{MOST_WAITING} batches are waiting already. Cancel one, or wait.", code="many_batches"
            )
        batch = self.records.create(endpoint=body.endpoint, input_file_id=body.input_file_id, metadata=body.metadata)
        self.runner.woken()
        return batch

    def cancel(self, name: str) -> dict[str, Any]:
        """Raises a 404, a 400 for one that has ended, a 409 where another engine has the folder."""
        self._tuning.supervisor.check_ours()
        return self.runner.cancel(self.records.get(name))


class Parts(Protocol):
    """What these routes need of the engine. Raises ApiError while there is none."""

    @property
    def batches(self) -> Batches: ...


def build(engine: Parts) -> APIRouter:
    router = APIRouter()

    @router.post(BATCHES)
    async def create(request: Request) -> Any:
        return engine.batches.create(await request.body())

    @router.get(BATCHES)
    async def listed(request: Request) -> Any:
        said = page(engine.batches.records.all(), request.query_params, limit=20, most=100)
        return {**said, "first_id": said["first_id"] or "", "last_id": said["last_id"] or ""}

    @router.get(BATCHES + "/{name}")
    async def batch(name: str) -> Any:
        return engine.batches.records.get(name)

    @router.post(BATCHES + "/{name}/cancel")
    async def cancel(name: str) -> Any:
        return engine.batches.cancel(name)

    return router
