"""Each answer at its end, counted and logged: without what was asked and said, unless the settings ask for that."""

from __future__ import annotations

import logging
from typing import Any

from playground.deps import Deps
from playground.operations.logs import FIELDS
from playground.operations.metrics import Metrics
from playground.streaming import RunState
from playground.types import Request

log = logging.getLogger("playground.answers")


def watch(deps: Deps) -> Metrics:
    """Count and log what is answered. Before anything is asked for."""
    metrics = Metrics(deps.turns, lambda endpoint: deps.client.kind_of(endpoint))
    prompts = deps.settings.log_prompts

    def observe(account: str, request: Request, state: RunState) -> None:
        metrics.answered(request, state)
        log.info("answer", extra={FIELDS: told(account, request, state, prompts=prompts)})

    deps.observer = observe
    return metrics


def told(account: str, request: Request, state: RunState, *, prompts: bool) -> dict[str, Any]:
    """An answer as fields of the log. Times are seconds."""
    usage = state.usage
    said: dict[str, Any] = {
        "account": account or "host",
        "server": request.endpoint,
        "model": request.model,
        "status": state.status,
        "seconds": round(state.latency, 3),
        "first_token": None if state.time_to_first_token is None else round(state.time_to_first_token, 3),
        "prompt_tokens": usage and usage.prompt_tokens,
        "completion_tokens": usage and usage.completion_tokens,
    }
    if state.error is not None:
        said["failure"] = state.error.kind
    if prompts:
        said |= {"asked": request.body(), "answered": [choice.text for choice in state.choices()]}
    return said
