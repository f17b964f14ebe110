"""The client against a real local server that misbehaves: what is tried again, what it is called, what stays hidden."""

from __future__ import annotations

import gc
import json
import logging
import socket
import traceback
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import openai
import pytest

from playground import errors
from playground.client import Client
from playground.client.client import LONGEST
from playground.client_errors import from_body
from playground.retry import RetryPolicy, retry_after
from playground.types import Endpoint, Failed, Retrying
from tests.fakes.helpers import CANARY, Waits, chat, collect, completion, endpoint, failure, text_of, until
from tests.fakes.server import FakeServer


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
async def client(server: FakeServer, waits: Waits) -> AsyncIterator[Client]:
    made = Client([endpoint(server)], timeout=30, retry=waits.policy())
    yield made
    await made.aclose()


@pytest.fixture
async def hasty(server: FakeServer, waits: Waits) -> AsyncIterator[Client]:
    """Gives a server a fifth of a second."""
    made = Client([endpoint(server)], timeout=0.2, retry=waits.policy())
    yield made
    await made.aclose()


REFUSED = [
    ("400", errors.BadRequest, "temperature"),
    ("400_context", errors.BadRequest, "do not fit"),
    ("401", errors.AuthenticationFailed, "does not accept the key"),
    ("403", errors.PermissionDenied, "not allowed to sample"),
    ("403_training", errors.PermissionDenied, "no longer trains"),
    ("404", errors.NotFound, "does not have this model"),
    ("404_page", errors.NotFound, "does not know this address"),
    ("413", errors.BadRequest, "too large"),
    ("422", errors.BadRequest, "refused the value of top_p"),
    ("422:method", errors.BadRequest, "does not train this model by this method"),
    ("quota", errors.QuotaExceeded, "no credit"),
    ("error_first:insufficient_quota", errors.QuotaExceeded, "no credit"),
    ("redirect", errors.NotFound, "sends elsewhere"),
    ("html", errors.BadStream, "something else than an API"),
    ("empty", errors.BadStream, "cannot be read"),
    ("odd:[1]", errors.BadStream, "cannot be read"),
    ("odd:null", errors.BadStream, "cannot be read"),
    ('odd:{"choices":[{"index":0,"text":5}]}', errors.BadStream, "cannot be read"),
    ('odd:{"choices":[],"usage":{"prompt_tokens":-1}}', errors.BadStream, "cannot be read"),
    ('odd:{"choices":[{"index":1e999,"text":"a"}]}', errors.BadStream, "cannot be read"),
    ('odd:{"choices":[null]}', errors.BadStream, "cannot be read"),
    ("odd:" + "1" * 5000, errors.BadStream, "cannot be read"),
    ("odd:" + "[" * 50_000, errors.BadStream, "cannot be read"),
]


@pytest.mark.parametrize(("fault", "kind", "words"), REFUSED, ids=[row[0][:40] for row in REFUSED])
async def test_what_waiting_does_not_mend_fails_at_once_and_says_what_it_is(
    server: FakeServer, client: Client, fault: str, kind: type[errors.EndpointError], words: str
) -> None:
    server.enqueue(fault)
    events = await collect(client, completion())
    error = failure(events)
    assert type(error) is kind
    assert words in error.message
    assert error.hint
    spanish, todo = error.texts("es")
    assert spanish != error.message
    assert todo != error.hint
    assert error.message[0].isupper()
    assert len(events) == len(server.requests) == 1


AGAIN = ["429", "429:0", "429_ms:20", "429_date:30", "500", "502_page", "503:1", "drop_headers", "error_first"]


@pytest.mark.parametrize("fault", AGAIN)
async def test_what_waiting_may_mend_is_tried_again_where_it_can_be_seen(
    server: FakeServer, client: Client, fault: str
) -> None:
    server.enqueue(fault, fault, "ok")
    events = await collect(client, completion())
    retries = [event for event in events if isinstance(event, Retrying)]
    assert [(event.attempt, event.attempts) for event in retries] == [(2, 4), (3, 4)]
    assert text_of(events) == "Hello, world!"


@pytest.mark.parametrize("fault", ["429", "500", "drop_headers"])
async def test_after_four_attempts_it_is_given_up(server: FakeServer, client: Client, fault: str) -> None:
    server.enqueue(*[fault] * 5)
    events = await collect(client, completion())
    failure(events)
    assert len(server.requests) == 4
    assert sum(isinstance(event, Retrying) for event in events) == 3


async def test_a_model_may_ask_for_its_fault_by_name(server: FakeServer, client: Client) -> None:
    events = await collect(client, completion(model="fault-429:1-then-ok"))
    assert [event.delay for event in events if isinstance(event, Retrying)] == [1.0]
    assert text_of(events) == "Hello, world!"


@pytest.mark.parametrize(
    ("fault", "low", "high"), [("429:7", 7, 7), ("429_ms:1500", 1.5, 1.5), ("429_date:30", 25, 30), ("503:2", 2, 2)]
)
async def test_the_wait_is_the_one_that_the_server_asks_for(
    server: FakeServer, client: Client, waits: Waits, fault: str, low: float, high: float
) -> None:
    server.enqueue(fault)
    events = await collect(client, completion())
    assert isinstance(events[0], Retrying)
    assert waits.seconds == [events[0].delay]
    assert low <= events[0].delay <= high


@pytest.mark.parametrize(("asked", "retried"), [(60, True), (61, False)])
async def test_a_longer_wait_than_a_minute_is_the_persons_decision(
    server: FakeServer, client: Client, asked: int, retried: bool
) -> None:
    server.enqueue(f"429:{asked}")
    first = (await collect(client, completion()))[0]
    assert isinstance(first, Retrying if retried else Failed)
    assert first.error.retry_after == asked  # type: ignore[attr-defined]
    assert f"wait {asked} s" in first.error.message


def test_waits_grow_up_to_a_cap_and_are_drawn_at_random() -> None:
    drawn: list[tuple[float, float]] = []

    def draw(low: float, high: float) -> float:
        drawn.append((low, high))
        return low

    policy = RetryPolicy(attempts=9, base=1, cap=5, floor=0.25, draw=draw)
    for attempt in range(1, 6):
        assert policy.delay(errors.ServerFailed("x"), attempt) == 0.25
    assert [high for _, high in drawn] == [1, 2, 4, 5, 5]


@pytest.mark.parametrize("status", [501])
def test_a_feature_that_a_server_does_not_have_is_not_asked_for_again(status: int) -> None:
    assert RetryPolicy().delay(errors.ServerFailed("x", status=status), 1) is None


@pytest.mark.parametrize("value", ["", "soon", "nan", "inf", "Wed, 99 Foo 2026 07:28:00 GMT"])
def test_an_unreadable_retry_after_is_none(value: str) -> None:
    assert retry_after({"retry-after": value}) is None


@pytest.mark.parametrize("value", ["-5", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_a_retry_after_that_has_passed_is_now(value: str) -> None:
    assert retry_after({"retry-after": value}) == 0


BROKEN = [
    ("drop_midstream", errors.ConnectionFailed, "broke off"),
    ("no_done", errors.BadStream, "ended before it was finished"),
    ("broken_json", errors.BadStream, "cannot be read"),
    ("broken_bytes", errors.BadStream, "cannot be read"),
    ("error_midstream", errors.ServerFailed, "broke the answer off"),
    ("error_midstream:rate_limit_exceeded", errors.RateLimited, "too many requests"),
    ("error_midstream:context_length_exceeded", errors.BadRequest, "do not fit"),
]


@pytest.mark.parametrize("request_", [completion(), chat()], ids=["completion", "chat"])
@pytest.mark.parametrize(("fault", "kind", "words"), BROKEN, ids=[row[0] for row in BROKEN])
async def test_text_that_was_paid_for_stays_and_is_not_asked_for_again(
    server: FakeServer, client: Client, fault: str, kind: type[errors.EndpointError], words: str, request_: Any
) -> None:
    server.enqueue(fault)
    events = await collect(client, request_)
    error = failure(events)
    assert text_of(events) == "Hello,"
    assert type(error) is kind
    assert words in error.message
    assert len(server.requests) == 1


@pytest.mark.parametrize("fault", ["stall_headers", "stall_first"])
async def test_a_server_that_says_nothing_is_tried_again(server: FakeServer, hasty: Client, fault: str) -> None:
    server.enqueue(fault, "ok")
    events = await collect(hasty, completion())
    assert isinstance(events[0], Retrying)
    assert isinstance(events[0].error, errors.TimedOut)
    assert "0.2 s" in events[0].error.message
    assert text_of(events) == "Hello, world!"


async def test_a_server_that_falls_silent_keeps_its_text(server: FakeServer, hasty: Client) -> None:
    server.enqueue("stall_midstream")
    events = await collect(hasty, chat())
    assert isinstance(failure(events), errors.TimedOut)
    assert text_of(events) == "Hello,"
    assert len(server.requests) == 1


async def test_an_unstreamed_answer_that_is_late_is_not_paid_for_again(server: FakeServer, hasty: Client) -> None:
    server.enqueue("stall_headers")
    events = await collect(hasty, completion(best_of=3))
    assert isinstance(failure(events), errors.TimedOut)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("kind", "words"), [("engine", "started again"), ("openai", "internet"), ("compatible", "http:")]
)
async def test_a_server_that_is_not_there_gets_the_hint_that_fits(waits: Waits, kind: Any, words: str) -> None:
    with socket.socket() as held:  # bound and not listening: refused for certain
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}/v1"
        client = Client([Endpoint(name="server", base_url=url, kind=kind)], retry=waits.policy())
        error = failure(await collect(client, completion()))
        await client.aclose()
    assert isinstance(error, errors.ConnectionFailed)
    assert "cannot be reached" in error.message
    assert words in error.hint


@pytest.mark.parametrize("url", ["http://127.0.0.1:port/v1", "http://[bad/v1", "ftp://127.0.0.1/v1"])
async def test_an_address_that_is_none_is_called_so(url: str, waits: Waits) -> None:
    client = Client([Endpoint(name="server", base_url=url, kind="compatible")], retry=waits.policy())
    error = failure(await collect(client, completion()))
    await client.aclose()
    assert "address" in error.message
    assert waits.seconds == []


async def test_a_missing_v1_is_pointed_out(server: FakeServer) -> None:
    client = Client([endpoint(server, base_url=server.root)])
    error = failure(await collect(client, completion()))
    await client.aclose()
    assert isinstance(error, errors.NotFound)
    assert "end in /v1" in error.hint


@pytest.mark.parametrize(
    ("name", "kind", "variable"),
    [
        ("openai", "openai", "OPENAI_API_KEY"),
        ("server", "compatible", "OPENAI_API_KEY"),
        ("my-box", "compatible", "MY_BOX_API_KEY"),
    ],
)
async def test_a_wrong_key_names_the_variable_it_is_read_from(
    server: FakeServer, name: str, kind: Any, variable: str
) -> None:
    client = Client([endpoint(server, name=name, kind=kind)])
    server.enqueue("401")
    error = failure(await collect(client, completion(endpoint=name)))
    await client.aclose()
    assert f"Check {variable} in .env" in error.hint
    assert "Incorrect" not in error.message  # a 401's own words often hold the key, and are never shown


async def test_what_the_server_names_is_kept_for_the_page(server: FakeServer, client: Client) -> None:
    server.enqueue("400:top_p", "400_context", "403_training")
    found = [failure(await collect(client, chat())) for _ in range(3)]
    assert [(error.status, error.code, error.param) for error in found] == [
        (400, "unsupported_parameter", "top_p"),
        (400, "context_length_exceeded", "messages"),
        (403, "training_not_available", None),
    ]


def test_an_empty_account_is_known_by_its_type_too() -> None:
    about = Endpoint(name="openai", base_url="http://x/v1", kind="openai")
    error = from_body(about, {"message": "No credit.", "type": "insufficient_quota"}, status=429)
    assert type(error) is errors.QuotaExceeded


def everything_a_traceback_could_show(error: BaseException) -> str:
    seen, todo, texts = set(), [error], []
    while todo:
        exc = todo.pop()
        if id(exc) in seen:
            continue
        seen.add(id(exc))
        texts += [repr(exc), str(exc), str(vars(exc)), "".join(traceback.format_exception(exc))]
        todo += [e for e in (exc.__cause__, exc.__context__) if e is not None]
    return "\n".join(texts)


LEAKS = ["401", "400_key", "400", "500", "drop_headers", "drop_midstream", "broken_json", "html", "error_midstream"]


@pytest.mark.parametrize("fault", LEAKS)
async def test_a_key_is_in_no_message_cause_or_log(
    server: FakeServer, waits: Waits, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = Client([endpoint(server)], retry=waits.policy(attempts=1))
    server.enqueue(fault)
    with caplog.at_level(logging.DEBUG):
        error = failure(await collect(client, completion()))
    await client.aclose()
    assert error.__cause__ is None
    assert error.__context__ is None
    assert error.__traceback__ is None
    assert CANARY not in everything_a_traceback_could_show(error)
    assert CANARY not in caplog.text


async def test_a_key_is_in_no_error_that_is_raised(server: FakeServer, client: Client) -> None:
    server.enqueue("401")
    with pytest.raises(errors.AuthenticationFailed) as caught:
        await client.models("server")
    assert CANARY not in everything_a_traceback_could_show(caught.value)
    assert caught.value.__context__ is None


def sdk_exceptions() -> list[type[Exception]]:
    """Every exception class that the SDK defines, the ones that it does not export too."""
    found, todo = [], [openai.OpenAIError]
    while todo:
        kind = todo.pop()
        found.append(kind)
        todo += kind.__subclasses__()
    return sorted(found, key=lambda kind: kind.__name__)


def raised(kind: type[Exception]) -> Exception:
    """An instance with what the mapping reads of it, without the many constructors' other arguments."""
    request = httpx2.Request("POST", "http://x/v1", headers={"Authorization": f"Bearer {CANARY}"})
    exc = kind.__new__(kind)
    status = getattr(kind, "status_code", 500)
    about = {
        "message": f"says {CANARY}",
        "request": request,
        "body": {"message": f"says {CANARY}"},
        "code": None,
        "status_code": status if isinstance(status, int) else 500,
        "response": httpx2.Response(status if isinstance(status, int) else 500, request=request),
    }
    for name, value in about.items():
        setattr(exc, name, value)
    exc.args = (f"says {CANARY}",)
    return exc


OTHERS = [
    json.JSONDecodeError("x", CANARY, 0),
    UnicodeEncodeError("ascii", CANARY, 0, 1, "x"),
    UnicodeDecodeError("utf-8", CANARY.encode(), 0, 1, "x"),
    ConnectionResetError(CANARY),
    httpx2.InvalidURL(CANARY),
    httpx2.ReadTimeout(CANARY),
    httpx2.ConnectTimeout(CANARY),
    httpx2.PoolTimeout(CANARY),
    httpx2.RemoteProtocolError(CANARY),
    httpx2.LocalProtocolError(CANARY),
    httpx2.ReadError(CANARY),
    httpx2.StreamClosed(),
    httpx2.TooManyRedirects(CANARY),
    httpx2.DecodingError(CANARY),
]


@pytest.mark.parametrize("exc", [*map(raised, sdk_exceptions()), *OTHERS], ids=lambda exc: type(exc).__name__)
def test_every_exception_of_the_libraries_becomes_one_of_ours(exc: Exception) -> None:
    about = Endpoint(name="server", base_url="http://x/v1", kind="compatible", api_key=CANARY)
    client = Client([about])
    with pytest.raises(errors.EndpointError) as caught, client._mapped(about):
        raise exc
    assert caught.value.__context__ is None
    assert CANARY not in str(caught.value)
    assert caught.value.hint


def test_the_walk_over_the_sdks_exceptions_finds_them() -> None:
    assert {openai.RateLimitError, openai.APITimeoutError, openai.APIResponseValidationError} <= set(sdk_exceptions())


async def test_a_fault_leaves_no_stream_open(server: FakeServer, hasty: Client) -> None:
    for fault in (
        "drop_midstream",
        "broken_json",
        "broken_bytes",
        "stall_midstream",
        "no_done",
        "html",
        "error_first:x",
    ):
        server.enqueue(fault)
        assert await collect(hasty, completion())
        await until(lambda: server.open_streams == 0)
    gc.collect()  # what was left open would warn here, and warnings are errors


async def test_a_server_that_sends_a_hundred_megabytes_is_ended_and_what_came_is_kept() -> None:
    with FakeServer(tokens=("x" * 100_000,) * 1_000) as server:
        made = Client([endpoint(server)], timeout=30)
        events = await collect(made, completion())
        await made.aclose()
        await until(lambda: server.open_streams == 0)
    assert isinstance(failure(events), errors.BadStream)
    assert "did not end" in failure(events).message
    assert LONGEST <= len(text_of(events)) <= LONGEST + 100_000
