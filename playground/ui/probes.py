"""What answers machines without a session: /healthz, /readyz and /metrics. A plain ASGI middleware before the doors."""

from __future__ import annotations

import hmac
import json

from playground.operations import Metrics, Readiness
from playground.operations.metrics import CONTENT_TYPE
from playground.settings import Settings
from playground.ui.walls import App, Headers, Receive, Scope, Send

JSON = "application/json"


class Probes:
    """The middleware."""

    def __init__(self, app: App, *, readiness: Readiness, metrics: Metrics, settings: Settings) -> None:
        self._app, self._readiness, self._metrics = app, readiness, metrics
        self._shared, self._token = settings.shared, settings.metrics_token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = scope["path"] if scope["type"] == "http" and scope["method"] in ("GET", "HEAD") else ""
        if asked == "/healthz":
            await _answer(send, 200, b'{"status":"ok"}', JSON)
        elif asked == "/readyz":
            state = await self._readiness.state()
            await _answer(send, 200 if state.ready else 503, json.dumps(state.parts).encode(), JSON)
        elif asked == "/metrics":
            if self._may_read(scope):
                await _answer(send, 200, self._metrics.page(), CONTENT_TYPE)
            else:
                said = b'{"detail":"Send the token of PLAYGROUND_METRICS_TOKEN as a bearer token."}'
                await _answer(send, 401, said, JSON)
        else:
            await self._app(scope, receive, send)

    def _may_read(self, scope: Scope) -> bool:
        """Figures of a shared page are its host's alone, and no address tells who asks behind a proxy."""
        if self._token is None:
            return not self._shared
        sent = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        return hmac.compare_digest(sent, b"Bearer " + self._token.encode())


async def _answer(send: Send, status: int, body: bytes, kind: str) -> None:
    headers: Headers = [
        (b"content-type", kind.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
