"""What Telegram says happened (Bot API, `Update`) → what is to be answered. Anything may come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from playground.unicode import well_formed
from playground.words import Language

Kind = Literal["text", "command", "other"]

_CONTENT = (
    "animation",
    "audio",
    "contact",
    "dice",
    "document",
    "game",
    "live_photo",
    "location",
    "paid_media",
    "photo",
    "poll",
    "sticker",
    "story",
    "venue",
    "video",
    "video_note",
    "voice",
)
"""What a person sends besides text. Everything else in a message is about the chat itself, and is not for the bot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """One message to be answered. `kind` is "other" for what is no text; a command's text is its name alone."""

    update_id: int
    chat: int
    text: str
    language: Language = "en"
    kind: Kind = "text"


def number(update: Any) -> int | None:
    """The update's id; None for what is no update."""
    found = update.get("update_id") if isinstance(update, Mapping) else None
    return found if type(found) is int else None


def read(update: Any, bot_name: str) -> Incoming | None:
    """What there is to answer in an update; None for edited messages, channel posts, buttons, people who come and go.

    `bot_name` is the bot's user name: in a group, a command may be for another (`/start@other_bot`).
    """
    at = number(update)
    message = update.get("message") if at is not None else None
    if at is None or not isinstance(message, Mapping):
        return None
    chat, sender = _part(message, "chat"), _part(message, "from")
    if type(chat.get("id")) is not int or sender.get("is_bot") is True:
        return None
    language: Language = "es" if str(sender.get("language_code") or "").lower().startswith("es") else "en"
    text = message.get("text")
    if isinstance(text, str) and text.strip():
        return _written(at, chat["id"], well_formed(text), language, bot_name)
    # In a group nobody wants to hear for each picture that the bot cannot see it.
    if chat.get("type") == "private" and any(name in message for name in _CONTENT):
        return Incoming(update_id=at, chat=chat["id"], text="", language=language, kind="other")
    return None


def _written(at: int, chat: int, text: str, language: Language, bot_name: str) -> Incoming | None:
    if not text.startswith("/") or not text[1:2].isalpha():
        return Incoming(update_id=at, chat=chat, text=text, language=language)
    command, _, meant = text.split(maxsplit=1)[0][1:].partition("@")
    if meant and meant.lower() != bot_name.lower():
        return None
    return Incoming(update_id=at, chat=chat, text=command.lower()[:32], language=language, kind="command")


def _part(message: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = message.get(name)
    return found if isinstance(found, Mapping) else {}
