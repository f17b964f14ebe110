"""The handlers behind the page, and the page's own HTTP interface, without a browser."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from playground.client import Client
from playground.deps import Deps, open_deps
from playground.retry import RetryPolicy
from playground.settings import Settings
from playground.types import Endpoint
from tests.fakes.helpers import CANARY
from tests.fakes.server import FakeServer


@pytest.fixture
def fake() -> Iterator[FakeServer]:
    with FakeServer() as server:
        yield server


@pytest_asyncio.fixture
async def deps(fake: FakeServer, make_settings: Any) -> AsyncIterator[Deps]:
    """The app's parts over the fake server, its models listed."""
    server = Endpoint(name="server", kind="compatible", base_url=fake.url, api_key=CANARY)
    async for made in _open(make_settings(endpoints=(server,))):
        yield made


@pytest_asyncio.fixture
async def priced(fake: FakeServer, make_settings: Any) -> AsyncIterator[Deps]:
    """The same with the server in OpenAI's place: its models have published prices."""
    server = Endpoint(name="openai", kind="openai", base_url=fake.url, api_key=CANARY)
    async for made in _open(make_settings(endpoints=(server,))):
        yield made


async def _open(settings: Settings) -> AsyncIterator[Deps]:
    made = open_deps(settings)
    made.client = Client(made.settings.endpoints, timeout=5, retry=RetryPolicy(base=0.1))
    await made.list_models()
    yield made
    await made.aclose()


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeServer]:
    """The server behind an app that a whole module asks over HTTP."""
    with FakeServer() as server:
        yield server
