"""How the fake server sends one answer, well or not: one method a fault of `faults.py`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.fakes import openai_like, payloads

NEVER = 3600.0


@dataclass
class Recorded:
    """One request as it arrived. Times are `time.monotonic()`."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    connection: int
    query: dict[str, str] = field(default_factory=dict)
    arrived_at: float = field(default_factory=time.monotonic)
    finished_at: float | None = None
    closed_by_client_at: float | None = None


class Sender(Protocol):
    """What a reply needs of its connection."""

    transport: asyncio.Transport

    def whole(self, status: int, body: bytes) -> None: ...
    def start_stream(self) -> None: ...
    def write(self, data: bytes) -> None: ...
    def finish_stream(self) -> None: ...
    def end(self, request: Recorded) -> None: ...


class Reply:
    """One answer to a completion or a chat, well sent or not."""

    def __init__(self, connection: Sender, tokens: tuple[str, ...], request: Recorded, fault: str) -> None:
        self._to = connection
        self._request = request
        self._fault, _, self._arg = fault.partition(":")
        body = request.body
        self._chat = request.path.endswith("/chat/completions")
        self._n = 1 if self._fault == "one_choice" else body.get("n") or 1
        self._tokens = tokens
        if self._fault == "burst":
            self._tokens = tuple(f" t{i}" for i in range(int(self._arg or 2000)))
        asked = body.get("logprobs")
        legacy = not self._chat and self._fault != "chat_shape"
        self._logprobs = None if asked is None or asked is False else "legacy" if legacy else "chat"

    async def send(self) -> None:
        body = self._request.body
        if self._chat and openai_like.calls(body):
            return self._call(body)
        if not body.get("stream") or self._fault == "unstreamed":
            answer = payloads.whole(chat=self._chat, tokens=self._tokens, n=self._n, logprobs=self._logprobs)
            self._to.whole(200, payloads.encode(answer))
            return
        self._to.start_stream()
        turn: Callable[[tuple[bytes, ...]], Any] | None = getattr(self, f"_{self._fault}", None)
        chunks = payloads.chunks(chat=self._chat, tokens=self._tokens, n=self._n, logprobs=self._logprobs)
        if turn is None:
            self._to.write(b"".join(chunks) + self._ending())
        elif (still := turn(chunks)) is not None:
            await still
        if not self._to.transport.is_closing():
            self._to.finish_stream()

    def _call(self, body: Any) -> None:
        if not body.get("stream"):
            self._to.whole(200, payloads.encode(openai_like.whole_call(body)))
            return
        self._to.start_stream()
        usage = payloads.usage_chunk(chat=True, n=1, tokens=5)
        self._to.write(openai_like.call_chunks(body) + usage + payloads.DONE)
        self._to.finish_stream()

    def _reasoning(self, chunks: tuple[bytes, ...]) -> None:
        self._to.write(openai_like.thinking() + b"".join(chunks) + self._ending())

    async def _thinks(self, chunks: tuple[bytes, ...]) -> None:
        """Thoughts, a pause, then the answer, with the thoughts counted."""
        self._to.write(openai_like.thinking(self._n))
        await asyncio.sleep(float(self._arg or 1))
        usage = payloads.usage_chunk(chat=True, n=self._n, tokens=len(self._tokens), thought=2)
        self._to.write(b"".join(chunks) + payloads.finish(chat=True, n=self._n) + usage + payloads.DONE)

    def _thinks_only(self, chunks: tuple[bytes, ...]) -> None:
        cut = {**payloads.CHUNK, "choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]}
        usage = payloads.usage_chunk(chat=True, n=1, tokens=0, thought=2)
        self._to.write(openai_like.thinking() + payloads.sse(cut) + usage + payloads.DONE)

    def _ending(self) -> bytes:
        counted = (self._request.body.get("stream_options") or {}).get("include_usage") and self._fault != "no_usage"
        tail = payloads.usage_chunk(chat=self._chat, n=self._n, tokens=len(self._tokens)) if counted else b""
        return payloads.finish(chat=self._chat, n=self._n) + tail + payloads.DONE

    async def _slow(self, chunks: tuple[bytes, ...]) -> None:
        # By the clock and not by adding up sleeps, so that many streams together keep their rate.
        begun, pause = time.monotonic(), 1 / float(self._arg or 20)
        for i, chunk in enumerate(chunks):
            await asyncio.sleep(max(0.0, begun + i * pause - time.monotonic()))
            self._to.write(chunk)
        self._to.write(self._ending())

    async def _burst_then_pause(self, chunks: tuple[bytes, ...]) -> None:
        self._to.write(b"".join(chunks[:2]))
        await asyncio.sleep(float(self._arg or 1))
        self._to.write(b"".join(chunks[2:]) + self._ending())

    async def _stall_first(self, chunks: tuple[bytes, ...]) -> None:
        await asyncio.sleep(NEVER)

    async def _stall_midstream(self, chunks: tuple[bytes, ...]) -> None:
        self._to.write(b"".join(chunks[:2]))
        await asyncio.sleep(NEVER)

    def _drop_midstream(self, chunks: tuple[bytes, ...]) -> None:
        self._to.write(b"".join(chunks[:2]))
        self._to.end(self._request)

    def _no_done(self, chunks: tuple[bytes, ...]) -> None:
        self._to.write(b"".join(chunks[:2]))

    def _finished_only(self, chunks: tuple[bytes, ...]) -> None:
        self._to.write(b"".join(chunks) + payloads.finish(chat=self._chat, n=self._n))

    def _empty(self, chunks: tuple[bytes, ...]) -> None:
        self._to.write(b": nothing to say\n\n")

    def _broken_json(self, chunks: tuple[bytes, ...]) -> None:
        self._to.write(b"".join(chunks[:2]) + b'data: {"choices": [{"te\n\n')

    def _broken_bytes(self, chunks: tuple[bytes, ...]) -> None:
        self._to.write(b"".join(chunks[:2]) + b'data: {"choices": [{"text": "\xff\xfe"}]}\n\n')

    def _error_midstream(self, chunks: tuple[bytes, ...]) -> None:
        said = payloads.error("The server had an error.", kind="server_error", code=self._arg or None)
        self._to.write(b"".join(chunks[:2]) + payloads.sse(said))

    def _error_first(self, chunks: tuple[bytes, ...]) -> None:
        self._error_midstream(())

    def _odd(self, chunks: tuple[bytes, ...]) -> None:
        """`odd:TEXT` sends TEXT as the data of one event."""
        self._to.write(b"data: " + self._arg.encode() + b"\n\n" + payloads.DONE)

    def _refusal(self, chunks: tuple[bytes, ...]) -> None:
        self._to.write(payloads.sse({"choices": [{"index": 0, "delta": {"refusal": "I cannot."}}]}) + self._ending())

    def _running_usage(self, chunks: tuple[bytes, ...]) -> None:
        running = (payloads.usage_chunk(chat=self._chat, n=self._n, tokens=i + 1) for i in range(len(chunks)))
        pairs = zip(chunks, running, strict=True)
        self._to.write(b"".join(b"".join(pair) for pair in pairs) + self._ending())
