"""How many tokens a chat request's messages, functions and images make, before a server has counted them.

The rules are those of the openai-cookbook, "How to count tokens with tiktoken": what OpenAI's template adds is not
published, so this is an estimate by measurement. The bill follows `usage`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from playground.images import size
from playground.tokens import CHUNK, FALLBACK, Counter, base_model, encoding_for, load

REPLY = 3
"""Every reply is primed with <|start|>assistant<|message|>."""
UNKNOWN_IMAGE = 765
"""Tokens of an image of 1,024 by 1,024 on gpt-4o: what is assumed where size or model is not known."""

Count = Callable[[str], int]


@dataclass(frozen=True, slots=True)
class ChatCount:
    """`tokens` is always an estimate; `encoding` is None where the model's is not known."""

    tokens: int
    encoding: str | None


def count_chat(counter: Counter, body: Mapping[str, Any], model: str) -> ChatCount:
    """The tokens of `body` ({"messages", "tools"?} in OpenAI's shape) for `model`. Values of wrong types count nothing.

    Raises ConfigurationError where the encoding's file is gone.
    """
    encoding = encoding_for(model)
    ranks = encoding or FALLBACK

    def count(text: str) -> int:
        return _short(ranks, text) if len(text) <= CHUNK else counter.count_as(ranks, text).tokens

    base = base_model(model)
    each, name = (4, -1) if base == "gpt-3.5-turbo-0301" else (3, 1)
    tokens = REPLY
    for message in _dicts(body.get("messages")):
        tokens += each + _message(message, count, base) + (name if message.get("name") else 0)
    tools = _dicts(body.get("tools"))
    if tools:
        # Measured for gpt-3.5 and gpt-4, and for gpt-4o: what has come since shares gpt-4o's encoding.
        tokens += _tools(tools, count, begin=10 if encoding == "cl100k_base" else 7)
    return ChatCount(tokens, encoding)


@lru_cache(maxsize=2_048)
def _short(encoding: str, text: str) -> int:
    """The tokens of a text that the Counter would not cut. It remembers a few long texts; a conversation is many short
    ones, of which a keystroke changes one."""
    return len(load(encoding).encode_ordinary(text))


def _message(message: Mapping[str, Any], count: Count, model: str) -> int:
    """The tokens of every text in the message, and of its images."""
    tokens = 0
    for key, value in message.items():
        if isinstance(value, str):
            tokens += count(value)
        elif key == "content":
            tokens += sum(_part(part, count, model) for part in _dicts(value))
        elif key == "tool_calls":
            functions = (call.get("function") for call in _dicts(value))
            texts = (text for about in functions if isinstance(about, Mapping) for text in about.values())
            tokens += sum(count(text) for text in texts if isinstance(text, str))
    return tokens


def _part(part: Mapping[str, Any], count: Count, model: str) -> int:
    if part.get("type") == "image_url":
        return image_tokens(part, model)
    text = part.get("text")
    return count(text) if isinstance(text, str) else 0


def _tools(tools: Sequence[Mapping[str, Any]], count: Count, *, begin: int) -> int:
    """The cookbook's num_tokens_for_tools: what each part of a function's definition adds was measured there."""
    tokens = 12
    for tool in tools:
        function = tool.get("function")
        about: Mapping[str, Any] = function if isinstance(function, Mapping) else {}
        tokens += begin + count(f"{_text(about.get('name'))}:{_text(about.get('description')).removesuffix('.')}")
        parameters = about.get("parameters")
        properties = parameters.get("properties") if isinstance(parameters, Mapping) else None
        if isinstance(properties, Mapping) and properties:
            tokens += 3 + sum(_property(str(key), value, count) for key, value in properties.items())
    return tokens


def _property(key: str, value: Any, count: Count) -> int:
    about: Mapping[str, Any] = value if isinstance(value, Mapping) else {}
    tokens = 3
    choices = about.get("enum")
    if isinstance(choices, Sequence) and not isinstance(choices, str):
        tokens += -3 + sum(3 + count(str(choice)) for choice in choices)
    return tokens + count(f"{key}:{_text(about.get('type'))}:{_text(about.get('description')).removesuffix('.')}")


def image_tokens(part: Mapping[str, Any], model: str) -> int:
    """An image's tokens: by tiles of 512 pixels or by patches of 32, as its model counts.

    Its size is read from the file, or from `width` and `height` beside it, which the page sends while it only counts.
    """
    image = part.get("image_url")
    about: Mapping[str, Any] = image if isinstance(image, Mapping) else {}
    pixels = _side(part.get("width")), _side(part.get("height"))
    found = pixels if all(pixels) else size(_text(about.get("url")))
    table = _table()
    for row in table["patches"]:
        if re.fullmatch(row["models"], model):
            return UNKNOWN_IMAGE if found is None else _patches(found, Decimal(row["factor"]))
    for row in table["tiles"]:
        if re.fullmatch(row["models"], model):
            if about.get("detail") == "low":
                return int(row["base"])
            return UNKNOWN_IMAGE if found is None else row["base"] + row["tile"] * _tiles(found)
    return UNKNOWN_IMAGE


def _tiles(pixels: tuple[int, int]) -> int:
    """Scaled to fit into 2,048 by 2,048, then so that the shorter side has 768 at most; the 512-pixel squares in it."""
    width, height = (float(side) for side in pixels)
    fit = min(1.0, 2_048 / max(width, height))
    fit *= min(1.0, 768 / (min(width, height) * fit))
    return _covering(width * fit, 512) * _covering(height * fit, 512)


def _patches(pixels: tuple[int, int], factor: Decimal, most: int = 1_536) -> int:
    """The 32-pixel squares that cover the image, at most `most`, which it is scaled down to fit."""
    width, height = pixels
    patches = _covering(width, 32) * _covering(height, 32)
    if patches > most:
        shrink = math.sqrt(most * 32 * 32 / (width * height))
        wide, high = width * shrink / 32, height * shrink / 32
        # A whole number of patches along one side, so that the other does not spill over the limit.
        shrink *= min(math.floor(wide) / wide if wide >= 1 else 1, math.floor(high) / high if high >= 1 else 1)
        patches = _covering(width * shrink, 32) * _covering(height * shrink, 32)
    return math.ceil(min(patches, most) * factor)


def _covering(length: float, square: int) -> int:
    """How many squares cover a side: one at least, and none more for an error of rounding."""
    return max(1, math.ceil(round(length / square, 6)))


def _side(value: Any) -> int:
    return value if type(value) is int and 0 < value < 100_000 else 0


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _dicts(value: Any) -> list[Mapping[str, Any]]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        return []
    return [each for each in value if isinstance(each, Mapping)]


@cache
def _table() -> dict[str, Any]:
    text = files("playground").joinpath("data", "image_tokens.json").read_text(encoding="utf-8")
    table: dict[str, Any] = json.loads(text)
    return table
