"""Which models there are to serve, loaded or not: the one that came with the engine, and every GGUF of a folder."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playground import gguf
from playground.engine.training import memory, shape
from playground.engine.training.errors import TrainingError
from playground.engine.training.plan import Plan, Trainer, first_layer
from playground.gguf import GgufError, Header

ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
_BATCH, _LONGEST = 8, 512
"""A training whose memory is told before anybody has asked for one: examples in a batch, tokens of the longest."""

Stamp = tuple[int, int, int]
"""Tells a file from another that has taken its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A GGUF, from its header alone, whose `vocabulary` is left out. `about` is what the `.json` beside it says;
    `trainable` by which trainer, with about `training_memory` bytes."""

    id: str
    path: Path
    stamp: Stamp
    bytes: int
    created: int
    header: Header
    n_params: int
    about: Mapping[str, Any] = field(default_factory=dict)
    trainable: Trainer | None = None
    training_memory: int | None = None


class Shelf:
    """`base` is always there; `folder` is looked into whenever it is asked for, so that a new file is seen at once."""

    def __init__(self, base: Model, folder: Path | None = None) -> None:
        self.base = base
        self._folder = folder
        self._known: dict[Path, Model | tuple[Stamp, GgufError]] = {}

    async def listed(self) -> list[Model]:
        """The base, and then by their names all whose headers describe a model."""
        found = [await self._described(path) for path in await asyncio.to_thread(self._paths)]
        return [self.base, *(model for model in found if isinstance(model, Model))]

    async def get(self, id: str) -> Model | None:
        """None where there is no such file. Raises GgufError for one that is not a model."""
        if id == self.base.id:
            return self.base
        path = self.path(id)
        found = await self._described(path) if path is not None else None
        if isinstance(found, GgufError):
            raise found.with_traceback(None)
        return found

    def path(self, id: str) -> Path | None:
        """The file of that id, None where there is none. Reads nothing."""
        if id == self.base.id:
            return self.base.path
        if self._folder is None or not ID.fullmatch(id):
            return None
        path = self._folder / f"{id}.gguf"
        return path if path.is_file() else None

    def bytes(self, id: str) -> int | None:
        """The size of its file, by which a model is told from another of its name."""
        path = self.path(id)
        try:
            return None if path is None else path.stat().st_size
        except OSError:
            return None

    def delete(self, id: str) -> None:
        """The file, and what is said of it. Raises OSError."""
        path = self.path(id)
        if path is not None and path != self.base.path:
            path.unlink(missing_ok=True)
            path.with_suffix(".json").unlink(missing_ok=True)

    def _paths(self) -> list[Path]:
        if self._folder is None or not self._folder.is_dir():
            return []
        names = (path for path in self._folder.glob("*.gguf") if ID.fullmatch(path.stem) and path.is_file())
        return sorted(path for path in names if path.stem != self.base.id)

    async def _described(self, path: Path) -> Model | GgufError | None:
        """Read once for each file: the header of a large vocabulary takes half a second."""
        try:
            now = stamp(path)
        except OSError:
            return None
        known = self._known.get(path)
        if known is None or (known.stamp if isinstance(known, Model) else known[0]) != now:
            try:
                known = await asyncio.to_thread(describe, path, path.stem)
            except GgufError as error:
                if not await asyncio.to_thread(path.exists):
                    return None
                known = now, error
            self._known[path] = known
        return known if isinstance(known, Model) else known[1]


def stamp(path: Path) -> Stamp:
    """Raises OSError."""
    stat = path.stat()
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def describe(path: Path, id: str) -> Model:
    """Raises GgufError."""
    try:
        now, created = stamp(path), int(path.stat().st_mtime)
    except OSError as exc:
        raise GgufError(f"The model file {path} cannot be read: {exc.strerror}.", missing=True) from exc
    meta, n_params = gguf.inspect(path)
    header = gguf.header(path, meta, vocabulary=False)
    trainer, needed = _training(path, meta, header)
    return Model(
        id=id,
        path=path,
        stamp=now,
        bytes=now[1],
        created=created,
        header=header,
        n_params=n_params,
        about=_about(path.with_suffix(".json")),
        trainable=trainer,
        training_memory=needed,
    )


def _about(path: Path) -> dict[str, Any]:
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _training(path: Path, meta: Mapping[str, Any], header: Header) -> tuple[Trainer | None, int | None]:
    """The trainer that can train it, the default one first, and the memory of a usual training."""
    trainers: tuple[Trainer, ...] = ("numpy", "torch")
    for trainer in trainers:
        try:
            model = shape.of(meta, trainer)
        except TrainingError:
            continue
        longest = min(_LONGEST, header.context_length)
        plan = Plan(
            base=path, n_epochs=1, batch_size=_BATCH, seed=0, context=longest, trainer=trainer,
            first_layer=first_layer(model.layers),
        )  # fmt: skip
        return trainer, memory.estimate(plan, model, longest=longest, batch=_BATCH)
    return None, None
