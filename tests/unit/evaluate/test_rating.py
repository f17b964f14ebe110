"""What people rate, blind and paired, and what their grades come to, over a real store."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from decimal import Decimal
from typing import Any

import pytest
from nltk.metrics.agreement import AnnotationTask

from playground.errors import InvalidRequest
from playground.evaluate import rating, rating_results, report, report_page
from playground.evaluate.rating import Queue
from playground.evaluate.results import load
from playground.settings import Settings
from playground.store import Output, Store
from tests.fakes.rated import MODELS, put_sweep, rate_all

ONE = {"criteria": ("grammar",)}


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = Store.open(settings)
    yield opened
    opened.close()


@pytest.fixture
def sweep(store: Store) -> str:
    return put_sweep(store)


# --- what is rated ---


def test_the_same_cases_of_every_system_are_rated_once_each(store: Store, sweep: str) -> None:
    at = rating.join(store, sweep, "Ana", Queue(cases=5))
    assert Counter(place.cell for place in at.places) == {0: 5, 1: 5}
    rows = [{place.row for place in at.places if place.cell == cell} for cell in (0, 1)]
    assert rows[0] == rows[1]
    assert {place.repeat for place in at.places} == {0}
    assert len(rating.join(store, sweep, "Ben", Queue()).places) == 24
    assert len(rating.join(store, sweep, "Cleo", Queue(repeats=True)).places) == 48


def test_whoever_rates_more_has_rated_the_cases_of_whoever_rates_less(store: Store, sweep: str) -> None:
    numbers = [
        {place.number for place in rating.join(store, sweep, name, Queue(cases=cases)).places}
        for name, cases in (("Ana", 3), ("Ben", 7), ("Cleo", 12))
    ]
    assert numbers[0] < numbers[1] < numbers[2]
    other = put_sweep(store, "another")
    drawn = {place.number for place in rating.join(store, other, "Ana", Queue(cases=3)).places}
    assert drawn != numbers[0], "each sweep draws its own"


def test_each_rater_has_an_order_of_their_own_and_the_same_one_tomorrow(store: Store, sweep: str) -> None:
    orders = {name: [p.number for p in rating.join(store, sweep, name, Queue()).places] for name in ("Ana", "Ben")}
    assert sorted(orders["Ana"]) == sorted(orders["Ben"])
    assert orders["Ana"] != orders["Ben"]
    assert orders["Ana"] != sorted(orders["Ana"])
    assert [place.number for place in rating.desk(store, sweep, "Ana").places] == orders["Ana"]


def test_a_cases_answers_follow_one_another_where_they_are_asked_for_together(store: Store, sweep: str) -> None:
    rows = [place.row for place in rating.join(store, sweep, "Ana", Queue(grouped=True)).places]
    assert [rows[at] for at in range(0, 24, 2)] == [rows[at] for at in range(1, 24, 2)]
    mixed = [place.row for place in rating.join(store, sweep, "Ben", Queue()).places]
    assert [mixed[at] for at in range(0, 24, 2)] != [mixed[at] for at in range(1, 24, 2)]
    cells = [place.cell for place in rating.desk(store, sweep, "Ana").places]
    assert len({tuple(cells[at : at + 2]) for at in range(0, 24, 2)}) == 2, "which system comes first is chance"


def test_answers_that_come_later_change_nothing_of_the_order_so_far(store: Store) -> None:
    late = frozenset(range(12))
    sweep = put_sweep(store, failed=late, state="paused")
    before = [place.number for place in rating.join(store, sweep, "Ana", Queue()).places]
    more = [Output(number=n, cell=n % 2, row=n // 2, repeat=0, status="done", answer="late") for n in late]
    store.sweeps.keep(sweep, more, spent=Decimal(0), reserved=Decimal(0))
    after = [place.number for place in rating.desk(store, sweep, "Ana").places]
    assert [number for number in after if number in before and number >= 12] == [n for n in before if n in after]
    assert late <= set(after)


def test_nothing_that_a_rater_is_shown_tells_whose_answer_it_is(store: Store, sweep: str) -> None:
    at = rating.join(store, sweep, "Ana", Queue())
    shown = [rating.item(store, at, place) for place in at.places]
    said = json.dumps([asdict(each) for each in shown])
    for secret in (*MODELS, "secret", "temperature", "cell", "model"):
        assert secret not in said
    keys = [each.key for each in shown]
    assert len(set(keys)) == 24
    assert [each.at for each in shown] == list(range(1, 25))
    by_cell = {at.key(place): place.cell for place in at.places}
    assert [by_cell[key] for key in sorted(keys)] != sorted(by_cell.values()), "names are not in the sweep's order"
    other = rating.join(store, sweep, "Ben", Queue())
    assert {other.key(place) for place in other.places}.isdisjoint(keys)


def test_a_rater_reads_the_task_with_the_prompt_that_all_systems_had(store: Store) -> None:
    calls = {"tool_calls": [{"function": {"name": "look_up", "arguments": '{"q": 1}'}}]}
    sweep = put_sweep(store)
    at = rating.join(store, sweep, "Ana", Queue())
    place = at.places[0]
    shown = rating.item(store, at, place)
    assert shown.task == f"Answer: question {place.row}"
    assert shown.expected == f"expected {place.row}"
    number = place.number
    changed = Output(number=number, cell=place.cell, row=place.row, repeat=0, status="done", beside=calls)
    store.sweeps.keep(sweep, [changed], spent=Decimal(0), reserved=Decimal(0))
    assert rating.item(store, at, place).answer == 'look_up({"q": 1})'


# --- rating ---


def test_the_next_is_the_first_that_is_not_rated_and_begins_anew_at_the_end(store: Store, sweep: str) -> None:
    at = rating.join(store, sweep, "Ana", Queue(**ONE, cases=2))
    first, second, third, fourth = at.places
    rating.grade(store, at, at.key(second), {"grammar": 3})
    at = rating.desk(store, sweep, "Ana")
    assert (at.next(), at.next(first), at.next(fourth)) == (first, third, first)
    assert (at.beside(first, -1), at.beside(first, 1), at.beside(fourth, 1)) == (first, second, fourth)
    for place in (first, third, fourth):
        rating.grade(store, at, at.key(place), {"grammar": None})
    at = rating.desk(store, sweep, "Ana")
    assert at.finished
    assert at.next(first) is None


def test_what_was_given_is_there_when_one_comes_back(store: Store, sweep: str) -> None:
    at = rating.join(store, sweep, "Ana", Queue(criteria=("grammar", "Is it polite?")))
    place = at.places[3]
    rating.grade(store, at, at.key(place), {"grammar": 2, "Is it polite?": None}, "  a comma \n")
    at = rating.desk(store, sweep, "ana")
    shown = rating.item(store, at, place)
    assert shown.grades == {"grammar": 2, "Is it polite?": None}
    assert shown.comment == "a comma"
    assert at.rated == {place.number}


@pytest.mark.parametrize(
    ("grades", "comment", "says"),
    [
        ({"grammar": 6}, None, "1 to 5"),
        ({"grammar": 0}, None, "1 to 5"),
        ({"grammar": True}, None, "1 to 5"),
        ({"grammar": "5"}, None, "1 to 5"),
        ({"grammar": 4.5}, None, "1 to 5"),
        ({}, None, "no grade for grammar"),
        (None, None, "no grade for grammar"),
        ([], None, "no grade for grammar"),
        ({"grammar": 3, "charm": 3}, None, "charm is none of the criteria"),
        ({"grammar": 3}, "x" * 2_001, "at most 2,000"),
        ({"grammar": 3}, 7, "at most 2,000"),
    ],
)
def test_what_is_no_rating_is_refused_and_nothing_of_it_is_kept(
    store: Store, sweep: str, grades: Any, comment: Any, says: str
) -> None:
    at = rating.join(store, sweep, "Ana", Queue(**ONE))
    with pytest.raises(InvalidRequest, match=says):
        rating.grade(store, at, at.key(at.places[0]), grades, comment)
    assert store.ratings.of(sweep) == []


def test_an_answer_of_another_rater_or_sweep_has_no_name_here(store: Store, sweep: str) -> None:
    at = rating.join(store, sweep, "Ana", Queue(**ONE))
    other = rating.join(store, put_sweep(store, "another"), "Ana", Queue(**ONE))
    for key in (other.key(other.places[0]), "", None, 3, {"a": 1}):
        with pytest.raises(InvalidRequest, match="not one of the sweep's"):
            rating.grade(store, at, key, {"grammar": 3})


@pytest.mark.parametrize(
    "queue",
    [
        {"criteria": []},
        {"criteria": "grammar"},
        {"criteria": [f"c{at}" for at in range(7)]},
        {"criteria": ["grammar", "Grammar "]},
        {"criteria": ["x" * 201]},
        {"criteria": ["  "]},
        {"criteria": [3]},
        {"criteria": ["grammar"], "cases": 0},
        {"criteria": ["grammar"], "cases": True},
        {"criteria": ["grammar"], "cases": 1.5},
        {"criteria": ["grammar"], "cases": 10**9},
    ],
)
def test_a_queue_that_cannot_be_is_refused(queue: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        rating.read_queue(queue)


@pytest.mark.parametrize("name", ["", "  ", None, 3, "x" * 61, "a\0b", "\u202eAna"])
def test_a_rater_has_a_name(store: Store, sweep: str, name: Any) -> None:
    with pytest.raises(InvalidRequest, match="name"):
        rating.join(store, sweep, name, Queue())


def test_a_sweep_that_was_deleted_in_between_says_so(store: Store, sweep: str) -> None:
    at = rating.join(store, sweep, "Ana", Queue(**ONE))
    store.sweeps.delete(sweep)
    with pytest.raises(InvalidRequest):
        rating.grade(store, at, at.key(at.places[0]), {"grammar": 3})
    with pytest.raises(InvalidRequest, match="No sweep is called"):
        rating.desk(store, sweep, "Ana")


def test_results_are_shown_to_whoever_has_finished_and_then_their_grades_are_closed(store: Store) -> None:
    sweep = put_sweep(store, state="paused")
    at = rating.join(store, sweep, "Ana", Queue(**ONE, cases=1))
    with pytest.raises(InvalidRequest, match="2 answers are left"):
        rating.reveal(store, at)
    rate_all(store, sweep, "Ana", lambda place, name: 3, **ONE, cases=1)
    rating.reveal(store, rating.desk(store, sweep, "Ana"))
    with pytest.raises(InvalidRequest, match="can no longer change"):
        rating.grade(store, at, at.key(at.places[0]), {"grammar": 5})
    rating.reveal(store, rating.desk(store, sweep, "Ana"))


def test_results_wait_for_a_sweep_that_still_runs(store: Store) -> None:
    sweep = put_sweep(store, state="ready")
    rate_all(store, sweep, "Ana", lambda place, name: 3, **ONE)
    with pytest.raises(InvalidRequest, match="still running"):
        rating.reveal(store, rating.desk(store, sweep, "Ana"))


# --- what it comes to ---


def test_a_better_system_wins_by_the_means_over_cases_of_all_raters(store: Store, sweep: str) -> None:
    rate_all(store, sweep, "Ana", lambda place, name: 4 + (place.row % 2) if place.cell else 2)
    rate_all(store, sweep, "Ben", lambda place, name: 5 if place.cell else 1 + (place.row % 2))
    said = rating_results.told(store, sweep)
    grammar = next(each for each in said["criteria"] if each["criterion"] == "grammar")
    assert [each["criterion"] for each in said["criteria"]] == ["correctness", "grammar", "context"]
    assert [each["name"] for each in grammar["systems"]] == [
        f"{MODELS[1]}, temperature 1",
        f"{MODELS[0]}, temperature 0",
    ]
    assert [each["figure"]["value"] for each in grammar["systems"]] == [4.75, 1.75]
    assert [each["figure"]["count"] for each in grammar["systems"]] == [12, 12]
    assert grammar["verdict"]["winner"] == f"{MODELS[1]}, temperature 1"
    assert grammar["verdict_says"].startswith("Winner: server/secret-beta")
    assert (grammar["graded"], grammar["unsure"], grammar["items"]) == (48, 0, 24)
    assert [(each["rater"], each["done"], each["count"]) for each in said["raters"]] == [
        ("Ana", 24, 24),
        ("Ben", 24, 24),
    ]
    assert said["changed"] == 0


def test_people_who_grade_alike_show_no_difference(store: Store, sweep: str) -> None:
    rate_all(store, sweep, "Ana", lambda place, name: 1 + (place.row + place.cell) % 2, **ONE)
    (said,) = rating_results.told(store, sweep)["criteria"]
    assert said["verdict"]["winner"] is None
    assert said["verdict_says"].startswith("No difference shown")
    assert rating_results.told(store, sweep, "es")["criteria"][0]["verdict_says"].startswith("No se muestra")


def test_the_raters_agree_as_krippendorffs_own_example_says(store: Store) -> None:
    # Krippendorff (2011), section D: four observers, twelve units, some missing.
    table = {"A": "1 2 3 3 2 1 4 1 2 . . .", "B": "1 2 3 3 2 2 4 1 2 5 . 3"}
    table |= {"C": ". 3 3 3 2 3 4 2 2 5 1 .", "D": "1 2 3 3 2 4 4 1 2 5 1 ."}
    sweep = put_sweep(store)
    for who, row in table.items():
        values = [None if value == "." else int(value) for value in row.split()]
        at = rating.join(store, sweep, who, Queue(**ONE))
        for place in at.places:
            if place.cell == 0:
                rating.grade(store, at, at.key(place), {"grammar": values[place.row]})
    (said,) = rating_results.told(store, sweep)["criteria"]
    assert said["alpha"] == pytest.approx(0.815, abs=0.0006)
    assert said["items"] == 11
    assert said["alpha_says"] == "The raters agree: their grades can be relied on."
    assert said["unsure"] == 7
    assert said["verdict"] is None
    pairs = {tuple(each["raters"]): each for each in said["kappas"]}
    assert len(pairs) == 6
    assert pairs["A", "B"]["count"] == 9
    assert pairs["A", "B"]["says"] == "too few to say"
    assert pairs["B", "D"]["count"] == 10


def test_two_raters_agree_as_nltks_weighted_kappa_says(store: Store, sweep: str) -> None:
    rate_all(store, sweep, "Ana", lambda place, name: 1 + place.row % 5, **ONE)
    rate_all(store, sweep, "Ben", lambda place, name: 1 + (place.row + place.row % 2) % 5, **ONE)
    (said,) = rating_results.told(store, sweep)["criteria"]
    triples = [(row.rater, row.number, row.grade) for row in store.ratings.of(sweep)]
    task = AnnotationTask(triples, distance=lambda a, b: (a - b) ** 2)
    (pair,) = said["kappas"]
    assert pair["raters"] == ["Ana", "Ben"]
    assert pair["count"] == 24
    assert pair["kappa"] == pytest.approx(task.weighted_kappa())


@pytest.mark.parametrize(
    ("cases", "grades", "says"),
    [
        (4, (3, 4), "Too few ratings to say how far raters agree: two have rated 8 answers in common"),
        (12, (3, 3), "All grades are the same"),
        (12, (1, 5), "do not agree enough"),
    ],
)
def test_agreement_that_says_little_says_so(
    store: Store, sweep: str, cases: int, grades: tuple[int, int], says: str
) -> None:
    for name, grade in zip(("Ana", "Ben"), grades, strict=True):
        rate_all(store, sweep, name, lambda place, _, grade=grade: grade, **ONE, cases=cases)
    assert says in rating_results.told(store, sweep)["criteria"][0]["alpha_says"]


def test_few_cases_and_one_rater_are_said_to_be_too_few(store: Store, sweep: str) -> None:
    rate_all(store, sweep, "Ana", lambda place, name: 5 if place.cell else 1, **ONE, cases=5)
    (said,) = rating_results.told(store, sweep)["criteria"]
    assert said["verdict_says"].startswith("Too few ratings to say which is better: 5 cases")
    assert said["verdict"]["winner"] is None
    assert said["alpha_says"].startswith("Agreement needs two raters")
    rate_all(store, sweep, "Ben", lambda place, name: 5 if place.cell else 1, **ONE, cases=6)
    (said,) = rating_results.told(store, sweep)["criteria"]
    assert said["verdict_says"].startswith("Winner"), "six cases are enough where all say the same"


def test_what_people_gave_is_a_measure_of_the_evaluation(store: Store, sweep: str) -> None:
    rate_all(store, sweep, "Ana", lambda place, name: 4 if place.cell else 2, criteria=("grammar", "=Is it kind?"))
    results = load(store, sweep)
    human = [each.name for each in results.measures if each.human]
    assert human == ["human:grammar", "human:=Is it kind?"]
    figure = results.figure(results.measure("human:grammar"), 1)
    assert figure is not None
    assert (figure.value, figure.count) == (4, 12)
    assert results.heatmap("human:grammar", "model").squares[1].figure == figure
    said = report.report(results, "human:grammar")
    assert said["measure"]["human"]
    assert said["verdict"]["winner_cell"] == 1
    assert "people&#x27;s grades" in report_page.page(results, "human:grammar")
    assert load(store, put_sweep(store, "another")).measures[0].name == "exact_match"


def test_every_grade_is_in_the_csv_and_none_is_a_formula(store: Store, sweep: str) -> None:
    at = rating.join(store, sweep, "=Ana", Queue(criteria=("@SUM(A1)",)))
    place = at.places[0]
    rating.grade(store, at, at.key(place), {"@SUM(A1)": 4}, "+1, <b>good</b>")
    (row,) = csv.DictReader(io.StringIO(rating_results.to_csv(store, sweep).decode("utf-8-sig")))
    assert row["created_at"].startswith("20")
    del row["created_at"]
    assert row == {
        "number": str(place.number),
        "system": f"{MODELS[place.cell]}, temperature {place.cell}",
        "case": f"c{place.row}",
        "repeat": "1",
        "rater": "'=Ana",
        "criterion": "'@SUM(A1)",
        "grade": "4",
        "comment": "'+1, <b>good</b>",
    }
