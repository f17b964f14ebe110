"""Limits hold against a real server, however many ask at once, whatever the server says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from playground import pricing
from playground.client import Client
from playground.errors import ConfigurationError, InvalidRequest, LimitReached, RateLimited, StoreError
from playground.limits import SHARED, parse
from playground.limits.meter import Meter
from playground.limits.metered import Metered
from playground.limits.rules import Limit
from playground.runner import run
from playground.store import Charge, Store, ledger
from playground.store.ledger import PICO
from playground.tokens import Counter
from playground.types import ChatRequest, Delta, Failed, Message, ModelInfo, Request, Retrying, Usage
from tests.fakes.helpers import Waits, chat, collect, completion, endpoint, failure, text_of
from tests.fakes.server import FakeServer

MODEL = "gpt-4o-mini"
ONE = pricing.price(MODEL, "openai", Usage(prompt_tokens=7, completion_tokens=4, cached_tokens=3)) or Decimal(0)
"""What the fake server's answer costs."""


@pytest.fixture
async def paid(server: FakeServer) -> AsyncIterator[Client]:
    made = Client([endpoint(server, kind="openai")], timeout=5, retry=Waits().policy())
    yield made
    await made.aclose()


def metered(client: Client, store: Store, limits: str, account: str = "ana") -> Metered:
    def info(endpoint: str, model: str) -> ModelInfo:
        return ModelInfo(id=model, endpoint=endpoint)

    meter = Meter(store.of(account), parse(limits), Counter(), info_of=info, kind_of=client.kind_of)
    return Metered(client, meter)


def a_chat(**changes: Any) -> ChatRequest:
    return chat(**{"model": MODEL, "max_tokens": 100, **changes})


def spent(store: Store) -> tuple[int, Decimal]:
    found = store.ledger.spent(since=ledger.today().replace(day=1))
    return sum(each.calls for each in found), sum((each.cost for each in found), Decimal(0))


# --- the rules ---


def test_what_the_readme_shows_is_read() -> None:
    limits = parse("$5/day,  visitor $0.50/DAY, visitor 20 requests/minute, model a/b 90k tokens/minute, visitor n=4")
    assert limits.caps == (
        Limit(scope="all", measure="dollars", amount=5 * PICO, period="day"),
        Limit(scope="visitor", measure="dollars", amount=PICO // 2, period="day"),
        Limit(scope="visitor", measure="requests", amount=20, period="minute"),
        Limit(scope="model", measure="tokens", amount=90_000, period="minute", model="a/b"),
    )
    assert limits.bounds == {"n": 4}
    assert parse(SHARED).in_dollars
    assert parse("none") == parse("") == parse(" , ")


@pytest.mark.parametrize(
    "text",
    [
        *("5/day", "$/day", "$5", "$5/week", "$0/day", "visitor n=0", "n=4", "$5/day, $6/day", "-$5/day"),
        *("visitor n=1, visitor n=2", "visitor a/b $1/day", "$5/day; $6/month", "none, $5/day", "visitor 20 requests"),
        "²0 tokens/day",
    ],
)
def test_what_is_no_limit_is_refused_and_quoted(text: str) -> None:
    with pytest.raises(ConfigurationError, match="PLAYGROUND_LIMITS"):
        parse(text)


def test_a_visitors_limit_is_none_of_the_hosts() -> None:
    limits = parse("visitor $1/day, $2/day, model x/m 1 requests/day")
    assert len(limits.of("ana", "x", "m")) == 3
    assert [cap.amount // PICO for cap in limits.of("", "y", "m")] == [2]


# --- money ---


async def test_a_call_is_booked_at_what_it_took(server: FakeServer, paid: Client, store: Store) -> None:
    events = await collect(metered(paid, store, "$1/day"), a_chat())
    assert text_of(events) == "Hello, world!"
    assert spent(store) == (1, ONE)


async def test_fifty_at_once_spend_no_more_than_the_limit_and_all_of_it_is_accounted_for(
    server: FakeServer, paid: Client, store: Store
) -> None:
    limit = ONE * 20
    clients = [metered(paid, store, f"${limit:f}/day", account=f"v{number}") for number in range(50)]
    # Each may take some six times what it does take: few are let in at once, and what they leave lets others in.
    answers = await asyncio.gather(*(collect(client, a_chat(max_tokens=4)) for client in clients))
    let_in = sum(not isinstance(events[-1], Failed) for events in answers)
    calls, cost = spent(store)
    assert 1 <= let_in <= 20
    assert (calls, cost) == (let_in, ONE * let_in)
    assert len(server.requests) == let_in
    refused = [events[-1].error for events in answers if isinstance(events[-1], Failed)]
    assert {type(error) for error in refused} == {LimitReached}
    # One after another the rest is used, to the last call that fits.
    while not isinstance((await collect(clients[0], a_chat(max_tokens=4)))[-1], Failed):
        assert spent(store)[1] <= limit
    assert spent(store)[1] > limit - 6 * ONE


async def test_what_a_person_stopped_costs_what_had_come(server: FakeServer, paid: Client, store: Store) -> None:
    server.pace = "slow:20"
    client = metered(paid, store, "$1/day")
    stream = client.stream(a_chat())
    async for event in stream:
        if isinstance(event, Delta):
            break
    await stream.aclose()
    calls, cost = spent(store)
    assert calls == 1
    assert 0 < cost < ONE


async def test_a_refusal_costs_nothing_and_what_broke_off_before_anything_came_its_most(
    server: FakeServer, paid: Client, store: Store
) -> None:
    client = metered(paid, store, "$1/day")
    server.enqueue("400")
    failure(await collect(client, a_chat()))
    assert spent(store) == (1, Decimal(0))
    server.enqueue("empty", "empty", "empty", "empty")
    failure(await collect(client, a_chat()))
    assert spent(store)[1] >= (pricing.price(MODEL, "openai", Usage(prompt_tokens=0, completion_tokens=100)) or 0)


@pytest.mark.parametrize(
    ("said", "booked"),
    [
        ({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, "counted"),
        ({"prompt_tokens": 10**12, "completion_tokens": 10**12, "total_tokens": 2 * 10**12}, "most"),
        (None, "counted"),
    ],
)
async def test_a_server_that_lies_about_usage_is_not_believed(
    server: FakeServer, paid: Client, store: Store, said: Any, booked: str
) -> None:
    message = {"role": "assistant", "content": "one two three four five six seven eight"}
    whole = {"object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    server.enqueue("whole:" + json.dumps({**whole, **({"usage": said} if said else {})}))
    await collect(metered(paid, store, "$1/day"), a_chat())
    _, cost = spent(store)
    counted = pricing.price(MODEL, "openai", Usage(prompt_tokens=9, completion_tokens=8)) or Decimal(0)
    longest = pricing.price(MODEL, "openai", Usage(prompt_tokens=200, completion_tokens=100)) or Decimal(0)
    assert (
        counted * Decimal("0.8") < cost < counted * Decimal("1.2") if booked == "counted" else counted < cost < longest
    )


async def test_a_model_without_a_price_needs_a_limit_in_tokens(
    server: FakeServer, client: Client, store: Store
) -> None:
    request = a_chat(model="nobody-knows")
    error = failure(await collect(metered(client, store, "$1/day"), request))
    assert isinstance(error, InvalidRequest)
    assert "server/nobody-knows" in error.message
    assert text_of(await collect(metered(client, store, "$1/day, 10k tokens/day"), request)) == "Hello, world!"
    assert store.ledger.spent(since=ledger.today())[0].tokens == 11


async def test_an_endless_answer_is_refused_where_a_limit_must_hold(paid: Client, store: Store) -> None:
    request = chat(model="ft:unheard-of:me::1")
    error = failure(await collect(metered(paid, store, "10k tokens/day", account=""), request))
    assert (type(error), error.param) == (InvalidRequest, "max_tokens")


async def test_a_tier_of_another_price_is_refused(paid: Client, store: Store) -> None:
    error = failure(await collect(metered(paid, store, "$1/day"), a_chat(service_tier="priority")))
    assert error.param == "service_tier"


async def test_while_the_database_is_away_nothing_is_sent(
    server: FakeServer, paid: Client, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = metered(paid, store, "$1/day")

    def away(*_: Any) -> Any:
        raise StoreError("away")

    monkeypatch.setattr(client.meter._ledger, "reserve", away)
    assert isinstance(failure(await collect(client, a_chat())), StoreError)
    assert server.requests == []


async def test_a_call_whose_run_cannot_be_kept_is_not_sent(
    server: FakeServer, paid: Client, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> Any:
        raise StoreError("away")

    theirs = store.of("ana")
    monkeypatch.setattr(theirs, "start_run", away)
    client = metered(paid, store, "$1/day")
    *_, end = [each async for each in run(a_chat(), client=client, store=theirs, counter=Counter())]
    assert (end.run.status, type(end.state.error)) == ("failed", StoreError)
    assert (server.requests, spent(store)) == ([], (0, Decimal(0)))
    assert [each.status for each in theirs.runs(limit=5)] == ["failed"]


async def test_a_call_whose_booking_failed_is_booked_later(
    server: FakeServer, paid: Client, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = metered(paid, store, "$1/day")
    monkeypatch.setattr("playground.limits.meter.BOOKING", (0.05, 0.05))
    real, tries = client.meter._ledger.settle, []

    def away_twice(*given: Any, **named: Any) -> bool:
        tries.append(given)
        if len(tries) < 3:
            raise StoreError("away")
        return real(*given, **named)

    monkeypatch.setattr(client.meter._ledger, "settle", away_twice)
    await collect(client, a_chat())
    assert spent(store) == (0, Decimal(0))
    await asyncio.gather(*client.meter._booking)
    assert spent(store) == (1, ONE)


# --- a minute's limits, and bounds ---


async def test_a_minutes_limit_waits_where_the_person_sees_it(
    server: FakeServer, paid: Client, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1_795_000_000 * 1_000_000]
    monkeypatch.setattr(ledger, "_now", lambda: now[0])
    client = metered(paid, store, "visitor 1 requests/minute")
    await collect(client, a_chat())

    async def sleep(seconds: float) -> None:
        now[0] += int(seconds * 1_000_000)

    events = [event async for event in client.stream(a_chat(), retry=replace(paid._retry, sleep=sleep))]
    waited = [event for event in events if isinstance(event, Retrying)]
    assert [event.delay for event in waited] == [60.0]
    assert isinstance(waited[0].error, RateLimited)
    assert waited[0].error.texts("es")[0] == "Cada visitante puede usar 1 peticiones por minuto."
    assert text_of(events) == "Hello, world!"


@pytest.mark.parametrize(
    ("request_", "param"),
    [
        (a_chat(n=5), "n"),
        (a_chat(max_tokens=2049), "max_tokens"),
        (a_chat(max_tokens=None, max_completion_tokens=2049), "max_completion_tokens"),
        (completion(model=MODEL, best_of=5), "best_of"),
        (completion(model=MODEL, max_tokens=2049), "max_tokens"),
    ],
)
async def test_a_visitor_asks_for_no_more_than_the_bounds_and_the_host_may(
    server: FakeServer, paid: Client, store: Store, request_: Request, param: str
) -> None:
    error = failure(await collect(metered(paid, store, SHARED), request_))
    assert (type(error), error.param) == (InvalidRequest, param)
    assert server.requests == []
    assert text_of(await collect(metered(paid, store, SHARED, account=""), request_)) != ""


async def test_an_answer_that_a_visitor_does_not_limit_gets_the_longest_allowed(
    server: FakeServer, paid: Client, client: Client, store: Store
) -> None:
    await collect(metered(paid, store, SHARED), chat(model=MODEL))
    await collect(metered(client, store, SHARED), chat(model=MODEL))
    await collect(metered(client, store, SHARED), completion(model=MODEL))
    asked = [{k: v for k, v in each.body.items() if k.startswith("max")} for each in server.requests]
    assert asked == [{"max_completion_tokens": 2048}, {"max_tokens": 2048}, {"max_tokens": 16}]


async def test_a_visitor_reaches_nothing_that_belongs_to_the_hosts_key(
    server: FakeServer, paid: Client, store: Store
) -> None:
    client = metered(paid, store, SHARED)
    for do in (
        client.fine_tunes("server"),
        client.jobs("server"),
        client.job("server", "ftjob-1"),
        client.cancel_job("server", "ftjob-1"),
        client.create_job("server", {"model": "m"}),
        client.file_content("server", "file-1"),
        client.upload("server", b"{}", name="x.jsonl"),
        client.delete_model("server", "ft:m"),
        client.create_batch("server", file="f", url="/v1/completions", metadata={}),
        client.batch("server", "b"),
    ):
        with pytest.raises(InvalidRequest, match=r"host's alone|no limit in dollars"):
            await do
    assert server.requests == []


async def test_with_a_limit_in_dollars_the_host_starts_nothing_that_is_paid_at_its_end(
    server: FakeServer, paid: Client, store: Store
) -> None:
    client = metered(paid, store, "$1/day", account="")
    for do in (
        client.create_job("server", {"model": "m"}),
        client.create_batch("server", file="f", url="/v1/completions", metadata={}),
    ):
        with pytest.raises(InvalidRequest, match="no limit in dollars"):
            await do
    assert server.requests == []


async def test_who_nears_a_limit_is_told_and_the_host_once_a_day(
    paid: Client, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    client = metered(paid, store, "visitor 3k tokens/day, 3010 tokens/day")
    await collect(client, a_chat())  # some 200 were set aside, and 11 are used
    assert client.near is None
    other = Charge(id="other", account="ana", endpoint="s", model="m", cost=Decimal(0), tokens=2_400)
    store.ledger.reserve(other, [])
    store.ledger.settle("other", cost=Decimal(0), tokens=2_400)
    for _ in range(2):
        await collect(client, a_chat(max_tokens=2, messages=(Message(role="user", content="a"),)))
    near = client.near
    assert near is not None
    assert near.text().startswith("You have used ")
    assert near.text("es").endswith("de tus 3000 tokens de hoy.")
    said = [record.getMessage() for record in caplog.records if "for all together" in record.getMessage()]
    assert len(said) == 1


def test_a_visitors_sweep_has_no_more_calls_than_allowed(paid: Client, store: Store) -> None:
    visitor, host = metered(paid, store, "visitor calls=10"), metered(paid, store, "visitor calls=10", account="")
    visitor.check_calls(10)
    host.check_calls(11)
    with pytest.raises(InvalidRequest, match="at most 10 calls, and this one has 11"):
        visitor.check_calls(11)
