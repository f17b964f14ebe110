"""llama.cpp's own server, in this process, on a loopback port whose key only we know."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import socket
import threading
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx

from playground.engine.errors import ApiError, bad
from playground.gguf import GgufError, Header, read

CONTEXT = 8_192
"""Tokens of context at most: about 190 MB of keys and values for the default model, shared by all slots."""
SLOTS = 4
BATCH = 512
"""Tokens of a prompt that are read at once. Between two batches the others write on, and who went away is noticed."""
CLOSING = 20.0
"""Seconds that llama.cpp may take to end a server."""
_MESSAGE = 300
"""Characters of a message of llama.cpp's that are repeated."""


class Llama:
    """A loaded model, with one LoRA adapter over it if given. `context` is in tokens, shared by everything that is
    generated at once; `header` is the file's, where it has been read already."""

    def __init__(
        self, path: Path, *, adapter: Path | None = None, context: int = CONTEXT, header: Header | None = None
    ) -> None:
        self.header: Header = header or read(path)
        self.size_bytes = path.stat().st_size
        self.context = min(context, self.header.context_length)
        self._key = secrets.token_urlsafe(32)
        self._server = self._load(path, adapter)
        self._http = httpx.AsyncClient(
            base_url=self._server.listening_address,
            headers={"Authorization": f"Bearer {self._key}"},
            # A queue of long prompts may take minutes before the first token: whoever waits decides how long.
            timeout=None,  # noqa: S113
            # llama.cpp closes idle connections when it likes: a new one costs nothing on loopback, a race does.
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
            trust_env=False,
        )

    def _load(self, path: Path, adapter: Path | None) -> Any:
        import xllamacpp

        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.n_ctx = self.context
        params.n_parallel = SLOTS
        params.kv_unified = True
        params.n_batch = BATCH
        params.hostnames = ["127.0.0.1"]
        params.port = _free_port()
        params.api_keys = [self._key]
        params.verbosity = 0
        params.ui = False
        # One for each slot's answer, and some that /tokenize never has to wait for.
        params.n_threads_http = 2 * SLOTS + 4
        # Whether it fits was reckoned before; llama.cpp would load a model twice to find out, and take as long again.
        params.fit_params = False
        # Idle memory for prompts of the past: of little use for one person, and it leaks between adapters.
        params.cache_ram_mib = 0
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = physical_cores()
        if adapter is not None:
            lora = xllamacpp.CommonAdapterLoraInfo()
            lora.path, lora.scale = str(adapter), 1.0
            params.lora_adapters = [lora]
        try:
            return xllamacpp.Server(params)
        except Exception as exc:
            raise GgufError(
                f"llama.cpp cannot load the model file {path}: it is damaged, cut short, too large for the memory, or "
                f"newer than this llama.cpp. Download it again, or choose another. ({exc})",
            ) from exc

    async def tokenize(self, text: str, *, add_special: bool = False) -> list[int]:
        answer = await self._post("/tokenize", {"content": text, "add_special": add_special})
        tokens: list[int] = answer["tokens"]
        return tokens

    async def detokenize(self, tokens: list[int]) -> str:
        answer = await self._post("/detokenize", {"tokens": tokens})
        return str(answer["content"])

    async def render(self, messages: list[dict[str, Any]], *, thinking: bool = True) -> str:
        """The prompt that the model's chat template makes of a conversation; without `thinking`, one after which the
        model answers at once, where the template can say so."""
        body: dict[str, Any] = {"messages": messages}
        if not thinking:
            body["chat_template_kwargs"] = {"enable_thinking": False}
        answer = await self._post("/apply-template", body, param="messages")
        return str(answer["prompt"])

    async def generate(self, path: str, body: dict[str, Any], *, stream: bool) -> AsyncGenerator[dict[str, Any]]:
        """llama.cpp's own chunks of `/completion` or `/infill`, or one whole. Closing this ends the generation."""
        try:
            async with self._http.stream("POST", path, json={**body, "stream": stream}) as response:
                if response.status_code != 200 or not stream:
                    content = await response.aread()
                    if response.status_code != 200:
                        raise _refused(response.status_code, content)
                    yield json.loads(content)
                    return
                async for line in _lines(response):
                    if line.startswith(b"data: "):
                        chunk = json.loads(line[6:])
                        if "error" in chunk:
                            raise _refused(500, line[6:])
                        yield chunk
                    elif line.startswith(b"error: "):
                        raise _refused(500, line[7:])
        except httpx.TransportError as exc:
            raise ApiError(500, "llama.cpp broke off.", type="server_error") from exc

    async def _post(self, path: str, body: dict[str, Any], *, param: str | None = None) -> Any:
        response = await self._http.post(path, json=body)
        if response.status_code != 200:
            raise _refused(response.status_code, response.content, param)
        return response.json()

    async def aclose(self) -> None:
        await self._http.aclose()
        # In a thread: llama.cpp ends its own threads, and waits for them. In one of its own, and not for ever: it has
        # been seen to hang, and then what it holds stays where it is, but nobody else waits.
        server = [self._server]
        self._server = None
        ending = threading.Thread(target=server.clear, name="llama.cpp ends", daemon=True)
        ending.start()
        await asyncio.to_thread(ending.join, CLOSING)


async def _lines(response: httpx.Response) -> AsyncGenerator[bytes]:
    """Lines as server-sent events have them. httpx's own would also end one at U+2028, which a model may well write."""
    rest = b""
    async for part in response.aiter_bytes():
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            yield line
    yield rest


def _refused(status: int, content: bytes, param: str | None = None) -> ApiError:
    """llama.cpp's refusal in our shape; what it takes for its own failure at a request's values is a 400."""
    try:
        said = json.loads(content)
        error = said.get("error", said)
        message = str(error["message"]) if isinstance(error, dict) else str(error)
        kind = error.get("type") if isinstance(error, dict) else None
    except (ValueError, KeyError):
        message, kind = "llama.cpp refused the request.", None
    # Some of its messages repeat the whole request.
    message = message if len(message) <= _MESSAGE else message[:_MESSAGE] + "…"
    if kind == "exceed_context_size_error":
        return bad(message, "messages" if param == "messages" else "prompt", "context_length_exceeded")
    if status in (400, 501) or param is not None:
        return bad(message, param)
    return ApiError(500, message, type="server_error")


def physical_cores() -> int:
    """Cores without hyper-threads among those we may run on; llama.cpp spins, and with more it is many times slower."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    cores = set()
    for cpu in allowed:
        siblings = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        try:
            cores.add(siblings.read_text())
        except OSError:
            # No such file elsewhere than on Linux: half of what is counted is right on most machines.
            return max(1, len(allowed) // 2)
    return max(1, len(cores))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
