"""The folder of models. A `.gguf` in it is whole, its `.json` says what it is; halves of files lie in `.partial/`."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playground import gguf
from playground.errors import LibraryError, library_failed, refused
from playground.library.offers import MEMORY_CONTEXT, memory_needed
from playground.library.records import Installed
from playground.locks import lock, shared

ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
PARTIAL = ".partial"


class Folder:
    """Paths and files of one folder of models; it is made when something is first put into it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.partial = path / PARTIAL
        self._read: dict[str, tuple[tuple[int, int], dict[str, Any]]] = {}

    def model(self, id: str) -> Path:
        return self.path / f"{named(id)}.gguf"

    def about(self, id: str) -> Path:
        return self.path / f"{named(id)}.json"

    def part(self, id: str) -> Path:
        """The bytes that have come so far."""
        return self.partial / f"{named(id)}.part"

    def plan(self, id: str) -> Path:
        """What is being fetched, so that another start of the app can go on with it."""
        return self.partial / f"{named(id)}.json"

    def has(self, id: str) -> bool:
        return self.model(id).is_file()

    def make(self) -> None:
        """Raises LibraryError where it cannot be written."""
        try:
            self.partial.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise library_failed("library_folder", folder=str(self.path), why=error.strerror or "") from None

    def installed(self) -> list[Installed]:
        """Every whole model, by its id. A file whose name is no id is not one."""
        if not self.path.is_dir():
            return []
        found = sorted(path for path in self.path.glob("*.gguf") if path.is_file())
        return [self.describe(path.stem) for path in found if ID.fullmatch(path.stem)]

    def describe(self, id: str) -> Installed:
        """What is known of a model that is here; its header is read where its `.json` does not have it."""
        path, about = self.model(id), read_json(self.about(id))
        size = path.stat().st_size
        if about.get("bytes") != size or "vocabulary" not in about:
            about = {**about, **self._facts(id, path)}
        context, width = _whole(about.get("context")), _whole(about.get("kv_width"))
        vocabulary = _whole(about.get("vocabulary"))
        held = min(context or MEMORY_CONTEXT, MEMORY_CONTEXT)
        return Installed(
            id=id,
            title=_text(about.get("title")) or id,
            path=path,
            bytes=size,
            source=_text(about.get("source")),
            sha256=_text(about.get("sha256")),
            licence=_text(about.get("licence")),
            licence_url=_text(about.get("licence_url")),
            languages=tuple(filter(None, map(_text, about.get("languages") or ()))),
            architecture=_text(about.get("architecture")),
            context=context,
            memory=memory_needed(size, width, held, vocabulary) if width is not None else None,
            memory_context=held if width is not None else None,
            chat_template=about.get("chat_template") is True,
            date=_text(about.get("date")),
        )

    def _facts(self, id: str, path: Path) -> dict[str, Any]:
        """What the header says: read once, as long as the file stays the same. A large vocabulary takes a moment."""
        stat = path.stat()
        state = stat.st_mtime_ns, stat.st_size
        if self._read.get(id, (None,))[0] != state:
            self._read[id] = state, header_facts(path)
        return self._read[id][1]

    def install(self, id: str, about: Mapping[str, Any]) -> None:
        """Put a part that has been checked into its place: what is said of it first, so that it is never without."""
        part, model = self.part(id), self.model(id)
        try:
            with part.open("rb+") as file:
                os.fsync(file.fileno())
            write_json(self.about(id), about)
            os.replace(part, model)
        except OSError as error:
            raise library_failed("library_folder", folder=str(self.path), why=error.strerror or "") from None
        self.plan(id).unlink(missing_ok=True)

    def remove(self, id: str) -> None:
        """Delete a whole model. Raises InvalidRequest where there is none, LibraryError where it cannot be deleted or
        an engine has it loaded."""
        if not self.has(id):
            raise refused("library_no_model", param="model", model=id[:100])
        if shared(self.model(id)):
            raise library_failed("library_loaded", model=id)
        try:
            self.model(id).unlink()
            self.about(id).unlink(missing_ok=True)
        except OSError as error:
            raise library_failed("library_not_deleted", model=id, why=error.strerror or "") from None

    def discard(self, id: str) -> None:
        """Forget what is half done."""
        for path in (self.part(id), self.plan(id)):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
        shutil.rmtree(self.partial / f"{named(id)}.wheel", ignore_errors=True)

    def plans(self) -> dict[str, dict[str, Any]]:
        """What is half done, by its id."""
        found = ((path.stem, read_json(path)) for path in sorted(self.partial.glob("*.json")))
        return {id: plan for id, plan in found if ID.fullmatch(id) and isinstance(plan.get("source"), str)}

    def busy(self, id: str) -> bool:
        """Whether a download of it holds its lock, in whatever process."""
        try:
            with self.held(id, tries=1):
                return False
        except LibraryError:
            return True

    @contextmanager
    def held(self, id: str, *, tries: int = 5) -> Iterator[None]:
        """Only one process fetches a model at a time. Raises LibraryError while another does. Who only looks (`busy`)
        holds it for a moment, too: hence a few tries."""
        self.make()
        fd = os.open(self.partial / f"{named(id)}.lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            while not lock(fd):
                tries -= 1
                if not tries:
                    raise library_failed("library_elsewhere", model=id)
                time.sleep(0.05)
            yield
        finally:
            os.close(fd)


def named(id: str) -> str:
    """The id itself, where it is one. Raises InvalidRequest."""
    if not ID.fullmatch(id):
        raise refused("library_name", param="name", name=id[:100])
    return id


def header_facts(path: Path) -> dict[str, Any]:
    """What the header of a GGUF says that the library tells; nothing where it cannot be read."""
    try:
        header = gguf.read(path)
    except gguf.GgufError:
        return {}
    return {
        "architecture": header.architecture,
        "context": header.context_length,
        "kv_width": header.kv_width,
        "vocabulary": len(header.vocabulary),
        "chat_template": header.has_chat_template,
    }


def read_json(path: Path) -> dict[str, Any]:
    """The object in a file; an empty one where there is none or it is damaged."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Whole or not at all. Raises OSError."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(json.dumps(value, ensure_ascii=False, indent=1), encoding="utf-8")
    os.replace(temporary, path)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _whole(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None
