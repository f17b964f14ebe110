"""A tiny model and its jobs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from playground.engine.training import worker
from playground.engine.training.plan import Plan
from playground.engine.weights import find
from tests.fakes import tiny_gguf
from tests.fakes.plain_llama import PlainLlama

Line = dict[str, Any]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_gguf.write(tmp_path_factory.mktemp("tiny") / "tiny.gguf")


@pytest.fixture(scope="session")
def servable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that llama.cpp serves, with the default model's tokenizer."""
    return tiny_gguf.write(tmp_path_factory.mktemp("servable") / "tiny.gguf", tokenizer_of=find(None).path)


@pytest.fixture(scope="session")
def default() -> Path:
    return find(None).path


def sums(count: int, *, seed: int = 0, vocabulary: int = 60) -> list[Line]:
    """Examples of differing length whose last two tokens follow from their first: something that can be learnt."""
    random = np.random.default_rng(seed)
    lines = []
    for _ in range(count):
        tokens = random.integers(4, vocabulary, random.integers(3, 12)).tolist()
        tokens[0] = tokens[0] % 8 + 4
        label = tokens[0] % 2
        lines.append(
            {
                "tokens": [*tokens, 2 + label, 1],
                "weights": [0] * len(tokens) + [1, 1],
                "label": "odd" if label else "even",
            }
        )
    return lines


def write_lines(path: Path, lines: Sequence[Line]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


MakeJob = Callable[..., Path]


@pytest.fixture
def job(tmp_path: Path, tiny: Path) -> MakeJob:
    """`job(n_epochs=2)`: a folder with a plan and examples, ready for a worker."""

    def make(
        name: str = "job", *, train: Sequence[Line] | None = None, valid: Sequence[Line] | None = (), **plan: Any
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        write_lines(folder / "train.jsonl", sums(20) if train is None else train)
        if valid is None or len(valid):
            write_lines(folder / "valid.jsonl", sums(10, seed=1) if valid is None else valid)
        numbers = {
            "base": tiny,
            "n_epochs": 2,
            "batch_size": 4,
            "seed": 7,
            "context": 64,
            "first_layer": 0,
            "learning_rate": 0.01,
            "rank": 4,
            "nice": 0,
        }
        Plan(**{**numbers, **plan}).write(folder)
        return folder

    return make


@pytest.fixture
def llama() -> Iterator[Callable[..., PlainLlama]]:
    """`llama(path, [adapter])`: a plain llama.cpp until the test ends."""
    running: list[PlainLlama] = []

    def start(path: Path, adapters: Sequence[Path] = ()) -> PlainLlama:
        running.append(PlainLlama(path, adapters))
        return running[-1]

    yield start
    for one in running:
        one.close()


def run(folder: Path, *, stop_at: int | None = None) -> list[Line]:
    """The job in this process; every line that it says. `stop_at`: a stop is asked for when that step is said."""
    lines: list[Line] = []
    worker.run(
        folder,
        Plan.read(folder),
        emit=lines.append,
        stopping=lambda: stop_at is not None and any(line.get("step") == stop_at for line in lines),
    )
    return lines
