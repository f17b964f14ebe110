"""Taking things out: the current request as code that runs as pasted, and runs as JSONL or CSV.

A key is never written: code reads it from the environment.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from inspect import cleandoc
from typing import Any, Literal

from playground.settings import OPENAI_URL, key_variable
from playground.types import Endpoint, Run

Language = Literal["python", "curl", "javascript"]
Format = Literal["jsonl", "csv"]

PART = 200
"""Runs that an export hands over at a time."""

#: What a spreadsheet would take for the beginning of a formula (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")

#: What the SDK's `create` of each endpoint takes by name; anything else goes through `extra_body`.
_SHARED = {
    "model", "temperature", "top_p", "n", "max_tokens", "frequency_penalty", "presence_penalty", "stop", "seed",
    "logit_bias", "logprobs", "user", "stream",
}  # fmt: skip
_NAMED = {
    "/completions": _SHARED | {"prompt", "best_of", "echo", "suffix"},
    "/chat/completions": _SHARED
    | {
        "messages", "max_completion_tokens", "top_logprobs", "response_format", "tools", "tool_choice",
        "parallel_tool_calls", "reasoning_effort", "verbosity", "service_tier",
    },
}  # fmt: skip
_ENGINE = "Start the embedded engine by itself first: python -m playground.engine --port 8080"


def code(language: Language, *, path: str, body: Mapping[str, Any], endpoint: Endpoint, stream: bool = False) -> str:
    """Code that sends exactly `body` to `path` ("/completions" or "/chat/completions") of `endpoint`, and prints what
    comes back. With `stream` it asks for a stream and prints it as it comes."""
    sent = {**body, **({"stream": True} if stream else {})}
    write = {"python": _python, "curl": _curl, "javascript": _javascript}[language]
    return write(path, sent, endpoint) + "\n"


def variable(endpoint: Endpoint) -> str | None:
    """The environment variable of the endpoint's key; None where it needs none, as the engine started alone."""
    return None if endpoint.kind == "engine" or endpoint.api_key is None else key_variable(endpoint.name)


def _address(endpoint: Endpoint) -> str:
    # The running engine's port is another at each start: the code is for one that is started alone.
    return "http://127.0.0.1:8080/v1" if endpoint.kind == "engine" else endpoint.base_url.rstrip("/")


# --- Python ---


def _python(path: str, body: Mapping[str, Any], endpoint: Endpoint) -> str:
    key = variable(endpoint)
    arguments = [f"api_key=os.environ[{key!r}]".replace("'", '"') if key else 'api_key="none"']
    if _address(endpoint) != OPENAI_URL:
        arguments.append(f"base_url={_literal(_address(endpoint))}")
    call = "client.chat.completions.create" if "chat" in path else "client.completions.create"
    lines = [f"# {_ENGINE}"] if endpoint.kind == "engine" else []
    lines += ["import os", ""] if key else []
    lines += ["from openai import OpenAI", "", f"client = OpenAI({', '.join(arguments)})", f"answer = {call}("]
    named = {name: value for name, value in body.items() if name in _NAMED[path]}
    extra = {name: value for name, value in body.items() if name not in _NAMED[path]}
    lines += [f"    {name}={_literal(value, 4)}," for name, value in named.items()]
    lines += [f"    extra_body={_literal(extra, 4)},"] if extra else []
    return "\n".join([*lines, ")", *_PRINTS["python", bool(body.get("stream"))]["chat" in path]])


def _literal(value: Any, indent: int = 0) -> str:
    """`value`, any JSON, as a Python literal; long lists and objects one item a line."""
    if isinstance(value, str):
        return _quoted(value)
    if not isinstance(value, (Mapping, list, tuple)):
        return repr(value)
    pairs = isinstance(value, Mapping)
    inner = indent + 4
    items = (
        [f"{_quoted(str(key))}: {_literal(each, inner)}" for key, each in value.items()]
        if isinstance(value, Mapping)
        else [_literal(each, inner) for each in value]
    )
    left, right = "{}" if pairs else "[]"
    flat = left + ", ".join(items) + right
    if len(flat) + indent <= 88 and "\n" not in flat:
        return flat
    pad = " " * inner
    return f"{left}\n" + "".join(f"{pad}{item},\n" for item in items) + " " * indent + right


def _quoted(text: str) -> str:
    """A Python string in double quotes, as one literal; what cannot be seen is escaped, letters stay."""
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return '"' + "".join(escapes.get(c) or (c if c.isprintable() else _escaped(c)) for c in text) + '"'


def _escaped(c: str) -> str:
    return f"\\x{ord(c):02x}" if ord(c) < 256 else f"\\u{ord(c):04x}" if ord(c) < 0x10000 else f"\\U{ord(c):08x}"


# --- curl ---


def _curl(path: str, body: Mapping[str, Any], endpoint: Endpoint) -> str:
    text = json.dumps(body, indent=2, ensure_ascii=False).encode("utf-8", "replace").decode()
    end = "JSON"
    while end in text.splitlines():
        end += "_"
    key = variable(endpoint)
    buffer = " --no-buffer" if body.get("stream") else ""
    lines = [f"# {_ENGINE}"] if endpoint.kind == "engine" else []
    lines.append(f"curl --fail-with-body --silent --show-error{buffer} {_shell(_address(endpoint) + path)} \\")
    if key:
        lines.append(f'  --header "Authorization: Bearer ${key}" \\')
    lines += ["  --header 'Content-Type: application/json' \\", f"  --data-binary @- <<'{end}'", text, end]
    return "\n".join(lines)


def _shell(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


# --- JavaScript ---


def _javascript(path: str, body: Mapping[str, Any], endpoint: Endpoint) -> str:
    key = variable(endpoint)
    options = [f"apiKey: process.env.{key}" if key else 'apiKey: "none"']
    if _address(endpoint) != OPENAI_URL:
        options.append(f"baseURL: {json.dumps(_address(endpoint))}")
    call = "openai.chat.completions.create" if "chat" in path else "openai.completions.create"
    # JSON is JavaScript; ECMAScript 2019 took in the two separators that once were not.
    text = json.dumps(body, indent=2, ensure_ascii=False)
    lines = [f"// {_ENGINE}"] if endpoint.kind == "engine" else []
    lines += ['import OpenAI from "openai";', "", f"const openai = new OpenAI({{ {', '.join(options)} }});"]
    lines += [f"const answer = await {call}({text});"]
    return "\n".join([*lines, *_PRINTS["javascript", bool(body.get("stream"))]["chat" in path]])


def _lines(text: str) -> list[str]:
    return cleandoc(text).splitlines()


#: (language, streamed) → what is printed for completions, and for chats.
_PRINTS: dict[tuple[str, bool], tuple[list[str], list[str]]] = {
    ("python", False): (
        _lines("""
            for choice in answer.choices:
                print(choice.text)"""),
        _lines("""
            for choice in answer.choices:
                print(choice.message.content or choice.message.tool_calls)"""),
    ),
    ("python", True): (
        _lines("""
            for chunk in answer:
                for choice in chunk.choices:
                    print(choice.text, end="", flush=True)
            print()"""),
        _lines("""
            for chunk in answer:
                for choice in chunk.choices:
                    print(choice.delta.content or "", end="", flush=True)
            print()"""),
    ),
    ("javascript", False): (
        _lines("for (const choice of answer.choices) console.log(choice.text);"),
        _lines("for (const { message } of answer.choices) console.log(message.content ?? message.tool_calls);"),
    ),
    ("javascript", True): (
        _lines("""
            for await (const chunk of answer) {
              for (const choice of chunk.choices) process.stdout.write(choice.text ?? "");
            }"""),
        _lines("""
            for await (const chunk of answer) {
              for (const choice of chunk.choices) process.stdout.write(choice.delta?.content ?? "");
            }"""),
    ),
}


# --- runs ---

COLUMNS = (
    "id", "created_at", "mode", "endpoint", "model", "status", "rating", "prompt_tokens", "completion_tokens",
    "cached_tokens", "reasoning_tokens", "usage_estimated", "cost", "latency", "time_to_first_token", "error",
    "request", "answers",
)  # fmt: skip


def runs(kind: Format, found: Iterable[Run]) -> Iterator[str]:
    """The file of `found` in parts, the CSV with a byte order mark so that spreadsheets read its UTF-8."""
    if kind == "csv":
        yield "\ufeff" + _csv([COLUMNS])
    part: list[Run] = []
    for run in found:
        part.append(run)
        if len(part) == PART:
            yield _written(kind, part)
            part = []
    if part:
        yield _written(kind, part)


def _written(kind: Format, part: list[Run]) -> str:
    rows = [_row(run) for run in part]
    if kind == "jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return _csv([_cells(row) for row in rows])


def _row(run: Run) -> dict[str, Any]:
    usage = run.usage
    return {
        "id": run.id,
        "created_at": run.created_at.isoformat(),
        "mode": run.mode,
        "endpoint": run.endpoint,
        "model": run.model,
        "status": run.status,
        "rating": run.rating,
        "prompt_tokens": usage and usage.prompt_tokens,
        "completion_tokens": usage and usage.completion_tokens,
        "cached_tokens": usage and usage.cached_tokens,
        "reasoning_tokens": usage and usage.reasoning_tokens,
        "usage_estimated": usage and usage.estimated,
        "cost": None if run.cost is None else format(run.cost, "f"),
        "latency": run.latency,
        "time_to_first_token": run.time_to_first_token,
        "error": run.error,
        "request": dict(run.effective_request),
        "answers": [
            {
                "text": choice.text,
                "finish_reason": choice.finish_reason,
                **({"tool_calls": [call.body() for call in choice.tool_calls]} if choice.tool_calls else {}),
            }
            for choice in run.choices
        ],
    }


def _cells(row: Mapping[str, Any]) -> list[Any]:
    return [cell(row[name]) for name in COLUMNS]


def cell(value: Any) -> Any:
    """A CSV cell that no spreadsheet runs: text that looks like a formula gets an apostrophe before it."""
    if isinstance(value, (dict, list)):
        value = json.dumps(value, ensure_ascii=False)
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return value


def _csv(rows: Iterable[Iterable[Any]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue()
