"""Text that can leave this process: halves of characters (lone surrogates) are put together, or replaced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def well_formed(text: str) -> str:
    """`text` with the halves of a character that stand together as that character, and others as �.

    JSON can hold half a character (`"\\ud83d"`: a server that splits an emoji, a cut paste), UTF-8 cannot: the page's
    stream and the store would both lose the whole text with it. As long in UTF-16 as before.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def all_well_formed(value: Any) -> Any:
    """A value of plain JSON with every text in it well formed."""
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, Mapping):
        return {all_well_formed(key): all_well_formed(each) for key, each in value.items()}
    return [all_well_formed(each) for each in value] if isinstance(value, list) else value
