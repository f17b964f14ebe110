"""Sentences as keys: each is there in both languages, and no error of a file is written in English alone."""

from __future__ import annotations

import ast
import json
import re
import string
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from playground.errors import InvalidRequest, PlaygroundError, refused
from playground.words import FILES, LANGUAGES, Said, texts

ROOT = Path(__file__).parents[2] / "playground"
#: Parts whose errors a visitor meets in the Fine-tune and the Results tab.
TRANSLATED = [
    *sorted((ROOT / "finetune").rglob("*.py")),
    *(ROOT / "ui" / f"{name}.py" for name in ("asking", "chat_files", "comparing", "job_rows", "jobs")),
    *(ROOT / "ui" / f"{name}.py" for name in ("prepare", "price", "result_jobs", "results", "uploads")),
]
#: Sentences that are made of others alone.
MADE = {"error.no_value", "error.unfit", "error_hint.unfit"}


def calls(file: Path, *names: str) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
            yield node


def words_in(node: ast.expr) -> set[str]:
    """Every text that stands in it: of `"a" if x else "b"` both."""
    return {each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str)}


def named() -> set[str]:
    """The keys of errors and of their hints that the code names."""
    found: set[str] = set()
    for file in ROOT.rglob("*.py"):
        own = ("refused", "wrong") if file.parent.name == "finetune" else ("refused",)
        for call in calls(file, *own):
            hints = {word for given in call.keywords if given.arg == "hint" for word in words_in(given.value)}
            found |= {f"error_hint.{word}" for word in hints}
            found |= {f"error.{word}" for word in (words_in(call.args[0]) if call.args else ())}
        for call in calls(file, "Said"):
            found |= words_in(call.args[0])
    return {key for key in found if not key.endswith(".")}  # one that is put together


def figures(text: str) -> set[str | None]:
    return {name for _, name, _, _ in string.Formatter().parse(text)} - {None}


def test_no_key_stands_in_two_files_or_in_one_language_alone() -> None:
    each = [json.loads(files("playground").joinpath("data", name).read_text())["en"] for name in FILES]
    assert sum(map(len, each)) == len(texts("en"))
    assert texts("en").keys() == texts("es").keys()


@pytest.mark.parametrize("key", texts("en"))
def test_each_text_is_there_in_both_languages_with_the_same_figures(key: str) -> None:
    assert figures(texts("en")[key]) == figures(texts("es")[key])
    assert texts("en")[key] != texts("es")[key] or key in MADE or re.fullmatch(r"\W*", texts("en")[key])
    assert texts("es")[key].strip()


def test_every_error_that_the_code_names_has_its_text() -> None:
    assert {key for key in named() if key.startswith(("error.", "error_hint."))} - texts("en").keys() == set()


def test_no_text_of_an_error_is_left_over() -> None:
    own = {key for key in texts("en") if key.startswith(("error.", "json.", "place.", "what."))}
    code = "\n".join(file.read_text() for file in ROOT.rglob("*.py"))
    unused = {key for key in own - named() if not re.search(rf'"{re.escape(key.partition(".")[2])}"', code)}
    assert unused == set()


@pytest.mark.parametrize("file", TRANSLATED, ids=lambda file: file.stem)
def test_no_error_of_these_parts_is_written_in_english_alone(file: Path) -> None:
    for call in calls(file, "InvalidRequest", "PlaygroundError"):
        assert not any(isinstance(given, ast.Constant | ast.JoinedStr) for given in call.args), ast.unparse(call)


def test_an_error_says_the_same_in_each_language() -> None:
    error = refused("no_number", param="file", line="3", column="'step'", cell="'x'")
    assert error.texts("en") == (error.message, error.hint)
    assert error.texts("es") == (
        "Línea 3, columna 'step': 'x' no es un número.",
        "Deja vacía la celda donde no se midió nada.",
    )
    assert (error.param, str(error)) == ("file", f"{error.message} {error.hint}")


def test_a_sentence_may_hold_another_one() -> None:
    inner = Said("what.zip")
    assert Said("error.no_results", {"what": inner}).text("es") == (
        "El archivo es una hoja de cálculo o un archivo zip, no un archivo de resultados."
    )


def test_what_a_person_wrote_is_never_read_as_a_format() -> None:
    assert "{0.__class__}" in refused("two_columns", column="{0.__class__}").message


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_error_that_has_no_key_is_said_as_it_is(language: str) -> None:
    for error in (PlaygroundError("No.", hint="Try."), InvalidRequest("No.", hint="Try.")):
        assert error.texts("es" if language == "es" else "en") == ("No.", "Try.")
