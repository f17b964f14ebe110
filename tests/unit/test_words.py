"""Sentences with figures, in each language as it writes them."""

from __future__ import annotations

import ast
import json
from importlib import resources
from pathlib import Path

import pytest

from playground.errors import InvalidRequest
from playground.finetune import results_columns
from playground.parameters import validate_completion
from playground.variables import fill_all
from playground.words import FILES, LANGUAGES, Said, plain


@pytest.mark.parametrize(
    ("rows", "english", "spanish"),
    [(999, "999", "999"), (1795, "1,795", "1795"), (10_000, "10,000", "10.000"), (1_234_567, "1,234,567", "1.234.567")],
)
def test_a_number_is_grouped_as_its_language_does(rows: int, english: str, spanish: str) -> None:
    said = Said("report.rows", {"rows": rows, "points": 0})
    assert said.text("en").startswith(f"Rows: {english}, ")
    assert said.text("es").startswith(f"Filas: {spanish}, ")


def test_a_number_that_was_written_in_english_is_too_and_other_texts_stay() -> None:
    for given, spanish in (("154,931", "154.931"), ("1,795", "1795"), ("$1,234.50", "$1,234.50"), ("a,b", "a,b")):
        assert Said("error.no_chats", {"base": given}).text("es").startswith(f"{spanish} no")


def test_every_measure_of_a_results_file_of_openais_has_a_name_in_each_language() -> None:
    names = {f"measure.{measure}" for _, _, measure in results_columns._KNOWN.values()}
    names |= {f"measure.classification/{measure}" for measure in results_columns._CLASSIFICATION}
    for language, given in plain("measure.").items():
        assert names <= set(given), language


def test_scripts_are_given_the_texts_without_figures_of_the_groups_they_ask_for() -> None:
    given = plain("measure.", "axis.")
    assert set(given) == set(LANGUAGES)
    assert all(key.startswith(("measure.", "axis.")) for key in given["es"])
    assert given["es"]["axis.step"] == "Paso"


def test_no_key_stands_in_two_files() -> None:
    """The later file would take the earlier one's sentence away."""
    data = resources.files("playground").joinpath("data")
    keys = [key for name in FILES for key in json.loads(data.joinpath(name).read_text(encoding="utf-8"))["en"]]
    assert sorted(keys) == sorted(set(keys))


#: What a visitor may be refused by; the command line's own refusals are English as it is.
TO_VISITORS = (
    *("catalog.py", "panel.py", "parameters.py", "structured.py", "variables.py"),
    *("store/presets.py", "ui"),
)


@pytest.mark.parametrize("place", TO_VISITORS)
def test_no_refusal_of_what_a_visitor_does_is_known_in_english_alone(place: str) -> None:
    root = Path(__file__).parents[2] / "playground" / place
    for path in root.rglob("*.py") if root.is_dir() else [root]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or not node.args:
                continue
            plain_text = isinstance(node.args[0], ast.Constant | ast.JoinedStr)
            assert not (node.func.id == "InvalidRequest" and plain_text), f"{path.name}:{node.lineno}"


def test_a_refusal_keeps_its_english_and_has_its_spanish() -> None:
    with pytest.raises(InvalidRequest) as told:
        validate_completion({"prompt": "a", "logit_bias": {"x": 1}}, endpoint="server", model="m")
    assert told.value.texts("en")[0] == "logit_bias names the token 'x', which is not a token id."
    assert told.value.texts("es")[0] == "logit_bias nombra el token 'x', que no es un número de token."
    with pytest.raises(InvalidRequest) as told:
        fill_all("{{a}} {{b}}", {"a": "1"})
    assert told.value.texts("en") == (
        "Without a value: {{b}}.",
        r"Give it a value under Variables, or write \{{name}} to send it as it is.",
    )
    assert told.value.texts("es")[1] == r"Dale un valor en Variables o escribe \{{name}} para enviarlo tal cual."
