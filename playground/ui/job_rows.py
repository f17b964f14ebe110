"""A fine-tuning job as the page shows it, and which one the page means."""

from __future__ import annotations

from typing import Any

from playground.deps import Deps
from playground.errors import InvalidRequest
from playground.finetune.jobs import Job
from playground.ui.asking import Asked


def row(endpoint: str, job: Job) -> dict[str, Any]:
    """A job as the page shows it."""
    return {
        "endpoint": endpoint,
        "id": job.id,
        "status": job.status,
        "base": job.base,
        "model": job.fine_tuned_model,
        "created": job.created,
        "ended": job.ended,
        "tokens": job.trained_tokens,
        "settings": {name: str(value) for name, value in job.hyperparameters.items()},
        "error": job.error,
        "results": bool(job.result_files),
    }


def meant(deps: Deps, asked: Asked) -> tuple[str, str]:
    """The server and the job that are asked for. Raises InvalidRequest."""
    endpoint, job = asked.get("endpoint"), asked.get("job")
    if not isinstance(endpoint, str) or endpoint not in deps.client.endpoints or not isinstance(job, str) or not job:
        raise InvalidRequest("There is no such job.", param="job")
    return endpoint, job
