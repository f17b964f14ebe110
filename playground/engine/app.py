"""The routes, the key, and errors in OpenAI's shape."""

from __future__ import annotations

import functools
import hmac
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.exceptions import HTTPException

from playground.engine import chat, completions
from playground.engine.errors import ApiError, bad
from playground.engine.generation import Generator
from playground.engine.gone import CancelWhenGone, Scope
from playground.engine.schemas import ChatBody, CompletionBody, DetokenizeBody, TokenizeBody, parse
from playground.engine.serving import Serving
from playground.engine.tuning import routes
from playground.engine.tuning.folder import FULL, disk_full
from playground.engine.tuning.service import Tuning

MAX_BODY = 16 * 2**20


class Engine:
    """What the routes answer from; `loaded` is None until the model is, `trains` None without a data folder."""

    def __init__(self, *, model_id: str, key: str | None, created: int, data: Path | None = None) -> None:
        self.model_id = model_id
        self.key = key
        self.created = created
        self.data = data
        self.loaded: Serving | None = None
        self.trains: Tuning | None = None

    @property
    def serving(self) -> Serving:
        if self.loaded is None:
            raise ApiError(503, "The model is still being loaded.", type="server_error", code="loading")
        return self.loaded

    @property
    def ready(self) -> Generator:
        return self.serving.base

    @property
    def tuning(self) -> Tuning:
        if self.data is None:
            raise ApiError(
                501,
                "This engine keeps no files and no models. Start it with --data DIR to train: files, jobs and "
                "fine-tuned models live there.",
                type="server_error",
                code="no_data_folder",
            )
        _ = self.serving
        assert self.trains is not None  # noqa: S101 - made before the model is said to be loaded
        return self.trains

    def models(self) -> list[dict[str, Any]]:
        """The base, and then what has been made of it."""
        base = self.card()
        tunes = self.trains.models if self.trains else None
        return [base, *(tunes.card(adapter, base) for adapter in tunes.listed())] if tunes else [base]

    def model(self, name: str) -> dict[str, Any]:
        """Raises a 404."""
        adapter = self.serving.adapter(name)
        return self.trains.models.card(adapter, self.card()) if adapter and self.trains else self.card()

    def card(self) -> dict[str, Any]:
        """The model as OpenAI lists one, and in `meta` what a playground wants to know."""
        llama = self.ready.llama
        meta = {
            "context_length": llama.context,
            "n_params": llama.n_params,
            "size_bytes": llama.size_bytes,
            "tokenizer_model": llama.header.tokenizer_model,
            "tokenizer_pre": llama.header.tokenizer_pre,
            "has_fill_in_middle": llama.header.has_fill_in_middle,
            "has_chat_template": llama.header.has_chat_template,
        }
        head = {"id": self.model_id, "object": "model", "created": self.created, "owned_by": "playground"}
        return {**head, "meta": meta}


def build_app(engine: Engine) -> CancelWhenGone:
    """The ASGI application over `engine`."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _own_error)

    @app.get("/health")
    async def health() -> JSONResponse:
        if engine.loaded is None:
            return JSONResponse({"status": "loading"}, 503)
        return JSONResponse({"status": "ok", "model": engine.model_id, "active": engine.loaded.active})

    @app.get("/v1/models")
    async def models() -> JSONResponse:
        return JSONResponse({"object": "list", "data": engine.models()})

    # Before the model's own address, which takes whatever follows.
    app.include_router(routes.build(engine))

    @app.get("/v1/models/{name:path}")
    async def model(name: str) -> JSONResponse:
        return JSONResponse(engine.model(name))

    @app.post("/v1/completions")
    async def complete(request: Request) -> Response:
        body = parse(CompletionBody, await request.body())
        if body.stream:
            return await _streamed(_completions(engine.serving, body))
        async with engine.serving.use(body.model) as generator:
            return JSONResponse(await completions.whole(generator, await completions.prepare(generator, body)))

    @app.post("/v1/chat/completions")
    async def converse(request: Request) -> Response:
        body = parse(ChatBody, await request.body())
        if body.stream:
            return await _streamed(_chat(engine.serving, body))
        async with engine.serving.use(body.model) as generator:
            return JSONResponse(await chat.whole(generator, await chat.prepare(generator, body)))

    @app.post("/tokenize")
    async def tokenize(request: Request) -> JSONResponse:
        body = parse(TokenizeBody, await request.body())
        tokens: list[Any]
        if body.messages is not None:
            tokens = await chat.rendered(engine.ready, body.messages, body.tools)
        elif body.content is not None:
            tokens = await engine.ready.llama.tokenize(body.content, add_special=body.add_special)
        else:
            raise bad("You must provide a content parameter.", "content")
        if body.with_pieces:
            vocabulary = engine.ready.llama.header.vocabulary
            tokens = [{"id": token, "piece": _piece(vocabulary[token])} for token in tokens]
        limit = {"max_model_len": engine.ready.llama.context} if body.messages is not None else {}
        return JSONResponse({"tokens": tokens, "count": len(tokens), **limit})

    @app.post("/detokenize")
    async def detokenize(request: Request) -> JSONResponse:
        body = parse(DetokenizeBody, await request.body())
        if any(token >= len(engine.ready.llama.header.vocabulary) for token in body.tokens):
            raise ApiError(400, "A token id is beyond the vocabulary.", param="tokens")
        return JSONResponse({"content": await engine.ready.llama.detokenize(body.tokens)})

    return CancelWhenGone(app, max_body=MAX_BODY, refuse=functools.partial(_refusal, engine.key), uploads=routes.FILES)


async def _completions(serving: Serving, body: CompletionBody) -> AsyncGenerator[dict[str, Any]]:
    """The chunks of an answer, whose model stays loaded until the last of them."""
    async with serving.use(body.model) as generator:
        job = await completions.prepare(generator, body)
        async with aclosing(completions.chunks(generator, job)) as chunks:
            async for chunk in chunks:
                yield chunk


async def _chat(serving: Serving, body: ChatBody) -> AsyncGenerator[dict[str, Any]]:
    async with serving.use(body.model) as generator:
        job = await chat.prepare(generator, body)
        async with aclosing(chat.chunks(generator, job)) as chunks:
            async for chunk in chunks:
                yield chunk


def _piece(raw: bytes) -> str | list[int]:
    """A token's text; its bytes, as llama.cpp has it, where they are half a character."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return list(raw)


async def _streamed(chunks: AsyncGenerator[dict[str, Any]]) -> StreamingResponse:
    """Server-sent events, once there is a first one: until then a refusal still has its HTTP status. Later it is an
    error object in the stream, as OpenAI's have it."""
    try:
        first = await anext(chunks)
    except BaseException:
        await chunks.aclose()
        raise

    async def lines() -> AsyncGenerator[str]:
        async with aclosing(chunks):
            try:
                yield _event(first)
                async for chunk in chunks:
                    yield _event(chunk)
                yield "data: [DONE]\n\n"
            except ApiError as error:
                yield _event(error.body)

    return StreamingResponse(lines(), media_type="text/event-stream", headers={"Cache-Control": "no-cache"})


def _event(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data, separators=(',', ':'))}\n\n"


def _said(error: ApiError) -> JSONResponse:
    return JSONResponse(error.body, error.status)


async def _api_error(_request: Request, exc: Exception) -> JSONResponse:
    assert isinstance(exc, ApiError)  # noqa: S101
    return _said(exc)


async def _http_error(request: Request, exc: Exception) -> JSONResponse:
    status = exc.status_code if isinstance(exc, HTTPException) else 500
    words = {404: "There is nothing at this address.", 405: f"{request.method} is not allowed here."}
    return _said(ApiError(status, words.get(status, "The request was refused.")))


async def _own_error(_request: Request, exc: Exception) -> JSONResponse:
    if isinstance(exc, OSError) and exc.errno in FULL:
        return _said(disk_full("what is to be written down"))
    return _said(ApiError(500, "The engine failed at this request.", type="server_error"))


def _refusal(key: str | None, scope: Scope, *, too_large: bool) -> JSONResponse | None:
    """What is answered without looking further: a wrong key, a body beyond all reason."""
    given = dict(scope["headers"]).get(b"authorization", b"")
    if key and scope["path"] != "/health" and not hmac.compare_digest(given, b"Bearer " + key.encode()):
        return _said(ApiError(401, "Incorrect API key provided.", code="invalid_api_key"))
    if too_large:
        return _said(ApiError(413, f"The body is larger than {MAX_BODY >> 20} MB."))
    return None
