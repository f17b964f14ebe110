"""The client against a real local server that behaves: what goes out, what is read, and what closes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from playground.client import Client
from playground.errors import AuthenticationFailed, BadStream, ConnectionFailed, InvalidRequest
from playground.streaming import RunState, pump
from playground.types import (
    ChatRequest,
    CompletionRequest,
    Delta,
    Endpoint,
    Failed,
    Finished,
    Message,
    Retrying,
    TokenLogprob,
    Usage,
    UsageReported,
)
from tests.fakes.helpers import CANARY, Waits, chat, collect, completion, endpoint, failure, first, text_of, until
from tests.fakes.server import FakeServer


@pytest.fixture
async def client(server: FakeServer) -> AsyncIterator[Client]:
    made = Client([endpoint(server)], timeout=30, retry=Waits().policy())
    yield made
    await made.aclose()


BOTH = pytest.mark.parametrize("request_", [completion(), chat()], ids=["completion", "chat"])


@BOTH
async def test_text_finish_reason_and_usage_arrive_in_this_order(
    client: Client, request_: CompletionRequest | ChatRequest
) -> None:
    events = await collect(client, request_)
    assert text_of(events) == "Hello, world!"
    assert events[-2:] == [
        Finished(0, "stop"),
        UsageReported(Usage(prompt_tokens=7, completion_tokens=4, cached_tokens=3)),
    ]


@BOTH
async def test_the_body_is_exactly_what_goes_out(
    server: FakeServer, client: Client, request_: CompletionRequest | ChatRequest
) -> None:
    await collect(client, request_)
    streaming = {"stream": True, "stream_options": {"include_usage": True}}
    assert server.requests[0].body == {**request_.body(), **streaming}
    assert server.requests[0].headers["authorization"] == f"Bearer {CANARY}"


async def test_every_set_parameter_goes_out_and_no_other(server: FakeServer, client: Client) -> None:
    request = completion(temperature=0.0, top_p=0.5, n=2, max_tokens=0, stop=("\n",), logit_bias={"50256": -100.0})
    await collect(client, request)
    sent = server.requests[0].body
    assert {k: v for k, v in sent.items() if not k.startswith("stream")} == {
        "model": "fake",
        "prompt": "Say hello",
        "temperature": 0.0,
        "top_p": 0.5,
        "n": 2,
        "max_tokens": 0,
        "stop": ["\n"],
        "logit_bias": {"50256": -100.0},
    }


async def test_a_server_without_a_key_is_sent_one_that_opens_nothing(server: FakeServer) -> None:
    client = Client([endpoint(server, api_key=None)])
    await collect(client, completion())
    await client.aclose()
    assert server.requests[0].headers["authorization"] == "Bearer none"


async def test_what_the_environment_holds_for_openai_goes_to_no_other_server(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = {
        "OPENAI_API_KEY": "sk-canary-one",
        "OPENAI_ADMIN_KEY": "sk-canary-two",
        "OPENAI_ORG_ID": "org-canary",
        "OPENAI_PROJECT_ID": "proj-canary",
        "OPENAI_CUSTOM_HEADERS": "X-Other: canary\nAuthorization: Bearer sk-canary-three",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    client = Client([endpoint(server, api_key="the-right-one")])
    await collect(client, completion())
    await client.models("server")
    await client.tokenize("server", "a")
    await client.aclose()
    assert len(server.requests) == 3
    for request in server.requests:
        assert request.headers["authorization"] == "Bearer the-right-one"
        assert "canary" not in str(request.headers)


@BOTH
async def test_choices_keep_their_index(client: Client, request_: Any) -> None:
    events = await collect(client, replace(request_, n=3))
    assert [text_of(events, i) for i in range(3)] == ["Hello, world!"] * 3
    assert [event.index for event in events if isinstance(event, Finished)] == [0, 1, 2]


async def test_best_of_is_asked_for_without_streaming(server: FakeServer, client: Client) -> None:
    events = await collect(client, completion(best_of=3, n=2, logprobs=2))
    assert "stream" not in server.requests[0].body
    assert [text_of(events, i) for i in range(2)] == ["Hello, world!"] * 2
    assert isinstance(events[-1], UsageReported)


TOKEN = TokenLogprob("Hello", -0.25, (("Hello", -0.25), ("other", -2.5)))


@pytest.mark.parametrize(
    ("fault", "request_"),
    [
        ("ok", completion(logprobs=2)),
        ("chat_shape", completion(logprobs=2)),
        ("ok", chat(logprobs=True, top_logprobs=2)),
    ],
    ids=["legacy arrays", "llama.cpp's content[] on completions", "chat"],
)
async def test_logprobs_are_read_in_every_shape(server: FakeServer, client: Client, fault: str, request_: Any) -> None:
    server.enqueue(fault)
    events = await collect(client, request_)
    deltas = [event for event in events if isinstance(event, Delta)]
    assert deltas[0].logprobs == (TOKEN,)
    assert "".join(token.token for delta in deltas for token in delta.logprobs) == "Hello, world!"


async def test_a_refusal_is_text(server: FakeServer, client: Client) -> None:
    server.enqueue("refusal")
    assert text_of(await collect(client, chat())) == "I cannot."


@pytest.mark.parametrize("fault", ["no_usage", "finished_only"])
async def test_missing_usage_is_no_failure(server: FakeServer, client: Client, fault: str) -> None:
    server.enqueue(fault)
    events = await collect(client, completion())
    assert events[-1] == Finished(0, "stop")
    assert text_of(events) == "Hello, world!"


async def test_of_a_usage_in_every_chunk_the_last_counts_once(server: FakeServer, client: Client) -> None:
    server.enqueue("running_usage")
    reported = [event for event in await collect(client, chat()) if isinstance(event, UsageReported)]
    assert [event.usage.completion_tokens for event in reported] == [4]


async def test_a_server_that_does_not_stream_is_read_whole(server: FakeServer, client: Client) -> None:
    server.enqueue("unstreamed")
    events = await collect(client, completion(n=2))
    assert text_of(events, 1) == "Hello, world!"


async def test_a_finish_reason_that_is_said_twice_counts_once(server: FakeServer, client: Client) -> None:
    end = '{"index":0,"text":"","finish_reason":"stop"}'
    server.enqueue(f'odd:{{"choices":[{end},{end}]}}')
    assert await collect(client, completion()) == [Finished(0, "stop")]


async def test_one_choice_that_has_not_ended_is_a_cut_answer(server: FakeServer, client: Client) -> None:
    server.enqueue('odd:{"choices":[{"index":0,"text":"a","finish_reason":"stop"},{"index":1,"text":"b"}]}')
    error = failure(await collect(client, completion(n=2)))
    assert "ended before it was finished" in error.message


async def test_a_server_that_ignores_n_is_no_failure(server: FakeServer, client: Client) -> None:
    server.enqueue("one_choice")
    events = await collect(client, completion(n=3))
    assert not any(isinstance(event, Failed) for event in events)


async def test_a_server_that_refuses_stream_options_is_asked_once_more_without(
    server: FakeServer, client: Client
) -> None:
    server.enqueue("no_stream_options", "no_stream_options")
    events = await collect(client, completion())
    assert text_of(events) == "Hello, world!"
    assert ["stream_options" in request.body for request in server.requests] == [True, False]
    assert not any(isinstance(event, Retrying) for event in events)


async def test_an_unknown_server_is_a_failure_that_names_the_known(client: Client) -> None:
    error = failure(await collect(client, completion(endpoint="nowhere")))
    assert isinstance(error, InvalidRequest)
    assert "server" in error.hint


async def test_half_a_character_is_refused_in_words(client: Client) -> None:
    error = failure(await collect(client, completion(prompt="half an emoji: \ud83d")))
    assert "half a character" in error.message


@pytest.mark.parametrize("key", ["with\nnewline", "“typographic”", "with space"])
async def test_a_key_that_cannot_be_sent_is_named_and_never_shown(server: FakeServer, key: str) -> None:
    client = Client([endpoint(server, api_key=key)])
    error = failure(await collect(client, completion()))
    await client.aclose()
    assert isinstance(error, AuthenticationFailed)
    assert key not in str(error)
    assert server.requests == []


STALLS = ["stall_headers", "stall_first", "stall_midstream", "slow:20"]


@pytest.mark.parametrize("fault", STALLS)
async def test_cancelling_closes_the_request_upstream(server: FakeServer, client: Client, fault: str) -> None:
    server.enqueue(fault)
    task = asyncio.create_task(collect(client, completion()))
    await until(lambda: server.open_streams == 1)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await until(lambda: server.open_streams == 0)
    assert server.requests[0].closed_by_client_at is not None


@pytest.mark.parametrize("fault", ["stall_midstream", "slow:20"])
async def test_closing_the_generator_closes_the_request_upstream(
    server: FakeServer, client: Client, fault: str
) -> None:
    server.enqueue(fault)
    events = client.stream(chat())
    await first(events)
    await events.aclose()
    await until(lambda: server.open_streams == 0)
    assert server.requests[0].closed_by_client_at is not None


async def test_cancelling_while_a_retry_waits_sends_nothing_more(server: FakeServer) -> None:
    waiting = asyncio.Event()

    async def forever(seconds: float) -> None:
        waiting.set()
        await asyncio.Event().wait()

    client = Client([endpoint(server)], retry=Waits().policy(sleep=forever))
    server.enqueue("503")
    task = asyncio.create_task(collect(client, completion()))
    await asyncio.wait_for(waiting.wait(), 10)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await client.aclose()
    assert len(server.requests) == 1


@pytest.mark.parametrize("fault", STALLS)
async def test_stop_in_the_pump_closes_the_request_upstream(server: FakeServer, client: Client, fault: str) -> None:
    server.enqueue(fault)
    stop = asyncio.Event()
    states = pump(client.stream(completion()), stop=stop)
    last = asyncio.create_task(asyncio.wait_for(_last(states), 10))
    await until(lambda: server.open_streams == 1)
    stop.set()
    assert (await last).status == "stopped"
    await until(lambda: server.requests[0].closed_by_client_at is not None)


async def _last(states: AsyncGenerator[RunState]) -> RunState:
    return [state async for state in states][-1]


async def test_a_retry_goes_to_the_address_where_the_engine_came_back(server: FakeServer) -> None:
    with FakeServer() as other:

        async def restarted(seconds: float) -> None:
            own.add(endpoint(other))

        own = Client([endpoint(server)], retry=Waits().policy(sleep=restarted))
        server.enqueue("drop_headers")
        assert text_of(await collect(own, completion())) == "Hello, world!"
        await collect(own, completion())
        await own.aclose()
        assert (len(server.requests), len(other.requests)) == (1, 2)


async def test_a_proxy_of_the_environment_does_not_stand_between_this_machine_and_itself(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    client = Client([endpoint(server)])
    assert text_of(await collect(client, completion())) == "Hello, world!"
    await client.aclose()


async def test_one_connection_serves_one_run_after_another(server: FakeServer, client: Client) -> None:
    for _ in range(3):
        await collect(client, completion())
    assert len({request.connection for request in server.requests}) == 1


async def test_an_engine_that_starts_later_joins_and_may_be_replaced(server: FakeServer, client: Client) -> None:
    with FakeServer() as other:
        client.add(endpoint(server, name="local", kind="engine"))
        await collect(client, completion(endpoint="local"))
        client.add(endpoint(other, name="local", kind="engine"))
        await collect(client, completion(endpoint="local"))
        assert (len(server.requests), len(other.requests)) == (1, 1)
        assert list(client.endpoints) == ["server", "local"]
        await client.aclose()


async def test_models_come_with_what_each_server_says_of_them(client: Client) -> None:
    plain, gguf, vllm = await client.models("server")
    assert (plain.ref, plain.shutdown_date, plain.context_length) == ("server/fake", "2027-01-14", None)
    assert (gguf.context_length, vllm.context_length, vllm.owned_by) == (2048, 4096, "vllm")
    assert gguf.meta == {"n_ctx_train": 2048}


async def test_a_web_page_instead_of_models_is_told_as_a_wrong_base_url(server: FakeServer) -> None:
    client = Client([endpoint(server, base_url=server.root)])
    server.enqueue("html")
    with pytest.raises(BadStream) as caught:
        await client.models("server")
    await client.aclose()
    assert "end in /v1" in caught.value.hint


async def test_the_server_counts_tokens_where_it_can(server: FakeServer, client: Client) -> None:
    assert await client.tokenize("server", "a bb ccc") == [1, 2, 3]
    assert server.requests[0].path == "/tokenize"
    assert server.requests[0].headers["authorization"] == f"Bearer {CANARY}"


async def test_the_model_whose_tokenizer_is_meant_is_named(server: FakeServer, client: Client) -> None:
    await client.tokenize("server", "a", model="second")
    await client.pieces("server", "a", model="second")
    assert [asked.body["model"] for asked in server.requests] == ["second", "second"]


async def test_a_server_without_a_tokenizer_is_asked_once(server: FakeServer, client: Client) -> None:
    server.tokenizer = False
    assert [await client.tokenize("server", text) for text in ("a", "ab")] == [None, None]
    assert len(server.requests) == 1


async def test_one_text_that_cannot_be_counted_says_nothing_of_the_next(server: FakeServer, client: Client) -> None:
    assert await client.tokenize("server", "half: \ud83d") is None
    server.enqueue("413")
    assert await client.tokenize("server", "long") is None
    assert await client.tokenize("server", "a") == [1]


async def test_logprobs_that_are_no_numbers_are_read_as_well_as_they_can_be(server: FakeServer, client: Client) -> None:
    said = '{"tokens":["a"],"token_logprobs":[-Infinity],"top_logprobs":[{"a":-Infinity,"b":NaN}]}'
    server.enqueue(f'odd:{{"choices":[{{"index":0,"text":"a","logprobs":{said},"finish_reason":"stop"}}]}}')
    first_delta = (await collect(client, completion(logprobs=1)))[0]
    assert first_delta == Delta(0, "a", (TokenLogprob("a", -9999.0, (("a", -9999.0),)),))


async def test_openai_is_never_asked_for_a_tokenizer(server: FakeServer) -> None:
    client = Client([endpoint(server, kind="openai")])
    assert await client.tokenize("server", "private text") is None
    await client.aclose()
    assert server.requests == []


async def test_a_tokenizer_that_cannot_be_reached_is_an_error_and_no_none(server: FakeServer, client: Client) -> None:
    server.enqueue("drop_headers")
    with pytest.raises(ConnectionFailed):
        await client.tokenize("server", "a")
    assert await client.tokenize("server", "a") == [1]


def test_the_client_serves_one_event_loop_after_another(server: FakeServer) -> None:
    client = Client([endpoint(server)])

    async def once() -> str:
        events = await collect(client, completion())
        # What a loop that is gone leaves behind; `aclose` would make the client forget it.
        await client._sdks["server"][1].close()
        return text_of(events)

    assert [asyncio.run(once()) for _ in range(2)] == ["Hello, world!"] * 2


async def test_message_parts_and_roles_go_out_as_they_are(server: FakeServer, client: Client) -> None:
    parts = ({"type": "text", "text": "¿Qué?"},)
    await collect(
        client, chat(messages=(Message(role="developer", content="Kurz."), Message(role="user", content=parts)))
    )
    assert server.requests[0].body["messages"] == [
        {"role": "developer", "content": "Kurz."},
        {"role": "user", "content": [{"type": "text", "text": "¿Qué?"}]},
    ]


def test_an_endpoint_does_not_show_its_key() -> None:
    assert CANARY not in repr(Endpoint(name="a", base_url="http://x/v1", kind="compatible", api_key=CANARY))
