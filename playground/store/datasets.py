"""Datasets as rows: a name, and cases as plain JSON. What may stand in a case is `evaluate`'s to check."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from playground.errors import refused
from playground.store.database import mapped, writing
from playground.store.records import moment
from playground.store.schema import DATASETS

MOST = 1_000
"""Datasets that are kept."""


@dataclass(frozen=True, slots=True)
class DatasetRow:
    """A dataset as a list shows it; `count` is how many cases it has."""

    id: str
    name: str
    count: int
    updated_at: datetime


class Datasets:
    """The datasets. Every method blocks and raises StoreError."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def listed(self) -> list[DatasetRow]:
        """All of them, the newest first."""
        columns = (DATASETS.c.id, DATASETS.c.name, DATASETS.c.count, DATASETS.c.updated_at)
        query = sa.select(*columns).order_by(DATASETS.c.updated_at.desc(), DATASETS.c.id)
        with mapped("read"), self._engine.connect() as connection:
            return [DatasetRow(id, name, count, moment(at)) for id, name, count, at in connection.execute(query)]

    def cases(self, id: str) -> tuple[str, list[Any]] | None:
        """The dataset's name and its cases; None where there is none of this id."""
        query = sa.select(DATASETS.c.name, DATASETS.c.cases).where(DATASETS.c.id == id)
        with mapped("read"), self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else (row.name, row.cases)

    def named(self, name: str) -> str | None:
        """The id of the dataset of that name."""
        with mapped("read"), self._engine.connect() as connection:
            found: str | None = connection.scalar(sa.select(DATASETS.c.id).where(DATASETS.c.name == name))
        return found

    def save(self, id: str, name: str, cases: Sequence[Mapping[str, Any]]) -> None:
        """Keep a dataset, or change the one of this id. Raises InvalidRequest for a name that another has."""
        now = time.time_ns() // 1000
        values = {"name": name, "cases": list(cases), "count": len(cases), "updated_at": now}
        with mapped("write to"), writing(self._engine) as connection:
            other = sa.select(DATASETS.c.id).where(DATASETS.c.name == name, DATASETS.c.id != id)
            if connection.scalar(other) is not None:
                raise refused("dataset_name_taken", param="dataset", name=name)
            if connection.execute(sa.update(DATASETS).where(DATASETS.c.id == id).values(values)).rowcount:
                return
            if (connection.scalar(sa.select(sa.func.count()).select_from(DATASETS)) or 0) >= MOST:
                raise refused("datasets_full", param="dataset", most=MOST)
            connection.execute(sa.insert(DATASETS).values(id=id, created_at=now, **values))

    def delete(self, id: str) -> bool:
        """Whether there was one of this id. Sweeps that used it keep the cases they ran on."""
        with mapped("write to"), writing(self._engine) as connection:
            return bool(connection.execute(sa.delete(DATASETS).where(DATASETS.c.id == id)).rowcount)
