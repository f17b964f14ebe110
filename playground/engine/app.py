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

from playground.engine import cards, chat, completions
from playground.engine.batches import routes as batches
from playground.engine.batches.routes import Batches
from playground.engine.errors import ApiError, bad
from playground.engine.generation import Generator
from playground.engine.gone import CancelWhenGone, Scope
from playground.engine.schemas import ChatBody, CompletionBody, DetokenizeBody, TokenizeBody, parse
from playground.engine.serving import Serving
from playground.engine.tuning import routes
from playground.engine.tuning.folder import FULL, disk_full
from playground.engine.tuning.service import Tuning
from playground.engine.waiting import answered

MAX_BODY = 16 * 2**20
MODEL_NOT_LOADED = "model_not_loaded"


class Engine:
    """What the routes answer from; `loaded` is None until the model is, `trains` None without a data folder."""

    def __init__(self, *, model_id: str, key: str | None, data: Path | None = None) -> None:
        self.model_id = model_id
        self.key = key
        self.data = data
        self.loaded: Serving | None = None
        self.trains: Tuning | None = None
        self.batched: Batches | None = None

    @property
    def serving(self) -> Serving:
        if self.loaded is None:
            raise ApiError(503, "The model is still being loaded.", type="server_error", code="loading")
        return self.loaded

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

    @property
    def batches(self) -> Batches:
        _ = self.tuning
        assert self.batched is not None  # noqa: S101 - made together with it
        return self.batched

    async def models(self) -> list[dict[str, Any]]:
        """The base, what is in the folder, and then what has been made of them."""
        tunes = self.trains.models.listed() if self.trains else []
        return [*await cards.listed(self.serving), *[await self.model(adapter.name) for adapter in tunes]]

    async def model(self, name: str) -> dict[str, Any]:
        """Raises a 404."""
        return cards.card(self.serving, await self.serving.wanted(name))

    async def reader(self, name: str | None) -> Generator:
        """Who makes texts into tokens for that model, the base unless one is named. Raises a 404, and a 400 while it is
        not loaded: what only counts does not load it."""
        if name is None:
            return self.serving.base
        found = self.serving.peek(await self.serving.wanted(name))
        if found is None:
            raise bad(f"The model {name[:120]!r} is not loaded: its first answer does that.", "model", MODEL_NOT_LOADED)
        return found


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
        return JSONResponse({"object": "list", "data": await engine.models()})

    # Before the model's own address, which takes whatever follows.
    app.include_router(routes.build(engine))
    app.include_router(batches.build(engine))

    @app.get("/v1/models/{name:path}")
    async def model(name: str) -> JSONResponse:
        return JSONResponse(await engine.model(name))

    @app.post("/v1/completions")
    async def complete(request: Request) -> Response:
        body = parse(CompletionBody, await request.body())
        if body.stream:
            answer = functools.partial(_completions, body)
            return await _streamed(answered(engine.serving, body.model, "text_completion", answer))
        async with engine.serving.use(body.model) as generator:
            return JSONResponse(await completions.whole(generator, await completions.prepare(generator, body)))

    @app.post("/v1/chat/completions")
    async def converse(request: Request) -> Response:
        body = parse(ChatBody, await request.body())
        if body.stream:
            answer = functools.partial(_chat, body)
            return await _streamed(answered(engine.serving, body.model, "chat.completion.chunk", answer))
        async with engine.serving.use(body.model) as generator:
            return JSONResponse(await chat.whole(generator, await chat.prepare(generator, body)))

    @app.post("/tokenize")
    async def tokenize(request: Request) -> JSONResponse:
        body = parse(TokenizeBody, await request.body())
        tokens: list[Any]
        reader = await engine.reader(body.model)
        if body.messages is not None:
            tokens = await chat.rendered(reader, body.messages, body.tools)
        elif body.content is not None:
            tokens = await reader.llama.tokenize(body.content, add_special=body.add_special)
        else:
            raise bad("You must provide a content parameter.", "content")
        if body.with_pieces:
            vocabulary = reader.llama.header.vocabulary
            tokens = [{"id": token, "piece": _piece(vocabulary[token])} for token in tokens]
        limit = {"max_model_len": reader.llama.context} if body.messages is not None else {}
        return JSONResponse({"tokens": tokens, "count": len(tokens), **limit})

    @app.post("/detokenize")
    async def detokenize(request: Request) -> JSONResponse:
        body = parse(DetokenizeBody, await request.body())
        reader = await engine.reader(body.model)
        if any(token >= len(reader.llama.header.vocabulary) for token in body.tokens):
            raise ApiError(400, "A token id is beyond the vocabulary.", param="tokens")
        return JSONResponse({"content": await reader.llama.detokenize(body.tokens)})

    return CancelWhenGone(app, max_body=MAX_BODY, refuse=functools.partial(_refusal, engine.key), uploads=routes.FILES)


async def _completions(body: CompletionBody, generator: Generator) -> AsyncGenerator[dict[str, Any]]:
    job = await completions.prepare(generator, body)
    async with aclosing(completions.chunks(generator, job)) as chunks:
        async for chunk in chunks:
            yield chunk


async def _chat(body: ChatBody, generator: Generator) -> AsyncGenerator[dict[str, Any]]:
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
