"""`ratings` as a person runs it, in a process of its own."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from playground.settings import Settings
from playground.store import Store
from tests.fakes.rated import MODELS, put_sweep, rate_all
from tests.fakes.terminal import Cli


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = Store.open(settings)
    yield opened
    opened.close()


def test_results_and_agreement_are_printed_and_as_json_and_csv(store: Store, cli: Cli) -> None:
    put_sweep(store, "rated-one")
    for name in ("Ana", "Ben"):
        rate_all(store, "rated-one", name, lambda place, _: 2 + 2 * place.cell, criteria=("grammar",))
    done = cli("ratings", "rated")
    assert done.returncode == 0, done.stderr
    assert "Ana: 24 of 24 rated" in done.stdout
    assert f"{MODELS[1]}, temperature 1: 4.00 [4.00, 4.00] n=12" in done.stdout
    assert f"Winner: {MODELS[1]}" in done.stdout
    assert "Krippendorff's alpha 1.000 over 24 answers. The raters agree" in done.stdout
    assert "Ana and Ben: Cohen's kappa 1.000 (quadratic), n=24: almost perfect" in done.stdout
    said = json.loads(cli("ratings", "rated", "--json").stdout)
    assert said["criteria"][0]["verdict"]["winner_cell"] == 1
    rows = list(csv.DictReader(io.StringIO(cli("ratings", "rated", "--csv").stdout.lstrip("\ufeff"))))
    assert len(rows) == 48
    assert {row["grade"] for row in rows} == {"2", "4"}


def test_a_sweep_nobody_rated_and_one_that_is_not_there_say_so(store: Store, cli: Cli) -> None:
    put_sweep(store)
    assert "Nothing is rated yet." in cli("ratings", "rated").stdout
    gone = cli("ratings", "elsewhere")
    assert gone.returncode == 2
    assert "No sweep is called elsewhere" in gone.stderr
    assert cli("ratings", "rated", "--json", "--csv").returncode == 2


def filled(sheet: str, path: Path, grades: Any, **changes: str) -> list[dict[str, str]]:
    """The sheet as somebody fills it in, with semicolons as Spanish Excel writes it."""
    rows = list(csv.DictReader(io.StringIO(sheet.lstrip("\ufeff"))))
    for at, row in enumerate(rows):
        row.update(dict.fromkeys(("grammar", "=Is it kind?", "'=Is it kind?"), grades(at)) if at else {})
        row.update(changes if at == 2 else {})
    with path.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, [*list(rows[0])[:6], "comment"], delimiter=";", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return rows


def test_a_sheet_goes_out_blind_and_comes_back_filled_in(store: Store, cli: Cli, tmp_path: Path) -> None:
    put_sweep(store)
    out = cli(
        "ratings", "rated", "--rater", "Ana", "--sheet", "--cases", "4", "--by", "grammar", "--by", "=Is it kind?"
    )
    assert out.returncode == 0, out.stderr
    assert not [secret for secret in (*MODELS, "secret") if secret in out.stdout]
    rows = filled(out.stdout, tmp_path / "ana.csv", lambda at: "?" if at == 1 else "4", comment="+1, good")
    assert len(rows) == 8
    done = cli("ratings", "rated", "--rater", "ana", "--import", "ana.csv")
    assert "Rated: 7 of 8 answers." in done.stderr
    kept = store.ratings.of("rated")
    assert len(kept) == 14
    assert sorted({(row.criterion, row.grade) for row in kept if row.grade}) == [("=Is it kind?", 4), ("grammar", 4)]
    assert sum(row.grade is None for row in kept) == 2
    assert {row.comment for row in kept if row.comment} == {"+1, good"}
    again = cli("ratings", "rated", "--rater", "Ana", "--sheet").stdout
    assert [row["grammar"] for row in csv.DictReader(io.StringIO(again.lstrip("\ufeff")))] == ["", "?", *"444444"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"grammar": "6"}, "1 to 5"),
        ({"grammar": "good"}, "1 to 5"),
        ({"grammar": ""}, "no grade for grammar"),
        ({"item": "r000"}, "not one of the sweep's"),
        ({"comment": "x" * 2_001}, "at most 2,000"),
    ],
)
def test_a_sheet_with_a_wrong_line_is_refused_whole(
    store: Store, cli: Cli, tmp_path: Path, changes: dict[str, str], says: str
) -> None:
    put_sweep(store)
    out = cli("ratings", "rated", "--rater", "Ana", "--sheet", "--by", "grammar", "--by", "=Is it kind?").stdout
    filled(out, tmp_path / "ana.csv", lambda at: "4", **changes)
    done = cli("ratings", "rated", "--rater", "Ana", "--import", "ana.csv")
    assert done.returncode == 2
    assert "Line 4" in done.stderr
    assert says in done.stderr
    assert store.ratings.of("rated") == []


def test_a_sheet_needs_a_name_and_its_columns(store: Store, cli: Cli, tmp_path: Path) -> None:
    put_sweep(store)
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    assert "--rater" in cli("ratings", "rated", "--sheet").stderr
    assert "Nobody of this name" in cli("ratings", "rated", "--rater", "Ana", "--import", "other.csv").stderr
    cli("ratings", "rated", "--rater", "Ana", "--sheet")
    assert "no column item" in cli("ratings", "rated", "--rater", "Ana", "--import", "other.csv").stderr
