"""Is a chat file fit for training? The checks of the openai-cookbook, "Data preparation and analysis for chat model
fine-tuning", and what has become valid since: developer and tool messages, functions, images, null content beside
function calls, and weights.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from playground.finetune.table import ROWS_SHOWN, shown

LEAST = 10
"""Examples. OpenAI trains on no fewer."""
ROLES = ("system", "developer", "user", "assistant", "tool", "function")
KEYS = frozenset({"role", "content", "name", "weight", "tool_calls", "tool_call_id", "function_call", "refusal"})

#: What each problem is called, and what to do about it. Counts stand apart, so that no sentence needs a plural.
PROBLEMS: dict[str, tuple[str, str]] = {
    "empty_file": ("The file is empty.", "Write one example per line."),
    "bom": ("The file begins with a byte order mark.", "Save it as UTF-8 without one (no BOM)."),
    "array": ("The file is one JSON array.", "Write one object per line, without [ ] and without commas between."),
    "not_utf8": ("Lines that are not UTF-8: {count}.", "Save the file as UTF-8."),
    "not_json": ("Lines that are not valid JSON: {count}.", "A line is one whole object; look at its quotation marks."),
    "not_object": ("Lines that are no object: {count}.", 'Each line is {"messages": […]}.'),
    "no_messages": ("Examples without a list of messages: {count}.", 'Each line is {"messages": […]}.'),
    "message_not_object": ("Messages that are no object: {count}.", 'A message is {"role": "…", "content": "…"}.'),
    "missing_key": ("Messages without role or content: {count}.", "Every message has a role and a content."),
    "unknown_key": ("Messages with an unknown key: {count}.", "Remove it; role, content, name and weight are known."),
    "unknown_role": ("Messages with an unknown role: {count}.", f"A role is one of {', '.join(ROLES)}."),
    "no_content": ("Messages without content: {count}.", "Give them a text, or remove them."),
    "bad_content": ("Contents that are no text and no list of parts: {count}.", "Write the text in quotation marks."),
    "bad_part": ("Parts of messages that are no text and no image: {count}.", "A part is of type text or image_url."),
    "image_role": ("Images in a message that is not the user's: {count}.", "Only user messages hold images."),
    "bad_tool_calls": ("Incomplete function calls: {count}.", "A call has an id, a function name and arguments."),
    "calls_role": ("Function calls that are not the assistant's: {count}.", "Only the assistant calls functions."),
    "no_call_id": ("Tool messages that name no call: {count}.", "Give them a tool_call_id."),
    "bad_tools": ("Examples whose tools are no function definitions: {count}.", "tools is a list of functions."),
    "bad_weight": ("Weights that are not 0 or 1, or not on an answer: {count}.", "Write 0 or 1, on answers only."),
    "no_assistant": ("Examples without an answer of the assistant: {count}.", "Add the answer that is to be learned."),
    "nothing_learned": (
        "Examples whose answers all have weight 0: {count}.",
        "Give one weight 1, or remove them.",
    ),
    "few": ("Examples: {count}.", f"OpenAI needs {LEAST} at least, and recommends 50 to 100."),
}
WARNINGS = frozenset({"nothing_learned"})


@dataclass(frozen=True, slots=True)
class Problem:
    """`count` times in the file; `lines` are the first few, `example` a short piece of the first."""

    key: str
    count: int = 1
    lines: tuple[int, ...] = ()
    example: str = ""

    @property
    def severity(self) -> Literal["error", "warning"]:
        return "warning" if self.key in WARNINGS else "error"

    @property
    def message(self) -> str:
        return PROBLEMS[self.key][0].format(count=f"{self.count:,}")

    @property
    def hint(self) -> str:
        return PROBLEMS[self.key][1]


@dataclass(frozen=True, slots=True)
class Report:
    """`examples` are the lines that hold an object. The problems are in the order in which they were met."""

    examples: int
    problems: tuple[Problem, ...]

    @property
    def fit(self) -> bool:
        return not any(problem.severity == "error" for problem in self.problems)


def check(data: bytes) -> Report:
    """Everything that is wrong with a chat file. Raises nothing: a file that is none has its problem said as well."""
    met = _Met()
    if data.startswith(b"\xef\xbb\xbf"):
        met.add("bom", 1)
        data = data[3:]
    if data[:1_000].lstrip().startswith(b"["):
        met.add("array", 1, data[:100].decode("utf-8", "replace"))
        return Report(0, met.problems())
    count = 0
    for number, raw in enumerate(io.BytesIO(data), 1):
        if not raw.strip():
            continue
        example = _object(raw, number, met)
        if example is None:
            continue
        count += 1
        for key, piece in _example(example):
            met.add(key, number, piece)
    if not met.counts and not count:
        met.add("empty_file", 1)
    elif count < LEAST:
        met.add("few", 1)
        met.counts["few"] = count
    return Report(count, met.problems())


class _Met:
    """Counts problems as they are met, and keeps the first few lines of each."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._lines: dict[str, list[int]] = {}
        self._examples: dict[str, str] = {}

    def add(self, key: str, line: int, piece: Any = "") -> None:
        self.counts[key] += 1
        lines = self._lines.setdefault(key, [])
        if len(lines) < ROWS_SHOWN and line not in lines:
            lines.append(line)
        if key not in self._examples:
            self._examples[key] = shown(piece if isinstance(piece, str) else _written(piece))

    def problems(self) -> tuple[Problem, ...]:
        return tuple(
            Problem(key, count, tuple(self._lines[key]), self._examples[key]) for key, count in self.counts.items()
        )


def _written(piece: Any) -> str:
    try:
        return json.dumps(piece, ensure_ascii=False)
    except RecursionError:
        return "[[[…"


def _object(raw: bytes, number: int, met: _Met) -> dict[str, Any] | None:
    try:
        line = raw.decode("utf-8")
    except UnicodeDecodeError:
        met.add("not_utf8", number, raw[:100].decode("utf-8", "replace"))
        return None
    try:
        example = json.loads(line)
    except (ValueError, RecursionError) as error:
        at = max(0, error.pos - 20) if isinstance(error, json.JSONDecodeError) else 0
        met.add("not_json", number, line[at : at + 100].strip())
        return None
    if not isinstance(example, dict):
        met.add("not_object", number, line[:100].strip())
        return None
    return example


Problems = Iterator[tuple[str, Any]]


def _example(example: Mapping[str, Any]) -> Problems:
    """Each problem's key, with the piece of the example that has it."""
    messages = example.get("messages")
    if not isinstance(messages, list) or not messages:
        yield "no_messages", ", ".join(example)
        return
    if "tools" in example and not _are_tools(example["tools"]):
        yield "bad_tools", example["tools"]
    for message in messages:
        if isinstance(message, dict):
            yield from _message(message)
        else:
            yield "message_not_object", message
    answers = [message for message in messages if isinstance(message, dict) and message.get("role") == "assistant"]
    if not answers:
        yield "no_assistant", messages[-1]
    elif all(answer.get("weight") == 0 for answer in answers):
        yield "nothing_learned", answers[-1].get("content")


def _message(message: Mapping[str, Any]) -> Problems:
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


def _are_tools(tools: Any) -> bool:
    return isinstance(tools, list) and all(
        isinstance(tool, dict) and isinstance(_of(tool, "function").get("name"), str) for tool in tools
    )


def _of(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    inner = value.get(key)
    return inner if isinstance(inner, dict) else {}
