"""What the client asks a server besides answers: a chat's tokens by its own template, and its fine-tuning jobs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from playground.client import Client
from playground.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    EndpointError,
    InvalidRequest,
    RateLimited,
    ServerFailed,
)
from tests.fakes import payloads
from tests.fakes.helpers import CANARY, Waits, endpoint
from tests.fakes.server import FakeServer

BODY = {
    "model": "fake",
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is it like?"}],
    "temperature": 0.5,
}
JOBS = "/v1/fine_tuning/jobs"


@pytest.fixture
async def client(server: FakeServer) -> AsyncIterator[Client]:
    made = Client([endpoint(server)], timeout=30, retry=Waits().policy())
    yield made
    await made.aclose()


# --- a chat's tokens ---


async def test_the_server_counts_a_chat_in_its_own_template(server: FakeServer, client: Client) -> None:
    assert await client.tokenize_chat("server", BODY) == 2 * 4 + 2 + 4
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/tokenize")
    assert request.headers["authorization"] == f"Bearer {CANARY}"
    assert request.body == {"model": "fake", "messages": BODY["messages"], "add_generation_prompt": True}


async def test_openai_is_never_asked_to_count_a_chat(server: FakeServer) -> None:
    client = Client([endpoint(server, kind="openai")])
    assert await client.tokenize_chat("server", BODY) is None
    await client.aclose()
    assert server.requests == []


@pytest.mark.parametrize("fault", ["404_page", "405", "501"])
async def test_a_server_that_cannot_count_a_chat_is_asked_once(server: FakeServer, client: Client, fault: str) -> None:
    server.enqueue(fault)
    assert [await client.tokenize_chat("server", BODY) for _ in range(3)] == [None] * 3
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "said",
    ['{"tokens":[]}', '{"tokens":[1,2]}', '{"error":"Unexpected endpoint"}', "[]", '{"tokens":[],"count":null}'],
    ids=["llama.cpp", "no count", "LM Studio", "a list", "null"],
)
async def test_a_server_that_reads_no_messages_is_asked_once(server: FakeServer, client: Client, said: str) -> None:
    server.enqueue(f"whole:{said}")
    assert [await client.tokenize_chat("server", BODY) for _ in range(2)] == [None, None]
    assert len(server.requests) == 1


async def test_a_server_that_counts_no_chats_still_counts_texts(server: FakeServer, client: Client) -> None:
    server.enqueue('whole:{"tokens":[]}')
    assert await client.tokenize_chat("server", BODY) is None
    assert await client.tokenize("server", "a bb") == [1, 2]


@pytest.mark.parametrize("count", ["-1", "1.5", "true", '"7"', "[]"])
async def test_a_count_that_is_none_is_not_believed(server: FakeServer, client: Client, count: str) -> None:
    server.enqueue(f'whole:{{"tokens":[],"count":{count}}}')
    assert await client.tokenize_chat("server", BODY) is None


async def test_one_chat_that_cannot_be_counted_says_nothing_of_the_next(server: FakeServer, client: Client) -> None:
    server.enqueue("400")
    assert await client.tokenize_chat("server", BODY) is None
    assert await client.tokenize_chat("server", BODY) == 14


async def test_a_server_that_joins_again_is_asked_again(server: FakeServer, client: Client) -> None:
    server.tokenizer = False
    assert await client.tokenize_chat("server", BODY) is None
    server.tokenizer = True
    client.add(endpoint(server))
    assert await client.tokenize_chat("server", BODY) == 14


@pytest.mark.parametrize(
    ("fault", "error"), [("drop_headers", ConnectionFailed), ("401", AuthenticationFailed), ("429:0", RateLimited)]
)
async def test_a_failure_is_an_error_and_says_nothing_of_the_tokenizer(
    server: FakeServer, client: Client, fault: str, error: type[EndpointError]
) -> None:
    server.enqueue(fault)
    with pytest.raises(error) as caught:
        await client.tokenize_chat("server", BODY)
    assert CANARY not in str(caught.value)
    assert await client.tokenize_chat("server", BODY) == 14


# --- fine-tuning jobs ---


def jobs(count: int) -> list[dict[str, Any]]:
    return [{"id": f"ftjob-{at}", "object": "fine_tuning.job", "status": "succeeded"} for at in range(count)]


async def test_jobs_are_read_page_by_page_to_the_last(server: FakeServer, client: Client) -> None:
    server.jobs = payloads.JOBS
    assert await client.fine_tunes("server") == payloads.JOBS
    assert [(request.method, request.path) for request in server.requests] == [("GET", JOBS)] * 3
    asked = [request.query for request in server.requests]
    assert asked == [{"limit": "100"}, {"limit": "100", "after": "ftjob-1"}, {"limit": "100", "after": "ftjob-3"}]


@pytest.mark.parametrize(("count", "pages"), [(1, 1), (2, 1), (3, 2), (40, 20), (41, 20), (90, 20)])
async def test_no_more_than_twenty_pages_are_read(server: FakeServer, client: Client, count: int, pages: int) -> None:
    server.jobs = jobs(count)
    assert await client.fine_tunes("server") == jobs(count)[:40]
    assert len(server.requests) == pages


async def test_a_server_that_sends_the_same_page_again_is_left(server: FakeServer, client: Client) -> None:
    server.pace = 'whole:{"data":[{"id":"a"},{"id":"b"}],"has_more":true}'
    assert await client.fine_tunes("server") == [{"id": "a"}, {"id": "b"}]
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ('{"data":[{"id":"a"},null,7,{},{"id":null},{"id":""}]}', [{"id": "a"}]),
        ('{"data":[{"id":7},{"id":["x"]},{"id":"a"}]}', [{"id": "a"}]),
        ('{"data":null,"has_more":true}', []),
        ('{"data":7}', []),
        ('{"data":{"id":"a"}}', []),
        ('{"error":"Unexpected endpoint"}', []),
        ('[{"id":"a"}]', []),
        ("null", []),
    ],
)
async def test_what_is_no_job_is_left_out(server: FakeServer, client: Client, page: str, found: list[Any]) -> None:
    server.pace = f"whole:{page}"
    assert await client.fine_tunes("server") == found


@pytest.mark.parametrize("fault", ["ok", "404", "404_page", "405", "501", "403", "403_training"])
async def test_a_server_without_such_jobs_has_none(server: FakeServer, client: Client, fault: str) -> None:
    server.pace = fault
    assert await client.fine_tunes("server") == []


@pytest.mark.parametrize(
    ("fault", "error"),
    [("401", AuthenticationFailed), ("429:0", RateLimited), ("500", ServerFailed), ("drop_headers", ConnectionFailed)],
)
async def test_a_failure_is_told_as_everywhere(
    server: FakeServer, client: Client, fault: str, error: type[EndpointError]
) -> None:
    server.pace = fault
    with pytest.raises(error) as caught:
        await client.fine_tunes("server")
    assert CANARY not in str(caught.value)


async def test_a_server_that_nobody_knows_is_refused(client: Client) -> None:
    with pytest.raises(InvalidRequest):
        await client.fine_tunes("elsewhere")
    with pytest.raises(InvalidRequest):
        await client.tokenize_chat("elsewhere", BODY)
