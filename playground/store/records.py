"""A `Run` as a row and back. Nothing here touches a database."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from playground.types import Choice, Mode, Run, RunStatus, TokenLogprob, ToolCall, Usage

SEARCHED = 100_000
"""Characters of a prompt and of an answer that search sees. `request` and `choices` hold the whole."""

IMPOSSIBLE = -9999.0
"""What OpenAI's API reports for a token too unlikely to have a logprob; stands for -inf, which JSON does not have."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PICODOLLAR = Decimal(1).scaleb(-12)

Row = dict[str, Any]


class Cursor(NamedTuple):
    """A place in the history: runs `before` it are older, and of the same microsecond those with a smaller id."""

    created_at: datetime
    id: str

    @classmethod
    def of(cls, run: Run) -> Cursor:
        return cls(run.created_at, run.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A run as a list shows it: `prompt` and `answer` are only their beginnings."""

    id: str
    created_at: datetime
    mode: Mode
    endpoint: str
    model: str
    status: RunStatus
    usage: Usage | None
    cost: Decimal | None
    latency: float | None
    time_to_first_token: float | None
    rating: int | None
    error: str | None
    prompt: str
    answer: str


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970 UTC. ValueError without a time zone: its meaning would depend on the machine."""
    if moment.tzinfo is None:
        raise ValueError("A moment needs a time zone.")
    return (moment - EPOCH) // timedelta(microseconds=1)


def moment(value: int) -> datetime:
    return EPOCH + timedelta(microseconds=value)


def picodollars(cost: Decimal | None) -> int | None:
    """Dollars as integer picodollars; exact for prices of up to six decimals per million tokens, else rounded."""
    return None if cost is None else int((cost / PICODOLLAR).to_integral_value())


def dollars(cost: int | None) -> Decimal | None:
    return None if cost is None else Decimal(cost).scaleb(-12).normalize() + 0


def dump_json(value: Any) -> str:
    """JSON that every database takes: readable UTF-8, escaped only where it holds a lone surrogate."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_plain)
    return json.dumps(value, separators=(",", ":"), default=_plain) if _has_surrogate(text) else text


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def _has_surrogate(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def searchable(text: str) -> str:
    """The part that search sees, without what a database refuses in text: NUL (PostgreSQL) and lone surrogates."""
    return text[:SEARCHED].replace("\0", "\ufffd").encode(errors="replace").decode()


def prompt_text(request: Mapping[str, Any]) -> str:
    """What the person wrote: the prompt, the instruction and its input, or the text of all messages."""
    if "instruction" in request:
        return f"{request['instruction']}\n\n{request.get('input') or ''}".strip()
    if "messages" not in request:
        return str(request.get("prompt") or "")
    return "\n\n".join(filter(None, (_content(message.get("content")) for message in request["messages"])))


def _content(content: Any) -> str:
    if isinstance(content, Sequence) and not isinstance(content, str):
        texts = (part.get("text") for part in content if isinstance(part, Mapping))
        return "\n".join(text for text in texts if isinstance(text, str))
    return str(content or "")


def created(run: Run) -> Row:
    """The columns that a run is started with and that never change."""
    return {
        "id": run.id,
        "created_at": microseconds(run.created_at),
        "mode": run.mode,
        "endpoint": run.endpoint,
        "model": run.model,
        "prompt": searchable(prompt_text(run.request)),
        "request": run.request,
        "effective_request": None if run.effective_request == run.request else run.effective_request,
    }


def progress(run: Run) -> Row:
    """The columns that grow while a run streams. Logprobs come with the end: every second they would cost too much."""
    usage = run.usage
    return {
        "status": run.status,
        "answer": searchable("\n\n".join(choice.text for choice in run.choices)),
        "choices": [_kept(choice) for choice in run.choices],
        "prompt_tokens": usage and usage.prompt_tokens,
        "completion_tokens": usage and usage.completion_tokens,
        "cached_tokens": usage and usage.cached_tokens,
        "reasoning_tokens": usage and usage.reasoning_tokens,
        "usage_estimated": usage and usage.estimated,
        "cost": picodollars(run.cost),
        "latency": run.latency,
        "time_to_first_token": run.time_to_first_token,
        "error": None if run.error is None else searchable(run.error),
    }


def _kept(choice: Choice) -> Row:
    row: Row = {"index": choice.index, "text": choice.text, "finish_reason": choice.finish_reason}
    if choice.tool_calls:
        row["tool_calls"] = [[call.id, call.name, call.arguments] for call in choice.tool_calls]
    if choice.reasoning:
        row["reasoning"] = choice.reasoning
    return row


def finished(run: Run) -> Row:
    """The columns that a run ends with."""
    logprobs = [[_packed(token) for token in choice.logprobs] for choice in run.choices]
    return {**progress(run), "logprobs": logprobs if any(logprobs) else None}


def _packed(token: TokenLogprob) -> list[Any]:
    top = [[text, _finite(logprob)] for text, logprob in token.top]
    return [token.token, None if token.logprob is None else _finite(token.logprob), top]


def _finite(logprob: float) -> float:
    return logprob if math.isfinite(logprob) else IMPOSSIBLE


def run_of(row: Mapping[str, Any]) -> Run:
    """A row as a `Run`. Without the column `logprobs` its choices have none."""
    logprobs = row.get("logprobs") or [()] * len(row["choices"])
    effective = row["effective_request"]
    return Run(
        id=row["id"],
        created_at=moment(row["created_at"]),
        mode=row["mode"],
        endpoint=row["endpoint"],
        model=row["model"],
        status=row["status"],
        request=row["request"],
        effective_request=row["request"] if effective is None else effective,
        choices=tuple(_choice(c, tokens) for c, tokens in zip(row["choices"], logprobs, strict=True)),
        usage=_usage(row),
        cost=dollars(row["cost"]),
        latency=row["latency"],
        time_to_first_token=row["time_to_first_token"],
        error=row["error"],
        rating=row["rating"],
    )


def listed_of(row: Mapping[str, Any]) -> Listed:
    same = ("id", "mode", "endpoint", "model", "status", "latency", "time_to_first_token", "rating", "error")
    return Listed(
        **{name: row[name] for name in same},
        created_at=moment(row["created_at"]),
        usage=_usage(row),
        cost=dollars(row["cost"]),
        prompt=row["prompt"],
        answer=row["answer"],
    )


def _choice(choice: Mapping[str, Any], tokens: Sequence[Any]) -> Choice:
    return Choice(
        index=choice["index"],
        text=choice["text"],
        finish_reason=choice["finish_reason"],
        tool_calls=tuple(ToolCall(id=i, name=n, arguments=a) for i, n, a in choice.get("tool_calls") or ()),
        reasoning=choice.get("reasoning") or "",
        logprobs=tuple(TokenLogprob(token, p, tuple((t, q) for t, q in top)) for token, p, top in tokens),
    )


def _usage(row: Mapping[str, Any]) -> Usage | None:
    if row["prompt_tokens"] is None:
        return None
    return Usage(
        prompt_tokens=row["prompt_tokens"],
        completion_tokens=row["completion_tokens"],
        cached_tokens=row["cached_tokens"],
        reasoning_tokens=row["reasoning_tokens"],
        estimated=row["usage_estimated"],
    )
