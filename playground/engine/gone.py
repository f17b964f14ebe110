"""A client that goes away stops what it asked for: ASGI middleware around every route."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

from starlette.requests import ClientDisconnect

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

log = logging.getLogger(__name__)


class Refuse(Protocol):
    def __call__(self, scope: Scope, *, too_large: bool) -> App | None: ...


class CancelWhenGone:
    """Reads the body (at most `max_body` bytes), then runs the app until it ends or the client hangs up. What is sent
    to `uploads` is left for the app to read, which watches over its size itself."""

    def __init__(self, app: App, *, max_body: int, refuse: Refuse, uploads: str) -> None:
        self._app = app
        self._max_body = max_body
        self._refuse = refuse
        self._uploads = uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refuse(scope, too_large=False)
        if refusal is None and (scope["method"], scope["path"]) == ("POST", self._uploads):
            _log(*await asyncio.gather(self._app(scope, receive, send), return_exceptions=True))
            return
        body = None if refusal else await self._body(receive)
        refusal = self._refuse(scope, too_large=body is None)
        if refusal is not None or body is None:
            await (refusal or self._app)(scope, receive, send)
            return
        await self._run(scope, body, receive, send)

    async def _run(self, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
        gone = asyncio.Event()
        waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            if waiting:
                return waiting.pop()
            await gone.wait()
            return {"type": "http.disconnect"}

        work = asyncio.ensure_future(self._app(scope, replay, send))
        watch = asyncio.create_task(_until_gone(receive))
        try:
            await asyncio.wait({work, watch}, return_when="FIRST_COMPLETED")
        finally:
            gone.set()
            watch.cancel()
            if not work.done():
                work.cancel()
        _log(*await asyncio.gather(work, return_exceptions=True))

    async def _body(self, receive: Receive) -> bytes | None:
        parts, size = [], 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return b""
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self._max_body:
                return None
            if not message.get("more_body", False):
                return b"".join(parts)


def _log(failure: object) -> None:
    """The client has its 500. The log says where, and nothing of what was asked: a message may hold a prompt."""
    if isinstance(failure, Exception) and not isinstance(failure, ClientDisconnect):
        where = "".join(traceback.format_tb(failure.__traceback__)[-3:])
        log.error("A request failed: %s\n%s", type(failure).__name__, where)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
