"""What stands between the network and the page: trusted hosts, a body cap, no requests from other sites, a CSP.

A plain ASGI middleware that imports nothing of Gradio. Nothing is buffered: a streamed answer passes as it comes.
Passed as `launch(app_kwargs={"middleware": [Middleware(Walls, allowed_hosts=…)]})`.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

MAX_BODY = 12_000_000
"""Bytes of a request. A paste of 10 MB still arrives, so that the page can say itself that it is too long."""
MAX_UPLOAD = 128_000_000
"""Bytes of an uploaded file with its envelope: a results.csv of a million steps has 40–60 MB."""
UPLOAD_PATH = "/gradio_api/upload"
DRAINED = 16
"""So many times the cap is read and thrown away before the 413: a client that is cut off mid-way never sees it."""

LOCAL = ("127.0.0.1", "localhost", "[::1]")
ANY_ADDRESS = "*.*.*.*"
"""An allowed host that stands for every IP address: DNS rebinding needs a name, so they are safe to allow."""

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        # Gradio starts from inline scripts and compiles gr.HTML's js_on_load and templates with new Function.
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        # No address of another host: an image in a model's answer would carry what it wrote there to its owner.
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "frame-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'self'",
    )
)

SECURITY_HEADERS: dict[bytes, bytes] = {
    b"content-security-policy": CONTENT_SECURITY_POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"SAMEORIGIN",
    b"referrer-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
}


def hosts_for(host: str, named: Iterable[str] = (), *, share: bool = False) -> tuple[str, ...]:
    """The hosts that a page bound to `host` is reached by; `named` are those of PLAYGROUND_ALLOWED_HOSTS."""
    hosts = [*LOCAL, *named]
    if host in ("0.0.0.0", "::", "[::]", ""):  # noqa: S104 - asked for by the person
        name = socket.gethostname()
        hosts += [ANY_ADDRESS, name, f"{name}.local"]
    else:
        hosts.append(host)
    if share:
        hosts.append("*.gradio.live")
    return tuple(dict.fromkeys(bare_host(name) for name in hosts))


def bare_host(value: str) -> str:
    """A Host header's name: no port, lower case, no final dot, an IPv6 address without its brackets."""
    value = value.strip().lower()
    address = re.fullmatch(r"\[([0-9a-f:.]+)\](:\d*)?", value)
    if address:
        return address[1]
    name, colon, port = value.rpartition(":")
    # More than one colon and no brackets is an IPv6 address as a setting may name it.
    return (name if colon and port.isdigit() and ":" not in name else value).rstrip(".")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request goes no further, as an HTTP status and one sentence."""

    status: int
    reason: str


class TooLarge(Exception):
    """The body grew past the cap. Raised into the app, whose reading it ends; the middleware answers 413."""


class Walls:
    """The middleware. `allowed_hosts` as of `hosts_for`; `*.name` allows every host below a name; sizes in bytes."""

    def __init__(
        self, app: App, *, allowed_hosts: Iterable[str], max_body: int = MAX_BODY, max_upload: int = MAX_UPLOAD
    ) -> None:
        self._app = app
        self._hosts = frozenset(bare_host(host) for host in allowed_hosts)
        self._max_body = max_body
        self._max_upload = max_upload

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = self.refusal(scope)
        if scope["type"] == "websocket":
            # Closing before accepting is the 403 of a websocket.
            await (send({"type": "websocket.close", "code": 1008}) if refusal else self._app(scope, receive, send))
            return
        if refusal:
            await _refuse(_with_headers(send), refusal)
            return
        scope["headers"] = [pair for pair in scope["headers"] if self._keeps(pair)]
        upload = scope["path"].endswith(UPLOAD_PATH)
        await self._capped(scope, receive, _with_headers(send), limit=self._max_upload if upload else self._max_body)

    def refusal(self, scope: Scope) -> Refusal | None:
        """Judge a request by its headers alone; None lets it in."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        hosts = sum(name == b"host" for name, _ in scope["headers"])
        if hosts != 1 or not self.allows(headers["host"]):
            return Refusal(421, "This host name is not allowed here. Its owner can add it to PLAYGROUND_ALLOWED_HOSTS.")
        if self._is_foreign(headers, scope.get("method", "WEBSOCKET")):
            return Refusal(403, "This request came from another site.")
        return None

    def allows(self, host: str) -> bool:
        """Whether a Host header (or an Origin's netloc) names this page."""
        name = bare_host(host)
        if name in self._hosts:
            return True
        if ANY_ADDRESS in self._hosts and _is_address(name):
            return True
        return any(name.endswith(pattern[1:]) for pattern in self._hosts if pattern.startswith("*.") and name)

    def _is_foreign(self, headers: dict[str, str], method: str) -> bool:
        """Whether a browser sends this for another site's page.

        By Sec-Fetch-Site where the browser sends it (https and localhost), else by Origin. A link from elsewhere may
        open the page; nothing else from elsewhere may come in, and no other port of this machine counts as the page.
        Programs send neither header.
        """
        site = headers.get("sec-fetch-site")
        if site is not None:
            opens = method == "GET" and headers.get("sec-fetch-mode") == "navigate"
            return site not in ("same-origin", "none") and not opens
        origin = headers.get("origin")
        if origin is None or method in ("GET", "HEAD", "OPTIONS"):
            return False
        netloc = urlsplit(origin).netloc
        forwarded = headers.get("x-forwarded-host", "")
        return netloc != headers["host"] and not (netloc == forwarded and self.allows(forwarded))

    def _keeps(self, header: tuple[bytes, bytes]) -> bool:
        """Gradio builds its links from these two: one that names another site is dropped."""
        name, value = header
        if name == b"x-forwarded-host":
            return all(self.allows(part) for part in value.decode("latin-1").split(","))
        return name != b"x-gradio-server" or self.allows(urlsplit(value.decode("latin-1")).netloc)

    async def _capped(self, scope: Scope, receive: Receive, send: Send, *, limit: int) -> None:
        """Run the app with a body that ends in TooLarge past `limit` bytes."""
        read, started = 0, False

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > limit:
                raise TooLarge
            return message

        async def guarded(message: Message) -> None:
            nonlocal started
            # The app may have caught TooLarge and want to answer something else.
            if read > limit and not started:
                raise TooLarge
            started = True
            await send(message)

        try:
            if _announced(scope) > limit:
                raise TooLarge
            await self._app(scope, counted, guarded)
        except TooLarge:
            if started:
                raise
            await _drain(receive, at_most=limit * DRAINED - read)
            await _refuse(send, Refusal(413, f"The request is larger than {limit / 1e6:g} MB."))


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _announced(scope: Scope) -> int:
    """Content-Length; 0 where it is missing or no number, since the stream is counted anyway."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


async def _drain(receive: Receive, *, at_most: int) -> None:
    while at_most > 0:
        message = await receive()
        at_most -= len(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body"):
            return


def _with_headers(send: Send) -> Send:
    """`send` with the security headers on each response's start, in place of any the app set."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept: Headers = [(k, v) for k, v in message.get("headers", ()) if k.lower() not in SECURITY_HEADERS]
            message["headers"] = [*kept, *SECURITY_HEADERS.items()]
        await send(message)

    return sending


async def _refuse(send: Send, refusal: Refusal) -> None:
    body = f'{{"detail":"{refusal.reason}"}}'.encode()
    headers: Headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        # Whatever is left of the body is not read: the next request needs a new connection.
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
