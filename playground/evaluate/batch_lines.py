"""A batch's lines: requests written to a file, and what its output and error files say of each, by its call."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from playground.evaluate.plan import Call, Plan
from playground.pricing import batch_terms
from playground.store import BatchKind
from playground.types import CompletionRequest, Request

COMPLETIONS, CHAT = "/v1/completions", "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one file, by default OpenAI's (`data/batch_terms.json`)."""

    requests: int = 0
    bytes: int = 0

    @classmethod
    def published(cls) -> Limits:
        return cls(batch_terms()["requests"], batch_terms()["bytes"])


@dataclass(frozen=True, slots=True)
class Line:
    """What came of one request. `status` and `body` are of the answer; `error` is the line's own, where it was never
    asked: its code is `batch_expired` or `batch_cancelled`, as a rule."""

    number: int
    status: int | None
    body: Any
    error: dict[str, Any] | None


def url_of(request: Request) -> str:
    return COMPLETIONS if isinstance(request, CompletionRequest) else CHAT


def line_of(call: Call, request: Request) -> bytes:
    """The line of a call's request, with the call's number as its custom_id."""
    said = {"custom_id": str(call.number), "method": "POST", "url": url_of(request), "body": request.body()}
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"


def kinds(plan: Plan, numbers: Sequence[int]) -> Iterator[tuple[BatchKind, list[int]]]:
    """The calls by endpoint, model and address: OpenAI takes one model a file, and every server one address."""

    def kind(number: int) -> BatchKind:
        call = plan.call(number)
        model = plan.cells[call.cell].model
        return model.endpoint, model.id, urls[call.cell]

    urls = {cell.number: url_of(plan.request(plan.call(cell.number))) for cell in plan.cells}
    for key, found in groupby(sorted(numbers, key=lambda number: (kind(number), number)), key=kind):
        yield key, list(found)


def write(plan: Plan, numbers: Sequence[int], file: Path) -> None:
    """The file of these calls, which `Limits` were applied to before."""
    with file.open("wb") as out:
        for number in numbers:
            call = plan.call(number)
            out.write(line_of(call, plan.request(call)))


def read(file: Path) -> Iterator[Line]:
    """What a file says, a line each, in its order, but for what is no line of ours."""
    with file.open("rb") as lines:
        for raw in lines:
            found = _line(raw)
            if found is not None:
                yield found


def _line(raw: bytes) -> Line | None:
    try:
        said = json.loads(raw)
        name = said["custom_id"]
        if not isinstance(name, str) or not name.isascii() or not name.isdigit() or len(name) > 9:
            return None
        response, error = said.get("response"), said.get("error")
        answer = response if isinstance(response, dict) else {}
        status = answer.get("status_code")
        # vLLM's run-batch has written the answer without its envelope.
        body = answer.get("body") if "body" in answer or not answer.get("choices") else answer
        status = status if type(status) is int else 200 if body and error is None else None
        return Line(int(name), status, body, error if isinstance(error, dict) else None)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
