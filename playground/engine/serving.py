"""Which models answer, by name: the base, and the fine-tunes that are asked for.

Each fine-tune that is loaded has a llama.cpp server of its own, with its one adapter applied. One server for all, told
with every request which adapter to use, was tried first: its cache leaks between adapters, and its slots do not share a
batch across them, so that a fine-tune's first token waits for the end of the base's answer (9.3 s for four answers that
take 3.2 s like this). The weights are mapped once; what each costs is its context's keys and values.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playground.engine.errors import ApiError
from playground.engine.generation import Generator
from playground.engine.llama import Llama
from playground.gguf import GgufError, check_adapter
from playground.memory import available_bytes

MOST = 4
"""Fine-tunes that are loaded at once. The one that was asked longest ago leaves for another."""
RESERVE = 256 * 2**20
"""Bytes of memory that stay free whatever is loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """A fine-tune, or one of its checkpoints, under the `name` it answers to. `created` is in Unix seconds."""

    name: str
    path: Path
    created: int
    base: str
    job: str
    step: int | None = None


@dataclass(slots=True)
class _Loaded:
    """A fine-tune's server. `users` are the requests it is answering; once it has `left`, it ends with the last one."""

    generator: Generator
    users: int = 0
    used: float = field(default_factory=time.monotonic)
    left: bool = False


class Serving:
    """`base` answers always; `find` says which adapter has a name, and None for a name that nobody has."""

    def __init__(self, base: Generator, path: Path, model_id: str, find: Callable[[str], Adapter | None]) -> None:
        self.base = base
        self.model_id = model_id
        self._path = path
        self._find = find
        self._loaded: dict[Path, _Loaded] = {}
        self._loading = asyncio.Lock()
        self._freed = asyncio.Condition()

    @property
    def active(self) -> int:
        """Choices that are being generated now."""
        return self.base.room.active + sum(each.generator.room.active for each in self._loaded.values())

    @property
    def loaded(self) -> int:
        return len(self._loaded)

    def adapter(self, name: str) -> Adapter | None:
        """The adapter of that name, None for the base. Raises a 404 for a name that nobody has."""
        if name == self.model_id:
            return None
        found = self._find(name)
        if found is None:
            raise _unknown(name)
        return found

    @asynccontextmanager
    async def use(self, name: str) -> AsyncGenerator[Generator]:
        """The model of that name, until the block ends. Loading a fine-tune takes half a second to a second."""
        adapter = self.adapter(name)
        if adapter is None:
            yield self.base
            return
        loaded = self._loaded.get(adapter.path) or await self._load(adapter)
        loaded.users += 1
        loaded.used = time.monotonic()
        try:
            yield loaded.generator
        finally:
            loaded.users -= 1
            if loaded.left and not loaded.users:
                await _close(loaded)
            async with self._freed:
                self._freed.notify_all()

    async def drop(self, path: Path) -> None:
        """Forget an adapter: nobody gets it any more, and its memory is free when its last answer has ended."""
        loaded = self._loaded.pop(path, None)
        if loaded is None:
            return
        loaded.left = True
        if not loaded.users:
            await _close(loaded)

    async def _load(self, adapter: Adapter) -> _Loaded:
        async with self._loading:
            if adapter.path in self._loaded:
                return self._loaded[adapter.path]
            await self._make_room()
            try:
                await asyncio.to_thread(check_adapter, adapter.path, self.base.llama.header.architecture)
                llama = await asyncio.to_thread(Llama, self._path, adapter=adapter.path)
            except GgufError:
                if not adapter.path.exists():
                    # Deleted while this request waited for its turn.
                    raise _unknown(adapter.name) from None
                raise ApiError(
                    500,
                    f"llama.cpp cannot load the adapter of {adapter.name!r}. Delete the model, and train it again.",
                    type="server_error",
                    code="adapter_damaged",
                ) from None
            llama.n_params = self.base.llama.n_params
            loaded = _Loaded(Generator(llama))
            # Deleted while it was loaded: it ends with this answer.
            if adapter.path.exists():
                self._loaded[adapter.path] = loaded
            else:
                loaded.left = True
            return loaded

    async def _make_room(self) -> None:
        """Let go of who was asked longest ago, as long as there are too many or too little memory; who is answering is
        waited for. Raises a 503 where even that would not be enough."""
        needed = self.base.llama.kv_bytes + RESERVE
        while len(self._loaded) >= MOST or (self._loaded and available_bytes() < needed):
            idle = [path for path, each in self._loaded.items() if not each.users]
            if idle:
                await self.drop(min(idle, key=lambda path: self._loaded[path].used))
                continue
            async with self._freed:
                # Asked again now and then: memory may also be freed by others.
                await _soon(self._freed)
        if available_bytes() < needed:
            raise ApiError(
                503,
                f"There is not enough memory to load a fine-tune: it takes {needed >> 20} MB, and "
                f"{available_bytes() >> 20} MB are free. Close other programs, or wait for a training job to end.",
                type="server_error",
                code="out_of_memory",
            )


def _unknown(name: str) -> ApiError:
    return ApiError(404, f"The model {name[:120]!r} does not exist.", param="model", code="model_not_found")


async def _soon(condition: asyncio.Condition) -> None:
    try:
        await asyncio.wait_for(condition.wait(), 1)
    except TimeoutError:
        return


async def _close(loaded: _Loaded) -> None:
    await loaded.generator.llama.aclose()
