"""What a file has to be before it is a model of the library: the one that was published, and a whole GGUF of one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playground import gguf
from playground.errors import LibraryError, library_failed
from playground.library.folder import header_facts
from playground.library.stop import Stop
from playground.words import Said

CHUNK = 1 << 20
_NOT_MODELS = {"adapter": "library.adapter", "mmproj": "library.projector"}


def digest(
    path: Path, stop: Stop, report: Callable[[int, int | None], None], *, git_sha1: bool = False
) -> tuple[str, str | None]:
    """The file's sha256 and, where asked for, the name git gives its content. Raises Stopped."""
    size, done = path.stat().st_size, 0
    sha256 = hashlib.sha256()
    blob = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False) if git_sha1 else None
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            stop.check()
            sha256.update(chunk)
            if blob is not None:
                blob.update(chunk)
            done += len(chunk)
            report(done, size)
    return sha256.hexdigest(), blob.hexdigest() if blob is not None else None


def header(path: Path, name: str) -> dict[str, Any]:
    """What the header says that the library tells. Raises LibraryError where the file is no whole language model."""
    with path.open("rb") as file:
        if file.read(4) != gguf.MAGIC:
            raise library_failed("library_not_gguf", hint="library_file", name=name)
        if int.from_bytes(file.read(4), "little") not in (2, 3):
            raise library_failed("library_version", hint="library_other_file", name=name)
    try:
        meta = gguf.metadata(path)
        _is_model(meta, name)
        gguf.check_whole(path)
        gguf.read(path)
    except gguf.GgufError:
        raise library_failed("library_damaged", hint="library_file", name=name) from None
    return header_facts(path)


def _is_model(meta: dict[str, Any], name: str) -> None:
    kind = str(meta.get("general.type", "model"))[:40]
    if meta.get("general.architecture") == "clip":
        kind = "mmproj"
    if kind != "model":
        what = Said(_NOT_MODELS.get(kind, "library.other_kind"), {"kind": kind})
        raise _no_model(name, what)
    count = meta.get("split.count", 1)
    if isinstance(count, int) and count > 1:
        raise library_failed("library_part", name=name, count=count)


def _no_model(name: str, what: Said) -> LibraryError:
    return library_failed("library_no_language_model", hint="library_other_file", name=name, what=what)
