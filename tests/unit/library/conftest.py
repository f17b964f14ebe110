"""A library over a hub of this machine, and a model of a few hundred kilobytes there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from playground.library import Library
from playground.library.hub import Hub
from playground.library.transfer import Patience
from tests.fakes import tiny_models
from tests.fakes.hub import FakeHub

REPO, FILE, ID = "owner/tiny-GGUF", "Tiny-Q8_0.gguf", "tiny-q8_0"
SOURCE = f"{REPO}:{FILE}"
#: Made anew at once, given up soon: nothing here waits for a real network.
SOON = Patience(silence=5, tries=2, wait=0.01)


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with FakeHub() as running:
        yield running


@pytest.fixture
def weights(tmp_path: Path) -> bytes:
    """A whole GGUF of 800 kB."""
    return tiny_models.write(tmp_path / "weights.gguf", size=200_000).read_bytes()


@pytest.fixture
def open_library(hub: FakeHub, tmp_path: Path) -> Iterator[Callable[..., Library]]:
    """`open_library(token=…, patience=…)`: another start of the app over the same folder."""
    opened: list[Library] = []

    def start(*, token: str | None = None, offline: bool = False, patience: Patience = SOON) -> Library:
        made = Library(tmp_path / "models", hub=Hub(endpoint=hub.url, token=token, offline=offline), patience=patience)
        opened.append(made)
        return made

    yield start
    hub.storage.gate.set()
    for library in opened:
        library.close()


@pytest.fixture
def library(open_library: Callable[..., Library]) -> Library:
    return open_library()


@pytest.fixture
def served(hub: FakeHub, weights: bytes) -> FakeHub:
    """The hub with the model."""
    hub.add(REPO, FILE, weights)
    return hub
