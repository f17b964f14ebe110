"""What was worked out of a sweep's outcomes and took a while, as text: good for as long as its stamp is theirs."""

from __future__ import annotations

import sqlalchemy as sa

from playground.store.database import mapped, writing
from playground.store.schema import FIGURES


class Figures:
    """Every method blocks, may be called from any thread and raises StoreError."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def kept(self, sweep: str, about: str, stamp: str) -> str | None:
        """What was kept under that name, of outcomes with exactly this stamp."""
        query = sa.select(FIGURES.c.value).where(_row(sweep, about), FIGURES.c.stamp == stamp)
        with mapped("read"), self._engine.connect() as connection:
            return connection.scalar(query)

    def keep(self, sweep: str, about: str, stamp: str, value: str) -> None:
        """In place of what was kept before."""
        with mapped("write to"), writing(self._engine) as connection:
            connection.execute(sa.delete(FIGURES).where(_row(sweep, about)))
            connection.execute(sa.insert(FIGURES).values(sweep=sweep, about=about, stamp=stamp, value=value))


def forget(connection: sa.Connection, sweep: str) -> None:
    """A sweep was deleted."""
    connection.execute(sa.delete(FIGURES).where(FIGURES.c.sweep == sweep))


def _row(sweep: str, about: str) -> sa.ColumnElement[bool]:
    return sa.and_(FIGURES.c.sweep == sweep, FIGURES.c.about == about)
