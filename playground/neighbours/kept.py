"""The neighbours that have been added: `endpoints.json` in the data folder, readable by its owner alone.

    {"version": 1, "endpoints": [{"name": "ollama", "kind": "ollama", "url": "http://127.0.0.1:11434/v1"}]}

It holds no key: a server that asks for one is named in PLAYGROUND_ENDPOINTS, with its key in the environment.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import tempfile
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playground.errors import refused
from playground.neighbours.types import HERE, NAMES, Kind, place
from playground.types import Endpoint

log = logging.getLogger("playground")

FILE = "endpoints.json"
RESERVED = ("local", "openai", "server")
"""Names that the engine and the settings give."""
MOST = 50


@dataclass(frozen=True, slots=True)
class Kept:
    """A server that was added, by the name that its models are called with."""

    name: str
    kind: Kind
    url: str

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(name=self.name, base_url=self.url, kind="compatible")


def read(file: Path) -> tuple[Kept, ...]:
    """What was added; what cannot be read of it is left out, and said in the log. Never raises."""
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
        rows = said["endpoints"]
        kept = [made for made in map(_checked, rows[:MOST]) if made is not None]
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        log.warning("%s cannot be read: the servers that were added are not there.", file)
        return ()
    if len(kept) != len(rows):
        log.warning("%s names something that is no server on this machine; it is left out.", file)
    return tuple({each.name: each for each in kept}.values())


def _checked(row: Any) -> Kept | None:
    if not isinstance(row, dict):
        return None
    name, url = row.get("name"), row.get("url")
    kind = next((each for each in NAMES if each == row.get("kind")), None)
    if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9_-]{0,40}", name) or name in RESERVED:
        return None
    if kind is None or not isinstance(url, str):
        return None
    # Only what `look` could have found: this file must not send prompts to another machine.
    return Kept(name, kind, url) if _is_near(url) else None


def _is_near(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme == "http" and parts.hostname in HERE and bool(parts.port) and "@" not in parts.netloc
    except ValueError:  # a port that is no number
        return False


def write(file: Path, kept: Iterable[Kept]) -> None:
    """The whole file or none of it; one that cannot be read is set aside, not overwritten. Raises PlaygroundError."""
    text = json.dumps({"version": 1, "endpoints": [asdict(each) for each in kept]}, indent=1)
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if file.exists() and not _is_json(file):
            file.replace(file.with_suffix(".unreadable"))
        handle, name = tempfile.mkstemp(prefix=FILE, dir=file.parent)  # 0600 from the first byte
        try:
            with open(handle, "w", encoding="utf-8") as out:
                out.write(text)
            os.replace(name, file)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise
    except OSError as error:
        raise refused("neighbour_write", why=error.strerror or type(error).__name__) from error


def _is_json(file: Path) -> bool:
    try:
        json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        return False
    return True


def settled(kept: Iterable[Kept], others: Iterable[Endpoint]) -> tuple[Kept, ...]:
    """What joins `others`: nothing that is there already by its address, nothing under a name that is taken."""
    places, names, joined = {_place(each) for each in others}, {each.name for each in others}, []
    for each in kept:
        if place(each.url) in places:
            continue
        free = replace(each, name=free_name(each.name, names))
        places.add(place(free.url))
        names.add(free.name)
        joined.append(free)
    return tuple(joined)


def free_name(wanted: str, taken: Collection[str]) -> str:
    """`wanted`, or with the first number that nobody has: ollama, ollama-2, …"""
    names = (wanted, *(f"{wanted}-{number}" for number in range(2, len(taken) + 3)))
    return next(name for name in names if name not in taken and name not in RESERVED)


def _place(endpoint: Endpoint) -> tuple[str, int] | None:
    try:
        return place(endpoint.base_url)
    except ValueError:  # a port that is no number: the client will say so
        return None


def same_place(endpoint: Endpoint, url: str) -> bool:
    return _place(endpoint) == place(url)
