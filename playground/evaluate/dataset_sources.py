"""Saved history and training sets → datasets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal

from playground.errors import InvalidRequest
from playground.evaluate.dataset import Case, made, read_case
from playground.evaluate.dataset_files import Loaded, called
from playground.finetune import sets
from playground.finetune.trained import shared_ending
from playground.types import Run
from playground.words import Said

Expected = Literal["answers", "liked", "none"]


def from_runs(runs: Iterable[Run], name: str, *, expected: Expected = "answers") -> Loaded:
    """Cases of what runs of the history have sent, their variables filled in and kept beside.

    `expected` is their first answer (`answers`), that of the runs with a thumb up alone (`liked`), or nobody's. Tags
    say the mode. A run that sent what no case can hold (calls without results) is left out, and said.
    """
    cases, left_out = list[Case](), 0
    for run in runs:
        sent = run.effective_request
        answer = run.choices[0].text if run.choices else None
        right = expected == "answers" or (expected == "liked" and run.rating == 1)
        given = {
            "id": run.id,
            "prompt": sent.get("prompt"),
            "messages": sent.get("messages"),
            "variables": run.request.get("variables"),
            "expected": answer if right and answer else None,
            "tags": [run.mode],
        }
        try:
            cases.append(read_case(given, len(cases) + 1))
        except InvalidRequest:
            left_out += 1
    notes = (Said("note.runs_left_out", {"count": left_out}),) if left_out else ()
    return Loaded(made(name, cases), notes=notes)


def from_training(data: bytes, name: str, *, stop: str | None = None) -> Loaded:
    """The examples of a fine-tuning set, as its validation half is one: what is asked, and the answer it teaches.

    Prompts keep their separator. Of completions the ending that all have, and the space that all begin with, belong to
    the format and not to the answer. `stop` is the ending where it is known of the whole set that this is a part of: a
    few answers may end alike by chance. Raises InvalidRequest for a file that holds neither pairs nor chats.
    """
    kept = sets.read_set(data, name)
    is_pairs = kept.kind == "pairs"
    ending = (shared_ending(kept.completions) if stop is None else stop) if is_pairs else ""
    given = _pairs(kept, ending) if is_pairs else _chats(kept)
    cases, left_out = list[Case](), 0
    for number, each in enumerate(given, 1):
        try:
            cases.append(read_case(each, number))
        except InvalidRequest:
            left_out += 1
    notes = (Said("note.examples_left_out", {"count": left_out}),) if left_out else ()
    return Loaded(made(called(name), cases), notes=notes, stop=ending)


def _pairs(kept: sets.TrainingSet, ending: str) -> Iterator[dict[str, Any]]:
    space = " " if all(completion.startswith(" ") for completion in kept.completions) else ""
    for prompt, completion in zip(kept.prompts, kept.completions, strict=True):
        yield {"prompt": prompt, "expected": completion.removesuffix(ending).removeprefix(space)}


def _chats(kept: sets.TrainingSet) -> Iterator[dict[str, Any]]:
    for example in kept.chats:
        messages = example["messages"]
        last = max((at for at, each in enumerate(messages) if each.get("role") == "assistant"), default=None)
        asked = [{key: value for key, value in each.items() if key != "weight"} for each in messages[:last]]
        yield {"messages": asked, "expected": None if last is None else messages[last].get("content")}
