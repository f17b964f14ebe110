"""What is asked of a server: an answer as `StreamEvent`s, and what it has and can count.

The SDK's own retries are off: they are done here, where the page can show them.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from typing import Any

import httpx2
import openai
from openai import AsyncStream

from playground import client_errors
from playground.allowances import Allowances, Left, Pass
from playground.answers import Answer, model_info
from playground.client.tokenizing import Tokenizing
from playground.errors import BadRequest, EndpointError, InvalidRequest, TimedOut
from playground.retry import RetryPolicy
from playground.streaming import RunState
from playground.turns import Turns
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
from playground.words import Said

LONGEST = 16_000_000
"""Characters of one run's answers: some four million tokens, more than any model writes."""
Heed = Callable[[Mapping[str, str]], None]
Observer = Callable[[str, Request, RunState], None]
"""Told of each answer at its end: whose it was, what was asked, what came."""


class Client(Tokenizing):
    """The model servers, by endpoint name."""

    def __init__(
        self,
        endpoints: Iterable[Endpoint] = (),
        *,
        timeout: float = 60.0,
        retry: RetryPolicy | None = None,
        turns: Turns | None = None,
        observer: Observer | None = None,
    ) -> None:
        super().__init__(endpoints, timeout=timeout)
        self.turns = turns or Turns()
        self.allowances = Allowances()
        self._observer = observer
        self._retry = retry or RetryPolicy()

    def drop(self, name: str) -> None:
        """Forget a server and its key at once: what still runs over it breaks off."""
        whose = self._whose(name)
        if self._endpoints.pop(name, None) is not None:
            self.allowances.forget(whose)
            self._close(whose)

    def bounded(self, request: Request) -> Request:
        """The request as it may be sent. Raises InvalidRequest where an account may not ask for so much."""
        return request

    @property
    def near(self) -> Said | None:
        """The limit that is nearly reached, where there is one."""
        return None

    def allowed(self) -> list[Left]:
        """What the servers still let through, by their own word, as far as that is this account's to know."""
        return [each for each in self.allowances.left() if each.endpoint in self._endpoints]

    def check_calls(self, calls: int) -> None:
        """Raises InvalidRequest where an account may not have so many asked at once."""

    @property
    def keeps_books(self) -> bool:
        """Whether what it asks is added up, so that nothing may be asked that is not kept."""
        return False

    @property
    def account(self) -> str:
        """Whose requests these are."""
        return ""

    async def stream(self, request: Request, *, retry: RetryPolicy | None = None) -> AsyncGenerator[StreamEvent]:
        """The answer as it comes. A failure is the last event, `Failed`; nothing is raised for it.

        Where much is under way, it waits for its turn, and `Queued` tells its place.
        What fails before the first text is tried again by the retry policy, each time after a `Retrying`; what has
        been paid for is never asked for again. Closing the generator closes the request. `retry` is another policy than
        the client's own, for this request.
        """
        try:
            endpoint = self._endpoint(request.endpoint)
        except InvalidRequest as error:
            yield Failed(error)
            return

        def answer() -> AsyncGenerator[StreamEvent]:
            return self._answer(endpoint, request, retry or self._retry)

        state, written = RunState(), 0
        try:
            async with aclosing(self.turns.taken(self.account, endpoint, request.model, answer)) as events:
                async for event in events:
                    state.apply(event)
                    yield event
                    written += len(event.text) if isinstance(event, (Delta, Thought)) else 0
                    if written > LONGEST:
                        yield Failed(client_errors.endless(endpoint))
                        return
        finally:
            state.end()
            if self._observer is not None:
                self._observer(self.account, request, state)

    async def _answer(self, endpoint: Endpoint, request: Request, policy: RetryPolicy) -> AsyncGenerator[StreamEvent]:
        attempt, with_usage = 1, True
        while True:
            begun = False
            whose = self._whose(endpoint.name)
            given = self.allowances.ask(whose, request)
            try:
                if given.wait:
                    delay = policy.delay(early := client_errors.paced(endpoint, given.wait), 1)
                    if delay is not None:
                        coming = client_errors.paced(endpoint, given.wait, waits=True)
                        yield Retrying(attempt, policy.attempts, delay, coming)
                        await policy.sleep(delay)
                    elif given.believed:
                        yield Failed(early)
                        return
                # The engine may have come back at another address while a retry waited.
                endpoint = self._endpoints.get(endpoint.name, endpoint)
                async with aclosing(self._once(endpoint, request, given, with_usage=with_usage)) as events:
                    async for event in events:
                        begun = begun or isinstance(event, (Delta, Thought, ToolDelta))
                        yield event
                return
            except EndpointError as error:
                failure = error.with_traceback(None)  # its frames hold the request, and with it the key
            finally:
                self.allowances.gave_up(whose, request.model, given)
            if with_usage and not begun and _dislikes_stream_options(failure):
                # A server from before `stream_options` gets the request without it, once.
                with_usage = False
                continue
            # What is not streamed sends nothing until it is whole: when it times out it may well have been paid for.
            lost = begun or (not _streamable(request) and isinstance(failure, TimedOut))
            delay = None if lost else policy.delay(failure, attempt)
            if delay is None:
                yield Failed(failure)
                return
            attempt += 1
            yield Retrying(attempt, policy.attempts, delay, failure)
            await policy.sleep(delay)

    async def _once(
        self, endpoint: Endpoint, request: Request, given: Pass, *, with_usage: bool
    ) -> AsyncGenerator[StreamEvent]:
        """One attempt. Raises an EndpointError."""
        path = "/completions" if isinstance(request, CompletionRequest) else "/chat/completions"
        body = request.body()
        answer = Answer()
        with self._mapped(endpoint, answer), self._heeded(endpoint, request, given) as heed:
            sdk = self._sdk(endpoint)
            if not _streamable(request):
                response = await sdk.post(path, body=body, cast_to=httpx2.Response)
                heed(response.headers)
                for event in self._whole(endpoint, answer, _said(response)):
                    yield event
            else:
                body = {**body, "stream": True, **({"stream_options": {"include_usage": True}} if with_usage else {})}
                async with await sdk.post(
                    path, body=body, cast_to=object, stream=True, stream_cls=AsyncStream[object]
                ) as stream:
                    heed(stream.response.headers)
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

    @contextmanager
    def _heeded(self, endpoint: Endpoint, request: Request, given: Pass) -> Iterator[Heed]:
        """What the headers of an answer say of the server's limits is heeded, those of a refusal too."""

        def heed(headers: Mapping[str, str]) -> None:
            self.allowances.sent(self._whose(endpoint.name), request.model, given, headers)

        try:
            yield heed
        except openai.APIStatusError as error:
            heed(error.response.headers)
            raise

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


def _said(response: httpx2.Response) -> object:
    """The body: JSON, or the text of something else."""
    return response.json() if "json" in response.headers.get("content-type", "") else response.text


def _streamable(request: Request) -> bool:
    """`best_of` cannot be streamed: the best is known only when all have ended (OpenAI's reference)."""
    return not isinstance(request, CompletionRequest) or request.best_of in (None, 1)


def _dislikes_stream_options(error: EndpointError) -> bool:
    return isinstance(error, BadRequest) and "stream_options" in f"{error.param} {error.message}"
