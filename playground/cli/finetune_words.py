"""What the command line says of fine-tuning jobs: data in, lines out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playground.finetune.follow import Snapshot
    from playground.finetune.jobs import Event, Job


def said_of(job: Job) -> str:
    """The job's status, and what has come of it."""
    words = job.status.replace("_", " ")
    if job.error:
        return f"{words}: {job.error}"
    return f"{words}: {job.fine_tuned_model}" if job.fine_tuned_model else words


def job_row(server: str, job: Job) -> str:
    return f"{server}/{job.id}  {moment(job.created)}  {job.base}  {said_of(job)}"


def job_lines(server: str, job: Job, checkpoints: Iterable[Mapping[str, Any]]) -> list[str]:
    """A job in full; what is unknown is left out."""
    from playground.finetune.jobs import parse_checkpoint

    tokens = None if job.trained_tokens is None else f"{job.trained_tokens:,}"
    hyperparameters = ", ".join(f"{name} {value}" for name, value in job.hyperparameters.items())
    rows = {
        "base": job.base,
        "created": job.created and moment(job.created),
        "finished": job.finished and moment(job.finished),
        "expected": None if job.ended else job.estimated_finish and moment(job.estimated_finish),
        "trained tokens": tokens,
        "method": job.method,
        "hyperparameters": hyperparameters,
        "seed": job.seed,
        "training file": job.training_file,
        "validation file": job.validation_file,
        "results": ", ".join(job.result_files),
    }
    lines = [f"{server}/{job.id}: {said_of(job)}"]
    lines += [f"  {name}: {value}" for name, value in rows.items() if value not in (None, "")]
    for each in map(parse_checkpoint, checkpoints):
        values = ", ".join(f"{name} {value:.4g}" for name, value in each.values.items())
        lines.append(f"  checkpoint at step {each.step}: {each.model}" + (f" ({values})" if values else ""))
    return lines


def measured(event: Event) -> str:
    """An event in one line, with its share of the steps where it has one."""
    level = "" if event.level == "info" else f"{event.level}: "
    metric = event.metric
    share = f"{metric.step / metric.total_steps:4.0%}  " if metric and metric.total_steps else ""
    return f"{share}{level}{' '.join(event.message.split())}"


def left(snapshot: Snapshot) -> str:
    """How long it may still take, as the end of a line."""
    if snapshot.eta is None:
        return ""
    minutes = snapshot.eta / 60
    return f", about {minutes:.0f} min left" if minutes >= 1 else ", less than a minute left"


def moment(seconds: float | None) -> str:
    """Unix seconds as 2026-11-23 17:45 UTC; a number that is no date is shown as none."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC") if seconds is not None else "?"
    except (ValueError, OverflowError, OSError):
        return "?"
