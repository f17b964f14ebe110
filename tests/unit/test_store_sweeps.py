"""Datasets, sweeps and their outputs as they are kept, on real files."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from playground.errors import InvalidRequest
from playground.settings import Settings
from playground.store import Matching, Output, Store


def begun(store: Store, id: str = "abc123", **changes: Any) -> str:
    about = {"name": "a sweep", "fingerprint": "f", "calls": 4, "spec": {"models": ["a/b"]}, "cells": [{"name": "x"}]}
    store.sweeps.create(id, **{**about, "cases": [{"id": "1"}], **changes})
    return id


def output(number: int, **changes: Any) -> Output:
    return Output(**{"number": number, "cell": 0, "row": 0, "repeat": 0, "status": "done", **changes})


def test_an_output_comes_back_as_it_was(store: Store) -> None:
    whole = output(
        3,
        answer="yes\nno",
        beside={"reasoning": "hm"},
        prompt_tokens=7,
        completion_tokens=2,
        usage_estimated=False,
        cost=Decimal("0.000012"),
        latency=0.5,
        time_to_first_token=0.1,
        finish_reason="stop",
        attempts=2,
        scores={"exact_match": 1.0, "bleu": None},
    )
    id = begun(store)
    store.sweeps.keep(id, [whole], spent=Decimal("0.000012"), reserved=Decimal(0))
    assert store.sweeps.outputs(id) == [whole]
    found = store.sweeps.sweep(id)
    assert found is not None
    assert (found.state, found.done, found.failed, found.spent) == ("ready", 1, 0, Decimal("0.000012"))


def test_a_later_try_takes_the_place_of_an_earlier_one(store: Store) -> None:
    id = begun(store)
    store.sweeps.keep(id, [output(1, status="failed", error="500")], spent=Decimal(0), reserved=Decimal(0))
    assert store.sweeps.settled(id) == set()
    store.sweeps.keep(id, [output(1, answer="yes")], spent=Decimal(0), reserved=Decimal(0))
    assert [each.answer for each in store.sweeps.outputs(id)] == ["yes"]
    assert store.sweeps.settled(id) == {1}


def test_what_broke_off_after_text_was_paid_for_is_not_asked_again(store: Store) -> None:
    id = begun(store)
    several = [output(0, status="failed", completion_tokens=2), output(1, status="stopped", completion_tokens=2)]
    store.sweeps.keep(id, several, spent=Decimal(0), reserved=Decimal(0))
    assert store.sweeps.settled(id) == {0}


def test_a_sweep_that_runs_is_not_begun_a_second_time(store: Store, kept_in: Settings) -> None:
    id = begun(store)
    store.sweeps.claim(id)
    other = Store.open(kept_in)
    for each in (store, other):
        with pytest.raises(InvalidRequest, match="running already"):
            each.sweeps.claim(id)
        with pytest.raises(InvalidRequest, match="running already"):
            each.sweeps.delete(id)
    other.close()


def test_what_a_dead_process_had_reserved_counts_as_spent(store: Store, kept_in: Settings) -> None:
    other = Store.open(kept_in)
    id = begun(other)
    other.sweeps.claim(id)
    other.sweeps.keep(id, [], spent=Decimal("0.5"), reserved=Decimal("0.25"))
    other.close()  # lets its lock go, as the end of a process does
    found = store.sweeps.sweep(id)
    assert found is not None
    assert found.state == "interrupted"
    assert store.sweeps.claim(id) == Decimal("0.75")


def test_an_id_may_be_shortened_where_one_begins_so(store: Store) -> None:
    begun(store, "abc1")
    begun(store, "abd2")
    assert store.sweeps.sweep("ab") is None
    assert store.sweeps.sweep("%") is None
    found = store.sweeps.sweep("abd")
    assert found is not None
    assert found.id == "abd2"


def test_outputs_are_filtered_by_cell_status_case_and_text(store: Store) -> None:
    id = begun(store)
    several = [
        output(0, answer="100% sure"),
        output(1, cell=1, answer="Sure"),
        output(2, row=1, answer="no"),
        output(3, status="failed", error="500"),
    ]
    store.sweeps.keep(id, several, spent=Decimal(0), reserved=Decimal(0))

    def numbers(**chosen: Any) -> list[int]:
        return [each.number for each in store.sweeps.outputs(id, matching=Matching(**chosen))]

    assert numbers(text="sure") == [0, 1]
    assert numbers(text="0%") == [0]
    assert numbers(cells=(1,)) == [1]
    assert numbers(status="failed") == [3]
    assert numbers(row=1) == [2]
    assert [each.number for each in store.sweeps.each(id, batch=3)] == [0, 1, 2, 3]


def test_a_deleted_sweep_takes_its_outputs_with_it(store: Store) -> None:
    id = begun(store)
    store.sweeps.keep(id, [output(0)], spent=Decimal(0), reserved=Decimal(0))
    assert store.sweeps.delete(id)
    assert not store.sweeps.delete(id)
    assert store.sweeps.outputs(id) == []
    assert store.sweeps.listed() == []


def test_a_dataset_is_kept_changed_found_by_its_name_and_deleted(store: Store) -> None:
    store.datasets.save("a", "tweets", [{"id": "1", "prompt": "Hello"}])
    store.datasets.save("a", "tweets 2", [{"id": "1"}, {"id": "2"}])
    assert [(row.id, row.name, row.count) for row in store.datasets.listed()] == [("a", "tweets 2", 2)]
    assert store.datasets.cases("a") == ("tweets 2", [{"id": "1"}, {"id": "2"}])
    assert store.datasets.named("tweets 2") == "a"
    with pytest.raises(InvalidRequest, match="Another dataset"):
        store.datasets.save("b", "tweets 2", [{"id": "1"}])
    assert store.datasets.delete("a")
    assert store.datasets.cases("a") is None
