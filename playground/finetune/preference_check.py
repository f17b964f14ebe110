"""Is a file of preferences fit for DPO? Each line has an `input` with its messages, and two answers to it: the
`preferred_output` and the `non_preferred_output`, each one message of the assistant (OpenAI's API reference,
FineTunePreferenceRequestInput, where both lists have exactly one).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from playground.errors import refused
from playground.finetune.chat_check import are_tools, message_problems
from playground.finetune.jobs import Method
from playground.finetune.line_check import Problems, Report, is_jsonl, walk
from playground.finetune.table import shown

OUTPUTS = ("preferred_output", "non_preferred_output")
FIELDS = frozenset({"input", *OUTPUTS})


def check_preferences(data: bytes) -> Report:
    """Everything that is wrong with a file of preferences. Raises nothing."""
    return walk(data, _example)


def is_preferences(data: bytes) -> bool:
    """Whether the file's first line with anything in it is about a preference."""
    return any(f'"{name}"'.encode() in data.lstrip()[:1_000_000].split(b"\n", 1)[0] for name in OUTPUTS)


def refuse_for(method: Method, data: bytes, *, name: str) -> None:
    """Raises InvalidRequest, before anything is sent, for a file that the method cannot train on.

    Only what is certain: what a server takes for `supervised`, chats or pairs, depends on the base.
    """
    if not is_jsonl(data):
        raise refused("not_jsonl", param="file", name=shown(name))
    if method == "dpo":
        check_preferences(data).refuse_unfit(name)
    elif is_preferences(data):
        raise refused("preferences", param="file", name=shown(name))


def _example(example: Mapping[str, Any]) -> Problems:
    if "messages" in example and not FIELDS & example.keys():
        yield "not_preferences", example["messages"]
        return
    for key in sorted(example.keys() - FIELDS):
        yield "unknown_field", key
    yield from _input(example.get("input"))
    for name in OUTPUTS:
        yield from _output(example.get(name), name)
    if example.get(OUTPUTS[0]) == example.get(OUTPUTS[1]) and example.get(OUTPUTS[0]):
        yield "same_outputs", example[OUTPUTS[0]]


def _input(given: Any) -> Problems:
    messages = given.get("messages") if isinstance(given, dict) else None
    if not isinstance(messages, list) or not messages:
        yield "no_input", given
        return
    if "tools" in given and not are_tools(given["tools"]):
        yield "bad_tools", given["tools"]
    for message in messages:
        yield from message_problems(message) if isinstance(message, dict) else [("message_not_object", message)]


def _output(given: Any, name: str) -> Problems:
    if not isinstance(given, list) or len(given) != 1 or not isinstance(given[0], dict):
        yield "no_output", {name: given}
    elif given[0].get("role") != "assistant":
        yield "output_role", given[0].get("role")
    else:
        yield from message_problems(given[0])
