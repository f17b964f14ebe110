"""One run from request to record, against a real server and a real SQLite file."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from playground import runner
from playground.client import Client
from playground.errors import StoreError
from playground.runner import Progress, answer
from playground.settings import Settings
from playground.store import Store
from playground.tokens import Counter
from playground.types import CompletionRequest, Run, Usage
from tests.fakes.helpers import Waits, chat, completion, endpoint, until
from tests.fakes.server import FakeServer


@pytest.fixture
async def client(server: FakeServer) -> AsyncIterator[Client]:
    made = Client([endpoint(server)], timeout=20, retry=Waits().policy())
    yield made
    await made.aclose()


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = Store.open(settings)
    yield opened
    opened.close()


class Failing:
    """A store whose disk is full."""

    def __getattr__(self, name: str) -> Any:
        def fail(run: Run) -> None:
            raise StoreError("The disk is full.")

        return fail


def begin(client: Client, store: Any, request: Any = None, stop: asyncio.Event | None = None) -> Any:
    return runner.run(request or completion(), client=client, store=store, counter=Counter(), stop=stop)


async def last(runs: Any) -> Progress:
    found = [progress async for progress in runs]
    assert [progress.finished for progress in found] == [False] * (len(found) - 1) + [True]
    end = found[-1]
    assert isinstance(end, Progress)
    return end


def kept(store: Store) -> Run:
    (listed,) = store.runs(limit=10)
    whole = store.run(listed.id)
    assert whole is not None
    return whole


@pytest.mark.parametrize("request_", [completion(n=2, logprobs=1), chat()], ids=["completion", "chat"])
async def test_a_run_is_kept_as_it_was(client: Client, store: Store, request_: Any) -> None:
    end = await last(begin(client, store, request_))
    run = kept(store)
    assert run == end.run
    assert run.status == "done"
    assert run.mode == ("complete" if isinstance(request_, CompletionRequest) else "chat")
    assert {choice.text for choice in run.choices} == {"Hello, world!"}
    assert run.effective_request == request_.body()
    assert run.usage is not None
    assert (run.usage.prompt_tokens, run.usage.cached_tokens, run.usage.estimated) == (7, 3, False)
    assert run.latency is not None
    assert run.time_to_first_token is not None
    assert 0 < run.time_to_first_token <= run.latency


async def test_a_run_is_in_the_store_before_its_first_word(client: Client, store: Store, server: FakeServer) -> None:
    server.pace = "stall_first"
    stop = asyncio.Event()
    runs = asyncio.create_task(last(begin(client, store, stop=stop)))
    await until(lambda: [run.status for run in store.runs(limit=10)] == ["running"])
    stop.set()
    assert (await runs).run.status == "stopped"
    assert kept(store).choices == ()


async def test_stop_keeps_the_text_already_paid_for(client: Client, store: Store, server: FakeServer) -> None:
    server.pace = "stall_midstream"
    stop, end = asyncio.Event(), None
    async for end in begin(client, store, stop=stop):
        if end.state.choices():
            stop.set()
    assert end is not None
    run = kept(store)
    assert (run.status, run.choices[0].text, run.choices[0].finish_reason) == ("stopped", "Hello,", None)
    assert end.state.error is None
    await until(lambda: server.open_streams == 0)


async def test_a_stop_after_the_end_has_stopped_nothing(client: Client, store: Store) -> None:
    stop, end = asyncio.Event(), None
    async for end in begin(client, store, stop=stop):
        if end.finished:
            stop.set()
    assert end is not None
    assert kept(store).status == "done"


async def test_closing_the_run_keeps_it_as_stopped_with_its_text(
    client: Client, store: Store, server: FakeServer
) -> None:
    server.pace = "stall_midstream"
    async with aclosing(begin(client, store)) as runs:
        async for progress in runs:
            if progress.state.choices() and progress.state.choices()[0].text == "Hello,":
                break
    run = kept(store)
    assert (run.status, run.choices[0].text) == ("stopped", "Hello,")
    await until(lambda: server.open_streams == 0)


async def test_a_cancelled_run_is_kept_as_stopped_with_its_text(
    client: Client, store: Store, server: FakeServer
) -> None:
    server.pace = "stall_midstream"
    came = asyncio.Event()

    async def consume() -> None:
        async with aclosing(begin(client, store)) as runs:
            async for progress in runs:
                if progress.state.choices():
                    came.set()

    task = asyncio.create_task(consume())
    await came.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    run = kept(store)
    assert (run.status, run.choices[0].text) == ("stopped", "Hello,")


async def test_a_failure_keeps_the_text_before_it(client: Client, store: Store, server: FakeServer) -> None:
    server.enqueue("drop_midstream")
    end = await last(begin(client, store))
    assert end.state.error is not None
    run = kept(store)
    assert (run.status, run.choices[0].text, run.error) == ("failed", "Hello,", str(end.state.error))


async def test_a_refusal_is_kept_without_text_and_without_usage(
    client: Client, store: Store, server: FakeServer
) -> None:
    server.enqueue("401")
    await last(begin(client, store))
    run = kept(store)
    assert (run.status, run.choices, run.usage, run.cost) == ("failed", (), None, None)


async def test_a_retry_is_one_run(client: Client, store: Store, server: FakeServer) -> None:
    server.enqueue("429:1", "503")
    await last(begin(client, store))
    assert kept(store).status == "done"
    assert len(server.requests) == 3


async def test_a_store_that_fails_is_reported_and_costs_no_text(client: Client) -> None:
    end = await last(begin(client, Failing()))
    assert (end.run.status, end.run.choices[0].text) == ("done", "Hello, world!")
    assert end.store_error is not None
    assert end.store_error.message == "The disk is full."


def _replace_by_a_file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("a file where the folder should be")


@pytest.mark.skipif(os.name == "nt", reason="open files cannot be removed there")
async def test_a_database_that_is_gone_is_reported_too(client: Client, settings: Settings, data_dir: Path) -> None:
    store = Store.open(settings)
    store.close()
    _replace_by_a_file(data_dir)
    end = await last(begin(client, store))
    assert end.run.choices[0].text == "Hello, world!"
    assert end.store_error is not None


async def test_usage_is_estimated_where_the_server_gives_none(client: Client, store: Store, server: FakeServer) -> None:
    server.enqueue("no_usage")
    await last(begin(client, store, completion(n=2)))
    assert kept(store).usage == Usage(prompt_tokens=2, completion_tokens=8, estimated=True)


async def test_a_conversation_without_usage_is_estimated_too(client: Client, store: Store, server: FakeServer) -> None:
    server.enqueue("no_usage")
    await last(begin(client, store, chat()))
    usage = kept(store).usage
    assert usage is not None
    assert usage.estimated
    assert usage.prompt_tokens >= 2


async def test_only_openais_own_models_have_a_cost(server: FakeServer, store: Store) -> None:
    # 7 tokens in, 3 of them cached, and 4 out.
    exact = (4 * Decimal("2.5") + 3 * Decimal("1.25") + 4 * 10) / 10**6
    for kind, cost in (("openai", exact), ("compatible", None)):
        client = Client([endpoint(server, kind=kind)], timeout=20)
        end = await last(begin(client, store, completion(model="gpt-4o")))
        await client.aclose()
        assert end.run.cost == cost


async def test_an_answer_is_plain_json(client: Client, store: Store) -> None:
    end = await last(begin(client, store, completion(logprobs=1)))
    said = answer(end)
    assert set(said) == {"model", "choices", "usage", "cost", "latency", "time_to_first_token"}
    assert said["choices"][0]["logprobs"][0]["token"] == "Hello"
    assert "logprobs" not in answer(await last(begin(client, store)))["choices"][0]


async def test_many_runs_side_by_side_are_all_kept(client: Client, store: Store, server: FakeServer) -> None:
    server.pace = "slow:100"
    await asyncio.gather(*(last(begin(client, store)) for _ in range(20)))
    runs = store.runs(limit=50)
    assert [run.status for run in runs] == ["done"] * 20
    assert {run.choices[0].text for run in runs} == {"Hello, world!"}
