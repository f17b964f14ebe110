"""Fine-tuned models on their server: deleted, or fetched as one GGUF. Answers are the server's plain JSON."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal
from urllib.parse import quote

import httpx2
from openai import HttpxBinaryResponseContent

from playground import client_errors
from playground.client.connections import CONNECT_TIMEOUT
from playground.client.fine_tuning import FineTuning, Report
from playground.client_errors import NO_SUCH_ROUTE
from playground.errors import InvalidRequest, NotFound, PlaygroundError
from playground.types import Endpoint

Kind = Literal["q8_0", "f16"]
KINDS: tuple[Kind, ...] = ("q8_0", "f16")
MERGING = 1800.0
"""Seconds without a byte: nothing comes before base and adapter are one, which takes a large model its time."""
CHUNK = 2**20


class Tuned(FineTuning):
    """What a server has trained. Every method raises a PlaygroundError."""

    async def delete_model(self, endpoint: str, model: str) -> dict[str, Any]:
        """Delete a fine-tuned model, on the engine with its checkpoints; or a checkpoint."""
        server = self._managed(endpoint)
        with self._mapped(server):
            said: Any = await self._sdk(server).delete(f"/models/{_named(model)}", cast_to=object)
        if not isinstance(said, dict) or said.get("deleted") is not True:
            raise client_errors.not_an_api(server)
        return said

    async def export_model(
        self, endpoint: str, model: str, out: Path, *, kind: Kind = "q8_0", report: Report | None = None
    ) -> int:
        """A fine-tune and its base as one GGUF in the file `out`: whole, or not there. Returns its bytes.

        Only the embedded engine has this. The file is never in memory as a whole.
        """
        server = self._managed(endpoint)
        async with self._merged(server, model, kind) as (parts, size):
            return await written(parts, out, size, report)

    @asynccontextmanager
    async def _merged(
        self, server: Endpoint, model: str, kind: Kind
    ) -> AsyncIterator[tuple[AsyncGenerator[bytes], int]]:
        """The file's parts as they come, and how many bytes they are together, 0 where that is not said."""
        path, timeout = f"/models/{_named(model)}/gguf", httpx2.Timeout(MERGING, connect=CONNECT_TIMEOUT)
        # The SDK's own header for an answer that is read as it comes.
        options: Any = {
            "params": {"type": kind},
            "headers": {"Accept": "application/octet-stream", "X-Stainless-Raw-Response": "stream"},
            "timeout": timeout,
        }
        try:
            with self._mapped(server):
                said: Any = await self._sdk(server).get(path, cast_to=HttpxBinaryResponseContent, options=options)
        except NotFound as error:
            if error.status in NO_SUCH_ROUTE and error.code != "model_not_found":
                raise client_errors.no_export(server, status=error.status) from None
            raise
        try:
            length = said.headers.get("content-length", "")
            async with aclosing(self._parts(server, said)) as parts:
                yield parts, int(length) if length.isdigit() else 0
        finally:
            await said.close()

    async def _parts(self, server: Endpoint, said: Any) -> AsyncGenerator[bytes]:
        with self._mapped(server):
            async for part in said.iter_bytes(CHUNK):
                yield part


def _named(model: str) -> str:
    """A model's name, fit to stand in an address."""
    if not model.strip() or len(model) > 300 or not model.isprintable() or re.fullmatch(r"\.*", model):
        raise InvalidRequest("That is no name of a model.", param="model", hint="A fine-tune's name begins with ft:.")
    return quote(model, safe=":")


async def written(parts: AsyncGenerator[bytes], out: Path, size: int = 0, report: Report | None = None) -> int:
    """Write the parts beside `out`, and rename them into place when all have come."""
    temporary = out.with_name(f".{out.name[:100]}.{secrets.token_hex(4)}.part")
    count = 0
    try:
        file = _opened(temporary, out)
        try:
            async for part in parts:
                await asyncio.to_thread(_write, file, part, out)
                count += len(part)
                if report is not None:
                    report(count, size or count)
        finally:
            file.close()
        _put(temporary, out)
    finally:
        temporary.unlink(missing_ok=True)
    return count


def _opened(temporary: Path, out: Path) -> BinaryIO:
    try:
        if out.is_dir():
            raise IsADirectoryError(0, "it is a folder")
        return temporary.open("wb")
    except OSError as error:
        raise _unwritable(out, error) from None


def _write(file: BinaryIO, part: bytes, out: Path) -> None:
    try:
        file.write(part)
        file.flush()
    except OSError as error:
        raise _unwritable(out, error) from None


def _put(temporary: Path, out: Path) -> None:
    try:
        temporary.replace(out)
    except OSError as error:
        raise _unwritable(out, error) from None


def _unwritable(out: Path, error: OSError) -> PlaygroundError:
    return InvalidRequest(f"{out} cannot be written: {error.strerror}.", param="out", hint="Choose another place.")
