"""What tests of the client share: requests, a patient clock-free retry policy, and bounded waiting."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any

from playground.client import Client
from playground.retry import RetryPolicy
from playground.types import ChatRequest, CompletionRequest, Delta, Endpoint, Failed, Message, StreamEvent
from tests.fakes.server import FakeServer

CANARY = "canary-Zk93hdQx77TopSecret"


def endpoint(server: FakeServer, **changes: Any) -> Endpoint:
    about = {"name": "server", "base_url": server.url, "kind": "compatible", "api_key": CANARY, **changes}
    return Endpoint(**about)


def completion(**changes: Any) -> CompletionRequest:
    return CompletionRequest(**{"endpoint": "server", "model": "fake", "prompt": "Say hello", **changes})


def chat(**changes: Any) -> ChatRequest:
    messages = (Message(role="user", content="Say hello"),)
    return ChatRequest(**{"endpoint": "server", "model": "fake", "messages": messages, **changes})


class Waits:
    """A retry's sleep that takes no time and keeps what was asked of it."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await asyncio.sleep(0)

    def policy(self, **changes: Any) -> RetryPolicy:
        return RetryPolicy(**{"sleep": self, "draw": lambda low, high: high, **changes})


async def collect(client: Client, request: CompletionRequest | ChatRequest) -> list[StreamEvent]:
    return [event async for event in client.stream(request)]


def text_of(events: list[StreamEvent], index: int = 0) -> str:
    return "".join(event.text for event in events if isinstance(event, Delta) and event.index == index)


def failure(events: list[StreamEvent]) -> Any:
    """The error of the last event, which must be a `Failed`, and the only one."""
    assert [isinstance(event, Failed) for event in events] == [False] * (len(events) - 1) + [True], events
    last = events[-1]
    assert isinstance(last, Failed)
    return last.error


async def first(events: AsyncGenerator[Any], matches: Callable[[Any], bool] = lambda _: True) -> Any:
    """The first event that matches; the generator stays open."""
    async for event in events:
        if matches(event):
            return event
    raise AssertionError("the events ended")


async def until(condition: Callable[[], bool], *, seconds: float = 10) -> None:
    """Wait until `condition` holds. Generous: a loaded machine is no failure."""
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it did not happen in time"
        await asyncio.sleep(0.01)
