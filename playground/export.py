"""Taking things out: the current request as code that runs as pasted, and runs as JSONL or CSV.

A key is never written: code reads it from the environment.
"""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal

from playground.settings import OPENAI_URL, key_variable
from playground.types import Endpoint, Run

Language = Literal["python", "curl", "javascript"]
Format = Literal["jsonl", "csv"]

PART = 200
"""Runs that an export hands over at a time."""
WIDTH = 100
"""Columns of the Python that is shown; a longer text stays one literal."""

#: What a spreadsheet would take for the beginning of a formula (OWASP, "CSV Injection").
FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")

#: What `create` of the SDK takes by name (openai 3.54; a test asks the one installed); the rest is its `extra_body`.
_SHARED = {
    "model", "temperature", "top_p", "n", "max_tokens", "frequency_penalty", "presence_penalty", "stop", "seed",
    "logit_bias", "logprobs", "user", "stream", "stream_options",
}  # fmt: skip
NAMED = {
    "/completions": _SHARED | {"prompt", "best_of", "echo", "suffix"},
    "/chat/completions": _SHARED
    | {
        "messages", "max_completion_tokens", "top_logprobs", "response_format", "tools", "tool_choice",
        "parallel_tool_calls", "functions", "function_call", "reasoning_effort", "verbosity", "service_tier", "audio",
        "metadata", "modalities", "moderation", "prediction", "prompt_cache_key", "prompt_cache_options",
        "prompt_cache_retention", "safety_identifier", "store", "web_search_options",
    },
}  # fmt: skip

#: The key and the port of the engine that Playground runs are others at each start: code is for one of one's own.
_ENGINE_URL = "http://127.0.0.1:8080/v1"
_ENGINE = (
    "For an engine started by itself in Playground's folder; it asks for no key:",
    "python -m playground.engine --port 8080   (--model FILE.gguf for a model of your own)",
)


def code(language: Language, *, path: str, body: Mapping[str, Any], endpoint: Endpoint, stream: bool = False) -> str:
    """Code that sends exactly `body` to `path` ("/completions" or "/chat/completions") of `endpoint`, and prints what
    comes back. With `stream` it asks for a stream and prints it as it comes."""
    sent = {**body, **({"stream": True} if stream else {})}
    mark, write = {"python": ("#", _python), "curl": ("#", _curl), "javascript": ("//", _javascript)}[language]
    about = [f"{mark} {line}" for line in _ENGINE] if endpoint.kind == "engine" else []
    return "\n".join([*about, *write(path, sent, endpoint)]) + "\n"


def variable(endpoint: Endpoint) -> str | None:
    """The environment variable of the endpoint's key; None where it needs none, as the engine started alone."""
    return None if endpoint.kind == "engine" or endpoint.api_key is None else key_variable(endpoint.name)


def address(endpoint: Endpoint) -> str:
    """The base URL that code reaches the endpoint at."""
    return _ENGINE_URL if endpoint.kind == "engine" else endpoint.base_url.rstrip("/")


def arguments(path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """`body` as the SDK's `create` takes it: what it does not take by name in its `extra_body`."""
    named = {name: value for name, value in body.items() if name in NAMED[path]}
    extra = {name: value for name, value in body.items() if name not in NAMED[path]}
    return {**named, **({"extra_body": extra} if extra else {})}


def _method(path: str) -> str:
    return path.strip("/").replace("/", ".") + ".create"


def _visible(text: str, escape: Callable[[str], str]) -> str:
    """`text` with what cannot be seen, reorders a line or is half a character as `escape` quotes it; letters stay."""
    return re.sub(r"[^\n -~]", lambda found: found[0] if found[0].isprintable() else escape(found[0])[1:-1], text)


def _json(value: Any) -> str:
    return _visible(json.dumps(value, indent=2, ensure_ascii=False), json.dumps)


# --- Python ---


def _python(path: str, body: Mapping[str, Any], endpoint: Endpoint) -> list[str]:
    key, url = variable(endpoint), address(endpoint)
    options = [f"api_key=os.environ[{_quoted(key)}]" if key else 'api_key="none"']
    if url != OPENAI_URL:
        options.append(f"base_url={_quoted(url)}")
    return [
        *(["import os", ""] if key else []),
        "from openai import OpenAI",
        "",
        f"client = OpenAI({', '.join(options)})",
        f"answer = client.{_method(path)}(",
        *(f"    {name}={_literal(value, 4, len(name) + 1)}," for name, value in arguments(path, body).items()),
        ")",
        *_python_prints(chat="chat" in path, stream=bool(body.get("stream"))),
    ]


def _python_prints(*, chat: bool, stream: bool) -> list[str]:
    if stream:
        text = "choice.delta.content" if chat else "choice.text"
        loops = ["for chunk in answer:", "    for choice in chunk.choices:"]
        return [*loops, f'        print({text} or "", end="", flush=True)', "print()"]
    text = "choice.message.content or choice.message.tool_calls" if chat else "choice.text"
    return ["for choice in answer.choices:", f"    print({text})"]


def _literal(value: Any, indent: int = 0, before: int = 0) -> str:
    """`value`, any JSON, as a Python literal after `indent` spaces and `before` more characters of its line.

    Objects and lists that do not fit into the line are written one item a line.
    """
    if isinstance(value, str):
        return _quoted(value)
    if not isinstance(value, (Mapping, list, tuple)):
        return repr(value)
    if isinstance(value, Mapping):
        left, right = "{", "}"
        names = [f"{_quoted(name)}: " for name in value]
        items = [n + _literal(each, indent + 4, len(n)) for n, each in zip(names, value.values(), strict=True)]
    else:
        left, right = "[", "]"
        items = [_literal(each, indent + 4) for each in value]
    flat = left + ", ".join(items) + right
    if "\n" not in flat and indent + before + len(flat) < WIDTH:
        return flat
    return "\n".join([left, *(" " * (indent + 4) + item + "," for item in items), " " * indent + right])


def _quoted(text: str) -> str:
    """One literal in double quotes."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{_visible(escaped, ascii)}"'


# --- curl ---


def _curl(path: str, body: Mapping[str, Any], endpoint: Endpoint) -> list[str]:
    key = variable(endpoint)
    buffer = " --no-buffer" if body.get("stream") else ""
    return [
        f"curl --fail-with-body --silent --show-error{buffer} {shlex.quote(address(endpoint) + path)} \\",
        *([f'  --header "Authorization: Bearer ${key}" \\'] if key else []),
        "  --header 'Content-Type: application/json' \\",
        # Nothing in the body can end it: a line break inside a text is \n, and no other line of JSON reads JSON.
        "  --data-binary @- <<'JSON'",
        _json(body),
        "JSON",
    ]


# --- JavaScript ---


def _javascript(path: str, body: Mapping[str, Any], endpoint: Endpoint) -> list[str]:
    key, url = variable(endpoint), address(endpoint)
    options = [f"apiKey: process.env.{key}" if key else 'apiKey: "none"']
    if url != OPENAI_URL:
        options.append(f"baseURL: {_json(url)}")
    # JSON is JavaScript, but for a name that would set the object's prototype.
    request = re.sub(r'^( +)"__proto__":', r'\1["__proto__"]:', _json(body), flags=re.MULTILINE)
    return [
        'import OpenAI from "openai";',
        "",
        f"const client = new OpenAI({{ {', '.join(options)} }});",
        f"const answer = await client.{_method(path)}({request});",
        *_javascript_prints(chat="chat" in path, stream=bool(body.get("stream"))),
    ]


def _javascript_prints(*, chat: bool, stream: bool) -> list[str]:
    if stream:
        text = "choice.delta.content" if chat else "choice.text"
        inner = f'  for (const choice of chunk.choices) process.stdout.write({text} ?? "");'
        return ["for await (const chunk of answer) {", inner, "}", "console.log();"]
    text = "choice.message.content || choice.message.tool_calls" if chat else "choice.text"
    return [f"for (const choice of answer.choices) console.log({text});"]


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
                **({"reasoning": choice.reasoning} if choice.reasoning else {}),
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
    if isinstance(value, str) and value.startswith(FORMULA):
        return "'" + value
    return value


def _csv(rows: Iterable[Iterable[Any]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue()
