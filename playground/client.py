"""Every model server through one door: the official SDK, its streams as `StreamEvent`s, its failures as our errors.

Only this module imports `openai`. The SDK's own retries are off: they are done here, where the page can show them.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import httpx2
import openai
from openai import AsyncOpenAI, AsyncStream

from playground import client_errors
from playground.answers import Answer, model_info
from playground.errors import BadRequest, EndpointError, InvalidRequest, NotFound, ServerFailed, TimedOut
from playground.retry import RetryPolicy, retry_after
from playground.tokens import added_texts
from playground.types import (
    CompletionRequest,
    Delta,
    Endpoint,
    Failed,
    ModelInfo,
    Request,
    Retrying,
    StreamEvent,
    Thought,
    ToolDelta,
)

CONNECT_TIMEOUT = 5.0
NO_SUCH_ROUTE = (404, 405, 501)
MOST_PAGES = 20
"""Pages of 100 fine-tuning jobs that are read at most."""

LIBRARY_ERRORS = (
    openai.OpenAIError,
    httpx2.HTTPError,
    httpx2.StreamError,
    httpx2.InvalidURL,
    OSError,
    # Outside the SDK's tree: it lets a chunk that is no JSON, no UTF-8, or nested without end through as it is.
    # JSONDecodeError, UnicodeError and our Unreadable are all ValueErrors; so is "this number has too many digits".
    ValueError,
    RecursionError,
)


class Client:
    """The model servers, by endpoint name."""

    def __init__(
        self, endpoints: Iterable[Endpoint] = (), *, timeout: float = 60.0, retry: RetryPolicy | None = None
    ) -> None:
        self._timeout = timeout
        self._retry = retry or RetryPolicy()
        self._endpoints = {endpoint.name: endpoint for endpoint in endpoints}
        self._sdks: dict[str, tuple[asyncio.AbstractEventLoop, AsyncOpenAI]] = {}
        self._replaced: list[tuple[asyncio.AbstractEventLoop, AsyncOpenAI]] = []
        self._no_tokenizer: set[tuple[str, str]] = set()

    @property
    def endpoints(self) -> Mapping[str, Endpoint]:
        return MappingProxyType(self._endpoints)

    def add(self, endpoint: Endpoint) -> None:
        """Let another server join (the engine, once it has started), or replace one of the same name."""
        self._endpoints[endpoint.name] = endpoint
        self._no_tokenizer = {each for each in self._no_tokenizer if each[0] != endpoint.name}
        self._retire(endpoint.name)

    async def stream(self, request: Request) -> AsyncGenerator[StreamEvent]:
        """The answer as it comes. A failure is the last event, `Failed`; nothing is raised for it.

        What fails before the first text is tried again by the retry policy, each time after a `Retrying`; what has
        been paid for is never asked for again. Closing the generator closes the request.
        """
        try:
            endpoint = self._endpoint(request.endpoint)
        except InvalidRequest as error:
            yield Failed(error)
            return
        attempt, with_usage = 1, True
        while True:
            begun = False
            # The engine may have come back at another address while a retry waited.
            endpoint = self._endpoints.get(endpoint.name, endpoint)
            try:
                async with aclosing(self._once(endpoint, request, with_usage=with_usage)) as events:
                    async for event in events:
                        begun = begun or isinstance(event, (Delta, Thought, ToolDelta))
                        yield event
                return
            except EndpointError as error:
                failure = error.with_traceback(None)  # its frames hold the request, and with it the key
            if with_usage and not begun and _dislikes_stream_options(failure):
                # A server from before `stream_options` gets the request without it, once.
                with_usage = False
                continue
            # What is not streamed sends nothing until it is whole: when it times out it may well have been paid for.
            lost = begun or (not _streamable(request) and isinstance(failure, TimedOut))
            delay = None if lost else self._retry.delay(failure, attempt)
            if delay is None:
                yield Failed(failure)
                return
            attempt += 1
            yield Retrying(attempt, self._retry.attempts, delay, failure)
            await self._retry.sleep(delay)

    async def _once(self, endpoint: Endpoint, request: Request, *, with_usage: bool) -> AsyncGenerator[StreamEvent]:
        """One attempt. Raises an EndpointError."""
        path = "/completions" if isinstance(request, CompletionRequest) else "/chat/completions"
        body = request.body()
        answer = Answer()
        with self._mapped(endpoint, answer):
            sdk = self._sdk(endpoint)
            if not _streamable(request):
                for event in self._whole(endpoint, answer, await sdk.post(path, body=body, cast_to=object)):
                    yield event
            else:
                body = {**body, "stream": True, **({"stream_options": {"include_usage": True}} if with_usage else {})}
                async with await sdk.post(
                    path, body=body, cast_to=object, stream=True, stream_cls=AsyncStream[object]
                ) as stream:
                    kind = stream.response.headers.get("content-type", "")
                    if "json" in kind:  # a server that does not stream sends the whole answer
                        for event in self._whole(endpoint, answer, json.loads(await stream.response.aread())):
                            yield event
                    elif "html" in kind:
                        raise client_errors.not_an_api(endpoint)
                    else:
                        async for chunk in stream:
                            for event in answer.read(chunk):
                                yield event
            if not answer.complete:
                raise client_errors.truncated(endpoint) if answer.begun else client_errors.unreadable(endpoint)
            for event in answer.ending():
                yield event

    def _whole(self, endpoint: Endpoint, answer: Answer, said: object) -> list[StreamEvent]:
        """The events of an answer that came at once. Text instead of JSON is how the SDK hands a web page over."""
        if isinstance(said, str):
            raise client_errors.not_an_api(endpoint)
        if isinstance(said, dict) and said.get("error"):
            raise client_errors.from_body(endpoint, said["error"], keys=self._keys())
        return answer.read(said)

    async def models(self, endpoint: str) -> list[ModelInfo]:
        """What the server lists. Raises a PlaygroundError."""
        server = self._endpoint(endpoint)
        with self._mapped(server):
            said: Any = await self._sdk(server).get("/models", cast_to=object)
            if not isinstance(said, dict) or not isinstance(said.get("data"), list):
                raise client_errors.not_an_api(server)
            return [
                model_info(endpoint, about) for about in said["data"] if isinstance(about, dict) and about.get("id")
            ]

    async def fine_tunes(self, endpoint: str) -> list[dict[str, Any]]:
        """The server's fine-tuning jobs, newest first, as plain JSON; none where it has no such thing.

        Raises a PlaygroundError.
        """
        server = self._endpoint(endpoint)
        jobs: list[dict[str, Any]] = []
        for _ in range(MOST_PAGES):
            after = {"after": str(jobs[-1]["id"])} if jobs else {}
            try:
                with self._mapped(server):
                    options: Any = {"params": {"limit": 100, **after}}
                    said: Any = await self._sdk(server).get("/fine_tuning/jobs", cast_to=object, options=options)
            except EndpointError as error:
                if error.status in (*NO_SUCH_ROUTE, 403):
                    return jobs
                raise
            page = said.get("data") if isinstance(said, dict) else None
            found = [job for job in page or () if isinstance(job, dict) and job.get("id")]
            jobs += found
            if not found or not said.get("has_more"):
                break
        return jobs

    async def tokenize(self, endpoint: str, text: str) -> list[int] | None:
        """Token ids of `text` alone by the server's own tokenizer, None where it has none. Raises a PlaygroundError.

        One body for both shapes: llama.cpp and our engine read `content`, vLLM reads `prompt`.
        """
        body = {"content": text, "prompt": text, "add_special_tokens": False, "add_special": False}
        said = await self._tokenized(endpoint, "text", body)
        tokens = said.get("tokens") if said else None
        return tokens if isinstance(tokens, list) and all(type(token) is int for token in tokens) else None

    async def tokenize_chat(self, endpoint: str, body: Mapping[str, Any]) -> int | None:
        """How many tokens a chat's messages make in the server's own template (vLLM's shape, which our engine has too);
        None where it does not tell. Raises a PlaygroundError."""
        asked = {"model": body.get("model"), "messages": body["messages"], "add_generation_prompt": True}
        said = await self._tokenized(endpoint, "chat", asked)
        count = said.get("count") if said else None
        return count if type(count) is int and count >= 0 else None

    async def pieces(self, endpoint: str, text: str) -> tuple[list[int], list[str]] | None:
        """The tokens of `text` by the server's own tokenizer: ids, and what each adds to the text (llama.cpp's
        `with_pieces`); None where it does not show them. Raises a PlaygroundError."""
        body = {"content": text, "add_special": False, "with_pieces": True}
        said = await self._tokenized(endpoint, "pieces", body)
        tokens = said.get("tokens") if said else None
        if not isinstance(tokens, list) or not all(isinstance(token, dict) for token in tokens):
            return None
        try:
            return [int(token["id"]) for token in tokens], added_texts(_raw(token["piece"]) for token in tokens)
        except (KeyError, TypeError, ValueError):
            return None

    async def _tokenized(self, endpoint: str, what: str, body: Mapping[str, Any]) -> dict[str, Any] | None:
        """What the server's /tokenize says; None where there is none, which is remembered: it is asked at every key."""
        server = self._endpoint(endpoint)
        if server.kind == "openai" or (endpoint, what) in self._no_tokenizer:
            return None
        url = server.base_url.rstrip("/").removesuffix("/v1") + "/tokenize"
        try:
            with self._mapped(server):
                said: Any = await self._sdk(server).post(url, body=body, cast_to=object)
        except (NotFound, BadRequest, ServerFailed) as error:
            if error.status not in NO_SUCH_ROUTE and not isinstance(error, BadRequest):
                raise
            # A request it does not like is this one's fault, unless it is its shape that the server does not know.
            if error.status in NO_SUCH_ROUTE:
                self._no_tokenizer.add((endpoint, what))
            return None
        if not isinstance(said, dict) or not isinstance(said.get("tokens"), list):
            self._no_tokenizer.add((endpoint, what))
            return None
        return said

    async def aclose(self) -> None:
        """Close every connection. Streams that still run break off."""
        for name in list(self._sdks):
            self._retire(name)
        while self._replaced:
            loop, sdk = self._replaced.pop()
            if loop is asyncio.get_running_loop():
                await sdk.close()

    def _retire(self, name: str) -> None:
        # Not closed at once: a stream may still run over it.
        if name in self._sdks:
            self._replaced.append(self._sdks.pop(name))

    def _endpoint(self, name: str) -> Endpoint:
        try:
            return self._endpoints[name]
        except KeyError:
            known = ", ".join(self._endpoints) or "none"
            raise InvalidRequest(f"There is no server {name!r}.", param="model", hint=f"Known: {known}.") from None

    def _keys(self) -> tuple[str, ...]:
        return tuple(endpoint.api_key for endpoint in self._endpoints.values() if endpoint.api_key)

    def _sdk(self, endpoint: Endpoint) -> AsyncOpenAI:
        """The SDK's client for `endpoint` on the running loop: its connections belong to one loop."""
        loop, sdk = self._sdks.get(endpoint.name, (None, None))
        if sdk is None or loop is not asyncio.get_running_loop():
            self._retire(endpoint.name)
            sdk = self._made(endpoint)
            self._sdks[endpoint.name] = (asyncio.get_running_loop(), sdk)
        return sdk

    def _made(self, endpoint: Endpoint) -> AsyncOpenAI:
        if endpoint.api_key is not None and not re.fullmatch(r"[\x21-\x7e]+", endpoint.api_key):
            raise client_errors.bad_key(endpoint)
        # Redirects are refused: they could lead a public page's server to private addresses. And a proxy of the
        # environment has no business between this machine and itself.
        try:
            near = _on_this_machine(endpoint.base_url)
        except ValueError:
            raise client_errors.bad_address(endpoint) from None
        http = openai.DefaultAsyncHttpxClient(trust_env=not near, follow_redirects=False)
        sdk = AsyncOpenAI(
            # The SDK insists on a key; a server that was given none is sent one that opens nothing.
            api_key=endpoint.api_key or "none",
            base_url=endpoint.base_url,
            max_retries=0,
            timeout=httpx2.Timeout(self._timeout, connect=min(CONNECT_TIMEOUT, self._timeout)),
            http_client=http,
        )
        if endpoint.kind != "openai":
            # The SDK takes OPENAI_ORG_ID, OPENAI_PROJECT_ID, OPENAI_ADMIN_KEY and OPENAI_CUSTOM_HEADERS from the
            # environment for whatever server it talks to: meant for OpenAI, they are nobody else's business.
            sdk.organization = sdk.project = sdk.admin_api_key = None
            sdk._custom_headers = {}
        return sdk

    @contextmanager
    def _mapped(self, endpoint: Endpoint, answer: Answer | None = None) -> Iterator[None]:
        """The one place where a library's exception becomes one of ours.

        The new error forgets the old one: an SDK's exception holds the request, and with it the key, where whatever
        prints a traceback could show it.
        """
        try:
            yield
        except LIBRARY_ERRORS as exc:
            error = self._ours(endpoint, exc, begun=answer is not None and answer.begun)
            try:
                raise error from None
            finally:
                error.__context__ = None

    def _ours(self, endpoint: Endpoint, exc: Exception, *, begun: bool) -> EndpointError:
        match exc:
            case openai.APIStatusError(status_code=status, body=body):
                wait = retry_after(exc.response.headers)
                return client_errors.from_body(endpoint, body, status=status, retry_after=wait, keys=self._keys())
            case openai.APIConnectionError() | httpx2.HTTPError() | httpx2.StreamError() | OSError():
                return self._transport(endpoint, exc.__cause__ or exc, begun=begun)
            case openai.APIError(body=body) if not isinstance(
                exc, openai.APIResponseValidationError
            ):  # an error object in the middle of a stream
                return client_errors.from_body(endpoint, body, keys=self._keys())
            case httpx2.InvalidURL():
                return client_errors.bad_address(endpoint)
            case UnicodeEncodeError():  # a lone surrogate: half of an emoji, cut by a script or a browser
                return client_errors.bad_text()
        return client_errors.unreadable(endpoint, after_text=begun)

    def _transport(self, endpoint: Endpoint, cause: BaseException, *, begun: bool) -> EndpointError:
        if isinstance(cause, httpx2.UnsupportedProtocol):
            return client_errors.bad_address(endpoint)
        late = isinstance(cause, (httpx2.TimeoutException, openai.APITimeoutError, TimeoutError))
        if late and not isinstance(cause, httpx2.ConnectTimeout):
            return client_errors.timed_out(endpoint, self._timeout)
        if "certificate" in str(cause).lower():
            return client_errors.bad_certificate(endpoint)
        reached = not isinstance(cause, (httpx2.ConnectError, httpx2.ConnectTimeout))
        return client_errors.connection(endpoint, reached=reached, after_text=begun)


def _raw(piece: Any) -> bytes:
    """A token's bytes: llama.cpp writes text, or a list of numbers where the bytes are half a character."""
    return bytes(piece) if isinstance(piece, list) else str(piece).encode("utf-8", "replace")


def _streamable(request: Request) -> bool:
    """`best_of` cannot be streamed: the best is known only when all have ended (OpenAI's reference)."""
    return not isinstance(request, CompletionRequest) or request.best_of in (None, 1)


def _on_this_machine(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host == "localhost" or host == "::1" or host.startswith("127.")


def _dislikes_stream_options(error: EndpointError) -> bool:
    return isinstance(error, BadRequest) and "stream_options" in f"{error.param} {error.message}"
