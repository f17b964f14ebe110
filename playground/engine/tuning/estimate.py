"""What a job would take, before its files are there: steps, memory, and time where an earlier job shows the pace."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from playground.engine.errors import bad
from playground.engine.llama import Llama
from playground.engine.schemas import Text, parse
from playground.engine.serving import Serving
from playground.engine.training import memory, shape
from playground.engine.training.errors import TrainingError
from playground.engine.training.plan import Plan
from playground.engine.tuning import lines, plans
from playground.engine.tuning.asked import Asked, hyperparameters
from playground.engine.tuning.examples import Speech
from playground.engine.tuning.jobs import Jobs
from playground.memory import available_bytes

LONGEST = 4 * 2**20
"""Characters of a file's longest line."""


class EstimateBody(BaseModel):
    """POST /v1/fine_tuning/estimate: how many examples the file has, its bytes, its longest line as it is, and
    hyperparameters as a job has them."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)
    model: Text
    examples: Annotated[int, Field(ge=1, le=10_000_000)]
    bytes: Annotated[int, Field(ge=1, le=2**40)]
    longest: Annotated[Text, Field(min_length=1, max_length=LONGEST)]
    hyperparameters: dict[str, Any] | None = None


async def estimate(content: bytes, *, serving: Serving, jobs: Jobs) -> dict[str, Any]:
    """Numbers for one of the models of `serving`, which is loaded to count tokens. Raises a 400."""
    body = parse(EstimateBody, content)
    if serving.shelf.path(body.model) is None:
        raise bad(f"The model {body.model[:120]!r} cannot be trained here, but {serving.model_id!r} can.", "model")
    asked = hyperparameters(body.hyperparameters, "hyperparameters")
    base = (await serving.wanted(body.model)).model.path
    try:
        model = await asyncio.to_thread(shape.read, base, asked.trainer or "numpy")
    except TrainingError as error:
        raise bad(error.message, error.param, error.code) from None
    async with serving.use(body.model) as generator:
        return await _told(body, asked, base, model, generator.llama, jobs)


async def _told(
    body: EstimateBody, asked: Asked, base: Path, model: shape.Shape, llama: Llama, jobs: Jobs
) -> dict[str, Any]:
    line = body.longest.encode()
    made = await (await Speech.of(llama)).examples(lines.one(line))
    longest = max((len(each.tokens) for each in made), default=1)
    # As many tokens a byte as the longest line has.
    tokens = round(sum(len(each.tokens) for each in made) * body.bytes / len(line))
    examples = body.examples * max(1, len(made))
    plan = plans.make(
        asked,
        base=base,
        layers=llama.header.block_count,
        context=llama.context,
        examples=examples,
        seed=0,
        lines=body.examples,
    )
    pace = _pace(jobs, base)
    return {
        "object": "fine_tuning.estimate",
        "n_epochs": plan.n_epochs,
        "batch_size": plan.batch_size,
        "steps": plan.n_epochs * math.ceil(examples / plan.batch_size),
        "tokens": tokens * plan.n_epochs,
        "longest": longest,
        "memory_bytes": _fitting(plan, model, longest),
        "free_bytes": max(0, available_bytes() - plans.RESERVE),
        "seconds": pace and math.ceil(pace * tokens * plan.n_epochs),
    }


def _fitting(plan: Plan, model: shape.Shape, longest: int) -> int:
    """With the memory that the job would be given (plans.fitted); of one that does not fit, the least that it needs."""
    free, needed = available_bytes() - plans.RESERVE, 0
    for cap in (plan.memory, *plans.SMALLER):
        needed = memory.estimate(replace(plan, memory=cap), model, longest=longest, batch=plan.batch_size)
        if needed <= free:
            break
    return needed


def _pace(jobs: Jobs, base: Path) -> float | None:
    """Seconds a token, validation included, of the newest job on the same base that tells of it."""
    size = base.stat().st_size
    paces = (_of_events(jobs.events(record).all()) for record in jobs.all() if record.base_bytes == size)
    return next((pace for pace in paces if pace), None)


def _of_events(events: Iterable[dict[str, Any]]) -> float | None:
    steps = [event for event in events if event["data"].get("trained_tokens")]
    if len(steps) < 2 or any("goes on" in event["message"] for event in events):
        return None
    seconds = steps[-1]["created_at"] - steps[0]["created_at"]
    tokens = steps[-1]["data"]["trained_tokens"] - steps[0]["data"]["trained_tokens"]
    # Events are told in whole seconds.
    return seconds / tokens if seconds >= 2 and tokens > 0 else None
