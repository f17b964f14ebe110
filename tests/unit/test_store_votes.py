"""Blind votes as they are kept, on real files."""

from __future__ import annotations

import pytest

from playground.settings import Settings
from playground.store import Shown, Store, VoteRow

PAIR = (Shown("run-one", "server/a"), Shown("run-two", "server/a · temperature 0"))


def test_votes_come_back_in_their_order_also_after_opening_again(settings: Settings) -> None:
    store = Store.open(settings)
    assert store.save_vote("b", PAIR, 1)
    assert store.save_vote("a", PAIR, None)
    store.close()
    store = Store.open(settings)
    assert store.votes() == [VoteRow("b", PAIR, 1), VoteRow("a", PAIR, None)]
    store.close()


def test_a_comparison_has_one_vote_and_the_first_stays(store: Store) -> None:
    assert store.save_vote("a", PAIR, 0)
    assert not store.save_vote("a", PAIR, 1)
    assert store.votes() == [VoteRow("a", PAIR, 0)]


@pytest.mark.parametrize("chosen", [-1, 2])
def test_what_was_not_shown_cannot_be_chosen(store: Store, chosen: int) -> None:
    with pytest.raises(ValueError, match="none of those"):
        store.save_vote("a", PAIR, chosen)
    assert store.votes() == []


def test_all_votes_are_forgotten_at_once(store: Store) -> None:
    store.save_vote("a", PAIR, 0)
    store.save_vote("b", PAIR, 1)
    assert store.delete_votes() == 2
    assert store.votes() == []
    assert store.save_vote("a", PAIR, 1)
