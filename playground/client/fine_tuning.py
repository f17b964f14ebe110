"""Fine-tuning, as OpenAI's API has it: files, jobs, their events and checkpoints. Answers are the server's plain JSON.

Nothing is tried again here: whoever follows a job knows best how long to wait.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple

from openai import HttpxBinaryResponseContent

from playground import client_errors
from playground.client.connections import Connections
from playground.client_errors import NO_SUCH_ROUTE, Thing
from playground.errors import EndpointError, InvalidRequest, NotFound, refused
from playground.types import Endpoint

MOST_PAGES = 20
"""Pages of 100 fine-tuning jobs that are read at most."""
MOST_EVENT_PAGES = 500
"""Pages of 100 events, of which there is one a training step."""
PAGE = 100
JOBS = "/fine_tuning/jobs"
LIKE: dict[Thing, str] = {"job": "ftjob-abc123", "file": "file-abc123", "batch": "batch_abc123"}

Purpose = Literal["fine-tune", "batch"]
Report = Callable[[int, int], None]
"""Is told how many bytes have been handed over, and of how many."""


class Page(NamedTuple):
    """A part of a list. `after` is the cursor that the next part begins with, None at the end."""

    items: list[dict[str, Any]]
    after: str | None


class FineTuning(Connections):
    """What a server trains. Every method raises a PlaygroundError."""

    async def upload(
        self,
        endpoint: str,
        file: Path | bytes,
        *,
        name: str | None = None,
        report: Report | None = None,
        purpose: Purpose = "fine-tune",
    ) -> dict[str, Any]:
        """Send a training or a validation file, or a batch's; the answer's `id` is what a job wants. Bytes need a
        `name`."""
        server = self._managed(endpoint)
        with _opened(file) as content, self._mapped(server):
            # Any: the SDK wants an IO[bytes], of which it uses no more than `_Reporting` has.
            part: Any = (name or (file.name if isinstance(file, Path) else "data.jsonl"), _Reporting(content, report))
            said = await self._sdk(server).post(
                "/files",
                body={"purpose": purpose},
                files={"file": part},
                options={"headers": {"Content-Type": "multipart/form-data"}},
                cast_to=object,
            )
            return self._with_id(server, said)

    async def create_job(self, endpoint: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Start training. `body` goes out as it is (`finetune.jobs.Plan.body` makes it)."""
        server = self._managed(endpoint)
        with self._mapped(server):
            return self._with_id(server, await self._sdk(server).post(JOBS, body=body, cast_to=object))

    async def estimate(self, endpoint: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """What a job would take (playground/engine/tuning/estimate.py says what goes in and out). Only the embedded
        engine tells."""
        server = self._managed(endpoint)
        with self._mapped(server):
            said: Any = await self._sdk(server).post("/fine_tuning/estimate", body=body, cast_to=object)
        if not isinstance(said, dict):
            raise client_errors.unreadable(server)
        return said

    async def job(self, endpoint: str, job_id: str) -> dict[str, Any]:
        server = self._managed(endpoint)
        with self._about(server, "job", job_id) as known:
            return self._with_id(server, await self._sdk(server).get(f"{JOBS}/{known}", cast_to=object))

    async def cancel_job(self, endpoint: str, job_id: str) -> dict[str, Any]:
        """Ask the server to end the job; the answer is the job as it then is."""
        return await self._change(endpoint, job_id, "cancel")

    async def pause_job(self, endpoint: str, job_id: str) -> dict[str, Any]:
        """Ask the server to let the job rest; the answer is the job as it then is. Few servers can."""
        return await self._change_where_possible(endpoint, job_id, "pause")

    async def resume_job(self, endpoint: str, job_id: str) -> dict[str, Any]:
        """Ask the server to go on with a job that rests; the answer is the job as it then is."""
        return await self._change_where_possible(endpoint, job_id, "resume")

    async def _change(self, endpoint: str, job_id: str, verb: Literal["cancel", "pause", "resume"]) -> dict[str, Any]:
        server = self._managed(endpoint)
        with self._about(server, "job", job_id) as known:
            return self._with_id(server, await self._sdk(server).post(f"{JOBS}/{known}/{verb}", cast_to=object))

    async def _change_where_possible(
        self, endpoint: str, job_id: str, verb: Literal["pause", "resume"]
    ) -> dict[str, Any]:
        """A server without such a route answers as for a job that it does not have: whether it has it is asked, too."""
        try:
            return await self._change(endpoint, job_id, verb)
        except EndpointError as error:
            if error.status not in NO_SUCH_ROUTE:
                raise
            await self.job(endpoint, job_id)
            raise client_errors.no_such_action(self._managed(endpoint), verb, status=error.status) from None

    async def jobs(self, endpoint: str, *, after: str | None = None, limit: int = 20) -> Page:
        """One page of jobs, newest first, after the cursor `after`."""
        server = self._managed(endpoint)
        with self._mapped(server):
            return await self._page(server, JOBS, after=after, limit=limit)

    async def fine_tunes(self, endpoint: str) -> list[dict[str, Any]]:
        """All of the server's fine-tuning jobs, newest first; none where it has no such thing."""
        server = self._managed(endpoint)
        try:
            with self._mapped(server):
                return await self._all(server, JOBS, most=MOST_PAGES)
        except EndpointError as error:
            if error.status in (*NO_SUCH_ROUTE, 403):
                return []
            raise

    async def events(self, endpoint: str, job_id: str, *, known: Collection[str] = ()) -> list[dict[str, Any]]:
        """The job's events whose ids are not `known`, oldest first.

        OpenAI lists the newest first, so that its cursor leads into the past: pages are read until one ends with an
        event that is known. Of a server that lists the oldest first every page is read.
        """
        server = self._managed(endpoint)
        with self._about(server, "job", job_id) as path:
            found = await self._all(server, f"{JOBS}/{path}/events", most=MOST_EVENT_PAGES, known=known)
        ordered = found if _oldest_first(found) else found[::-1]
        return [event for event in ordered if event["id"] not in known]

    async def checkpoints(self, endpoint: str, job_id: str) -> list[dict[str, Any]]:
        """All checkpoints that the job has saved, in the server's order: OpenAI's is newest first."""
        server = self._managed(endpoint)
        with self._about(server, "job", job_id) as known:
            return await self._all(server, f"{JOBS}/{known}/checkpoints", most=MOST_PAGES)

    async def file_content(self, endpoint: str, file_id: str) -> bytes:
        """A file's bytes as they are: a results.csv may be base64, which `finetune.results_read` knows."""
        server = self._managed(endpoint)
        with self._about(server, "file", file_id) as known:
            said = await self._sdk(server).get(
                f"/files/{known}/content",
                cast_to=HttpxBinaryResponseContent,
                options={"headers": {"Accept": "application/binary"}},
            )
            return said.content

    async def _all(
        self, server: Endpoint, path: str, *, most: int, known: Collection[str] = ()
    ) -> list[dict[str, Any]]:
        """A list page by page, each id once: to its end, or (newest first) to a page that ends with a `known` one."""
        found: dict[str, dict[str, Any]] = {}
        after = None
        for _ in range(most):
            items, after = await self._page(server, path, after=after, limit=PAGE)
            page = {item["id"]: item for item in items}
            # Nothing new: a server that does not know `after` sends its first page again and again.
            new = not page.keys() <= found.keys()
            found |= page
            met = after in known and not _oldest_first(items)
            if not new or after is None or met:
                break
        return list(found.values())

    async def _page(self, server: Endpoint, path: str, *, after: str | None, limit: int) -> Page:
        options: Any = {"params": {"limit": limit, **({"after": after} if after else {})}}
        said: Any = await self._sdk(server).get(path, cast_to=object, options=options)
        items = [item for item in _listed(said) if isinstance(item.get("id"), str) and item["id"]]
        return Page(items, items[-1]["id"] if items and said.get("has_more") else None)

    def _with_id(self, server: Endpoint, said: Any) -> dict[str, Any]:
        """An object of the API. Anything else is not an API's answer."""
        if isinstance(said, dict) and said.get("error") and not said.get("id"):
            raise client_errors.from_body(server, said["error"], keys=self._keys())
        if not isinstance(said, dict) or not isinstance(said.get("id"), str) or not said["id"]:
            raise client_errors.not_an_api(server)
        return said

    @contextmanager
    def _about(self, server: Endpoint, what: Thing, known: str) -> Iterator[str]:
        """The id, fit to stand in an address; a 404 under it means that there is no such thing."""
        # A slash, or an id of dots, would ask for another address with the same key.
        if not re.fullmatch(r"[\w:-][\w.:-]{0,199}", known, re.ASCII):
            raise InvalidRequest(f"That is no id of a {what}.", param="id", hint=f"An id looks like {LIKE[what]}.")
        try:
            with self._mapped(server):
                yield known
        except NotFound as error:
            if error.status not in NO_SUCH_ROUTE:
                raise
            raise client_errors.not_there(server, what, known, error) from None


class _Reporting(io.RawIOBase):
    """A file that tells how much of it has been read: the SDK reads it in parts as they go out."""

    def __init__(self, content: BinaryIO, report: Report | None) -> None:
        self._content, self._report = content, report
        self._size = content.seek(0, io.SEEK_END)
        content.seek(0)

    def read(self, size: int = -1) -> bytes:
        data = self._content.read(size)
        if self._report is not None and data:
            self._report(self._content.tell(), self._size)
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._content.seek(offset, whence)

    def tell(self) -> int:
        return self._content.tell()


def _opened(file: Path | bytes) -> BinaryIO:
    """Raises InvalidRequest for a file that cannot be read, or holds nothing."""
    content: BinaryIO
    if isinstance(file, bytes):
        content = io.BytesIO(file)
    else:
        try:
            content = file.open("rb")
        except OSError as error:
            raise InvalidRequest(f"{file} cannot be read: {error.strerror}.", param="file") from None
    if not content.seek(0, io.SEEK_END):
        content.close()
        raise refused("training_empty", param="file")
    return content


def _listed(said: Any) -> list[dict[str, Any]]:
    """The objects of one of OpenAI's lists."""
    found = said.get("data") if isinstance(said, dict) else None
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _oldest_first(items: list[dict[str, Any]]) -> bool:
    """Whether a list goes up in time. One that does not tell is taken for OpenAI's, which goes down."""
    times = [item.get("created_at") for item in items]
    known = [time for time in times if isinstance(time, (int, float))]
    return len(known) > 1 and known[0] < known[-1]
