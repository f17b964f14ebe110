"""Blind votes as rows: what was shown side by side, and which of it a person preferred."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from playground.store.records import moment
from playground.store.schema import VOTES


@dataclass(frozen=True, slots=True)
class Shown:
    """One of the answers that were shown: its run, and what it is counted under (its model, and what sets it apart)."""

    run: str
    system: str


@dataclass(frozen=True, slots=True)
class VoteRow:
    """A vote on one comparison, named by `id`. `chosen` is a place in `shown`; None: none is better."""

    id: str
    shown: tuple[Shown, ...]
    chosen: int | None
    created_at: datetime | None = field(default=None, compare=False)


def read(connection: sa.Connection, account: str) -> list[VoteRow]:
    """All votes of an account, oldest first."""
    columns = (VOTES.c.id, VOTES.c.shown, VOTES.c.chosen, VOTES.c.created_at)
    query = sa.select(*columns).where(VOTES.c.account == account).order_by(VOTES.c.created_at, VOTES.c.id)
    return [
        VoteRow(id, tuple(Shown(each["run"], each["system"]) for each in shown), chosen, moment(at))
        for id, shown, chosen, at in connection.execute(query)
    ]


def save(
    connection: sa.Connection, account: str, id: str, shown: Sequence[Shown], chosen: int | None, *, now: int
) -> bool:
    """Keep a vote; False where this comparison has one, which stays as it is. ValueError for no place in `shown`."""
    if chosen is not None and not 0 <= chosen < len(shown):
        raise ValueError("The chosen answer is none of those that were shown.")
    if connection.scalar(sa.select(sa.exists().where(VOTES.c.id == id))):
        return False
    kept = [{"run": each.run, "system": each.system} for each in shown]
    connection.execute(sa.insert(VOTES).values(id=id, account=account, created_at=now, shown=kept, chosen=chosen))
    return True


def delete(connection: sa.Connection, account: str) -> int:
    """Delete all votes of an account; how many there were."""
    return connection.execute(sa.delete(VOTES).where(VOTES.c.account == account)).rowcount
