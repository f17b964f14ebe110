"""What a results column is, by its name: what it measures, on which data, and whether less of it is better."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["loss", "accuracy", "classification", "other"]
Side = Literal["train", "validation", "none"]
Format = Literal["legacy", "current", "other"]
Axis = Literal["step", "examples", "tokens"]

AXES: dict[str, Axis] = {"step": "step", "elapsed_examples": "examples", "elapsed_tokens": "tokens"}
"""Columns that say where a row stands, by the name of the axis that they make."""

#: OpenAI's own names: kind, side, measure. `train_accuracy` of the current API is the mean over tokens.
_KNOWN: dict[str, tuple[Kind, Side, str]] = {
    "training_loss": ("loss", "train", "loss"),
    "training_sequence_accuracy": ("accuracy", "train", "sequence_accuracy"),
    "training_token_accuracy": ("accuracy", "train", "token_accuracy"),
    "validation_loss": ("loss", "validation", "loss"),
    "validation_sequence_accuracy": ("accuracy", "validation", "sequence_accuracy"),
    "validation_token_accuracy": ("accuracy", "validation", "token_accuracy"),
    "train_loss": ("loss", "train", "loss"),
    "train_accuracy": ("accuracy", "train", "token_accuracy"),
    "train_mean_token_accuracy": ("accuracy", "train", "token_accuracy"),
    "valid_loss": ("loss", "validation", "loss"),
    "valid_mean_token_accuracy": ("accuracy", "validation", "token_accuracy"),
    "full_valid_loss": ("loss", "validation", "loss"),
    "full_valid_mean_token_accuracy": ("accuracy", "validation", "token_accuracy"),
}
_CLASSIFICATION = ("accuracy", "weighted_f1_score", "precision", "recall", "auroc", "auprc", "f1.0")
_LEGACY = re.compile(
    r"elapsed_(tokens|examples)|(training|validation)_(loss|(sequence|token)_accuracy)|classification/.+"
)
_SIDE = re.compile(r"(full_valid|training|train|validation|valid|val|eval|test)[ _/.:-]+(.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a column's name says. `measure` is the same for training and validation, which one chart then shows;
    `explains` is the key of its explanation in plain words."""

    kind: Kind
    side: Side
    measure: str
    explains: str


def meaning(name: str) -> Meaning:
    """What a column of this name holds. Upper and lower case are the same; unknown names are read by their words."""
    name = name.strip().lower()
    if name in _KNOWN:
        return Meaning(*_KNOWN[name], f"column.{name}")
    if name.startswith("classification/"):
        # OpenAI computes them on the validation file only.
        measure = name.removeprefix("classification/")
        key = f"column.{name}" if measure in _CLASSIFICATION else "column.classification"
        return Meaning("classification", "validation", name, key)
    found = _SIDE.fullmatch(name)
    side: Side = "none" if found is None else "train" if found[1].startswith("train") else "validation"
    measure = found[2] if found else name
    if not found and name == "loss":
        side = "train"  # as Hugging Face's trainer names it, beside eval_loss
    kind: Kind = "loss" if re.search(r"loss\b", measure) else "accuracy" if "accuracy" in measure else "other"
    return Meaning(kind, side, measure, f"column.{kind}" if kind != "other" else "column.unknown")


def format_of(names: list[str]) -> Format:
    """Which API wrote a file with these columns: legacy (/v1/fine-tunes), current, or another tool."""
    lower = [name.lower() for name in names]
    legacy = any(_LEGACY.fullmatch(name) for name in lower)
    current = any(name in _KNOWN and not _LEGACY.fullmatch(name) for name in lower)
    return "other" if legacy == current else "legacy" if legacy else "current"
