"""One small JSON answer from an address of this machine. Whoever listens there may be anything."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import httpx2

MOST = 2_000_000
"""Bytes of an answer that are read. Two hundred models of Ollama's have about 100 KB."""
SECONDS = httpx2.Timeout(1.5, connect=0.5)
"""For each read and for the connection: on this machine a connection is there at once, or it is refused."""


@dataclass(frozen=True, slots=True)
class Heard:
    """An HTTP status, and the JSON that came with a 200; None for anything else."""

    status: int
    json: Any = None

    @property
    def locked(self) -> bool:
        return self.status in (401, 403)


NOTHING = Heard(0)
"""Nobody answered, or not in HTTP, or not in time."""


class Asker:
    """Asks the routes of one address, over one connection where that is kept open."""

    def __init__(self, root: str) -> None:
        # No proxy of the environment stands between this machine and itself, and a redirect could lead anywhere.
        # Nothing is unpacked: what is small on the way could be large in memory.
        self._http = httpx2.AsyncClient(
            base_url=root,
            trust_env=False,
            follow_redirects=False,
            timeout=SECONDS,
            headers={"accept": "application/json", "accept-encoding": "identity"},
        )

    async def __aenter__(self) -> Asker:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._http.aclose()

    async def get(self, path: str) -> Heard:
        return await self._heard("GET", path, None)

    async def post(self, path: str, body: dict[str, Any]) -> Heard:
        return await self._heard("POST", path, body)

    async def _heard(self, method: str, path: str, body: dict[str, Any] | None) -> Heard:
        try:
            async with self._http.stream(method, path, json=body) as answer:
                if answer.status_code != 200:
                    return Heard(answer.status_code)
                raw = bytearray()
                async for part in answer.aiter_raw():
                    raw += part
                    if len(raw) > MOST:
                        return Heard(200)
                return Heard(200, _read(bytes(raw)))
        except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, OSError):
            return NOTHING


def _read(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None
