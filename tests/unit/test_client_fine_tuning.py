"""What the client asks a server about fine-tuning: files, jobs, events, checkpoints and results, over real HTTP."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from playground.client import Client
from playground.errors import (
    AuthenticationFailed,
    BadRequest,
    BadStream,
    ConnectionFailed,
    EndpointError,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    RateLimited,
    ServerFailed,
)
from playground.finetune.jobs import Plan, parse_job
from playground.finetune.results_read import read
from tests.fakes.helpers import CANARY
from tests.fakes.server import FakeServer

LINES = b'{"messages": []}\n' * 3


async def created(client: Client, **changes: Any) -> str:
    file = await client.upload("server", LINES, name="train.jsonl")
    plan = Plan(**{"base": "gpt-4.1-nano", "epochs": 2, **changes})
    return str((await client.create_job("server", plan.body(file["id"], file["id"])))["id"])


def finish(server: FakeServer, job_id: str) -> None:
    while server.training.jobs[job_id]["status"] not in ("succeeded", "failed"):
        server.training.advance(job_id)


# --- files ---


@pytest.mark.parametrize("size", [1, 64 * 1024, 64 * 1024 + 1, 3_000_000])
async def test_a_file_arrives_as_it_is_and_its_progress_is_told(
    server: FakeServer, client: Client, tmp_path: Path, size: int
) -> None:
    path, told = tmp_path / "train \u201cone\u201d.jsonl", list[tuple[int, int]]()
    path.write_bytes(bytes(range(256)) * (size // 256) + b"x" * (size % 256))
    about = await client.upload("server", path, report=lambda sent, total: told.append((sent, total)))
    assert server.training.files[about["id"]][1] == path.read_bytes()
    assert (about["bytes"], about["purpose"]) == (size, "fine-tune")
    assert told[-1] == (size, size)
    assert told == sorted(told)
    assert server.requests[0].headers["authorization"] == f"Bearer {CANARY}"


async def test_bytes_arrive_under_their_name(server: FakeServer, client: Client) -> None:
    about = await client.upload("server", LINES, name="train.jsonl")
    assert about["filename"] == "train.jsonl"
    assert server.training.files[about["id"]][1] == LINES


async def test_what_cannot_be_read_or_is_empty_is_refused_before_anything_is_sent(
    server: FakeServer, client: Client, tmp_path: Path
) -> None:
    for file in (tmp_path / "none.jsonl", tmp_path, b""):
        with pytest.raises(InvalidRequest) as caught:
            await client.upload("server", file)
        assert caught.value.param == "file"
    assert server.requests == []


@pytest.mark.parametrize("as_base64", [False, True])
async def test_a_results_file_is_handed_over_as_it_comes(server: FakeServer, client: Client, as_base64: bool) -> None:
    server.training.as_base64 = as_base64
    job_id = await created(client)
    finish(server, job_id)
    (file,) = parse_job(await client.job("server", job_id)).result_files
    content = await client.file_content("server", file)
    assert content == (
        base64.b64encode(server.training.files[file][1]) if as_base64 else server.training.files[file][1]
    )
    assert list(read(content).steps) == [1, 2, 3, 4]


# --- jobs ---


async def test_a_job_is_created_with_what_was_asked_and_no_more(server: FakeServer, client: Client) -> None:
    await created(client, epochs=None, suffix="tweets")
    assert server.requests[-1].body == {
        "model": "gpt-4.1-nano",
        "training_file": "file-1",
        "validation_file": "file-1",
        "suffix": "tweets",
    }


async def test_a_closed_door_says_since_when_and_where_else(client: Client) -> None:
    with pytest.raises(PermissionDenied) as caught:
        await created(client, base="fault-403_training")
    assert caught.value.code == "training_not_available"
    for words in ("no longer trains", "2026-05-07", "2027-01-06"):
        assert words in caught.value.message
    assert "another server" in caught.value.hint


async def test_a_file_that_the_server_does_not_have_is_named(client: Client) -> None:
    with pytest.raises(BadRequest) as caught:
        await client.create_job("server", Plan(base="a").body("file-none"))
    assert caught.value.param == "training_file"


async def test_jobs_come_in_pages_with_a_cursor(server: FakeServer, client: Client) -> None:
    ids = [await created(client) for _ in range(5)]
    first = await client.jobs("server", limit=2)
    assert ([job["id"] for job in first.items], first.after) == ([ids[4], ids[3]], ids[3])
    second = await client.jobs("server", after=first.after, limit=2)
    third = await client.jobs("server", after=second.after, limit=2)
    assert ([job["id"] for job in third.items], third.after) == ([ids[0]], None)


async def test_a_job_is_cancelled_once(server: FakeServer, client: Client) -> None:
    job_id = await created(client)
    assert (await client.cancel_job("server", job_id))["status"] == "cancelled"
    with pytest.raises(BadRequest, match="already cancelled"):
        await client.cancel_job("server", job_id)


async def test_a_job_rests_and_goes_on(server: FakeServer, client: Client) -> None:
    job_id = server.training.run()
    server.training.jobs[job_id] |= {"status": "running", "finished_at": None}
    assert (await client.pause_job("server", job_id))["status"] == "paused"
    with pytest.raises(BadRequest, match="Job is paused"):
        await client.pause_job("server", job_id)
    assert (await client.resume_job("server", job_id))["status"] == "running"


async def test_a_server_that_cannot_pause_says_so_and_one_without_the_job_says_that(
    server: FakeServer, client: Client
) -> None:
    server.training.pausable = False
    with pytest.raises(NotFound, match="has no way to pause a job") as raised:
        await client.pause_job("server", server.training.run())
    assert "cancel it" in raised.value.hint
    with pytest.raises(NotFound, match="no fine-tuning job ftjob-none"):
        await client.resume_job("server", "ftjob-none")


async def test_checkpoints_are_read_over_all_pages(server: FakeServer, client: Client) -> None:
    server.training.page_size = 2
    job_id = await created(client, epochs=5)
    finish(server, job_id)
    steps = [each["step_number"] for each in await client.checkpoints("server", job_id)]
    assert steps == [10, 8, 6, 4, 2]


# --- events ---


@pytest.mark.parametrize("page_size", [1, 2, 3, 100])
async def test_events_come_oldest_first_over_all_pages(server: FakeServer, client: Client, page_size: int) -> None:
    server.training.page_size = page_size
    job_id = await created(client)
    finish(server, job_id)
    assert await client.events("server", job_id) == server.training.events[job_id]


async def test_only_the_pages_of_new_events_are_asked_for(server: FakeServer, client: Client) -> None:
    server.training.page_size = 2
    job_id = await created(client, epochs=10)
    finish(server, job_id)
    everything = server.training.events[job_id]
    known = {event["id"] for event in everything[:-3]}
    before = len(server.requests)
    assert await client.events("server", job_id, known=known) == everything[-3:]
    assert len(server.requests) - before == 2


@pytest.mark.parametrize(("known", "new"), [(set[str](), "abcd"), ({"a", "b", "c"}, "d")])
async def test_a_server_that_lists_the_oldest_first_is_read_to_its_end(
    server: FakeServer, client: Client, known: set[str], new: str
) -> None:
    pages = ['{"data":[{"id":"a","created_at":1},{"id":"b","created_at":2}],"has_more":true}']
    pages += ['{"data":[{"id":"c","created_at":3},{"id":"d","created_at":4}],"has_more":false}']
    server.enqueue(*(f"whole:{page}" for page in pages))
    found = await client.events("server", "ftjob-1", known=known)
    assert [event["id"] for event in found] == list(new)


async def test_a_server_that_sends_the_same_events_again_and_again_is_left(server: FakeServer, client: Client) -> None:
    server.pace = 'whole:{"data":[{"id":"b"},{"id":"a"}],"has_more":true}'
    assert [event["id"] for event in await client.events("server", "ftjob-1")] == ["a", "b"]
    assert len(server.requests) == 2


@pytest.mark.parametrize("page", ["null", "[]", '{"data":7}', '{"data":[null,7,{},{"id":7}],"has_more":true}', '"x"'])
async def test_what_is_no_event_is_left_out(server: FakeServer, client: Client, page: str) -> None:
    server.pace = f"whole:{page}"
    assert await client.events("server", "ftjob-1") == []


# --- failures ---


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("401", AuthenticationFailed),
        ("429:0", RateLimited),
        ("500", ServerFailed),
        ("drop_headers", ConnectionFailed),
        ("html", BadStream),
        ("whole:[1]", BadStream),
        ("whole:null", BadStream),
        ('whole:{"id":7}', BadStream),
        ('whole:{"id":', BadStream),
        ('whole:{"error":{"message":"No.","code":"500"}}', ServerFailed),
    ],
)
async def test_a_failure_is_told_as_everywhere(
    server: FakeServer, client: Client, fault: str, error: type[EndpointError]
) -> None:
    server.pace = fault
    for asked in (client.job("server", "ftjob-1"), client.create_job("server", {}), client.upload("server", LINES)):
        with pytest.raises(error) as caught:
            await asked
        assert CANARY not in f"{caught.value.message} {caught.value.hint}"


async def test_a_job_or_a_file_that_is_not_there_is_named(client: Client) -> None:
    for asked in (
        client.job("server", "ftjob-none"),
        client.events("server", "ftjob-none"),
        client.checkpoints("server", "ftjob-none"),
        client.cancel_job("server", "ftjob-none"),
        client.file_content("server", "ftjob-none"),
    ):
        with pytest.raises(NotFound, match="ftjob-none"):
            await asked


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../models", "a/b", "a?b", "a#b", "a b", "a\n", "é", "%2e%2e", "x" * 201]
)
async def test_an_id_that_would_ask_for_another_address_is_refused(
    server: FakeServer, client: Client, name: str
) -> None:
    for asked in (client.job("server", name), client.cancel_job("server", name), client.file_content("server", name)):
        with pytest.raises(InvalidRequest) as caught:
            await asked
        assert caught.value.param == "id"
    assert server.requests == []


async def test_a_server_that_nobody_knows_is_refused(client: Client) -> None:
    with pytest.raises(InvalidRequest, match="elsewhere"):
        await client.upload("elsewhere", LINES)
