r"""`{{name}}` in a text, filled with a value right before it is sent. `\{{name}}` is sent as `{{name}}`.

A name is a letter or underscore, then letters, digits and underscores of any alphabet, at most 64. Anything else
between braces is text like any other. The page's script (ui/static/shared.js) finds the same names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from playground.errors import refused
from playground.messages import MAX_TEXT

MAX_NAME = 64
NAMED = 10
"""Missing names that an error lists; of more, it says how many."""

#: Possessive (`*+`): what has been read is never given back, so that no text takes longer than its length.
_VARIABLE = re.compile(r"(\\?)\{\{\s*+([^\W\d]\w{0,63}+)\s*+\}\}")
_DATA_URL = re.compile(r"data:[\w.+-]++/[\w.+-]++[;,]\S*+")


def is_name(text: str) -> bool:
    """Whether a variable may be called `text`."""
    # `\w` is letters, digits, other numerals (², Ⅷ) and the underscore; only a letter or the underscore begins.
    return re.fullmatch(rf"\w{{1,{MAX_NAME}}}", text) is not None and (text[0].isalpha() or text[0] == "_")


def names(text: str) -> tuple[str, ...]:
    """The distinct names in their order; escaped ones are none."""
    found = _VARIABLE.finditer(text)
    return tuple(dict.fromkeys(match[2] for match in found if not match[1] and is_name(match[2])))


def names_in(value: Any) -> set[str]:
    """The names in every text of nested JSON."""
    if isinstance(value, str):
        return set() if _DATA_URL.fullmatch(value) else set(names(value))
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, (list, tuple)) else ()
    return set().union(*map(names_in, parts))


def pieces(text: str) -> list[str]:
    """What stands before, between and after the variables, as it is sent."""
    found, at, part = [], 0, ""
    for match in _VARIABLE.finditer(text):
        if not is_name(match[2]):
            continue
        part += text[at : match.start()]
        at = match.end()
        if match[1]:
            part += match[0][1:]
        else:
            found.append(part)
            part = ""
    return [*found, part + text[at:]]


def fill(text: str, values: Mapping[str, str]) -> str:
    """`text` with each `{{name}}` replaced by its value. A value is text: what looks like a name in it stays.

    Raises InvalidRequest that names those without a value, or where the values make more than MAX_TEXT characters.
    """
    filler = _Filler(values)
    filled = filler.text(text)
    filler.check()
    return filled


def fill_all(value: Any, values: Mapping[str, str]) -> Any:
    """The same for every text in nested JSON but keys and `data:` URLs; MAX_TEXT holds for all together."""
    filler = _Filler(values)
    try:
        filled = filler.walk(value)
    except RecursionError:
        raise refused("request_deep", param="variables") from None
    filler.check()
    return filled


class _Filler:
    """One filling: what it has put in so far, and the names it had nothing for."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self._missing: dict[str, None] = {}
        self._added = 0

    def walk(self, value: Any) -> Any:
        if isinstance(value, str):
            return value if _DATA_URL.fullmatch(value) else self.text(value)
        if isinstance(value, Mapping):
            return {key: self.walk(each) for key, each in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(map(self.walk, value))
        return value

    def text(self, text: str) -> str:
        return _VARIABLE.sub(self._one, text) if "{{" in text else text

    def _one(self, match: re.Match[str]) -> str:
        escaped, name = match.groups()
        if not is_name(name):
            return match[0]
        if escaped:
            return match[0][1:]
        value = self._values.get(name) or ""
        if not value:
            self._missing[name] = None
        self._added += len(value)
        if self._added > MAX_TEXT:  # said before the text is made: a short prompt can name a long value very often
            raise refused("variables_long", param="variables", most=MAX_TEXT)
        return value

    def check(self) -> None:
        if not self._missing:
            return
        names, more = list(self._missing), len(self._missing) - NAMED
        listed = ", ".join(f"{{{{{name}}}}}" for name in names[:NAMED])
        key = "variables_missing_more" if more > 0 else "variables_missing"
        raise refused(key, param="variables", hint="variables_missing", names=listed, more=more)
