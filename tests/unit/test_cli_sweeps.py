"""`sweeps`: the list of what was begun, from the store alone."""

from __future__ import annotations

import json
from decimal import Decimal

from playground.settings import Settings
from playground.store import Output, Store
from tests.fakes.terminal import Cli


def keep(settings: Settings, id: str, name: str, answered: int, spent: str) -> None:
    store = Store.open(settings)
    store.sweeps.create(id, name=name, fingerprint="f", calls=4, spec={}, cells=[{"name": "x"}], cases=[])
    outputs = [Output(number=at, cell=0, row=at, repeat=0, status="done") for at in range(answered)]
    failed = Output(number=answered, cell=0, row=answered, repeat=0, status="failed", error="500")
    store.sweeps.claim(id)
    store.sweeps.keep(id, [*outputs, failed], spent=Decimal(spent), reserved=Decimal(0))
    store.sweeps.let_go(id, "paused")
    store.close()


def test_sweeps_are_listed_newest_first_with_how_far_each_is(settings: Settings, cli: Cli) -> None:
    keep(settings, "aaa111", "first\none", 2, "0.5")
    keep(settings, "bbb222", "second", 3, "0.000000000001")
    done = cli("sweeps")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "bbb222  paused  3/4, 1 failed  $0.000000000001  second",
        "aaa111  paused  2/4, 1 failed  $0.50  first one",
    ]
    assert "sweep --resume ID" in done.stderr
    assert len(cli("sweeps", "--limit", "1").stdout.splitlines()) == 1


def test_as_json_no_digit_of_the_money_is_lost(settings: Settings, cli: Cli) -> None:
    keep(settings, "bbb222", "second", 3, "12.000000000001")
    (row,) = json.loads(cli("sweeps", "--json").stdout)
    assert row.pop("created_at").startswith("20")
    assert row == {
        "id": "bbb222",
        "name": "second",
        "state": "paused",
        "done": 3,
        "failed": 1,
        "calls": 4,
        "judged": None,
        "spent": "12.000000000001",
    }


def test_where_there_is_none_it_says_how_to_run_one(cli: Cli) -> None:
    done = cli("sweeps")
    assert (done.returncode, done.stdout) == (0, "")
    assert "There are none yet." in done.stderr
    assert json.loads(cli("sweeps", "--json").stdout) == []


def test_a_limit_of_nothing_is_refused(cli: Cli) -> None:
    assert cli("sweeps", "--limit", "0").returncode == 2
