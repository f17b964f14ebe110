"""Lists, filters, ratings, deletion, export and usage of the history, on real files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from playground.errors import StoreError
from playground.store import Cursor, Filter, Listed, Store, schema
from playground.store.history import BEGINNING
from playground.types import Choice, Run, ToolCall, Usage
from tests.fakes.postgres import ON_SQLITE

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ALWAYS: dict[str, Any] = {"since": NOON - timedelta(days=365), "until": NOON + timedelta(days=365)}


def a_run(id: str = "run-1", **changes: Any) -> Run:
    values: dict[str, Any] = {
        "id": id,
        "created_at": NOON,
        "mode": "complete",
        "endpoint": "local",
        "model": "m",
        "status": "done",
        "request": {"prompt": "¿Qué es el mar?"},
        "effective_request": {"prompt": "¿Qué es el mar?"},
        "choices": (Choice(index=0, text="Agua."),),
    }
    return Run(**{**values, **changes})


def keep(store: Store, count: int, **changes: Any) -> None:
    """Runs `run-000`, `run-001` and so on, one a minute."""
    for number in range(count):
        store.finish_run(a_run(f"run-{number:03}", **{"created_at": NOON + number * MINUTE, **changes}))


def found(store: Store, **filters: Any) -> list[str]:
    return [listed.id for listed in store.listed(limit=1_000, matching=Filter(**filters))]


def test_tool_calls_reasoning_and_a_rating_come_back(store: Store) -> None:
    calls = (ToolCall(id="call-1", name="weather", arguments='{"city": "Cádiz'), ToolCall(id="", name="", arguments=""))
    choices = (Choice(index=0, text="", tool_calls=calls), Choice(index=1, text="Sol", reasoning="¿Llueve?\ud800\0"))
    run = a_run(choices=choices, rating=-1)
    store.finish_run(run)
    assert store.run("run-1") == run


def test_choices_kept_before_there_were_tool_calls_are_still_read(store: Store) -> None:
    store.finish_run(a_run())
    with store._engine.begin() as connection:
        old = [{"index": 0, "text": "Agua.", "finish_reason": "stop"}]
        connection.execute(sa.update(schema.RUNS).values(choices=old))
    kept = store.run("run-1")
    assert kept is not None
    assert kept.choices == (Choice(index=0, text="Agua.", finish_reason="stop"),)


def test_a_list_has_what_it_shows_and_only_the_beginnings_of_texts(store: Store) -> None:
    request = {"prompt": "ñ" * 1_000}
    usage = Usage(prompt_tokens=7, completion_tokens=5, cached_tokens=3, reasoning_tokens=1, estimated=True)
    told: dict[str, Any] = {
        "usage": usage,
        "cost": Decimal("0.0123"),
        "latency": 1.5,
        "time_to_first_token": 0.25,
        "error": "Cut.",
    }
    choices = (Choice(index=0, text="🌊" * 1_000),)
    store.finish_run(a_run(status="failed", request=request, choices=choices, rating=-1, **told))
    same: dict[str, Any] = {"id": "run-1", "created_at": NOON, "mode": "complete", "endpoint": "local", "model": "m"}
    assert store.listed(limit=9) == [
        Listed(**same, status="failed", rating=-1, **told, prompt="ñ" * BEGINNING, answer="🌊" * BEGINNING)
    ]


def test_a_list_does_not_read_whole_requests_and_answers(store: Store) -> None:
    statements: list[str] = []

    @sa.event.listens_for(store._engine, "before_cursor_execute")
    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    store.listed(limit=3, matching=Filter(text="mar"))
    chosen = statements[0].partition("FROM")[0]
    assert not any(column in chosen for column in ("request", "choices", "logprobs"))


FILTERS: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["d", "c", "b", "a"]),
    ({"endpoint": "openai"}, ["d", "b"]),
    ({"model": "big"}, ["d", "c"]),
    ({"endpoint": "openai", "model": "big"}, ["d"]),
    ({"mode": "chat"}, ["c", "b"]),
    ({"status": "failed"}, ["b"]),
    ({"rating": 1}, ["d"]),
    ({"rating": -1}, ["a"]),
    ({"since": NOON + MINUTE}, ["d", "c", "b"]),
    ({"until": NOON + MINUTE}, ["a"]),
    ({"since": NOON + MINUTE, "until": NOON + 3 * MINUTE}, ["c", "b"]),
    ({"cost_at_least": Decimal("0.02")}, ["c", "b"]),
    ({"cost_at_most": Decimal("0.02")}, ["b", "a"]),
    ({"cost_at_least": Decimal("0.020000000001")}, ["c"]),
    ({"cost_at_least": Decimal(0), "cost_at_most": Decimal(1)}, ["c", "b", "a"]),
    ({"model": "big", "mode": "edit", "rating": 1, "since": NOON}, ["d"]),
    ({"endpoint": "openai", "status": "stopped"}, []),
    ({"model": "'; DROP TABLE runs; --"}, []),
]


@pytest.mark.parametrize(("filters", "ids"), FILTERS)
@pytest.mark.parametrize("text", ["", "mar"])
def test_filters_narrow_the_list_with_and_without_words(
    store: Store, filters: dict[str, Any], ids: list[str], text: str
) -> None:
    store.finish_run(a_run("a", cost=Decimal("0.01"), rating=-1))
    store.finish_run(
        a_run("b", endpoint="openai", mode="chat", status="failed", cost=Decimal("0.02"), created_at=NOON + MINUTE)
    )
    store.finish_run(a_run("c", model="big", mode="chat", cost=Decimal("0.03"), created_at=NOON + 2 * MINUTE))
    store.finish_run(a_run("d", endpoint="openai", model="big", mode="edit", rating=1, created_at=NOON + 3 * MINUTE))
    assert found(store, text=text, **filters) == ids
    assert [run.id for run in store.each(Filter(text=text, **filters), batch=1)] == ids


def test_a_filter_by_time_needs_a_zone(store: Store) -> None:
    with pytest.raises(ValueError, match="time zone"):
        found(store, since=NOON.replace(tzinfo=None))


@pytest.mark.parametrize("matching", [None, Filter(text="agua"), Filter(mode="complete"), Filter(text="m", model="m")])
def test_pages_have_no_gaps_or_repeats_though_runs_are_deleted_and_begun_in_between(
    store: Store, matching: Filter | None
) -> None:
    keep(store, 20)
    seen: list[str] = []
    before: Cursor | None = None
    while page := store.listed(limit=3, before=before, matching=matching):
        seen += [listed.id for listed in page]
        before = Cursor(page[-1].created_at, page[-1].id)
        store.delete(seen)
        store.finish_run(a_run(f"new-{len(seen)}", created_at=NOON + timedelta(days=1, microseconds=len(seen))))
    assert seen == [f"run-{number:03}" for number in reversed(range(20))]


@pytest.mark.parametrize("matching", [None, Filter(text="agua")])
def test_a_list_goes_on_when_everything_before_was_deleted(store: Store, matching: Filter | None) -> None:
    keep(store, 4)
    place = Cursor(NOON + 2 * MINUTE, "run-002")
    store.delete(["run-003", "run-002"])
    assert [each.id for each in store.listed(limit=9, before=place, matching=matching)] == ["run-001", "run-000"]
    store.delete(["run-001", "run-000"])
    assert store.listed(limit=9, before=place, matching=matching) == []


@ON_SQLITE
def test_a_filtered_page_reads_only_an_index_until_something_matches(store: Store) -> None:
    plans: list[str] = []

    @sa.event.listens_for(store._engine, "before_cursor_execute")
    def explain(_c: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
        plans.extend(filter(None, [" / ".join(row[3] for row in cursor.fetchall())]))  # BEGIN has none

    store.listed(limit=3, matching=Filter(endpoint="local", model="m", rating=1))
    store.listed(limit=3, matching=Filter(text="mar", rating=1))
    store.models()
    store.usage(**ALWAYS)
    store.latencies(**ALWAYS)
    listed, searched, models, usage, sweeps, swept, latencies = plans
    assert listed == "SEARCH runs USING INDEX ix_runs_history (account=?)"
    assert "COVERING INDEX ix_runs_history" in searched
    assert searched.startswith("SCAN runs_fts VIRTUAL TABLE")
    assert "TEMP B-TREE" not in searched
    assert models == "SEARCH runs USING COVERING INDEX ix_runs_model (account=?)"
    assert "COVERING INDEX ix_runs_history" in usage
    assert sweeps == "SEARCH sweeps USING INDEX ix_sweeps_account (account=? AND created_at<?)"
    # Outputs only of the sweeps that were under way: the wide rows of all others are not read.
    assert swept.startswith("SEARCH outputs USING INDEX")
    assert "COVERING INDEX ix_runs_history" in latencies


def test_a_rating_is_kept_changed_and_taken_back_and_survives_the_end_of_the_run(store: Store) -> None:
    store.start_run(a_run(status="running"))
    for rating in (1, -1, None, 1):
        assert store.rate("run-1", rating)
        assert store.listed(limit=1)[0].rating == rating
    store.finish_run(a_run())
    assert store.listed(limit=1)[0].rating == 1
    assert not store.rate("nobody", 1)


@pytest.mark.parametrize("rating", [0, 2, -2, "1"])
def test_a_rating_is_one_up_or_one_down(store: Store, rating: Any) -> None:
    store.finish_run(a_run())
    with pytest.raises(ValueError, match="rating"):
        store.rate("run-1", rating)


def test_runs_are_deleted_but_for_one_that_streams(store: Store) -> None:
    keep(store, 3)
    store.start_run(a_run("streams", status="running"))
    assert store.delete([]) == 0
    assert store.delete(["run-000", "run-000", "run-002", "streams", "nobody", "' OR 1=1 --", "%"]) == 2
    assert {run.id for run in store.runs(limit=9)} == {"run-001", "streams"}
    assert store.run("run-000") is None


def test_more_ids_than_a_statement_takes_are_deleted_at_once(store: Store) -> None:
    keep(store, 2)
    assert store.delete([f"run-{number:03}" for number in range(40_000)]) == 2


@ON_SQLITE
def test_an_export_holds_nothing_open_between_its_batches(store: Store) -> None:
    keep(store, 7)
    runs = store.each(batch=2)
    first = next(runs)
    with store._engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").first() == (0, 0, 0)
    store.delete(["run-003"])
    assert [first.id, *(run.id for run in runs)] == [f"run-{number:03}" for number in (6, 5, 4, 2, 1, 0)]


def test_the_models_of_the_history_come_by_name(store: Store) -> None:
    assert store.models() == []
    for number, (endpoint, model) in enumerate([("openai", "b"), ("local", "z"), ("openai", "a"), ("local", "z")]):
        store.finish_run(a_run(f"run-{number}", endpoint=endpoint, model=model))
    assert store.models() == [("local", "z"), ("openai", "a"), ("openai", "b")]


def test_a_database_that_fails_raises_a_store_error_everywhere(store: Store) -> None:
    with store._engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE presets")
        connection.exec_driver_sql("DROP TABLE runs")
    for act in (
        lambda: store.listed(limit=1),
        lambda: store.runs(limit=1, matching=Filter(text="mar")),
        lambda: next(store.each()),
        store.models,
        lambda: store.rate("run-1", 1),
        lambda: store.delete(["run-1"]),
        lambda: store.usage(**ALWAYS),
        lambda: store.latencies(**ALWAYS),
        store.presets,
        lambda: store.preset("p"),
        lambda: store.save_preset("p", "P", {}),
        lambda: store.rename_preset("p", "P"),
        lambda: store.delete_preset("p"),
    ):
        with pytest.raises(StoreError, match="history"):
            act()
