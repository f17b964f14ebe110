"""Long answers in parts that Telegram takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.bots.splitting import MOST, split, units

WORDS = st.lists(st.text(st.characters(exclude_categories=("Z", "C")), min_size=1, max_size=12), max_size=60)


@given(WORDS, st.sampled_from([" ", "\n", "\n\n", ". "]), st.integers(26, 60))
def test_no_word_is_broken_and_none_is_lost_where_each_fits(words: list[str], between: str, most: int) -> None:
    parts = split(between.join(words), most)
    assert [word for part in parts for word in part.split()] == between.join(words).split()
    assert all(0 < units(part) <= most for part in parts)


@given(st.text(max_size=300), st.integers(2, 40))
def test_every_part_fits_whatever_the_text(text: str, most: int) -> None:
    parts = split(text, most)
    assert "".join("".join(parts).split()) == "".join(text.split())
    for part in parts:
        assert part == part.strip()
        assert 0 < units(part) <= most
        assert len(part.encode("utf-16-le", "surrogatepass")) == 2 * units(part)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("", []),
        (" \n ", []),
        ("a" * 4096, [4096]),
        ("a" * 4097, [4096, 1]),
        ("😀" * 2048, [2048]),
        ("😀" * 2049, [2048, 1]),
    ],
)
def test_a_part_has_at_most_4096_utf_16_units(text: str, numbers: list[int]) -> None:
    assert [len(part) for part in split(text)] == numbers
    assert MOST == 4096


def test_an_emoji_of_two_units_is_not_halved_at_an_odd_place() -> None:
    assert split("a" + "😀" * 3, 4) == ["a😀", "😀😀"]


def test_a_paragraphs_end_goes_before_a_lines_and_that_before_a_words() -> None:
    assert split("aaaa bbbb\n\ncc dd\nee ff", 18) == ["aaaa bbbb", "cc dd\nee ff"]
    assert split("aaaa bbbb cc\ndd ee ff", 18) == ["aaaa bbbb cc", "dd ee ff"]
    assert split("aaaa bb. cc dd ee ff", 15) == ["aaaa bb.", "cc dd ee ff"]


def test_an_accent_and_a_joined_emoji_stay_with_what_they_belong_to() -> None:
    assert split("e\u0301" * 4, 3) == ["e\u0301"] * 4
    family = "👩\u200d👩\u200d👧"
    assert split(family * 2, 12) == [family, family]
