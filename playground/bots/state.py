"""What a bot must still know after a restart, also after a kill -9: one SQLite file beside the database of runs.

Each change is one transaction, written through before the next thing happens: that an update has come, before Telegram
hears so; what an answer may cost, before the model is asked; that a part is on its way, before it is sent.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playground.bots.budget import Amount
from playground.bots.updates import Incoming
from playground.errors import StoreError
from playground.locks import lock
from playground.words import Said

FRESH = 6 * 86_400
"""Seconds that the offset is good for: after a week without updates Telegram numbers them anew, maybe lower."""
KEPT = 8 * 86_400
"""Seconds that an update's number is known; Telegram itself keeps updates for a day."""

_TABLES = """
CREATE TABLE IF NOT EXISTS offsets (id INTEGER PRIMARY KEY CHECK (id = 1), value INTEGER NOT NULL, at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS inbox (
    update_id INTEGER PRIMARY KEY, chat INTEGER NOT NULL, language TEXT NOT NULL, kind TEXT NOT NULL,
    text TEXT NOT NULL, state TEXT NOT NULL, parts TEXT NOT NULL DEFAULT '[]', sent INTEGER NOT NULL DEFAULT 0,
    flying INTEGER NOT NULL DEFAULT 0, at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS turns (
    id INTEGER PRIMARY KEY AUTOINCREMENT, chat INTEGER NOT NULL, question TEXT NOT NULL, answer TEXT NOT NULL,
    tokens INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS turns_chat ON turns (chat);
CREATE TABLE IF NOT EXISTS spent (
    id INTEGER PRIMARY KEY AUTOINCREMENT, chat INTEGER NOT NULL, day TEXT NOT NULL, tokens INTEGER NOT NULL,
    picodollars INTEGER NOT NULL, answers INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS spent_day ON spent (day);
"""


@dataclass(frozen=True, slots=True)
class Turn:
    """One question with its answer, and the tokens of both together."""

    question: str
    answer: str
    tokens: int


@dataclass(frozen=True, slots=True)
class Cut:
    """What a restart found unfinished: `parts` from `sent` on are still to be sent, none while the model was asked.

    `flying`: the part before `sent` was on its way, and nobody knows whether it arrived.
    """

    incoming: Incoming
    parts: tuple[str, ...]
    sent: int
    flying: bool


class State:
    """The file of one bot. One process has it at a time. Every method raises StoreError."""

    def __init__(self, path: Path) -> None:
        with _mapped():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
            if not lock(self._lock):
                os.close(self._lock)
                raise StoreError(Said("error.telegram_twice"), hint=Said("error_hint.telegram_twice"))
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # what people write is for this account alone
            self._db = sqlite3.connect(path, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(_TABLES)

    def close(self) -> None:
        self._db.close()
        os.close(self._lock)

    # --- updates ---

    def offset(self) -> int | None:
        """What Telegram is to be asked from on; None where that is not known, or too old to be true."""
        row = self._one("SELECT value FROM offsets WHERE at > ?", int(time.time()) - FRESH)
        return None if row is None else int(row[0])

    def take(self, incoming: Sequence[Incoming], offset: int) -> list[Incoming]:
        """Keep what has come, and from where on to ask; those that are new, in their order."""
        now = int(time.time())
        new = []
        with self._writing() as db:
            for each in incoming:
                row = (each.update_id, each.chat, each.language, each.kind, each.text, "new", now)
                made = db.execute(
                    "INSERT OR IGNORE INTO inbox (update_id, chat, language, kind, text, state, at)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    row,
                )
                if made.rowcount:
                    new.append(each)
            db.execute("INSERT OR REPLACE INTO offsets VALUES (1, ?, ?)", (offset, now))
            db.execute("DELETE FROM inbox WHERE state = 'done' AND at < ?", (now - KEPT,))
        return new

    def waiting(self) -> list[Incoming]:
        """What has come and was not begun, oldest first."""
        return [_incoming(row) for row in self._all("SELECT * FROM inbox WHERE state = 'new' ORDER BY update_id")]

    def unfinished(self) -> list[Cut]:
        """What was being answered or sent when the last process ended."""
        rows = self._all("SELECT * FROM inbox WHERE state IN ('asking', 'sending') ORDER BY update_id")
        return [Cut(_incoming(row), tuple(json.loads(row["parts"])), row["sent"], bool(row["flying"])) for row in rows]

    def asking(self, incoming: Incoming, day: str, most: Amount) -> int:
        """The model is about to be asked, for at most so much; the number under which that is settled."""
        with self._writing() as db:
            db.execute("UPDATE inbox SET state = 'asking' WHERE update_id = ?", (incoming.update_id,))
            row = (incoming.chat, day, most.tokens, most.picodollars)
            made = db.execute("INSERT INTO spent (chat, day, tokens, picodollars, answers) VALUES (?, ?, ?, ?, 0)", row)
            return int(made.lastrowid or 0)

    def answered(self, update_id: int, parts: Sequence[str], *, sent: int = 0) -> None:
        """What is to be sent, where no model was asked; the first `sent` parts are out already."""
        with self._writing() as db:
            self._sending(db, update_id, parts, sent)

    def settled(
        self, incoming: Incoming, parts: Sequence[str], *, number: int, actual: Amount, turn: Turn | None
    ) -> None:
        """The same with what it cost in the end in place of what was reserved, and what is remembered of it."""
        with self._writing() as db:
            db.execute(
                "UPDATE spent SET tokens = ?, picodollars = ?, answers = ? WHERE id = ?",
                (actual.tokens, actual.picodollars, int(actual.tokens > 0), number),
            )
            if turn is not None:
                row = (incoming.chat, turn.question, turn.answer, turn.tokens)
                db.execute("INSERT INTO turns (chat, question, answer, tokens) VALUES (?, ?, ?, ?)", row)
            self._sending(db, incoming.update_id, parts)

    def sending(self, update_id: int, sent: int) -> None:
        """Part `sent` (from 1) is about to go out: it is never sent again, whatever happens now."""
        with self._writing() as db:
            db.execute("UPDATE inbox SET sent = ?, flying = 1 WHERE update_id = ?", (sent, update_id))

    def done(self, update_id: int) -> None:
        """All is sent. The texts are forgotten, the number is not."""
        with self._writing() as db:
            db.execute(
                "UPDATE inbox SET state = 'done', flying = 0, text = '', parts = '[]' WHERE update_id = ?", (update_id,)
            )

    # --- memory ---

    def turns(self, chat: int) -> list[Turn]:
        """What a chat has said so far, oldest first."""
        rows = self._all("SELECT question, answer, tokens FROM turns WHERE chat = ? ORDER BY id", chat)
        return [Turn(*row) for row in rows]

    def keep_turns(self, chat: int, number: int) -> None:
        """Forget all but the newest `number`."""
        newest = "SELECT id FROM turns WHERE chat = ? ORDER BY id DESC LIMIT ?"
        with self._writing() as db:
            db.execute(f"DELETE FROM turns WHERE chat = ? AND id NOT IN ({newest})", (chat, chat, number))  # noqa: S608

    # --- what was spent ---

    def spent(self, *, day: str | None = None, chat: int | None = None) -> tuple[Amount, int]:
        """What was spent and is reserved, of a day or ever, in a chat or all; and answers that came."""
        (row,) = self._all(
            "SELECT COALESCE(SUM(tokens), 0), COALESCE(SUM(picodollars), 0), COALESCE(SUM(answers), 0) FROM spent"
            " WHERE (?1 IS NULL OR day = ?1) AND (?2 IS NULL OR chat = ?2)",
            day,
            chat,
        )
        return Amount(tokens=row[0], picodollars=row[1]), row[2]

    def _sending(self, db: sqlite3.Connection, update_id: int, parts: Sequence[str], sent: int = 0) -> None:
        db.execute(
            "UPDATE inbox SET state = 'sending', parts = ?, sent = ?, flying = 0 WHERE update_id = ?",
            (json.dumps(list(parts)), sent, update_id),
        )

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with _mapped():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def _all(self, query: str, *values: Any) -> list[Any]:
        with _mapped():
            cursor = self._db.execute(query, values)
            cursor.row_factory = sqlite3.Row
            return cursor.fetchall()

    def _one(self, query: str, *values: Any) -> Any:
        return next(iter(self._all(query, *values)), None)


def _incoming(row: Any) -> Incoming:
    names = ("update_id", "chat", "text", "language", "kind")
    return Incoming(**{name: row[name] for name in names})


@contextmanager
def _mapped() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        what = getattr(error, "strerror", None) or type(error).__name__
        raise StoreError(
            Said("error.telegram_state", {"reason": what}), hint=Said("error_hint.telegram_state")
        ) from None
