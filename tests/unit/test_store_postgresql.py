"""The store on a PostgreSQL that several processes share, and that goes away."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from playground.errors import StoreError
from playground.settings import Settings
from playground.store import Store, database
from playground.types import Choice, Run
from tests.fakes.postgres import Postgres

pytestmark = pytest.mark.postgresql


@pytest.fixture
def empty(postgres: Postgres, settings: Settings) -> Iterator[Settings]:
    address = postgres.database()
    yield replace(settings, database_url=address)
    postgres.drop(address)


def a_run(id: str) -> Run:
    request: dict[str, Any] = {"prompt": "¿Qué es el mar?"}
    about = {"mode": "complete", "endpoint": "local", "model": "m", "status": "done"}
    choices = (Choice(index=0, text="Agua."),)
    sent = {"request": request, "effective_request": request}
    return Run(id=id, created_at=datetime.now(UTC), choices=choices, **sent, **about)  # type: ignore[arg-type]


def test_processes_that_open_an_empty_database_at_once_all_can(empty: Settings) -> None:
    with ThreadPoolExecutor(4) as pool:
        stores = list(pool.map(Store.open, [empty] * 4))
    for number, store in enumerate(stores):
        store.finish_run(a_run(f"run-{number}"))
    assert {run.id for run in stores[0].runs(limit=9)} == {"run-0", "run-1", "run-2", "run-3"}
    for store in stores:
        store.close()


def test_a_server_that_is_away_is_said_and_when_it_is_back_everything_goes_on(settings: Settings) -> None:
    with Postgres() as server:
        store = Store.open(replace(settings, database_url=server.database()))
        store.finish_run(a_run("before"))
        server.stop()
        for act in (lambda: store.finish_run(a_run("away")), lambda: store.runs(limit=9)):
            with pytest.raises(StoreError, match="cannot be reached"):
                act()
        server.start()
        store.finish_run(a_run("after"))
        assert {run.id for run in store.runs(limit=9)} == {"before", "after"}
        store.close()


def test_a_write_that_another_holds_up_gives_up_and_says_so(empty: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.2)
    first, second = Store.open(empty), Store.open(empty)
    with database.writing(first._engine) as connection:
        connection.execute(sa.text("SELECT 1"))
        with pytest.raises(StoreError, match="another process holds the database"):
            second.finish_run(a_run("late"))
        assert second.runs(limit=9) == [], "readers do not wait"
    second.finish_run(a_run("late"))
    assert [run.id for run in second.runs(limit=9)] == ["late"]
    first.close()
    second.close()


@pytest.mark.parametrize("name", ["nobody:pass-canary@/x", "playground:pass-canary@/there-is-none"])
def test_a_login_that_is_refused_is_said_without_the_password(
    postgres: Postgres, settings: Settings, name: str
) -> None:
    with pytest.raises(StoreError, match="refuses the login") as caught:
        Store.open(replace(settings, database_url=f"postgresql://{name}?host={postgres.folder}"))
    assert "canary" not in str(caught.value)
