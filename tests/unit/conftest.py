"""What several of these tests share: the command line, and a server with a client for it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from playground.client import Client
from playground.settings import VARIABLES, Settings
from playground.store import Store
from tests.fakes.helpers import endpoint
from tests.fakes.postgres import Postgres
from tests.fakes.server import FakeServer
from tests.fakes.terminal import Cli, cli_in

ROOT = Path(__file__).parents[2]


@pytest.fixture
def environment(data_dir: Path) -> dict[str, str]:
    """This process's environment without the project's variables, and without an engine or a server."""
    kept = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    ours = {"PLAYGROUND_ENGINE": "off", "PLAYGROUND_DATA_DIR": str(data_dir), "PYTHONPATH": str(ROOT)}
    return {**kept, **ours, "PYTHONIOENCODING": "utf-8", "PLAYGROUND_TIMEOUT": "20"}


@pytest.fixture
def cli(environment: dict[str, str], tmp_path: Path) -> Cli:
    """The command line in a folder without a `.env`."""
    return cli_in(tmp_path, environment)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer() as running:
        yield running


@pytest.fixture
async def client(server: FakeServer) -> AsyncIterator[Client]:
    made = Client([endpoint(server)], timeout=30)
    yield made
    await made.aclose()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A server whose database `template` is up to date: copied, one takes a tenth of the time that migrating takes."""
    with Postgres() as server:
        server.make("template")
        folder = tmp_path_factory.mktemp("postgres")
        Store.open(Settings(data_dir=folder, database_url=server.address("template"))).close()
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def kept_in(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Settings]:
    """Settings with each database that there is, in turn."""
    if request.param == "sqlite":
        yield settings
        return
    server = request.getfixturevalue("postgres")
    address = server.database(template="template")
    yield replace(settings, database_url=address)
    server.drop(address)


@pytest.fixture
def store(kept_in: Settings) -> Iterator[Store]:
    opened = Store.open(kept_in)
    yield opened
    opened.close()
