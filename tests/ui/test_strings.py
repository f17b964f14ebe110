"""The page's words: both languages say everything, and nothing is said that no part of the page asks for."""

from __future__ import annotations

import re
from pathlib import Path

from playground import errors, panel
from playground.evaluate.metrics.build import OPTIONS
from playground.ui.strings import EN, ES

UI = Path(__file__).parents[2] / "playground" / "ui"
#: Put together at run time: a kind of error, a parameter, a cell, a finish reason.
MADE = re.compile(
    r"^(error|param|help|placeholder|cell|finish|notice|tab|role|left_out|group|code|status|filter|tokenizer|edit|finding|place|price|base|job|jobs|sets|library|sweep|metric|dataset|evaluate)_"
)


def _is_code(path: Path) -> bool:
    return path.suffix in (".py", ".js", ".html") and path.parent.name != "strings"


def test_spanish_says_everything_that_english_does() -> None:
    assert set(EN) <= set(ES)


def test_spanish_adds_only_the_titles_of_errors() -> None:
    assert {key for key in set(ES) - set(EN) if not key.startswith("error_")} == set()


def test_every_error_has_a_spanish_title() -> None:
    kinds = {
        name for name, kind in vars(errors).items() if isinstance(kind, type) and kind.__module__ == errors.__name__
    }
    titled = {key.removeprefix("error_") for key in ES if key.startswith("error_")}
    assert kinds - titled <= {"PlaygroundError", "EndpointError"}


def test_every_parameter_has_a_name_and_an_explanation() -> None:
    for name in panel.NAMES:
        assert f"param_{name}" in EN
        assert f"help_{name}" in EN


def test_every_metric_and_its_options_have_names() -> None:
    options = {option for options in OPTIONS.values() for option in options}
    assert {f"metric_{kind}" for kind in OPTIONS} | {f"metric_option_{option}" for option in options} <= set(EN)


def test_every_word_that_a_script_says_is_in_the_tables() -> None:
    code = "\n".join(path.read_text() for path in (UI / "static").glob("*.js"))
    assert set(re.findall(r"say\('(\w+)'\)", code)) <= set(EN)


def test_no_word_is_left_over() -> None:
    code = "\n".join(path.read_text() for path in UI.rglob("*") if _is_code(path))
    unused = [key for key in EN if not MADE.match(key) and not re.search(rf"\b{key}\b", code)]
    assert unused == []


def test_every_notice_that_the_page_gives_has_its_words() -> None:
    code = "\n".join(path.read_text() for path in UI.glob("*.py"))
    assert set(re.findall(r'"(notice_\w+)"', code)) <= set(EN)
    assert {key for key in EN if key.startswith("notice_")} <= set(re.findall(r'"(notice_\w+)"', code))
