"""A sweep's outcomes as figures, from a real store; the figures are those of scipy and of counting by hand."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from scipy import stats

from playground.errors import InvalidRequest
from playground.evaluate import report, report_chart, report_page
from playground.evaluate.results import Results, load
from playground.settings import Settings
from playground.store import Output, Store
from playground.words import Language

CASES = [{"id": f"c{at}", "prompt": f"case {at}", "expected": "yes" if at % 2 else "no"} for at in range(12)]
GRID = [(temperature, top_p) for temperature in (0, 1) for top_p in (0.5, 1)]
SPEC = {
    "models": ["server/fake"],
    "grid": {"temperature": [0, 1], "top_p": [0.5, 1]},
    "repeats": 2,
    "metrics": ["exact_match", "distinct", {"label": {"labels": ["yes", "no"]}}],
}


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = Store.open(settings)
    yield opened
    opened.close()


def kept(store: Store, right: Sequence[float], **changes: Any) -> Results:
    """Four cells, each right in this share of the cases, always the first ones."""
    cells = [
        {
            "name": f"t={temperature}, p={top_p}",
            "model": "server/fake",
            "preset": None,
            "parameters": {},
            "varied": {"temperature": temperature, "top_p": top_p},
        }
        for temperature, top_p in GRID
    ]
    about = {"name": "grid", "fingerprint": "f", "calls": 96, "spec": SPEC, "cells": cells, "cases": CASES}
    store.sweeps.create("grid", **{**about, **changes})
    outputs = []
    for number in range(96):
        rest, cell = divmod(number, 4)
        repeat, row = divmod(rest, 12)
        good = row < right[cell] * 12
        answer = CASES[row]["expected"] if good else "maybe" if repeat else "=1+1"
        outputs.append(
            Output(
                number=number,
                cell=cell,
                row=row,
                repeat=repeat,
                status="done",
                answer=answer,
                cost=Decimal("0.001") * (cell + 1),
                latency=0.1 * (4 - cell),
                completion_tokens=2,
                scores={"exact_match": float(good), "label": float(good)},
            )
        )
    store.sweeps.keep("grid", outputs, spent=Decimal("0.24"), reserved=Decimal(0))
    return load(store, "grid")


def test_a_heatmap_has_an_interval_a_count_and_an_agreement_in_each_square(store: Store) -> None:
    results = kept(store, (1, 0.5, 0.75, 0.25))
    found = results.heatmap("exact_match", "temperature", "top_p")
    assert (found.x_values, found.y_values) == ((0, 1), (0.5, 1))
    squares = {(square.x, square.y): square for square in found.squares}
    assert {at: square.figure and square.figure.value for at, square in squares.items()} == {
        (0, 0): 1.0,
        (0, 1): 0.5,
        (1, 0): 0.75,
        (1, 1): 0.25,
    }
    assert {square.count for square in found.squares} == {24}
    assert [squares[at].agreement for at in ((0, 0), (0, 1), (1, 1))] == [1.0, 0.5, 0.25]
    half = squares[0, 1].figure
    assert half is not None
    sample = np.array([1.0] * 6 + [0.0] * 6)
    theirs = stats.bootstrap((sample,), np.mean, method="BCa", rng=np.random.default_rng(1)).confidence_interval
    assert (half.low, half.high) == pytest.approx((theirs.low, theirs.high), abs=0.09)


def test_over_one_parameter_the_other_is_taken_together(store: Store) -> None:
    results = kept(store, (1, 0.5, 0.75, 0.25))
    found = results.heatmap("exact_match", "temperature")
    assert [square.figure and square.figure.value for square in found.squares] == [0.75, 0.5]
    assert [square.cells for square in found.squares] == [(0, 1), (2, 3)]


def test_cost_and_latency_are_measures_like_any_other(store: Store) -> None:
    results = kept(store, (1, 0.5, 0.75, 0.25))
    figures = [
        square.figure and square.figure.value for square in results.heatmap("cost", "temperature", "top_p").squares
    ]
    assert figures == pytest.approx([0.001, 0.003, 0.002, 0.004]) or figures == pytest.approx(
        [0.001, 0.002, 0.003, 0.004]
    )
    with pytest.raises(InvalidRequest, match="exact_match, label, cost"):
        results.heatmap("beauty", "temperature")
    with pytest.raises(InvalidRequest, match="temperature, top_p"):
        results.heatmap("cost", "seed")


def test_the_front_is_what_nothing_beats_in_quality_cost_and_latency(store: Store) -> None:
    results = kept(store, (0.5, 0.5, 1, 0.25))
    # The first is cheapest, the last fastest, the third best; the second costs more than the first but is faster.
    assert [point.front for point in results.points("exact_match")] == [True, True, True, True]
    dominated = [point.front for point in results.points("latency")]
    assert dominated[3]


def test_a_winner_is_named_only_with_evidence_against_every_other(store: Store) -> None:
    results = kept(store, (1, 0.25, 0.25, 0.0))
    said = report.report(results)["verdict"]
    assert said["winner"] == "t=0, p=0.5"
    assert max(each["p_value"] for each in said["against"]) < 0.05


def test_without_evidence_no_difference_is_shown_and_those_that_are_level_are_named(store: Store) -> None:
    said = report.report(kept(store, (1, 11 / 12, 0, 0)))["verdict"]
    assert (said["winner"], said["best"], said["level"]) == (None, "t=0, p=0.5", ["t=0, p=1"])


def test_figures_of_all_answers_together_and_the_classification_report_stand_beside(store: Store) -> None:
    cell = report.report(kept(store, (0.5, 1, 1, 1)))["cells"][0]
    assert cell["whole"]["distinct_2"] is None or 0 <= cell["whole"]["distinct_2"] <= 1
    assert cell["classes"]["labels"] == ["yes", "no"]
    assert sum(map(sum, cell["classes"]["matrix"])) == 24
    assert cell["classes"]["accuracy"] == 0.5
    assert cell["classes"]["unread"] == 12


def test_csv_has_a_row_an_output_and_no_cell_that_a_spreadsheet_would_run(store: Store) -> None:
    data = report.to_csv(kept(store, (0.5, 0.5, 0.5, 0.5))).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(data)))
    assert len(rows) == 96
    assert (rows[1]["temperature"], rows[1]["top_p"], rows[1]["case"], rows[1]["exact_match"]) == (
        "0",
        "1",
        "c0",
        "1.0",
    )
    assert {row["answer"] for row in rows} == {"yes", "no", "maybe", "'=1+1"}


def test_json_is_the_whole_report_with_every_output(store: Store) -> None:
    said = json.loads(report.to_json(kept(store, (1, 1, 1, 1)), "label"))
    assert said["measure"]["name"] == "label"
    assert len(said["outputs"]) == 96
    assert said["outputs"][5] | {"latency": 0} == {
        "number": 5, "cell": 1, "row": 1, "repeat": 0, "status": "done", "answer": "yes", "prompt_tokens": None,
        "completion_tokens": 2, "usage_estimated": None, "latency": 0, "time_to_first_token": None,
        "finish_reason": None, "attempts": 1, "error": None, "cost": "0.002", "beside": None,
        "scores": {"exact_match": 1.0, "label": 1.0}, "case": "c1", "expected": "yes", "name": "t=0, p=1",
        "judged": [],
    }  # fmt: skip


def test_a_sweep_without_an_answer_has_a_report_that_says_so(store: Store) -> None:
    kept(store, (1, 1, 1, 1))
    cells = [{"name": "a", "model": "s/m", "preset": None, "parameters": {}, "varied": {}}]
    about = {"name": "none", "fingerprint": "f", "calls": 1, "cells": cells, "cases": CASES[:1]}
    store.sweeps.create("none", spec={"models": ["s/m"]}, **about)
    said = report.report(load(store, "none"))
    assert (said["verdict"], said["heatmap"], said["answered"], said["measure"]["name"]) == (None, None, 0, "cost")


@pytest.mark.parametrize("language", ["en", "es"])
def test_the_html_report_stands_alone_and_runs_nothing_that_a_model_wrote(store: Store, language: Language) -> None:
    cases = [{**case, "expected": "<script>alert(1)</script>" if at == 0 else "yes"} for at, case in enumerate(CASES)]
    results = kept(store, (1, 0.5, 0.75, 0.25), name="<b>grid</b>", cases=cases)
    text = report_page.page(results, language=language)
    assert "<script" not in text
    assert "<b>grid" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert not re.search(r"(?:src|href|url)\s*[=(]|https?://|@import", text)
    assert text.count("<circle") == 4
    assert {f"n = {24}"} <= set(re.findall(r"n = \d+", text))
    assert ("Pareto front" in text) is (language == "en")
    assert ("frente de Pareto" in text) is (language == "es")


def test_the_ticks_of_a_chart_are_told_apart_in_either_language() -> None:
    points = [(2.7001, 0.5, True, "a"), (2.7002, 0.75, False, "b")]
    for language, tick in (("en", "2.70015"), ("es", "2,70015")):
        drawn = report_chart.scatter(points, "Latency, s", "label", language)  # type: ignore[arg-type]
        ticks = re.findall(r'y="294" text-anchor="\w+">([\d.,]+)</text>', drawn)
        assert len(set(ticks)) == 3
        assert tick in ticks


def test_the_html_report_names_a_winner_or_says_that_no_difference_is_shown(store: Store) -> None:
    assert "Winner: t=0, p=0.5" in report_page.page(kept(store, (1, 0.25, 0.25, 0.0)))
    store.sweeps.delete("grid")
    assert "No difference shown" in report_page.page(kept(store, (1, 1, 1, 1)))
