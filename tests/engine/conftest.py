"""One real engine with the default model for the whole folder, and a small client for it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest

ROOT = Path(__file__).parents[2]
MODEL = "smollm2-135m-instruct"
KEY = "a-key-of-the-tests"


def _nulls(schema: Any) -> Any:
    """OpenAPI 3.0's `nullable` and its boolean `exclusiveMinimum`, of which the published schema still has some, as
    JSON Schema says them."""
    if isinstance(schema, list):
        return [_nulls(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {name: _nulls(item) for name, item in schema.items()}
    if plain.get("exclusiveMinimum") is True:
        plain["exclusiveMinimum"] = plain.pop("minimum")
    return {"anyOf": [{"type": "null"}, plain]} if plain.pop("nullable", False) is True else plain


SPEC = _nulls(json.loads((ROOT / "tests/fixtures/openai_openapi_subset.json").read_text()))
READY_SECONDS = 120


class Engine:
    """A running engine. `complete` and `chat` give the answer's JSON, `stream` the events before [DONE]."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, key: str | None) -> None:
        self.process = process
        self.url = url
        self.seen: list[dict[str, Any]] = []
        self.http = httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {key}"} if key else {}, timeout=120, trust_env=False
        )

    def wait(self) -> None:
        """Until it is ready; what its health says on the way is in `seen`."""
        until = time.monotonic() + READY_SECONDS
        while time.monotonic() < until:
            assert self.process.poll() is None, "the engine ended"
            try:
                health = self.http.get("/health")
            except httpx.TransportError:
                time.sleep(0.02)
                continue
            self.seen.append({"code": health.status_code, **health.json()})
            if health.status_code == 200:
                return
            time.sleep(0.02)
        raise AssertionError("the engine was not ready in time")

    @property
    def active(self) -> int:
        return int(self.http.get("/health").json()["active"])

    def complete(self, prompt: Any = "The capital of France is", **more: Any) -> dict[str, Any]:
        return self.good("/v1/completions", {"model": MODEL, "prompt": prompt, "max_tokens": 4, **more})

    def chat(self, said: Any = "Say hi.", **more: Any) -> dict[str, Any]:
        messages = said if isinstance(said, list) else [{"role": "user", "content": said}]
        return self.good("/v1/chat/completions", {"model": MODEL, "messages": messages, "max_tokens": 4, **more})

    def good(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self.http.post(path, json=body)
        assert answer.status_code == 200, answer.text
        data: dict[str, Any] = answer.json()
        return data

    def refused(self, path: str, body: Any, status: int = 400) -> dict[str, Any]:
        """The error object, after checking that it has OpenAI's shape."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = self.http.post(path, content=raw, headers={"Content-Type": "application/json"})
        assert answer.status_code == status, answer.text
        error: dict[str, Any] = answer.json()["error"]
        assert set(error) == {"message", "type", "param", "code"}
        return error

    def stream(self, path: str, **body: Any) -> list[dict[str, Any]]:
        with self.http.stream(
            "POST", path, content=json.dumps({"model": MODEL, "max_tokens": 4, "stream": True, **body})
        ) as answer:
            assert answer.status_code == 200, answer.read()
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = [line[6:] for line in answer.iter_lines() if line.startswith("data: ")]
        assert lines[-1] == "[DONE]"
        return [json.loads(line) for line in lines[:-1]]

    def close(self) -> None:
        self.http.close()
        self.process.terminate()
        self.process.wait(10)


def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def start() -> Iterator[Callable[..., Engine]]:
    """`start("--model", path, key=None)`: one more engine; it ends with the tests."""
    running: list[Engine] = []

    def go(*arguments: str, key: str | None = KEY, wait: bool = True) -> Engine:
        at = str(port())
        env = {name: value for name, value in os.environ.items() if not name.startswith("PLAYGROUND_")}
        command = [sys.executable, "-m", "playground.engine", "--port", at, "--parent-pid", str(os.getpid())]
        process = subprocess.Popen(
            [*command, *arguments], cwd=ROOT, env={**env, **({"PLAYGROUND_ENGINE_KEY": key} if key else {})}
        )
        running.append(Engine(process, f"http://127.0.0.1:{at}", key))
        if wait:
            running[-1].wait()
        return running[-1]

    yield go
    for engine in running:
        engine.close()


@pytest.fixture(scope="session")
def engine(start: Callable[..., Engine]) -> Engine:
    return start()


@pytest.fixture(scope="session")
def valid() -> Callable[[str, Any], None]:
    """`valid("CreateCompletionResponse", answer)`: fails unless OpenAI's published schema allows it."""
    validators: dict[str, Any] = {}

    def check(name: str, data: Any) -> None:
        if name not in validators:
            schema = {"$ref": f"#/components/schemas/{name}", "components": SPEC["components"]}
            validators[name] = jsonschema_rs.Draft202012Validator(schema)
        errors = [f"{error.instance_path}: {error.message}"[:300] for error in validators[name].iter_errors(data)]
        assert not errors, errors

    return check
