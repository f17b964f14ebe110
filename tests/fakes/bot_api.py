"""A real HTTP server on 127.0.0.1 with the Bot API's shape, which misbehaves on command.

with BotApi() as api:
    api.write("Hello", chat=7, language="es")        # a person's message
    api.update({"edited_message": {…}})              # anything else that Telegram tells
    api.fail("sendMessage", 429, retry_after=1)      # the next call of that method
    api.sent                                         # (chat, text) that arrived
"""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

TOKEN = "123456789:AAcanary0123456789canary0123456789c"
DROPPED = 0
"""A status for `fail`: the call is carried out, and its answer never comes back."""


class BotApi:
    """One bot's server. Updates stay until a later offset confirms them, as at Telegram's."""

    def __init__(self, token: str = TOKEN) -> None:
        self.token = token
        self.username = "canary_bot"
        self.calls: list[tuple[str, dict[str, str]]] = []
        self.sent: list[tuple[int, str]] = []
        self._updates: list[dict[str, Any]] = []
        self._number = 100
        self._failures: dict[str, deque[tuple[int, dict[str, Any]]]] = defaultdict(deque)
        self._news = threading.Condition()
        self._closed = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> BotApi:
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                api.answer(self)

            def log_message(self, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *args: Any) -> None:
                """A client that was killed is no error."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        with self._news:
            self._closed = True
            self._news.notify_all()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    # --- what tests say ---

    def write(self, text: str, *, chat: int = 7, language: str | None = "en", **more: Any) -> int:
        """A person's message; its update's number."""
        sender = {"id": chat, "is_bot": False, "first_name": "A", **({"language_code": language} if language else {})}
        message = {"message_id": 1, "date": 0, "chat": {"id": chat, "type": "private"}, "from": sender, "text": text}
        message.update(more)
        return self.update({"message": {name: value for name, value in message.items() if value is not None}})

    def update(self, about: Any) -> int:
        with self._news:
            self._number += 1
            self._updates.append({"update_id": self._number, **about})
            self._news.notify_all()
            return self._number

    def fail(self, method: str, status: int, times: int = 1, **parameters: Any) -> None:
        self._failures[method].extend([(status, parameters)] * times)

    def texts(self, chat: int = 7) -> list[str]:
        return [text for to, text in self.sent if to == chat]

    def waits(self) -> bool:
        """Whether every update was confirmed."""
        return not self._updates

    def until(self, condition: Callable[[], bool], *, seconds: float = 60) -> None:
        """Wait until `condition` holds. Generous: a loaded machine is no failure."""
        limit = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < limit, f"it did not happen in time; sent: {self.sent}"
            time.sleep(0.01)

    # --- what the bot asks ---

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("content-length") or 0)).decode()
        where = urlsplit(request.path)
        token, _, method = where.path.removeprefix("/bot").partition("/")
        given = dict(parse_qsl(where.query) + parse_qsl(body))
        self.calls.append((method, given))
        if token != self.token:
            return self._say(request, 401, {"ok": False, "error_code": 401, "description": "Unauthorized"})
        status, parameters = self._failures[method].popleft() if self._failures[method] else (200, {})
        if status not in (200, DROPPED):
            said = parameters.pop("description", "It failed")
            return self._say(
                request, status, {"ok": False, "error_code": status, "description": said, "parameters": parameters}
            )
        result = self._done(method, given)
        if status == DROPPED:
            request.close_connection = True
            return None
        return self._say(request, 200, {"ok": True, "result": result})

    def _done(self, method: str, given: dict[str, str]) -> Any:
        if method == "getMe":
            return {"id": 123456789, "is_bot": True, "first_name": "Canary", "username": self.username}
        if method == "getUpdates":
            return self._next(int(given.get("offset", 0)), float(given.get("timeout", 0)))
        if method == "sendMessage":
            chat, text = int(given["chat_id"]), given["text"]
            assert len(text.encode("utf-16-le")) <= 2 * 4096
            self.sent.append((chat, text))
            return {"message_id": len(self.sent), "date": 0, "chat": {"id": chat, "type": "private"}, "text": text}
        return True

    def _next(self, offset: int, timeout: float) -> list[dict[str, Any]]:
        with self._news:
            self._updates = [each for each in self._updates if each["update_id"] >= offset]
            self._news.wait_for(lambda: bool(self._updates) or self._closed, timeout)
            return list(self._updates[:100])

    def _say(self, request: BaseHTTPRequestHandler, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        request.send_response(status)
        request.send_header("content-type", "application/json")
        request.send_header("content-length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)
