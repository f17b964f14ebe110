"""A file as it comes in: to the disk while it comes, and no more of it than is allowed."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from playground.engine.errors import ApiError, bad
from playground.engine.tuning.files import UPLOADED, Files
from playground.engine.tuning.folder import FULL, disk_full
from playground.memory import MB

MOST = 512 * MB
"""Bytes of an uploaded file: OpenAI's own limit."""
AROUND = 2**20
"""Bytes of a form around the file."""


async def receive(request: Request, files: Files) -> dict[str, Any]:
    """POST /v1/files. Raises a 400, a 413 and a 507."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise bad("A file is uploaded as multipart/form-data.", "file")
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > MOST + AROUND:
        raise _too_large()
    counted = Request(request.scope, _Counted(request).receive)
    try:
        # What is larger than a MB goes to a temporary file while it is read.
        async with counted.form(max_files=1, max_fields=20) as form:
            purpose, file = form.get("purpose"), form.get("file")
            if purpose not in UPLOADED:
                raise bad("purpose is fine-tune or batch: this engine keeps files for nothing else.", "purpose")
            if not isinstance(file, UploadFile):
                raise bad("You must provide a file parameter.", "file")
            return await asyncio.to_thread(files.add, file.file, file.filename or "", purpose)
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise disk_full("the file") from None
    except HTTPException as error:
        raise bad(f"The form cannot be read: {error.detail}", "file") from None


class _Counted:
    """A request's body, up to a limit."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._size = 0

    async def receive(self) -> MutableMapping[str, Any]:
        message = await self._request.receive()
        self._size += len(message.get("body", b""))
        if self._size > MOST + AROUND:
            raise _too_large()
        return message


def _too_large() -> ApiError:
    return ApiError(413, f"The file is larger than {MOST // MB} MB.", param="file")
