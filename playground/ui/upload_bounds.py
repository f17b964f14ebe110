"""How much a visitor of a shared page may upload in an hour: no visitor fills the disk. A plain ASGI middleware, behind
the doors. A single file's size is the walls' business, its kind that of whoever reads it."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable

from playground.access import Session
from playground.ui.visitor import IN_SCOPE
from playground.ui.walls import UPLOAD_PATH, App, Message, Receive, Scope, Send

HOUR = 3_600.0
FILES = 120
"""Uploads of one visitor in an hour."""
BYTES = 600_000_000
"""Bytes of one visitor's uploads in an hour."""
REMEMBERED = 10_000
"""Visitors whose last hour is known; of more, who uploaded longest ago is forgotten."""


class UploadBounds:
    """The middleware. The host uploads as much as the disk holds."""

    def __init__(
        self, app: App, *, files: int = FILES, size: int = BYTES, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._app, self._files, self._size, self._clock = app, files, size, clock
        #: By account: when each upload began, and its bytes so far.
        self._hours: OrderedDict[str, deque[list[float]]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        session = scope.get(IN_SCOPE)
        uploads = scope["type"] == "http" and scope["path"].endswith(UPLOAD_PATH)
        if not uploads or not isinstance(session, Session) or session.role == "host":
            await self._app(scope, receive, send)
            return
        upload = self._begun(session.account)
        if upload is None:
            await _refuse(send)
            return
        over, started = False, False

        async def counted() -> Message:
            nonlocal over
            message = await receive()
            upload[1] += len(message.get("body", b""))
            if self._uploaded(session.account) > self._size:
                over = True
                # As if the visitor had left: what came of the file is thrown away.
                return {"type": "http.disconnect"}
            return message

        async def sending(message: Message) -> None:
            nonlocal started
            if not over:
                started = True
                await send(message)

        try:
            await self._app(scope, counted, sending)
        except Exception:
            if not over:
                raise
        if over and not started:
            await _refuse(send)

    def _begun(self, account: str) -> list[float] | None:
        """An upload of that account, from now on; None where it had as many as it may."""
        now = self._clock()
        hour = self._hours.setdefault(account, deque())
        self._hours.move_to_end(account)
        while len(self._hours) > REMEMBERED:
            self._hours.popitem(last=False)
        while hour and now - hour[0][0] > HOUR:
            hour.popleft()
        if len(hour) >= self._files or sum(each[1] for each in hour) >= self._size:
            return None
        hour.append([now, 0.0])
        return hour[-1]

    def _uploaded(self, account: str) -> float:
        return sum(each[1] for each in self._hours.get(account, ()))


async def _refuse(send: Send) -> None:
    body = b'{"detail":"You have uploaded as much as a visitor may in an hour. Try again later."}'
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"retry-after", b"600"),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 429, "headers": headers})
    await send({"type": "http.response.body", "body": body})
