"""People's ratings as they are kept, on real files."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any

import pytest

from playground.errors import InvalidRequest
from playground.settings import Settings
from playground.store import Output, Place, Store
from playground.store.ratings import RATINGS

QUEUE = {"criteria": ["grammar", "context"]}


@pytest.fixture
def sweep(store: Store) -> str:
    return begun(store, "one")


def begun(store: Store, id: str) -> str:
    about: dict[str, Any] = {"fingerprint": "f", "calls": 4, "spec": {}, "cells": [{}, {}], "cases": [{}, {}]}
    store.sweeps.create(id, name="a sweep", **about)
    outputs = [
        Output(number=at, cell=at % 2, row=at // 2, repeat=0, status="done" if at < 3 else "failed") for at in range(4)
    ]
    store.sweeps.keep(id, outputs, spent=Decimal(0), reserved=Decimal(0))
    return id


def grades(store: Store, sweep: str, rater: str | None = None) -> list[tuple[int, str, str, int | None]]:
    return [(row.number, row.rater, row.criterion, row.grade) for row in store.ratings.of(sweep, rater)]


def test_grades_come_back_in_their_order_also_after_opening_again(settings: Settings) -> None:
    store = Store.open(settings)
    begun(store, "one")
    store.ratings.join("one", "Ana", QUEUE)
    store.ratings.save("one", 1, "Ana", {"grammar": 5, "context": None}, "odd\0")
    store.ratings.save("one", 0, "Ana", {"grammar": 1})
    store.close()
    store = Store.open(settings)
    assert grades(store, "one") == [(1, "Ana", "grammar", 5), (1, "Ana", "context", None), (0, "Ana", "grammar", 1)]
    assert [row.comment for row in store.ratings.of("one")] == ["odd\ufffd", "odd\ufffd", None]
    store.close()


def test_the_last_grade_counts_and_the_first_stays_to_be_seen(store: Store, sweep: str) -> None:
    store.ratings.join(sweep, "Ana", QUEUE)
    store.ratings.save(sweep, 0, "Ana", {"grammar": 2, "context": 3})
    store.ratings.save(sweep, 0, "Ana", {"grammar": 4, "context": 3})
    assert grades(store, sweep) == [(0, "Ana", "context", 3), (0, "Ana", "grammar", 4)]
    assert store.ratings.changed(sweep) == 1
    with store._engine.connect() as connection:
        assert [row.grade for row in connection.execute(RATINGS.select().order_by(RATINGS.c.seq))] == [2, 3, 4]


def test_the_last_answer_that_was_rated_can_be_taken_back_whole_one_after_another(store: Store, sweep: str) -> None:
    store.ratings.join(sweep, "Ana", QUEUE)
    store.ratings.join(sweep, "Ben", QUEUE)
    store.ratings.save(sweep, 0, "Ana", {"grammar": 2, "context": 3})
    store.ratings.save(sweep, 1, "Ana", {"grammar": 4, "context": 4})
    store.ratings.save(sweep, 1, "Ben", {"grammar": 5, "context": 5})
    assert store.ratings.undo(sweep, "Ana") == 1
    assert grades(store, sweep, "Ana") == [(0, "Ana", "grammar", 2), (0, "Ana", "context", 3)]
    assert store.ratings.undo(sweep, "Ana") == 0
    assert store.ratings.undo(sweep, "Ana") is None
    assert grades(store, sweep) == [(1, "Ben", "grammar", 5), (1, "Ben", "context", 5)]
    store.ratings.save(sweep, 1, "Ana", {"grammar": 1, "context": 1})
    assert len(grades(store, sweep, "Ana")) == 2


def test_a_name_in_other_capitals_is_the_same_rater_with_the_same_order(store: Store, sweep: str) -> None:
    first = store.ratings.join(sweep, "Ana", QUEUE)
    again = store.ratings.join(sweep, "ana", QUEUE)
    assert again == first
    assert store.ratings.join(sweep, "Ben", QUEUE).seed != first.seed
    store.ratings.save(sweep, 0, "ANA", {"grammar": 2})
    assert grades(store, sweep) == [(0, "Ana", "grammar", 2)]
    assert [row.rater for row in store.ratings.raters(sweep)] == ["Ana", "Ben"]


def test_whoever_has_seen_the_results_changes_nothing_any_more(store: Store, sweep: str) -> None:
    store.ratings.join(sweep, "Ana", QUEUE)
    store.ratings.save(sweep, 0, "Ana", {"grammar": 2})
    seen = store.ratings.reveal(sweep, "Ana").revealed_at
    assert seen is not None
    assert store.ratings.reveal(sweep, "Ana").revealed_at == seen
    for late in (
        lambda: store.ratings.save(sweep, 0, "Ana", {"grammar": 5}),
        lambda: store.ratings.undo(sweep, "Ana"),
        lambda: store.ratings.join(sweep, "Ana", {"criteria": ["grammar"]}),
    ):
        with pytest.raises(InvalidRequest, match="can no longer change"):
            late()
    assert store.ratings.join(sweep, "Ana", QUEUE).revealed_at == seen
    assert grades(store, sweep) == [(0, "Ana", "grammar", 2)]


@pytest.mark.parametrize("number", [3, 4, -1])
def test_what_was_not_answered_in_this_sweep_cannot_be_rated(store: Store, sweep: str, number: int) -> None:
    begun(store, "other")
    store.ratings.join(sweep, "Ana", QUEUE)
    with pytest.raises(InvalidRequest, match="not one of the sweep's"):
        store.ratings.save(sweep, number, "Ana", {"grammar": 2})
    with pytest.raises(InvalidRequest, match="Nobody of this name"):
        store.ratings.save("other", 0, "Ana", {"grammar": 2})


@pytest.mark.parametrize("grade", [0, 6, True, 2.5])
def test_a_grade_off_the_scale_is_not_kept(store: Store, sweep: str, grade: Any) -> None:
    store.ratings.join(sweep, "Ana", QUEUE)
    with pytest.raises(ValueError, match="1 to 5"):
        store.ratings.save(sweep, 0, "Ana", {"grammar": 3, "context": grade})
    assert grades(store, sweep) == []


def test_a_sweep_that_is_deleted_takes_its_ratings_with_it(store: Store, sweep: str) -> None:
    begun(store, "other")
    for id in (sweep, "other"):
        store.ratings.join(id, "Ana", QUEUE)
        store.ratings.save(id, 0, "Ana", {"grammar": 2})
    assert store.sweeps.delete(sweep)
    assert (store.ratings.of(sweep), store.ratings.raters(sweep)) == ([], [])
    assert len(store.ratings.of("other")) == 1
    with pytest.raises(InvalidRequest, match="No sweep is called one"):
        store.ratings.join(sweep, "Ana", QUEUE)


def test_several_raters_at_once_lose_nothing(store: Store, sweep: str) -> None:
    def rate(name: str) -> None:
        store.ratings.join(sweep, name, QUEUE)
        for number in range(3):
            store.ratings.save(sweep, number, name, {"grammar": number + 1, "context": 5})

    threads = [threading.Thread(target=rate, args=(name,)) for name in ("Ana", "Ben", "Cleo", "Ana")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.ratings.raters(sweep)) == 3
    assert sorted(grades(store, sweep)) == sorted(
        (number, name, criterion, number + 1 if criterion == "grammar" else 5)
        for name in ("Ana", "Ben", "Cleo")
        for number in range(3)
        for criterion in ("grammar", "context")
    )


def test_where_answers_stand_is_read_without_what_failed(store: Store, sweep: str) -> None:
    assert store.sweeps.answered(sweep) == [Place(0, 0, 0, 0), Place(1, 1, 0, 0), Place(2, 0, 1, 0)]
