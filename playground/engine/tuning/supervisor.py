"""Who trains, and when: one job at a time, others queue; a job that was cut goes on from its last checkpoint."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Literal

from playground.engine.errors import ApiError, bad
from playground.engine.serving import Serving
from playground.engine.training.errors import TrainingError
from playground.engine.tuning import remains
from playground.engine.tuning.files import Files
from playground.engine.tuning.folder import FULL, Lock
from playground.engine.tuning.jobs import Jobs, Record
from playground.engine.tuning.training_run import TrainingRun
from playground.engine.tuning.worker import Worker

log = logging.getLogger(__name__)

RESTARTS = 2
"""Times that a worker which died is started again without a new checkpoint in between."""
CANCEL_GRACE = 0.6
"""Seconds that a cancelled worker has for a last checkpoint; within one it is gone."""
PAUSE_GRACE = 120.0
"""Seconds that a paused worker has for it: a step on long examples takes that long."""
OUTLIVED = 3.0
"""Seconds after which we would be gone, had the worker been stopped together with us."""
ANSWERED = 10.0
"""Seconds after which the request is answered, though the worker is still at its last step."""
ASKED_AGAIN = 1.0

Wish = Literal["cancelled", "paused"]


@dataclass(slots=True)
class _Now:
    """What trains now, and what has been asked of it meanwhile."""

    run: TrainingRun
    worker: Worker | None = None
    wish: Wish | None = None


class Supervisor:
    """Works through the jobs of a folder while it holds the folder's lock. All of it runs on one event loop."""

    def __init__(self, jobs: Jobs, files: Files, lock: Lock) -> None:
        self._jobs, self._files, self._lock = jobs, files, lock
        self._now: _Now | None = None
        self._news = asyncio.Condition()
        self._asked: set[asyncio.Task[None]] = set()

    @property
    def training(self) -> bool:
        return self._now is not None

    def check_ours(self) -> None:
        """Raises a 409 where another engine runs the jobs of this folder."""
        if not self._lock.held:
            raise ApiError(
                409,
                "Another engine runs the jobs of this data folder. Ask that one, or end it.",
                code="data_folder_in_use",
            )

    async def run(self, serving: Serving) -> None:
        """For ever, with the models of `serving` as bases. Another engine's jobs become ours when it is gone."""
        if self._lock.take():
            # Nothing is waited for before this: what is half written is not yet our own.
            self._files.sweep()
        while not self._lock.take():  # noqa: ASYNC110 - the other engine is another process
            await asyncio.sleep(ASKED_AGAIN)
        self._tidy()
        validate = functools.partial(self._validate, serving)
        await asyncio.gather(self._work("validating_files", validate), self._work("queued", self._train))

    def _tidy(self) -> None:
        for record in self._jobs.all():
            if record.ended:
                with contextlib.suppress(OSError):
                    remains.tidy(record, self._jobs, self._files)

    async def woken(self) -> None:
        """There is something new to do, or something has ended."""
        async with self._news:
            self._news.notify_all()

    # --- what is asked of it ---

    async def cancel(self, record: Record) -> None:
        """Raises a 400 for a job that has ended. A running one has ended within a second."""
        self._check_open(record)
        await self._whatever_happens(self._cancel(record))

    async def pause(self, record: Record) -> None:
        """Raises a 400 for a job that has ended. It is paused once its step has ended and its checkpoint is written."""
        self._check_open(record)
        if record.status != "paused":
            await self._whatever_happens(self._pause(record))

    async def resume(self, record: Record) -> None:
        """Raises a 400 for a job that is not paused."""
        self.check_ours()
        if record.status != "paused":
            raise bad(
                f"Only a job that is paused can be resumed; this one is {record.status}.", code="invalid_job_state"
            )
        run = self._run(record)
        run.say("The job was resumed")
        run.status("queued" if run.prepared else "validating_files")
        await self.woken()

    async def _cancel(self, record: Record) -> None:
        await self._stop(record, "cancelled", CANCEL_GRACE)
        if not record.ended:
            self._run(record).cancel()
        await self.woken()

    async def _pause(self, record: Record) -> None:
        await self._stop(record, "paused", PAUSE_GRACE)
        if not record.ended and record.status != "paused":
            self._paused(self._run(record))
        await self.woken()

    async def _whatever_happens(self, work: Coroutine[None, None, None]) -> None:
        """Also when whoever asked goes away meanwhile, or has waited long enough."""
        task = asyncio.create_task(work)
        self._asked.add(task)
        task.add_done_callback(self._asked.discard)
        await asyncio.wait({task}, timeout=ANSWERED)
        if task.done():
            task.result()

    def _check_open(self, record: Record) -> None:
        self.check_ours()
        if record.ended:
            raise bad(f"Job has already {record.status}.", code="invalid_job_state")

    async def _stop(self, record: Record, wish: Wish, grace: float) -> None:
        """Wait until a job that trains no longer does."""
        now = self._now
        if now is None or now.run.record.id != record.id:
            return
        now.wish = wish if now.wish != "cancelled" else now.wish
        if now.worker is not None:
            # Before its first step there is nothing to keep, and loading a model takes a while.
            await now.worker.stop(grace if now.run.stepped else CANCEL_GRACE)
        while self._now is now:
            async with self._news:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), 0.1)

    def _run(self, record: Record) -> TrainingRun:
        return TrainingRun(record, self._jobs, self._files)

    def _paused(self, run: TrainingRun) -> None:
        run.say("The job was paused")
        run.status("paused")

    # --- what it does ---

    async def _work(self, status: str, step: Callable[[Record], Awaitable[None]]) -> None:
        """The oldest job of that status, again and again."""
        while True:
            record = self._next(status)
            if record is None:
                async with self._news:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._news.wait(), ASKED_AGAIN)
                continue
            try:
                await step(record)
            except Exception as error:
                # One job's trouble must not keep all others waiting for ever.
                self._broken(record, error)

    def _next(self, status: str) -> Record | None:
        """A job that was training when the engine ended is before those that wait."""
        open_ = [record for record in reversed(self._jobs.all()) if not record.ended]
        wanted = ("running", status) if status == "queued" else (status,)
        return next((record for name in wanted for record in open_ if record.status == name), None)

    async def _validate(self, serving: Serving, record: Record) -> None:
        run = self._run(record)
        try:
            await run.prepare(serving)
        except ApiError as error:
            if record.status == "validating_files":
                said = error.body["error"]
                run.fail(said["code"] or "invalid_training_file", said["message"], said["param"])
            return
        if record.status == "validating_files":
            run.say("Files validated, moving job to queued state")
            run.status("queued")
        await self.woken()

    async def _train(self, record: Record) -> None:
        now = self._now = _Now(self._run(record))
        try:
            await self._lives(now)
        except ApiError as error:
            said = error.body["error"]
            now.run.fail(said["code"], said["message"], said["param"])
        finally:
            self._now = None
            await self.woken()

    async def _lives(self, now: _Now) -> None:
        """The worker's lives, until the job has ended or is to stop."""
        run, deaths, reached = now.run, 0, -1
        run.check_machine()
        while now.wish is None:
            end = await self._live(now)
            if run.done or run.failure is not None or now.wish is not None:
                break
            if run.rested:
                # Somebody told it to stop. When it was the system, all of us are about to end.
                await asyncio.sleep(OUTLIVED)
                continue
            newest = self._jobs.newest_step(run.record) or 0
            deaths, reached = (deaths + 1 if newest <= reached else 1), newest
            if deaths > RESTARTS:
                run.failure = {
                    "code": "worker_failed",
                    "message": f"The training process ended {deaths} times ({end}). Free some memory, make the "
                    "examples or the batch smaller, and create the job again.",
                    "param": None,
                }
                break
            run.say(f"The training process ended ({end}) and is started again", level="warn")
        self._ended(now)

    async def _live(self, now: _Now) -> str:
        """One life of the worker; how it ended."""
        now.run.begin()
        worker = now.worker = await Worker.start(self._jobs.folder(now.run.record), threads=now.run.threads)
        try:
            if now.wish is not None:
                # Asked for while the process was being made.
                await worker.stop(CANCEL_GRACE)
            async for said in worker.said():
                now.run.hear(said)
        finally:
            now.worker = None
            with contextlib.suppress(OSError):
                await worker.stop(CANCEL_GRACE)
        now.run.settle()
        return worker.end

    def _ended(self, now: _Now) -> None:
        run = now.run
        if run.done:
            run.succeed()
        elif now.wish == "cancelled":
            run.cancel()
        elif run.failure is not None:
            run.fail(run.failure["code"] or "worker_failed", run.failure["message"] or "", run.failure["param"])
        else:
            self._paused(run)

    def _broken(self, record: Record, error: Exception) -> None:
        full = isinstance(error, OSError) and error.errno in FULL
        log.error(
            "A job failed: %s (%s)", type(error).__name__, errno.errorcode.get(getattr(error, "errno", 0) or 0, "")
        )
        code, message = "worker_failed", f"The engine failed at this job ({type(error).__name__}). Create it again."
        if full:
            code, message = (
                "disk_full",
                "The disk is full. Delete files or fine-tuned models, and create the job again.",
            )
        if isinstance(error, TrainingError):
            code, message = error.code, error.message
        try:
            self._run(record).fail(code, message)
        except (OSError, ApiError):
            # Not even that could be written: it is known until the engine ends, and tried again after.
            record.job |= {"status": "failed", "finished_at": int(time.time())}
            record.job["error"] = {"code": code, "message": message, "param": None}
