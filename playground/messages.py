"""Messages from outside: a page, a preset, an API call. Checked here, once, in OpenAI's own shape."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from playground.errors import InvalidRequest, refused
from playground.types import Message, Role

MAX_TEXT = 4_000_000
"""Characters. More than any model reads; beyond it even counting the tokens is work for nothing."""
MAX_MESSAGES = 2_000
ROLES: tuple[Role, ...] = get_args(Role)

#: Images travel inside the request: an address would be fetched by the server, from wherever it stands.
_IMAGE = re.compile(r"data:image/(png|jpeg|webp|gif);base64,[A-Za-z0-9+/]+={0,2}")
_DETAILS = ("auto", "low", "high")


def plain_text(name: str, value: Any) -> str:
    """A text that can be sent. Raises InvalidRequest naming the parameter `name`."""
    if not isinstance(value, str):
        raise refused("is_text", param=name, name=name)
    if len(value) > MAX_TEXT:
        raise refused("long_text", param=name, name=name, length=len(value), most=MAX_TEXT)
    # A lone surrogate cannot be sent as UTF-8; the replacement character is what every server would make of it.
    return value.encode("utf-8", "replace").decode("utf-8") if not value.isascii() else value


def read_messages(value: Any) -> tuple[Message, ...]:
    """The conversation that `value`, a list of OpenAI's message objects, stands for.

    Raises InvalidRequest that names the message by its place, the first being 1.
    """
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise refused("messages_list", param="messages")
    if not value:
        raise refused("no_messages", param="messages")
    check_count(value)
    messages = tuple(_message(message, number) for number, message in enumerate(value, 1))
    _check_calls(messages)
    return messages


def check_count(messages: Sequence[Any]) -> None:
    """Raises InvalidRequest for more messages than are sent."""
    if len(messages) > MAX_MESSAGES:
        raise refused("many_messages", param="messages", count=len(messages), most=MAX_MESSAGES)


def _message(value: Any, number: int) -> Message:
    about = value if isinstance(value, Mapping) else {}
    role = about.get("role")
    if role not in ROLES:
        raise _wrong("message_role", number, role=repr(str(role)[:20]), known=", ".join(ROLES))
    unknown = set(about) - {"role", "content", "name", "tool_calls", "tool_call_id"}
    if unknown:
        raise _wrong("message_field", number, field=repr(str(min(unknown, key=str))[:40]))
    calls = _calls(about.get("tool_calls"), number)
    if calls and role != "assistant":
        raise _wrong("message_calls", number)
    answered = about.get("tool_call_id")
    if role == "tool" and not (isinstance(answered, str) and 0 < len(answered) <= 200):
        raise _wrong("message_unasked", number)
    return Message(
        role=role,
        content=_content(about.get("content"), number, empty=bool(calls)),
        name=_name(about.get("name"), number),
        tool_calls=calls,
        tool_call_id=answered if role == "tool" else None,
    )


def _content(value: Any, number: int, *, empty: bool) -> str | tuple[Mapping[str, Any], ...] | None:
    if value is None or value == "":
        # OpenAI wants null, not "", beside function calls.
        return None if empty else ""
    if isinstance(value, str):
        return plain_text(f"messages[{number - 1}].content", value)
    if not isinstance(value, Sequence):
        raise _wrong("message_content", number)
    parts = tuple(_part(part, number) for part in value)
    if not parts:
        return "" if not empty else None
    return parts


def _part(value: Any, number: int) -> dict[str, Any]:
    part = value if isinstance(value, Mapping) else {}
    if part.get("type") == "text":
        return {"type": "text", "text": plain_text(f"messages[{number - 1}].content", part.get("text"))}
    image = part.get("image_url")
    if part.get("type") != "image_url" or not isinstance(image, Mapping):
        raise _wrong("message_part", number)
    url, detail = image.get("url"), image.get("detail") or "auto"
    if not isinstance(url, str) or not _IMAGE.fullmatch(url):
        raise _wrong("message_image", number)
    if detail not in _DETAILS:
        raise _wrong("message_detail", number, known=", ".join(_DETAILS))
    return {"type": "image_url", "image_url": {"url": url, "detail": detail}}


def _name(value: Any, number: int) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", value):
        raise _wrong("message_name", number)
    return value


def _calls(value: Any, number: int) -> tuple[dict[str, Any], ...]:
    if not value:
        return ()
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise _wrong("message_call_list", number)
    calls = []
    for given in value:
        call = given if isinstance(given, Mapping) else {}
        function = call.get("function")
        about = function if isinstance(function, Mapping) else {}
        id_, name, arguments = call.get("id"), about.get("name"), about.get("arguments")
        if not all(isinstance(said, str) for said in (id_, name, arguments)) or not id_ or not name:
            raise _wrong("message_call", number)
        calls.append(
            {
                "id": id_[:200],
                "type": "function",
                "function": {"name": name[:64], "arguments": plain_text("messages", arguments)},
            }
        )
    return tuple(calls)


def _check_calls(messages: Sequence[Message]) -> None:
    """Every server refuses a call without its result, and a result without its call: said here, with the place."""
    open_calls: dict[str, str] = {}
    for number, message in enumerate(messages, 1):
        if message.role == "tool":
            if message.tool_call_id not in open_calls:
                raise _wrong("message_no_call", number)
            del open_calls[str(message.tool_call_id)]
            continue
        if open_calls:
            name = next(iter(open_calls.values()))
            raise _wrong("message_open_call", number, name=name)
        open_calls = {call["id"]: call["function"]["name"] for call in message.tool_calls}
    if open_calls:
        name = next(iter(open_calls.values()))
        raise refused("no_call_result", param="messages", name=name)


def _wrong(key: str, number: int, **args: str) -> InvalidRequest:
    return refused(key, param="messages", number=number, **args)
