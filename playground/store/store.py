"""The record of runs, presets and votes. Datasets and all that belongs to sweeps are parts of their own."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sa

from playground.settings import Settings
from playground.store import copying, history, presets, records, sweep_usage, votes
from playground.store.batches import Batches
from playground.store.database import connect, folder_of, mapped, writing
from playground.store.datasets import Datasets
from playground.store.figures import Figures
from playground.store.history import Filter, LatencyRow, UsageRow
from playground.store.owner import Owner, alive, sweep
from playground.store.presets import PresetRow
from playground.store.ratings import Ratings
from playground.store.records import Cursor, Listed
from playground.store.schema import RUNS
from playground.store.sweeps import Sweeps
from playground.store.votes import Shown, VoteRow
from playground.types import Run

ABANDONED = 2 * 3600
"""Seconds without a sign of life after which a run of another machine counts as dead.

Above any wait for a server's next byte (PLAYGROUND_TIMEOUT is at most an hour), since a waiting run writes nothing.
"""

_AT_ONCE = 1_000
_WHOLE = [column for column in RUNS.columns if column.name != "logprobs"]


class Store:
    """Runs, kept in SQLite or another database. Every method blocks, may be called from any thread, raises StoreError.

    A run is written when it starts, as it grows and when it ends. A failed write never costs what the caller holds:
    a later one writes the whole row if the first never arrived.
    """

    def __init__(self, engine: sa.Engine, settings: Settings) -> None:
        self._engine = engine
        self._locks = folder_of(engine, settings) / "locks"
        self._owner: Owner | None = None
        self._guard = threading.Lock()
        self.datasets = Datasets(engine)
        self.sweeps = Sweeps(engine, self._owner_name, self._is_dead)
        self.ratings = Ratings(engine)
        self.batches = Batches(engine)
        self.figures = Figures(engine)

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Open the database of `settings`, made or migrated where needed, and mark what a dead process left."""
        store = cls(connect(settings), settings)
        try:
            store.mark_interrupted()
        except BaseException:
            store.close()
            raise
        return store

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
            row = connection.execute(sa.select(RUNS).where(RUNS.c.id == id)).one_or_none()
        return None if row is None else records.run_of(row._asdict())

    def runs(self, *, limit: int, before: Cursor | None = None, matching: Filter | None = None) -> list[Run]:
        """At most `limit` runs, newest first, older than `before`. Their choices come without logprobs: see `run`."""
        with mapped("read"), self._engine.connect() as connection:
            query = history.newest(_WHOLE, connection.dialect.name, matching, before, limit)
            return [records.run_of(row._asdict()) for row in connection.execute(query)]

    def listed(self, *, limit: int, before: Cursor | None = None, matching: Filter | None = None) -> list[Listed]:
        """The same for a list: only what it shows is read."""
        with mapped("read"), self._engine.connect() as connection:
            query = history.newest(history.SHOWN, connection.dialect.name, matching, before, limit)
            return [records.listed_of(row._asdict()) for row in connection.execute(query)]

    def each(self, matching: Filter | None = None, *, batch: int = 500) -> Iterator[Run]:
        """Every run that matches, newest first, read `batch` at a time: nothing is held open in between."""
        before: Cursor | None = None
        while page := self.runs(limit=batch, before=before, matching=matching):
            yield from page
            before = Cursor.of(page[-1])

    def models(self) -> list[tuple[str, str]]:
        """Every (endpoint, model) of the history, by name."""
        query = sa.select(RUNS.c.endpoint, RUNS.c.model).distinct().order_by(RUNS.c.endpoint, RUNS.c.model)
        with mapped("read"), self._engine.connect() as connection:
            return [(endpoint, model) for endpoint, model in connection.execute(query)]

    def rate(self, id: str, rating: int | None) -> bool:
        """A thumb up (1), down (-1) or none; whether there is such a run. ValueError for another number."""
        if rating not in (1, -1, None):
            raise ValueError("A rating is 1, -1 or None.")
        with mapped("write to"), writing(self._engine) as connection:
            result = connection.execute(sa.update(RUNS).where(RUNS.c.id == id).values(rating=rating))
        return bool(result.rowcount)

    def delete(self, ids: Sequence[str]) -> int:
        """Delete runs; how many there were. One that still streams stays: it would come back when it is saved."""
        gone = sa.delete(RUNS).where(RUNS.c.status != "running")
        with mapped("write to"), writing(self._engine) as connection:
            # By parts: a database takes only so many values in one statement.
            parts = (ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE))
            return sum(connection.execute(gone.where(RUNS.c.id.in_(part))).rowcount for part in parts)

    def usage(self, *, since: datetime, until: datetime, utc_offset_minutes: int = 0) -> list[UsageRow]:
        """Runs, tokens and dollars by local day and model, from `since` until before `until`; then those of sweeps."""
        with mapped("read"), self._engine.connect() as connection:
            runs = history.usage(connection, since, until, utc_offset_minutes)
            return runs + sweep_usage.usage(connection, since, until, utc_offset_minutes)

    def latencies(self, *, since: datetime, until: datetime) -> list[LatencyRow]:
        """How long each model's runs took, in seconds."""
        with mapped("read"), self._engine.connect() as connection:
            return history.latencies(connection, since, until)

    def presets(self) -> list[PresetRow]:
        """Every preset, by name."""
        with mapped("read"), self._engine.connect() as connection:
            return presets.read(connection)

    def preset(self, id: str) -> PresetRow | None:
        with mapped("read"), self._engine.connect() as connection:
            return next(iter(presets.read(connection, id)), None)

    def save_preset(self, id: str, name: str, content: Mapping[str, Any]) -> None:
        """Keep a preset, or change the one of this id.

        Raises InvalidRequest for a name that another has, and for one more than there may be.
        """
        with mapped("write to"), writing(self._engine) as connection:
            presets.save(connection, id, name, content, now=_now())

    def save_presets(self, several: Sequence[tuple[str, str, Mapping[str, Any]]]) -> None:
        """Keep (id, name, content) of all, or of none."""
        with mapped("write to"), writing(self._engine) as connection:
            for id, name, content in several:
                presets.save(connection, id, name, content, now=_now())

    def rename_preset(self, id: str, name: str) -> bool:
        """Give a preset another name; whether there is one of this id. Raises InvalidRequest as `save_preset` does."""
        with mapped("write to"), writing(self._engine) as connection:
            return presets.rename(connection, id, name, now=_now())

    def delete_preset(self, id: str) -> bool:
        """Whether there was one of this id."""
        with mapped("write to"), writing(self._engine) as connection:
            return presets.delete(connection, id)

    def votes(self) -> list[VoteRow]:
        """Every vote, oldest first."""
        with mapped("read"), self._engine.connect() as connection:
            return votes.read(connection)

    def save_vote(self, id: str, shown: Sequence[Shown], chosen: int | None) -> bool:
        """Keep the vote on the comparison `id`; False where it has one already."""
        with mapped("write to"), writing(self._engine) as connection:
            return votes.save(connection, id, shown, chosen, now=_now())

    def delete_votes(self) -> int:
        """Forget all votes; how many they were."""
        with mapped("write to"), writing(self._engine) as connection:
            return votes.delete(connection)

    def backup(self, out: Path) -> dict[str, int]:
        """Write all of it into one file; how many rows each table has. Raises InvalidRequest where it cannot be
        written."""
        return copying.backup(self._engine, out)

    def restore(self, path: Path, *, replace: bool = False) -> dict[str, int]:
        """Put a backup into this store, which must be empty unless it is to `replace` what there is. Raises
        InvalidRequest, and changes nothing, for a file that is none or is damaged."""
        return copying.restore(self._engine, path, replace=replace)

    def mark_interrupted(self) -> int:
        """Mark the running runs of dead processes as interrupted, their text kept; how many they were.

        `open` does it. Runs of living processes, this one among them, stay.
        """
        running = RUNS.c.status == "running"
        last_sign = sa.func.max(RUNS.c.updated_at)
        with mapped("open"):
            with self._engine.connect() as connection:
                owners = connection.execute(sa.select(RUNS.c.owner, last_sign).where(running).group_by(RUNS.c.owner))
                dead = [owner for owner, seen in owners if self._is_dead(owner, seen)]
            marked = 0
            if dead:
                with writing(self._engine) as connection:
                    update = sa.update(RUNS).where(running, RUNS.c.owner.in_(dead))
                    marked = connection.execute(update.values(status="interrupted", owner=None)).rowcount
            sweep(self._locks)
        return marked

    def close(self) -> None:
        """Let go of the database. A run that still says running counts as interrupted from now on."""
        self._engine.dispose()
        with self._guard:
            if self._owner is not None:
                self._owner.release()
                self._owner = None

    def _is_dead(self, owner: str, last_sign: int) -> bool:
        with self._guard:
            if self._owner is not None and self._owner.name == owner:
                return False
        living = alive(owner, self._locks)
        if living is None and self._engine.dialect.name != "sqlite":
            # A process on another machine, whose locks are in a folder there.
            return _now() - last_sign > ABANDONED * 1_000_000
        return not living

    def _whole(self, run: Run) -> dict[str, Any]:
        over = run.status != "running"
        columns = records.finished(run) if over else {**records.progress(run), "logprobs": None}
        owner = None if over else self._owner_name()
        return {**records.created(run), **columns, "rating": run.rating, "updated_at": _now(), "owner": owner}

    def _owner_name(self) -> str:
        with self._guard:
            if self._owner is None:
                self._owner = Owner(self._locks)
            return self._owner.name


def _now() -> int:
    """The same unit as `created_at`: microseconds since 1970 UTC."""
    return time.time_ns() // 1000
