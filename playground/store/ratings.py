"""People's ratings of a sweep's answers, as rows that are only ever added: what somebody changed stays to be seen."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from playground.errors import refused
from playground.store.database import mapped, writing
from playground.store.records import moment
from playground.store.schema import OUTPUTS, RATERS, RATINGS, SWEEPS

RatingState = Literal["graded", "unsure", "undone"]
GRADES = range(1, 6)
LONGEST_RATER, LONGEST_CRITERION = 60, 200
"""Characters of a rater's name and of a criterion."""


@dataclass(frozen=True, slots=True)
class RaterRow:
    """Somebody who rates a sweep: `queue` says what, `seed` in which order. Once `revealed_at` is set they have seen
    whose answers these were, and their grades are closed."""

    sweep: str
    rater: str
    created_at: datetime
    seed: str
    queue: Mapping[str, Any]
    revealed_at: datetime | None


@dataclass(frozen=True, slots=True)
class RatingRow:
    """What a rater gave an output by one criterion. `grade` is None where they could not judge it."""

    number: int
    rater: str
    criterion: str
    grade: int | None
    comment: str | None
    created_at: datetime


class Ratings:
    """Ratings. Every method blocks, may be called from any thread and raises StoreError."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def join(self, sweep: str, rater: str, queue: Mapping[str, Any]) -> RaterRow:
        """The rater, new or come back; names that differ in capitals are one person's.

        One who comes back with another queue gets that one. Raises InvalidRequest for a sweep that is gone, and for
        another queue when the grades are closed.
        """
        with mapped("write to"), writing(self._engine) as connection:
            if not connection.scalar(sa.select(sa.exists().where(SWEEPS.c.id == sweep))):
                raise refused("no_sweep", param="sweep", id=sweep[:40])
            found = _rater(connection, sweep, rater)
            if found is None:
                values = {"sweep": sweep, "rater": rater, "seed": secrets.token_hex(8), "queue": dict(queue)}
                connection.execute(sa.insert(RATERS).values(created_at=_now(), **values))
            elif dict(found.queue) != dict(queue):
                _open(found)
                same = sa.and_(RATERS.c.sweep == sweep, RATERS.c.rater == found.rater)
                connection.execute(sa.update(RATERS).where(same).values(queue=dict(queue)))
            return _joined(connection, sweep, rater)

    def rater(self, sweep: str, rater: str) -> RaterRow | None:
        with mapped("read"), self._engine.connect() as connection:
            return _rater(connection, sweep, rater)

    def raters(self, sweep: str) -> list[RaterRow]:
        """In the order in which they came."""
        query = sa.select(RATERS).where(RATERS.c.sweep == sweep).order_by(RATERS.c.created_at, RATERS.c.rater)
        with mapped("read"), self._engine.connect() as connection:
            return [_rater_row(row) for row in connection.execute(query)]

    def reveal(self, sweep: str, rater: str) -> RaterRow:
        """Note that the rater sees the results now. Raises InvalidRequest for one who never joined."""
        with mapped("write to"), writing(self._engine) as connection:
            found = _joined(connection, sweep, rater)
            if found.revealed_at is None:
                same = sa.and_(RATERS.c.sweep == sweep, RATERS.c.rater == found.rater)
                connection.execute(sa.update(RATERS).where(same).values(revealed_at=_now()))
            return _joined(connection, sweep, rater)

    def save(
        self, sweep: str, number: int, rater: str, grades: Mapping[str, int | None], comment: str | None = None
    ) -> None:
        """Add what a rater gave an answer, by criterion; None: it cannot be judged.

        Raises InvalidRequest for an answer that this sweep does not have, and for a rater who never joined or whose
        grades are closed; ValueError for a grade that is none.
        """
        if any(grade is not None and (type(grade) is not int or grade not in GRADES) for grade in grades.values()):
            raise ValueError(f"A grade is {GRADES[0]} to {GRADES[-1]}, or None.")
        with mapped("write to"), writing(self._engine) as connection:
            known = _joined(connection, sweep, rater)
            _open(known)
            its = sa.and_(OUTPUTS.c.sweep == sweep, OUTPUTS.c.number == number, OUTPUTS.c.status == "done")
            if not connection.scalar(sa.select(sa.exists().where(its))):
                raise refused("rating_item", param="item")
            given = _counting(connection, sweep, known.rater)
            before = {row.criterion: (row.grade, row.comment) for row in given if row.number == number}
            rows = [
                _values(sweep, number, known.rater, criterion, grade, comment)
                for criterion, grade in grades.items()
                if before.get(criterion, ()) != (grade, comment)
            ]
            if rows:
                connection.execute(sa.insert(RATINGS), rows)

    def undo(self, sweep: str, rater: str) -> int | None:
        """Take back what the rater gave last, whole: the number of that answer, which then is not rated. None where
        there is nothing. Raises InvalidRequest as `save` does."""
        with mapped("write to"), writing(self._engine) as connection:
            known = _joined(connection, sweep, rater)
            _open(known)
            given = _counting(connection, sweep, known.rater)
            if not given:
                return None
            number = given[-1].number
            connection.execute(
                sa.insert(RATINGS),
                [
                    _values(sweep, number, known.rater, row.criterion, None, None, state="undone")
                    for row in given
                    if row.number == number
                ],
            )
        return number

    def of(self, sweep: str, rater: str | None = None) -> list[RatingRow]:
        """What counts: each rater's last of an answer and a criterion, in the order in which it was given."""
        with mapped("read"), self._engine.connect() as connection:
            return _counting(connection, sweep, rater)

    def stamp(self, sweep: str) -> int:
        """What rises with every row that is added."""
        with mapped("read"), self._engine.connect() as connection:
            return connection.scalar(sa.select(sa.func.max(RATINGS.c.seq)).where(RATINGS.c.sweep == sweep)) or 0

    def changed(self, sweep: str) -> int:
        """How many grades were given and later changed or taken back."""
        with mapped("read"), self._engine.connect() as connection:
            given = sa.select(sa.func.count()).where(RATINGS.c.sweep == sweep, RATINGS.c.state != "undone")
            return int(connection.scalar(given) or 0) - len(_counting(connection, sweep, None))


def forget(connection: sa.Connection, sweep: str) -> None:
    """Delete what belongs to a sweep that is deleted."""
    for table in (RATINGS, RATERS):
        connection.execute(sa.delete(table).where(table.c.sweep == sweep))


def _counting(connection: sa.Connection, sweep: str, rater: str | None) -> list[RatingRow]:
    query = sa.select(RATINGS).where(RATINGS.c.sweep == sweep)
    if rater is not None:
        query = query.where(RATINGS.c.rater == rater)
    last: dict[tuple[int, str, str], Any] = {}
    for row in connection.execute(query.order_by(RATINGS.c.seq)):
        key = row.number, row.rater, row.criterion
        last.pop(key, None)  # the later one stands at its own place
        last[key] = row
    return [
        RatingRow(row.number, row.rater, row.criterion, row.grade, row.comment, moment(row.created_at))
        for row in last.values()
        if row.state != "undone"
    ]


def _rater(connection: sa.Connection, sweep: str, rater: str) -> RaterRow | None:
    """By the name as it was written first: capitals are told apart in Python, as no two databases do it alike."""
    rows = connection.execute(sa.select(RATERS).where(RATERS.c.sweep == sweep).order_by(RATERS.c.created_at))
    return next((_rater_row(row) for row in rows if row.rater.casefold() == rater.casefold()), None)


def _joined(connection: sa.Connection, sweep: str, rater: str) -> RaterRow:
    found = _rater(connection, sweep, rater)
    if found is None:
        raise refused("rating_rater", param="rater")
    return found


def _open(rater: RaterRow) -> None:
    if rater.revealed_at is not None:
        raise refused("rating_closed", param="rater")


def _rater_row(row: Any) -> RaterRow:
    seen = None if row.revealed_at is None else moment(row.revealed_at)
    return RaterRow(row.sweep, row.rater, moment(row.created_at), row.seed, row.queue, seen)


def _values(
    sweep: str,
    number: int,
    rater: str,
    criterion: str,
    grade: int | None,
    comment: str | None,
    *,
    state: RatingState | None = None,
) -> dict[str, Any]:
    about = {"sweep": sweep, "number": number, "rater": rater, "criterion": criterion, "created_at": _now()}
    how = state or ("unsure" if grade is None else "graded")
    # Without NUL, which PostgreSQL refuses.
    return {**about, "state": how, "grade": grade, "comment": comment and comment.replace("\0", "\ufffd")}


def _now() -> int:
    return time.time_ns() // 1000
