"""The servers themselves: one SDK client for each, on the loop that runs, and their failures as our errors."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from types import MappingProxyType
from urllib.parse import urlsplit

import httpx2
import openai
from openai import AsyncOpenAI

from playground import client_errors
from playground.answers import Answer
from playground.errors import EndpointError, InvalidRequest, refused
from playground.retry import retry_after
from playground.settings import OWN
from playground.types import Endpoint, EndpointKind

CONNECT_TIMEOUT = 5.0

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


class Connections:
    """The model servers, by endpoint name. `timeout` is in seconds, for each read."""

    def __init__(self, endpoints: Iterable[Endpoint], *, timeout: float) -> None:
        self._timeout = timeout
        self._endpoints: MutableMapping[str, Endpoint] = {endpoint.name: endpoint for endpoint in endpoints}
        self._sdks: dict[str, tuple[asyncio.AbstractEventLoop, AsyncOpenAI]] = {}
        self._replaced: list[tuple[asyncio.AbstractEventLoop, AsyncOpenAI]] = []

    @property
    def endpoints(self) -> Mapping[str, Endpoint]:
        return MappingProxyType(self._endpoints)

    def add(self, endpoint: Endpoint) -> None:
        """Let another server join (the engine, once it has started), or replace one of the same name."""
        self._endpoints[endpoint.name] = endpoint
        self._retire(self._whose(endpoint.name))

    def remove(self, name: str) -> None:
        """Let a server leave. What still runs over it goes on to its end."""
        self._endpoints.pop(name, None)
        self._retire(self._whose(name))

    def kind_of(self, name: str) -> EndpointKind:
        """What kind of server that is, also of one that has left while a run was under way: only compatible ones do."""
        known = self._endpoints.get(name)
        return known.kind if known else "compatible"

    async def aclose(self) -> None:
        """Close every connection. Streams that still run break off."""
        for whose in list(self._sdks):
            self._retire(whose)
        while self._replaced:
            loop, sdk = self._replaced.pop()
            if loop is asyncio.get_running_loop():
                await sdk.close()

    def _retire(self, whose: str) -> None:
        # Not closed at once: a stream may still run over it.
        if whose in self._sdks:
            self._replaced.append(self._sdks.pop(whose))

    def _close(self, whose: str) -> None:
        """Close it now, on its own loop: what still runs over it breaks off."""
        loop, sdk = self._sdks.pop(whose, (None, None))
        if loop is not None and sdk is not None and not loop.is_closed():
            asyncio.run_coroutine_threadsafe(sdk.close(), loop)

    def _whose(self, name: str) -> str:
        """What its connections, and what its key is allowed, are kept under."""
        return name

    def _endpoint(self, name: str) -> Endpoint:
        try:
            return self._endpoints[name]
        except KeyError:
            if name.startswith(OWN):
                raise refused("own_key_gone", param="model") from None
            known = ", ".join(self._endpoints) or "none"
            raise InvalidRequest(f"There is no server {name!r}.", param="model", hint=f"Known: {known}.") from None

    def _managed(self, name: str) -> Endpoint:
        """The same, for what belongs to the key's own account there: its files, jobs, batches and models."""
        return self._endpoint(name)

    def _keys(self) -> tuple[str, ...]:
        return tuple(endpoint.api_key for endpoint in self._endpoints.values() if endpoint.api_key)

    def _sdk(self, endpoint: Endpoint) -> AsyncOpenAI:
        """The SDK's client for `endpoint` on the running loop: its connections belong to one loop."""
        whose = self._whose(endpoint.name)
        loop, sdk = self._sdks.get(whose, (None, None))
        if sdk is None or loop is not asyncio.get_running_loop():
            self._retire(whose)
            sdk = self._made(endpoint)
            self._sdks[whose] = (asyncio.get_running_loop(), sdk)
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


def _on_this_machine(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host == "localhost" or host == "::1" or host.startswith("127.")
