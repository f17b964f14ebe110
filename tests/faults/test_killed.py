"""kill -9 at random moments, of app, engine and database: nothing paid is lost or booked twice, the store opens.

PLAYGROUND_TEST_KILLS=100 kills more often than every run of the tests does, PLAYGROUND_TEST_AWAY=60 keeps the database
away for a minute.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path

import pytest

from playground.settings import Settings
from playground.store import Store
from tests.fakes.payloads import PROMPT_TOKENS
from tests.fakes.postgres import Postgres, folder_of_binaries
from tests.fakes.server import FakeServer
from tests.faults.working import ACCOUNT, AT_ONCE

ROOT = Path(__file__).parents[2]
KILLS = int(os.environ.get("PLAYGROUND_TEST_KILLS", "9"))
AWAY = float(os.environ.get("PLAYGROUND_TEST_AWAY", "4"))
SINCE = date(2000, 1, 1)


@pytest.fixture
def fake() -> Iterator[FakeServer]:
    with FakeServer() as server:
        yield server


class Working:
    """The process that works, until it is killed."""

    def __init__(self, folder: Path, database: str, provider: str, *more: str) -> None:
        arguments = [sys.executable, "-m", "tests.faults.working", str(folder), database, provider, *more]
        self._child = subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._child.stdout is not None
        assert self._child.stdout.readline() == "at work\n"

    def engine(self) -> int | None:
        """The process of its engine; None while there is none."""
        for about in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError, IndexError):
                parent = int(about.read_text().rpartition(")")[2].split()[1])
                if parent == self._child.pid and b"playground.engine" in (about.parent / "cmdline").read_bytes():
                    return int(about.parent.name)
        return None

    def kill(self) -> None:
        assert self._child.poll() is None, "it ended by itself"
        self._child.kill()
        self._child.communicate()


def asked(fake: FakeServer) -> list[str]:
    """The prompts of the calls that reached the provider, and so are paid for."""
    return [str(each.body["prompt"]) for each in fake.requests if each.path == "/v1/completions"]


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def check(store: Store, fake: FakeServer) -> None:
    """Nothing that was paid for is lost, nothing is booked twice, nothing stays set aside."""
    paid = asked(fake)
    assert len(set(paid)) == len(paid), "something was asked twice"
    kept = store.of(ACCOUNT).runs(limit=10**6)
    assert not [run for run in kept if run.status == "running"]
    prompts = [str(run.request["prompt"]) for run in kept]
    assert len(set(prompts)) == len(prompts)
    assert set(paid) <= set(prompts)
    booked = store.ledger.spent(since=SINCE)
    assert {each.account for each in booked} <= {ACCOUNT}
    calls = sum(each.calls for each in booked)
    # A call may have been set aside and never sent; then it is booked, too, since nobody can say that it was not.
    assert len(paid) <= calls <= len(prompts)
    answer = len(fake.tokens)
    assert sum(each.tokens for each in booked) >= len(paid) * PROMPT_TOKENS + answer * _whole(store)


def _whole(store: Store) -> int:
    return sum(run.status == "done" for run in store.of(ACCOUNT).runs(limit=10**6))


def test_the_app_killed_at_random_moments(fake: FakeServer, tmp_path: Path) -> None:
    draw = random.Random(8)
    for _ in range(KILLS):
        before = len(asked(fake))
        working = Working(tmp_path, "", fake.url)
        until(lambda before=before: len(asked(fake)) > before)  # type: ignore[misc]
        time.sleep(draw.uniform(0, 0.4))
        working.kill()
        store = Store.open(Settings(data_dir=tmp_path, engine=False))
        check(store, fake)
        store.close()
    assert len(asked(fake)) > KILLS * AT_ONCE / 2


@pytest.mark.postgresql
@pytest.mark.skipif(folder_of_binaries() is None and not os.environ.get("CI"), reason="needs PostgreSQL")
def test_its_database_killed_at_random_moments(fake: FakeServer, tmp_path: Path) -> None:
    draw = random.Random(8)
    with Postgres() as server:
        database = server.database()
        working = Working(tmp_path, database, fake.url)
        for _ in range(max(4, KILLS // 3)):
            before = len(asked(fake))
            until(lambda before=before: len(asked(fake)) > before + 2)  # type: ignore[misc]
            time.sleep(draw.uniform(0, 0.2))
            server.stop("immediate")
            server.start()
        # One fault at a time: what ended while the database was away is kept soon after it is back.
        _all_kept(Settings(data_dir=tmp_path, engine=False, database_url=database), fake)
        working.kill()
        store = Store.open(Settings(data_dir=tmp_path, engine=False, database_url=database))
        check(store, fake)
        store.close()


@pytest.mark.postgresql
@pytest.mark.skipif(folder_of_binaries() is None and not os.environ.get("CI"), reason="needs PostgreSQL")
def test_its_database_away_under_load(fake: FakeServer, tmp_path: Path) -> None:
    with Postgres() as server:
        settings = Settings(data_dir=tmp_path, engine=False, database_url=server.database())
        working = Working(tmp_path, settings.database_url or "", fake.url)
        until(lambda: len(asked(fake)) > 3 * AT_ONCE)
        server.stop("immediate")
        time.sleep(1)
        before = len(asked(fake))
        time.sleep(AWAY)
        # What cannot be set aside and kept is not asked.
        assert len(asked(fake)) == before
        server.start()
        until(lambda: len(asked(fake)) > before + 3 * AT_ONCE)
        _all_kept(settings, fake)
        working.kill()
        store = Store.open(settings)
        check(store, fake)
        store.close()


@pytest.mark.postgresql
@pytest.mark.engine
@pytest.mark.skipif(folder_of_binaries() is None and not os.environ.get("CI"), reason="needs PostgreSQL")
def test_app_engine_and_database_killed_at_random_moments(fake: FakeServer, tmp_path: Path) -> None:
    draw = random.Random(9)
    killed = dict.fromkeys(("app", "engine", "database"), 0)
    with Postgres() as server:
        settings = Settings(data_dir=tmp_path, engine=False, database_url=server.database())
        working = _begun(settings, fake)
        for _ in range(KILLS):
            before = len(asked(fake))
            until(lambda before=before: len(asked(fake)) > before + 2)  # type: ignore[misc]
            time.sleep(draw.uniform(0, 0.3))
            victim = draw.choice(list(killed))
            killed[victim] += 1
            if victim == "app":
                working.kill()
                store = Store.open(settings)
                check(store, fake)
                store.close()
                working = _begun(settings, fake)
            elif victim == "engine":
                until(lambda working=working: working.engine() is not None)  # type: ignore[misc]
                os.kill(working.engine() or 0, signal.SIGKILL)
            else:
                server.stop("immediate")
                server.start()
                # One fault at a time: what ended while the database was away is kept soon after it is back.
                _all_kept(settings, fake)
        answers = _answers_of_engine(settings)
        until(lambda: _answers_of_engine(settings) > answers)
        working.kill()
        store = Store.open(settings)
        check(store, fake)
        store.close()
    assert min(killed.values()) > 0


def _begun(settings: Settings, fake: FakeServer) -> Working:
    return Working(settings.data_dir, settings.database_url or "", fake.url, "engine")


def _all_kept(settings: Settings, fake: FakeServer) -> None:
    missing = set(asked(fake))
    store = Store.open(settings)
    until(lambda: missing <= {str(run.request["prompt"]) for run in store.of(ACCOUNT).runs(limit=10**6)})
    store.close()


def _answers_of_engine(settings: Settings) -> int:
    store = Store.open(settings)
    found = sum(run.endpoint == "local" and run.status == "done" for run in store.of(ACCOUNT).runs(limit=10**6))
    store.close()
    return found
