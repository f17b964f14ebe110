"""What a job on the embedded engine would take, in words, before it starts: its file is not uploaded for that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from playground.finetune.jobs import Plan
from playground.memory import MB
from playground.words import Said

UNTOLD = 2**60
"""Free bytes above which the system has not told how many there are."""


def question(plan: Plan, data: bytes) -> dict[str, Any] | None:
    """What the engine is asked of a JSONL file; None for one without a line."""
    lines = [line for line in data.removeprefix(b"\xef\xbb\xbf").splitlines() if line.strip()]
    if not lines:
        return None
    longest = max(lines, key=len)
    hyperparameters = {"n_epochs": plan.epochs, "batch_size": plan.batch_size, "trainer": plan.trainer}
    return {
        "model": plan.base,
        "examples": len(lines),
        "bytes": sum(map(len, lines)),
        "longest": longest.decode("utf-8", "replace"),
        "hyperparameters": {name: value for name, value in hyperparameters.items() if value is not None},
    }


def outlook(said: Mapping[str, Any]) -> Said:
    """The engine's answer (playground/engine/tuning/estimate.py) as a sentence or two. Raises KeyError, TypeError."""
    memory, free = -(-said["memory_bytes"] // MB), said["free_bytes"] // MB
    if memory > free:
        return Said("outlook.short", {"memory": memory, "free": free, "longest": said["longest"]})
    args = {"steps": said["steps"], "epochs": said["n_epochs"], "batch": said["batch_size"], "memory": memory}
    plain = Said("outlook.free", {**args, "free": free}) if free < UNTOLD // MB else Said("outlook.plain", args)
    seconds = said.get("seconds")
    if not seconds:
        return plain
    key, amount = ("outlook.minutes", round(seconds / 60)) if seconds >= 90 else ("outlook.seconds", seconds)
    return Said(key, {"plain": plain, "amount": amount})
