"""Looks at the usual addresses, and keeps the neighbours that were added."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from playground.errors import refused
from playground.neighbours import kept as keeping
from playground.neighbours.kept import Kept
from playground.neighbours.types import USUAL, Address, Found, Neighbour, NeighbourModel, place
from playground.types import Endpoint

DEADLINE = 3.0
"""Seconds for one address to say who it is; as many again for what is asked model by model."""


class Neighbourhood:
    """This machine's servers. `file` is where those that were added are kept, None for nowhere."""

    def __init__(self, file: Path | None = None, *, addresses: Sequence[Address] = USUAL) -> None:
        self._file = file
        self.addresses = tuple(addresses)
        self.found: Found | None = None
        self._kept = keeping.read(file) if file is not None else ()
        self._lock = threading.Lock()

    @property
    def kept(self) -> tuple[Kept, ...]:
        return self._kept

    def join(self, others: Sequence[Endpoint]) -> tuple[Endpoint, ...]:
        """The servers that were added before, as they stand beside `others`: under free names, none of them twice."""
        self._kept = keeping.settled(self._kept, others)
        return tuple(each.endpoint for each in self._kept)

    async def look(self, *, mine: Iterable[str] = ()) -> Found:
        """Look at every address at once, and remember what was found; takes a few seconds at most, whoever answers.

        `mine` are base URLs of our own (the engine's): those are no neighbours.
        """
        own = {place(url) for url in mine}
        wanted = [each for each in self.addresses if place(each.root) not in own]
        seen = await asyncio.gather(*(_at(each) for each in wanted))
        self.found = Found(
            tuple(each for each in seen if each is not None and each is not _SOMEBODY),
            tuple(address.port for address, each in zip(wanted, seen, strict=True) if each is _SOMEBODY),
        )
        return self.found

    def add(self, url: str, others: Mapping[str, Endpoint]) -> Endpoint:
        """The endpoint that the neighbour found at `url` becomes, kept for the next start. One that is there already is
        not added again. Raises PlaygroundError."""
        found = next((each for each in (self.found or Found()).neighbours if each.url == url), None)
        if found is None:
            raise refused("neighbour_gone")
        if found.locked:
            raise refused("neighbour_locked")
        with self._lock:
            for each in others.values():
                if keeping.same_place(each, url):
                    return each
            made = Kept(keeping.free_name(found.kind, others.keys()), found.kind, url)
            self._save((*self._kept, made))
            return made.endpoint

    def remove(self, name: str) -> None:
        """Forget a server that was added. Raises InvalidRequest for any other."""
        with self._lock:
            left = tuple(each for each in self._kept if each.name != name)
            if len(left) == len(self._kept):
                raise refused("neighbour_not_kept")
            self._save(left)

    def _save(self, kept: tuple[Kept, ...]) -> None:
        if self._file is not None:
            # Another process of ours may have added one meanwhile.
            changed = {each.name for each in (*self._kept, *kept)}
            others = [each for each in keeping.read(self._file) if each.name not in changed]
            keeping.write(self._file, keeping.settled((*kept, *others), ()))
        self._kept = kept

    async def says(self, endpoint: Endpoint) -> dict[str, NeighbourModel]:
        """What a server that was added says of its models, by their ids; nothing where it is not reached."""
        known = next((each for each in self._kept if each.name == endpoint.name), None)
        if known is None:
            return {}
        seen = await _at(Address(known.kind, place(known.url)[1]))
        return {model.id: model for model in seen.models} if seen else {}


_SOMEBODY = Neighbour(kind="llamacpp", url="")
"""Stands for a program that listens, and is none of those we know."""


async def _at(address: Address) -> Neighbour | None:
    """Who answers there: nobody (None), somebody else, or a neighbour."""
    if not await asyncio.to_thread(_listens, address.port):
        return None
    # Not before something listens: the HTTP library takes a while to import.
    from playground.neighbours.asking import Asker
    from playground.neighbours.kinds import filled, recognise

    async with Asker(address.root) as asker:
        try:
            async with asyncio.timeout(DEADLINE):
                found = await recognise(asker, address)
        except TimeoutError:
            return _SOMEBODY
        if found is None:
            return _SOMEBODY
        try:
            async with asyncio.timeout(DEADLINE):
                return await filled(asker, found)
        except TimeoutError:
            return found


def _listens(port: int) -> bool:
    """Whether a connection is taken. First, and by a socket: refused ones then cost nothing."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0
