"""What calls may take at most, set aside before they are sent, and what they took: exact across processes and machines.

Every sum is taken, and what is set aside written, in one writing transaction, of which a database has one at a time. So
however many ask at once, what is spent and set aside together never passes a cap.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from typing import Any, Literal

import sqlalchemy as sa

from playground.store.database import mapped, writing
from playground.store.records import dollars
from playground.store.schema import ACCOUNTS, CHARGES, KEPT, SPENDING

Measure = Literal["dollars", "tokens", "requests"]
Period = Literal["minute", "day", "month"]
PICO = 10**12
MINUTE = 60_000_000
"""Microseconds."""
HALTED = "halted"
"""The name in `kept` under which it stands that nobody may run anything."""
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """At most `amount` (picodollars, tokens or requests) in a period: of an account, of a model, or of all (None).

    A day and a month begin at midnight UTC; a minute is the last 60 seconds.
    """

    measure: Measure
    amount: int
    period: Period
    account: str | None = None
    endpoint: str | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """A call of an account's: dollars and tokens that it may take at most, or did take."""

    id: str
    account: str
    endpoint: str
    model: str
    cost: Decimal
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came of asking to set a charge aside. `used` is what had been used of each cap.

    `passed` is the cap that the charge would pass; `stopped` says that the host lets this account, or nobody, run
    anything. Neither: it is set aside. `wait` is in how many seconds a minute's cap may have room.
    """

    used: tuple[int, ...]
    passed: Cap | None = None
    stopped: bool = False
    wait: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What one account used of one model on one day (UTC); dollars."""

    day: date
    account: str
    endpoint: str
    model: str
    calls: int
    cost: Decimal
    tokens: int


class Ledger:
    """The calls of all accounts. Every method blocks, may be called from any thread, and raises StoreError."""

    def __init__(self, engine: sa.Engine, own: Callable[[], str]) -> None:
        self._engine, self._own = engine, own

    def reserve(self, charge: Charge, caps: Sequence[Cap]) -> Verdict:
        """Set the charge aside if it passes no cap. Exactly the cap may be used."""
        own, now = self._own(), _now()
        more = {"dollars": _picodollars(charge.cost), "tokens": charge.tokens, "requests": 1}
        with mapped("write to"), writing(self._engine) as connection:
            if _stopped(connection, charge.account):
                return Verdict(used=(), stopped=True)
            used = _used(connection, caps, now)
            for cap, before in zip(caps, used, strict=True):
                if before + more[cap.measure] > cap.amount:
                    wait = _wait(connection, cap, now) if cap.period == "minute" else 0.0
                    return Verdict(used=used, passed=cap, wait=wait)
            old = sa.and_(CHARGES.c.owner.is_(None), CHARGES.c.created_at < now - 2 * MINUTE)
            connection.execute(sa.delete(CHARGES).where(old))
            names = ("id", "account", "endpoint", "model", "tokens")
            values = {name: getattr(charge, name) for name in names} | {"cost": more["dollars"], "owner": own}
            connection.execute(sa.insert(CHARGES).values(**values, created_at=now, updated_at=now))
        return Verdict(used=used)

    def settle(self, id: str, *, cost: Decimal, tokens: int) -> bool:
        """Book what the call took, on the day it was set aside; False where it has been booked, or there is none."""
        with mapped("write to"), writing(self._engine) as connection:
            row = connection.execute(sa.select(CHARGES).where(CHARGES.c.id == id, CHARGES.c.owner.is_not(None))).first()
            if row is None:
                return False
            _book(connection, row, _picodollars(cost), tokens)
        return True

    def settle_dead(self, is_dead: Callable[[str, int], bool]) -> int:
        """Book what dead processes had set aside as it stands: nobody can say that it was not spent. How many."""
        last = sa.func.max(CHARGES.c.updated_at)
        query = sa.select(CHARGES.c.owner, last).where(CHARGES.c.owner.is_not(None)).group_by(CHARGES.c.owner)
        with mapped("open"):
            with self._engine.connect() as connection:
                dead = [owner for owner, seen in connection.execute(query) if is_dead(owner, seen)]
            if not dead:
                return 0
            with writing(self._engine) as connection:
                rows = connection.execute(sa.select(CHARGES).where(CHARGES.c.owner.in_(dead))).all()
                for row in rows:
                    _book(connection, row, row.cost, row.tokens)
        return len(rows)

    def stopped(self, account: str) -> bool:
        """Whether the host lets this account, or nobody, run anything."""
        with mapped("read"), self._engine.connect() as connection:
            return _stopped(connection, account)

    def used(self, caps: Sequence[Cap]) -> tuple[int, ...]:
        """What has been used of each cap, what is set aside included."""
        with mapped("read"), self._engine.connect() as connection:
            return _used(connection, caps, _now())

    def spent(self, *, since: date) -> list[Spent]:
        """What was booked from that day on, by day, account and model."""
        query = sa.select(SPENDING).where(SPENDING.c.day >= (since - _EPOCH).days)
        query = query.order_by(SPENDING.c.day, SPENDING.c.account, SPENDING.c.endpoint, SPENDING.c.model)
        with mapped("read"), self._engine.connect() as connection:
            return [_spent(row) for row in connection.execute(query)]


def today() -> date:
    return datetime.now(UTC).date()


def _stopped(connection: sa.Connection, account: str) -> bool:
    halted = connection.scalar(sa.select(KEPT.c.value).where(KEPT.c.name == HALTED))
    stopped = connection.scalar(sa.select(ACCOUNTS.c.stopped_at).where(ACCOUNTS.c.id == account))
    return bool(halted) or stopped is not None


def _used(connection: sa.Connection, caps: Sequence[Cap], now: int) -> tuple[int, ...]:
    """Of settled calls by the day, of open ones whenever they began, of a minute's by when. Days to come count too: a
    clock that was put back must not open a day anew."""
    if not caps:
        return ()
    booked = sa.select(*(_sum(SPENDING, cap, SPENDING.c.calls, _in_days(cap, now)) for cap in caps))
    booked = booked.where(SPENDING.c.day >= _first_day("month", now))
    noted = sa.select(*(_sum(CHARGES, cap, sa.literal(1), _in_charges(cap, now)) for cap in caps))
    rows = (connection.execute(booked).one(), connection.execute(noted).one())
    return tuple(sum(map(int, parts)) for parts in zip(*rows, strict=True))


def _sum(table: sa.Table, cap: Cap, calls: Any, when: Any) -> sa.ColumnElement[int]:
    column = {"dollars": table.c.cost, "tokens": table.c.tokens, "requests": calls}[cap.measure]
    theirs = [
        table.c[name] == value for name in ("account", "endpoint", "model") if (value := getattr(cap, name)) is not None
    ]
    return sa.func.coalesce(sa.func.sum(sa.case((sa.and_(when, *theirs), column), else_=0)), 0)


def _in_days(cap: Cap, now: int) -> Any:
    return sa.false() if cap.period == "minute" else SPENDING.c.day >= _first_day(cap.period, now)


def _in_charges(cap: Cap, now: int) -> Any:
    if cap.period != "minute":
        return CHARGES.c.owner.is_not(None)
    return sa.and_(CHARGES.c.created_at > now - MINUTE, CHARGES.c.created_at <= now + MINUTE)


def _first_day(period: Period, now: int) -> int:
    day = _EPOCH + timedelta(days=_day(now))
    return (day.replace(day=1) if period == "month" else day).toordinal() - _EPOCH.toordinal()


def _wait(connection: sa.Connection, cap: Cap, now: int) -> float:
    """Seconds until the oldest call that counts is a minute old."""
    theirs = [CHARGES.c[n] == v for n in ("account", "endpoint", "model") if (v := getattr(cap, n)) is not None]
    query = sa.select(sa.func.min(CHARGES.c.created_at)).where(_in_charges(cap, now), *theirs)
    oldest = connection.scalar(query)
    return 0.0 if oldest is None else max(0.0, (oldest + MINUTE - now) / 1_000_000)


def _book(connection: sa.Connection, row: Any, cost: int, tokens: int) -> None:
    values = {"owner": None, "cost": cost, "tokens": tokens, "updated_at": _now()}
    connection.execute(sa.update(CHARGES).where(CHARGES.c.id == row.id).values(**values))
    key = {"day": _day(row.created_at), "account": row.account, "endpoint": row.endpoint, "model": row.model}
    more = {"calls": SPENDING.c.calls + 1, "cost": SPENDING.c.cost + cost, "tokens": SPENDING.c.tokens + tokens}
    own = sa.and_(*(SPENDING.c[name] == value for name, value in key.items()))
    if not connection.execute(sa.update(SPENDING).where(own).values(**more)).rowcount:
        connection.execute(sa.insert(SPENDING).values(**key, calls=1, cost=cost, tokens=tokens))


def _spent(row: Any) -> Spent:
    return Spent(
        day=_EPOCH + timedelta(days=row.day),
        **{name: row._mapping[name] for name in ("account", "endpoint", "model", "calls", "tokens")},
        cost=dollars(row.cost) or Decimal(0),
    )


def _picodollars(cost: Decimal) -> int:
    """Rounded up: a cap is never passed by a rounding."""
    return int((cost * PICO).to_integral_value(ROUND_CEILING))


def _day(at: int) -> int:
    return at // (24 * 60 * MINUTE)


def _now() -> int:
    return time.time_ns() // 1000
