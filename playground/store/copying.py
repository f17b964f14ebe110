"""The whole store as one file, and back: of SQLite or PostgreSQL, into either.

A zip of `store.json` (what it is, its schema, how many rows each table has) and, for each table, `TABLE.jsonl`, a row a
line. It is a snapshot, taken while others go on writing. Restoring puts all of it back, or nothing.
"""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from playground.errors import InvalidRequest
from playground.store.database import mapped, writing
from playground.store.records import dump_json
from playground.store.schema import HEAD, METADATA

FORMAT, VERSION = "playground.backup", 1
ABOUT = "store.json"
AT_ONCE = 500
"""Rows that are read and written together."""
MOST_ABOUT = 100_000
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, NotImplementedError, RuntimeError, OverflowError)
TABLES: tuple[sa.Table, ...] = tuple(METADATA.sorted_tables)


def backup(engine: sa.Engine, out: Path) -> dict[str, int]:
    """Write the file, readable by its owner alone, whole or not at all; how many rows each table has. Blocks.

    Raises InvalidRequest where it cannot be written; StoreError.
    """
    half_done = out.with_name(f".{out.name}.tmp")
    try:
        with os.fdopen(os.open(half_done, os.O_CREAT | os.O_RDWR | os.O_TRUNC, 0o600), "wb") as raw:
            with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as file:
                rows = _read(engine, file)
                about = {"format": FORMAT, "version": VERSION, "schema": HEAD, "rows": rows}
                file.writestr(ABOUT, json.dumps(about, indent=1))
            raw.flush()
            os.fsync(raw.fileno())
        os.replace(half_done, out)
    except OSError as error:
        raise InvalidRequest(f"{out} cannot be written: {error.strerror}.", param="out") from error
    finally:
        half_done.unlink(missing_ok=True)
    return rows


def _read(engine: sa.Engine, file: zipfile.ZipFile) -> dict[str, int]:
    rows: dict[str, int] = {}
    with mapped("read"), _snapshot(engine) as connection:
        for table in TABLES:
            query = sa.select(table).order_by(*table.primary_key.columns)
            found = connection.execution_options(stream_results=True, yield_per=AT_ONCE).execute(query)
            rows[table.name] = 0
            with file.open(f"{table.name}.jsonl", "w", force_zip64=True) as lines:
                for row in found:
                    lines.write(dump_json(dict(row._mapping)).encode() + b"\n")
                    rows[table.name] += 1
    return rows


def _snapshot(engine: sa.Engine) -> sa.Connection:
    """A transaction in which all tables are as they were at its first question: SQLite's always are."""
    if engine.dialect.name == "sqlite":
        return engine.connect()
    return engine.connect().execution_options(isolation_level="REPEATABLE READ")


def restore(engine: sa.Engine, path: Path, *, replace: bool = False) -> dict[str, int]:
    """Put a backup into an empty store, or with `replace` in place of what is there; how many rows each table got.
    Blocks.

    Raises InvalidRequest, and changes nothing: a file that is none of ours, damaged, of a newer version, or a store
    that has something; StoreError.
    """
    try:
        with zipfile.ZipFile(path) as file:
            about = _about(file)
            with mapped("write to"), writing(engine) as connection:
                _emptied(connection, replace=replace)
                rows = {table.name: _put(connection, table, file) for table in TABLES}
                if rows != {table.name: about["rows"].get(table.name, 0) for table in TABLES}:
                    raise _damaged(path)
                _count_on(connection)
    except _DAMAGE as error:
        raise _damaged(path) from error
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read: {error.strerror or error}.", param="file") from error
    return rows


def _about(file: zipfile.ZipFile) -> Mapping[str, Any]:
    with file.open(ABOUT) as raw:
        try:
            about = json.loads(raw.read(MOST_ABOUT))
        except ValueError:
            about = None
    if not isinstance(about, dict) or about.get("format") != FORMAT or not isinstance(about.get("rows"), dict):
        raise InvalidRequest("This file is no backup of Playground's.", param="file")
    schema = about.get("schema")
    if about.get("version") != VERSION or not isinstance(schema, str) or schema > HEAD:
        raise InvalidRequest(
            "The backup was made by a newer version of Playground.", param="file", hint="Update Playground."
        )
    return about


def _emptied(connection: sa.Connection, *, replace: bool) -> None:
    for table in reversed(TABLES):
        if replace:
            connection.execute(sa.delete(table))
        elif connection.scalar(sa.select(sa.exists().select_from(table))):
            raise InvalidRequest(
                "There is something in the store already.",
                hint="Back it up first; then --replace puts the backup in its place.",
            )


def _put(connection: sa.Connection, table: sa.Table, file: zipfile.ZipFile) -> int:
    """A table's rows; none of one that the backup is older than."""
    if f"{table.name}.jsonl" not in file.namelist():
        return 0
    count = 0
    with file.open(f"{table.name}.jsonl") as lines:
        rows = _rows(table, lines)
        while some := list(islice(rows, AT_ONCE)):
            connection.execute(sa.insert(table), some)
            count += len(some)
    return count


def _rows(table: sa.Table, lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Rows with every column: what an older version did not have yet is unset."""
    columns = {column.name: column for column in table.columns}
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict) or not row.keys() <= columns.keys():
            raise InvalidRequest(f"The backup's {table.name} has a row that is none.", param="file")
        yield {name: row.get(name) for name in columns}


def _count_on(connection: sa.Connection) -> None:
    """Numbers that the database gives go on after the highest that there is: SQLite knows by itself."""
    if connection.dialect.name == "sqlite":
        return
    for table in TABLES:
        column = table.autoincrement_column
        if column is not None:
            highest = sa.select(sa.func.coalesce(sa.func.max(column), 0) + 1).scalar_subquery()
            sequence = sa.func.pg_get_serial_sequence(table.name, column.name)
            connection.execute(sa.select(sa.func.setval(sequence, highest, False)))


def _damaged(path: Path) -> InvalidRequest:
    return InvalidRequest(f"{path} is damaged or cut short.", param="file", hint="Take another backup.")
