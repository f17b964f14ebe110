"""Keys that visitors of a shared page bring: for which servers, and what a key looks like.

They are in memory alone, for the visit, and what is asked with one is that visitor's own expense.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from playground.errors import refused
from playground.settings import OPENAI_URL, OWN
from playground.types import Endpoint

_KEY = re.compile(r"[\x21-\x7e]{8,400}")


def offered(servers: Mapping[str, Endpoint]) -> dict[str, Endpoint]:
    """By name, the servers that a visitor may bring a key for: those that the host asks with a key, and OpenAI. Nobody
    types an address."""
    found = {name: each for name, each in servers.items() if each.kind != "engine" and each.api_key is not None}
    if all(each.base_url.rstrip("/") != OPENAI_URL for each in found.values()) and "openai" not in servers:
        found["openai"] = Endpoint(name="openai", base_url=OPENAI_URL, kind="openai")
    return found


def with_key(servers: Mapping[str, Endpoint], server: Any, key: Any) -> Endpoint:
    """That server as a visitor asks it. Raises InvalidRequest for one that is not offered, and for what is no key."""
    found = offered(servers).get(server) if isinstance(server, str) else None
    if found is None:
        raise refused("own_key_server", param="server")
    if not isinstance(key, str) or not _KEY.fullmatch(key.strip()):
        raise refused("own_key", param="key")
    return replace(found, name=OWN + found.name, api_key=key.strip())
