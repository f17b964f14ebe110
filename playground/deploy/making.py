"""A bundle from the app's parts: what its request has cost by the history, or by counting it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from playground.deploy.bundle import contents
from playground.deploy.cases import cases_json
from playground.deploy.cost import MOST, Cost, estimated, measured
from playground.deploy.frozen import Frozen
from playground.deps import Deps
from playground.errors import PlaygroundError
from playground.evaluate.dataset import Dataset
from playground.evaluate.metrics.build import MetricSpec
from playground.store.history import Filter
from playground.variables import fill_all
from playground.words import Language

COUNTING = 10.0
"""Seconds that a server may take to count a prompt before it is guessed."""
SAMPLE = 20
"""Cases whose prompts are counted."""


async def make(
    deps: Deps,
    frozen: Frozen,
    *,
    dataset: Dataset | None = None,
    check: MetricSpec | None = None,
    at_least: float = 1.0,
    requests: int = 1_000,
    language: Language = "en",
) -> dict[str, str]:
    """Every file's text by its name. Raises InvalidRequest for cases that cannot be asked."""
    cases = cases_json(frozen, dataset, check=check, at_least=at_least)
    cost = await cost_of(deps, frozen, cases["cases"])
    day = datetime.now(UTC).date()
    own = dataset is not None
    return contents(frozen, cost, cases, own_cases=own, requests=requests, day=day, language=language)


async def cost_of(deps: Deps, frozen: Frozen, cases: list[Mapping[str, Any]]) -> Cost:
    """By the history where it has enough runs, else by the prompts of some cases."""
    price_as = deps.settings.price_as
    found = await asyncio.to_thread(_measured, deps, frozen, price_as)
    if found is not None:
        return found
    counts = [await _count(deps, frozen, case.get("variables", {})) for case in cases[:SAMPLE] or [{}]]
    return estimated(frozen, round(sum(counts) / len(counts)), price_as=price_as)


def _measured(deps: Deps, frozen: Frozen, price_as: str) -> Cost | None:
    wanted = Filter(endpoint=frozen.info.endpoint, model=frozen.info.id, mode=frozen.mode, status="done")
    return measured(frozen, islice(deps.store.each(wanted), MOST), price_as=price_as)


async def _count(deps: Deps, frozen: Frozen, values: Mapping[str, str]) -> int:
    """Tokens of the prompt. A name without a value counts as it is written."""
    given = {name: values.get(name) or usual or "{{" + name + "}}" for name, usual in frozen.variables.items()}
    filled: dict[str, Any] = fill_all(frozen.written, given)
    try:
        async with asyncio.timeout(COUNTING):
            counted = await deps.count_request(filled, frozen.request.body().get("tools"), frozen.info)
    except (PlaygroundError, TimeoutError):
        return len(str(filled)) // 4  # the server does not count now: OpenAI's rule of thumb for English
    return counted.tokens
