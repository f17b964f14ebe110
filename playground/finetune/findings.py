"""What a rule found in a training file, as data: a key and arguments that the page can translate, and English."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from playground.finetune.table import shown

Severity = Literal["info", "necessary", "recommended", "error"]

QUOTED = 30
"""Characters of a person's text that an argument shows in a message. A message has two at most."""

#: Counts stand apart, so that no sentence needs a plural.
TEXTS = {
    "format": "The file will be converted from {format} to JSONL.",
    "few": "Pairs: {count}. A few hundred at least are recommended; twice as many tend to do steadily better.",
    "pairs": "Pairs: {count}.",
    "rename": "The column “{found}” will be called {column}.",
    "no_column": "There is no column called {column}. The file has: {columns}.",
    "extra_columns": "Only prompt and completion are used. Other columns, left out: {columns}.",
    "missing_words": "Read words for missing values ({words}) as empty. Cells that hold one: {count}.",
    "empty": "Rows with an empty completion, left out: {count}.",
    "all_empty": "No row has a completion.",
    "open_ended": "No row has a prompt: this looks like open-ended generation.",
    "classification": "This looks like classification: different completions: {classes}, rows: {count}. "
    "A part held out of training can show how well it does.",
    "conditional": "This looks like conditional generation: each prompt has a completion of its own.",
    "duplicates": "Leave out rows that repeat an earlier prompt and completion: {count}.",
    "long": "Leave out rows of more than {limit} characters, longer than such models read: {count}.",
    "upper": "More than a third of the letters in {column} are capitals; write it in lower case.",
    "identical_prompts": "All prompts are identical: “{text}”.",
    "separator_missing": "The prompts have no common separator at their end; add “{separator}” to all.",
    "separator_kept": "All prompts end with “{separator}”.",
    "separator_long": "The common end of the prompts is long; “{separator}” would be shorter.",
    "separator_repeated": "Prompts that hold their separator more than once: {count}.",
    "prompt_prefix": "All prompts begin with “{prefix}”; training does not need that. Remove it.",
    "prompt_prefix_kept": "All prompts begin with “{prefix}”.",
    "completion_prefix": "All completions begin with “{prefix}”; remove it.",
    "identical_completions": "All completions are identical: “{text}”. A model would only repeat it.",
    "ending_missing": "The completions have no common ending; add “{ending}” to all.",
    "ending_kept": "All completions end with “{ending}”.",
    "ending_long": "The common end of the completions is long; “{ending}” would be shorter.",
    "ending_repeated": "Completions that hold their ending more than once: {count}.",
    "space": "Begin each completion with a space, which older models' tokens expect. Without one: {count}.",
    "split": "Split into training ({train}) and validation ({valid}).",
}
HINTS = {
    "no_column": "Name the columns prompt and completion.",
    "all_empty": "Fill the column completion in: it is what the model learns to write.",
    "identical_prompts": "Leave the prompts empty for open-ended generation, or make them different.",
    "identical_completions": "Give each prompt the completion that belongs to it.",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """`rule` is what a person refuses it by; only `recommended` ones can be. `rows` and `examples` are the first few.

    `args` hold whole texts (a separator with its line breaks), because applying a rule needs them; `words` are what a
    message shows of them.
    """

    rule: str
    severity: Severity
    key: str
    args: Mapping[str, str | int] = field(default_factory=dict)
    count: int = 0
    rows: tuple[int, ...] = ()
    examples: tuple[str, ...] = ()

    @property
    def by_default(self) -> bool:
        """Whether it is done unless it is refused."""
        return self.severity in ("necessary", "recommended")

    @property
    def words(self) -> dict[str, str]:
        """`args` and `count` for a message in any language: on one line, cut, numbers with separators."""
        words = {**self.args, "count": self.count}
        return {name: shown(word, QUOTED) if isinstance(word, str) else f"{word:,}" for name, word in words.items()}

    @property
    def message(self) -> str:
        return TEXTS[self.key].format(**self.words)

    @property
    def hint(self) -> str:
        return HINTS.get(self.key, "")
