"""What is said to a person in their own language: a key with its figures. `data/*_words.json` have the texts."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from string import Formatter
from typing import Any, Literal, get_args

Language = Literal["en", "es"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
FILES = (
    "error_words.json",
    "request_words.json",
    "server_words.json",
    "limit_words.json",
    "access_words.json",
    "finetune_words.json",
    "evaluate_words.json",
    "dataset_words.json",
    "deploy_words.json",
    "library_words.json",
    "engine_words.json",
    "telegram_words.json",
)


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence that a page may translate: `key` names its text, `args` are the names and figures in it.

    An argument may be a Said itself: a reason inside a sentence.
    """

    key: str
    args: Mapping[str, str | int | float | Said] = field(default_factory=dict)

    def text(self, language: Language = "en") -> str:
        args = {name: arg.text(language) if isinstance(arg, Said) else arg for name, arg in self.args.items()}
        write = _Spanish() if language == "es" else Formatter()
        return write.format(texts(language)[self.key], **args)


class _Spanish(Formatter):
    """Numbers as Spanish writes them (CLDR, `es`): 1795; 154.931; 86,3. Sums of money stay as they are everywhere."""

    _grouped = re.compile(r"-?\d{1,3}(,\d{3})+(\.\d+)?")

    def format_field(self, value: Any, format_spec: str) -> Any:
        text = super().format_field(value, format_spec)
        is_number = type(value) in (int, float) or (isinstance(value, str) and self._grouped.fullmatch(value))
        return local(text, "es") if is_number else text


def local(number: str, language: Language) -> str:
    """A number as a language writes it, of one that Python formatted, with or without groups of three."""
    if language == "en":
        return number
    whole, point, rest = number.partition(".")
    whole = whole.replace(",", "." if len(whole.lstrip("-")) > len("9,999") else "")
    return f"{whole},{rest}" if point else whole


def plain(*groups: str) -> dict[Language, dict[str, str]]:
    """What a page's script writes by itself: the texts of these groups that have no figures, in every language."""
    return {
        each: {key: text for key, text in texts(each).items() if key.startswith(groups) and "{" not in text}
        for each in LANGUAGES
    }


@cache
def texts(language: Language) -> dict[str, str]:
    """Every text of one language by its key."""
    found: dict[str, str] = {}
    for name in FILES:
        found |= json.loads(files("playground").joinpath("data", name).read_text(encoding="utf-8"))[language]
    return found
