"""Prompt and completion pairs ↔ chat examples, one {"messages": […]} a line."""

from __future__ import annotations

import io
import json
from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from playground.finetune.table import ROWS_SHOWN, Repair, Table, wrong
from playground.unicode import well_formed

_encode = json.JSONEncoder(ensure_ascii=False).encode


def to_chat(table: Table, *, system: str = "", separator: str = "", ending: str = "", space: bool = False) -> bytes:
    """A line per pair: `system` and the prompt, as the user's message, where they are not empty, and the completion.
    A pair whose completion is empty makes none: servers refuse an answer without content.

    `separator`, `ending` and (`space`) a completion's first space are what preparing has added; chats do without.
    """
    lines = io.BytesIO()
    for prompt, completion in zip(table.prompts, table.completions, strict=True):
        answer = completion.removesuffix(ending).removeprefix(" " if space else "")
        if not answer:
            continue
        asked = (("system", system), ("user", prompt.removesuffix(separator)))
        messages = [{"role": role, "content": text} for role, text in asked if text]
        messages.append({"role": "assistant", "content": answer})
        lines.write(_encode({"messages": messages}).encode("utf-8") + b"\n")
    return lines.getvalue()


def to_pairs(data: bytes, name: str) -> Table:
    """A pair per answer of the assistant that is trained on, with everything said before it as the prompt.

    A single question is the prompt as it is; of a longer conversation each message says whose it is. System messages
    are left out. What is not text (images, function calls) makes no pair; `repairs` says how many. Raises
    InvalidRequest.
    """
    prompts, completions = list[str](), list[str]()
    rows, skipped = array("L"), array("L")
    for line, example in examples(data):
        for pair in _pairs(example):
            if pair is None:
                skipped.append(line)
                continue
            prompts.append(well_formed(pair[0]))
            completions.append(well_formed(pair[1]))
            rows.append(line)
    if not prompts:
        raise wrong("no_answer")
    repairs = (Repair("not_text", {"count": len(skipped)}, tuple(skipped[:ROWS_SHOWN])),) if skipped else ()
    return Table(name, "jsonl", {"prompt": prompts, "completion": completions}, rows, "line", repairs)


def _pairs(example: Mapping[str, Any]) -> Iterator[tuple[str, str] | None]:
    """None stands for an answer that no pair can hold."""
    said: list[tuple[str, str]] = []
    plain = True
    for message in example["messages"]:
        role, text = message.get("role"), plain_text(message.get("content"))
        if role in ("system", "developer"):
            continue
        plain = plain and text is not None and role in ("user", "assistant") and not message.get("tool_calls")
        if role == "assistant" and message.get("weight", 1):
            alone = len(said) == 1 and said[0][0] == "user"
            before = said[0][1] if alone else "\n\n".join(f"{who.capitalize()}: {words}" for who, words in said)
            yield (before, text) if plain and text else None
        said.append((str(role), text or ""))


def plain_text(content: Any) -> str | None:
    """A message's content where it is nothing but text."""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and content:
        texts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text"]
        if len(texts) == len(content) and all(isinstance(text, str) for text in texts):
            return "".join(map(str, texts))
    return None


def last_answer(messages: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """All that is said before the assistant's last message, and that message; the text of both."""
    last = max((at for at, each in enumerate(messages) if each.get("role") == "assistant"), default=-1)
    before = messages[:last] if last >= 0 else messages
    said = "\n".join(f"{each.get('role')}: {plain_text(each.get('content')) or ''}" for each in before)
    return said, (plain_text(messages[last].get("content")) or "") if last >= 0 else ""


def examples(data: bytes) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each line's number and example, of the lines that hold one; what is wrong with the others chat_check says."""
    for number, line in enumerate(io.BytesIO(data.removeprefix(b"\xef\xbb\xbf")), 1):
        try:
            example = json.loads(line)
        except (ValueError, RecursionError):
            continue
        messages = example.get("messages") if isinstance(example, dict) else None
        if isinstance(messages, list) and messages and all(isinstance(message, dict) for message in messages):
            yield number, example
