"""How long a visit to a shared page lasts: what is held for it alone, a visitor's own keys and uploads, goes with it.

An open page always has a request under way (Gradio's heartbeat), so that a visit lasts while there is one, and a while
after the last: a reload, or a train in a tunnel, does not end it. Signing out does at once, as does the session's end.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from playground.access import Session
from playground.ui.visitor import IN_SCOPE
from playground.ui.walls import App, Receive, Scope, Send

LEFT = 600.0
"""Seconds that a visit goes on after its last page was closed."""


@dataclass(slots=True)
class Stay:
    """`asking`: requests under way. `timer` ends it when nothing has been for a while, `over` at the session's end."""

    asking: int = 0
    timer: asyncio.TimerHandle | None = None
    over: asyncio.TimerHandle | None = None


class Visiting:
    """The visits by account. Everything happens on the server's own loop; `ended` is told of each that ends."""

    def __init__(self, ended: Callable[[str], None], *, left: float = LEFT) -> None:
        self._ended, self._left = ended, left
        self._stays: dict[str, Stay] = {}

    def begins(self, session: Session) -> Stay:
        """A request of theirs begins."""
        loop = asyncio.get_running_loop()
        stay = self._stays.get(session.account)
        if stay is None:
            stay = self._stays[session.account] = Stay()
            stay.over = loop.call_later(max(0.0, session.until - time.time()), self.end, session.account)
        stay.asking += 1
        _cancel(stay.timer)
        return stay

    def ends(self, session: Session, stay: Stay) -> None:
        """A request of theirs has ended."""
        stay.asking -= 1
        if stay.asking == 0 and self._stays.get(session.account) is stay:
            loop = asyncio.get_running_loop()
            stay.timer = loop.call_later(self._left, self.end, session.account)

    def end(self, account: str) -> None:
        """The visit has ended, whether there was one or not."""
        stay = self._stays.pop(account, None)
        if stay is not None:
            _cancel(stay.timer)
            _cancel(stay.over)
        self._ended(account)


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()


class Stays:
    """The middleware, behind the doors."""

    def __init__(self, app: App, *, visiting: Visiting) -> None:
        self._app, self._visiting = app, visiting

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        session = scope.get(IN_SCOPE)
        if not isinstance(session, Session):
            await self._app(scope, receive, send)
            return
        stay = self._visiting.begins(session)
        try:
            await self._app(scope, receive, send)
        finally:
            self._visiting.ends(session, stay)
