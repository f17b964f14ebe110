"""A job started on its server: its files go up first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from playground.finetune.jobs import Job, Plan, parse_job

if TYPE_CHECKING:
    from playground.client import Client


async def start(client: Client, server: str, plan: Plan, files: Sequence[tuple[str, bytes]]) -> Job:
    """Upload `files` (each a name and its bytes: training, and validation where there is one), then create the job.

    Raises PlaygroundError.
    """
    ids = [(await client.upload(server, data, name=name or "data.jsonl"))["id"] for name, data in files]
    return parse_job(await client.create_job(server, plan.body(*ids)))
