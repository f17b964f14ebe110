"""/v1/files: what was uploaded, and the results that jobs left."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any, BinaryIO

from playground.engine.errors import ApiError, bad
from playground.engine.tuning.folder import FULL, disk_full, is_id, new_id, read_json, write_json

LONGEST_NAME = 255
UPLOADED = ("fine-tune", "batch")
"""Purposes of files that clients send; ours are fine-tune-results and batch_output."""


class Files:
    """A folder of files. A name that a client gave is written down, and is no path of ours."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, content: BinaryIO, name: str, purpose: str) -> dict[str, Any]:
        """Keep what `content` holds, from its beginning; OpenAI's file object. Raises a 400 for nothing, a 507 for too
        much."""
        size = content.seek(0, os.SEEK_END)
        content.seek(0)
        if not size:
            raise bad("The file is empty. A training file has one example a line.", "file")
        if (free := shutil.disk_usage(self._folder).free) < size:
            raise disk_full("the file", size, free)
        file = {
            "id": new_id("file"),
            "object": "file",
            "bytes": size,
            "created_at": int(time.time()),
            "filename": "".join(c if c.isprintable() else "_" for c in name)[:LONGEST_NAME] or "file",
            "purpose": purpose,
            "status": "processed",
        }
        making = self._folder / f".{file['id']}"
        try:
            making.mkdir()
            with (making / "content").open("wb") as kept:
                shutil.copyfileobj(content, kept, 2**20)
                kept.flush()
                os.fsync(kept.fileno())
            write_json(making / "file.json", {**file, "order": time.time_ns()})
            making.rename(self._folder / str(file["id"]))
        except OSError as error:
            shutil.rmtree(making, ignore_errors=True)
            raise disk_full("the file") if error.errno in FULL else _unwritable(error) from error
        return file

    def sweep(self) -> None:
        """Remove what was half written when the engine was killed."""
        data = self._folder.parent
        for half in (*self._folder.glob(".file-*"), *data.glob("exports/*"), *data.glob("jobs/*/.job.json.*")):
            shutil.rmtree(half, ignore_errors=True) if half.is_dir() else half.unlink(missing_ok=True)

    def all(self, purpose: str | None = None) -> list[dict[str, Any]]:
        """Newest first."""
        found = [read_json(path / "file.json") for path in self._folder.glob("file-*")]
        kept = [file for file in found if file and purpose in (None, file["purpose"])]
        return [_public(file) for file in sorted(kept, key=lambda file: file["order"], reverse=True)]

    def get(self, name: str) -> dict[str, Any]:
        """Raises a 404."""
        return _public(self._read(name))

    def content(self, name: str) -> Path:
        """Where its bytes lie. Raises a 404."""
        self._read(name)
        return self.path(name)

    def path(self, name: str) -> Path:
        """Where the bytes of a file of that name lie, or lay."""
        return self._folder / name / "content"

    def delete(self, name: str) -> None:
        """Raises a 404."""
        self._read(name)
        # Away at once, whatever comes while its parts are removed.
        going = self._folder / f".{name}"
        os.replace(self._folder / name, going)
        shutil.rmtree(going, ignore_errors=True)

    def _read(self, name: str) -> dict[str, Any]:
        file = read_json(self._folder / name / "file.json") if is_id("file", name) else None
        if file is None:
            raise ApiError(404, f"No such File object: {name[:80]}", param="id", code="file_not_found")
        return file


def _public(file: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in file.items() if key != "order"}


def _unwritable(error: OSError) -> ApiError:
    return ApiError(500, f"The file could not be kept: {error.strerror}.", type="server_error", code="data_folder")
