"""Every sentence of this part is there in both languages, with the same figures, and is said somewhere."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path
from string import Formatter

import playground

FILES = ("evaluate_words.json", "dataset_words.json")
READ = [json.loads(files("playground").joinpath("data", name).read_text(encoding="utf-8")) for name in FILES]
WORDS: dict[str, dict[str, str]] = {each: {**READ[0][each], **READ[1][each]} for each in READ[0]}
SOURCE = "\n".join(path.read_text() for path in Path(playground.__file__).parent.rglob("*.py"))


def _fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_both_languages_say_the_same_with_the_same_figures() -> None:
    assert WORDS["en"].keys() == WORDS["es"].keys()
    for key, text in WORDS["en"].items():
        assert _fields(text) == _fields(WORDS["es"][key]), key
        assert text != WORDS["es"][key], key


def test_a_hint_has_its_error() -> None:
    hints = {key.removeprefix("error_hint.") for key in WORDS["en"] if key.startswith("error_hint.")}
    assert {hint for hint in hints if f"error.{hint}" not in WORDS["en"]} == set()


def test_no_sentence_is_left_over() -> None:
    names = {key: key.removeprefix("error.").removeprefix("error_hint.") for key in WORDS["en"]}
    assert [key for key, name in names.items() if not re.search(rf'"{re.escape(name)}"', SOURCE)] == []
