"""What a training would cost, as the page's price table shows it."""

from __future__ import annotations

from typing import Any

from playground import pricing
from playground.finetune.estimate import Candidate, TrainingEstimate
from playground.finetune.jobs import EPOCHS
from playground.parameters import check
from playground.ui.asking import Asked
from playground.words import Language, Said

COUNTED = 20_000
"""Examples whose tokens are counted; of more, as many that are evenly spread."""


def places(count: int) -> list[int]:
    """Which of `count` examples are counted."""
    counted = min(count, COUNTED)
    return [number * count // counted for number in range(counted)]


def whole_epochs(asked: Asked) -> int | None:
    """The epochs that are asked for, None for the default. Raises InvalidRequest."""
    epochs: int | None = check(EPOCHS, asked.get("epochs"))
    return epochs


def priced(found: TrainingEstimate, reader: Language) -> dict[str, Any]:
    """Base by base, with the arithmetic."""
    about = "" if found.counted == found.records else "≈ "
    return {
        "records": found.counted,
        "of": found.records,
        "epochs": found.epochs,
        "source": f"{found.prices.text(reader)}. {Said('estimate.local').text(reader)}",
        "candidates": [_candidate(each, reader, about) for each in found.candidates],
    }


def _candidate(each: Candidate, reader: Language, about: str) -> dict[str, Any]:
    return {
        "base": each.base,
        "status": each.status,
        "tokens": each.billed_tokens,
        "training": about + pricing.format_money(each.training),
        "tuned": None if each.tuned is None else pricing.format_money(each.tuned),
        "untuned": None if each.untuned is None else pricing.format_money(each.untuned),
        "lines": [line.text(reader) for line in each.lines],
    }
