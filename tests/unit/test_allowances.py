"""The server's own limits, by its headers: a request that it would refuse waits, or is told so, and is not sent."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import pytest

from playground.allowances import Allowances, Pass, read, seconds, weight
from playground.client import Client
from playground.errors import RateLimited
from playground.retry import RetryPolicy
from playground.types import Message, Retrying
from tests.fakes.helpers import Waits, chat, collect, completion, endpoint, failure, text_of
from tests.fakes.limiter import Limiter
from tests.fakes.server import FakeServer


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def said(left: object, *, limit: object = 10, reset: str = "6s", of: str = "requests") -> dict[str, str]:
    return {
        f"x-ratelimit-limit-{of}": str(limit),
        f"x-ratelimit-remaining-{of}": str(left),
        f"x-ratelimit-reset-{of}": reset,
    }


def heard(allowances: Allowances, headers: dict[str, str]) -> None:
    allowances.sent("server", "fake", allowances.ask("server", completion()), headers)


@pytest.mark.parametrize(
    ("text", "meant"),
    [("6m0s", 360), ("1.5s", 1.5), ("20ms", 0.02), ("1h2m3s", 3723), ("0s", 0), ("7.66", 7.66), ("1d", 86400)],
)
def test_the_ways_in_which_a_reset_is_written(text: str, meant: float) -> None:
    assert seconds(text) == pytest.approx(meant)


@pytest.mark.parametrize("text", ["", None, "soon", "5", "s", "-3s", "1s later", "nan", "9" * 400 + "s"])
def test_what_is_no_duration_is_none_and_no_failure(text: str | None) -> None:
    assert seconds(text) == (5.0 if text == "5" else None)


@pytest.mark.parametrize("left", ["-1", "none", "nan", "inf", ""])
def test_headers_that_say_nothing_bound_nothing(left: str) -> None:
    assert read(said(left)) == {}
    assert read(said(3, limit=0)) == {}


def test_nothing_is_held_back_before_a_server_has_said_something() -> None:
    assert [Allowances().ask("server", completion()).wait for _ in range(1000)] == [0.0] * 1000


def test_who_comes_when_nothing_is_left_waits_and_the_next_waits_longer() -> None:
    clock = Clock()
    allowances = Allowances(clock=clock)
    heard(allowances, said(2, limit=10, reset="8s"))  # one comes back each second
    waits = [allowances.ask("server", completion()).wait for _ in range(5)]
    assert waits == pytest.approx([0, 0, 1, 2, 3])
    clock.now += 3
    assert allowances.ask("server", completion()).wait == pytest.approx(1)


def test_who_gave_up_leaves_room_for_others() -> None:
    allowances = Allowances(clock=Clock())
    heard(allowances, said(1, limit=10, reset="9s"))
    first, second = (allowances.ask("server", completion()) for _ in range(2))
    assert (first.wait, second.wait) == pytest.approx((0, 1))
    allowances.gave_up("server", "fake", second)
    allowances.gave_up("server", "fake", second)
    assert allowances.ask("server", completion()).wait == pytest.approx(1)


def test_what_a_server_says_later_counts_those_that_are_still_on_the_way() -> None:
    allowances = Allowances(clock=Clock())
    heard(allowances, said(5, limit=10, reset="5s"))
    first, _second = (allowances.ask("server", completion()) for _ in range(2))
    allowances.sent("server", "fake", first, said(4, limit=10, reset="6s"))
    assert [(each.left, each.limit) for each in allowances.left()] == [(3, 10)]


def test_tokens_are_counted_as_the_server_counts_them() -> None:
    allowances = Allowances(clock=Clock())
    heard(allowances, said(1_000, limit=6_000, reset="50s", of="tokens"))
    assert allowances.ask("server", completion(max_tokens=1_000)).wait == 0
    assert allowances.ask("server", completion(max_tokens=100)).wait == pytest.approx(1)
    # More than the server ever lets through: that is for the server to refuse.
    assert allowances.ask("server", completion(max_tokens=10**6)).wait < 120


def test_a_request_weighs_what_it_may_write_or_a_quarter_of_its_characters() -> None:
    assert weight(completion(prompt="x" * 4_000, max_tokens=50)) == 1_000
    assert weight(completion(prompt="x", max_tokens=50)) == 50
    parts = ({"type": "text", "text": "y" * 400}, {"type": "image_url", "image_url": {"url": "data:" + "z" * 9_000}})
    assert weight(chat(messages=(Message(role="user", content=parts),))) == 100
    assert weight(chat(max_completion_tokens=70)) == 70


def test_servers_and_models_have_their_own() -> None:
    allowances = Allowances(clock=Clock())
    heard(allowances, said(0))
    assert allowances.ask("server", completion()).wait > 0
    assert allowances.ask("server", completion(model="other")).wait == 0
    assert allowances.ask("elsewhere", completion()).wait == 0
    allowances.forget("server")
    assert allowances.ask("server", completion()).wait == 0


def test_a_word_that_is_a_minute_old_is_not_enough_to_refuse_by() -> None:
    clock = Clock()
    allowances = Allowances(clock=clock)
    heard(allowances, said(0, limit=10, reset="20h"))
    assert allowances.ask("server", completion()).believed
    clock.now += 61
    asked = allowances.ask("server", completion())
    assert (asked.wait > 3_600, asked.believed) == (True, False)


def test_what_is_remembered_is_bounded() -> None:
    allowances = Allowances(clock=Clock())
    for number in range(700):
        allowances.sent("server", f"m{number}", Pass({}), said(1))
    assert len({each.model for each in allowances.left()}) == 500


@pytest.fixture
async def client(server: FakeServer) -> AsyncIterator[Client]:
    made = Client([endpoint(server)], timeout=30, retry=RetryPolicy(base=0.05, floor=0.0, attempts=4))
    yield made
    await made.aclose()


async def test_forty_at_once_keep_to_what_the_server_lets_through(server: FakeServer, client: Client) -> None:
    limiter = server.limiter = Limiter(10, 1.0)
    await collect(client, completion())
    answers = await asyncio.gather(*(collect(client, completion()) for _ in range(40)))
    assert [text_of(events) for events in answers] == ["Hello, world!"] * 40
    assert limiter.refused == 0
    waited = [event for events in answers for event in events if isinstance(event, Retrying)]
    assert waited
    assert all("by itself" in each.error.texts("en")[1] for each in waited)


async def test_without_the_headers_the_same_forty_are_refused(
    server: FakeServer, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    limiter = server.limiter = Limiter(10, 1.0)
    monkeypatch.setattr(limiter, "headers", dict)
    await asyncio.gather(*(collect(client, completion()) for _ in range(40)))
    assert limiter.refused > 0


@pytest.mark.parametrize("changes", [{}, {"best_of": 2}], ids=["streamed", "whole"])
async def test_a_wait_that_is_too_long_is_told_and_nothing_is_sent(server: FakeServer, changes: dict[str, int]) -> None:
    server.limiter = Limiter(1, 600)
    waits = Waits()
    client = Client([endpoint(server)], timeout=30, retry=waits.policy())
    await collect(client, completion(**changes))
    error = failure(await collect(client, completion(**changes)))
    assert isinstance(error, RateLimited)
    assert 500 < (error.retry_after or 0) <= 600
    assert "server" in error.texts("es")[0]
    assert all(re.search(r"\b(5\d\d|600) s\.", error.texts(each)[1]) for each in ("en", "es"))
    assert (waits.seconds, len(server.requests)) == ([], 1)
    await client.aclose()


async def test_a_refusal_is_heeded_too(server: FakeServer) -> None:
    server.limiter = limiter = Limiter(1, 600)
    assert limiter.take()  # another program of the same key
    client = Client([endpoint(server)], timeout=30, retry=Waits().policy(attempts=1))
    first, second = [failure(await collect(client, completion())) for _ in range(2)]
    assert (first.status, second.status) == (429, None)
    assert len(server.requests) == 1
    await client.aclose()


async def test_who_leaves_while_waiting_leaves_room(server: FakeServer, client: Client) -> None:
    server.limiter = Limiter(1, 30)
    await collect(client, completion())
    before = client.allowances.ask("server", completion())
    client.allowances.gave_up("server", "fake", before)
    waiting = asyncio.ensure_future(collect(client, completion()))
    await asyncio.sleep(0.05)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    after = client.allowances.ask("server", completion())
    assert after.wait <= before.wait
    assert len(server.requests) == 1
