"""What a person rates of a sweep, and in which order: blind, the same cases of every system, each rater on their own.

Cases are drawn by the sweep, so that whoever rates twenty has rated the ten of somebody who rates ten: what several
have rated is as much as can be. The order of the answers, and the names that the page knows them by, are drawn by the
rater: nothing that a rater is sent says which model, parameters or place in the sweep an answer has.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from playground.errors import refused
from playground.evaluate import spec as specs
from playground.evaluate.dataset import MAX_CASES, Case, read_case
from playground.evaluate.metrics.judge import CRITERIA, task
from playground.store import Output, Place, RaterRow, RatingRow, Store, SweepRow
from playground.store.ratings import GRADES, LONGEST_CRITERION, LONGEST_RATER
from playground.variables import fill_all

MOST_CRITERIA = 6
LONGEST_COMMENT = 2_000
RESTS = frozenset({"paused", "stopped", "budget", "failed", "done", "interrupted"})
"""States of a sweep in which no further answers come by themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """What one rater rates, and by which criteria (names of CRITERIA, or questions of one's own).

    `cases` are how many (None: all), `repeats` whether every repeat of a case or its first. `grouped`: a case's answers
    one after another, in place of all mixed.
    """

    criteria: tuple[str, ...] = tuple(CRITERIA)
    cases: int | None = None
    repeats: bool = False
    grouped: bool = False

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("cases", "repeats", "grouped")} | {
            "criteria": list(self.criteria)
        }


@dataclass(frozen=True, slots=True)
class Item:
    """An answer as its rater is shown it. `at` is its place in the queue, from 1; `grades` what was given."""

    key: str
    at: int
    task: str
    expected: str | None
    answer: str
    grades: Mapping[str, int | None]
    comment: str


@dataclass(frozen=True)
class Desk:
    """One rater at one sweep as it stands: the answers in their order, and what has been given."""

    sweep: SweepRow
    rater: RaterRow
    queue: Queue
    places: tuple[Place, ...]
    given: Mapping[int, Mapping[str, RatingRow]]

    @cached_property
    def rated(self) -> frozenset[int]:
        """Numbers of the answers that have something for every criterion."""
        return frozenset(
            each.number for each in self.places if set(self.queue.criteria) <= set(self.given.get(each.number, ()))
        )

    @property
    def finished(self) -> bool:
        return bool(self.places) and len(self.rated) == len(self.places)

    @property
    def resting(self) -> bool:
        """Whether all the answers that the sweep will have for now are there."""
        return self.sweep.state in RESTS

    def key(self, place: Place) -> str:
        # A letter first: a spreadsheet would read 12e5… as a number.
        return f"r{_draw(self.rater.seed, 'key', place.number)[:15]}"

    def find(self, key: Any) -> Place:
        """The answer of that name. Raises InvalidRequest."""
        found = next((place for place in self.places if self.key(place) == key), None)
        if found is None:
            raise refused("rating_item", param="item")
        return found

    def next(self, after: Place | None = None) -> Place | None:
        """The first that is not rated behind `after`, or else before it; None where all are."""
        start = 0 if after is None else self.places.index(after) + 1
        order = [*self.places[start:], *self.places[:start]]
        return next((place for place in order if place.number not in self.rated), None)

    def beside(self, place: Place, step: int) -> Place:
        """Its neighbour in the queue; itself at either end."""
        return self.places[min(max(self.places.index(place) + step, 0), len(self.places) - 1)]


def read_queue(given: Mapping[str, Any]) -> Queue:
    """From a page or the store. Raises InvalidRequest that says what is wrong."""
    named, cases = given.get("criteria"), given.get("cases")
    if not isinstance(named, list) or not 0 < len(named) <= MOST_CRITERIA:
        raise refused("rating_criteria", param="criteria", most=MOST_CRITERIA)
    if cases is not None and (type(cases) is not int or not 0 < cases <= MAX_CASES):
        raise refused("rating_cases", param="cases", most=MAX_CASES)
    criteria = tuple(_line(each, LONGEST_CRITERION, "rating_criterion", "criteria") for each in named)
    if len({each.casefold() for each in criteria}) < len(criteria):
        raise refused("rating_criterion_twice", param="criteria")
    flags = {name: given.get(name) is True for name in ("repeats", "grouped")}
    return Queue(criteria=criteria, cases=cases, **flags)


def read_rater(given: Any) -> str:
    """A rater's name, on one line. Raises InvalidRequest."""
    return _line(given, LONGEST_RATER, "rating_name", "rater")


def read_grades(given: Any, queue: Queue) -> dict[str, int | None]:
    """A grade for each of the queue's criteria, None where it cannot be judged. Raises InvalidRequest."""
    grades = dict(given) if isinstance(given, Mapping) else {}
    unknown = next((str(name) for name in grades if name not in queue.criteria), None)
    if unknown is not None:
        raise refused("rating_unknown", param="grades", name=unknown[:40])
    if missing := next((name for name in queue.criteria if name not in grades), None):
        raise refused("rating_missing", param="grades", name=missing)
    for grade in grades.values():
        if grade is not None and (type(grade) is not int or grade not in GRADES):
            raise refused("rating_grade", param="grades", low=GRADES[0], high=GRADES[-1])
    return {name: grades[name] for name in queue.criteria}


def read_comment(given: Any) -> str | None:
    """None for none. Raises InvalidRequest for one that is no text, or too long."""
    if given is None:
        return None
    if not isinstance(given, str) or len(given) > LONGEST_COMMENT:
        raise refused("rating_comment", param="comment", most=LONGEST_COMMENT)
    return given.strip() or None


def join(store: Store, sweep: str, rater: Any, queue: Queue) -> Desk:
    """Begin, or come back. Blocks. Raises InvalidRequest; StoreError."""
    row = _sweep(store, sweep)
    store.ratings.join(row.id, read_rater(rater), queue.as_json())
    return desk(store, row.id, rater)


def desk(store: Store, sweep: str, rater: Any) -> Desk:
    """A rater who has joined. Blocks. Raises InvalidRequest where there is no such rater or sweep; StoreError."""
    row = _sweep(store, sweep)
    known = store.ratings.rater(row.id, read_rater(rater))
    if known is None:
        raise refused("rating_rater", param="rater")
    queue = read_queue(known.queue)
    places = ordered(known.seed, queue, chosen(row.id, queue, len(row.cases or ()), store.sweeps.answered(row.id)))
    given: dict[int, dict[str, RatingRow]] = defaultdict(dict)
    for each in store.ratings.of(row.id, known.rater):
        given[each.number][each.criterion] = each
    return Desk(row, known, queue, tuple(places), given)


def item(store: Store, at: Desk, place: Place) -> Item:
    """What the rater is shown of an answer. Blocks."""
    found = store.sweeps.outputs(at.sweep.id, start=place.number - 1, limit=1)
    if not found or found[0].number != place.number:
        raise refused("rating_item", param="item")
    case = read_case((at.sweep.cases or ())[place.row], place.row + 1)
    given = at.given.get(place.number, {})
    return Item(
        key=at.key(place),
        at=at.places.index(place) + 1,
        task=_asked(at.sweep, case),
        expected=case.expected,
        answer=_said(found[0]),
        grades={name: given[name].grade for name in at.queue.criteria if name in given},
        comment=next((each.comment for each in given.values() if each.comment), ""),
    )


def grade(store: Store, at: Desk, key: Any, grades: Any, comment: Any = None) -> Place:
    """Keep what a rater gave an answer. Blocks. Raises InvalidRequest, and then nothing is kept; StoreError."""
    place = at.find(key)
    kept = read_grades(grades, at.queue)
    store.ratings.save(at.sweep.id, place.number, at.rater.rater, kept, read_comment(comment))
    return place


def reveal(store: Store, at: Desk) -> None:
    """The rater sees the results from now on. Raises InvalidRequest where that would come too early."""
    if at.rater.revealed_at is not None:
        return
    if not at.finished:
        raise refused("rating_unfinished", param="rater", left=len(at.places) - len(at.rated))
    if not at.resting:
        raise refused("rating_running", param="sweep")
    store.ratings.reveal(at.sweep.id, at.rater.rater)


def chosen(sweep: str, queue: Queue, cases: int, places: Iterable[Place]) -> list[Place]:
    """The answers that are rated, of those of a sweep with so many cases: of every system the same cases."""
    rows = set(sorted(range(cases), key=lambda row: _draw(sweep, "case", row))[: queue.cases])
    there = [place for place in places if place.row in rows]
    if queue.repeats:
        return there
    first: dict[tuple[int, int], Place] = {}
    for place in sorted(there, key=lambda place: place.repeat):
        first.setdefault((place.cell, place.row), place)
    return list(first.values())


def ordered(seed: str, queue: Queue, places: Iterable[Place]) -> list[Place]:
    """By chance, the same chance each time. What comes later finds a place of its own and changes no other's."""

    def rank(place: Place) -> tuple[str, str]:
        return _draw(seed, "case", place.row) if queue.grouped else "", _draw(seed, "answer", place.number)

    return sorted(places, key=rank)


def _draw(*parts: Any) -> str:
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()


def _sweep(store: Store, id: Any) -> SweepRow:
    row = store.sweeps.sweep(id) if isinstance(id, str) else None
    if row is None:
        raise refused("no_sweep", param="sweep", id=str(id)[:40])
    return row


def _asked(sweep: SweepRow, case: Case) -> str:
    """The task with the sweep's own prompt around it, which is the same for every system. A preset's is not: it would
    tell the systems apart."""
    spec = specs.from_json(sweep.spec)
    if spec.prompt is None and spec.messages is None:
        return task(case)
    written = fill_all(
        {"prompt": spec.prompt, "messages": list(spec.messages or ())}, {**spec.variables, **case.values}
    )
    return task(replace(case, prompt=written["prompt"], messages=tuple(written["messages"]) or None))


def _said(output: Output) -> str:
    """The answer, with the functions that it calls; not what the model thought before it, which others do not show."""
    calls: Sequence[Any] = (output.beside or {}).get("tool_calls") or ()
    named = [each.get("function", {}) for each in calls if isinstance(each, Mapping)]
    return "\n".join([output.answer, *(f"{each.get('name')}({each.get('arguments')})" for each in named)]).strip("\n")


def _line(given: Any, most: int, key: str, param: str) -> str:
    """A text of one line without space around it. Raises InvalidRequest by `key`."""
    text = " ".join(given.split()) if isinstance(given, str) else ""
    if not 0 < len(text) <= most or not text.isprintable():
        raise refused(key, param=param, most=most)
    return text
