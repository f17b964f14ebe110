"""`user` and `visitors` as a host runs them: real processes over a real store."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest

from playground.access.passwords import fits, read_users
from playground.settings import Settings
from playground.store import Charge, Store
from tests.fakes.terminal import Cli


@pytest.fixture
def used(settings: Settings) -> Settings:
    store = Store.open(settings)
    for id, name, cost in (("v-1", "Ana", "0.25"), ("v-2", "Eva", "0.5"), ("v-3", "Eva", "0")):
        store.accounts.see(id, name)
        charge = Charge(id=id, account=id, endpoint="s", model="m", cost=Decimal(cost), tokens=10)
        store.ledger.reserve(charge, [])
        store.ledger.settle(id, cost=Decimal(cost), tokens=10)
    store.close()
    return settings


def is_stopped(settings: Settings, account: str) -> bool:
    store = Store.open(settings)
    charge = Charge(id=uuid4().hex, account=account, endpoint="s", model="m", cost=Decimal(0), tokens=0)
    try:
        verdict = store.ledger.reserve(charge, [])
        store.ledger.settle(charge.id, cost=Decimal(0), tokens=0)
        return verdict.stopped
    finally:
        store.close()


def test_what_visitors_used_is_listed_and_summed(cli: Cli, used: Settings) -> None:
    rows = json.loads(cli("visitors", "list", "--json").stdout)
    assert {row["id"]: (row["calls"], row["tokens"], row["cost"]) for row in rows}["v-2"][:2] == (1, 10)
    assert sum(Decimal(row["cost"]) for row in rows) == Decimal("0.75")
    assert "Ana" in cli("visitors", "list").stdout
    (day,) = json.loads(cli("visitors", "spent", "--json").stdout)
    assert (day["model"], day["calls"], Decimal(day["cost"])) == ("s/m", 3, Decimal("0.75"))


def test_a_visitor_and_all_are_stopped_and_let_go_on(cli: Cli, used: Settings) -> None:
    assert cli("visitors", "stop", "Ana").returncode == 0
    assert (is_stopped(used, "v-1"), is_stopped(used, "v-2")) == (True, False)
    assert cli("visitors", "stop", "all").returncode == 0
    assert is_stopped(used, "v-2")
    assert cli("visitors", "go", "all").returncode == 0
    assert cli("visitors", "go", "v-1").returncode == 0
    assert not is_stopped(used, "v-1")
    for who, said in (("Eva", "2 visitors are called"), ("nobody", "There is no visitor")):
        refused = cli("visitors", "stop", who)
        assert (refused.returncode, said in refused.stderr) == (2, True)


def test_users_are_kept_in_a_file_and_their_passwords_never_shown(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "users.txt"
    added = cli("user", "add", "ana", "--file", str(path), stdin="a long password\n")
    assert (added.returncode, "a long password" in added.stdout + added.stderr) == (0, False)
    assert fits("a long password", read_users(path)["ana"])
    assert "a long password" not in path.read_text()
    assert cli("user", "list", "--file", str(path)).stdout == "ana\n"
    assert cli("user", "add", "eva", "--file", str(path), stdin="short\n").returncode == 2
    assert cli("user", "remove", "ana", "--file", str(path)).returncode == 0
    assert cli("user", "list", "--file", str(path)).stdout == ""
    assert cli("user", "list").returncode == 2
