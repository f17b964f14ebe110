"""Whatever is said of the command line, in hints, in the README or by itself, names commands and options it has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from playground.cli import app

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"python -m playground (?P<rest>[^`\"\n|#)]*)")
"""Up to the end of a line, of a quote or of a comment."""
PLACES = (
    *(ROOT / "playground/data").glob("*_words.json"),
    *(ROOT / "playground/ui/strings").glob("*.py"),
    *(ROOT / "playground/cli").glob("*.py"),
    ROOT / "playground/engine/tuning/lines.py",
    *(ROOT / "docs").glob("*.md"),
    *(ROOT / "examples").rglob("*.md"),
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
)


def lines(text: str) -> Iterator[list[str]]:
    for found in NAMED.finditer(text):
        yield found["rest"].replace("\\n", " ").split()


def unknown(rest: list[str]) -> str | None:
    """What of a line there is not: its command, its command's command, or an option."""
    command: Any = get_command(app)
    for word in list(rest):
        if not hasattr(command, "commands") or not re.fullmatch(r"[a-z]+(-[a-z]+)*[.,;:]?", word):
            break
        name = word.rstrip(".,;:")
        if name not in command.commands:
            return name
        command = command.commands[name]
        rest = rest[1:]
    known = {option for param in command.params for option in (*param.opts, *param.secondary_opts)} | {"--help"}
    given = [found for word in rest if (found := re.match(r"--[a-z-]+", word)) is not None]
    return next((option[0] for option in given if option[0] not in known), None)


@pytest.mark.parametrize("place", PLACES, ids=lambda place: str(place.relative_to(ROOT)))
def test_every_command_that_is_named_exists(place: Path) -> None:
    wrong = {" ".join(rest): what for rest in lines(place.read_text(encoding="utf-8")) if (what := unknown(rest))}
    assert not wrong


def test_a_command_or_an_option_that_does_not_exist_is_found() -> None:
    assert unknown(["swep", "spec.yaml"]) == "swep"
    assert unknown(["finetune", "creat"]) == "creat"
    assert unknown(["sweep", "--resumes", "ID"]) == "--resumes"
    assert unknown(["sweep", "--resume", "ID", "--budget", "…"]) is None
    assert unknown(["models", "pull", "NAME"]) is None


def test_hints_name_commands_at_all() -> None:
    data = resources.files("playground").joinpath("data/evaluate_words.json").read_text(encoding="utf-8")
    assert ["sweeps"] in list(lines(data))
