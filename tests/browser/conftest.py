"""The app behind real servers and in front of a real browser: over the engine, and over a server that misbehaves."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from playground.access import host_link, open_entry
from playground.client import Client
from playground.deps import Deps, open_deps
from playground.retry import RetryPolicy
from playground.settings import Settings
from playground.types import Endpoint, Run
from tests.browser.screen import Screen
from tests.conftest import CHROMIUM, CHROMIUM_FLAGS
from tests.fakes import payloads
from tests.fakes.helpers import CANARY
from tests.fakes.server import FakeServer

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here drives the one Chromium, so all of it runs on the loop that Chromium was started on."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)
            # Gradio's own statistics, in a thread: pandas 3 has deprecated the option that Gradio sets.
            item.add_marker(pytest.mark.filterwarnings("ignore:'future.no_silent_downcasting'"))
            item.add_marker(pytest.mark.filterwarnings("ignore:The copy keyword is deprecated"))
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@dataclass(frozen=True, slots=True)
class App:
    """A running page, and what stands behind it."""

    url: str
    deps: Deps
    logged: list[str]

    def last_run(self) -> Run:
        """The newest run, whole."""
        newest = self.deps.store.runs(limit=1)[0]
        run = self.deps.store.run(newest.id)
        assert run is not None
        return run


class Kept(logging.Handler):
    """What the app logs, as text."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(logging.Formatter("%(message)s").format(record))


def _running(settings: Settings) -> Iterator[App]:
    from playground.ui import launch_app

    kept = Kept()
    logging.getLogger().addHandler(kept)
    stderr, factory = sys.stderr, logging.getLogRecordFactory()  # what the redaction replaces

    async def start() -> tuple[Any, str, Deps]:
        # Inside a running loop: outside one, Gradio makes two of its own and leaves them open.
        deps = open_deps(settings)
        if not settings.engine:  # shorter waits between two attempts: the same policy, less of a test's time
            deps.client = Client(settings.endpoints, timeout=settings.timeout, retry=RetryPolicy(base=0.3))
        entry = open_entry(settings, deps.store) if settings.shared else None
        return *launch_app(deps, entry=entry), deps

    page, url, deps = asyncio.run(start())
    yield App(url.rstrip("/"), deps, kept.lines)
    for loop in {loop for loop, _ in deps.client._sdks.values()}:  # connections are closed on the loop they belong to
        asyncio.run_coroutine_threadsafe(deps.client.aclose(), loop).result(10)
    page.close(verbose=False)
    asyncio.run(deps.aclose())
    sys.stderr = stderr
    logging.setLogRecordFactory(factory)
    logging.getLogger().removeHandler(kept)


def _settings(tmp_path_factory: pytest.TempPathFactory, **changes: Any) -> Settings:
    data = tmp_path_factory.mktemp("app") / "data"
    with socket.socket() as probe:  # Gradio's own search for a port leaves a socket open at each that is taken
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return Settings(**{"data_dir": data, "engine": False, "port": port, "timeout": 8.0, **changes})


@pytest.fixture(scope="session")
def engine_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app over the embedded engine and its real model."""
    yield from _running(_settings(tmp_path_factory, engine=True, timeout=60.0))


@pytest.fixture(scope="session")
def fake() -> Iterator[FakeServer]:
    """A model called `fault-NAME` misbehaves by itself: tests stay apart although they share the server."""
    with FakeServer() as server:
        yield server


@pytest.fixture(scope="session")
def fake_app(fake: FakeServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app over the fake server, as OPENAI_BASE_URL names it."""
    server = Endpoint(name="server", kind="compatible", base_url=fake.url, api_key=CANARY)
    gone = Endpoint(name="gone", kind="compatible", base_url="http://127.0.0.1:9/v1")
    yield from _running(_settings(tmp_path_factory, endpoints=(server, gone)))


@pytest.fixture(scope="session")
def openai_app(fake: FakeServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app over the fake server in OpenAI's place: tiktoken counts, and published prices."""
    openai = Endpoint(name="openai", kind="openai", base_url=fake.url, api_key=CANARY)
    yield from _running(_settings(tmp_path_factory, endpoints=(openai,)))


@pytest.fixture(scope="session")
def shared_app(fake: FakeServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app over the fake server in OpenAI's place, shared behind a pass-phrase and within limits."""
    openai = Endpoint(name="openai", kind="openai", base_url=fake.url, api_key=CANARY)
    limits = "$5/day, visitor 40k tokens/day, visitor n=2, visitor max_tokens=2048, visitor calls=10"
    sharing = {"shared": True, "password": "open sesame", "limits": limits}
    yield from _running(_settings(tmp_path_factory, endpoints=(openai,), **sharing))


@pytest.fixture(scope="session")
def openai_server() -> Iterator[FakeServer]:
    """A server that lists models and fine-tuning jobs as OpenAI does, and refuses what OpenAI's models refuse."""
    with FakeServer() as server:
        server.models, server.jobs = payloads.OPENAI_MODELS, payloads.JOBS
        yield server


@pytest.fixture(scope="session")
def openai_like_app(openai_server: FakeServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    openai = Endpoint(name="openai", kind="openai", base_url=openai_server.url, api_key=CANARY)
    yield from _running(_settings(tmp_path_factory, endpoints=(openai,)))


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def browser() -> AsyncIterator[Any]:
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=CHROMIUM_FLAGS)
        yield chromium
        await chromium.close()


class Visits:
    """`screen = await visits(app)`: a person with a browser profile of their own, and all that went wrong meanwhile."""

    def __init__(self, browser: Any) -> None:
        self._browser = browser
        self.contexts: list[Any] = []
        self.problems: list[str] = []

    async def __call__(
        self, app: App, *, model: str | None = None, locale: str = "en-US", width: int = 1280, height: int = 900
    ) -> Screen:
        context = await self._browser.new_context(locale=locale, viewport={"width": width, "height": height})
        self.contexts.append(context)
        page = await context.new_page()
        page.set_default_timeout(15_000)
        self.watch(page)
        screen = Screen(page, app.url)
        await screen.open()
        if model:
            await screen.choose(model)
        return screen

    async def end(self) -> None:
        for context in self.contexts:
            await context.close()
        assert not self.problems

    async def signed_in(
        self, app: App, name: str, phrase: str, *, model: str | None = None, locale: str = "en-US", width: int = 1280
    ) -> Screen:
        """The same on a shared page: the form is filled in first. That it is a 401 is no problem of the page."""
        context = await self._browser.new_context(locale=locale, viewport={"width": width, "height": 900})
        self.contexts.append(context)
        page = await context.new_page()
        page.set_default_timeout(15_000)
        await page.goto(app.url)
        await page.fill("#password", phrase)
        await page.fill("#username", name)
        self.watch(page)
        await page.click("button")
        screen = Screen(page, app.url)
        await screen.ready()
        if model:
            await screen.choose(model)
        return screen

    async def hosting(self, app: App) -> Screen:
        """A shared page as its host opens it, by the link that is printed."""
        context = await self._browser.new_context(locale="en-US", viewport={"width": 1280, "height": 900})
        self.contexts.append(context)
        page = await context.new_page()
        page.set_default_timeout(15_000)
        self.watch(page)
        await page.goto(host_link(app.url, open_entry(app.deps.settings, app.deps.store)))
        screen = Screen(page, app.url)
        await screen.ready()
        return screen

    def left_midway(self) -> None:
        """A page that something was streamed to was left: Gradio says so in the console, and that is no problem."""
        self.problems[:] = [said for said in self.problems if "AbortError" not in said and "errored out" not in said]

    def watch(self, page: Any) -> None:
        """Note every error in the console (a violated CSP is one) and every request to another host."""
        page.on("console", lambda said: said.type == "error" and self.problems.append(f"console: {said.text}"))
        page.on("pageerror", lambda error: self.problems.append(f"exception: {error}"))
        page.on("request", lambda request: self._local(request.url))

    def _local(self, url: str) -> None:
        if re.match(r"(https?|wss?):", url) and urlsplit(url).hostname != "127.0.0.1":
            self.problems.append(f"request: {url}")


@pytest_asyncio.fixture(loop_scope="session")
async def visits(browser: Any) -> AsyncIterator[Visits]:
    """In every browser test, whatever it is about, nothing may leave this machine and no script may fail."""
    made = Visits(browser)
    yield made
    await made.end()


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def faulty(browser: Any, fake_app: App) -> AsyncIterator[Screen]:
    """One visit for a whole file of faults, which takes them one after another as a person would."""
    made = Visits(browser)
    yield await made(fake_app)
    await made.end()
