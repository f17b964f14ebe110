"""An id for each request, which its answer and every line of the log have; and a line for each, without its query."""

from __future__ import annotations

import logging
import re
import time
import uuid

from playground.operations import REQUEST_ID, Metrics
from playground.operations.logs import FIELDS
from playground.ui.walls import App, Message, Receive, Scope, Send

log = logging.getLogger("playground.requests")

IN_SCOPE = "playground.request"
"""Under this name the id stands in a request's ASGI scope, where the handlers of Gradio's queue find it."""
HEADER = b"x-request-id"
QUIET = ("/healthz", "/readyz", "/metrics")
"""What machines ask every few seconds."""


class Requests:
    """The middleware, outermost."""

    def __init__(self, app: App, *, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        id = scope[IN_SCOPE] = _given(scope) or uuid.uuid4().hex
        REQUEST_ID.set(id)
        began, status = time.perf_counter(), 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (HEADER, id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            self._metrics.requested(status)
            if scope["path"] not in QUIET:
                _log(scope, status, time.perf_counter() - began)


def _given(scope: Scope) -> str:
    """The id that a proxy gave it, as far as it is one."""
    found = next((value.decode("latin-1") for name, value in scope["headers"] if name == HEADER), "")
    return found if re.fullmatch(r"[A-Za-z0-9_-]{8,64}", found) else ""


def _log(scope: Scope, status: int, seconds: float) -> None:
    fields = {"method": scope["method"], "path": scope["path"][:200], "status": status, "seconds": round(seconds, 3)}
    log.info("request", extra={FIELDS: fields})
