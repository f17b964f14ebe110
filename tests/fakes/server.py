"""A real HTTP server on 127.0.0.1 that speaks enough of OpenAI's API, and misbehaves on command.

    with FakeServer() as server:
        server.enqueue("429:0", "ok")       # one fault a request, in order; when the queue is empty the server behaves
        ... Endpoint(base_url=server.url, ...) ...
        server.requests[0].body             # what came in
        server.open_streams                 # answers that are still being sent

A model named `fault-NAME` asks for the fault by itself, `fault-NAME-then-ok` once: see `faults.py` for the names.
Alone, for benchmarks: `python -m tests.fakes.server --port 8123`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from tests.fakes import openai_like, payloads
from tests.fakes.batches import Batches
from tests.fakes.faults import refusal
from tests.fakes.limiter import Limiter
from tests.fakes.replies import NEVER, Recorded, Reply
from tests.fakes.training import JOBS, Answer, Training


class FakeServer:
    """`tokens` is the answer's text, one entry a token. `pace` is what happens to a request without a fault."""

    def __init__(self, *, tokens: tuple[str, ...] = payloads.DEFAULT_TOKENS, pace: str = "ok", port: int = 0) -> None:
        self.tokens = tokens
        self.pace = pace
        self.tokenizer = True
        self.jobs: list[dict[str, Any]] = []
        self.training = Training()
        self.batches = Batches(self)
        #: Is told of a request when its answer is ready and not yet sent.
        self.heard: Callable[[Recorded], None] = lambda request: None
        self.models: dict[str, Any] = payloads.MODELS
        self.limiter: Limiter | None = None
        self.requests: list[Recorded] = []
        self.open_streams = 0
        self._queue: deque[str] = deque()
        self._seen: set[str] = set()
        self._port = port
        self.connections: set[Connection] = set()

    def files(self, request: Recorded) -> Answer | None:
        """The answer of what works on files: batches and training; None where it is for something else."""
        asked = request.method, request.path, request.query, request.body
        return self.batches.answer(*asked) or self.training.answer(*asked)

    def enqueue(self, *faults: str) -> None:
        """One fault for each of the next requests, whatever they ask for."""
        self._queue.extend(faults)

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def url(self) -> str:
        """The base URL, as an SDK wants it."""
        return f"{self.root}/v1"

    def __enter__(self) -> FakeServer:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *exc: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _listen(self) -> asyncio.Server:
        return await self._loop.create_server(lambda: Connection(self), "127.0.0.1", self._port, backlog=512)

    async def _close(self) -> None:
        self._server.close()
        for connection in list(self.connections):
            connection.transport.abort()
        while self.connections or self.open_streams:  # noqa: ASYNC110 (a test's end, not worth an event)
            await asyncio.sleep(0.005)

    def fault_for(self, body: Any) -> str:
        if self._queue:
            return self._queue.popleft()
        model = str((body or {}).get("model", "")) if isinstance(body, dict) else ""
        if not model.startswith("fault-"):
            return self.pace
        if model.endswith("-then-ok"):
            if model in self._seen:
                return self.pace
            self._seen.add(model)
        return model.removeprefix("fault-").removesuffix("-then-ok")


class Connection(asyncio.Protocol):
    """One client connection: requests one after another, the next one read when the last was answered."""

    def __init__(self, server: FakeServer) -> None:
        self.server = server
        self._buffer = b""
        self._task: asyncio.Task[None] | None = None
        self._request: Recorded | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.server.connections.discard(self)
        if self._request is not None and self._request.finished_at is None:
            self._request.closed_by_client_at = time.monotonic()
        if self._task is not None:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._task is not None or b"\r\n\r\n" not in self._buffer:
            return
        head, rest = self._buffer.split(b"\r\n\r\n", 1)
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            return
        self._buffer = rest[length:]
        method, path, _ = first.split(" ", 2)
        body: Any = rest[:length] or None
        if body is not None and "multipart" not in headers.get("content-type", ""):
            body = json.loads(body)
        where, _, query = path.partition("?")
        self._request = Recorded(method, where, headers, body, id(self), dict(parse_qsl(query)))
        self.server.requests.append(self._request)
        self._task = asyncio.get_running_loop().create_task(self._answer(self._request))

    async def _answer(self, request: Recorded) -> None:
        self.server.open_streams += 1
        try:
            # The list of jobs is asked for beside the list of models: it takes nothing from the queue.
            jobs = (request.method, request.path) == ("GET", JOBS)
            await self._route(request, self.server.pace if jobs else self.server.fault_for(request.body))
            request.finished_at = time.monotonic()
        finally:
            self.server.open_streams -= 1
            self._task = None
        self.data_received(b"")

    async def _route(self, request: Recorded, fault: str) -> None:
        key = request.headers.get("authorization", "").removeprefix("Bearer ")
        no = refusal(fault, key=key, body=request.body) or openai_like.refusal(request.body)
        asks = request.path in ("/v1/completions", "/v1/chat/completions")
        if no is None and asks and self.server.limiter is not None and not self.server.limiter.take():
            no = self.server.limiter.refusal()
        if no is not None:
            self.whole(no.status, no.body, no.headers, no.content_type)
        elif fault == "drop_headers":
            self.end(request)
        elif fault == "stall_headers":
            await asyncio.sleep(NEVER)
        elif fault == "html":
            self.whole(200, payloads.HTML, {}, "text/html; charset=utf-8")
        elif fault.startswith("whole:"):
            self.whole(200, fault.removeprefix("whole:").encode())
        elif request.path == "/v1/models":
            self.whole(200, payloads.encode(self.server.models))
        elif request.path == "/tokenize" and self.server.tokenizer:
            self.whole(200, payloads.encode(payloads.tokenized(request.body)))
        elif (request.method, request.path) == ("GET", JOBS) and self.server.jobs:
            self.whole(200, payloads.encode(payloads.page(self.server.jobs, request.query)))
        elif answer := self.server.files(request):
            self.whole(*answer)
        elif asks:
            await Reply(self, self.server.tokens, request, fault).send()
        else:
            self.whole(404, payloads.encode({"detail": "Not Found"}))

    def whole(
        self, status: int, body: bytes, headers: dict[str, str] | None = None, kind: str = "application/json"
    ) -> None:
        if self._request is not None:
            self.server.heard(self._request)
        extra = _lines({**self._limits(), **(headers or {})})
        head = f"HTTP/1.1 {status} Fake\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n{extra}\r\n"
        self.transport.write(head.encode("latin-1") + body)

    def start_stream(self) -> None:
        head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n"
        self.transport.write(f"{head}{_lines(self._limits())}\r\n".encode("latin-1"))

    def _limits(self) -> dict[str, str]:
        return self.server.limiter.headers() if self.server.limiter is not None else {}

    def write(self, data: bytes) -> None:
        self.transport.write(b"%x\r\n%b\r\n" % (len(data), data))

    def finish_stream(self) -> None:
        self.transport.write(b"0\r\n\r\n")

    def end(self, request: Recorded) -> None:
        """Close the connection from this side, whatever the client still expects."""
        request.finished_at = time.monotonic()
        self.transport.close()


def _lines(headers: dict[str, str]) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items())


def main() -> None:
    parser = argparse.ArgumentParser(description="A fake OpenAI server for tests and benchmarks.")
    parser.add_argument("--port", type=int, default=8123)
    parser.add_argument(
        "--pace", default="ok", help="what requests without a fault get, for example slow:100 or burst:2000"
    )
    parser.add_argument("--tokens", type=int, default=len(payloads.DEFAULT_TOKENS), help="the length of an answer")
    options = parser.parse_args()
    tokens = tuple(f" t{i}" for i in range(options.tokens))
    with FakeServer(tokens=tokens, pace=options.pace, port=options.port) as server:
        print(f"{server.url} (models fault-slow:100, fault-burst:2000, fault-429:1-then-ok, …)", flush=True)  # noqa: T201
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print("closed", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
