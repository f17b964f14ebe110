"""Accounts of visitors, and what all processes over one database share, as rows."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from playground.store.database import mapped, writing
from playground.store.records import moment
from playground.store.schema import ACCOUNTS, KEPT


@dataclass(frozen=True, slots=True)
class AccountRow:
    """A visitor's account. `stopped`: the host lets it run nothing."""

    id: str
    name: str
    created_at: datetime
    seen_at: datetime
    stopped: bool


class Accounts:
    """Every method blocks, may be called from any thread, and raises StoreError."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def see(self, id: str, name: str) -> None:
        """Somebody came with this account, which is made where there is none."""
        now = _now()
        with mapped("write to"), writing(self._engine) as connection:
            known = sa.update(ACCOUNTS).where(ACCOUNTS.c.id == id).values(name=name, seen_at=now)
            if not connection.execute(known).rowcount:
                connection.execute(sa.insert(ACCOUNTS).values(id=id, name=name, created_at=now, seen_at=now))

    def listed(self) -> list[AccountRow]:
        """All of them, who came last first."""
        query = sa.select(ACCOUNTS).order_by(ACCOUNTS.c.seen_at.desc(), ACCOUNTS.c.id)
        with mapped("read"), self._engine.connect() as connection:
            return [
                AccountRow(row.id, row.name, moment(row.created_at), moment(row.seen_at), row.stopped_at is not None)
                for row in connection.execute(query)
            ]

    def stop(self, id: str, stopped: bool) -> bool:
        """Let an account run nothing, or let it run again; whether there is one."""
        change = sa.update(ACCOUNTS).where(ACCOUNTS.c.id == id).values(stopped_at=_now() if stopped else None)
        with mapped("write to"), writing(self._engine) as connection:
            return bool(connection.execute(change).rowcount)


class Kept:
    """A text under a name. Every method blocks, may be called from any thread, and raises StoreError."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def get(self, name: str) -> str | None:
        with mapped("read"), self._engine.connect() as connection:
            found: str | None = connection.scalar(sa.select(KEPT.c.value).where(KEPT.c.name == name))
        return found

    def change(self, name: str, make: Callable[[str | None], str | None]) -> str | None:
        """What `make` makes of what stands there is there from then on (None: nothing). Nobody writes in between."""
        with mapped("write to"), writing(self._engine) as connection:
            before = connection.scalar(sa.select(KEPT.c.value).where(KEPT.c.name == name))
            after = make(before)
            if after != before:
                connection.execute(sa.delete(KEPT).where(KEPT.c.name == name))
                if after is not None:
                    connection.execute(sa.insert(KEPT).values(name=name, value=after))
        return after


def _now() -> int:
    return time.time_ns() // 1000
