"""Every sentence of the bot is there in both languages, with the same figures, and is said somewhere."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path
from string import Formatter

import playground
from playground.bots.replies import COMMANDS

WORDS: dict[str, dict[str, str]] = json.loads(
    files("playground").joinpath("data", "telegram_words.json").read_text(encoding="utf-8")
)
ROOM = Path(playground.__file__).parent
SOURCE = "\n".join(path.read_text() for path in [*(ROOM / "bots").glob("*.py"), ROOM / "cli" / "telegram.py"])


def _fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_both_languages_say_the_same_with_the_same_figures() -> None:
    assert WORDS["en"].keys() == WORDS["es"].keys()
    for key, text in WORDS["en"].items():
        assert _fields(text) == _fields(WORDS["es"][key]), key
        assert text != WORDS["es"][key], key


def test_no_sentence_is_left_over() -> None:
    names = {key: key.partition(".")[2] for key in WORDS["en"]}
    made = {f"command_{name}" for name in COMMANDS} | {"start", "help", "start_remembers", "help_remembers"}
    assert [key for key, name in names.items() if name not in made and not re.search(rf'\b{name}"', SOURCE)] == []


def test_a_command_and_its_answers_fit_what_telegram_takes() -> None:
    for language in ("en", "es"):
        for name in COMMANDS:
            assert 3 <= len(WORDS[language][f"bot.command_{name}"]) <= 256
