"""An engine that trains: a tiny model, whose every step takes a moment, in a folder of the test's own."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from playground.engine.weights import find
from tests.fakes import tiny_gguf

TINY = "tiny"
JOBS = "/v1/fine_tuning/jobs"
ENDED = ("succeeded", "failed", "cancelled")
LONG_SECONDS = 90


def pairs(count: int, *, seed: int = 0) -> list[dict[str, Any]]:
    """Prepared as `prepare_data` does it: a separator after each prompt, an ending after each completion."""
    draw = random.Random(seed)
    liked, disliked = ("great", "lovely", "a joy", "superb"), ("awful", "dull", "a waste", "broken")
    made = []
    for number in range(count):
        good = number % 2 == 0
        said = f"The {draw.choice(['film', 'phone', 'soup', 'song'])} was {draw.choice(liked if good else disliked)}"
        made.append({"prompt": f"{said} {number} ->", "completion": " positive\n" if good else " negative\n"})
    return made


def jsonl(lines: Sequence[Any]) -> bytes:
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


class Trainer:
    """A running engine, and what a test asks of its fine-tuning API."""

    def __init__(self, engine: Any, model: str = TINY, data: Path | None = None) -> None:
        self.engine = engine
        self.data = data
        self.http: httpx.Client = engine.http
        self.model = model

    def upload(self, lines: Any, name: str = "train.jsonl") -> str:
        content = lines if isinstance(lines, bytes) else jsonl(lines)
        said = self.http.post("/v1/files", data={"purpose": "fine-tune"}, files={"file": (name, content)})
        assert said.status_code == 200, said.text
        return str(said.json()["id"])

    def create(self, lines: Any = None, **body: Any) -> dict[str, Any]:
        if "training_file" not in body:
            body["training_file"] = self.upload(pairs(20) if lines is None else lines)
        said: dict[str, Any] = self.engine.good(JOBS, {"model": self.model, "seed": 1, **body})
        return said

    def train(self, lines: Any = None, **numbers: Any) -> dict[str, Any]:
        """A job with these hyperparameters, trained to its end."""
        method = {"type": "supervised", "supervised": {"hyperparameters": numbers}}
        return self.end(self.create(lines, method=method)["id"])

    def job(self, name: str) -> dict[str, Any]:
        said: dict[str, Any] = self.http.get(f"{JOBS}/{name}").json()
        return said

    def end(self, name: str) -> dict[str, Any]:
        return self.until(lambda: (job := self.job(name))["status"] in ENDED and job)

    def step(self, name: str, step: int) -> None:
        """Wait until the job has taken that many steps, with more before it."""
        self.until(lambda: self.job(name)["status"] in ENDED or self.reached(name) >= step)
        assert self.job(name)["status"] == "running", self.said(name)

    def reached(self, name: str) -> int:
        """The last step that the job has said."""
        return max((event["data"].get("step", 0) for event in self.events(name, 20)), default=0)

    def until(self, true: Callable[[], Any]) -> Any:
        """Wait for something that is bound to happen."""
        until = time.monotonic() + LONG_SECONDS
        while time.monotonic() < until:
            if found := true():
                return found
            time.sleep(0.02)
        raise AssertionError("it did not happen")

    def events(self, name: str, limit: int = 100) -> list[dict[str, Any]]:
        """Newest first."""
        found: list[dict[str, Any]] = self.http.get(f"{JOBS}/{name}/events", params={"limit": limit}).json()["data"]
        return found

    def said(self, name: str) -> list[str]:
        """What the job's messages say, oldest first."""
        events, query = [], {"limit": "100"}
        while True:
            page = self.http.get(f"{JOBS}/{name}/events", params=query).json()
            events += page["data"]
            if not page["has_more"]:
                return [event["message"] for event in events if event["type"] == "message"][::-1]
            query["after"] = page["last_id"]

    def curve(self, job: dict[str, Any]) -> list[str]:
        (name,) = job["result_files"]
        return self.http.get(f"/v1/files/{name}/content").text.splitlines()

    def answer(self, model: str, prompt: Any = "The film was great 0 ->", **more: Any) -> str:
        body = {"model": model, "prompt": prompt, "max_tokens": 8, "temperature": 0, **more}
        return str(self.engine.good("/v1/completions", body)["choices"][0]["text"])

    def post(self, path: str) -> httpx.Response:
        return self.http.post(path)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_gguf.write(tmp_path_factory.mktemp("model") / f"{TINY}.gguf", tokenizer_of=find(None).path)


@pytest.fixture(scope="session")
def start_trainer(start: Callable[..., Any], tiny: Path) -> Callable[..., Trainer]:
    """`start_trainer(folder)`: one more engine that trains the tiny model in that folder."""
    return lambda data: Trainer(start("--model", str(tiny), "--data", str(data)), data=data)


@pytest.fixture(scope="session")
def trainer(start_trainer: Callable[..., Trainer], tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    """One for all tests that do not end it."""
    return start_trainer(tmp_path_factory.mktemp("data") / "engine")


@pytest.fixture(scope="session")
def tuned(trainer: Trainer) -> dict[str, Any]:
    """A job that has succeeded, with a validation file and two epochs."""
    valid = trainer.upload(pairs(12, seed=1), "valid.jsonl")
    numbers = {"n_epochs": 2, "batch_size": 4, "learning_rate_multiplier": 3}
    method = {"type": "supervised", "supervised": {"hyperparameters": numbers}}
    return trainer.end(trainer.create(method=method, validation_file=valid, suffix="mood", metadata={"a": "b"})["id"])


@pytest.fixture
def own_trainer(start_trainer: Callable[..., Trainer], tmp_path: Path) -> Iterator[Trainer]:
    """One that the test may end."""
    made = start_trainer(tmp_path / "engine")
    yield made
    if made.engine.process.poll() is None:
        made.engine.process.kill()
        made.engine.process.wait()
