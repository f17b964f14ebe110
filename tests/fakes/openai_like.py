"""What OpenAI's own models do that others do not: refuse parameters, call functions, think aloud.

gpt-5…, o3 …     refuse temperature, top_p, penalties, logprobs and max_tokens, as reasoning models do
picky-NAME       refuses the parameter NAME, and answers without it
a chat with tools is answered by a call of its first function, until the function's result is there
"""

from __future__ import annotations

import re
from typing import Any

from tests.fakes import payloads
from tests.fakes.faults import Refusal, refuse

ARGUMENTS = ('{"city"', ': "Lima"}')
CALL_ID = "call_fake1"
_REASONS = re.compile(r"gpt-5(?!\.)|o\d")
_FIXED: dict[str, Any] = {"temperature": 1, "top_p": 1, "presence_penalty": 0, "frequency_penalty": 0}


def refusal(body: Any) -> Refusal | None:
    """Why OpenAI would refuse this request for its model; None where it would not."""
    if not isinstance(body, dict) or "messages" not in body:
        return None
    model = str(body.get("model", ""))
    if model.startswith("picky-") and (name := model.removeprefix("picky-")) in body:
        return _unsupported(name)
    if not _REASONS.match(model):
        return None
    wrong = [name for name, only in _FIXED.items() if body.get(name, only) != only]
    wrong += [name for name in ("logprobs", "top_logprobs", "max_tokens", "logit_bias") if name in body]
    return _unsupported(wrong[0]) if wrong else None


def _unsupported(name: str) -> Refusal:
    said = f"Unsupported parameter: '{name}' is not supported with this model."
    return refuse(400, said, param=name, code="unsupported_parameter")


def calls(body: Any) -> bool:
    """Whether the answer is a function call."""
    tools, messages = body.get("tools"), body.get("messages") or [{}]
    return bool(tools) and body.get("tool_choice") != "none" and messages[-1].get("role") != "tool"


def call_chunks(body: Any) -> bytes:
    """A streamed call of the first function, its arguments in two parts."""
    name = body["tools"][0]["function"]["name"]
    first = {"index": 0, "id": CALL_ID, "type": "function", "function": {"name": name, "arguments": ""}}
    parts = [first, *({"index": 0, "function": {"arguments": part}} for part in ARGUMENTS)]
    chunks = [{"index": 0, "delta": {"tool_calls": [part]}, "finish_reason": None} for part in parts]
    chunks.append({"index": 0, "delta": {}, "finish_reason": "tool_calls"})
    return b"".join(payloads.sse({**payloads.CHUNK, "choices": [choice]}) for choice in chunks)


def whole_call(body: Any) -> dict[str, Any]:
    """The same for a request without `stream`."""
    function = {"name": body["tools"][0]["function"]["name"], "arguments": "".join(ARGUMENTS)}
    message = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": CALL_ID, "type": "function", "function": function}],
    }
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "tool_calls"}
    return {**payloads.CHUNK, "object": "chat.completion", "choices": [choice], "usage": payloads.usage(1, 5)}


def thinking(n: int = 1) -> bytes:
    """What a reasoning model behind vLLM or llama.cpp says before its answer."""
    parts = ("Let me ", "think.")
    choices = [
        {"index": index, "delta": {"reasoning_content": part}, "finish_reason": None}
        for part in parts
        for index in range(n)
    ]
    return b"".join(payloads.sse({**payloads.CHUNK, "choices": [choice]}) for choice in choices)
