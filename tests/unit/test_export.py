"""View code: what it shows is run as pasted, and what arrives is the effective request. And runs as files."""

from __future__ import annotations

import ast
import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from inspect import signature
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.resources.chat.completions import Completions as Chats
from openai.resources.completions import Completions

from playground.answers import Answer
from playground.export import COLUMNS, NAMED, PART, WIDTH, Language, _literal, cell, code, runs, variable
from playground.types import ChatRequest, Choice, CompletionRequest, Delta, Endpoint, Run, Usage
from tests.fakes.helpers import CANARY
from tests.fakes.server import FakeServer

HOSTILE = (
    "quotes \" ' ''' \"\"\" `tick` back\\slash \\n %s {x} ${x} $HOME $(id) !! </script> <!-- ]]> */ ¿Qué? 漢字 👋👩‍🚀\n"
    "JSON\nJSON_\nEOF\n\r\n\t\x00\x1b[31m\x7f\x85\u200b\u2028\u202e\ufeff\U000e0041 \\"
)
BODIES: dict[str, dict[str, Any]] = {
    "/completions": {
        "model": "fake",
        "prompt": HOSTILE,
        "max_tokens": 5,
        "stop": ["\n", " END", "'", '"'],
        "logit_bias": {"50256": -100.0, "198": 0.5},
        "seed": 2**53 - 1,
        "echo": False,
        "suffix": HOSTILE,
        "top_k": 40,
        "class": {"__proto__": {"__proto__": 1}, HOSTILE: None},
        "timeout": 3,
    },
    "/chat/completions": {
        "model": "fake",
        "messages": [
            {"role": "system", "content": HOSTILE},
            {"role": "user", "content": [{"type": "text", "text": '"__proto__": 1'}], "name": "ana"},
        ],
        "temperature": 0.0,
        "max_completion_tokens": 40,
        "stop": ["\n", " END"],
        "logit_bias": {"50256": -100.0},
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "a", "strict": True, "schema": {"type": "object", "properties": {"__proto__": {}}}},
        },
        "tools": [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}],
        "tool_choice": "none",
        "parallel_tool_calls": False,
        "reasoning_effort": "low",
        "metadata": {"of": HOSTILE},
        "chat_template_kwargs": {"enable_thinking": False},
    },
}
LANGUAGES: tuple[Language, ...] = get_args(Language)

#: Stands in for the npm package, which tests do not install: the same calls, over the wire.
NPM_PACKAGE = """
async function* events(answer) {
  const text = await answer.text();
  for (const line of text.split("\\n")) if (line.startsWith("data: {")) yield JSON.parse(line.slice(6));
}
export default class OpenAI {
  constructor({ apiKey, baseURL }) {
    const to = (path) => ({ create: async (body) => {
      const headers = { Authorization: `Bearer ${apiKey}`, "Content-Type": "application/json" };
      const answer = await fetch(baseURL + path, { method: "POST", headers, body: JSON.stringify(body) });
      return body.stream ? events(answer) : answer.json();
    } });
    this.completions = to("/completions");
    this.chat = { completions: to("/chat/completions") };
  }
}
"""


def endpoint(url: str, **more: Any) -> Endpoint:
    return Endpoint(**{"name": "server", "kind": "compatible", "base_url": url, "api_key": CANARY, **more})


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer() as running:
        yield running


def pasted(language: Language, text: str, folder: Path) -> str:
    """What the code prints when a person pastes it into a file and runs it; skips where there is nothing to run it."""
    needed, tool, file = {
        "python": (sys.executable, sys.executable, "pasted.py"),
        "curl": ("curl", "sh", "pasted.sh"),
        "javascript": ("node", "node", "pasted.mjs"),
    }[language]
    if not shutil.which(needed):
        pytest.skip(f"{needed} is missing.")
    if language == "javascript":
        package = folder / "node_modules" / "openai"
        package.mkdir(parents=True)
        (package / "index.mjs").write_text(NPM_PACKAGE)
        (package / "package.json").write_text('{"name": "openai", "exports": "./index.mjs"}')
    (folder / file).write_text(text, encoding="utf-8")
    keys = {"OPENAI_API_KEY": CANARY, "MY_VLLM_API_KEY": "another"}
    env = {**os.environ, **keys, "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run([tool, file], cwd=folder, env=env, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def answered(language: Language, said: str) -> str:
    """The answer's text: curl prints what the server sends, the SDKs' code the text and a line break."""
    if language != "curl":
        assert said.endswith("\n")
        return said[:-1]
    streamed = [line.removeprefix("data: ") for line in said.splitlines() if line.startswith("data: {")]
    answer = Answer()
    events = [event for part in streamed or [said] for event in answer.read(json.loads(part))]
    return "".join(event.text for event in events if isinstance(event, Delta))


def literal_in(javascript: str) -> Any:
    """The request in the code, read as JSON: only a name that JavaScript takes for something else is written apart."""
    start, end = javascript.index(".create(") + len(".create("), javascript.index("\n});\n") + 2
    return json.loads(javascript[start:end].replace('["__proto__"]:', '"__proto__":'))


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_pasted_code_sends_exactly_the_effective_request_and_prints_the_answer(
    language: Language, path: str, stream: bool, server: FakeServer, tmp_path: Path
) -> None:
    text = code(language, path=path, body=BODIES[path], endpoint=endpoint(server.url), stream=stream)
    said = pasted(language, text, tmp_path)
    (request,) = server.requests
    assert request.path == "/v1" + path
    assert request.body == {**BODIES[path], **({"stream": True} if stream else {})}
    assert request.headers["authorization"] == f"Bearer {CANARY}"
    assert answered(language, said) == "Hello, world!"


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_chunk_without_choices_ends_no_program(
    language: Language, path: str, server: FakeServer, tmp_path: Path
) -> None:
    body = {**BODIES[path], "stream_options": {"include_usage": True}}
    text = code(language, path=path, body=body, endpoint=endpoint(server.url), stream=True)
    assert answered(language, pasted(language, text, tmp_path)) == "Hello, world!"
    assert server.requests[0].body == {**body, "stream": True}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_call_of_a_function_is_printed(language: Language, server: FakeServer, tmp_path: Path) -> None:
    body = {**BODIES["/chat/completions"], "tool_choice": "auto"}
    text = code(language, path="/chat/completions", body=body, endpoint=endpoint(server.url))
    said = pasted(language, text, tmp_path)
    assert "weather" in said
    assert "Lima" in said


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_choice_is_printed(language: Language, server: FakeServer, tmp_path: Path) -> None:
    body = {"model": "fake", "prompt": "p", "n": 2}
    said = pasted(language, code(language, path="/completions", body=body, endpoint=endpoint(server.url)), tmp_path)
    assert said.count("Hello, world!") == 2


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_very_long_text_arrives(language: Language, server: FakeServer, tmp_path: Path) -> None:
    body = {"model": "fake", "prompt": "a line with 'quotes'\n" * 20_000 + "x" * 300_000}
    pasted(language, code(language, path="/completions", body=body, endpoint=endpoint(server.url)), tmp_path)
    assert server.requests[0].body == body


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("about", "sent"),
    [({"name": "my-vllm"}, "Bearer another"), ({"api_key": None}, "Bearer none")],
    ids=["named", "without a key"],
)
def test_each_server_gets_its_own_key_or_one_that_opens_nothing(
    language: Language, about: dict[str, Any], sent: str, server: FakeServer, tmp_path: Path
) -> None:
    body = {"model": "fake", "prompt": "p"}
    text = code(language, path="/completions", body=body, endpoint=endpoint(server.url, **about))
    pasted(language, text, tmp_path)
    expected = None if language == "curl" and sent == "Bearer none" else sent
    assert server.requests[0].headers.get("authorization") == expected


def test_curl_fails_where_the_server_refuses_and_shows_why(server: FakeServer, tmp_path: Path) -> None:
    if not shutil.which("curl"):
        pytest.skip("curl is missing.")
    server.enqueue("400")
    text = code("curl", path="/completions", body={"model": "fake"}, endpoint=endpoint(server.url))
    done = subprocess.run(["sh"], input=text.encode(), cwd=tmp_path, capture_output=True, timeout=60, check=False)
    assert done.returncode == 22
    assert b'"error"' in done.stdout


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("about", "name"),
    [
        ({"name": "server"}, "OPENAI_API_KEY"),
        ({"name": "openai", "kind": "openai", "url": "https://api.openai.com/v1"}, "OPENAI_API_KEY"),
        ({"name": "my-vllm"}, "MY_VLLM_API_KEY"),
        ({"name": "server", "api_key": None}, None),
        ({"name": "local", "kind": "engine"}, None),
    ],
)
def test_the_key_is_never_in_the_code_but_its_variable_is(
    language: Language, about: dict[str, Any], name: str | None
) -> None:
    made = endpoint(**{"url": "http://x/v1", **about})
    text = code(language, path="/completions", body={"model": "m", "prompt": "p"}, endpoint=made)
    assert CANARY not in text
    assert variable(made) == name
    assert re.findall(r"\w+_KEY", text) == ([name] if name else [])


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_engines_code_says_how_to_start_one_that_it_reaches(language: Language) -> None:
    engine = endpoint("http://127.0.0.1:43210/v1", kind="engine", name="local")
    text = code(language, path="/completions", body={"model": "m", "prompt": "p"}, endpoint=engine)
    assert "python -m playground.engine --port 8080" in text
    assert "http://127.0.0.1:8080/v1" in text
    assert "43210" not in text


def test_openais_own_address_is_left_to_the_sdk() -> None:
    openai = endpoint("https://api.openai.com/v1", name="openai", kind="openai")
    body = {"model": "m", "prompt": "p"}
    assert "base_url" not in code("python", path="/completions", body=body, endpoint=openai)
    assert "baseURL" not in code("javascript", path="/completions", body=body, endpoint=openai)
    assert "https://api.openai.com/v1/completions" in code("curl", path="/completions", body=body, endpoint=openai)


@pytest.mark.parametrize(
    ("path", "create", "request_"),
    [("/completions", Completions.create, CompletionRequest), ("/chat/completions", Chats.create, ChatRequest)],
)
def test_what_is_passed_by_name_is_what_the_sdk_takes(path: str, create: Any, request_: Any) -> None:
    takes = set(signature(create).parameters) - {"self", "extra_headers", "extra_query", "extra_body", "timeout"}
    assert NAMED[path] <= takes
    assert {field.name for field in fields(request_)} & takes <= NAMED[path]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", BODIES)
def test_the_javascript_holds_the_request_as_json(path: str, stream: bool) -> None:
    text = code("javascript", path=path, body=BODIES[path], endpoint=endpoint("http://x/v1"), stream=stream)
    assert literal_in(text) == {**BODIES[path], **({"stream": True} if stream else {})}


@pytest.mark.parametrize("language", LANGUAGES)
def test_half_a_character_and_what_cannot_be_seen_are_written_as_escapes(language: Language) -> None:
    body = {"model": "m", "prompt": "\ud83d half \udc4b, turned \u202e, ñ 漢 👋"}
    text = code(language, path="/completions", body=body, endpoint=endpoint("http://x/v1"))
    assert r"\ud83d half \udc4b, turned \u202e, ñ 漢 👋" in text
    assert text.encode()


def test_python_is_written_over_several_lines_that_fit() -> None:
    body = {name: value for name, value in BODIES["/chat/completions"].items() if name not in ("messages", "metadata")}
    text = code("python", path="/chat/completions", body={"messages": [], **body}, endpoint=endpoint("http://x/v1"))
    assert max(map(len, text.splitlines())) <= WIDTH
    assert '    response_format={\n        "type": "json_schema",\n        "json_schema": {\n' in text
    assert '    stop=["\\n", " END"],\n' in text
    assert '    extra_body={"chat_template_kwargs": {"enable_thinking": False}},\n' in text


@pytest.mark.parametrize(
    ("length", "lines"), [(WIDTH - len('    stop=[""],'), 1), (WIDTH - len('    stop=[""],') + 1, 3)]
)
def test_a_list_stays_on_one_line_as_long_as_it_fits_with_its_comma(length: int, lines: int) -> None:
    assert len(_literal(["x" * length], 4, len("stop=")).splitlines()) == lines


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("__proto__"), inner),
    max_leaves=12,
)


@given(JSON)
def test_every_json_value_is_the_same_as_a_python_literal(value: Any) -> None:
    assert ast.literal_eval(_literal(value)) == value


@given(st.dictionaries(st.text(), JSON), st.sampled_from(["curl", "javascript"]))
def test_every_request_is_the_same_in_the_shell_and_in_javascript(body: dict[str, Any], language: Language) -> None:
    text = code(language, path="/completions", body={"model": "m", **body}, endpoint=endpoint("http://x/v1"))
    if language == "javascript":
        assert literal_in(text) == {"model": "m", **body}
    else:
        # As the shell reads it: from the line after <<'JSON' to the first that is JSON, which must be the last.
        inside, after = text.partition("<<'JSON'\n")[2].split("\nJSON\n", 1)
        assert json.loads(inside) == {"model": "m", **body}
        assert after == ""


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


def test_runs_as_jsonl_keep_what_was_thought() -> None:
    thought = Choice(index=0, text="4", finish_reason="stop", reasoning="2+2")
    row = json.loads("".join(runs("jsonl", [run(choices=(thought,))])))
    assert row["answers"] == [{"text": "4", "finish_reason": "stop", "reasoning": "2+2"}]


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
