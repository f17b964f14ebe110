"""A session as a signed text: whoever holds the key can read it, and nobody else can write one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Literal, get_args

Role = Literal["host", "visitor"]
LONGEST = 2_000
"""Characters of a text that is looked at: a name of 40 emoji makes some 700."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """As whom somebody was let in. `until` in seconds since 1970 UTC; the host's account is `store.HOST`."""

    account: str
    name: str
    role: Role
    until: int


def sign(session: Session, key: bytes) -> str:
    """The session as a text of letters, digits, `-`, `_` and one dot, which a cookie can hold."""
    said = [session.account, session.name, session.role, session.until]
    body = _encoded(json.dumps(said, separators=(",", ":")).encode())
    return f"{body}.{_encoded(_mac(body, key))}"


def read(text: str, key: bytes, *, now: float) -> Session | None:
    """The session of a text that `sign` made with this key, and that has not ended; None for any other."""
    if len(text) > LONGEST or not text.isascii():
        return None
    body, _, mac = text.partition(".")
    if not hmac.compare_digest(mac.encode(), _encoded(_mac(body, key)).encode()):
        return None
    account, name, role, until = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    if role not in get_args(Role) or until <= now:
        return None
    return Session(account=account, name=name, role=role, until=until)


def _mac(body: str, key: bytes) -> bytes:
    return hmac.new(key, body.encode(), hashlib.sha256).digest()


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
