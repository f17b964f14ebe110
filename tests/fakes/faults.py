"""The ways in which the fake server misbehaves, by name. A fault is written `name` or `name:argument`.

Refusals answer with an error; the others are turns of the stream, and live in `replies.py`:

    ok                     the whole answer at once          no_usage         no usage chunk
    slow:RATE              RATE tokens a second              no_done          cut: no finish_reason, no [DONE]
    burst:N                N tokens in one write             finished_only    finish_reason, then the end
    burst_then_pause:SEC   two tokens, a pause, the rest     one_choice       ignores `n`
    stall_headers          never a status line               chat_shape       chat-shaped logprobs on /completions
    stall_first            headers, then nothing             unstreamed       ignores `stream`
    stall_midstream        two tokens, then nothing          html             a web page, status 200
    drop_headers           closes before the status line     empty            an event stream without events
    drop_midstream         closes after two tokens           odd              chunks of a shape nobody expects
    broken_json            two tokens, then half a chunk     refusal          a chat refusal
    broken_bytes           two tokens, then invalid UTF-8    running_usage    usage in every chunk
    error_midstream:CODE   two tokens, then an error object  error_first:CODE an error object before any text
    reasoning              thoughts before the answer        whole:JSON       this JSON, status 200, at any path
    thinks:SEC             thoughts, a pause, the answer     thinks_only      thoughts, then the limit
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

from tests.fakes.payloads import HTML, encode, error


@dataclass(frozen=True)
class Refusal:
    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


def refuse(status: int, message: str, *, headers: dict[str, str] | None = None, **about: Any) -> Refusal:
    return Refusal(status, encode(error(message, **about)), headers or {})


def _rate_limited(headers: dict[str, str]) -> Refusal:
    return refuse(429, "Rate limit reached for requests.", kind="requests", code="rate_limit_exceeded", headers=headers)


#: name → (argument, the request's own key) → Refusal
REFUSALS: dict[str, Callable[[str, str], Refusal]] = {
    "400": lambda arg, key: refuse(
        400,
        f"Unsupported parameter: '{arg or 'temperature'}' is not supported with this model.",
        param=arg or "temperature",
        code="unsupported_parameter",
    ),
    "400_key": lambda arg, key: refuse(400, f"Bad header: Bearer {key}", param=None),
    "400_context": lambda arg, key: refuse(
        400,
        "This model's maximum context length is 4097 tokens, however you requested 5000 tokens.",
        param="messages",
        code="context_length_exceeded",
    ),
    "401": lambda arg, key: refuse(401, f"Incorrect API key provided: {key}.", code="invalid_api_key"),
    "403": lambda arg, key: refuse(403, "You are not allowed to sample from this model."),
    "403_training": lambda arg, key: refuse(403, "Fine-tuning is no longer available.", code="training_not_available"),
    "404": lambda arg, key: refuse(404, "The model does not exist.", param="model", code="model_not_found"),
    "404_page": lambda arg, key: Refusal(404, b'{"detail":"Not Found"}'),
    "405": lambda arg, key: Refusal(405, b'{"detail":"Method Not Allowed"}'),
    "413": lambda arg, key: Refusal(413, HTML, content_type="text/html"),
    "422": lambda arg, key: Refusal(
        422, encode({"detail": [{"loc": ["body", arg or "top_p"], "msg": "Extra inputs are not permitted"}]})
    ),
    "429": lambda arg, key: _rate_limited({"Retry-After": arg} if arg else {}),
    "429_ms": lambda arg, key: _rate_limited({"retry-after-ms": arg}),
    "429_date": lambda arg, key: _rate_limited({"Retry-After": formatdate(time.time() + float(arg), usegmt=True)}),
    "quota": lambda arg, key: refuse(
        429, "You exceeded your current quota.", kind="insufficient_quota", code="insufficient_quota"
    ),
    "500": lambda arg, key: refuse(500, "The server had an error.", kind="server_error"),
    "501": lambda arg, key: refuse(501, "This is not supported.", kind="not_supported_error"),
    "502_page": lambda arg, key: Refusal(502, b"<html>502 Bad Gateway</html>", content_type="text/html"),
    "503": lambda arg, key: refuse(
        503, "Overloaded.", kind="server_error", headers={"Retry-After": arg} if arg else {}
    ),
    "redirect": lambda arg, key: Refusal(307, b"", {"Location": arg or "http://127.0.0.1:9/v1"}),
}


def refusal(fault: str, *, key: str, body: Any) -> Refusal | None:
    """The refusal that `fault` stands for, None where it is no refusal (or the request gives no reason for it)."""
    name, _, arg = fault.partition(":")
    if name == "no_stream_options":
        if "stream_options" not in (body or {}):
            return None
        return refuse(400, "Unrecognized request argument supplied: stream_options")
    make = REFUSALS.get(name)
    return make(arg, key) if make else None
