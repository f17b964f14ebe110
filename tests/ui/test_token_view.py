"""Tokens as the probabilities view shows them."""

from __future__ import annotations

import pytest

from playground.types import TokenLogprob
from playground.ui.present import whole_characters


def test_parts_of_one_character_are_one_token_with_their_joint_probability() -> None:
    parts = [TokenLogprob("a", -1.0), TokenLogprob("bytes:\\xc3", -0.5), TokenLogprob("bytes:\\xb1", -0.25)]
    assert whole_characters(parts) == [TokenLogprob("a", -1.0), TokenLogprob("ñ", -0.75)]


def test_a_character_that_is_half_there_is_not_shown_yet() -> None:
    assert whole_characters([TokenLogprob("a", -1.0), TokenLogprob("bytes:\\xf0\\x9f", -0.5)]) == [
        TokenLogprob("a", -1.0)
    ]


def test_a_part_may_hold_the_letter_after_its_character() -> None:
    parts = [TokenLogprob("bytes:\\xd8", None), TokenLogprob("bytes:\\xac\\x49", -0.5)]
    assert [token.token for token in whole_characters(parts)] == ["جI"]


@pytest.mark.parametrize("text", ["bytes:", "bytes:\\xzz", "bytes:plain"])
def test_what_only_looks_like_bytes_does_not_break_the_view(text: str) -> None:
    assert len(whole_characters([TokenLogprob(text, -1.0)])) <= 1
