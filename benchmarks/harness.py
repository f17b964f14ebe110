"""Starts what is measured, each in a process of its own, and speaks Gradio's wire protocol as a browser does."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parent.parent
READY_SECONDS = 60
ANSWER = 300
"""Tokens of an answer for which no number is asked: three seconds at 100 tokens/s."""


@dataclass(frozen=True)
class Figure:
    """One measured goal: `value` is to be at least or at most `goal`."""

    name: str
    value: float
    goal: float
    at_least: bool
    unit: str = ""
    detail: str = ""

    @property
    def reached(self) -> bool:
        return self.value >= self.goal if self.at_least else self.value <= self.goal


def peak_memory() -> int:
    """Bytes that this process held at its most. Not getrusage's: a child inherits its parent's peak there."""
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) * 1024


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(arguments: list[str], url: str, env: Mapping[str, str] | None = None) -> Iterator[tuple[int, float]]:
    """A process that answers at `url`: its pid, and the seconds until it answered with 200."""
    started = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, *arguments], cwd=ROOT, env={**os.environ, **(env or {})}, stdout=subprocess.DEVNULL
    )
    try:
        while True:
            try:
                if httpx.get(url, trust_env=False, timeout=5).status_code == 200:
                    break
            except httpx.HTTPError:
                pass
            if child.poll() is not None or time.perf_counter() - started > READY_SECONDS:
                raise RuntimeError(f"{arguments} did not answer at {url}")
            time.sleep(0.02)
        yield child.pid, time.perf_counter() - started
    finally:
        child.terminate()
        child.wait(15)


@contextmanager
def fake_server() -> Iterator[str]:
    """The test's own OpenAI-like server; a model `fault-NAME` says how it answers. Yields its base URL."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with process(["-m", "tests.fakes.server", "--port", str(port), "--tokens", str(ANSWER)], f"{url}/v1/models"):
        yield f"{url}/v1"


@contextmanager
def app(
    server: str, data: Path | None = None, *, settings: Mapping[str, str] | None = None
) -> Iterator[tuple[str, int, float]]:
    """The real app over `server`: its address, its pid and the seconds until it answered. `data` is its folder, else an
    empty one; `settings` are other variables."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as folder:
        env = {
            "OPENAI_BASE_URL": server,
            "OPENAI_API_KEY": "benchmark",
            "PLAYGROUND_ENGINE": "off",
            "PLAYGROUND_DATA_DIR": str(data or folder),
            **(settings or {}),
        }
        with process(["app.py", "--port", str(port)], f"{url}/readyz", env) as (pid, seconds):
            yield url, pid, seconds


def memory_mib(pid: int | str) -> float:
    """Resident memory, in MiB; of this process for `self`."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no VmRSS")


class Viewer:
    """One page that is open, without a browser: joins the queue and reads the event stream. On a shared page it signs
    in as `name`, with `password`."""

    def __init__(self, url: str, *, name: str = "", password: str = "") -> None:
        self._session = secrets.token_hex(8)
        with httpx.Client(base_url=url, trust_env=False, timeout=60) as opening:
            if name:
                opening.post("/login", data={"username": name, "password": password}).raise_for_status()
            config, cookies = opening.get("/config").json(), opening.cookies
        base = f"{url}/gradio_api"
        self._http = httpx.AsyncClient(base_url=base, timeout=60, trust_env=False, cookies=cookies)
        editor = next(c["id"] for c in config["components"] if c["props"].get("elem_id") == "pg-editor")
        self._submit, self._stop = (
            next(d["id"] for d in config["dependencies"] if [editor, event] in d["targets"])
            for event in ("submit", "stop")
        )

    async def run(self, model: str, prompt: str = "Once") -> AsyncGenerator[tuple[float, str]]:
        """Submit `prompt`; yields (seconds since the click, the editor's text) at each update."""
        page = {"text": prompt, "marks": [], "busy": False}
        data = [page, f"server/{model}", {"max_tokens": 4096}, {}]
        started = time.perf_counter()
        body = {"data": data, "fn_index": self._submit, "session_hash": self._session}
        (await self._http.post("/queue/join", json=body)).raise_for_status()
        values: list[Any] = []
        async with self._http.stream("GET", "/queue/data", params={"session_hash": self._session}) as stream:
            async for line in stream.aiter_lines():
                if not line.startswith("data:"):
                    continue
                message = json.loads(line[5:])
                if message["msg"] == "process_generating":
                    values = _updated(values, message["output"]["data"])
                    yield time.perf_counter() - started, values[0]["text"]
                if message["msg"] == "process_completed":
                    return

    async def stop(self) -> None:
        body = {"data": [], "fn_index": self._stop, "session_hash": self._session}
        (await self._http.post("/run/predict", json=body)).raise_for_status()

    async def aclose(self) -> None:
        await self._http.aclose()


def _updated(values: list[Any], sent: list[Any]) -> list[Any]:
    """Gradio sends the first update whole and then only what changed."""
    from gradio_client.utils import apply_diff

    return list(sent) if not values else [apply_diff(old, change) for old, change in zip(values, sent, strict=True)]


def median(values: list[float]) -> float:
    ordered = sorted(values)
    return ordered[len(ordered) // 2]


def run(measure: Callable[[], Any]) -> Any:
    return asyncio.run(measure())
