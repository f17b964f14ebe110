"""Results that come from a server: its finished jobs as a list, one of them opened, its checkpoints to be compared."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import numpy as np
from anyio import to_thread

from playground import catalog
from playground.deps import Deps
from playground.errors import refused
from playground.finetune.finished import checkpoints_of, results_of
from playground.finetune.jobs import Checkpoint, Job, parse_checkpoint, parse_job
from playground.finetune.results import Results
from playground.finetune.results_read import read
from playground.ui import present
from playground.ui.asking import Asked, language
from playground.ui.events import shown
from playground.ui.running import chosen

MOST_JOBS = 500
"""Jobs in the list, the newest of all servers; the command line lists every one."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A results file on the page; with the job it came from, where it came from one."""

    name: str
    results: Results
    server: str = ""
    job: Job | None = None
    checkpoints: Sequence[Checkpoint] = ()

    def marks(self) -> list[dict[str, Any]]:
        """Where the checkpoints stand on each axis. They are named by their place in the list."""
        steps, axes, made = self.results.steps, self.results.axes, []
        for number, checkpoint in enumerate(self.checkpoints):
            row = int(np.searchsorted(steps, checkpoint.step or 0))
            at = {axis: float(values[row]) for axis, values in axes.items()} if row < len(steps) else {}
            made.append({"number": number, "model": checkpoint.model, "step": checkpoint.step, "at": at})
        return made


async def listed(deps: Deps, held: Any, asked: Asked) -> dict[str, Any]:
    """Every server's jobs that have results, newest first. One that fails is told of and keeps no other out."""
    servers = list(deps.client.endpoints)
    answers = await asyncio.gather(*map(deps.client.fine_tunes, servers), return_exceptions=True)
    found: list[tuple[Job, str]] = []
    failed, empty = [], []
    for server, answer in zip(servers, answers, strict=True):
        if isinstance(answer, Exception):
            failed.append({"server": server, **present.failure(shown(answer), reader=language(asked))})
        elif isinstance(answer, BaseException):
            raise answer
        elif jobs := [job for job in map(parse_job, answer) if job.result_files]:
            found += [(job, server) for job in jobs]
        else:
            empty.append(server)
    found.sort(key=lambda each: each[0].created or 0, reverse=True)
    return {"jobs": [_row(job, server) for job, server in found[:MOST_JOBS]], "failed": failed, "empty": empty}


def _row(job: Job, server: str) -> dict[str, Any]:
    model = job.fine_tuned_model or job.base
    return {"server": server, "id": job.id, "model": model, "base": job.base, "created": job.created}


async def fetched(deps: Deps, asked: Asked, *, most: int) -> Opened:
    """The results and checkpoints of the job that is asked for. Raises PlaygroundError; `most` in bytes."""
    server, name = asked.get("server"), asked.get("id")
    if not isinstance(server, str) or server not in deps.client.endpoints or not isinstance(name, str):
        raise refused("no_job", param="id")
    job, data = await results_of(deps.client, server, name)
    if len(data) > most:
        raise refused("large_upload", param="file", size=len(data) / 1e6, most=most / 1e6)
    said = map(parse_checkpoint, await checkpoints_of(deps.client, server, name))
    saved = [each for each in said if each.model and each.step is not None]
    results = await to_thread.run_sync(read, data)
    name = f"{job.fine_tuned_model or job.id}.csv"[:120]
    return Opened(name, results, server, job, sorted(saved, key=attrgetter("step")))


def columns(deps: Deps, file: Opened, checkpoint: Any) -> dict[str, Any]:
    """A job's base, its checkpoint number `checkpoint` and its final model side by side. Raises InvalidRequest."""
    if file.job is None or type(checkpoint) is not int or not 0 <= checkpoint < len(file.checkpoints):
        raise refused("no_checkpoint", param="checkpoint")
    models = (file.job.base, file.checkpoints[checkpoint].model, file.job.fine_tuned_model or "")
    names = [f"{file.server}/{model}" for model in models if model]
    kind = "complete" if catalog.completes(chosen(deps, names[1])) else "chat"
    return {"kind": kind, "columns": [{"model": name, "params": {"temperature": 0}} for name in names]}
