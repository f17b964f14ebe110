"""What a model was trained on, as far as its training file tells, and what a prompt for it lacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from playground.errors import InvalidRequest
from playground.finetune.affixes import common_suffix
from playground.finetune.tables import read


@dataclass(frozen=True, slots=True)
class Trained:
    """What all prompts and all completions of a training file end with, "" for nothing; and its first prompt."""

    separator: str
    ending: str
    prompt: str


def trained_on(data: bytes) -> Trained | None:
    """What the file's pairs have in common; None where it holds no pairs (a chat file), or too few to tell."""
    try:
        table = read(data, "training.jsonl")
    except InvalidRequest:
        return None
    if len(table) < 2 or not {"prompt", "completion"} <= set(table.columns):
        return None
    prompts, completions = table.prompts, table.completions
    return Trained(shared_ending(prompts), shared_ending(completions), prompts[0])


@dataclass(frozen=True, slots=True)
class Lacks:
    """What a request lacks that the model was trained with: "" for what it has."""

    separator: str
    ending: str


def lacks(trained: Trained, prompt: str, stop: Sequence[str]) -> Lacks | None:
    """None where nothing is missing. An empty prompt is not yet one that lacks its end."""
    separator = "" if not prompt or prompt.endswith(trained.separator) else trained.separator
    ending = "" if any(each and each in trained.ending for each in stop) else trained.ending
    return Lacks(separator, ending) if separator or ending else None


def shared_ending(texts: Sequence[str]) -> str:
    """What all of `texts` share at their end, as a separator or a stop is: a line break, ` ->`, ` END`.

    Not a whole text that happens to be the same everywhere, nor a piece of a word, nor the full stop of a sentence.
    """
    found = common_suffix(texts) if len(texts) > 1 else ""
    if found in texts:
        return ""
    while found and found[0].isalnum():
        found = found[1:]
    return "" if len(found) == 1 and not found.isspace() else found
