"""How far a sweep's batches are, in words."""

from __future__ import annotations

from collections.abc import Sequence

from playground.store import Part
from playground.words import Said

SAID = {
    "validating": "batch.validating",
    "in_progress": "batch.in_progress",
    "finalizing": "batch.finalizing",
    "cancelling": "batch.cancelling",
}


def far(sent: Sequence[Part], trouble: Said | None) -> Said:
    """`sent` are those that have not been merged; what is slowest says where they all are."""
    if trouble is not None:
        return trouble
    if not sent:
        return Said("batch.preparing")
    done = sum((part.completed or 0) + (part.failed or 0) for part in sent)
    found = {part.status for part in sent}
    stage = next(iter(found)) if len(found) == 1 else "in_progress"
    key = SAID.get(stage or "", "batch.in_progress" if done else "batch.validating")
    figures = {"done": done, "count": sum(len(part.calls) for part in sent), "batches": len(sent)}
    return Said(key, figures)
