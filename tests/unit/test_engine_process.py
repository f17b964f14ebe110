"""The engine's supervisor, against a small real process that speaks as the engine does, and against the engine."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from playground import engine_process
from playground.engine_process import EngineLog, EngineProcess
from playground.errors import EngineError, LibraryError
from playground.library import Library
from tests.fakes import tiny_models

ROOT = Path(__file__).parents[2]

FAKE = '''#!{python}
"""Stands in for `python -m playground.engine`: what it does is read from plan.json beside it, one entry a life."""
import http.server, json, os, pathlib, signal, sys, threading
here = pathlib.Path(__file__).parent
lives = here / "lives.jsonl"
life = len(lives.read_text().splitlines()) if lives.exists() else 0
with lives.open("a") as file:
    file.write(json.dumps({{"argv": sys.argv[1:], "env": dict(os.environ), "pid": os.getpid()}}) + "\\n")
plans = json.loads((here / "plan.json").read_text())
plan = plans[min(life, len(plans) - 1)]
print(plan.get("says", ""), file=sys.stderr, flush=True)
if plan.get("stubborn"):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "exit" in plan:
    sys.exit(plan["exit"])
asked = 0
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        global asked
        asked += 1
        loading = asked <= plan.get("loading", 0) or plan.get("hangs")
        body = b'{{"status":"loading"}}' if loading else b'{{"status":"ok"}}'
        self.send_response(503 if loading else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_DELETE(self):
        self.send_response(plan["deletes"])
        self.send_header("Content-Length", "0")
        self.end_headers()
    def do_POST(self):
        os._exit(int(self.path.rpartition("/")[2]))
    def log_message(self, *_):
        pass
port = int(sys.argv[sys.argv.index("--port") + 1])
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
'''


class Fake:
    """The fake engine's folder: its plan, and what its lives saw."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.python = folder / "python"
        self.python.write_text(FAKE.format(python=sys.executable))
        self.python.chmod(0o755)

    def plan(self, *lives: dict[str, Any]) -> None:
        (self.folder / "plan.json").write_text(json.dumps(lives))

    def lives(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "lives.jsonl").read_text().splitlines()]


@pytest.fixture
def fake(tmp_path: Path) -> Fake:
    return Fake(tmp_path / "fake")


@pytest.fixture
def engine(fake: Fake, tmp_path: Path) -> Iterator[EngineProcess]:
    made = EngineProcess(
        model_path=None, log_path=tmp_path / "logs" / "engine.log", python=str(fake.python), backoff=0.01
    )
    yield made
    made.close()


def until(true: Callable[[], bool]) -> None:
    """Wait for something that is bound to happen."""
    for _ in range(2000):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError("It did not happen.")


def die(engine: EngineProcess, code: int = 1) -> None:
    """Tell the fake engine to exit with `code`, and wait until it has."""
    pid = engine.pid
    connection = http.client.HTTPConnection("127.0.0.1", int(engine.endpoint.base_url.split(":")[2].split("/")[0]))
    connection.request("POST", f"/die/{code}")
    with pytest.raises((http.client.HTTPException, OSError)):
        connection.getresponse()
    connection.close()
    until(lambda: engine.pid != pid)


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


async def test_start_waits_until_the_model_is_loaded_and_says_so(fake: Fake, engine: EngineProcess) -> None:
    fake.plan({"loading": 3})
    messages: list[str] = []
    endpoint = await engine.start(messages.append)
    assert (endpoint.name, endpoint.kind) == ("local", "engine")
    assert endpoint.base_url.startswith("http://127.0.0.1:")
    assert endpoint.base_url.endswith("/v1")
    assert engine.state.phase == "ready"
    assert messages[-1] == "The engine is ready."
    await engine.stop()
    assert engine.state.phase == "stopped"
    assert gone(fake.lives()[0]["pid"])


def test_the_key_is_random_and_never_on_the_command_line_nor_in_the_log(fake: Fake, tmp_path: Path) -> None:
    fake.plan({})
    keys = set()
    for _ in range(2):
        engine = EngineProcess(model_path=None, log_path=tmp_path / "engine.log", python=str(fake.python))
        engine.launch()
        key = engine.wait_ready().api_key
        assert key
        assert key not in repr(engine.endpoint)
        life = fake.lives()[-1]
        assert life["env"]["PLAYGROUND_ENGINE_KEY"] == key
        assert key not in " ".join(life["argv"])
        keys.add(key)
        engine.close()
    assert len(keys) == 2
    log = EngineLog(tmp_path / "x.log", secret="canary")
    with subprocess.Popen(["echo", "key=canary"], stdout=subprocess.PIPE) as child:
        assert child.stdout
        log.follow(child.stdout)
        log.finish()
    assert (tmp_path / "x.log").read_text() == "key=[key]\n"


def test_the_child_gets_the_model_the_data_folder_and_the_parent_but_nobody_elses_secrets(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "LAB_API_KEY", "DATABASE_URL", "PLAYGROUND_PASSWORD", "HF_TOKEN"):
        monkeypatch.setenv(name, "canary")
    fake.plan({})
    engine = EngineProcess(
        model_path=Path("/models/other.gguf"),
        data_dir=Path("/data/engine"),
        models_dir=Path("/data/models"),
        model_memory=5_000_000_000,
        python=str(fake.python),
    )
    engine.launch()
    engine.wait_ready()
    (life,) = fake.lives()
    assert life["argv"][:2] == ["-m", "playground.engine"]
    assert life["argv"][life["argv"].index("--parent-pid") + 1] == str(os.getpid())
    assert life["argv"][life["argv"].index("--data") + 1] == "/data/engine"
    assert life["argv"][life["argv"].index("--models") + 1] == "/data/models"
    assert life["env"]["PLAYGROUND_MODEL_MEMORY"] == "5000000000"
    assert life["env"]["PLAYGROUND_MODEL_PATH"] == "/models/other.gguf"
    assert str(ROOT) in life["env"]["PYTHONPATH"].split(os.pathsep)
    assert "canary" not in life["env"].values()
    engine.close()


def test_an_engine_that_dies_is_started_again_at_the_same_address(fake: Fake, engine: EngineProcess) -> None:
    fake.plan({})
    engine.launch()
    before = engine.wait_ready()
    die(engine)
    until(lambda: engine.state.phase == "ready" and engine.state.restarts == 1)
    assert engine.endpoint == before
    lives = fake.lives()
    assert len(lives) == 2
    assert lives[0]["argv"] == lives[1]["argv"]
    assert lives[0]["env"]["PLAYGROUND_ENGINE_KEY"] == lives[1]["env"]["PLAYGROUND_ENGINE_KEY"]


def test_an_engine_that_is_killed_is_started_again(fake: Fake, engine: EngineProcess) -> None:
    fake.plan({})
    engine.launch()
    engine.wait_ready()
    assert engine.pid
    os.kill(engine.pid, signal.SIGKILL)
    until(lambda: engine.state.phase == "ready" and engine.state.restarts == 1)


def test_five_deaths_within_a_minute_are_enough(fake: Fake, engine: EngineProcess) -> None:
    fake.plan({})
    engine.launch()
    for death in range(engine_process.DEATHS):
        until(lambda death=death: engine.state.phase == "ready" and engine.state.restarts == death)  # type: ignore[misc]
        die(engine, 7)
    until(lambda: engine.state.phase == "failed")
    assert "5 times" in engine.state.message
    assert "exit code 7" in engine.state.message
    assert "engine.log" in engine.state.hint
    assert len(fake.lives()) == 5
    engine.launch()
    engine.wait_ready()
    assert engine.state.phase == "ready", "asked again, it tries again"


@pytest.mark.parametrize("code", [3, 4])
def test_a_missing_or_damaged_model_is_told_at_once_in_the_engines_words(
    fake: Fake, engine: EngineProcess, code: int
) -> None:
    said = json.dumps({"error": "There is no model file at /m.gguf.", "hint": "Correct PLAYGROUND_MODEL_PATH."})
    fake.plan({"says": f"llama.cpp says things\n{said}\nand more", "exit": code})
    engine.launch()
    with pytest.raises(EngineError) as caught:
        engine.wait_ready()
    assert caught.value.message == "There is no model file at /m.gguf."
    assert caught.value.hint == "Correct PLAYGROUND_MODEL_PATH."
    assert engine.state.phase == "failed"
    assert len(fake.lives()) == 1


def test_one_that_cannot_start_gets_a_second_chance_and_then_an_error(fake: Fake, engine: EngineProcess) -> None:
    fake.plan({"exit": 1, "says": "Traceback: no module"})
    engine.launch()
    with pytest.raises(EngineError, match="did not start"):
        engine.wait_ready()
    assert len(fake.lives()) == 2


def test_one_that_starts_at_the_second_time_is_ready(fake: Fake, engine: EngineProcess) -> None:
    fake.plan({"exit": 1}, {})
    engine.launch()
    engine.wait_ready()
    assert engine.state.restarts == 1


def test_a_python_that_is_not_there_is_an_error_and_no_traceback(tmp_path: Path) -> None:
    engine = EngineProcess(model_path=None, python=str(tmp_path / "nothing"))
    engine.launch()
    with pytest.raises(EngineError, match="could not be started"):
        engine.wait_ready()
    engine.close()


def test_waiting_ends_though_the_engine_goes_on_loading(fake: Fake, engine: EngineProcess) -> None:
    fake.plan({"hangs": True})
    engine.launch()
    with pytest.raises(EngineError, match="not ready yet"):
        engine.wait_ready(timeout=0.2)
    assert engine.state.phase == "starting"


def test_an_engine_that_does_not_end_when_asked_is_killed(
    fake: Fake, engine: EngineProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_process, "STOP_SECONDS", 0.3)
    fake.plan({"stubborn": True})
    engine.launch()
    engine.wait_ready()
    pid = engine.pid
    assert pid
    engine.close()
    until(lambda: gone(pid))


def test_launching_twice_starts_one_engine_and_closing_twice_is_fine(fake: Fake, engine: EngineProcess) -> None:
    fake.plan({})
    engine.launch()
    engine.launch()
    engine.wait_ready()
    engine.launch()
    assert len(fake.lives()) == 1
    engine.close()
    engine.close()
    with pytest.raises(EngineError, match="off"):
        engine.wait_ready()


def test_there_is_no_address_before_launch() -> None:
    with pytest.raises(EngineError):
        _ = EngineProcess(model_path=None).endpoint


def test_the_engine_ends_with_an_app_that_just_ends(fake: Fake) -> None:
    fake.plan({})
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from playground.engine_process import EngineProcess\n"
        f"engine = EngineProcess(model_path=None, python={str(fake.python)!r})\n"
        "engine.launch(); engine.wait_ready(); raise SystemExit(0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    (life,) = fake.lives()
    assert gone(life["pid"])


def test_the_log_stays_small_and_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_process, "LOG_BYTES", 1000)
    path = tmp_path / "engine.log"
    log = EngineLog(path, secret="canary")
    with subprocess.Popen(
        [sys.executable, "-c", "for i in range(510): print('x' * 50)"], stdout=subprocess.PIPE
    ) as child:
        assert child.stdout
        log.follow(child.stdout)
        log.finish()
    files = list(tmp_path.iterdir())
    assert {file.name for file in files} == {"engine.log", "engine.log.1"}
    assert all(file.stat().st_size <= 1100 for file in files)
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)


def test_a_log_that_cannot_be_written_costs_the_log_alone(fake: Fake, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    fake.plan({"says": "x" * 100_000})
    engine = EngineProcess(model_path=None, log_path=tmp_path / "file" / "engine.log", python=str(fake.python))
    engine.launch()
    engine.wait_ready()
    engine.close()


real = pytest.mark.skipif(
    not (ROOT / "playground" / "engine" / "__main__.py").exists(), reason="the engine is not there yet"
)


@real
@pytest.mark.engine
async def test_the_real_engine_starts_answers_and_comes_back_after_a_kill(tmp_path: Path) -> None:
    engine = EngineProcess(model_path=None, log_path=tmp_path / "engine.log")
    endpoint = await engine.start()
    pid = engine.pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    until(lambda: engine.state.phase == "ready" and engine.state.restarts == 1)
    assert engine.endpoint == endpoint
    last = engine.pid
    assert last
    await engine.stop()
    assert gone(last)


@real
@pytest.mark.engine
@pytest.mark.parametrize("content", [None, b"this is no model"])
async def test_the_real_engine_names_a_model_it_cannot_use(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "model.gguf"
    if content is not None:
        path.write_bytes(content)
    engine = EngineProcess(model_path=path, log_path=tmp_path / "engine.log")
    with pytest.raises(EngineError, match=r"model") as caught:
        await engine.start()
    assert caught.value.message != "The engine did not start."
    await engine.stop()


@pytest.mark.parametrize(("status", "deleted"), [(200, True), (404, False)])
def test_a_downloaded_model_is_deleted_by_the_engine_that_has_it(
    fake: Fake, engine: EngineProcess, status: int, deleted: bool
) -> None:
    fake.plan({"deletes": status})
    assert engine.delete_model("qwen3-0.6b") is False  # it does not run
    engine.launch()
    engine.wait_ready()
    assert engine.delete_model("qwen3-0.6b") is deleted


@pytest.mark.parametrize(("status", "said"), [(409, "is in use right now"), (500, "status 500")])
def test_a_model_in_use_is_kept_and_the_reason_told(
    fake: Fake, engine: EngineProcess, status: int, said: str, tmp_path: Path
) -> None:
    fake.plan({"deletes": status})
    engine.launch()
    engine.wait_ready()
    library = Library(tmp_path / "models", engine=engine.delete_model)
    mine = tiny_models.write(tmp_path / "mine.gguf")
    library.pull(str(mine))
    library.wait("mine")
    with pytest.raises(LibraryError, match=said):
        library.remove("mine")
    assert [model.id for model in library.installed()] == ["mine"]
    engine.close()
    library.remove("mine")
    assert library.installed() == ()
