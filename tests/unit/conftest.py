"""What the command line's tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from playground.settings import VARIABLES
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
