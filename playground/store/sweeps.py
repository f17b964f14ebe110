"""Sweeps and what came of their calls, as rows.

What judges say of a sweep's answers is kept as a sweep of its own for each judge (`judging_id`), which no list shows.

A sweep belongs to one process at a time, which holds it as a run is held (`owner.py`): one that was left by a process
which died says `interrupted`, and anybody may go on with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

import sqlalchemy as sa

from playground.errors import refused
from playground.store import batches, figures, ratings
from playground.store.database import mapped, writing
from playground.store.records import dollars, moment, picodollars
from playground.store.schema import OUTPUTS, SWEEPS

SweepState = Literal["ready", "running", "paused", "stopped", "budget", "failed", "done", "interrupted"]
OutputStatus = Literal["done", "failed", "stopped"]
JUDGING = "judge-"
_AT_ONCE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What came of one call. `row` is its case's place; cost in dollars, times in seconds; `scores` by metric.

    A `failed` one without tokens was never answered: it costs nothing, and is tried again when the sweep goes on. So is
    a `stopped` one; what that has cost stays in the sweep's `spent`.
    """

    number: int
    cell: int
    row: int
    repeat: int
    status: OutputStatus
    answer: str = ""
    beside: Mapping[str, Any] | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    usage_estimated: bool | None = None
    cost: Decimal | None = None
    latency: float | None = None
    time_to_first_token: float | None = None
    finish_reason: str | None = None
    attempts: int = 1
    scores: Mapping[str, float | None] = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepRow:
    """A sweep as it stands. `cells` say what is compared; `why` is the reason it stopped (a key and its figures);
    `cases` is None in a list."""

    id: str
    created_at: datetime
    name: str
    state: SweepState
    fingerprint: str
    calls: int
    spent: Decimal
    why: Mapping[str, Any] | None
    spec: Mapping[str, Any]
    cells: Sequence[Mapping[str, Any]]
    done: int = 0
    failed: int = 0
    cases: Sequence[Mapping[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where an output stands: its number, and of which cell, case and repeat it is."""

    number: int
    cell: int
    row: int
    repeat: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """Which outputs: of these cells, of this status, with this text in the answer (case aside), of this case."""

    cells: tuple[int, ...] = ()
    status: OutputStatus | None = None
    text: str = ""
    row: int | None = None


class Sweeps:
    """An account's sweeps. Every method blocks, may be called from any thread, and raises StoreError.

    What belongs to a sweep (its stamp, judges, outputs, batches, ratings, figures) is reached by its id alone: whoever
    asks has found the sweep first.
    """

    def __init__(
        self, engine: sa.Engine, account: str, own: Callable[[], str], is_dead: Callable[[str, int], bool]
    ) -> None:
        self._engine, self._account, self._own, self._is_dead = engine, account, own, is_dead
        self._theirs = SWEEPS.c.account == account

    def create(
        self,
        id: str,
        *,
        name: str,
        fingerprint: str,
        calls: int,
        spec: Mapping[str, Any],
        cells: Sequence[Mapping[str, Any]],
        cases: Sequence[Mapping[str, Any]],
    ) -> None:
        """Keep a sweep before its first call."""
        values = {"name": name, "fingerprint": fingerprint, "calls": calls, "spec": dict(spec), "cells": list(cells)}
        values |= {"account": self._account, "cases": list(cases)}
        times = {"created_at": _now(), "updated_at": _now(), "state": "ready", "spent": 0, "reserved": 0}
        with mapped("write to"), writing(self._engine) as connection:
            connection.execute(sa.insert(SWEEPS).values(id=id, **values, **times))

    def sweep(self, id: str) -> SweepRow | None:
        """The sweep with its cases; an id may be shortened to its beginning where only one begins so."""
        like = id.replace("%", "").replace("_", "")
        with mapped("read"), self._engine.connect() as connection:
            query = sa.select(SWEEPS).where(self._theirs, SWEEPS.c.id.startswith(like)).limit(2)
            rows = connection.execute(query).all()
            exact = [row for row in rows if row.id == id] or rows
            if not like or len(exact) != 1:
                return None
            return self._row(exact[0]._mapping, _counts(connection, [exact[0].id]))

    def stamp(self, id: str) -> tuple[str, int] | None:
        """What changes whenever something of the sweep or of its judges does; None where there is none of exactly this
        id."""
        query = sa.select(SWEEPS.c.id, SWEEPS.c.state, SWEEPS.c.updated_at).where(_with_judges(id))
        with mapped("read"), self._engine.connect() as connection:
            rows = connection.execute(query).all()
        own = next((row for row in rows if row.id == id), None)
        return None if own is None else (own.state, max(row.updated_at for row in rows))

    def judged(self, id: str) -> list[SweepRow]:
        """What is kept of the sweep's judges, in their order, without cases."""
        columns = [column for column in SWEEPS.columns if column.name != "cases"]
        query = sa.select(*columns).where(_with_judges(id), SWEEPS.c.id != id).order_by(SWEEPS.c.id)
        with mapped("read"), self._engine.connect() as connection:
            rows = connection.execute(query).all()
            counts = _counts(connection, [row.id for row in rows])
            return [self._row(row._mapping, counts) for row in rows]

    def respec(self, id: str, spec: Mapping[str, Any]) -> None:
        """Another spec for a sweep that rests: a judge more. Raises InvalidRequest where it runs."""
        with mapped("write to"), writing(self._engine) as connection:
            query = sa.select(SWEEPS.c.owner, SWEEPS.c.updated_at).where(self._theirs, SWEEPS.c.id == id)
            row = connection.execute(query).first()
            if row is None:
                raise refused("no_sweep", param="sweep", id=id[:40])
            if row.owner is not None and not self._is_dead(row.owner, row.updated_at):
                raise refused("sweep_busy", param="sweep", id=id)
            values = {"spec": dict(spec), "updated_at": _now()}
            connection.execute(sa.update(SWEEPS).where(SWEEPS.c.id == id).values(values))

    def listed(self, limit: int = 100) -> list[SweepRow]:
        """The newest sweeps first, without their cases."""
        columns = [column for column in SWEEPS.columns if column.name != "cases"]
        own = ~SWEEPS.c.id.startswith(JUDGING, autoescape=True)
        query = (
            sa.select(*columns).where(self._theirs, own).order_by(SWEEPS.c.created_at.desc(), SWEEPS.c.id).limit(limit)
        )
        with mapped("read"), self._engine.connect() as connection:
            rows = connection.execute(query).all()
            counts = _counts(connection, [row.id for row in rows])
            return [self._row(row._mapping, counts) for row in rows]

    def claim(self, id: str) -> Decimal:
        """Take the sweep for this process; the dollars spent on it so far. Raises InvalidRequest where another, or
        another page of this one, runs it.

        What a process that died had reserved counts as spent: nobody can say that it was not.
        """
        own = self._own()
        with mapped("write to"), writing(self._engine) as connection:
            row = connection.execute(sa.select(SWEEPS).where(self._theirs, SWEEPS.c.id == id)).one_or_none()
            if row is None:
                raise refused("no_sweep", param="resume", id=id[:40])
            if row.owner is not None and not self._is_dead(row.owner, row.updated_at):
                raise refused("sweep_busy", param="resume", id=id)
            spent = row.spent + row.reserved
            values = {"owner": own, "state": "running", "why": None, "spent": spent, "reserved": 0}
            connection.execute(sa.update(SWEEPS).where(SWEEPS.c.id == id).values(updated_at=_now(), **values))
        return dollars(spent) or Decimal(0)

    def keep(self, id: str, outputs: Sequence[Output], *, spent: Decimal, reserved: Decimal) -> None:
        """Outcomes, with what they make of the budget, in one transaction. An earlier try's outcome is replaced."""
        figures = {"spent": picodollars(spent), "reserved": picodollars(reserved), "updated_at": _now()}
        with mapped("write to"), writing(self._engine) as connection:
            for part in _parts([output.number for output in outputs]):
                connection.execute(sa.delete(OUTPUTS).where(OUTPUTS.c.sweep == id, OUTPUTS.c.number.in_(part)))
            if outputs:
                connection.execute(sa.insert(OUTPUTS), [_values(id, output) for output in outputs])
            connection.execute(sa.update(SWEEPS).where(SWEEPS.c.id == id).values(figures))

    def let_go(self, id: str, state: SweepState, why: Mapping[str, Any] | None = None) -> None:
        """The sweep rests, and says how."""
        with mapped("write to"), writing(self._engine) as connection:
            values = {"state": state, "why": None if why is None else dict(why), "owner": None, "updated_at": _now()}
            connection.execute(sa.update(SWEEPS).where(SWEEPS.c.id == id).values(values))

    def settled(self, id: str) -> set[int]:
        """Numbers of the calls that are not asked again: answered, or broken off when part was paid for."""
        paid = sa.or_(
            OUTPUTS.c.status == "done", sa.and_(OUTPUTS.c.status == "failed", OUTPUTS.c.completion_tokens > 0)
        )
        with mapped("read"), self._engine.connect() as connection:
            return set(connection.scalars(sa.select(OUTPUTS.c.number).where(OUTPUTS.c.sweep == id, paid)))

    def outputs(
        self, id: str, *, start: int = -1, limit: int = 10_000, matching: Matching | None = None
    ) -> list[Output]:
        """At most `limit` outputs by number, those after the number `start`."""
        chosen = matching or Matching()
        query = sa.select(*_COLUMNS).where(OUTPUTS.c.sweep == id, OUTPUTS.c.number > start)
        if chosen.cells:
            query = query.where(OUTPUTS.c.cell.in_(chosen.cells))
        if chosen.status is not None:
            query = query.where(OUTPUTS.c.status == chosen.status)
        if chosen.row is not None:
            query = query.where(OUTPUTS.c.row == chosen.row)
        if chosen.text:
            query = query.where(OUTPUTS.c.answer.icontains(chosen.text, autoescape=True))
        with mapped("read"), self._engine.connect() as connection:
            return [_output(row) for row in connection.execute(query.order_by(OUTPUTS.c.number).limit(limit))]

    def answered(self, id: str) -> list[Place]:
        """Where every output that was answered stands, by number: nothing of what it says is read."""
        columns = (OUTPUTS.c.number, OUTPUTS.c.cell, OUTPUTS.c.row, OUTPUTS.c.repeat)
        query = sa.select(*columns).where(OUTPUTS.c.sweep == id, OUTPUTS.c.status == "done").order_by(OUTPUTS.c.number)
        with mapped("read"), self._engine.connect() as connection:
            return [Place(*row) for row in connection.execute(query)]

    def each(self, id: str, *, batch: int = 5_000) -> Iterator[Output]:
        """Every output by number, read `batch` at a time."""
        start = -1
        while page := self.outputs(id, start=start, limit=batch):
            yield from page
            start = page[-1].number

    def delete(self, id: str) -> bool:
        """Whether there was such a sweep. Raises InvalidRequest for one that runs, or has batches at a server."""
        query = sa.select(SWEEPS.c.id, SWEEPS.c.owner, SWEEPS.c.updated_at).where(self._theirs, _with_judges(id))
        with mapped("write to"), writing(self._engine) as connection:
            rows = connection.execute(query).all()
            if all(row.id != id for row in rows):
                return False
            if any(row.owner is not None and not self._is_dead(row.owner, row.updated_at) for row in rows):
                raise refused("sweep_busy", param="sweep", id=id)
            if batches.is_open(connection, id):
                raise refused("batches_open", param="sweep", id=id)
            ratings.forget(connection, id)
            batches.forget(connection, id)
            figures.forget(connection, id)
            ids = [row.id for row in rows]
            connection.execute(sa.delete(OUTPUTS).where(OUTPUTS.c.sweep.in_(ids)))
            connection.execute(sa.delete(SWEEPS).where(SWEEPS.c.id.in_(ids)))
        return True

    def _row(self, row: Mapping[Any, Any], counts: Mapping[tuple[str, str], int]) -> SweepRow:
        state = row["state"]
        if state == "running" and (row["owner"] is None or self._is_dead(row["owner"], row["updated_at"])):
            state = "interrupted"
        return SweepRow(
            **{name: row[name] for name in ("id", "name", "fingerprint", "calls", "why", "spec", "cells")},
            created_at=moment(row["created_at"]),
            state=state,
            spent=dollars(row["spent"]) or Decimal(0),
            done=counts.get((row["id"], "done"), 0),
            failed=counts.get((row["id"], "failed"), 0),
            cases=row.get("cases"),
        )


def judging_id(id: str, judge: int) -> str:
    """Under which id it is kept what the sweep's judge of that place says."""
    return f"{JUDGING}{id}-{judge:02}"


def _with_judges(id: str) -> sa.ColumnElement[bool]:
    return sa.or_(SWEEPS.c.id == id, SWEEPS.c.id.startswith(f"{JUDGING}{id}-", autoescape=True))


def _counts(connection: sa.Connection, ids: Sequence[str]) -> dict[tuple[str, str], int]:
    query = sa.select(OUTPUTS.c.sweep, OUTPUTS.c.status, sa.func.count()).where(OUTPUTS.c.sweep.in_(ids))
    rows = connection.execute(query.group_by(OUTPUTS.c.sweep, OUTPUTS.c.status))
    return {(sweep, status): count for sweep, status, count in rows}


def _values(id: str, output: Output) -> dict[str, Any]:
    names = (
        *("number", "cell", "row", "repeat", "status", "prompt_tokens", "completion_tokens", "usage_estimated"),
        *("latency", "time_to_first_token", "attempts"),
    )
    return {
        **{name: getattr(output, name) for name in names},
        "sweep": id,
        "created_at": _now(),
        "cost": picodollars(output.cost),
        "finish_reason": output.finish_reason and output.finish_reason[:64],
        "scores": dict(output.scores),
        "error": output.error and _text(output.error),
        "answer": _text(output.answer),
        "beside": output.beside and dict(output.beside),
    }


_NAMES = Output.__slots__
_COLUMNS = [OUTPUTS.c[name] for name in _NAMES]


def _output(row: sa.Row[Any]) -> Output:
    values = dict(zip(_NAMES, row, strict=True))
    return Output(**{**values, "cost": dollars(values["cost"])})


def _text(text: str) -> str:
    """Without NUL, which PostgreSQL refuses."""
    return text.replace("\0", "\ufffd")


def _parts(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    return (numbers[at : at + _AT_ONCE] for at in range(0, len(numbers), _AT_ONCE))


def _now() -> int:
    return time.time_ns() // 1000
