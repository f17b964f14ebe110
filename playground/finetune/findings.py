"""What a rule found in a training file, as data: a key and arguments that the page can translate, and English."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from playground.finetune.table import shown
from playground.words import Language, Said, texts

Severity = Literal["info", "necessary", "recommended", "error"]

QUOTED = 30
"""Characters of a person's text that an argument shows in a message. A message has two at most."""


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
        return self.text("en")

    @property
    def hint(self) -> str:
        return self.advice("en")

    @property
    def what(self) -> Said:
        """What was found, in a sentence."""
        return Said(f"finding.{self.key}", self.words)

    @property
    def todo(self) -> Said | str:
        """What to do about an error; empty where the sentence says it."""
        key = f"finding_hint.{self.key}"
        return Said(key) if key in texts("en") else ""

    def text(self, language: Language) -> str:
        return self.what.text(language)

    def advice(self, language: Language) -> str:
        return self.todo.text(language) if isinstance(self.todo, Said) else ""
