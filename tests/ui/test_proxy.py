"""Two apps behind nginx as `deploy/` sets it up: one database, sticky visits, streams that pass as they come."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from gradio_client import Client as Caller

from tests.fakes.server import FakeServer
from tests.ui.serving import App, served

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
TEMPLATE = Path(__file__).parents[2] / "deploy" / "nginx.conf.template"
PHRASE = "open sesame"

pytestmark = pytest.mark.skipif(not Path(NGINX).exists() and not os.environ.get("CI"), reason="needs nginx")


@pytest.fixture(scope="module")
def apps(provider: FakeServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[App, App]]:
    """Over one folder, and so one database: each has a port and a process's state of its own."""
    data = tmp_path_factory.mktemp("proxy") / "data"
    shared = {"shared": True, "password": PHRASE, "host_password": "the host's", "limits": "visitor 3 requests/day"}
    with served(data, provider.url, **shared) as first, served(data, provider.url, **shared) as second:
        yield first, second


@pytest.fixture(scope="module")
def proxy(apps: tuple[App, App], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """nginx's address."""
    folder = tmp_path_factory.mktemp("nginx")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    servers = "\n".join(f"server {app.url.removeprefix('http://')};" for app in apps)
    site = TEMPLATE.read_text().replace("${APPS}", servers).replace("listen 8080", f"listen 127.0.0.1:{port}")
    temporary = "\n".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = folder / "nginx.conf"
    config.write_text(
        f"pid {folder}/pid;\ndaemon off;\nerror_log stderr;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{temporary}\n{site}\n}}\n"
    )
    server = subprocess.Popen([NGINX, "-e", "stderr", "-c", config], stderr=subprocess.PIPE)
    url = f"http://127.0.0.1:{port}"
    for _ in range(100):
        try:
            httpx.get(f"{url}/healthz")
            break
        except httpx.TransportError:
            assert server.poll() is None, server.stderr and server.stderr.read()
            time.sleep(0.05)
    yield url
    server.terminate()
    server.communicate(timeout=10)


def test_visitors_are_spread_over_the_apps_and_each_stays_with_one(apps: tuple[App, App], proxy: str) -> None:
    before = [len(app.deps.everyone) for app in apps]
    visitors = [Caller(proxy, auth=(f"visitor {n}", PHRASE), verbose=False) for n in range(8)]
    for caller in visitors:
        # Three calls of several requests each: one that went to the other app would be lost there.
        for _ in range(3):
            assert caller.predict("Hello", "server/tiny", api_name="/complete")
    assert all(len(app.deps.everyone) > was for app, was in zip(apps, before, strict=True))
    # One database: a limit holds over both.
    with pytest.raises(Exception, match="limit"):
        visitors[0].predict("Hello", "server/tiny", api_name="/complete")
    for caller in visitors:
        caller.close()


def test_a_stream_passes_as_it_comes(apps: tuple[App, App], proxy: str) -> None:
    """What Gradio's queue says is there while the answer stalls for ever: nothing waits for a buffer to fill."""
    complete = next(each for each in apps[0].page.config["dependencies"] if each["api_name"] == "complete")
    with httpx.Client(base_url=proxy, timeout=30) as visitor:
        assert visitor.post("/login", data={"username": "a streamer", "password": PHRASE}).status_code == 200
        values = ["Hello", "server/fault-stall_midstream", *[None] * (len(complete["inputs"]) - 2)]
        asked = {"data": values, "fn_index": complete["id"], "session_hash": "astreamer"}
        visitor.post("/gradio_api/queue/join", json=asked).raise_for_status()
        with visitor.stream("GET", "/gradio_api/queue/data", params={"session_hash": "astreamer"}) as events:
            assert any("process_starts" in line for line in events.iter_lines())


def test_a_visitor_cannot_say_who_they_are_to_the_throttle_and_metrics_stay_inside(proxy: str) -> None:
    with httpx.Client(base_url=proxy) as visitor:
        assert visitor.get("/metrics").status_code == 404
        assert visitor.get("/healthz").headers["x-request-id"]
        assert visitor.get("/").status_code == 401
