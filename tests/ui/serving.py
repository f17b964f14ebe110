"""The app over real HTTP, as it is started, in this process."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from gradio_client import Client as Caller

from playground.access import Entry, open_entry
from playground.deps import Deps, open_deps
from playground.settings import Settings
from playground.types import Endpoint
from tests.fakes.helpers import CANARY

BROWSER = {"accept": "text/html,*/*"}


@dataclass(frozen=True, slots=True)
class App:
    url: str
    deps: Deps
    page: Any
    entry: Entry | None

    def caller(self, name: str) -> Caller:
        return Caller(self.url, auth=(name, self.deps.settings.password or ""), verbose=False)

    def accounts(self) -> dict[str, str]:
        """The ids by the names."""
        return {each.name: each.id for each in self.deps.store.accounts.listed()}

    def browser(self, **headers: str) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={**BROWSER, **headers})


@contextmanager
def served(data: Path, provider: str, **changes: Any) -> Iterator[App]:
    """The app over the server at `provider`; `changes` are other settings."""
    from playground.ui import launch_app

    stderr = sys.stderr
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Endpoint(name="server", kind="compatible", base_url=provider, api_key=CANARY)
    settings = Settings(**{"data_dir": data, "engine": False, "port": port, "endpoints": (server,), **changes})

    async def start() -> App:
        deps = open_deps(settings)
        entry = open_entry(settings, deps.store) if settings.shared else None
        page, url = launch_app(deps, entry=entry)
        return App(url.rstrip("/"), deps, page, entry)

    app = asyncio.run(start())
    yield app
    for loop in {loop for loop, _ in app.deps.client._sdks.values()}:
        asyncio.run_coroutine_threadsafe(app.deps.client.aclose(), loop).result(10)
    app.page.close(verbose=False)
    asyncio.run(app.deps.aclose())
    sys.stderr = stderr
