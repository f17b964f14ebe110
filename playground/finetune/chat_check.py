"""Is a chat file fit for training? The checks of the openai-cookbook, "Data preparation and analysis for chat model
fine-tuning", and what has become valid since: developer and tool messages, functions, images, null content beside
function calls, and weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from playground.finetune.line_check import Problems, Report, walk

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
KEYS = frozenset({"role", "content", "name", "weight", "tool_calls", "tool_call_id", "function_call", "refusal"})


def check(data: bytes) -> Report:
    """Everything that is wrong with a chat file. Raises nothing: a file that is none has its problem said as well."""
    return walk(data, _example)


def _example(example: Mapping[str, Any]) -> Problems:
    """Each problem's key, with the piece of the example that has it."""
    messages = example.get("messages")
    if not isinstance(messages, list) or not messages:
        yield "no_messages", ", ".join(example)
        return
    if "tools" in example and not are_tools(example["tools"]):
        yield "bad_tools", example["tools"]
    for message in messages:
        if isinstance(message, dict):
            yield from message_problems(message)
        else:
            yield "message_not_object", message
    answers = [message for message in messages if isinstance(message, dict) and message.get("role") == "assistant"]
    if not answers:
        yield "no_assistant", messages[-1]
    elif all(answer.get("weight") == 0 for answer in answers):
        yield "nothing_learned", answers[-1].get("content")


def message_problems(message: Mapping[str, Any]) -> Problems:
    """What is wrong with one message of a conversation."""
    role, calls = message.get("role"), message.get("tool_calls")
    called = bool(calls or message.get("function_call"))
    if "role" not in message or ("content" not in message and not called):
        yield "missing_key", message
    for key in sorted(message.keys() - KEYS):
        yield "unknown_key", key
    if "role" in message and role not in ROLES:
        yield "unknown_role", role
    if called and role != "assistant":
        yield "calls_role", role
    if calls is not None and not _are_calls(calls):
        yield "bad_tool_calls", calls
    if role == "tool" and not isinstance(message.get("tool_call_id"), str):
        yield "no_call_id", message.get("content")
    weight = message.get("weight", 1)
    if ("weight" in message and role != "assistant") or type(weight) is bool or weight not in (0, 1):
        yield "bad_weight", weight
    if "content" in message:
        yield from _content(message["content"], role, excused=called or bool(message.get("refusal")))


def _content(content: Any, role: Any, *, excused: bool) -> Problems:
    """`excused` says that there need not be any, because the message calls a function or refuses."""
    if content in (None, "", []):
        if not excused:
            yield "no_content", role
    elif isinstance(content, list):
        for part in content:
            kind = part.get("type") if isinstance(part, dict) else None
            if kind == "image_url" and isinstance(_of(part, "image_url").get("url"), str):
                if role != "user":
                    yield "image_role", role
            elif kind != "text" or not isinstance(part.get("text"), str):
                yield "bad_part", part
    elif not isinstance(content, str):
        yield "bad_content", content


def _are_calls(calls: Any) -> bool:
    return isinstance(calls, list) and all(
        isinstance(call, dict)
        and isinstance(call.get("id"), str)
        and isinstance(_of(call, "function").get("name"), str)
        and isinstance(_of(call, "function").get("arguments"), str)
        for call in calls
    )


def are_tools(tools: Any) -> bool:
    return isinstance(tools, list) and all(
        isinstance(tool, dict) and isinstance(_of(tool, "function").get("name"), str) for tool in tools
    )


def _of(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    inner = value.get(key)
    return inner if isinstance(inner, dict) else {}
