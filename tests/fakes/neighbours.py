"""Model servers as they run on a person's machine, each with its own API's shape; and programs that are none.

    with Local(OLLAMA) as server:
        Address("ollama", server.port)
        server.asked                # (method, path) of every request

The shapes are those of Ollama's docs/api.md, LM Studio's REST API v0, llama.cpp's server and vLLM's ModelCard.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Route = Callable[["Handler"], None]
FLOOD = 100_000_000


def said(body: Any, status: int = 200) -> Route:
    def answer(handler: Handler) -> None:
        handler.give(status, json.dumps(body).encode())

    return answer


def _show(handler: Handler) -> None:
    lengths = {"llama3.2:3b": 131_072, "qwen3:0.6b": 40_960}
    name = handler.body["model"]
    if name == "nomic-embed-text:latest":
        about = {"model_info": {"nomic-bert.context_length": 2_048}, "capabilities": ["embedding"]}
    else:
        about = {"model_info": {"llama.context_length": lengths[name]}, "capabilities": ["completion", "tools"]}
    handler.give(200, json.dumps(about).encode())


def _ollama_model(name: str, size: int, family: str, parameters: str, quantisation: str) -> dict[str, Any]:
    details = {"format": "gguf", "family": family, "parameter_size": parameters, "quantization_level": quantisation}
    return {"name": name, "model": name, "size": size, "digest": "0" * 64, "details": details}


_OLLAMA = [
    _ollama_model("llama3.2:3b", 2_019_393_189, "llama", "3.2B", "Q4_K_M"),
    _ollama_model("qwen3:0.6b", 522_653_767, "qwen3", "751.63M", "Q4_K_M"),
    _ollama_model("nomic-embed-text:latest", 274_302_450, "nomic-bert", "137M", "F16"),
]


def _chat(handler: Handler) -> None:
    """The same few words to everybody, streamed."""
    model = handler.body["model"]
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": model}
    deltas = [{"role": "assistant", "content": ""}, {"content": "Hello"}, {"content": " neighbour"}]
    chunks = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    body = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
    handler.give(200, body.encode(), kind="text/event-stream")


def _openai(*models: Mapping[str, Any]) -> Route:
    return said({"object": "list", "data": [{"object": "model", "created": 1_700_000_000, **each} for each in models]})


CHATS: dict[str, Route] = {"POST /v1/chat/completions": _chat}

OLLAMA: dict[str, Route] = {
    **CHATS,
    "GET /api/version": said({"version": "0.13.1"}),
    "GET /api/tags": said({"models": _OLLAMA}),
    "GET /api/ps": said({"models": [{**_OLLAMA[0], "size_vram": 0, "context_length": 4_096}]}),
    "POST /api/show": _show,
    "GET /v1/models": _openai(*({"id": each["name"], "owned_by": "library"} for each in _OLLAMA)),
}

_STUDIO = {
    "object": "model",
    "type": "llm",
    "publisher": "lmstudio-community",
    "arch": "llama",
    "compatibility_type": "gguf",
    "quantization": "Q4_K_M",
    "max_context_length": 131_072,
}
LM_STUDIO: dict[str, Route] = {
    **CHATS,
    "GET /api/v0/models": said(
        {
            "object": "list",
            "data": [
                {**_STUDIO, "id": "llama-3.2-1b", "state": "loaded", "loaded_context_length": 8_192},
                {**_STUDIO, "id": "granite-4-350m", "state": "not-loaded", "quantization": "Q8_0"},
                {**_STUDIO, "id": "text-embedding-nomic", "type": "embeddings", "state": "not-loaded"},
            ],
        }
    ),
    "GET /v1/models": _openai({"id": "llama-3.2-1b"}, {"id": "granite-4-350m"}, {"id": "text-embedding-nomic"}),
}

_LLAMA_META = {"n_vocab": 49_152, "n_ctx": 4_096, "n_ctx_train": 8_192, "n_params": 134_515_008, "size": 96_576_768}
LLAMA_CPP: dict[str, Route] = {
    **CHATS,
    "GET /props": said(
        {
            "default_generation_settings": {"n_ctx": 4_096, "params": {"temperature": 0.8}},
            "total_slots": 4,
            "model_path": "/models/smollm2.gguf",
            "build_info": "b7120-abc",
        }
    ),
    "GET /health": said({"status": "ok"}),
    "GET /v1/models": _openai({"id": "smollm2", "owned_by": "llamacpp", "meta": {**_LLAMA_META, "ftype": "Q4_1"}}),
}
LOCKED_LLAMA_CPP: dict[str, Route] = {
    **LLAMA_CPP,
    "GET /props": said({"error": {"code": 401, "message": "Invalid API Key", "type": "authentication_error"}}, 401),
}

VLLM: dict[str, Route] = {
    **CHATS,
    "GET /version": said({"version": "0.11.0"}),
    "GET /v1/models": _openai(
        {"id": "Qwen/Qwen3-0.6B", "owned_by": "vllm", "root": "Qwen/Qwen3-0.6B", "max_model_len": 40_960}
    ),
}
LOCKED_VLLM: dict[str, Route] = {**VLLM, "GET /v1/models": said({"error": "Unauthorized"}, 401)}


def _page(handler: Handler) -> None:
    handler.give(200, b"<!doctype html><title>Directory listing</title>", kind="text/html")


def _hang(handler: Handler) -> None:
    handler.local.over.wait(60)


def _flood(handler: Handler) -> None:
    """A JSON text of 100 MB; how much of it was taken is counted."""
    handler.head(200, FLOOD)
    part = b'"' + b"x" * 99_999
    for _ in range(FLOOD // len(part)):
        handler.wfile.write(part)
        handler.local.sent += len(part)


def _drip(handler: Handler) -> None:
    """Never silent for long, and never done."""
    handler.head(200, FLOOD)
    while not handler.local.over.wait(0.2):
        handler.wfile.write(b" ")
        handler.wfile.flush()


HTML, HANGS, FLOODS, DRIPS = ({"*": route} for route in (_page, _hang, _flood, _drip))


def redirects(to: str) -> dict[str, Route]:
    def elsewhere(handler: Handler) -> None:
        handler.give(307, b"", location=to + handler.path)

    return {"*": elsewhere}


class Local:
    """A program on a port of this machine, until the block ends. `routes` may be changed meanwhile."""

    def __init__(self, routes: dict[str, Route]) -> None:
        self.routes = routes
        self.asked: list[tuple[str, str]] = []
        self.over = threading.Event()
        self.sent = 0

    def __enter__(self) -> Local:
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"local": self}))
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def stop(self) -> None:
        """From here on nobody answers at this port. A second time, nothing happens."""
        if not self.over.is_set():
            self.over.set()
            self._http.shutdown()
            self._http.server_close()
            self._thread.join(10)

    @property
    def port(self) -> int:
        return int(self._http.server_address[1])

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class Handler(BaseHTTPRequestHandler):
    """Answers by the routes; 404 where there is none."""

    local: Local
    protocol_version = "HTTP/1.1"

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except ConnectionError:
            self.close_connection = True

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        self.body: Any = json.loads(self.rfile.read(length)) if length else None
        self.local.asked.append((self.command, self.path))
        routes = self.local.routes
        route = routes.get(f"{self.command} {self.path}") or routes.get("*")
        route(self) if route else self.give(404, b'{"error": "not found"}')

    def head(self, status: int, length: int, kind: str = "application/json", **headers: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def give(self, status: int, body: bytes, kind: str = "application/json", **headers: str) -> None:
        self.head(status, len(body), kind, **headers)
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on stderr."""
