"""Presets as rows. Their contents are checked by `playground.presets`, not here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from playground.errors import refused
from playground.store.schema import PRESETS

MOST = 1_000


@dataclass(frozen=True, slots=True)
class PresetRow:
    """A preset as it is kept; `content` as `playground.presets.to_json` writes it."""

    id: str
    name: str
    content: Mapping[str, Any]


def read(connection: sa.Connection, account: str, id: str | None = None) -> list[PresetRow]:
    """All presets of an account by name, or the one of this id."""
    query = sa.select(PRESETS.c.id, PRESETS.c.name, PRESETS.c.content).where(PRESETS.c.account == account)
    query = query.order_by(sa.func.lower(PRESETS.c.name))
    if id is not None:
        query = query.where(PRESETS.c.id == id)
    return [PresetRow(*row) for row in connection.execute(query)]


def save(connection: sa.Connection, account: str, id: str, name: str, content: Mapping[str, Any], *, now: int) -> None:
    """Insert or update by id. Raises InvalidRequest for a name that another has, and beyond MOST presets."""
    own = PRESETS.c.account == account
    same = connection.scalar(sa.select(PRESETS.c.id).where(own, PRESETS.c.name == name, PRESETS.c.id != id))
    if same is not None:
        raise refused("preset_taken", param="name", name=repr(name))
    values = {"name": name, "content": dict(content), "updated_at": now}
    if connection.execute(sa.update(PRESETS).where(own, PRESETS.c.id == id).values(**values)).rowcount:
        return
    if (connection.scalar(sa.select(sa.func.count()).select_from(PRESETS).where(own)) or 0) >= MOST:
        raise refused("presets_many", most=MOST)
    connection.execute(sa.insert(PRESETS).values(id=id, account=account, created_at=now, **values))


def rename(connection: sa.Connection, account: str, id: str, name: str, *, now: int) -> bool:
    """Change the name, in the content too; False when there is none of this id. Raises InvalidRequest as `save`."""
    found = read(connection, account, id)
    for preset in found:
        save(connection, account, id, name, {**preset.content, "name": name}, now=now)
    return bool(found)


def delete(connection: sa.Connection, account: str, id: str) -> bool:
    own = sa.delete(PRESETS).where(PRESETS.c.account == account, PRESETS.c.id == id)
    return bool(connection.execute(own).rowcount)
