"""What keeps the app running, over real HTTP: probes, metrics, logs, and how it ends."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client import Client as Caller
from gradio_client.exceptions import AppError

from playground.operations.logs import JsonLines
from tests.fakes.postgres import Postgres, folder_of_binaries
from tests.fakes.server import FakeServer
from tests.ui.serving import App, served

PROMPT = "a prompt that no log has"
TOKEN = "token-of-the-metrics"
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def app(provider: FakeServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with served(tmp_path_factory.mktemp("operations") / "data", provider.url) as app:
        yield app


@pytest.fixture(scope="module")
def shared(provider: FakeServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    data = tmp_path_factory.mktemp("shared") / "data"
    with served(data, provider.url, shared=True, password="open sesame", metrics_token=TOKEN) as app:
        yield app


@pytest.fixture
def lines() -> Iterator[StringIO]:
    """What the JSON log has said."""
    said = StringIO()
    handler = logging.StreamHandler(said)
    handler.setFormatter(JsonLines())
    log = logging.getLogger("playground")
    before = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    yield said
    log.removeHandler(handler)
    log.setLevel(before)


def completed(app: App, model: str = "tiny") -> None:
    caller = Caller(app.url, verbose=False)
    caller.predict(PROMPT, f"server/{model}", api_name="/complete")
    caller.close()


def figures(app: App) -> dict[str, float]:
    text = httpx.get(f"{app.url}/metrics").raise_for_status().text
    return {name: float(value) for name, value in re.findall(r"^([a-z].*) (\S+)$", text, re.MULTILINE)}


def test_probes_say_whether_it_lives_and_whether_it_is_ready(shared: App) -> None:
    with httpx.Client(base_url=shared.url) as machine:
        assert machine.get("/healthz").json() == {"status": "ok"}
        ready = machine.get("/readyz")
        assert (ready.status_code, ready.json()) == (200, {"app": "ok", "store": "ok"})
        assert machine.head("/healthz").status_code == 200
        # Only what is asked for is answered before the doors.
        assert machine.post("/healthz").status_code == 401
        assert machine.get("/healthz/x").status_code == 401


@pytest.mark.postgresql
@pytest.mark.skipif(folder_of_binaries() is None and not os.environ.get("CI"), reason="needs PostgreSQL")
def test_it_is_not_ready_while_its_database_is_away(provider: FakeServer, tmp_path: Path) -> None:
    with (
        Postgres() as database,
        served(tmp_path / "data", provider.url, database_url=database.database()) as app,
        httpx.Client(base_url=app.url, timeout=30) as machine,
    ):
        assert machine.get("/readyz").status_code == 200
        database.stop("immediate")
        until(lambda: machine.get("/readyz").status_code == 503)
        assert machine.get("/readyz").json()["store"] != "ok"
        assert machine.get("/healthz").status_code == 200
        database.start()
        until(lambda: machine.get("/readyz").status_code == 200)


def test_it_is_not_ready_while_it_ends(provider: FakeServer, tmp_path: Path) -> None:
    with served(tmp_path / "data", provider.url) as app, httpx.Client(base_url=app.url) as machine:
        app.deps.turns.close()
        ending = machine.get("/readyz")
        assert (ending.status_code, ending.json()["app"]) == (503, "ending")
        assert machine.get("/healthz").status_code == 200


def test_metrics_count_answers_tokens_and_requests(app: App) -> None:
    completed(app)
    before = figures(app)
    completed(app)
    with pytest.raises(AppError):
        completed(app, "fault-400")
    after = figures(app)

    def grown(name: str) -> float:
        return after[name] - before.get(name, 0)

    of = 'model="tiny",server="server"'
    assert grown(f'playground_answers_total{{{of},status="done"}}') == 1
    assert grown('playground_answers_total{model="fault-400",server="server",status="failed"}') == 1
    assert grown(f'playground_tokens_total{{kind="completion",{of}}}') > 0
    assert grown(f"playground_first_token_seconds_count{{{of}}}") == 1
    assert grown('playground_http_requests_total{status="200"}') > 2
    assert after["process_resident_memory_bytes"] > 1e7


def test_metrics_of_a_shared_page_are_for_who_has_the_token(shared: App) -> None:
    with httpx.Client(base_url=shared.url) as machine:
        assert machine.get("/metrics").status_code == 401
        assert machine.get("/metrics", headers={"authorization": "Bearer wrong"}).status_code == 401
        assert machine.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_names_that_visitors_make_up_do_not_become_series_for_ever(app: App) -> None:
    from playground.operations.metrics import MODELS, Metrics
    from playground.streaming import RunState
    from playground.types import CompletionRequest

    metrics = Metrics(app.deps.turns, lambda _: "compatible")
    for n in range(MODELS + 50):
        metrics.answered(CompletionRequest(endpoint="server", model=f"made-up-{n}", prompt=""), RunState())
    text = metrics.page().decode()
    assert f"made-up-{MODELS - 1}" in text
    assert f"made-up-{MODELS}" not in text
    assert re.search(r'playground_answers_total\{model="other",.*\} 50\.0', text)


def test_every_request_has_an_id_which_its_answer_and_the_log_of_its_run_have(app: App, lines: StringIO) -> None:
    with httpx.Client(base_url=app.url) as somebody:
        assert re.fullmatch(r"[0-9a-f]{32}", somebody.get("/healthz").headers["x-request-id"])
        given = somebody.get("/config?secret=of-mine", headers={"x-request-id": "from-the-proxy-1"})
        assert given.headers["x-request-id"] == "from-the-proxy-1"
        forged = somebody.get("/config", headers={"x-request-id": 'a"} {"level":"error'}).headers["x-request-id"]
        assert re.fullmatch(r"[0-9a-f]{32}", forged)
    completed(app)
    said = [json.loads(line) for line in lines.getvalue().splitlines()]
    asked = [line for line in said if line["message"] == "request"]
    assert {"from-the-proxy-1", forged} <= {line["request"] for line in asked}
    assert all({"method", "path", "status", "seconds"} <= line.keys() for line in asked)
    answer = next(line for line in said if line["message"] == "answer")
    assert answer["request"] in {line["request"] for line in asked}
    assert (answer["account"], answer["server"], answer["model"], answer["status"]) == (
        "host",
        "server",
        "tiny",
        "done",
    )
    assert answer["completion_tokens"] > 0
    assert PROMPT not in lines.getvalue()
    assert "of-mine" not in lines.getvalue()


def test_prompts_are_logged_only_where_the_host_asks_for_them(
    provider: FakeServer, tmp_path: Path, lines: StringIO
) -> None:
    with served(tmp_path / "data", provider.url, log_prompts=True) as app:
        completed(app)
    answer = next(line for line in map(json.loads, lines.getvalue().splitlines()) if line["message"] == "answer")
    assert answer["asked"]["prompt"] == PROMPT
    assert answer["answered"][0]


class Process:
    """`python app.py` in a process of its own over the fake server."""

    def __init__(self, provider: FakeServer, data: Path, **env: str) -> None:
        self.data = data
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PLAYGROUND_", "OPENAI_"))}
        self._child = subprocess.Popen(
            [sys.executable, ROOT / "app.py"],
            cwd=data.parent,
            env={
                **inherited,
                "OPENAI_BASE_URL": provider.url,
                "PLAYGROUND_ENGINE": "off",
                "PLAYGROUND_DATA_DIR": str(data),
                "PLAYGROUND_LOG": "json",
                **env,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A parent that was started in the background has Ctrl-C ignored for its children.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        assert self._child.stdout is not None
        found = re.search(r"http://\S+", self._child.stdout.readline())
        assert found is not None
        self.url = found[0]

    def ended(self, sign: signal.Signals) -> tuple[int, str]:
        """Its exit code, and what it has said on stderr."""
        self._child.send_signal(sign)
        _, said = self._child.communicate(timeout=60)
        return self._child.returncode, said


def one_run(data: Path) -> tuple[str, str, str]:
    """Status, text and error of the one run that is kept; nothing while there is none."""
    from playground.settings import Settings
    from playground.store import Store

    store = Store.open(Settings(data_dir=data, engine=False))
    run = next(iter(store.runs(limit=1)), None)
    store.close()
    return (run.status, run.choices[0].text if run.choices else "", run.error or "") if run else ("", "", "")


def until(true: Callable[[], Any]) -> None:
    """Something that is bound to happen."""
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("sign", "grace", "status"),
    [(signal.SIGTERM, "30", "done"), (signal.SIGTERM, "0.2", "failed"), (signal.SIGINT, "30", "failed")],
)
def test_what_streams_when_it_is_told_to_end_is_kept(
    provider: FakeServer, tmp_path: Path, sign: signal.Signals, grace: str, status: str
) -> None:
    process = Process(provider, tmp_path / "data", PLAYGROUND_GRACE=grace)
    caller = Caller(process.url, verbose=False)
    caller.submit(PROMPT, "server/fault-slow:1", api_name="/complete")
    until(lambda: one_run(tmp_path / "data")[1])
    code, said = process.ended(sign)
    assert (code, PROMPT in said) == (0, False)
    kept, text, error = one_run(tmp_path / "data")
    assert kept == status
    assert text
    assert ("ending" in error) == (status == "failed")
