"""The whole store as one file, of either database into either, and files that are none."""

from __future__ import annotations

import json
import stat
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from playground.errors import InvalidRequest, StoreError
from playground.settings import Settings
from playground.store import Charge, Filter, Output, Part, Store
from playground.store.copying import ABOUT, TABLES
from playground.store.schema import HEAD
from playground.types import Choice, Run, TokenLogprob, Usage
from tests.fakes.terminal import Cli


def a_run(id: str, text: str = "Agua 🌊.") -> Run:
    request: dict[str, Any] = {"prompt": "¿Qué es el mar?\ud800", "logit_bias": {"50256": -100}}
    logprobs = (TokenLogprob(token="Agua", logprob=-0.1234567890123456, top=(("Agua", -0.1),)),)
    return Run(
        id=id,
        created_at=datetime.now(UTC),
        mode="complete",
        endpoint="local",
        model="m",
        status="done",
        request=request,
        effective_request=request,
        choices=(Choice(index=0, text=text, finish_reason="stop", logprobs=logprobs),),
        usage=Usage(prompt_tokens=5, completion_tokens=2),
        cost=Decimal("0.000000000001"),
        latency=0.1 + 0.2,
    )


def filled(store: Store) -> Store:
    """Something in every table."""
    for number in range(3):
        store.finish_run(a_run(f"run-{number}"))
    store.rate("run-1", 1)
    store.save_preset("p", "Mine", {"name": "Mine", "text": "a"})
    store.save_vote("v", [], None)
    case = {"id": "1", "prompt": "hi", "expected": "ho"}
    store.datasets.save("d", "cases", [case])
    cell = {"name": "m", "model": "s/m", "preset": None, "parameters": {}, "varied": {}}
    store.sweeps.create(
        "s", name="sweep", fingerprint="f", calls=1, spec={"models": ["s/m"]}, cells=[cell], cases=[case]
    )
    came = Output(number=0, cell=0, row=0, repeat=0, status="done", answer="ho", scores={"exact_match": 1.0})
    store.sweeps.keep("s", [came], spent=Decimal("0.5"), reserved=Decimal(0))
    store.sweeps.let_go("s", "done")
    store.ratings.join("s", "Ana", {"criteria": ["grammar"]})
    store.ratings.save("s", 0, "Ana", {"grammar": 4})
    store.batches.save(Part(sweep="s", part=0, endpoint="s", model="m", url="/v1/completions", calls=(0,)))
    store.figures.keep("s", "columns", "stamp", "[]")
    store.accounts.see("ana", "Ana")
    store.kept.change("secret", lambda _: "canary")
    store.ledger.reserve(Charge(id="c", account="ana", endpoint="s", model="m", cost=Decimal("0.5"), tokens=9), [])
    store.ledger.settle("c", cost=Decimal("0.25"), tokens=5)
    return store


def contents(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    with store._engine.connect() as connection:
        return {
            table.name: [
                tuple(row) for row in connection.execute(sa.select(table).order_by(*table.primary_key.columns))
            ]
            for table in TABLES
        }


@pytest.fixture
def saved(store: Store, tmp_path: Path) -> Path:
    """A backup of one that has everything; the store of the test's own database."""
    filled(store).backup(tmp_path / "saved.zip")
    return tmp_path / "saved.zip"


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(Settings(data_dir=tmp_path / "other", engine=False))
    yield opened
    opened.close()


def test_everything_comes_back_in_another_database_and_counts_on(store: Store, saved: Path, other: Store) -> None:
    before = contents(store)
    assert all(before.values()), "something in every table"
    assert other.restore(saved) == {name: len(rows) for name, rows in before.items()}
    assert contents(other) == before
    assert [run.id for run in other.runs(limit=9, matching=Filter(text="agua"))] == ["run-2", "run-1", "run-0"]
    assert store.restore(saved, replace=True) == {name: len(rows) for name, rows in before.items()}
    assert contents(store) == before
    for each in (store, other):
        each.finish_run(a_run("later"))
        each.ratings.save("s", 0, "Ana", {"grammar": 5})
        assert len(each.runs(limit=9)) == 4


@pytest.mark.postgresql
def test_a_file_of_sqlite_goes_into_postgresql(other: Store, settings: Settings, postgres: Any, tmp_path: Path) -> None:
    filled(other).backup(tmp_path / "saved.zip")
    address = postgres.database(template="template")
    moved = Store.open(replace(settings, database_url=address))
    moved.restore(tmp_path / "saved.zip")
    assert contents(moved) == contents(other)
    moved.finish_run(a_run("later"))
    assert moved.run("later") is not None
    moved.close()
    postgres.drop(address)


def test_it_is_a_snapshot_while_others_write(store: Store, tmp_path: Path, other: Store) -> None:
    """Runs that are written in pairs: no backup has one of a pair."""
    over = threading.Event()

    def write() -> None:
        number = 0
        while not over.is_set():
            store.save_presets([(f"a{number}", f"a{number}", {}), (f"b{number}", f"b{number}", {})])
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for at in range(5):
            store.backup(tmp_path / f"{at}.zip")
    finally:
        over.set()
        writer.join()
    for at in range(5):
        other.restore(tmp_path / f"{at}.zip", replace=True)
        names = {row.name for row in other.presets()}
        assert {name[1:] for name in names if name[0] == "a"} == {name[1:] for name in names if name[0] == "b"}


def test_what_is_there_is_not_lost_unasked(store: Store, saved: Path) -> None:
    store.finish_run(a_run("new"))
    before = contents(store)
    with pytest.raises(InvalidRequest, match="something in the store already"):
        store.restore(saved)
    assert contents(store) == before


def changed(change: Callable[[dict[str, bytes]], None]) -> Callable[[Path], None]:
    def rewrite(path: Path) -> None:
        with zipfile.ZipFile(path) as file:
            parts = {name: file.read(name) for name in file.namelist()}
        change(parts)
        with zipfile.ZipFile(path, "w") as file:
            for name, data in parts.items():
                file.writestr(name, data)

    return rewrite


def about(**more: Any) -> Callable[[Path], None]:
    def change(parts: dict[str, bytes]) -> None:
        parts[ABOUT] = json.dumps({**json.loads(parts[ABOUT]), **more}).encode()

    return changed(change)


def with_row(table: str, line: bytes) -> Callable[[Path], None]:
    return changed(lambda parts: parts.update({f"{table}.jsonl": parts[f"{table}.jsonl"] + line + b"\n"}))


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda path: path.write_bytes(b"not a zip"), "damaged or cut short"),
        (lambda path: path.write_bytes(path.read_bytes()[:-200]), "damaged or cut short"),
        (lambda path: path.write_bytes(path.read_bytes()[:300] + b"\0" * 50 + path.read_bytes()[350:]), "damaged"),
        (lambda path: path.unlink(), "cannot be read"),
        (changed(lambda parts: parts.pop(ABOUT)), "damaged or cut short"),
        (changed(lambda parts: parts.update({"votes.jsonl": b""})), "damaged or cut short"),
        (changed(lambda parts: parts.update({ABOUT: b"[]"})), "no backup of Playground's"),
        (about(format="zip"), "no backup of Playground's"),
        (about(version=2), "newer version"),
        (about(schema="9999"), "newer version"),
        (with_row("presets", b"{"), "presets has a row that is none"),
        (with_row("presets", b'{"id": "x", "colour": 1}'), "presets has a row that is none"),
        (with_row("runs", b'{"id": "x", "seq": 100000000000000000000000}'), "damaged|write to"),
        (with_row("presets", b'{"id": "x", "name": null}'), "write to"),
    ],
)
def test_a_file_that_is_none_changes_nothing(
    store: Store, saved: Path, harm: Callable[[Path], None], said: str
) -> None:
    before = contents(store)
    harm(saved)
    with pytest.raises((InvalidRequest, StoreError), match=said):
        store.restore(saved, replace=True)
    assert contents(store) == before


def test_one_that_an_older_version_made_has_less(saved: Path, other: Store) -> None:
    def older(parts: dict[str, bytes]) -> None:
        rows = [json.loads(line) for line in parts["outputs.jsonl"].splitlines()]
        for row in rows:
            del row["beside"]
        del parts["figures.jsonl"]
        parts["outputs.jsonl"] = b"\n".join(json.dumps(row).encode() for row in rows) + b"\n"
        said = json.loads(parts[ABOUT])
        del said["rows"]["figures"]
        parts[ABOUT] = json.dumps({**said, "schema": "0004"}).encode()

    changed(older)(saved)
    rows = other.restore(saved)
    assert (rows["outputs"], rows["figures"]) == (1, 0)
    assert other.sweeps.outputs("s")[0].answer == "ho"


def test_only_its_owner_may_read_it_and_nothing_half_done_stays(store: Store, tmp_path: Path) -> None:
    rows = filled(store).backup(tmp_path / "a.zip")
    assert stat.S_IMODE((tmp_path / "a.zip").stat().st_mode) == 0o600
    with zipfile.ZipFile(tmp_path / "a.zip") as file:
        said = json.loads(file.read(ABOUT))
    assert (said["schema"], said["rows"]) == (HEAD, rows)
    with pytest.raises(InvalidRequest, match="cannot be written"):
        store.backup(tmp_path / "nowhere" / "a.zip")
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".tmp"] == []


def test_the_command_line_backs_up_and_restores(cli: Cli, settings: Settings, tmp_path: Path) -> None:
    store = filled(Store.open(settings))
    done = cli("backup", str(tmp_path / "a.zip"))
    assert done.returncode == 0, done.stderr
    assert "3 runs" in done.stderr
    assert "is there already" in cli("backup", str(tmp_path / "a.zip")).stderr
    done = cli("restore", str(tmp_path / "a.zip"))
    assert (done.returncode, "--replace" in done.stderr) == (2, True)
    done = cli("restore", str(tmp_path / "a.zip"), "--replace")
    assert (done.returncode, "Add --yes" in done.stderr) == (2, True)
    store.finish_run(a_run("later"))
    done = cli("restore", str(tmp_path / "a.zip"), "--replace", "--yes")
    assert done.returncode == 0, done.stderr
    assert len(store.runs(limit=9)) == 3
    store.close()
