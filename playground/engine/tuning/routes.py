"""The addresses of files, jobs and fine-tuned models."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response, StreamingResponse

from playground.engine.errors import ApiError, bad
from playground.engine.serving import Serving
from playground.engine.tuning import export, following, uploads
from playground.engine.tuning.estimate import estimate
from playground.engine.tuning.paging import page
from playground.engine.tuning.service import Tuning

FILES = "/v1/files"
JOBS = "/v1/fine_tuning/jobs"


class Parts(Protocol):
    """What these routes need of the engine. The last two raise ApiError while there is none."""

    data: Path | None

    @property
    def tuning(self) -> Tuning: ...
    @property
    def serving(self) -> Serving: ...


def build(engine: Parts) -> APIRouter:
    router = APIRouter()
    _files(router, engine)
    _jobs(router, engine)
    _about_jobs(router, engine)
    _models(router, engine)
    return router


def _files(router: APIRouter, engine: Parts) -> None:
    @router.post(FILES)
    async def upload(request: Request) -> Any:
        return await uploads.receive(request, engine.tuning.files)

    @router.get(FILES)
    async def listed(request: Request) -> Any:
        query = request.query_params
        if query.get("order") not in (None, "asc", "desc"):
            raise bad("order is asc or desc.", "order")
        found = engine.tuning.files.all(query.get("purpose"))
        said = page(found[::-1] if query.get("order") == "asc" else found, query, limit=10_000, most=10_000)
        # OpenAI's schema has texts here.
        return {**said, "first_id": said["first_id"] or "", "last_id": said["last_id"] or ""}

    @router.get(FILES + "/{name}")
    async def file(name: str) -> Any:
        return engine.tuning.files.get(name)

    @router.get(FILES + "/{name}/content")
    async def content(name: str) -> Response:
        said = engine.tuning.files.get(name)
        kind = "text/csv" if said["purpose"] == "fine-tune-results" else "application/octet-stream"
        return FileResponse(engine.tuning.files.content(name), media_type=kind, filename=said["filename"])

    @router.delete(FILES + "/{name}")
    async def delete(name: str) -> Any:
        engine.tuning.files.delete(name)
        return {"id": name, "object": "file", "deleted": True}


def _jobs(router: APIRouter, engine: Parts) -> None:
    @router.post(JOBS)
    async def create(request: Request) -> Any:
        return await engine.tuning.create(await request.body())

    @router.get(JOBS)
    async def listed(request: Request) -> Any:
        jobs = [record.job for record in engine.tuning.jobs.all()]
        return page(jobs, request.query_params, limit=20, most=100)

    @router.get(JOBS + "/{name}")
    async def job(name: str) -> Any:
        return engine.tuning.jobs.get(name).job

    @router.post(JOBS + "/{name}/cancel")
    async def cancel(name: str) -> Any:
        record = engine.tuning.jobs.get(name)
        await engine.tuning.supervisor.cancel(record)
        return record.job

    @router.post(JOBS + "/{name}/pause")
    async def pause(name: str) -> Any:
        record = engine.tuning.jobs.get(name)
        await engine.tuning.supervisor.pause(record)
        return record.job

    @router.post(JOBS + "/{name}/resume")
    async def resume(name: str) -> Any:
        record = engine.tuning.jobs.get(name)
        await engine.tuning.supervisor.resume(record)
        return record.job


def _about_jobs(router: APIRouter, engine: Parts) -> None:
    @router.post("/v1/fine_tuning/estimate")
    async def estimated(request: Request) -> Any:
        return await estimate(await request.body(), serving=engine.serving, jobs=engine.tuning.jobs)

    @router.get(JOBS + "/{name}/events")
    async def events(name: str, request: Request) -> Any:
        jobs, query = engine.tuning.jobs, request.query_params
        record = jobs.get(name)
        found = jobs.events(record)
        if query.get("stream", "").lower() not in ("true", "1"):
            return page(found.all()[::-1], query, limit=20, most=100)
        lines = following.lines(found, lambda: jobs.get(name).ended, query.get("after"))
        return StreamingResponse(lines, media_type="text/event-stream", headers={"Cache-Control": "no-cache"})

    @router.get(JOBS + "/{name}/checkpoints")
    async def checkpoints(name: str, request: Request) -> Any:
        found = engine.tuning.jobs.get(name).checkpoints
        return page(found[::-1], request.query_params, limit=10, most=100)


def _models(router: APIRouter, engine: Parts) -> None:
    @router.delete("/v1/models/{name:path}")
    async def delete(name: str) -> Any:
        serving = engine.serving
        if name == serving.model_id:
            raise ApiError(403, "The base model came with the engine: it is not deleted.", param="model")
        if serving.shelf.path(name) is not None:
            if engine.data is not None:
                engine.tuning.check_unused(name)
            await serving.remove(name)
            return {"id": name, "object": "model", "deleted": True}
        engine.tuning.supervisor.check_ours()
        for path in engine.tuning.models.delete(name):
            await serving.drop(path)
        return {"id": name, "object": "model", "deleted": True}

    @router.get("/v1/models/{name}/gguf")
    async def gguf(name: str, request: Request) -> Response:
        kind, tuning = request.query_params.get("type", "q8_0"), engine.tuning
        if kind not in ("f16", "q8_0"):
            raise bad("type is f16 or q8_0: a smaller one would round the tune away.", "type")
        wanted = await engine.serving.wanted(name)
        if (adapter := wanted.adapter) is None:
            raise bad("Only a fine-tune is merged: the base is a GGUF already.", "model")
        path = await export.make(wanted.model.path, adapter, wanted.model.n_params, kind, tuning.data / "exports")  # type: ignore[arg-type]
        headers = {
            "Content-Disposition": f"attachment; filename*=utf-8''{quote(export.file_name(adapter, kind))}",  # type: ignore[arg-type]
            "Content-Length": str(path.stat().st_size),
        }
        return StreamingResponse(export.read(path), media_type="application/octet-stream", headers=headers)
