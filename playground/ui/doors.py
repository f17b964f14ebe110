"""The doors of a shared page: nothing behind them answers a request without a session. A plain ASGI middleware.

A session is a signed cookie; the doors put what it says into the request's scope (`visitor.session` reads it there).
Whoever has none is shown a form in the place of the page; programs get a 401, and may sign in as Gradio's client does,
by POST /login with `username` and `password`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlencode

from playground.access import HOST_LINK, Entry, Session, TooOften, read, sign
from playground.errors import StoreError
from playground.ui.sign_in import form
from playground.ui.visitor import IN_SCOPE
from playground.ui.walls import App, Message, Receive, Scope, Send
from playground.words import Language, Said

COOKIE = "playground_session"
MOST_FORM = 8_192
"""Bytes of a form."""
OPEN = ("/gradio_api/startup-events", "/favicon.ico")
"""What answers without a session. Gradio asks for the first itself when it starts."""


class Doors:
    """The middleware, behind `Walls`. `left` is told the account of whoever signs out."""

    def __init__(self, app: App, *, entry: Entry, left: Callable[[str], None] = lambda account: None) -> None:
        self._app, self._entry, self._left = app, entry, left

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        scope.pop(IN_SCOPE, None)
        found = self._session(scope)
        if found is not None:
            scope[IN_SCOPE] = found
        if scope["type"] == "websocket":
            await (self._app(scope, receive, send) if found else send({"type": "websocket.close", "code": 1008}))
        elif scope["path"].rstrip("/") == "/login" and scope["method"] == "POST":
            await self._sign_in(scope, receive, send)
        elif scope["path"].rstrip("/") == "/signout" and scope["method"] == "POST":
            if found is not None:
                self._left(found.account)
            await _redirect(send, "/", _cookie("", 0, scope))
        elif _wants_page(scope) and HOST_LINK in _query(scope):
            await self._host_link(scope, send, _query(scope))  # also for a host who came in as a visitor before
        elif found is not None or scope["path"] in OPEN:
            await self._app(scope, receive, send)
        else:
            await self._refuse(scope, send)

    def _session(self, scope: Scope) -> Session | None:
        """By the cookie. One that was forged, or has ended, is none."""
        text = _cookies(scope).get(COOKIE, "")
        return read(text, self._entry.sharing.key, now=time.time()) if text else None

    async def _refuse(self, scope: Scope, send: Send) -> None:
        if not _wants_page(scope):
            await _answer(send, 401, b'{"detail":"Not signed in."}', "application/json")
        elif self._entry.open and not self._entry.sharing.over(time.time()):
            try:
                session = await self._entry.visitor()
            except StoreError:
                await self._form(scope, send, 503, Said("access.away"))
                return
            await _redirect(send, _here(scope), self._cookie(session, scope))
        else:
            over = self._entry.sharing.over(time.time())
            await self._form(scope, send, 401, Said("access.over") if over else None)

    async def _host_link(self, scope: Scope, send: Send, query: Mapping[str, list[str]]) -> None:
        """The printed link: once its secret is in a cookie, it goes from the address."""
        found = read(query[HOST_LINK][0], self._entry.sharing.key, now=time.time())
        if found is None or found.role != "host":
            await self._form(scope, send, 401, Said("access.wrong"))
            return
        rest = {name: values for name, values in query.items() if name != HOST_LINK}
        path = scope["path"] + (f"?{urlencode(rest, doseq=True)}" if rest else "")
        await _redirect(send, _local(path), self._cookie(self._entry.host(), scope))

    async def _sign_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        fields = await _fields(receive)
        wants_page = "text/html" in _header(scope, b"accept")
        try:
            if fields is None:
                found = None
            else:
                address = scope["client"][0] if scope.get("client") else ""
                found = await self._entry.enter(fields.get("username", ""), fields.get("password", ""), address=address)
        except TooOften as error:
            said = Said("access.often", {"seconds": error.seconds})
            extra = [(b"retry-after", str(int(error.seconds) + 1).encode())]
            await self._form(scope, send, 429, said, extra)
        except StoreError:
            await self._form(scope, send, 503, Said("access.away"))
        else:
            if found is None:
                await self._form(scope, send, 401, Said("access.wrong"))
            elif wants_page:
                await _redirect(send, _local((fields or {}).get("next", "/")), self._cookie(found, scope))
            else:
                cookie = self._cookie(found, scope)
                await _answer(send, 200, b'{"success":true}', "application/json", [(b"set-cookie", cookie)])

    def _cookie(self, session: Session, scope: Scope) -> bytes:
        lasts = max(1, session.until - int(time.time()))
        return _cookie(sign(session, self._entry.sharing.key), lasts, scope)

    async def _form(
        self, scope: Scope, send: Send, status: int, said: Said | None, extra: list[tuple[bytes, bytes]] | None = None
    ) -> None:
        page = form(
            language=_language(scope),
            to="/login",
            then=_here(scope) if scope["method"] == "GET" else "/",
            said=said,
            by_name=bool(self._entry.users),
            host_password=self._entry.has_host_password,
        )
        await _answer(send, status, page.encode(), "text/html; charset=utf-8", extra)


def _wants_page(scope: Scope) -> bool:
    return scope["method"] == "GET" and "text/html" in _header(scope, b"accept")


def _query(scope: Scope) -> dict[str, list[str]]:
    return parse_qs(scope["query_string"].decode("latin-1"))


def _header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


def _language(scope: Scope) -> Language:
    return "es" if _header(scope, b"accept-language").lower().startswith("es") else "en"


def _cookies(scope: Scope) -> dict[str, str]:
    found = SimpleCookie()
    try:
        found.load(_header(scope, b"cookie"))
    except CookieError:
        return {}
    return {name: morsel.value for name, morsel in found.items()}


def _cookie(value: str, lasts: int, scope: Scope) -> bytes:
    """Not for scripts, not sent from other sites' forms; over https only where the page is."""
    secure = scope.get("scheme") == "https" or _header(scope, b"x-forwarded-proto").split(",")[0].strip() == "https"
    parts = [f"{COOKIE}={value}", f"Max-Age={lasts}", "Path=/", "HttpOnly", "SameSite=Lax", *["Secure"] * secure]
    return "; ".join(parts).encode()


def _here(scope: Scope) -> str:
    query = scope["query_string"].decode("latin-1")
    return _local(scope["path"] + (f"?{query}" if query else ""))


def _local(path: str) -> str:
    """A path of this page; `/` for one that a browser would take for another host, or that holds a line's end."""
    wrong = (
        not path.startswith("/") or path[1:2] in ("/", "\\") or any(ord(each) < 32 or ord(each) > 126 for each in path)
    )
    return "/" if wrong else path[:2_000]


async def _fields(receive: Receive) -> dict[str, str] | None:
    """The form's fields; None where it is none, or too long."""
    body = b""
    while True:
        message: Message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if len(body) > MOST_FORM:
            return None
        if not message.get("more_body"):
            break
    try:
        return {name: values[0] for name, values in parse_qs(body.decode(), max_num_fields=20).items()}
    except ValueError:
        return None


async def _redirect(send: Send, path: str, cookie: bytes) -> None:
    headers = [(b"location", path.encode("latin-1")), (b"set-cookie", cookie)]
    await _answer(send, 303, b"", "text/plain", headers)


async def _answer(
    send: Send, status: int, body: bytes, kind: str, extra: list[tuple[bytes, bytes]] | None = None
) -> None:
    headers: list[Any] = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    headers += [(b"cache-control", b"no-store"), *(extra or [])]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
