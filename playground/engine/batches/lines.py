"""A batch's input file: each line is one request, as OpenAI's reference has it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playground.memory import MB

ENDPOINTS = ("/v1/chat/completions", "/v1/completions")
MOST_LINES = 50_000
MOST_BYTES = 200 * MB
"""Of an input file: OpenAI's own limits."""
LONGEST_LINE = 16 * MB
LONGEST_ID = 512
MOST_ERRORS = 100
"""Lines that are named; there may be more."""


def requests(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a file that was checked. Raises OSError where it is gone."""
    with path.open("rb") as file:
        for line in file:
            if line.strip():
                yield json.loads(line)


def check(path: Path, endpoint: str) -> tuple[int, list[dict[str, Any]]]:
    """How many requests there are, and what is wrong with them, as OpenAI's BatchError."""
    errors: list[dict[str, Any]] = []
    seen: set[str] = set()
    count = 0
    with path.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE + 1), b""), 1):
            if not line.strip():
                continue
            count += 1
            if count > MOST_LINES:
                return count, [
                    *errors,
                    _error("too_many_tasks", f"The file has more than {MOST_LINES} requests.", None),
                ]
            wrong = _wrong(line, endpoint, seen)
            if wrong is not None:
                code, message, param = wrong
                errors.append(_error(code, message, number, param))
            if len(errors) == MOST_ERRORS or len(line) > LONGEST_LINE:
                break
    if not count:
        errors.append(_error("empty_file", "The file has no requests.", None))
    return count, errors


def _wrong(line: bytes, endpoint: str, seen: set[str]) -> tuple[str, str, str | None] | None:
    if len(line) > LONGEST_LINE:
        return "invalid_json_line", f"This line is longer than {LONGEST_LINE // MB} MB.", None
    try:
        about = json.loads(line)
    except (ValueError, RecursionError):
        about = None
    if not isinstance(about, dict):
        return "invalid_json_line", "This line is not a JSON object.", None
    name = about.get("custom_id")
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_ID:
        return "invalid_custom_id", f"custom_id is a text of 1 to {LONGEST_ID} characters.", "custom_id"
    if name in seen:
        return "duplicate_custom_id", "This custom_id was on a line before.", "custom_id"
    seen.add(name)
    if about.get("method") != "POST":
        return "invalid_method", "method is POST.", "method"
    if about.get("url") != endpoint:
        return "mismatched_endpoint", f"url is the batch's endpoint, {endpoint}.", "url"
    body = about.get("body")
    if not isinstance(body, dict):
        return "invalid_body", "body is an object: the request.", "body"
    if body.get("stream"):
        return "invalid_body", "A batch does not stream: leave stream out.", "stream"
    return None


def _error(code: str, message: str, line: int | None, param: str | None = None) -> dict[str, Any]:
    return {"code": code, "message": message, "line": line, "param": param}
