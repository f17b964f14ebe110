"""What is shared, and until when. One row of the store, so that every process and every restart has the same."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from dataclasses import dataclass, field

from playground.settings import Settings
from playground.store import Store

ROW = "sharing"
SESSION = 30 * 24 * 3600
"""Seconds that a session lasts where sharing does not end."""
_CONSONANTS, _VOWELS = "bdfgklmnprstvz", "aeiou"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """`key` signs sessions; `phrase` lets visitors in, None where a file of users or nothing does; `until` is the end
    in seconds since 1970 UTC, None: there is none."""

    key: bytes = field(repr=False)
    phrase: str | None = field(repr=False)
    until: int | None

    def over(self, now: float) -> bool:
        return self.until is not None and now >= self.until

    def session_end(self, now: float) -> int:
        return min(int(now) + SESSION, self.until or 2**62)


def share(settings: Settings, store: Store) -> Sharing:
    """What this store's pages share now. One that has ended begins anew, with another key and another phrase.

    Raises StoreError.
    """
    now = int(time.time())
    lasts = settings.share_hours * 3600

    def current(before: str | None) -> str:
        said = json.loads(before) if before else None
        if said is not None and (not lasts or now < said["since"] + lasts):
            return json.dumps(said)
        return json.dumps({"since": now, "secret": secrets.token_hex(32)})

    said = json.loads(store.kept.change(ROW, current) or "")
    key = bytes.fromhex(said["secret"])
    phrase = None if settings.open or settings.users else settings.password or pronounceable(key)
    return Sharing(key=key, phrase=phrase, until=int(said["since"] + lasts) if lasts else None)


def pronounceable(key: bytes) -> str:
    """Four words such as `tavo-rilu-mesa-kopi`, drawn from the key: 49 bits, easy to write on a board."""
    number = int.from_bytes(hmac.new(key, b"phrase", hashlib.sha256).digest())
    words = []
    for _ in range(4):
        letters = ""
        for among in (_CONSONANTS, _VOWELS) * 2:
            number, place = divmod(number, len(among))
            letters += among[place]
        words.append(letters)
    return "-".join(words)
