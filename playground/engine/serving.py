"""Which models answer, by name: the base, the models of the folder, and the fine-tunes of any of them.

Each that is loaded has a llama.cpp server of its own, a fine-tune's with its one adapter applied. One server for all
fine-tunes, told with every request which adapter to use, was tried first: its cache leaks between adapters, and its
slots do not share a batch across them, so that a fine-tune's first token waits for the end of the base's answer (9.3 s
for four answers that take 3.2 s like this). The weights are mapped once; what each costs is its context's keys and
values. The base stays; the others leave when their memory is wanted, the one that was asked longest ago first.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playground.engine.budget import Budget, Need, need
from playground.engine.errors import ApiError
from playground.engine.generation import Generator
from playground.engine.llama import Llama
from playground.engine.shelf import Model, Shelf, Stamp
from playground.engine.trial import Trials
from playground.gguf import GgufError, check_adapter
from playground.locks import release, share, shared

MOST = 4
"""Fine-tunes that are loaded at once. The one that was asked longest ago leaves for another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """A fine-tune, or one of its checkpoints, under the `name` it answers to. `created` is in Unix seconds, `base` the
    model's id that it is laid over."""

    name: str
    path: Path
    created: int
    base: str
    job: str
    step: int | None = None


Key = tuple[Path, Stamp, Path | None]
"""A model's file, as it was when it was loaded, and the adapter over it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a name stands for."""

    name: str
    model: Model
    adapter: Adapter | None = None

    @property
    def key(self) -> Key:
        return self.model.path, self.model.stamp, self.adapter.path if self.adapter else None


@dataclass(slots=True)
class _Loaded:
    """A server. `users` are the requests it is answering; once it has `left`, it ends with the last one. `held` tells
    other processes that its file is in use."""

    generator: Generator
    need: Need
    users: int = 0
    used: float = field(default_factory=time.monotonic)
    left: bool = False
    held: int | None = None


@dataclass(slots=True)
class _Coming:
    """A model that is being loaded, since when, and how many wait for it; `loaded` once it is."""

    since: float = field(default_factory=time.monotonic)
    waiting: int = 0
    loaded: _Loaded | None = None
    task: asyncio.Task[_Loaded] = field(init=False)


class Serving:
    """`base` answers always; `find` says which adapter has a name, and None for a name that nobody has."""

    def __init__(
        self, base: Generator, shelf: Shelf, find: Callable[[str], Adapter | None], budget: Budget, trials: Trials
    ) -> None:
        self.base = base
        self.shelf = shelf
        self.budget = budget
        self._find = find
        self._trials = trials
        self._pinned = _Loaded(base, need(shelf.base, base.llama.context))
        self._loaded: dict[Key, _Loaded] = {}
        self._coming: dict[Key, _Coming] = {}
        self._loading = asyncio.Lock()
        self._freed = asyncio.Condition()

    @property
    def model_id(self) -> str:
        return self.shelf.base.id

    @property
    def active(self) -> int:
        """Choices that are being generated now."""
        return self.base.room.active + sum(each.generator.room.active for each in self._loaded.values())

    async def wanted(self, name: str) -> Wanted:
        """Raises a 404 for a name that nobody has, a 400 for a file that is no model."""
        try:
            model = await self.shelf.get(name)
            if model is not None:
                return Wanted(name, model)
            adapter = self._find(name)
            model = await self.shelf.get(adapter.base) if adapter is not None else None
        except GgufError as error:
            raise _damaged(name, str(error)) from None
        if adapter is None or model is None:
            raise _unknown(name)
        return Wanted(name, model, adapter)

    def peek(self, wanted: Wanted) -> Generator | None:
        """A server that is loaded and reads texts as the model does: its own, or one of the same file."""
        if wanted.model is self.shelf.base:
            return self.base
        alike = (each for (path, at, _), each in self._loaded.items() if (path, at) == wanted.key[:2])
        return next((each.generator for each in alike), None)

    def state(self, wanted: Wanted) -> tuple[Generator | None, float | None]:
        """The server that is loaded for it, None where there is none; the seconds that one has been loading."""
        if wanted.model is self.shelf.base and wanted.adapter is None:
            return self.base, None
        loaded, coming = self._loaded.get(wanted.key), self._coming.get(wanted.key)
        return loaded.generator if loaded else None, time.monotonic() - coming.since if coming else None

    def context(self, model: Model) -> int | None:
        """Tokens of context that it would get now; None where it does not fit."""
        return self.budget.context(model, self._needs(), [self._pinned.need])

    @asynccontextmanager
    async def use(self, name: str) -> AsyncGenerator[Generator]:
        """The model of that name, until the block ends. A load that has begun goes on though nobody waits any more."""
        loaded = await self._enter(await self.wanted(name))
        try:
            yield loaded.generator
        finally:
            await self._left(loaded)

    async def drop(self, adapter: Path) -> None:
        """Forget an adapter: nobody gets it any more, and its memory is free when its last answer has ended."""
        for key in [key for key in self._loaded if key[2] == adapter]:
            await self._leave(key)

    async def remove(self, id: str) -> None:
        """Unload a model, with its fine-tunes, and delete its file. Raises a 409 while one of them is at work."""
        path = self.shelf.path(id)
        keys = [key for key in (*self._loaded, *self._coming) if key[0] == path]
        if any(key in self._coming or self._loaded[key].users for key in keys):
            raise ApiError(
                409,
                f"The model {id!r} is answering or being loaded now. Delete it when it has ended.",
                param="model",
                code="model_in_use",
            )
        for key in keys:
            await self._leave(key)
        if path is not None and await asyncio.to_thread(shared, path):
            said = f"The model {id!r} is in use by another Playground that is open. Delete it there, or close it first."
            raise ApiError(409, said, param="model", code="model_in_use")
        try:
            await asyncio.to_thread(self.shelf.delete, id)
        except OSError as error:
            said = f"The model {id!r} could not be deleted: {error.strerror}."
            raise ApiError(500, said, type="server_error", code="not_deleted") from None

    async def _enter(self, wanted: Wanted) -> _Loaded:
        """The server, which counts us among its users."""
        if wanted.model is self.shelf.base and wanted.adapter is None:
            loaded = self._pinned
        elif wanted.key in self._loaded:
            loaded = self._loaded[wanted.key]
        else:
            return await self._arrived(wanted)
        loaded.users += 1
        loaded.used = time.monotonic()
        return loaded

    async def _left(self, loaded: _Loaded) -> None:
        loaded.users -= 1
        if loaded.left and not loaded.users:
            await _close(loaded)
        async with self._freed:
            self._freed.notify_all()

    async def _arrived(self, wanted: Wanted) -> _Loaded:
        """Once it is loaded, together with all who wait for the same. They are its users from that moment on: else the
        next who wants memory would send it away before it has answered anybody."""
        coming = self._coming.get(wanted.key)
        if coming is None:
            coming = self._coming[wanted.key] = _Coming()
            coming.task = asyncio.create_task(self._load(wanted, coming))
            coming.task.add_done_callback(_heard)
        coming.waiting += 1
        try:
            return await asyncio.shield(coming.task)
        except asyncio.CancelledError:
            coming.waiting -= 1
            if coming.loaded is not None:
                await self._left(coming.loaded)
            raise

    async def _load(self, wanted: Wanted, coming: _Coming) -> _Loaded:
        try:
            async with self._loading:
                context = await self._make_room(wanted)
                adapter, held = wanted.adapter, share(wanted.model.path)
                try:
                    llama = await (self._tuned(wanted, adapter, context) if adapter else self._own(wanted, context))
                except BaseException:
                    release(held)
                    raise
                # Deleted while it was loaded: it ends with this answer.
                left = not await asyncio.to_thread((adapter.path if adapter else wanted.model.path).exists)
                needed = need(wanted.model, llama.context)
                coming.loaded = loaded = _Loaded(Generator(llama), needed, users=coming.waiting, left=left, held=held)
                if not left:
                    self._loaded[wanted.key] = loaded
                elif not loaded.users:
                    await _close(loaded)
                return loaded
        finally:
            del self._coming[wanted.key]

    async def _own(self, wanted: Wanted, context: int) -> Llama:
        try:
            await self._trials.check(wanted.model)
            return await asyncio.to_thread(Llama, wanted.model.path, context=context)
        except (GgufError, OSError) as error:
            raise _damaged(wanted.name, str(error)) from None

    async def _tuned(self, wanted: Wanted, adapter: Adapter, context: int) -> Llama:
        model, alike = wanted.model, self.peek(wanted)
        try:
            if model is not self.shelf.base:
                await self._trials.check(model)
            await asyncio.to_thread(check_adapter, adapter.path, model.header.architecture)
            header = alike.llama.header if alike is not None else None
            return await asyncio.to_thread(Llama, model.path, adapter=adapter.path, context=context, header=header)
        except (GgufError, OSError):
            if not await asyncio.to_thread(adapter.path.exists):
                # Deleted while this request waited for its turn.
                raise _unknown(adapter.name) from None
            raise ApiError(
                500,
                f"llama.cpp cannot load the adapter of {adapter.name!r}. Delete the model, and train it again.",
                type="server_error",
                code="adapter_damaged",
            ) from None

    async def _make_room(self, wanted: Wanted) -> int:
        """Let go of who was asked longest ago, as long as there are too many or too little memory; who is answering is
        waited for. The tokens of context that there is room for; raises a 400 where even that would not be enough."""
        context = self._fitting(wanted.model)
        while self._too_many(wanted) or not self._fits(wanted.model, context):
            leaving = [key for key in self._loaded if not self._too_many(wanted) or key[2] is not None]
            if not leaving:
                # Others have taken memory since it was reckoned.
                context = self._fitting(wanted.model)
                break
            idle = [key for key in leaving if not self._loaded[key].users]
            if idle:
                await self._leave(min(idle, key=lambda key: self._loaded[key].used))
                continue
            async with self._freed:
                # Asked again now and then: memory may also be freed by others.
                await _soon(self._freed)
        return context

    def _too_many(self, wanted: Wanted) -> bool:
        return wanted.adapter is not None and sum(key[2] is not None for key in self._loaded) >= MOST

    def _fits(self, model: Model, context: int) -> bool:
        return self.budget.fits(need(model, context), self._needs())

    def _needs(self) -> list[Need]:
        return [self._pinned.need, *(each.need for each in self._loaded.values())]

    def _fitting(self, model: Model) -> int:
        context = self.context(model)
        if context is None:
            raise self.budget.refusal(model, self._needs(), [self._pinned.need])
        return context

    async def _leave(self, key: Key) -> None:
        loaded = self._loaded.pop(key)
        loaded.left = True
        if not loaded.users:
            await _close(loaded)


def _unknown(name: str) -> ApiError:
    return ApiError(404, f"The model {name[:120]!r} does not exist.", param="model", code="model_not_found")


def _damaged(name: str, why: str) -> ApiError:
    return ApiError(400, f"The model {name[:120]!r} cannot be loaded. {why}", param="model", code="model_damaged")


def _heard(task: asyncio.Task[_Loaded]) -> None:
    """Whoever waits is told of a failure; nobody may be waiting any more."""
    if not task.cancelled():
        task.exception()


async def _soon(condition: asyncio.Condition) -> None:
    try:
        await asyncio.wait_for(condition.wait(), 1)
    except TimeoutError:
        return


async def _close(loaded: _Loaded) -> None:
    try:
        await loaded.generator.llama.aclose()
    finally:
        release(loaded.held)
