"""The models of servers, as they were listed last; and how one server's are asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from playground.errors import PlaygroundError
from playground.neighbours import NeighbourModel
from playground.picker import from_jobs, training_files
from playground.types import ModelInfo

if TYPE_CHECKING:
    from playground.client import Client
    from playground.neighbours import Neighbourhood


@dataclass(frozen=True, slots=True)
class Found:
    """What a server has: its models; by `endpoint/model`, the file that each fine-tuned one was trained on; or why it
    could not be asked."""

    models: Sequence[ModelInfo] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    failure: PlaygroundError | None = None


class Listing:
    """By server. `beside` are other servers' models, which come first."""

    def __init__(self, beside: Listing | None = None) -> None:
        self._beside = beside
        self._found: dict[str, Found] = {}

    @property
    def models(self) -> list[ModelInfo]:
        before = self._beside.models if self._beside else []
        return [*before, *(info for found in self._found.values() for info in found.models)]

    @property
    def failures(self) -> dict[str, PlaygroundError]:
        """By server, why its models could not be listed."""
        own = {name: found.failure for name, found in self._found.items() if found.failure is not None}
        return {**(self._beside.failures if self._beside else {}), **own}

    def training_file(self, ref: str) -> str | None:
        """The file that a fine-tuned model, `endpoint/model`, was trained on."""
        own = next((found.files[ref] for found in self._found.values() if ref in found.files), None)
        return own if own is not None or self._beside is None else self._beside.training_file(ref)

    def replace(self, found: Mapping[str, Found]) -> None:
        """What all servers have, at once."""
        self._found = {name: self._kept(name, each) for name, each in found.items()}

    def put(self, name: str, found: Found) -> None:
        """What one server has, in its place."""
        self._found = {**self._found, name: self._kept(name, found)}

    def remove(self, name: str) -> None:
        self._found = {each: found for each, found in self._found.items() if each != name}

    def _kept(self, name: str, found: Found) -> Found:
        # What a model was trained on stays known while its server is away.
        before = self._found.get(name)
        return replace(found, files={**before.files, **found.files}) if before else found


async def ask(client: Client, name: str, neighbourhood: Neighbourhood) -> Found:
    """What one server has, asked of it now. Never raises a PlaygroundError."""
    server = client.endpoints.get(name)
    if server is None:
        return Found()  # it has left meanwhile
    try:
        models, jobs, said = await asyncio.gather(
            client.models(name), _fine_tunes(client, name), neighbourhood.says(server)
        )
    except PlaygroundError as error:
        return Found(failure=error)
    # OpenAI lists an organisation's fine-tunes; other servers may know them from their jobs alone.
    listed = {info.id for info in models}
    made = [info for info in from_jobs(name, jobs) if info.id not in listed]
    written = [_with(info, said[info.id]) if info.id in said else info for info in models if _writes(info, said)]
    return Found(models=[*written, *made], files=training_files(name, jobs))


async def _fine_tunes(client: Client, name: str) -> list[dict[str, Any]]:
    try:
        return await client.fine_tunes(name)
    except PlaygroundError:
        return []  # what the list of models says of the server is enough


def _writes(info: ModelInfo, said: Mapping[str, NeighbourModel]) -> bool:
    return info.id not in said or said[info.id].writes


def _with(info: ModelInfo, said: NeighbourModel) -> ModelInfo:
    """A model with what its server says of it beside OpenAI's list."""
    meta = {**info.meta, **said.meta(), "on_this_machine": True}
    return replace(info, context_length=said.context or info.context_length, meta=meta)
