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


def read(connection: sa.Connection, id: str | None = None) -> list[PresetRow]:
    """All presets by name, or the one of this id."""
    query = sa.select(PRESETS.c.id, PRESETS.c.name, PRESETS.c.content).order_by(sa.func.lower(PRESETS.c.name))
    if id is not None:
        query = query.where(PRESETS.c.id == id)
    return [PresetRow(*row) for row in connection.execute(query)]


def save(connection: sa.Connection, id: str, name: str, content: Mapping[str, Any], *, now: int) -> None:
    """Insert or update by id. Raises InvalidRequest for a name that another has, and beyond MOST presets."""
    same = connection.scalar(sa.select(PRESETS.c.id).where(PRESETS.c.name == name, PRESETS.c.id != id))
    if same is not None:
        raise refused("preset_taken", param="name", name=repr(name))
    values = {"name": name, "content": dict(content), "updated_at": now}
    if connection.execute(sa.update(PRESETS).where(PRESETS.c.id == id).values(**values)).rowcount:
        return
    if (connection.scalar(sa.select(sa.func.count()).select_from(PRESETS)) or 0) >= MOST:
        raise refused("presets_many", most=MOST)
    connection.execute(sa.insert(PRESETS).values(id=id, created_at=now, **values))


def rename(connection: sa.Connection, id: str, name: str, *, now: int) -> bool:
    """Change the name, in the content too; False when there is none of this id. Raises InvalidRequest as `save`."""
    found = read(connection, id)
    for preset in found:
        save(connection, id, name, {**preset.content, "name": name}, now=now)
    return bool(found)


def delete(connection: sa.Connection, id: str) -> bool:
    return bool(connection.execute(sa.delete(PRESETS).where(PRESETS.c.id == id)).rowcount)
