"""What all tests share: settings that ignore this machine, a real local server, and Chromium."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import pytest
from hypothesis import settings as hypothesis_settings

from playground.settings import VARIABLES, Settings
from tests.fakes.postgres import folder_of_binaries

# Before anything reads them: a developer's own keys, servers and data are no part of a test.
for _name in VARIABLES:
    os.environ.pop(_name, None)
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"

CHROMIUM = Path(os.environ.get("PLAYGROUND_TEST_CHROMIUM", "/usr/bin/chromium"))
CHROMIUM_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Two processes share the tests: one browser and one engine at a time, all else file by file."""
    from xdist.scheduler import LoadScopeScheduling

    class Rooms(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.split("::")[0]
            room = Path(file).parts[1]
            return room if room in ("browser", "engine") else file

    return Rooms(config, log)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """What a machine lacks (Chromium, PostgreSQL, torch) skips the tests that need it, but never in CI."""
    missing = []
    if item.get_closest_marker("browser") and not CHROMIUM.exists():
        missing.append(str(CHROMIUM))
    if item.get_closest_marker("postgresql") and folder_of_binaries() is None:
        missing.append("PostgreSQL (initdb)")
    if item.get_closest_marker("torch") and find_spec("torch") is None:
        missing.append("torch (requirements-finetune.txt)")
    if missing and os.environ.get("CI"):
        pytest.fail(f"CI is set and {missing[0]} is missing.", pytrace=False)
    if missing:
        pytest.skip(f"{missing[0]} is missing.")


# No test fails because a machine is busy.
hypothesis_settings.register_profile("untimed", deadline=None)
hypothesis_settings.load_profile("untimed")


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A folder of the test's own, not made yet."""
    return tmp_path / "data"


class MakeSettings(Protocol):
    def __call__(self, **changes: Any) -> Settings: ...


@pytest.fixture
def make_settings(data_dir: Path) -> MakeSettings:
    """`make_settings(timeout=1)`: settings with a folder of the test's own, no servers and no engine."""

    def make(**changes: Any) -> Settings:
        return Settings(**{"data_dir": data_dir, "engine": False, "port": 0, **changes})

    return make


@pytest.fixture
def settings(make_settings: MakeSettings) -> Settings:
    return make_settings()


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def serve() -> Iterator[Callable[[Any], str]]:
    """`url = serve(app)`: an ASGI application behind a real server on 127.0.0.1 until the test ends."""
    import uvicorn

    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(app: Any) -> str:
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        listener.listen(128)  # connections wait here until the server takes them
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def launch() -> Iterator[Callable[..., str]]:
    """`url = launch(build, **options)`: a Gradio page, built by `build()`, on 127.0.0.1 until the test ends.

    Built and launched inside a running event loop: outside one, Gradio makes two of its own and leaves them open.
    """
    pages: list[Any] = []

    async def start(build: Callable[[], Any], options: dict[str, Any]) -> str:
        demo = build()
        pages.append(demo)
        _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, **options)
        return str(url)

    yield lambda build, **options: asyncio.run(start(build, options))
    for demo in pages:
        demo.close()


@pytest.fixture
async def page() -> AsyncIterator[Any]:
    """A fresh Chromium page (Playwright's async API: its sync one would keep an event loop running between tests)."""
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=CHROMIUM_FLAGS)
        yield await browser.new_page()
        await browser.close()
