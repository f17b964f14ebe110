"""OpenAI's lists, a page at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from playground.engine.errors import bad


def page(items: Sequence[dict[str, Any]], query: Mapping[str, str], *, limit: int, most: int) -> dict[str, Any]:
    """The part of `items` that the query's `after` and `limit` ask for. Raises a 400."""
    given = query.get("limit", str(limit))
    if not (given.isascii() and given.isdecimal()) or not 1 <= int(given[:9]) <= most:
        raise bad(f"Invalid value for 'limit': a number from 1 to {most}.", "limit")
    start = 0
    if after := query.get("after"):
        ids = [item["id"] for item in items]
        if after not in ids:
            raise bad(f"No such object: {after[:80]}", "after")
        start = ids.index(after) + 1
    found = list(items[start : start + int(given)])
    return {
        "object": "list",
        "data": found,
        "first_id": found[0]["id"] if found else None,
        "last_id": found[-1]["id"] if found else None,
        "has_more": start + len(found) < len(items),
    }
