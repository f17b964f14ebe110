"""What a job that has ended left on its server: its results file and its checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from playground.client_errors import NO_SUCH_ROUTE
from playground.errors import EndpointError, PlaygroundError
from playground.finetune.jobs import Job, parse_job
from playground.words import Said

if TYPE_CHECKING:
    from playground.client import Client


async def results_of(client: Client, server: str, name: str) -> tuple[Job, bytes]:
    """The job and its results file. Raises PlaygroundError, also where it has none."""
    job = parse_job(await client.job(server, name))
    if not job.result_files:
        hint = Said("error_hint.job_without_results") if not job.ended else ""
        raise PlaygroundError(Said("error.job_without_results", {"status": job.status}), hint=hint)
    return job, await client.file_content(server, job.result_files[0])


async def checkpoints_of(client: Client, server: str, name: str) -> list[dict[str, Any]]:
    """The job's checkpoints as the server says them; none where it has no such thing. Raises PlaygroundError."""
    try:
        return await client.checkpoints(server, name)
    except EndpointError as error:
        if error.status in NO_SUCH_ROUTE:
            return []
        raise
