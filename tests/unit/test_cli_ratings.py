"""`ratings` as a person runs it, in a process of its own."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator

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
