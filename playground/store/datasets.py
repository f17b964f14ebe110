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
    """A dataset as a list shows it; `count` is how many cases it has. `version` is another with each change."""

    id: str
    name: str
    count: int
    updated_at: datetime
    version: int


class Datasets:
    """An account's datasets. Every method blocks and raises StoreError."""

    def __init__(self, engine: sa.Engine, account: str) -> None:
        self._engine, self._account = engine, account
        self._own = DATASETS.c.account == account

    def listed(self) -> list[DatasetRow]:
        """All of them, the newest first."""
        query = sa.select(*_LISTED).where(self._own).order_by(DATASETS.c.updated_at.desc(), DATASETS.c.id)
        with mapped("read"), self._engine.connect() as connection:
            return [_row(*each) for each in connection.execute(query)]

    def row(self, id: str) -> DatasetRow | None:
        """The dataset without its cases."""
        with mapped("read"), self._engine.connect() as connection:
            found = connection.execute(sa.select(*_LISTED).where(self._own, DATASETS.c.id == id)).one_or_none()
        return None if found is None else _row(*found)

    def cases(self, id: str) -> tuple[str, list[Any]] | None:
        """The dataset's name and its cases; None where there is none of this id."""
        found = self.whole(id)
        return None if found is None else (found[0].name, found[1])

    def whole(self, id: str) -> tuple[DatasetRow, list[Any]] | None:
        """The dataset with its cases, of one version; None where there is none of this id."""
        query = sa.select(*_LISTED, DATASETS.c.cases).where(self._own, DATASETS.c.id == id)
        with mapped("read"), self._engine.connect() as connection:
            found = connection.execute(query).one_or_none()
        return None if found is None else (_row(*found[:-1]), found[-1])

    def named(self, name: str) -> str | None:
        """The id of the dataset of that name."""
        with mapped("read"), self._engine.connect() as connection:
            found: str | None = connection.scalar(sa.select(DATASETS.c.id).where(self._own, DATASETS.c.name == name))
        return found

    def save(self, id: str, name: str, cases: Sequence[Mapping[str, Any]], *, seen: int | None = None) -> int:
        """Keep a dataset, or change the one of this id; its version then.

        Raises InvalidRequest for a name that another has; and where there is `seen`, the version that the change was
        made of, when somebody else has changed or deleted it since.
        """
        return self._write(id, {"name": name, "cases": list(cases), "count": len(cases)}, seen)

    def rename(self, id: str, name: str, *, seen: int) -> int:
        """The same for its name alone."""
        return self._write(id, {"name": name}, seen)

    def _write(self, id: str, values: dict[str, Any], seen: int | None) -> int:
        now = time.time_ns() // 1000
        own, name = sa.and_(self._own, DATASETS.c.id == id), values["name"]
        with mapped("write to"), writing(self._engine) as connection:
            other = sa.select(DATASETS.c.id).where(self._own, DATASETS.c.name == name, DATASETS.c.id != id)
            if connection.scalar(other) is not None:
                raise refused("dataset_name_taken", param="dataset", name=name)
            before = connection.scalar(sa.select(DATASETS.c.updated_at).where(own))
            if seen not in (None, before):
                raise refused("dataset_changed" if before else "dataset_gone", param="dataset")
            # A clock that was put back must not give one version twice.
            values["updated_at"] = now = max(now, (before or 0) + 1)
            if before is not None:
                change = sa.update(DATASETS).where(own, DATASETS.c.updated_at == before).values(values)
                if not connection.execute(change).rowcount:
                    raise refused("dataset_changed", param="dataset")
                return now
            if (connection.scalar(sa.select(sa.func.count()).select_from(DATASETS).where(self._own)) or 0) >= MOST:
                raise refused("datasets_full", param="dataset", most=MOST)
            connection.execute(sa.insert(DATASETS).values(id=id, account=self._account, created_at=now, **values))
        return now

    def delete(self, id: str, *, seen: int | None = None) -> bool:
        """Whether there was one of this id. Sweeps that used it keep the cases they ran on.

        Raises InvalidRequest where it is no longer as it was `seen`.
        """
        own = [sa.and_(self._own, DATASETS.c.id == id), *([] if seen is None else [DATASETS.c.updated_at == seen])]
        with mapped("write to"), writing(self._engine) as connection:
            if connection.execute(sa.delete(DATASETS).where(*own)).rowcount:
                return True
            if seen is not None and connection.scalar(sa.select(DATASETS.c.id).where(own[0])) is not None:
                raise refused("dataset_changed", param="dataset")
        return False


_LISTED = (DATASETS.c.id, DATASETS.c.name, DATASETS.c.count, DATASETS.c.updated_at)


def _row(id: str, name: str, count: int, at: int) -> DatasetRow:
    return DatasetRow(id, name, count, moment(at), at)
