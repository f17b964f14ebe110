"""A real server on 127.0.0.1 with the hub's protocol, its storage on a second port, and faults on command.

    with FakeHub() as hub:
        hub.add("owner/repo", "m.gguf", data)     # a file in LFS: HEAD tells its sha256, GET sends on to the storage
        hub.storage.enqueue("cut:1000", "ok")     # one fault for each of the storage's next answers, in order
        hub.heads, hub.storage.requests           # what came in
        hub.storage.gate.set()                    # lets what is held or stalled go on

Alone it is any server of files: `FakeFiles(context)` speaks TLS where it is given a context.
"""

from __future__ import annotations

import hashlib
import json
import ssl
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import unquote, urlsplit

COMMIT = "c0ffee" + "0" * 34


@dataclass
class Asked:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """The other side hung up, or does not trust the certificate: that is what the test is about."""


class Served:
    """A server that runs while its block does."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.requests: list[Asked] = []
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._scheme = "https" if context else "http"
        if context:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        return f"{self._scheme}://{self.host}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        raise NotImplementedError

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        served = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                served.requests.append(Asked(self.command, self.path, headers))
                # The other side hangs up in the middle where a test says so.
                with suppress(ConnectionError, ssl.SSLError):
                    served.answer(self)

            do_GET = do_HEAD = handle_any

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


def reply(handler: BaseHTTPRequestHandler, status: int, headers: dict[str, str], body: bytes = b"") -> None:
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(body)


class FakeFiles(Served):
    """Files by their path, with Range and If-Range. Faults, each for one GET:

    ok · cut:N (N bytes, then the line is cut) · hold:N (N bytes, the rest when `gate` is set) · stall:N (N bytes, then
    nothing until `gate` is set) · short (says and sends less) · longer (says less than it sends) · flip (other bytes) ·
    large (says 10^18 bytes) · html · whole (no Range) · again (416) · nolength · to:URL (a redirect) · a status
    """

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        super().__init__(context)
        self.files: dict[str, bytes] = {}
        self.gate = threading.Event()
        self.reached = threading.Event()
        self.validator = True
        self._faults: deque[str] = deque()

    def enqueue(self, *faults: str) -> None:
        self._faults.extend(faults)

    def __exit__(self, *_: object) -> None:
        self.gate.set()
        super().__exit__()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        fault, _, detail = (self._faults.popleft() if self._faults else "ok").partition(":")
        data = self.files.get(unquote(urlsplit(handler.path).path))
        if fault == "to":
            return reply(handler, 302, {"Location": detail})
        if fault.isdigit():
            return reply(handler, int(fault), {})
        if data is None:
            return reply(handler, 404, {})
        if fault == "html":
            return reply(handler, 200, {"Content-Type": "text/html"}, b"<h1>Log in</h1>")
        if fault == "again":
            return reply(handler, 416, {"Content-Range": f"bytes */{len(data)}"})
        self._send(handler, data, fault, int(detail or 0))

    def _send(self, handler: BaseHTTPRequestHandler, data: bytes, fault: str, count: int) -> None:
        etag = f'"{hashlib.md5(data).hexdigest()}"'
        begin = self._begin(handler, etag) if fault != "whole" else 0
        if begin and begin >= len(data):
            return reply(handler, 416, {"Content-Range": f"bytes */{len(data)}"})
        if fault == "flip":
            data = data[:-1] + bytes([data[-1] ^ 1])
        body = data[begin:]
        handler.send_response(206 if begin else 200)
        length = 10**18 if fault == "large" else len(body) - (10 if fault in ("short", "longer") else 0)
        if fault == "nolength":
            handler.send_header("Connection", "close")
            handler.close_connection = True
        else:
            handler.send_header("Content-Length", str(length))
        if begin:
            handler.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
        if self.validator:
            handler.send_header("ETag", etag)
        handler.end_headers()
        if fault in ("cut", "hold", "stall"):
            handler.wfile.write(body[:count])
            handler.wfile.flush()
            self.reached.set()
            if fault != "cut":
                self.gate.wait(60)
            if fault == "hold":
                handler.wfile.write(body[count:])
            handler.close_connection = fault != "hold"
            return None
        handler.wfile.write(body[:length] if fault == "short" else body)
        return None

    def _begin(self, handler: BaseHTTPRequestHandler, etag: str) -> int:
        asked = handler.headers.get("Range", "")
        if not asked or handler.headers.get("If-Range", etag) != etag:
            return 0
        return int(asked.removeprefix("bytes=").removesuffix("-"))


@dataclass
class Stored:
    data: bytes
    lfs: bool = True
    gated: bool = False
    sha256: str = ""
    said_size: int = 0


@dataclass
class Repository:
    files: dict[str, Stored] = field(default_factory=dict)
    private: bool = False
    card: dict[str, Any] = field(default_factory=dict)


class FakeHub(Served):
    """`token` is the one it knows; whoever has accepted terms is in `admitted`. `head` is a fault for every look-up:
    a status, `silent`, `strange` (a server that is no hub), or `to:URL`."""

    def __init__(self, *, token: str = "hf_known") -> None:
        super().__init__()
        self.storage = FakeFiles()
        self.repositories: dict[str, Repository] = {}
        self.token = token
        self.admitted: set[str] = set()
        self.head = ""

    def __enter__(self) -> Self:
        self.storage.__enter__()
        return super().__enter__()

    def __exit__(self, *_: object) -> None:
        self.storage.__exit__()
        super().__exit__()

    @property
    def heads(self) -> list[Asked]:
        return [asked for asked in self.requests if asked.method == "HEAD"]

    @property
    def gets(self) -> list[Asked]:
        """Those for files."""
        return [asked for asked in self.requests if asked.method == "GET" and "/resolve/" in asked.path]

    def add(self, repo: str, file: str, data: bytes, **said: Any) -> None:
        stored = Stored(data, **said)
        stored.sha256 = stored.sha256 or hashlib.sha256(data).hexdigest()
        self.repositories.setdefault(repo, Repository()).files[file] = stored
        self.storage.files[f"/blob/{stored.sha256}"] = data

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = unquote(urlsplit(handler.path).path)
        if self.head == "silent":
            self.storage.gate.wait(60)
            return
        if self.head == "strange":
            return reply(handler, 200, {"Content-Type": "text/html", "ETag": '"x"'}, b"<h1>Log in</h1>")
        if self.head.startswith("to:"):
            return reply(handler, 302, {"Location": self.head[3:]})
        if self.head:
            return reply(handler, int(self.head), {})
        if path.startswith("/api/models/"):
            return self._described(handler, path.removeprefix("/api/models/"))
        repo, _, rest = path.lstrip("/").partition("/resolve/")
        revision, _, file = rest.partition("/")
        self._resolve(handler, repo, revision, file)

    def _described(self, handler: BaseHTTPRequestHandler, repo: str) -> None:
        known = self.repositories.get(repo)
        if known is None:
            return reply(handler, 404, {"X-Error-Code": "RepoNotFound"})
        said = {"id": repo, "cardData": known.card, "tags": [], "siblings": []}
        reply(handler, 200, {"Content-Type": "application/json"}, json.dumps(said).encode())

    def _resolve(self, handler: BaseHTTPRequestHandler, repo: str, revision: str, file: str) -> None:
        sent = handler.headers.get("Authorization", "").removeprefix("Bearer ")
        known = self.repositories.get(repo)
        if sent and sent != self.token:
            said = "Invalid credentials in Authorization header"
            return reply(handler, 401, {"X-Error-Message": said})
        if known is None or (known.private and not sent):
            return reply(handler, 404 if sent else 401, {"X-Error-Code": "RepoNotFound"})
        if revision not in ("main", COMMIT):
            return reply(handler, 404, {"X-Error-Code": "RevisionNotFound"})
        stored = known.files.get(file)
        if stored is None:
            return reply(handler, 404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
        if stored.gated and repo not in self.admitted:
            return reply(handler, 403 if sent else 401, {"X-Error-Code": "GatedRepo"})
        self._found(handler, stored)

    def _found(self, handler: BaseHTTPRequestHandler, stored: Stored) -> None:
        if not stored.lfs:
            blob = hashlib.sha1(b"blob %d\0" % len(stored.data) + stored.data).hexdigest()
            headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{blob}"', "Content-Length": str(len(stored.data))}
            return reply(handler, 200, headers, stored.data)
        headers = {
            "X-Repo-Commit": COMMIT,
            "X-Linked-Etag": f'"{stored.sha256}"',
            "X-Linked-Size": str(stored.said_size or len(stored.data)),
            "X-Xet-Hash": "f" * 64,
            "Link": f'<{self.url}/api/xet-read-token>; rel="xet-auth"',
            "Location": f"{self.storage.url}/blob/{stored.sha256}?signature=1",
        }
        reply(handler, 302, headers)
