"""What a training would cost, as the page's price table shows it."""

from __future__ import annotations

from typing import Any

from playground import pricing
from playground.finetune.estimate import Candidate, TrainingEstimate
from playground.words import Language


def priced(found: TrainingEstimate, of: int, reader: Language) -> dict[str, Any]:
    """Base by base, with the arithmetic; `of` is how many examples there are where fewer were counted."""
    return {
        "records": found.records,
        "of": of,
        "epochs": found.epochs,
        "source": found.prices,
        "candidates": [_candidate(each, reader) for each in found.candidates],
    }


def _candidate(each: Candidate, reader: Language) -> dict[str, Any]:
    return {
        "base": each.base,
        "status": each.status,
        "tokens": each.billed_tokens,
        "training": pricing.format_money(each.training),
        "tuned": None if each.tuned is None else pricing.format_money(each.tuned),
        "untuned": None if each.untuned is None else pricing.format_money(each.untuned),
        "lines": [line.text(reader) for line in each.lines],
    }
