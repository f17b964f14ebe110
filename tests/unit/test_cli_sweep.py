"""`sweep` and `evaluate` as a person runs them, in processes of their own, against a real server."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from playground.settings import Settings
from playground.store import Store
from tests.fakes.replies import Recorded
from tests.fakes.server import FakeServer
from tests.fakes.terminal import Cli

SPEC = {
    "name": "hello",
    "models": ["server/fake"],
    "prompt": "{{q}}",
    "mode": "complete",
    "grid": {"temperature": [0, 0.5], "top_p": [0.5, 1]},
    "dataset": "cases.csv",
    "repeats": 2,
    "metrics": ["exact_match"],
    "concurrency": 4,
}
CALLS = 2 * 2 * 5 * 2


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = "".join(f'question {at},"Hello, world!"\n' for at in range(5))
    (tmp_path / "cases.csv").write_text(f"q,expected\n{rows}")
    (tmp_path / "spec.json").write_text(json.dumps(SPEC))
    return tmp_path


@pytest.fixture
def served(server: FakeServer, environment: dict[str, str]) -> dict[str, str]:
    return {**environment, "OPENAI_BASE_URL": server.url}


def asked(server: FakeServer) -> Counter[tuple[Any, ...]]:
    """How often each (prompt, temperature, top_p) was asked."""
    bodies = [each.body for each in server.requests if each.path == "/v1/completions"]
    return Counter((body["prompt"], body["temperature"], body["top_p"]) for body in bodies)


def test_a_sweep_says_what_it_will_do_runs_and_tells_what_came_of_it(
    folder: Path, cli: Cli, server: FakeServer
) -> None:
    done = cli("sweep", "spec.json", "--yes", "--out", "results", OPENAI_BASE_URL=server.url)
    assert done.returncode == 0, done.stderr
    assert "40 calls = 4 cells × 5 cases × 2 repeats, 4 at once" in done.stderr
    assert "cost: price unknown" in done.stderr
    assert "40 of 40 answered" in done.stdout
    assert "1.000 [1.000, 1.000] n=5  agreement 100%" in done.stdout
    assert "No difference shown" in done.stdout
    assert set(asked(server).values()) == {2}
    rows = list(csv.DictReader(io.StringIO((folder / "results/outputs.csv").read_text("utf-8-sig"))))
    assert len(rows) == CALLS
    assert rows[0]["answer"] == "Hello, world!"
    said = json.loads((folder / "results/report.json").read_text())
    assert len(said["outputs"]) == CALLS
    assert [said["heatmap"][name] for name in ("x", "y")] == ["temperature", "top_p"]
    assert {square["count"] for square in said["heatmap"]["squares"]} == {10}


def test_nothing_runs_where_nobody_agreed(folder: Path, cli: Cli, server: FakeServer) -> None:
    done = cli("sweep", "spec.json", OPENAI_BASE_URL=server.url)
    assert done.returncode == 2
    assert "Add --yes" in done.stderr
    assert asked(server) == {}


def test_json_is_all_that_stands_on_standard_output(folder: Path, cli: Cli, server: FakeServer) -> None:
    said = json.loads(cli("sweep", "spec.json", "--yes", "--json", OPENAI_BASE_URL=server.url).stdout)
    assert (said["answered"], said["verdict"]["winner"], said["state"]) == (CALLS, None, "done")


def test_a_sweep_that_was_killed_asks_nothing_again_that_was_answered(
    folder: Path, cli: Cli, server: FakeServer, served: dict[str, str], settings: Settings
) -> None:
    server.pace = "slow:40"
    child = subprocess.Popen(
        [sys.executable, "-m", "playground", "sweep", "spec.json", "--yes"],
        cwd=folder,
        env=served,
        stderr=subprocess.DEVNULL,
    )
    wait_for(lambda: sum(each.finished_at is not None for each in list(server.requests)) > 14)
    os.kill(child.pid, signal.SIGKILL)
    child.wait(10)
    store = Store.open(settings)
    (left,) = store.sweeps.listed()
    before = {each.number for each in store.sweeps.outputs(left.id)}
    assert left.state == "interrupted"
    assert 0 < len(before) < CALLS
    server.pace = "ok"
    done = cli("sweep", "--resume", left.id[:6], OPENAI_BASE_URL=server.url)
    assert done.returncode == 0, done.stderr
    assert f"{len(before)} of 40 calls are answered" in done.stderr
    assert {each.number for each in store.sweeps.outputs(left.id)} == set(range(CALLS))
    assert sum(asked(server).values()) <= CALLS + SPEC["concurrency"]  # type: ignore[operator]
    store.close()


def test_ctrl_c_pauses_and_says_how_to_go_on(
    folder: Path, cli: Cli, server: FakeServer, served: dict[str, str]
) -> None:
    server.pace = "slow:40"
    child = subprocess.Popen(
        [sys.executable, "-m", "playground", "sweep", "spec.json", "--yes"],
        cwd=folder,
        env=served,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    wait_for(lambda: sum(each.finished_at is not None for each in list(server.requests)) > 8)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=60)
    assert child.returncode == 130, said
    id = said.split("--resume ")[1].split()[0]
    assert cli("sweep", "--resume", id, OPENAI_BASE_URL=server.url).returncode == 0
    assert set(asked(server).values()) == {2}


def test_a_server_that_fails_is_said_and_going_on_asks_again(folder: Path, cli: Cli, server: FakeServer) -> None:
    server.enqueue("ok", *["400"] * 100)
    done = cli("sweep", "spec.json", "--yes", OPENAI_BASE_URL=server.url)
    assert done.returncode == 1
    assert "in a row" in done.stderr
    server._queue.clear()
    id = done.stderr.split("--resume ")[1].split()[0]
    done = cli("sweep", "--resume", id, OPENAI_BASE_URL=server.url)
    assert done.returncode == 0
    assert "40 of 40 answered" in done.stdout


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"grid": {"heat": [1, 2]}}, "heat"),
        ({"grid": {"temperature": []}}, "temperature"),
        ({"grid": {name: {"from": 0, "to": 1, "step": 0.001} for name in ("temperature", "top_p")}}, "combinations"),
        ({"prompt": "{{nothing}}"}, "nothing"),
        ({"budget": 1}, "price of server/fake is not known"),
        ({"dataset": "other.csv"}, "no file"),
        ({"metrics": ["domain"]}, "training texts"),
        ({"metrics": [{"judge": {"model": "server/fake", "criterion": "x" * 501}}]}, "criterion"),
    ],
)
def test_a_spec_that_cannot_run_is_refused_before_anything_is_asked(
    folder: Path, cli: Cli, server: FakeServer, changes: dict[str, Any], said: str
) -> None:
    (folder / "spec.json").write_text(json.dumps({**SPEC, **changes}))
    done = cli("sweep", "spec.json", "--yes", OPENAI_BASE_URL=server.url)
    assert done.returncode == 2
    assert said in done.stderr
    assert asked(server) == {}


def test_models_are_evaluated_side_by_side(folder: Path, cli: Cli, server: FakeServer) -> None:
    server.models = {"object": "list", "data": [{"id": "one"}, {"id": "two"}]}
    done = cli(
        *("evaluate", "cases.csv", "--model", "server/one", "--model", "server/two", "--prompt", "{{q}}"),
        *("--metric", "exact_match", "--metric", "{contains: {text: world}}", "--metric", "distinct", "--yes"),
        OPENAI_BASE_URL=server.url,
    )
    assert done.returncode == 0, done.stderr
    assert "exact_match (higher is better)\n    server/one: 1.000 [1.000, 1.000] n=5  baseline\n" in done.stdout
    assert "server/two: 1.000 [1.000, 1.000] n=5  +0.000 [+0.000, +0.000] p=1 (mcnemar)" in done.stdout
    assert "contains (higher is better)" in done.stdout
    assert "distinct_2, of all answers together" in done.stdout
    assert "No difference shown" in done.stdout


def test_a_baseline_is_evaluated_too_and_checkpoints_join_their_model(
    folder: Path, cli: Cli, server: FakeServer
) -> None:
    tune = "ft:base:us::abc"
    ids = ("base", tune, f"{tune}:ckpt-step-20", f"{tune}:ckpt-step-5", "other")
    server.models = {"object": "list", "data": [{"id": id} for id in ids]}
    about = ("evaluate", "cases.csv", "--prompt", "{{q}}", "--yes")
    done = cli(
        *(*about, "--model", f"server/{tune}", "--baseline", "server/base", "--checkpoints", "--metric", "meteor"),
        *("--out", "results", "--json"),
        OPENAI_BASE_URL=server.url,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    names = [f"server/{id}" for id in ("base", tune, f"{tune}:ckpt-step-5", f"{tune}:ckpt-step-20")]
    assert [each["model"] for each in said["systems"]] == names
    assert (said["baseline"], said["spec"]["baseline"]) == (0, "server/base")
    assert any(note.startswith("METEOR with") for note in said["notes"])
    written = {each.name for each in (folder / "results").iterdir()}
    assert written == {"report.html", "report.json", "outputs.csv"}
    asked_before = len(server.requests)
    again = cli(
        *("evaluate", "--resume", said["id"], "--baseline", f"server/{tune}", "--json"), OPENAI_BASE_URL=server.url
    )
    assert json.loads(again.stdout)["baseline"] == 1
    assert not [each for each in server.requests[asked_before:] if each.path.endswith("completions")]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--model", "server/one", "--checkpoints"), "has checkpoints"),
        ((), "at least one --model"),
        (("--model", "server/one", "--resume", "abc"), "no cases and no models"),
        (("--model", "server/one", "--metric", "domain"), "training texts"),
    ],
)
def test_an_evaluation_that_cannot_be_is_refused_before_anything_is_asked(
    folder: Path, cli: Cli, server: FakeServer, options: tuple[str, ...], said: str
) -> None:
    server.models = {"object": "list", "data": [{"id": "one"}]}
    done = cli("evaluate", "cases.csv", "--prompt", "{{q}}", "--yes", *options, OPENAI_BASE_URL=server.url)
    assert done.returncode == 2
    assert said in done.stderr
    assert not [each for each in server.requests if each.path.endswith("completions")]


def wait_for(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < limit, "it did not happen in time"
        time.sleep(0.02)


@pytest.mark.engine
def test_a_small_sweep_on_the_real_engine(tmp_path: Path, cli: Cli) -> None:
    rows = '"I loved it, it was wonderful.",Positive\n"I hated it, it was awful.",Negative\n'
    (tmp_path / "tweets.csv").write_text(f"tweet,expected\n{rows}")
    spec = {
        "models": ["local/smollm2-135m-instruct"],
        "prompt": "Tweet: It was great.\nSentiment: Positive\nTweet: {{tweet}}\nSentiment:",
        "mode": "complete",
        "parameters": {"max_tokens": 2},
        "grid": {"temperature": [0, 1], "top_p": [0.5, 1]},
        "dataset": "tweets.csv",
        "repeats": 2,
        "metrics": ["label"],
    }
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    done = cli("sweep", "spec.json", "--yes", "--json", "--out", "results", PLAYGROUND_ENGINE="on")
    assert done.returncode == 0, done.stderr
    assert "nothing (this machine's own)" in done.stderr
    said = json.loads(done.stdout)
    assert (said["state"], said["answered"], said["failed"]) == ("done", 16, 0)
    cold = [cell for cell in said["cells"] if cell["varied"]["temperature"] == 0]
    assert {cell["agreement"] for cell in cold} == {1.0}
    assert all(0 <= cell["quality"]["value"] <= 1 and cell["tokens"] > 0 for cell in said["cells"])
    assert "Pareto" in (tmp_path / "results/report.html").read_text()


def paid(server: FakeServer) -> set[int]:
    return set(server.batches.paid.values())


def test_a_sweep_is_sent_as_a_batch_and_read_back(folder: Path, cli: Cli, server: FakeServer) -> None:
    server.batches.on = True
    done = cli("sweep", "spec.json", "--yes", "--batch", OPENAI_BASE_URL=server.url)
    assert done.returncode == 0, done.stderr
    assert "2 repeats, as a batch" in done.stderr
    assert "% off" not in done.stderr
    assert "40 of 40 answered" in done.stdout
    assert "have no latency: 40" in done.stdout
    assert (asked(server), paid(server)) == ({}, {1})


def test_an_evaluation_can_be_a_batch(folder: Path, cli: Cli, server: FakeServer) -> None:
    server.batches.on = True
    command = ("evaluate", "cases.csv", "--prompt", "{{q}}", "--max-tokens", "4", "--yes", "--batch")
    done = cli(*command, "-m", "server/fake", OPENAI_BASE_URL=server.url)
    assert (done.returncode, len(server.batches.made)) == (0, 1), done.stderr
    assert "5 of 5 answered" in done.stdout


def test_a_server_without_batches_is_told_of_and_the_live_way_is_offered(
    folder: Path, cli: Cli, server: FakeServer
) -> None:
    done = cli("sweep", "spec.json", "--yes", "--batch", OPENAI_BASE_URL=server.url)
    assert done.returncode == 1
    assert "it has no /v1/batches" in done.stderr
    assert "Run it live" in done.stderr
    assert asked(server) == {}


def test_ctrl_c_leaves_the_batch_and_says_how_to_come_back_and_how_to_cancel(
    folder: Path, cli: Cli, server: FakeServer, served: dict[str, str]
) -> None:
    server.batches.on = server.batches.hold = True
    child = subprocess.Popen(
        [sys.executable, "-m", "playground", "sweep", "spec.json", "--yes", "--batch"],
        cwd=folder,
        env=served,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    wait_for(lambda: any(each.path.startswith("/v1/batches/") for each in list(server.requests)))
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=60)
    assert child.returncode == 130, said
    id = said.split("--resume ")[1].split()[0]
    assert f"sweep --cancel {id}" in said
    assert server.batches.made["batch_1"]["status"] == "validating"
    server.batches.hold = False
    done = cli("sweep", "--cancel", id, OPENAI_BASE_URL=server.url)
    assert (done.returncode, server.batches.made["batch_1"]["status"]) == (130, "cancelled"), done.stderr
    assert "20 of 40 answered" in done.stdout
    done = cli("sweep", "--resume", id, OPENAI_BASE_URL=server.url)
    assert (done.returncode, paid(server)) == (0, {1}), done.stderr
    assert "40 of 40 answered" in done.stdout


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(("POST", "/v1/files"), id="the file is there"),
        pytest.param(("POST", "/v1/batches"), id="the batch is made"),
        pytest.param(("GET", "/v1/batches/batch_1"), id="it is followed"),
        pytest.param(("GET", "/v1/files/file-2/content"), id="its answers are read"),
    ],
)
def test_a_batch_whose_process_was_killed_is_found_again_and_paid_for_once(
    folder: Path, cli: Cli, server: FakeServer, served: dict[str, str], settings: Settings, moment: tuple[str, str]
) -> None:
    server.batches.on = True
    child = subprocess.Popen(
        [sys.executable, "-m", "playground", "sweep", "spec.json", "--yes", "--batch"],
        cwd=folder,
        env=served,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    killed: list[int] = []

    def kill(request: Recorded) -> None:
        if (request.method, request.path) == moment and not killed:
            os.kill(child.pid, signal.SIGKILL)
            child.wait(30)
            killed.append(child.pid)

    server.heard = kill
    wait_for(lambda: bool(killed))
    store = Store.open(settings)
    (left,) = store.sweeps.listed()
    assert left.state == "interrupted"
    done = cli("sweep", "--resume", left.id, OPENAI_BASE_URL=server.url)
    assert done.returncode == 0, done.stderr
    assert "40 of 40 answered" in done.stdout
    assert (len(server.batches.made), paid(server)) == (1, {1})
    store.close()


@pytest.mark.engine
def test_a_batch_on_the_real_engine_from_end_to_end(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "capitals.csv").write_text("q,expected\nFrance,Paris\nItaly,Rome\nSpain,Madrid\n")
    spec = {
        "models": ["local/smollm2-135m-instruct"],
        "prompt": "The capital of {{q}} is",
        "mode": "complete",
        "parameters": {"max_tokens": 4, "temperature": 0},
        "grid": {"top_p": [0.5, 1]},
        "dataset": "capitals.csv",
        "metrics": ["contains"],
        "batch": True,
    }
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    done = cli("sweep", "spec.json", "--yes", "--out", "results", PLAYGROUND_ENGINE="on")
    assert done.returncode == 0, done.stderr
    assert "as a batch" in done.stderr
    rows = list(csv.DictReader(io.StringIO((tmp_path / "results/outputs.csv").read_text("utf-8-sig"))))
    assert {(row["status"], row["latency"]) for row in rows} == {("done", "")}
    assert len(rows) == 6
    assert all("Paris" in row["answer"] for row in rows if row["expected"] == "Paris")
