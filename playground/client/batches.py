"""Batches, as OpenAI's API has them: a file of requests, answered within a day. Answers are the server's plain JSON.

Nothing is tried again here: whoever follows a batch knows best how long to wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

from openai import HttpxBinaryResponseContent

from playground import client_errors
from playground.client.tuned import Tuned, written
from playground.client_errors import NO_SUCH_ROUTE
from playground.errors import EndpointError

BATCHES = "/batches"
WINDOW = "24h"
"""The only completion window that there is (OpenAI's API reference, read 2026-11-26)."""
MOST_LISTED = 20
"""Pages of 100 batches that are looked through for one that nobody wrote down."""


class Batches(Tuned):
    """What a server answers by the file. Every method raises a PlaygroundError."""

    async def check_batches(self, endpoint: str) -> None:
        """Raises NotFound, with the code `client_errors.CANNOT`, where the server has no /v1/batches."""
        server = self._managed(endpoint)
        try:
            with self._mapped(server):
                said: Any = await self._sdk(server).get(BATCHES, cast_to=object, options={"params": {"limit": 1}})
        except EndpointError as error:
            if error.status not in NO_SUCH_ROUTE:
                raise
            raise client_errors.no_batches(server, status=error.status) from None
        if not isinstance(said, dict) or not isinstance(said.get("data"), list):
            raise client_errors.no_batches(server, status=None)

    async def create_batch(
        self, endpoint: str, *, file: str, url: str, metadata: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Start a batch of an uploaded file, whose lines all ask the address `url` (/v1/completions, …)."""
        server = self._managed(endpoint)
        body: dict[str, Any] = {"input_file_id": file, "endpoint": url, "completion_window": WINDOW}
        body |= {"metadata": dict(metadata)} if metadata else {}
        with self._mapped(server):
            return self._with_id(server, await self._sdk(server).post(BATCHES, body=body, cast_to=object))

    async def batch(self, endpoint: str, batch_id: str) -> dict[str, Any]:
        server = self._managed(endpoint)
        with self._about(server, "batch", batch_id) as known:
            return self._with_id(server, await self._sdk(server).get(f"{BATCHES}/{known}", cast_to=object))

    async def cancel_batch(self, endpoint: str, batch_id: str) -> dict[str, Any]:
        """Ask the server to end the batch; the answer is the batch as it then is. What was answered is kept."""
        server = self._managed(endpoint)
        with self._about(server, "batch", batch_id) as known:
            return self._with_id(server, await self._sdk(server).post(f"{BATCHES}/{known}/cancel", cast_to=object))

    async def find_batch(self, endpoint: str, metadata: Mapping[str, str]) -> dict[str, Any] | None:
        """The oldest batch that was created with this metadata: whoever asked for it may not have heard its id."""
        server = self._managed(endpoint)
        with self._mapped(server):
            listed = await self._all(server, BATCHES, most=MOST_LISTED)
        wanted = dict(metadata).items()
        found = [
            each for each in listed if isinstance(each.get("metadata"), dict) and wanted <= each["metadata"].items()
        ]
        return min(found, key=lambda each: each.get("created_at") or 0, default=None)

    async def fetch_file(self, endpoint: str, file_id: str, out: Path) -> None:
        """A file's bytes in the file `out`, whole or not there; never in memory: a batch's answers may be larger."""
        server = self._managed(endpoint)
        options: Any = {"headers": {"Accept": "application/binary", "X-Stainless-Raw-Response": "stream"}}
        with self._about(server, "file", file_id) as known:
            said: Any = await self._sdk(server).get(
                f"/files/{known}/content", cast_to=HttpxBinaryResponseContent, options=options
            )
            try:
                async with aclosing(self._parts(server, said)) as parts:
                    await written(parts, out)
            finally:
                await said.close()

    def line_error(self, endpoint: str, status: int | None, body: Any) -> EndpointError:
        """What a line of a batch failed with, as the same failure of a live request would be told."""
        server = self._managed(endpoint)
        if isinstance(body, dict) and body.get("error"):
            body = body["error"]
        return client_errors.from_body(server, body, status=status, keys=self._keys())
