"""View code: what it shows is run as pasted, and what arrives is the effective request. And runs as files."""

from __future__ import annotations

import ast
import csv
import io
import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.export import COLUMNS, PART, Language, _literal, cell, code, runs, variable
from playground.types import Choice, Endpoint, Run, Usage
from tests.fakes.helpers import CANARY
from tests.fakes.server import FakeServer

HOSTILE = "quote \" ' ''' \\ back\nnew ${x} `tick` </script> 👋 \u202e \x00 JSON\nJSON\nJSON_\r\t$HOME"
CHAT: dict[str, Any] = {
    "model": "fake",
    "messages": [
        {"role": "system", "content": HOSTILE},
        {"role": "user", "content": [{"type": "text", "text": "¿Qué?"}]},
    ],
    "temperature": 0.0,
    "max_completion_tokens": 40,
    "stop": ["\n", " END"],
    "logit_bias": {"50256": -100.0},
    "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}},
    "tools": [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}],
    "parallel_tool_calls": False,
    "reasoning_effort": "low",
}
BODIES = {
    "/completions": {"model": "fake", "prompt": HOSTILE, "max_tokens": 5, "echo": True, "best_of": 1, "top_k": 40},
    "/chat/completions": CHAT,
}


def endpoint(url: str, **more: Any) -> Endpoint:
    return Endpoint(**{"name": "server", "kind": "compatible", "base_url": url, "api_key": CANARY, **more})


def ran(language: Language, text: str, folder: Path) -> str:
    command = {"python": [sys.executable, "pasted.py"], "curl": ["sh", "pasted.sh"]}[language]
    (folder / command[1]).write_text(text, encoding="utf-8")
    env = {**os.environ, "OPENAI_API_KEY": CANARY, "MINE_API_KEY": "other", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("language", ["python", "curl"])
def test_the_code_sends_exactly_the_effective_request(
    language: Language, path: str, stream: bool, tmp_path: Path
) -> None:
    if language == "curl" and not shutil.which("curl"):
        pytest.skip("curl is missing.")
    with FakeServer() as server:
        text = code(language, path=path, body=BODIES[path], endpoint=endpoint(server.url), stream=stream)
        said = ran(language, text, tmp_path)
        (request,) = server.requests
    assert request.path == "/v1" + path
    assert request.body == {**BODIES[path], **({"stream": True} if stream else {})}
    assert request.headers["authorization"] == f"Bearer {CANARY}"
    assert "Hello" in said
    if language == "python":
        assert said.strip() == "Hello, world!"


@pytest.mark.parametrize("language", ["python", "curl", "javascript"])
def test_the_key_is_never_in_the_code_but_its_variable_is(language: Language) -> None:
    for made, name in (
        (endpoint("http://x/v1"), "OPENAI_API_KEY"),
        (endpoint("https://api.openai.com/v1", name="openai", kind="openai"), "OPENAI_API_KEY"),
        (endpoint("http://x/v1", name="my-vllm"), "MY_VLLM_API_KEY"),
    ):
        text = code(language, path="/completions", body={"model": "m", "prompt": "p"}, endpoint=made)
        assert variable(made) == name
        assert name in text
        assert CANARY not in text


@pytest.mark.parametrize("language", ["python", "curl", "javascript"])
def test_a_server_without_a_key_is_sent_none(language: Language) -> None:
    body = {"model": "m", "prompt": "p"}
    for made in (endpoint("http://x/v1", api_key=None), endpoint("http://127.0.0.1:4/v1", kind="engine", name="local")):
        text = code(language, path="/completions", body=body, endpoint=made)
        assert "API_KEY" not in text
        assert CANARY not in text
        assert ("python -m playground.engine --port 8080" in text) == (made.kind == "engine")


def test_openais_own_address_is_left_to_the_sdk() -> None:
    openai = endpoint("https://api.openai.com/v1", name="openai", kind="openai")
    assert "base_url" not in code("python", path="/completions", body={}, endpoint=openai)
    assert "baseURL" not in code("javascript", path="/completions", body={}, endpoint=openai)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", BODIES)
def test_the_javascript_is_javascript_and_holds_the_request(path: str, stream: bool, tmp_path: Path) -> None:
    text = code("javascript", path=path, body=BODIES[path], endpoint=endpoint("http://x/v1"), stream=stream)
    start, end = text.index(".create(") + len(".create("), text.rindex("});\n") + 1
    assert json.loads(text[start:end]) == {**BODIES[path], **({"stream": True} if stream else {})}
    if node := shutil.which("node"):
        (tmp_path / "pasted.mjs").write_text(text, encoding="utf-8")
        subprocess.run([node, "--check", "pasted.mjs"], cwd=tmp_path, check=True, timeout=60)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(JSON)
def test_every_json_value_is_the_same_as_a_python_literal(value: Any) -> None:
    assert ast.literal_eval(_literal(value)) == value


# --- runs ---


def run(number: int = 1, **more: Any) -> Run:
    return Run(
        **{
            "id": f"run{number}",
            "created_at": datetime(2026, 11, 23, tzinfo=UTC),
            "mode": "complete",
            "endpoint": "local",
            "model": "m",
            "status": "done",
            "request": {"prompt": "¿Qué?"},
            "effective_request": {"prompt": "¿Qué?"},
            "choices": (Choice(index=0, text="=1+1", finish_reason="stop"),),
            "usage": Usage(prompt_tokens=3, completion_tokens=4),
            "cost": Decimal("0.000001"),
            "rating": -1,
            **more,
        }
    )


def test_runs_as_jsonl_keep_everything_as_it_is() -> None:
    lines = "".join(runs("jsonl", [run(1), run(2)])).splitlines()
    first = json.loads(lines[0])
    assert len(lines) == 2
    assert first["answers"] == [{"text": "=1+1", "finish_reason": "stop"}]
    assert (first["cost"], first["rating"], first["request"]) == ("0.000001", -1, {"prompt": "¿Qué?"})


def test_runs_as_csv_are_one_row_each_under_their_names() -> None:
    text = "".join(runs("csv", [run(1, error="=cmd|' /C calc'!A0"), run(2)]))
    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))
    assert text.startswith("\ufeff")
    assert rows[0] == list(COLUMNS)
    assert len(rows) == 3
    assert rows[1][COLUMNS.index("error")] == "'=cmd|' /C calc'!A0"
    assert json.loads(rows[2][COLUMNS.index("answers")])[0]["text"] == "=1+1"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1"])
def test_a_cell_that_a_spreadsheet_would_run_is_made_text(text: str) -> None:
    assert cell(text) == "'" + text


@pytest.mark.parametrize("value", ["a=1", "", 7, -7, None, 0.5])
def test_other_cells_stay(value: Any) -> None:
    assert cell(value) == value


@pytest.mark.parametrize(("count", "parts"), [(0, 0), (1, 1), (PART, 1), (PART + 1, 2)])
def test_a_long_history_comes_in_parts(count: int, parts: int) -> None:
    assert len(list(runs("jsonl", (run(i) for i in range(count))))) == parts
