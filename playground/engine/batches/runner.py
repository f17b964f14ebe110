"""Works through the batches, the oldest first: one request at a time, and none is begun while others are answered."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from pathlib import Path
from typing import Any

from playground.engine import chat, completions
from playground.engine.batches import lines
from playground.engine.batches.records import ENDED, KINDS, Records
from playground.engine.errors import ApiError
from playground.engine.schemas import ChatBody, CompletionBody, parse
from playground.engine.serving import Serving
from playground.engine.tuning.files import Files
from playground.engine.tuning.folder import Lock, new_id

log = logging.getLogger(__name__)

LOOK = 0.1
"""Seconds between two looks whether everybody else has been answered."""
AGAIN = 5.0
"""Seconds after which a batch that the disk had no room for is tried again."""


class Runner:
    """All of it runs on one event loop, in the engine that holds the folder's lock."""

    def __init__(self, records: Records, files: Files, lock: Lock) -> None:
        self._records, self._files, self._lock = records, files, lock
        self._news = asyncio.Event()
        self._now: tuple[str, asyncio.Task[None]] | None = None

    def woken(self) -> None:
        """There is a new batch."""
        self._news.set()

    async def run(self, serving: Serving) -> None:
        """For ever. What was cut by a crash goes on: no request that was answered is answered again."""
        while not self._lock.held:  # noqa: ASYNC110 - taken by the supervisor of the jobs, when another engine is gone
            await asyncio.sleep(LOOK)
        while True:
            self._news.clear()
            waiting = [each for each in await asyncio.to_thread(self._records.all) if each["status"] not in ENDED]
            if not waiting:
                await self._news.wait()
                continue
            batch = self._records.get(waiting[-1]["id"])  # as it is now: it may have been cancelled meanwhile
            task = asyncio.create_task(self._work(serving, batch))
            self._now = batch["id"], task
            try:
                await asyncio.gather(task, return_exceptions=True)
                failure = None if task.cancelled() else task.exception()
                if failure is not None:
                    log.warning("A batch was interrupted: %s", type(failure).__name__)
                    await asyncio.sleep(AGAIN)
            finally:
                self._now = None

    def cancel(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Raises a 400 for one that has ended."""
        if batch["status"] in ENDED:
            said = f"The batch has the status {batch['status']}: it can no longer be cancelled."
            raise ApiError(400, said, code="batch_ended")
        if batch["status"] != "cancelling":
            batch.update(status="cancelling", cancelling_at=int(time.time()))
            self._records.save(batch)
        if self._now is not None and self._now[0] == batch["id"]:
            self._now[1].cancel()
        self.woken()
        return batch

    async def _work(self, serving: Serving, batch: dict[str, Any]) -> None:
        if batch["status"] == "cancelling":
            self._end(batch, "cancelled")
            return
        try:
            path = self._files.content(batch["input_file_id"])
        except ApiError:
            said = {"code": "file_not_found", "message": "The input file was deleted.", "line": None, "param": None}
            self._fail(batch, [said])
            return
        if batch["status"] == "validating":
            await self._check(batch, path)
        if batch["status"] == "in_progress":
            await self._answer_all(serving, batch, path)

    async def _check(self, batch: dict[str, Any], path: Path) -> None:
        count, errors = await asyncio.to_thread(lines.check, path, batch["endpoint"])
        if errors:
            self._fail(batch, errors)
            return
        batch["request_counts"]["total"] = count
        self._change(batch, "in_progress")

    async def _answer_all(self, serving: Serving, batch: dict[str, Any], path: Path) -> None:
        done = {"completed": set(self._records.answered(batch, "output"))}
        done["failed"] = set(self._records.answered(batch, "error"))
        batch["request_counts"].update({name: len(ids) for name, ids in done.items()})
        expired = False
        for request in lines.requests(path):
            if any(request["custom_id"] in ids for ids in done.values()):
                continue
            if time.time() > batch["expires_at"]:
                expired = True
                self._keep(batch, request, None)
                continue
            while serving.active:  # noqa: ASYNC110 - whoever asks meanwhile goes first
                await asyncio.sleep(LOOK)
            self._keep(batch, request, await self._answer(serving, batch["endpoint"], request["body"]))
            await asyncio.sleep(0)
        self._end(batch, "expired" if expired else "completed")

    async def _answer(self, serving: Serving, endpoint: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and body, as the endpoint itself would have answered."""
        content = json.dumps(body).encode()
        try:
            if endpoint == "/v1/completions":
                asked = parse(CompletionBody, content)
                async with serving.use(asked.model) as generator:
                    return 200, await completions.whole(generator, await completions.prepare(generator, asked))
            said = parse(ChatBody, content)
            async with serving.use(said.model) as generator:
                return 200, await chat.whole(generator, await chat.prepare(generator, said))
        except ApiError as error:
            return error.status, error.body
        except Exception as error:
            log.warning("A request of a batch failed: %s", type(error).__name__)
            return 500, ApiError(500, "The engine failed at this request.", type="server_error").body

    def _keep(self, batch: dict[str, Any], request: dict[str, Any], answer: tuple[int, dict[str, Any]] | None) -> None:
        """One answer written down; None: its time was over before it was asked."""
        line: dict[str, Any] = {"id": new_id("batch_req"), "custom_id": request["custom_id"]}
        good = answer is not None and answer[0] == 200
        if answer is None:
            error = {"code": "batch_expired", "message": "This request could not be executed before the batch expired."}
            line |= {"response": None, "error": error}
        else:
            response = {"status_code": answer[0], "request_id": new_id("req"), "body": answer[1]}
            line |= {"response": response, "error": None}
        self._records.add(batch, "output" if good else "error", line)
        batch["request_counts"]["completed" if good else "failed"] += 1
        self._records.save(batch)

    def _end(self, batch: dict[str, Any], status: str) -> None:
        """The answers become files of /v1/files, whatever the batch ended by."""
        if status == "completed":
            self._change(batch, "finalizing")
        for kind in KINDS:
            part = self._records.part(batch, kind)
            if batch[f"{kind}_file_id"] is None and part.exists() and part.stat().st_size:
                with part.open("rb") as content:
                    file = self._files.add(content, f"{batch['id']}_{kind}.jsonl", "batch_output")
                batch[f"{kind}_file_id"] = file["id"]
        self._change(batch, status)
        for kind in KINDS:
            with contextlib.suppress(OSError):
                self._records.part(batch, kind).unlink(missing_ok=True)

    def _fail(self, batch: dict[str, Any], errors: list[dict[str, Any]]) -> None:
        batch["errors"] = {"object": "list", "data": errors}
        self._end(batch, "failed")

    def _change(self, batch: dict[str, Any], status: str) -> None:
        batch.update({"status": status, f"{status}_at": int(time.time())})
        self._records.save(batch)
