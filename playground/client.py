"""Every model server through one door: the official SDK, its streams as `StreamEvent`s, its failures as our errors.

Only this module imports `openai`. The SDK's own retries are off: they are done here, where the page can show them.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from email.utils import parsedate_to_datetime
from time import time
from types import MappingProxyType
from typing import Any

import httpx2
import openai
from openai import AsyncOpenAI, AsyncStream
from openai.types import Completion
from openai.types.chat import ChatCompletionChunk

from playground import client_errors
from playground.answers import Answer
from playground.errors import BadRequest, EndpointError, InvalidRequest
from playground.redact import redact
from playground.retry import RetryPolicy
from playground.types import (
    CompletionRequest,
    Delta,
    Endpoint,
    Failed,
    ModelInfo,
    Request,
    Retrying,
    StreamEvent,
)

CONNECT_TIMEOUT = 5.0


class Client:
    """The model servers, by endpoint name. Belongs to one event loop."""

    def __init__(
        self, endpoints: Iterable[Endpoint] = (), *, timeout: float = 60.0, retry: RetryPolicy | None = None
    ) -> None:
        self._timeout = timeout
        self._retry = retry or RetryPolicy()
        self._endpoints = {endpoint.name: endpoint for endpoint in endpoints}
        self._sdks: dict[str, AsyncOpenAI] = {}

    @property
    def endpoints(self) -> Mapping[str, Endpoint]:
        return MappingProxyType(self._endpoints)

    def add(self, endpoint: Endpoint) -> None:
        """Let another server join (the engine, once it has started), or replace one of the same name."""
        self._endpoints[endpoint.name] = endpoint
        self._sdks.pop(endpoint.name, None)

    async def stream(self, request: Request) -> AsyncGenerator[StreamEvent]:
        """The answer as it comes. A server's failure is the last event, `Failed`; nothing is raised for it.

        What fails before the first text is tried again by the retry policy, each time after a `Retrying`; what has
        been paid for is never asked for again. Closing the generator closes the request.
        """
        endpoint = self._endpoint(request.endpoint)
        attempt, with_usage = 1, True
        while True:
            begun = False
            try:
                async with aclosing(self._once(endpoint, request, with_usage=with_usage)) as events:
                    async for event in events:
                        begun = begun or isinstance(event, Delta)
                        yield event
                return
            except BadRequest as error:
                # A server from before `stream_options` gets the request without it, once.
                if with_usage and not begun and "stream_options" in f"{error.param} {error.message}":
                    with_usage = False
                    continue
                yield Failed(error)
                return
            except EndpointError as error:
                delay = None if begun else self._retry.delay(error, attempt)
                if delay is None:
                    yield Failed(error)
                    return
                attempt += 1
                yield Retrying(attempt, self._retry.attempts, delay, error)
                await self._retry.sleep(delay)

    async def _once(self, endpoint: Endpoint, request: Request, *, with_usage: bool) -> AsyncGenerator[StreamEvent]:
        completion = isinstance(request, CompletionRequest)
        path = "/completions" if completion else "/chat/completions"
        body = request.body()
        answer = Answer(choices=request.n or 1)
        with self._mapped(endpoint, answer):
            sdk = self._sdk(endpoint)
            # best_of cannot be streamed: the best is known only when all have ended (OpenAI's reference).
            if isinstance(request, CompletionRequest) and (request.best_of or 1) > 1:
                for event in answer.read(await sdk.post(path, body=body, cast_to=Completion)):
                    yield event
            else:
                body = {**body, "stream": True, **({"stream_options": {"include_usage": True}} if with_usage else {})}
                kind: Any = Completion if completion else ChatCompletionChunk
                async with await sdk.post(
                    path, body=body, cast_to=kind, stream=True, stream_cls=AsyncStream[kind]
                ) as stream:
                    if "html" in stream.response.headers.get("content-type", ""):
                        raise client_errors.unreadable(endpoint)
                    async for chunk in stream:
                        for event in answer.read(chunk):
                            yield event
            if not answer.complete:
                raise client_errors.truncated(endpoint)
            for event in answer.ending():
                yield event

    async def models(self, endpoint: str) -> list[ModelInfo]:
        """What the server lists. Raises an EndpointError."""
        server = self._endpoint(endpoint)
        found = []
        with self._mapped(server):
            async for model in self._sdk(server).models.list():
                extra = dict(model.model_extra or {})
                found.append(
                    ModelInfo(
                        id=model.id,
                        endpoint=endpoint,
                        created=model.created,
                        owned_by=model.owned_by,
                        shutdown_date=extra.pop("shutdown_date", None),
                        meta={**extra, **(extra.pop("meta", None) or {})},
                    )
                )
        return found

    async def tokenize(self, endpoint: str, text: str) -> list[int] | None:
        """Token ids by the server's own tokenizer (llama.cpp's `/tokenize`), None where it has none."""
        server = self._endpoint(endpoint)
        url = server.base_url.removesuffix("/v1") + "/tokenize"
        try:
            with self._mapped(server):
                answer: Any = await self._sdk(server).post(url, body={"content": text}, cast_to=object)
        except EndpointError:
            return None
        tokens = answer.get("tokens") if isinstance(answer, dict) else None
        return tokens if isinstance(tokens, list) else None

    async def aclose(self) -> None:
        for sdk in self._sdks.values():
            await sdk.close()
        self._sdks.clear()

    def _endpoint(self, name: str) -> Endpoint:
        try:
            return self._endpoints[name]
        except KeyError:
            known = ", ".join(self._endpoints) or "none"
            raise InvalidRequest(f"There is no server {name!r}.", param="model", hint=f"Known: {known}.") from None

    def _sdk(self, endpoint: Endpoint) -> AsyncOpenAI:
        if endpoint.name not in self._sdks:
            self._sdks[endpoint.name] = AsyncOpenAI(
                # The SDK insists on a key; a server that was given none is sent one that opens nothing.
                api_key=endpoint.api_key or "none",
                base_url=endpoint.base_url,
                max_retries=0,
                timeout=httpx2.Timeout(self._timeout, connect=CONNECT_TIMEOUT),
                # Our own engine is on this machine: a proxy of the environment has no business between.
                http_client=openai.DefaultAsyncHttpxClient(trust_env=endpoint.kind != "engine"),
            )
        return self._sdks[endpoint.name]

    @contextmanager
    def _mapped(self, endpoint: Endpoint, answer: Answer | None = None) -> Iterator[None]:
        """The one place where a library's exception becomes one of ours.

        `from None` throughout: an SDK's exception holds the request, and with it the key, where a traceback shows it.
        """
        try:
            yield
        except (openai.APITimeoutError, httpx2.TimeoutException):
            raise client_errors.timed_out(endpoint, self._timeout) from None
        except openai.APIStatusError as exc:
            raise self._status(endpoint, exc) from None
        except (openai.APIResponseValidationError, json.JSONDecodeError, UnicodeError):
            raise client_errors.unreadable(endpoint) from None
        except (openai.APIConnectionError, httpx2.HTTPError, httpx2.StreamError):
            begun = answer is not None and answer.begun
            raise client_errors.connection(endpoint, after_text=begun) from None
        except openai.APIError as exc:
            # An error object in the middle of a stream: there is no status, the server's words are all there is.
            raise self._mid_stream(endpoint, exc) from None
        except openai.OpenAIError:
            raise client_errors.unreadable(endpoint) from None

    def _status(self, endpoint: Endpoint, exc: openai.APIStatusError) -> EndpointError:
        return client_errors.from_status(
            endpoint,
            status=exc.status_code,
            said=self._said(exc),
            code=exc.code,
            param=exc.param,
            retry_after=_retry_after(exc.response.headers),
        )

    def _mid_stream(self, endpoint: Endpoint, exc: openai.APIError) -> EndpointError:
        status = 429 if exc.code in ("rate_limit_exceeded", "insufficient_quota") else 500
        return client_errors.from_status(endpoint, status=status, said=self._said(exc), code=exc.code, param=exc.param)

    def _said(self, exc: openai.APIError) -> str:
        """The server's own message: redacted, on one line and not endless."""
        body = exc.body
        said = body.get("message") if isinstance(body, dict) else None
        text = said if isinstance(said, str) else ""
        return redact(" ".join(text.split())[:400], [e.api_key for e in self._endpoints.values() if e.api_key])


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds by `retry-after-ms` or `Retry-After` (seconds or a date, RFC 9110 section 10.2.3)."""
    try:
        if "retry-after-ms" in headers:
            return max(0.0, float(headers["retry-after-ms"]) / 1000)
        value = headers.get("retry-after")
        if value is None:
            return None
        try:
            return max(0.0, float(value))
        except ValueError:
            return max(0.0, parsedate_to_datetime(value).timestamp() - time())
    except (ValueError, TypeError):
        return None
