"""A name and a password → a session, or none; and how often may be tried."""

from __future__ import annotations

import asyncio
import hmac
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Mapping
from urllib.parse import urlencode

from playground.access.passwords import MOST, fits, hashed, read_users
from playground.access.session import Session, sign
from playground.access.sharing import Sharing, share
from playground.settings import Settings
from playground.store import HOST, Store

TRIES = 10
"""Failures a minute: of one address, and for one user. More are not even looked at."""
REMEMBERED = 5_000
AT_ONCE = 2
"""Passwords that are checked at once: each takes 16 MB and a core."""
LONGEST_NAME = 40
HOST_NAME = "host"
HOST_LINK = "host"
"""The query parameter of the link that the host comes in by."""


def open_entry(settings: Settings, store: Store) -> Entry:
    """What lets people in by these settings. Raises PlaygroundError."""
    return Entry(settings, share(settings, store), store, read_users(settings.users) if settings.users else {})


class TooOften(Exception):
    """There were too many failures; `seconds` until it may be tried again."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds


class Entry:
    """`users` are hashes by name; empty where one phrase, or nothing, lets visitors in."""

    def __init__(self, settings: Settings, sharing: Sharing, store: Store, users: Mapping[str, str]) -> None:
        self.sharing, self.users = sharing, users
        self.open = settings.open
        self._host, self._store = settings.host_password, store
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._checking = asyncio.Semaphore(AT_ONCE)
        # What an unknown name's password is compared with, so that it takes as long as a known one's.
        self._nobody = hashed(secrets.token_hex(8)) if users else ""

    @property
    def has_host_password(self) -> bool:
        return self._host is not None

    async def enter(self, name: str, password: str, *, address: str) -> Session | None:
        """The session of whoever knows the password. Raises TooOften, StoreError."""
        name, password = name.strip()[:LONGEST_NAME], password[:MOST]
        sources = [f"address {address}", *([f"user {name}"] if name else [])]
        self._wait(sources)
        found = await self._checked(name, password)
        if found is None:
            self._failed(sources)
        elif found.role != "host":
            await asyncio.to_thread(self._store.accounts.see, found.account, found.name)
        return found

    async def visitor(self) -> Session:
        """A session of nobody's name, where the page is open. Raises StoreError."""
        made = self._session(f"v-{secrets.token_hex(8)}", "")
        await asyncio.to_thread(self._store.accounts.see, made.account, made.name)
        return made

    def host(self) -> Session:
        return Session(account=HOST, name="", role="host", until=self.sharing.session_end(time.time()))

    async def _checked(self, name: str, password: str) -> Session | None:
        if self._host is not None and name.lower() == HOST_NAME:
            return self.host() if _same(password, self._host) else None
        if self.sharing.over(time.time()):
            return None
        if self.users:
            async with self._checking:
                right = await asyncio.to_thread(fits, password, self.users.get(name, self._nobody))
            return self._session(f"u-{name}", name) if right and name in self.users else None
        if self.sharing.phrase is not None and _same(password.strip(), self.sharing.phrase):
            return self._session(f"v-{secrets.token_hex(8)}", name)
        return None

    def _session(self, account: str, name: str) -> Session:
        return Session(account=account, name=name, role="visitor", until=self.sharing.session_end(time.time()))

    def _wait(self, sources: list[str]) -> None:
        now = time.monotonic()
        for source in sources:
            failed = self._failures.get(source, deque())
            while failed and now - failed[0] > 60:
                failed.popleft()
            if len(failed) >= TRIES:
                raise TooOften(60 - (now - failed[0]))

    def _failed(self, sources: list[str]) -> None:
        for source in sources:
            self._failures.setdefault(source, deque(maxlen=TRIES)).append(time.monotonic())
            self._failures.move_to_end(source)
            while len(self._failures) > REMEMBERED:
                self._failures.popitem(last=False)


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def host_link(address: str, entry: Entry) -> str:
    """Where the host enters the page at `address`. Whoever has the link is the host."""
    token = sign(entry.host(), entry.sharing.key)
    return f"{address.rstrip('/')}/?{urlencode({HOST_LINK: token})}"
