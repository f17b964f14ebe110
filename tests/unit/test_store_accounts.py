"""What is an account's is nobody else's: whatever is asked for by its id, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from playground.errors import InvalidRequest, StoreError
from playground.store import Filter, Shown, Store
from playground.store.migrations.versions import v0008_accounts
from playground.store.schema import METADATA
from playground.types import Choice, Run, Usage
from tests.unit.test_store_search import migrate

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ALWAYS = {"since": datetime(2020, 1, 1, tzinfo=UTC), "until": datetime(2100, 1, 1, tzinfo=UTC)}


def a_run(id: str, text: str) -> Run:
    return Run(
        id=id,
        created_at=NOON,
        mode="complete",
        endpoint="local",
        model=f"of-{id}",
        status="done",
        request={"prompt": text},
        effective_request={"prompt": text},
        choices=(Choice(index=0, text=text, finish_reason="stop"),),
        usage=Usage(prompt_tokens=1, completion_tokens=1),
        cost=Decimal("0.01"),
        latency=1.0,
    )


def a_sweep(store: Store, id: str) -> None:
    store.sweeps.create(id, name=id, fingerprint="f", calls=1, spec={}, cells=[{"model": "s/m"}], cases=[{"id": "1"}])


@pytest.fixture
def two(store: Store) -> tuple[Store, Store]:
    """Two accounts, each with one of everything, of the same names."""
    ana, eva = store.of("ana"), store.of("eva")
    for each in (ana, eva):
        own = each.account
        each.finish_run(a_run(f"run-{own}", "agua del mar"))
        each.save_preset(f"preset-{own}", "Mine", {"name": "Mine"})
        each.save_vote(f"vote-{own}", [Shown("r", "s")], 0)
        each.datasets.save(f"dataset-{own}", "cases", [{"id": own}])
        a_sweep(each, f"sweep-{own}")
    return ana, eva


def test_each_finds_only_its_own(two: tuple[Store, Store], store: Store) -> None:
    for each in two:
        own = each.account
        assert [run.id for run in each.runs(limit=9)] == [f"run-{own}"]
        assert [run.id for run in each.listed(limit=9)] == [f"run-{own}"]
        assert [run.id for run in each.listed(limit=9, matching=Filter(text="agua"))] == [f"run-{own}"]
        assert [run.id for run in each.each()] == [f"run-{own}"]
        assert each.models() == [("local", f"of-run-{own}")]
        assert [row.runs for row in each.usage(**ALWAYS)] == [1]
        assert [row.model for row in each.latencies(**ALWAYS)] == [f"of-run-{own}"]
        assert [preset.id for preset in each.presets()] == [f"preset-{own}"]
        assert [vote.id for vote in each.votes()] == [f"vote-{own}"]
        assert [row.id for row in each.datasets.listed()] == [f"dataset-{own}"]
        assert each.datasets.named("cases") == f"dataset-{own}"
        assert [row.id for row in each.sweeps.listed()] == [f"sweep-{own}"]
    assert (store.runs(limit=9), store.presets(), store.votes()) == ([], [], [])
    assert (store.datasets.listed(), store.sweeps.listed(), store.models()) == ([], [], [])


def test_by_anothers_id_nothing_is_read_changed_or_deleted(two: tuple[Store, Store]) -> None:
    ana, eva = two
    assert ana.run("run-eva") is None
    assert not ana.rate("run-eva", 1)
    assert ana.delete(["run-eva"]) == 0
    assert ana.preset("preset-eva") is None
    assert not ana.rename_preset("preset-eva", "Other")
    assert not ana.delete_preset("preset-eva")
    with pytest.raises(StoreError):
        ana.save_preset("preset-eva", "Other", {})
    assert ana.datasets.whole("dataset-eva") is None
    assert ana.datasets.row("dataset-eva") is None
    assert not ana.datasets.delete("dataset-eva")
    with pytest.raises(StoreError):
        ana.datasets.save("dataset-eva", "other", [])
    assert ana.sweeps.sweep("sweep-eva") is None
    assert not ana.sweeps.delete("sweep-eva")
    for act in (ana.sweeps.claim, lambda id: ana.sweeps.respec(id, {})):
        with pytest.raises(InvalidRequest):
            act("sweep-eva")
    assert not ana.save_vote("vote-eva", [], None)
    assert ana.delete_votes() == 1
    assert eva.run("run-eva") == replace(a_run("run-eva", "agua del mar"), rating=None)
    assert eva.preset("preset-eva") is not None
    assert [vote.chosen for vote in eva.votes()] == [0]
    assert eva.datasets.cases("dataset-eva") == ("cases", [{"id": "eva"}])
    assert eva.sweeps.sweep("sweep-eva") is not None


def test_what_was_there_before_accounts_is_the_hosts_and_stays_through_the_migration(store: Store) -> None:
    store.finish_run(a_run("r", "agua"))
    store.save_preset("p", "Mine", {"name": "Mine"})
    store.datasets.save("d", "cases", [{"id": "1"}])
    store.save_vote("v", [], None)
    a_sweep(store, "s")
    migrate(store, v0008_accounts.down_revision)
    from playground.store import database

    database.migrate(store._engine)
    assert [run.id for run in store.listed(limit=9, matching=Filter(text="agua"))] == ["r"]
    assert [preset.name for preset in store.presets()] == ["Mine"]
    assert store.datasets.cases("d") == ("cases", [{"id": "1"}])
    assert len(store.votes()) == 1
    assert [row.id for row in store.sweeps.listed()] == ["s"]


def test_every_table_of_things_knows_whose_they_are_or_hangs_on_one_that_does() -> None:
    """A table that comes later must be one or the other, or none of a visitor's business."""
    of_a_sweep = {"outputs", "batches", "figures", "raters", "ratings"}
    nobodys = {"kept", "accounts"}
    for name, table in METADATA.tables.items():
        assert "account" in table.c or (name in of_a_sweep and "sweep" in table.c) or name in nobodys, name


def test_accounts_are_seen_and_stopped(store: Store) -> None:
    store.accounts.see("a", "Ana")
    store.accounts.see("e", "Eva")
    store.accounts.see("a", "Ana María")
    assert [(each.id, each.name, each.stopped) for each in store.accounts.listed()] == [
        ("a", "Ana María", False),
        ("e", "Eva", False),
    ]
    assert store.accounts.stop("e", True)
    assert [each.stopped for each in store.accounts.listed()] == [False, True]


def test_what_is_kept_is_made_once_and_changed_under_a_lock(store: Store) -> None:
    made: list[Any] = []

    def make(before: str | None) -> str:
        made.append(before)
        return before or "first"

    assert store.kept.get("key") is None
    assert store.kept.change("key", make) == "first"
    assert store.of("ana").kept.change("key", make) == "first"
    assert made == [None, "first"]
    assert store.kept.change("key", lambda _: None) is None
    assert store.kept.get("key") is None
