"""What this package says, as a key with its figures: `data/finetune_words.json` has the texts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Literal

Language = Literal["en", "es"]


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence that a page may translate: `key` names its text, `args` are the names and figures in it."""

    key: str
    args: Mapping[str, str | int | float] = field(default_factory=dict)

    def text(self, language: Language = "en") -> str:
        return texts(language)[self.key].format(**self.args)


@cache
def texts(language: Language) -> dict[str, str]:
    """Every text of one language by its key."""
    text = files("playground").joinpath("data", "finetune_words.json").read_text(encoding="utf-8")
    found: dict[str, str] = json.loads(text)[language]
    return found
