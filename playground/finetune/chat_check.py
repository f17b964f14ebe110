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
from playground.finetune.words import Language, texts

LEAST = 10
"""Examples. OpenAI trains on no fewer."""
ROLES = ("system", "developer", "user", "assistant", "tool", "function")
KEYS = frozenset({"role", "content", "name", "weight", "tool_calls", "tool_call_id", "function_call", "refusal"})

#: What can be wrong. `data/finetune_words.json` says how it is called, and what to do about it.
PROBLEMS = (
    "empty_file",
    "bom",
    "array",
    "not_utf8",
    "not_json",
    "not_object",
    "no_messages",
    "message_not_object",
    "missing_key",
    "unknown_key",
    "unknown_role",
    "no_content",
    "bad_content",
    "bad_part",
    "image_role",
    "bad_tool_calls",
    "calls_role",
    "no_call_id",
    "bad_tools",
    "bad_weight",
    "no_assistant",
    "nothing_learned",
    "few",
)
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
        return self.text("en")

    @property
    def hint(self) -> str:
        return self.advice("en")

    def text(self, language: Language) -> str:
        """What is wrong. The count stands apart, so that no sentence needs a plural."""
        return texts(language)[f"problem.{self.key}"].format(count=f"{self.count:,}")

    def advice(self, language: Language) -> str:
        """What to do about it."""
        return texts(language)[f"problem_hint.{self.key}"]


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
