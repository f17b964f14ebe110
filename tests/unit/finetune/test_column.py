"""Texts in the room that a file takes for them, and arrays of JSON read piece by piece: the same as lists of both."""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.finetune.column import Texts
from playground.finetune.json_stream import elements

ANY = st.lists(st.text(st.characters(exclude_categories=())), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(ANY)
def test_a_column_is_the_texts_that_were_put_in(texts: list[str]) -> None:
    column = Texts(texts)
    assert (len(column), list(column)) == (len(texts), texts)
    assert [column[place] for place in range(-len(texts), len(texts))] == texts + texts
    assert column[1:5] == texts[1:5]
    assert column == texts
    assert column == Texts(texts)
    assert column != [*texts, ""]


def test_a_place_that_is_not_there_is_an_index_error() -> None:
    with pytest.raises(IndexError):
        Texts(["a"])[1]
    with pytest.raises(IndexError):
        Texts()[-1]


def test_texts_with_an_emoji_take_their_bytes_and_eight_more() -> None:
    texts = [f"{'a' * 300} 🎉 {number}" for number in range(1_000)]
    column = Texts(texts)
    size = sum(len(text.encode()) for text in texts)
    assert sys.getsizeof(column._data) + sys.getsizeof(column._ends) < 1.25 * (size + 8 * len(texts))
    assert sum(map(sys.getsizeof, texts)) > 3.5 * size


@given(ANY, st.text(min_size=1, max_size=3))
def test_what_is_known_of_all_texts_is_true_of_each(texts: list[str], part: str) -> None:
    column = Texts(texts)
    assert column.sizes.tolist() == [len(text.encode("utf-8", "surrogatepass")) for text in texts]
    assert len(set(column.hashes.tolist())) == len(set(texts))
    assert column.holds(part) == any(part in text for text in texts)
    column.append(part)
    assert len(column.hashes) == len(column.sizes) == len(texts) + 1


def test_a_part_that_two_texts_make_together_is_in_neither() -> None:
    assert not Texts(["a -", "> b"]).holds("->")
    assert Texts(["a -", "> b ->"]).holds("->")


@given(st.lists(JSON, max_size=8), st.integers(1, 40), st.sampled_from([None, 0, 2]))
def test_an_array_in_pieces_of_any_size_is_the_array(values: list[Any], piece: int, indent: int | None) -> None:
    text = f" \n{json.dumps(values, indent=indent, ensure_ascii=False)}\n"
    assert list(elements(io.StringIO(text), json.JSONDecoder(), piece)) == values


@given(st.lists(JSON, max_size=4), st.data(), st.integers(1, 40))
def test_a_broken_array_is_refused_wherever_it_breaks(values: list[Any], data: st.DataObject, piece: int) -> None:
    whole = json.dumps(values)
    cut = data.draw(st.integers(0, len(whole) - 1))
    for text in (whole[:cut], f"{whole},", f"{whole}]", f"{whole[:-1]},]"):
        with pytest.raises(ValueError, match=r"\w"):
            list(elements(io.StringIO(text), json.JSONDecoder(), piece))
