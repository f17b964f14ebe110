"""The connection: SQLite as we want it, migrations at open, and every database error as a `StoreError`."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from playground.errors import StoreError
from playground.settings import Settings
from playground.store.records import dump_json
from playground.store.schema import HEAD

FILE = "playground.db"
BUSY_SECONDS = 5
"""How long a statement waits for another process's write before it gives up."""

WRITE_LOCK = 70721979
"""The number of the advisory lock under which PostgreSQL is written: any number that nobody else uses."""

# Alembic keeps its context in module globals.
_migrating = threading.Lock()


def connect(settings: Settings) -> sa.Engine:
    """An engine on the database of `settings`, its folder made and its schema at `HEAD`. Raises StoreError."""
    with mapped("open"):
        url = _url(settings)
        if url.get_backend_name() == "sqlite":
            _prepare_file(url)
        engine = _engine(url)
        if url.get_backend_name() == "sqlite":
            sa.event.listen(engine, "connect", _set_pragmas)
            sa.event.listen(engine, "begin", _begin)
        else:
            sa.event.listen(engine, "connect", _set_lock_timeout)
            sa.event.listen(engine, "begin", _lock)
        try:
            migrate(engine)
        except BaseException:
            engine.dispose()
            raise
    return engine


def _engine(url: sa.URL) -> sa.Engine:
    try:
        return sa.create_engine(
            url,
            json_serializer=dump_json,
            pool_pre_ping=url.get_backend_name() != "sqlite",
            hide_parameters=True,  # a logged traceback would otherwise hold prompts
        )
    except ImportError as error:
        raise StoreError(
            "The driver for the database in DATABASE_URL is not installed.",
            hint="Run: pip install -r requirements-postgresql.txt.",
        ) from error


def writing(engine: sa.Engine) -> contextlib.AbstractContextManager[sa.Connection]:
    """A transaction that writes, of which there is one at a time: what it has read is so until it ends.

    On SQLite it takes the write lock at its start: a reading one that turns to writing fails at once, without waiting,
    when another has written in between. On PostgreSQL it takes an advisory lock, across all processes and machines.
    """
    return engine.execution_options(writes=True).begin()


def folder_of(engine: sa.Engine, settings: Settings) -> Path:
    """Where everything that is about this database lies beside it."""
    file = engine.url.database if engine.url.get_backend_name() == "sqlite" else None
    return Path(file).parent if file else settings.data_dir


def _url(settings: Settings) -> sa.URL:
    text = settings.database_url
    if text is None:
        return sa.URL.create("sqlite", database=str(settings.data_dir / FILE))
    # Hosts hand out postgres://, and SQLAlchemy's default driver is not the current one.
    scheme, rest = text.partition("://")[::2]
    if scheme in ("postgres", "postgresql"):
        text = f"postgresql+psycopg://{rest}"
    return sa.make_url(text)


def _prepare_file(url: sa.URL) -> None:
    """Make the folder and the file readable by their owner alone: prompts are private. SQLite's other files follow."""
    if url.database in (None, "", ":memory:"):
        raise StoreError(
            "DATABASE_URL names a database in memory, which would keep nothing.",
            hint="Name a file: sqlite:////folder/file.db.",
        )
    path = Path(str(url.database))
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _set_pragmas(connection: sqlite3.Connection, _record: Any) -> None:
    """WAL: readers and one writer at a time do not wait for each other.

    With synchronous NORMAL a commit is 50 times as fast as by default; a killed process loses nothing, and a power
    cut may lose the last moments but never breaks the file. That suits a record of runs.
    """
    connection.isolation_level = None  # we begin transactions ourselves, see `_begin`
    connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _set_lock_timeout(connection: Any, _record: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = {BUSY_SECONDS * 1000}")
    connection.commit()


def _lock(connection: sa.Connection) -> None:
    if connection.get_execution_options().get("writes"):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITE_LOCK})")


def migrate(engine: sa.Engine) -> None:
    """Bring the schema to `HEAD` in one transaction: killed half-way, it starts again from where it was."""
    with engine.connect() as connection:
        if _revision(connection) == HEAD:
            return
    with _migrating, writing(engine) as connection:
        # Another process may have done it while this one waited for the lock.
        if _revision(connection) != HEAD:
            _upgrade(connection)


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return revision


def _upgrade(connection: sa.Connection) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    folder = str(Path(__file__).parent / "migrations")
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise StoreError(
            "The history was written by a newer version of Playground.",
            hint="Update Playground, or set PLAYGROUND_DATA_DIR to another folder.",
        ) from error


@contextlib.contextmanager
def mapped(action: str) -> Iterator[None]:
    """Turn whatever the database raises while we `action` the history into a `StoreError` that may be shown.

    Statements and addresses never reach the message: they hold prompts and passwords.
    """
    try:
        yield
    except exc.IntegrityError as error:
        raise _explained(action, "SQLITE_CONSTRAINT") from error
    except exc.DBAPIError as error:
        raise _explained(action, _code(error.orig)) from error
    except (exc.ArgumentError, exc.NoSuchModuleError) as error:
        raise StoreError(
            "DATABASE_URL is not a database address.", hint="Write postgresql://user:password@host/name."
        ) from error
    except exc.SQLAlchemyError as error:
        raise _explained(action, "") from error
    except OSError as error:
        raise StoreError(
            f"Playground could not {action} its history: {error.strerror or 'the system refused'}.",
            hint="Check the folder's permissions and free space, or set PLAYGROUND_DATA_DIR to another one.",
        ) from error


_REASONS = {
    "FULL": ("the disk is full", "Free some space; what is on the page is still there to copy."),
    "READONLY": ("the database may not be written", "Check its permissions, or set PLAYGROUND_DATA_DIR."),
    "PERM": ("the database may not be opened", "Check its permissions, or set PLAYGROUND_DATA_DIR."),
    "CANTOPEN": ("the database cannot be opened", "Check that the folder exists and may be written."),
    "CORRUPT": ("the database file is damaged", "Move playground.db away to start anew, or restore a copy."),
    "NOTADB": ("the file is not a database", "Move playground.db away to start anew, or restore a copy."),
    "BUSY": ("another process holds the database", "Close other programs that have it open, then try again."),
    "LOCKED": ("another process holds the database", "Close other programs that have it open, then try again."),
    "IOERR": ("the disk failed to read or write", "Check the disk's health and free space."),
    "CONSTRAINT": ("a run of this id is already kept", ""),
    "AWAY": (
        "the database server cannot be reached",
        "Check that it runs; what is on the page is still there.",
    ),
    "LOGIN": ("the database server refuses the login", "Check user, password and name in DATABASE_URL."),
}
_STATES = {
    "53100": "SQLITE_FULL",
    "53": "SQLITE_BUSY",  # too many connections, out of memory
    "55P03": "SQLITE_BUSY",  # lock_timeout
    "25006": "SQLITE_READONLY",
    "42501": "SQLITE_PERM",
    "58": "SQLITE_IOERR",
    "XX": "SQLITE_CORRUPT",
    "28": "SQLITE_LOGIN",
    "3D000": "SQLITE_LOGIN",
    "08": "SQLITE_AWAY",
    "57P": "SQLITE_AWAY",  # shut down, crashed, or starting
}
"""PostgreSQL's SQLSTATEs, or what they begin with, by the name of what SQLite has for the same
(https://www.postgresql.org/docs/current/errcodes-appendix.html)."""


def _code(error: BaseException | None) -> str:
    """SQLite's name of the error, or of PostgreSQL's."""
    if not hasattr(error, "sqlstate"):
        return str(getattr(error, "sqlite_errorname", ""))
    state = getattr(error, "sqlstate", None) or _unconnected(str(error))
    return next((name for begins, name in _STATES.items() if state.startswith(begins)), "")


def _unconnected(said: str) -> str:
    """The SQLSTATE of a connection that was never made or has broken: of those, libpq hands on only the sentence."""
    if "FATAL:" not in said or "system is" in said:  # starting up, shutting down, in recovery
        return "08"
    return "53" if "connection slots" in said or "too many" in said else "28"


def _explained(action: str, code: str) -> StoreError:
    """A `StoreError` by SQLite's own name of the error, such as SQLITE_IOERR_WRITE
    (https://sqlite.org/rescode.html), or one of ours in its place."""
    for name, (reason, hint) in _REASONS.items():
        if code.startswith(f"SQLITE_{name}"):
            return StoreError(f"Playground could not {action} its history: {reason}.", hint=hint)
    return StoreError(
        f"Playground could not {action} its history: the database did not do it.",
        hint="Check that it runs and can be reached.",
    )
