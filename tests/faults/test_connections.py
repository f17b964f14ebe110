"""Who opens a thousand connections and says half a word on each does not close the page to others."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from playground.operations import allow_many_connections
from tests.fakes.server import FakeServer

ROOT = Path(__file__).parents[2]
CONNECTIONS = 1_100
"""More than the 1,024 files that a process may hold where nobody asks for more."""


@pytest.fixture
def page(tmp_path: Path) -> Iterator[str]:
    """The app in a process of its own, begun with the usual bound on open files."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PLAYGROUND_", "OPENAI_"))}
    with FakeServer() as fake:
        child = subprocess.Popen(
            ["sh", "-c", f"ulimit -S -n 1024; exec {sys.executable} {ROOT / 'app.py'}"],
            cwd=tmp_path,
            env={
                **inherited,
                "OPENAI_BASE_URL": fake.url,
                "PLAYGROUND_ENGINE": "off",
                "PLAYGROUND_DATA_DIR": str(tmp_path / "data"),
                "PLAYGROUND_SHARED": "1",
            },
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        found = re.search(r"http://[^/]+", child.stdout.readline())
        assert found is not None
        yield found[0]
        child.terminate()
        child.communicate(timeout=60)


def test_a_thousand_half_requests_leave_the_page_open(page: str) -> None:
    allow_many_connections()  # this process holds their other ends
    host, _, port = page.removeprefix("http://").partition(":")
    with ExitStack() as open_:
        for number in range(CONNECTIONS):
            connection = open_.enter_context(socket.create_connection((host, int(port)), timeout=10))
            if number % 2:  # a header without an end
                connection.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
            else:  # a body of which little comes
                connection.sendall(b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5000\r\n\r\nusername=")
        assert httpx.get(f"{page}/healthz", timeout=30).status_code == 200
        shown = httpx.get(page, headers={"accept": "text/html"}, timeout=30)
        assert (shown.status_code, 'name="password"' in shown.text) == (401, True)
    assert httpx.get(f"{page}/readyz", timeout=30).status_code == 200
