"""The record of runs, presets and votes. Datasets and all that belongs to sweeps are parts of their own."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sa

from playground.settings import Settings
from playground.store import copying, history, presets, records, sweep_usage, votes
from playground.store.accounts import Accounts, Kept
from playground.store.batches import Batches
from playground.store.database import connect, folder_of, mapped, writing
from playground.store.datasets import Datasets
from playground.store.figures import Figures
from playground.store.history import Filter, LatencyRow, UsageRow
from playground.store.ledger import Ledger
from playground.store.owner import Process
from playground.store.presets import PresetRow
from playground.store.ratings import Ratings
from playground.store.records import Cursor, Listed
from playground.store.schema import RUNS
from playground.store.sweeps import Sweeps
from playground.store.votes import Shown, VoteRow
from playground.types import Run

HOST = ""
"""The account of whoever runs the app: all that is kept where nobody signs in."""

_AT_ONCE = 1_000
_WHOLE = [column for column in RUNS.columns if column.name != "logprobs"]


class Store:
    """What is kept of an account, in SQLite or another database. Every method blocks, may be called from any thread,
    and raises StoreError.

    The host's account is `HOST`; `of` is the same store for another's: what it reads, writes and deletes is theirs
    alone. A run is written when it starts, as it grows and when it ends. A failed write never costs what the caller
    holds: a later one writes the whole row if the first never arrived.
    """

    def __init__(self, engine: sa.Engine, process: Process, account: str = HOST) -> None:
        self._engine, self._process, self.account = engine, process, account
        self.datasets = Datasets(engine, account)
        self.sweeps = Sweeps(engine, account, process.name, process.is_dead)
        self.ratings = Ratings(engine)
        self.batches = Batches(engine)
        self.figures = Figures(engine)
        self.ledger = Ledger(engine, process.name)
        self.accounts = Accounts(engine)
        self.kept = Kept(engine)

    def of(self, account: str) -> Self:
        """The same store for another account."""
        return type(self)(self._engine, self._process, account)

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Open the database of `settings`, made or migrated where needed, and mark what a dead process left."""
        engine = connect(settings)
        store = cls(engine, Process(engine, folder_of(engine, settings) / "locks"))
        try:
            store.mark_interrupted()
        except BaseException:
            store.close()
            raise
        return store

    def check(self) -> None:
        """Raises StoreError where the database does not answer."""
        with mapped("read"), self._engine.connect() as connection:
            # Of a table: SQLite answers a bare number without its file.
            connection.execute(sa.select(sa.exists().where(RUNS.c.id == "")))

    def start_run(self, run: Run) -> None:
        """Keep a run that begins."""
        with mapped("write to"), writing(self._engine) as connection:
            connection.execute(sa.insert(RUNS), self._whole(run))

    def save_progress(self, run: Run) -> None:
        """Keep what has arrived so far, but for logprobs: cheap enough to be called every second.

        A save that comes late, after `finish_run`, changes nothing.
        """
        with mapped("write to"), writing(self._engine) as connection:
            update = sa.update(RUNS).where(RUNS.c.id == run.id, RUNS.c.status == "running")
            result = connection.execute(update.values(**records.progress(run), updated_at=_now()))
            if result.rowcount == 0 and not connection.scalar(sa.select(sa.exists().where(RUNS.c.id == run.id))):
                connection.execute(sa.insert(RUNS), self._whole(run))

    def finish_run(self, run: Run) -> None:
        """Keep a run that is over, with its logprobs. ValueError while its status is "running"."""
        if run.status == "running":
            raise ValueError("A run that is over has another status than running.")
        with mapped("write to"), writing(self._engine) as connection:
            update = sa.update(RUNS).where(RUNS.c.id == run.id)
            result = connection.execute(update.values(**records.finished(run), updated_at=_now(), owner=None))
            if result.rowcount == 0:
                connection.execute(sa.insert(RUNS), self._whole(run))

    def run(self, id: str) -> Run | None:
        """The whole run, logprobs included; None when there is none of this id."""
        with mapped("read"), self._engine.connect() as connection:
            row = connection.execute(sa.select(RUNS).where(RUNS.c.id == id, self._own)).one_or_none()
        return None if row is None else records.run_of(row._asdict())

    def runs(self, *, limit: int, before: Cursor | None = None, matching: Filter | None = None) -> list[Run]:
        """At most `limit` runs, newest first, older than `before`. Their choices come without logprobs: see `run`."""
        with mapped("read"), self._engine.connect() as connection:
            query = history.newest(_WHOLE, connection.dialect.name, self.account, matching, before, limit)
            return [records.run_of(row._asdict()) for row in connection.execute(query)]

    def listed(self, *, limit: int, before: Cursor | None = None, matching: Filter | None = None) -> list[Listed]:
        """The same for a list: only what it shows is read."""
        with mapped("read"), self._engine.connect() as connection:
            query = history.newest(history.SHOWN, connection.dialect.name, self.account, matching, before, limit)
            return [records.listed_of(row._asdict()) for row in connection.execute(query)]

    def each(self, matching: Filter | None = None, *, batch: int = 500) -> Iterator[Run]:
        """Every run that matches, newest first, read `batch` at a time: nothing is held open in between."""
        before: Cursor | None = None
        while page := self.runs(limit=batch, before=before, matching=matching):
            yield from page
            before = Cursor.of(page[-1])

    def models(self) -> list[tuple[str, str]]:
        """Every (endpoint, model) of the history, by name."""
        names = (RUNS.c.endpoint, RUNS.c.model)
        query = sa.select(*names).where(self._own).distinct().order_by(*names)
        with mapped("read"), self._engine.connect() as connection:
            return [(endpoint, model) for endpoint, model in connection.execute(query)]

    def rate(self, id: str, rating: int | None) -> bool:
        """A thumb up (1), down (-1) or none; whether there is such a run. ValueError for another number."""
        if rating not in (1, -1, None):
            raise ValueError("A rating is 1, -1 or None.")
        with mapped("write to"), writing(self._engine) as connection:
            result = connection.execute(sa.update(RUNS).where(RUNS.c.id == id, self._own).values(rating=rating))
        return bool(result.rowcount)

    def delete(self, ids: Sequence[str]) -> int:
        """Delete runs; how many there were. One that still streams stays: it would come back when it is saved."""
        gone = sa.delete(RUNS).where(RUNS.c.status != "running", self._own)
        with mapped("write to"), writing(self._engine) as connection:
            # By parts: a database takes only so many values in one statement.
            parts = (ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE))
            return sum(connection.execute(gone.where(RUNS.c.id.in_(part))).rowcount for part in parts)

    def usage(self, *, since: datetime, until: datetime, utc_offset_minutes: int = 0) -> list[UsageRow]:
        """Runs, tokens and dollars by local day and model, from `since` until before `until`; then those of sweeps."""
        with mapped("read"), self._engine.connect() as connection:
            runs = history.usage(connection, self.account, since, until, utc_offset_minutes)
            return runs + sweep_usage.usage(connection, self.account, since, until, utc_offset_minutes)

    def latencies(self, *, since: datetime, until: datetime) -> list[LatencyRow]:
        """How long each model's runs took, in seconds."""
        with mapped("read"), self._engine.connect() as connection:
            return history.latencies(connection, self.account, since, until)

    def presets(self) -> list[PresetRow]:
        """Every preset, by name."""
        with mapped("read"), self._engine.connect() as connection:
            return presets.read(connection, self.account)

    def preset(self, id: str) -> PresetRow | None:
        with mapped("read"), self._engine.connect() as connection:
            return next(iter(presets.read(connection, self.account, id)), None)

    def save_preset(self, id: str, name: str, content: Mapping[str, Any]) -> None:
        """Keep a preset, or change the one of this id.

        Raises InvalidRequest for a name that another has, and for one more than there may be.
        """
        with mapped("write to"), writing(self._engine) as connection:
            presets.save(connection, self.account, id, name, content, now=_now())

    def save_presets(self, several: Sequence[tuple[str, str, Mapping[str, Any]]]) -> None:
        """Keep (id, name, content) of all, or of none."""
        with mapped("write to"), writing(self._engine) as connection:
            for id, name, content in several:
                presets.save(connection, self.account, id, name, content, now=_now())

    def rename_preset(self, id: str, name: str) -> bool:
        """Give a preset another name; whether there is one of this id. Raises InvalidRequest as `save_preset` does."""
        with mapped("write to"), writing(self._engine) as connection:
            return presets.rename(connection, self.account, id, name, now=_now())

    def delete_preset(self, id: str) -> bool:
        """Whether there was one of this id."""
        with mapped("write to"), writing(self._engine) as connection:
            return presets.delete(connection, self.account, id)

    def votes(self) -> list[VoteRow]:
        """Every vote, oldest first."""
        with mapped("read"), self._engine.connect() as connection:
            return votes.read(connection, self.account)

    def save_vote(self, id: str, shown: Sequence[Shown], chosen: int | None) -> bool:
        """Keep the vote on the comparison `id`; False where it has one already."""
        with mapped("write to"), writing(self._engine) as connection:
            return votes.save(connection, self.account, id, shown, chosen, now=_now())

    def delete_votes(self) -> int:
        """Forget all votes; how many they were."""
        with mapped("write to"), writing(self._engine) as connection:
            return votes.delete(connection, self.account)

    def backup(self, out: Path) -> dict[str, int]:
        """Write all of it into one file; how many rows each table has. Raises InvalidRequest where it cannot be
        written."""
        return copying.backup(self._engine, out)

    def restore(self, path: Path, *, replace: bool = False) -> dict[str, int]:
        """Put a backup into this store, which must be empty unless it is to `replace` what there is. Raises
        InvalidRequest, and changes nothing, for a file that is none or is damaged."""
        return copying.restore(self._engine, path, replace=replace)

    def mark_interrupted(self) -> int:
        """Mark the running runs of dead processes as interrupted, their text kept; how many they were. What such a
        process had set aside for its calls is booked.

        `open` does it. Runs of living processes, this one among them, stay.
        """
        running = RUNS.c.status == "running"
        last_sign = sa.func.max(RUNS.c.updated_at)
        with mapped("open"):
            with self._engine.connect() as connection:
                owners = connection.execute(sa.select(RUNS.c.owner, last_sign).where(running).group_by(RUNS.c.owner))
                dead = [owner for owner, seen in owners if self._process.is_dead(owner, seen)]
            marked = 0
            if dead:
                with writing(self._engine) as connection:
                    update = sa.update(RUNS).where(running, RUNS.c.owner.in_(dead))
                    marked = connection.execute(update.values(status="interrupted", owner=None)).rowcount
            self.ledger.settle_dead(self._process.is_dead)
            self._process.sweep()
        return marked

    def close(self) -> None:
        """Let go of the database. A run that still says running counts as interrupted from now on."""
        self._engine.dispose()
        self._process.close()

    @property
    def _own(self) -> sa.ColumnElement[bool]:
        return RUNS.c.account == self.account

    def _whole(self, run: Run) -> dict[str, Any]:
        over = run.status != "running"
        columns = records.finished(run) if over else {**records.progress(run), "logprobs": None}
        owner = None if over else self._process.name()
        kept = {"account": self.account, "rating": run.rating, "updated_at": _now(), "owner": owner}
        return {**records.created(run), **columns, **kept}


def _now() -> int:
    """The same unit as `created_at`: microseconds since 1970 UTC."""
    return time.time_ns() // 1000
