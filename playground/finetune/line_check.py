"""A JSONL file checked line by line: each kind of problem with its count, its first lines and an example."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from playground.errors import refused
from playground.finetune.table import ROWS_SHOWN, shown
from playground.words import Said

LEAST = 10
"""Examples. OpenAI trains on no fewer."""

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
    "empty_completion",
    "not_preferences",
    "no_input",
    "no_output",
    "output_role",
    "same_outputs",
    "unknown_field",
)
WARNINGS = frozenset({"nothing_learned", "same_outputs"})


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
    def what(self) -> Said:
        """What is wrong. The count stands apart, so that no sentence needs a plural."""
        return Said(f"problem.{self.key}", {"count": f"{self.count:,}"})

    @property
    def todo(self) -> Said:
        """What to do about it."""
        return Said(f"problem_hint.{self.key}")

    @property
    def where(self) -> Said | str:
        """In which lines, and what the first of them has, to follow `what`; empty for what is wrong with the whole."""
        if not self.example:
            return ""
        more = max(0, self.count - len(self.lines))
        lines = ", ".join(map(str, self.lines))
        said = Said("error_more.lines", {"count": f"{more:,}"}) if more else ""
        return Said("error_more.where", {"lines": lines, "more": said, "example": self.example})

    @property
    def message(self) -> str:
        return self.what.text()

    @property
    def hint(self) -> str:
        return self.todo.text()


@dataclass(frozen=True, slots=True)
class Report:
    """`examples` are the lines that hold an object. The problems are in the order in which they were met."""

    examples: int
    problems: tuple[Problem, ...]

    @property
    def fit(self) -> bool:
        return not any(problem.severity == "error" for problem in self.problems)

    def refuse_unfit(self, name: str) -> None:
        """Raises InvalidRequest where the file cannot be trained on: its first problem, and how many more kinds.

        How many examples are too few, each server says for itself.
        """
        errors = [each for each in self.problems if each.severity == "error" and each.key != "few"]
        if errors:
            more = Said("error_more.kinds", {"count": len(errors) - 1}) if len(errors) > 1 else ""
            first = errors[0]
            about: Any = {"what": first.what, "where": first.where, "todo": first.todo, "more": more}
            raise refused("unfit", param="file", name=shown(name), **about)


Problems = Iterator[tuple[str, Any]]
"""Each problem's key, with the piece of the example that has it."""


def walk(data: bytes, problems_of: Callable[[Mapping[str, Any]], Problems]) -> Report:
    """Everything that is wrong with the file and, by `problems_of`, with each of its objects. Raises nothing."""
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
        for key, piece in problems_of(example):
            met.add(key, number, piece)
    if not met.counts and not count:
        met.add("empty_file", 1)
    elif count < LEAST:
        met.add("few", 1)
        met.counts["few"] = count
    return Report(count, met.problems())


def is_jsonl(data: bytes) -> bool:
    """By the first line with anything in it; what is wrong further on, the server or the file's own check says."""
    first = next((line for line in io.BytesIO(data.removeprefix(b"\xef\xbb\xbf")) if line.strip()), b"")
    try:
        return isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        return False


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
