"""Halves of characters: what no file and no stream can hold is put together, or replaced."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from playground.unicode import all_well_formed, well_formed


@pytest.mark.parametrize(
    ("text", "then"),
    [
        ("", ""),
        ("añb😀", "añb😀"),
        ("\ud83d\ude00", "😀"),
        ("a\ud83d", "a�"),
        ("\ude00\ud83d", "��"),
        ("😀\ud83d😀", "😀�😀"),
    ],
)
def test_halves_that_belong_together_are_one_character_and_others_are_replaced(text: str, then: str) -> None:
    assert well_formed(text) == then


@given(some.text(some.characters()))
def test_every_text_can_be_written_and_is_as_long_in_utf_16_as_before(text: str) -> None:
    made = well_formed(text)
    made.encode()
    assert len(made.encode("utf-16-le")) == len(text.encode("utf-16-le", "surrogatepass"))
    assert well_formed(made) == made


_JSON = some.recursive(
    some.none() | some.integers() | some.text(some.characters()),
    lambda inner: some.lists(inner) | some.dictionaries(some.text(some.characters()), inner),
)


@given(_JSON)
def test_every_text_in_json_is_made_whole_and_nothing_else_changes(value: Any) -> None:
    made = all_well_formed(value)
    json.dumps(made, ensure_ascii=False).encode()
    assert all_well_formed(made) == made
