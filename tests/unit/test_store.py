"""The record of runs, on real files."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from playground.errors import StoreError
from playground.settings import Settings
from playground.store import Cursor, Store, database, schema
from playground.store.owner import ABANDONED
from playground.store.schema import WORDS
from playground.types import Choice, Run, TokenLogprob, Usage
from tests.fakes.postgres import ON_SQLITE

NOON = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)


def a_run(id: str = "run-1", **changes: Any) -> Run:
    request = {"model": "m", "prompt": "¿Qué es el mar?", "temperature": 0.7, "stop": ["\n"]}
    values: dict[str, Any] = {
        "id": id,
        "created_at": NOON,
        "mode": "complete",
        "endpoint": "local",
        "model": "m",
        "status": "running",
        "request": request,
        "effective_request": request,
    }
    return Run(**{**values, **changes})


FULL = a_run(
    status="done",
    effective_request={"model": "m", "prompt": "¿Qué es el mar?"},
    choices=(
        Choice(
            index=0,
            text="Agua.",
            finish_reason="stop",
            logprobs=(TokenLogprob("Ag", None), TokenLogprob("ua.", -0.25, (("ua.", -0.25), ("ujero", -3.5)))),
        ),
        Choice(index=1, text="Sal"),
    ),
    usage=Usage(prompt_tokens=7, completion_tokens=5, cached_tokens=3, reasoning_tokens=1, estimated=True),
    cost=Decimal("0.000000123456"),
    latency=1.25,
    time_to_first_token=0.1,
    error="The connection dropped.",
)


def file_of(settings: Settings) -> Path:
    return settings.data_dir / database.FILE


def in_a_process(code: str, settings: Settings, **popen: Any) -> subprocess.Popen[str]:
    """A Python process of its own with `store` open and this module's helpers at hand."""
    prelude = (
        f"import sys, time; sys.path.insert(0, {str(Path(__file__).parents[2])!r})\n"
        "from datetime import UTC, datetime; from pathlib import Path; from dataclasses import replace\n"
        "from playground.settings import Settings; from playground.store import Store\n"
        "from playground.types import Choice, Run\n"
        f"store = Store.open(Settings(data_dir=Path({str(settings.data_dir)!r})))\n"
        "run = Run(id='run-1', created_at=datetime.now(UTC), mode='complete', endpoint='local', model='m',"
        " status='running', request={'prompt': 'p'}, effective_request={'prompt': 'p'})\n"
    )
    return subprocess.Popen([sys.executable, "-c", prelude + code], stdout=subprocess.PIPE, text=True, **popen)


def test_a_run_comes_back_as_it_was(store: Store) -> None:
    store.finish_run(FULL)
    assert store.run(FULL.id) == FULL


def test_an_unknown_id_gives_none(store: Store) -> None:
    assert store.run("nobody") is None


def test_a_run_is_there_from_its_start_and_grows(store: Store) -> None:
    store.start_run(a_run())
    assert store.run("run-1") == a_run()
    grown = a_run(choices=(Choice(index=0, text="Agu"),))
    store.save_progress(grown)
    assert store.run("run-1") == grown
    store.finish_run(FULL)
    assert store.run("run-1") is not None
    assert replace(FULL, effective_request=FULL.request) == store.run("run-1")


def test_a_save_that_comes_after_the_end_changes_nothing(store: Store) -> None:
    store.start_run(a_run())
    store.finish_run(a_run(status="stopped", choices=(Choice(index=0, text="Agua"),)))
    store.save_progress(a_run(choices=(Choice(index=0, text="Ag"),)))
    kept = store.run("run-1")
    assert kept is not None
    assert (kept.status, kept.choices[0].text) == ("stopped", "Agua")


@pytest.mark.parametrize("first", ["save_progress", "finish_run"])
def test_a_run_whose_start_was_not_kept_is_kept_later(store: Store, first: str) -> None:
    run = a_run(status="running" if first == "save_progress" else "done", choices=(Choice(index=0, text="Agua"),))
    getattr(store, first)(run)
    assert store.run("run-1") == run


def test_a_run_cannot_be_finished_while_it_runs(store: Store) -> None:
    with pytest.raises(ValueError, match="over"):
        store.finish_run(a_run())


def test_two_runs_of_one_id_are_refused(store: Store) -> None:
    store.start_run(a_run())
    with pytest.raises(StoreError, match="already kept"):
        store.start_run(a_run())


@pytest.mark.parametrize(
    "cost", ["0", "0.000000000001", "0.000000075", "0.10", "12.34", "9000000.000000000001", "123456.789012345678"]
)
def test_money_comes_back_exactly(store: Store, cost: str) -> None:
    store.finish_run(a_run(status="done", cost=Decimal(cost)))
    kept = store.run("run-1")
    assert kept is not None
    assert kept.cost == Decimal(cost)


def test_money_finer_than_a_picodollar_is_rounded(store: Store) -> None:
    store.finish_run(a_run(status="done", cost=Decimal(1) / 3))
    kept = store.run("run-1")
    assert kept is not None
    assert kept.cost == Decimal("0.333333333333")


def test_an_unknown_price_stays_unknown(store: Store) -> None:
    store.finish_run(a_run(status="done", cost=None))
    kept = store.run("run-1")
    assert kept is not None
    assert kept.cost is None


def test_money_sums_exactly_in_the_database(store: Store) -> None:
    for number in range(10):
        store.finish_run(a_run(f"run-{number}", status="done", cost=Decimal("0.1")))
    with store._engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.sum(schema.RUNS.c.cost))) == 10**12


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "🌊" * 1000, "'; DROP TABLE runs; --", "\u2028", " " * 200_000])
def test_no_text_is_too_odd_to_keep(store: Store, text: str) -> None:
    run = a_run(
        status="failed",
        request={"prompt": text},
        effective_request={"prompt": text},
        choices=(Choice(index=0, text=text),),
    )
    store.finish_run(run)
    assert store.run("run-1") == run


def test_infinite_logprobs_are_kept_as_openai_reports_them(store: Store) -> None:
    tokens = (TokenLogprob("a", float("-inf"), (("b", float("-inf")),)),)
    store.finish_run(a_run(status="done", choices=(Choice(index=0, text="a", logprobs=tokens),)))
    kept = store.run("run-1")
    assert kept is not None
    assert kept.choices[0].logprobs == (TokenLogprob("a", -9999.0, (("b", -9999.0),)),)


def test_search_sees_what_was_asked_and_answered(store: Store) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "¿Y el cielo?"}, {"type": "image_url", "image_url": {}}]},
        {"role": "assistant", "content": None},
    ]
    request = {"messages": messages}
    store.finish_run(
        a_run(
            status="done",
            mode="chat",
            request=request,
            effective_request=request,
            choices=(Choice(index=0, text="Azul."),),
        )
    )
    with store._engine.connect() as connection:
        prompt, answer = connection.execute(sa.select(schema.RUNS.c.prompt, schema.RUNS.c.answer)).one()
    assert (prompt, answer) == ("Be brief.\n\n¿Y el cielo?", "Azul.")


def test_runs_come_newest_first_and_page_without_gaps_or_repeats(store: Store) -> None:
    same_moment = [a_run(f"same-{i}", status="done") for i in range(5)]
    others = [a_run(f"run-{i}", status="done", created_at=NOON + timedelta(microseconds=i - 2)) for i in range(5)]
    for run in [*same_moment, *others]:
        store.finish_run(run)
    seen: list[Run] = []
    while page := store.runs(limit=3, before=Cursor.of(seen[-1]) if seen else None):
        assert len(page) <= 3
        seen += page
    assert seen == sorted([*same_moment, *others], key=lambda r: (r.created_at, r.id), reverse=True)


def test_a_list_comes_without_logprobs(store: Store) -> None:
    store.finish_run(FULL)
    (listed,) = store.runs(limit=1)
    assert [choice.logprobs for choice in listed.choices] == [(), ()]
    assert [choice.text for choice in listed.choices] == ["Agua.", "Sal"]


def test_a_moment_of_another_zone_is_the_same_moment(store: Store) -> None:
    madrid = NOON.astimezone(timezone(timedelta(hours=1)))
    store.start_run(a_run(created_at=madrid))
    kept = store.run("run-1")
    assert kept is not None
    assert kept.created_at == madrid


def test_a_moment_without_a_zone_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="time zone"):
        store.start_run(a_run(created_at=NOON.replace(tzinfo=None)))


def test_what_is_kept_is_there_after_opening_again(settings: Settings) -> None:
    store = Store.open(settings)
    store.finish_run(FULL)
    store.close()
    store = Store.open(settings)
    assert store.run(FULL.id) == FULL
    store.close()


@ON_SQLITE
def test_the_folder_and_the_file_are_the_owners_alone(store: Store, settings: Settings) -> None:
    store.start_run(a_run())
    assert settings.data_dir.stat().st_mode & 0o077 == 0
    for path in settings.data_dir.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_killed_process_leaves_its_text_and_the_run_is_marked_interrupted(settings: Settings) -> None:
    code = (
        "store.start_run(run); store.save_progress(replace(run, choices=(Choice(index=0, text='half a sent'),)))\n"
        "print('saved', flush=True); time.sleep(60)"
    )
    child = in_a_process(code, settings)
    assert child.stdout is not None
    assert child.stdout.readline() == "saved\n"
    other = Store.open(settings)
    assert other.runs(limit=1)[0].status == "running", "a living process's run stays"
    other.close()
    child.kill()
    child.wait()
    child.stdout.close()
    store = Store.open(settings)
    kept = store.run("run-1")
    assert kept is not None
    assert (kept.status, kept.choices[0].text) == ("interrupted", "half a sent")
    assert list((settings.data_dir / "locks").iterdir()) == []
    store.close()


def test_a_closed_stores_running_runs_are_interrupted_and_an_open_ones_are_not(settings: Settings) -> None:
    first, second = Store.open(settings), Store.open(settings)
    first.start_run(a_run("of-first"))
    second.start_run(a_run("of-second"))
    assert second.mark_interrupted() == 0
    first.close()
    assert second.mark_interrupted() == 1
    assert {run.id: run.status for run in second.runs(limit=9)} == {"of-first": "interrupted", "of-second": "running"}
    second.close()


def test_a_run_taken_for_dead_is_still_kept_when_it_ends(store: Store, settings: Settings) -> None:
    store.start_run(a_run())
    with store._engine.begin() as connection:
        connection.execute(sa.update(schema.RUNS).values(status="interrupted", owner=None))
    store.finish_run(a_run(status="done", choices=(Choice(index=0, text="Agua"),)))
    kept = store.run("run-1")
    assert kept is not None
    assert kept.status == "done"


def test_on_a_server_another_machines_run_is_dead_only_after_long_silence(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000_000_000_000_000
    monkeypatch.setattr("playground.store.owner.time.time_ns", lambda: now * 1000)
    monkeypatch.setattr(store._process, "_local", False)
    assert not store._process.is_dead("elsewhere", now - ABANDONED * 1_000_000)
    assert store._process.is_dead("elsewhere", now - ABANDONED * 1_000_000 - 1)


def test_many_threads_write_and_read_at_once(store: Store) -> None:
    def one(number: int) -> None:
        run = a_run(f"run-{number}", created_at=NOON + timedelta(seconds=number))
        store.start_run(run)
        for length in range(5):
            store.save_progress(replace(run, choices=(Choice(index=0, text="x" * length),)))
            store.runs(limit=3)
        store.finish_run(replace(run, status="done", choices=(Choice(index=0, text="xxxxx"),)))

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(one, range(64)))
    kept = store.runs(limit=100)
    assert len(kept) == 64
    assert {(run.status, run.choices[0].text) for run in kept} == {("done", "xxxxx")}


def test_processes_and_threads_that_open_a_new_database_at_once_all_can(settings: Settings) -> None:
    children = [
        in_a_process("store.start_run(replace(run, id=str(time.time_ns()))); store.close()", settings) for _ in range(2)
    ]
    with ThreadPoolExecutor(4) as pool:
        stores = list(pool.map(Store.open, [settings] * 4))
    for child in children:
        child.communicate()
        assert child.returncode == 0
    assert len(stores[0].runs(limit=9)) == 2
    for store in stores:
        store.close()


def test_a_full_database_raises_and_what_was_there_stays(settings: Settings) -> None:
    store = Store.open(settings)
    store.start_run(a_run())

    @sa.event.listens_for(store._engine, "begin")
    def bound(connection: sa.Connection) -> None:
        pages = connection.connection.dbapi_connection.execute("PRAGMA page_count").fetchone()[0]  # type: ignore[union-attr]
        connection.connection.dbapi_connection.execute(f"PRAGMA max_page_count = {pages}")  # type: ignore[union-attr]

    text = "palabra " * 50_000
    with pytest.raises(StoreError, match="disk is full") as caught:
        store.save_progress(a_run(choices=(Choice(index=0, text=text),)))
    assert caught.value.hint
    assert "palabra" not in "".join(traceback.format_exception(caught.value)), "a logged traceback holds no prompt"
    assert store.run("run-1") == a_run()
    sa.event.remove(store._engine, "begin", bound)
    with store._engine.connect() as connection:
        connection.connection.dbapi_connection.execute("PRAGMA max_page_count = 1000000")  # type: ignore[union-attr]
    store.finish_run(a_run(status="done", choices=(Choice(index=0, text=text),)))
    kept = store.run("run-1")
    assert kept is not None
    assert kept.choices[0].text == text, "once there is room again, the next write keeps the whole"
    store.close()


def test_a_disk_that_takes_no_more_raises_and_the_process_goes_on(settings: Settings) -> None:
    Store.open(settings).close()

    def small_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (120_000, 120_000))

    code = (
        "from playground.errors import StoreError\n"
        "store.start_run(run)\n"
        "try: store.save_progress(replace(run, choices=(Choice(index=0, text='x' * 300_000),)))\n"
        "except StoreError as error: print('StoreError:', error)\n"
        "print(store.run('run-1').status)"
    )
    child = in_a_process(code, settings, preexec_fn=small_files)
    out, _ = child.communicate()
    assert out.splitlines()[0].startswith("StoreError: Playground could not write to its history")
    assert out.splitlines()[1] == "running"


def test_a_locked_database_raises_after_the_waiting_time(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0)
    store = Store.open(settings)
    other = sqlite3.connect(file_of(settings), isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError, match="another process holds"):
        store.start_run(a_run())
    assert store.runs(limit=1) == [], "in WAL mode reading goes on"
    other.execute("ROLLBACK")
    store.start_run(a_run())
    other.close()
    store.close()


@pytest.mark.parametrize(
    "content", [b"this is no database, but a text that someone put here " * 100, b"SQLite format 3\0" + b"\xff" * 5000]
)
def test_a_damaged_file_is_named_and_left_as_it_is(settings: Settings, content: bytes) -> None:
    settings.data_dir.mkdir()
    file_of(settings).write_bytes(content)
    with pytest.raises(StoreError, match=r"not a database|damaged") as caught:
        Store.open(settings)
    assert caught.value.hint
    assert file_of(settings).read_bytes() == content


def test_a_folder_that_cannot_be_made_is_named(make_settings: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="history") as caught:
        Store.open(make_settings(data_dir=tmp_path / "file" / "data"))
    assert "PLAYGROUND_DATA_DIR" in caught.value.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_database_that_may_not_be_written_is_named(settings: Settings) -> None:
    Store.open(settings).close()
    file_of(settings).chmod(0o400)
    settings.data_dir.chmod(0o500)
    store = Store.open(settings)
    with pytest.raises(StoreError, match="may not be written"):
        store.start_run(a_run())
    settings.data_dir.chmod(0o700)


@ON_SQLITE
def test_a_read_only_database_is_named_for_root_too(store: Store) -> None:
    @sa.event.listens_for(store._engine, "begin")
    def read_only(connection: sa.Connection) -> None:
        connection.connection.dbapi_connection.execute("PRAGMA query_only = 1")  # type: ignore[union-attr]

    with pytest.raises(StoreError, match="may not be written"):
        store.start_run(a_run())


def test_a_database_of_a_newer_version_is_named_and_left_as_it_is(settings: Settings) -> None:
    store = Store.open(settings)
    with store._engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    store.close()
    with pytest.raises(StoreError, match="newer version"):
        Store.open(settings)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://user:pass-canary@127.0.0.1:1/name", "psycopg|could not"),
        ("nonsense pass-canary", "not a database address"),
        ("oracle-canary://x", "not a database address"),
        ("sqlite://", "in memory"),
    ],
)
def test_a_database_url_that_does_not_work_is_named_without_repeating_it(
    make_settings: Any, url: str, said: str
) -> None:
    with pytest.raises(StoreError, match=said) as caught:
        Store.open(make_settings(database_url=url))
    assert "canary" not in str(caught.value)


def test_database_url_may_name_another_file(make_settings: Any, tmp_path: Path) -> None:
    store = Store.open(make_settings(database_url=f"sqlite:///{tmp_path}/else where/other.db"))
    store.start_run(a_run())
    assert (tmp_path / "else where" / "other.db").exists()
    store.close()


def test_head_is_the_newest_migration_and_there_is_one_line_of_them() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_heads() == [schema.HEAD]


@ON_SQLITE
def test_the_migrations_make_exactly_the_schema(store: Store) -> None:
    with store._engine.connect() as connection:
        ours = {"compare_type": True, "include_name": lambda name, kind, _: kind != "table" or WORDS not in name}
        context = MigrationContext.configure(connection, opts=ours)
        assert compare_metadata(context, schema.METADATA) == []


def test_opening_an_up_to_date_database_does_not_load_alembic(settings: Settings) -> None:
    Store.open(settings).close()
    child = in_a_process("print('alembic' in sys.modules)", settings)
    assert child.communicate()[0] == "False\n"


@ON_SQLITE
def test_sqlite_is_set_as_the_facts_say(store: Store) -> None:
    with store._engine.connect() as connection:
        found = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    assert found == ["wal", 1, 1, 5000]


@ON_SQLITE
def test_usage_by_day_and_model_is_answered_from_an_index_alone(store: Store) -> None:
    query = (
        "EXPLAIN QUERY PLAN SELECT created_at / 86400000000, endpoint, model, count(*), sum(prompt_tokens),"
        " sum(completion_tokens), sum(cost) FROM runs WHERE created_at >= 0 GROUP BY 1, 2, 3"
    )
    with store._engine.connect() as connection:
        plan = " ".join(row[3] for row in connection.exec_driver_sql(query))
    assert "COVERING INDEX ix_runs_history" in plan


@ON_SQLITE
def test_history_is_paged_by_an_index(store: Store) -> None:
    plans: list[str] = []

    @sa.event.listens_for(store._engine, "before_cursor_execute")
    def explain(_c: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
        plans.extend(row[3] for row in cursor.fetchall())

    store.runs(limit=3, before=Cursor(NOON, "run-1"))
    assert len(plans) == 1
    assert "USING INDEX ix_runs_history" in plans[0]


def test_two_threads_starting_first_runs_share_one_owner(store: Store, settings: Settings) -> None:
    barrier = threading.Barrier(4)

    def begin(number: int) -> None:
        barrier.wait()
        store.start_run(a_run(f"run-{number}"))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(begin, range(4)))
    assert len(list((settings.data_dir / "locks").iterdir())) == 1
