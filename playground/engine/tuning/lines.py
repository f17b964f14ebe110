"""A training file, line by line: pairs of prompt and completion, or chats. What is wrong is said with its line.

OpenAI's formats (platform.openai.com/docs/guides/supervised-fine-tuning; the legacy one for pairs), less what this
model does not read: functions, images, sounds.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from playground.engine.errors import ApiError
from playground.engine.schemas import speakable
from playground.memory import MB

LEAST = 10
"""Examples. OpenAI trains on no fewer."""
LONGEST_LINE = 16 * MB
ROLES = ("system", "developer", "user", "assistant")
MAGIC = {b"PK": "a spreadsheet or a ZIP", b"%P": "a PDF", b"\x1f\x8b": "compressed", b"GG": "a model"}

Param = Literal["training_file", "validation_file"]
Kind = Literal["pairs", "chats"]


@dataclass(frozen=True, slots=True)
class Message:
    """`learnt` is whether the model is to learn to write it: the assistant's, unless its weight is 0."""

    role: str
    content: str
    learnt: bool = False


@dataclass(frozen=True, slots=True)
class Example:
    """Line `line` of a file: a pair as `prompt` and `completion`, a chat as its `messages`."""

    line: int
    prompt: str = ""
    completion: str = ""
    messages: tuple[Message, ...] = ()

    @property
    def kind(self) -> Kind:
        return "chats" if self.messages else "pairs"

    @property
    def size(self) -> int:
        """Bytes of all its texts."""
        texts = (self.prompt, self.completion, *(message.content for message in self.messages))
        return sum(len(text.encode()) for text in texts)

    @property
    def asks(self) -> str | tuple[Message, ...]:
        """What the answer is to be told from."""
        return tuple(m for m in self.messages if not m.learnt) if self.messages else self.prompt


@dataclass(frozen=True, slots=True)
class Summary:
    kind: Kind
    examples: int


def check(path: Path, param: Param) -> Summary:
    """Read the whole file. Raises a 400 that names the first line that is wrong and says what to do."""
    first, count, same = None, 0, True
    for example in read(path, param):
        first = first or example
        count += 1
        same = same and example.asks == first.asks
    if first is None:
        raise _wrong("The file has no examples.", param)
    if param == "training_file" and count < LEAST:
        raise ApiError(
            400,
            f"Training file has {count} example(s), but must have at least {LEAST} examples. Add more: for a new "
            "format or new labels, some 100 are a good start.",
            param=param,
            code="invalid_n_examples",
        )
    if same and count > 1 and first.asks:
        raise _wrong(
            "All prompts are the same, so that nothing can be learnt from what they say. To train on texts alone, "
            "leave the prompts empty.",
            param,
        )
    return Summary(first.kind, count)


def agree(training: Summary, validation: Summary) -> None:
    """Raises a 400 unless both files are of the same kind."""
    if training.kind != validation.kind:
        raise ApiError(
            400,
            f"The training file holds {training.kind}, and the validation file {validation.kind}. Both have to be "
            "of one kind.",
            param="validation_file",
            code="invalid_validation_file",
        )


def read(path: Path, param: Param) -> Iterator[Example]:
    """The examples of the file, one a line; empty lines are passed over. Raises a 400 that names the line."""
    kind: Kind | None = None
    with path.open("rb") as file:
        start = file.read(2)
        if start in MAGIC:
            raise _wrong(f"The file is {MAGIC[start]}, not JSONL.", param, _PREPARE)
        file.seek(0)
        number = 0
        while line := file.readline(LONGEST_LINE + 1):
            number += 1
            if len(line) > LONGEST_LINE:
                raise _at(number, "is longer than 16 MB.", param, "Each example is one line.")
            if not line.strip():
                continue
            example = _example(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line, number, param)
            kind = kind or example.kind
            if example.kind != kind:
                raise _at(number, f"is one of the {example.kind}, and those before are {kind}.", param, "Keep to one.")
            yield example


_PREPARE = "Prepare it first: in the Fine-tune tab, or with python -m playground prepare FILE."


def one(line: bytes) -> Example:
    """A line of a training file alone. Raises a 400."""
    return _example(line, 1, "training_file")


def _example(line: bytes, number: int, param: Param) -> Example:
    try:
        data = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        raise _at(number, "is not UTF-8.", param, "Save the file as UTF-8.") from None
    except (ValueError, RecursionError) as error:
        # Not its own line: to JSON every one is the first.
        what = f"{error.msg}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else "too deep"
        hint = _PREPARE if number == 1 else "Mend or remove that line, and upload the file again."
        if line.lstrip().startswith((b"[", b"{")) and number == 1:
            hint = "JSONL has one whole object on each line: no array around them, no line breaks within."
        raise _at(number, f"is not JSON ({what}).", param, hint) from None
    if isinstance(data, list):
        raise _at(number, "is an array.", param, "JSONL has one object on each line, without an array around them.")
    if not isinstance(data, dict):
        raise _at(number, "is not a JSON object.", param)
    if "messages" in data:
        return Example(number, messages=_messages(data, number, param))
    if "prompt" in data and "completion" in data:
        prompt, completion = (_text(data[name], name, number, param) for name in ("prompt", "completion"))
        if not completion:
            raise _at(number, "has an empty completion.", param, "There is nothing to learn from it: remove the line.")
        return Example(number, prompt, completion)
    found = ", ".join(list(data)[:5])[:100] or "nothing"
    raise _at(number, f"has neither messages nor prompt and completion, but {found}.", param, _PREPARE)


def _text(value: Any, name: str, number: int, param: Param) -> str:
    if not isinstance(value, str):
        raise _at(number, f"has a {name} that is not text.", param)
    return speakable(value)


def _messages(data: dict[str, Any], number: int, param: Param) -> tuple[Message, ...]:
    for name in ("tools", "functions"):
        if data.get(name):
            raise _at(number, f"has {name}: this model calls no functions.", param, "Remove them.")
    given = data["messages"]
    if not isinstance(given, list) or not given:
        raise _at(number, "has no messages.", param)
    messages = tuple(_message(each, f"message {at}", number, param) for at, each in enumerate(given, 1))
    if not any(message.role == "assistant" for message in messages):
        raise _at(number, "has no message of the assistant, which is what is learnt.", param)
    if not any(message.learnt for message in messages):
        raise _at(number, "has only messages of weight 0: there is nothing to learn.", param)
    return messages


def _message(given: Any, name: str, number: int, param: Param) -> Message:
    if not isinstance(given, dict):
        raise _at(number, f"{name} is not an object.", param)
    role = given.get("role")
    if given.get("tool_calls") or given.get("function_call") or role in ("tool", "function"):
        raise _at(number, f"{name} is about a function call, which this model does not make.", param)
    if role not in ROLES:
        raise _at(number, f"{name} has the role {str(role)[:20]!r}; there are {', '.join(ROLES)}.", param)
    weight = given.get("weight")
    if weight not in (None, 0, 1) or isinstance(weight, bool) or (weight is not None and role != "assistant"):
        raise _at(number, f"{name} has a weight that is not 0 or 1, or is not the assistant's.", param)
    content = _content(given.get("content"), name, number, param)
    if role == "assistant" and not content and weight != 0:
        raise _at(number, f"{name} is an empty answer.", param, "There is nothing to learn from it: remove the line.")
    return Message("system" if role == "developer" else role, content, role == "assistant" and weight != 0)


def _content(content: Any, name: str, number: int, param: Param) -> str:
    if isinstance(content, str):
        return speakable(content)
    if isinstance(content, list) and all(isinstance(part, dict) for part in content):
        if other := next((part.get("type") for part in content if part.get("type") != "text"), None):
            raise _at(number, f"{name} has a part of the type {str(other)[:20]}: this model reads text only.", param)
        if all(isinstance(part.get("text"), str) for part in content):
            return "".join(speakable(part["text"]) for part in content)
    raise _at(number, f"{name} has no content that is text.", param)


def _at(number: int, what: str, param: Param, hint: str = "Mend or remove that line, and upload it again.") -> ApiError:
    return _wrong(f"Line {number} {what}" if not what.startswith("message") else f"Line {number}, {what}", param, hint)


def _wrong(what: str, param: Param, hint: str = "") -> ApiError:
    said = f"Invalid file format. {what} {hint}".strip()
    return ApiError(400, said, param=param, code=f"invalid_{param}")
