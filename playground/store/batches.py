"""A sweep's batches as rows: written before and after each step, so that whoever goes on knows how far each one is."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any, Literal

import sqlalchemy as sa

from playground.store.database import mapped, writing
from playground.store.records import dollars, picodollars
from playground.store.schema import BATCHES, SWEEPS

BatchKind = tuple[str, str, str]
"""Endpoint, model and address: what all lines of a batch have in common."""
PartState = Literal["planned", "uploaded", "sending", "sent", "merged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One batch of a sweep. `calls` are numbers of the plan; `reserved` dollars; `file` and `batch` the server's ids;
    `status`, `completed` and `failed` what the server said last."""

    sweep: str
    part: int
    endpoint: str
    model: str
    url: str
    calls: tuple[int, ...]
    attempt: int = 1
    state: PartState = "planned"
    reserved: Decimal = Decimal(0)
    file: str | None = None
    batch: str | None = None
    status: str | None = None
    completed: int | None = None
    failed: int | None = None

    @property
    def key(self) -> BatchKind:
        return self.endpoint, self.model, self.url


class Batches:
    """The batches of all sweeps. Every method blocks, may be called from any thread, and raises StoreError."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def save(self, part: Part, *, spent: Decimal | None = None) -> Part:
        """Keep a batch as it is now, with what its sweep has spent. The sweep has given a sign of life."""
        row, now = _values(part), _now()
        where = sa.and_(BATCHES.c.sweep == part.sweep, BATCHES.c.part == part.part)
        with mapped("write to"), writing(self._engine) as connection:
            known = connection.execute(sa.update(BATCHES).where(where).values(**row, updated_at=now)).rowcount
            if not known:
                connection.execute(sa.insert(BATCHES).values(**row, created_at=now, updated_at=now))
            of_sweep = {"updated_at": now} | ({} if spent is None else {"spent": picodollars(spent)})
            connection.execute(sa.update(SWEEPS).where(SWEEPS.c.id == part.sweep).values(of_sweep))
        return part

    def of(self, sweep: str) -> list[Part]:
        """A sweep's batches, in their order."""
        query = sa.select(BATCHES).where(BATCHES.c.sweep == sweep).order_by(BATCHES.c.part)
        with mapped("read"), self._engine.connect() as connection:
            return [_part(row._mapping) for row in connection.execute(query)]

    def drop(self, part: Part) -> None:
        """Forget one that never reached a server."""
        with mapped("write to"), writing(self._engine) as connection:
            connection.execute(sa.delete(BATCHES).where(BATCHES.c.sweep == part.sweep, BATCHES.c.part == part.part))


def is_open(connection: sa.Connection, sweep: str) -> bool:
    """Whether a server may still work on one."""
    sent = sa.and_(BATCHES.c.sweep == sweep, BATCHES.c.state.in_(("sending", "sent")))
    return bool(connection.scalar(sa.select(sa.exists().where(sent))))


def forget(connection: sa.Connection, sweep: str) -> None:
    """A sweep was deleted."""
    connection.execute(sa.delete(BATCHES).where(BATCHES.c.sweep == sweep))


def _values(part: Part) -> dict[str, Any]:
    values = {each.name: getattr(part, each.name) for each in fields(part)}
    return {**values, "calls": list(part.calls), "reserved": picodollars(part.reserved)}


def _part(row: Mapping[Any, Any]) -> Part:
    values = {each.name: row[each.name] for each in fields(Part)}
    return Part(**{**values, "calls": tuple(row["calls"]), "reserved": dollars(row["reserved"]) or Decimal(0)})


def _now() -> int:
    return time.time_ns() // 1000
