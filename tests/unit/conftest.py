"""What several of these tests share: the command line, and a server with a client for it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from playground.client import Client
from playground.settings import VARIABLES
from tests.fakes.helpers import endpoint
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
