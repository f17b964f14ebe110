"""vLLM as the server of one's own fleet, by the shapes of its API: models, tokens, streams, a sweep, and no batches."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest

from playground.deps import Deps
from playground.errors import NotFound
from playground.evaluate import sweeping
from playground.evaluate.dataset import Case, Dataset
from playground.evaluate.spec import from_json
from playground.settings import Settings
from playground.store import Store
from playground.tokens import Counter
from playground.types import ChatRequest, CompletionRequest, Delta, Endpoint, Message, UsageReported
from tests.fakes import vllm
from tests.fakes.helpers import collect, failure, text_of

CASES = tuple(Case(id=str(at), variables={"q": f"case {at}"}, expected="Hello, world!") for at in range(3))


@pytest.fixture
def asked() -> list[tuple[str, Any]]:
    return []


@pytest.fixture
async def deps(settings: Settings, serve: Callable[[Any], str], asked: list[tuple[str, Any]]) -> AsyncIterator[Deps]:
    fleet = Endpoint(name="fleet", base_url=f"{serve(vllm.app(asked))}/v1", kind="compatible", api_key="token-abc123")
    store = Store.open(settings)
    made = Deps(settings=settings, endpoints=(fleet,), store=store, counter=Counter())
    yield made
    await made.client.aclose()
    store.close()


def sweep(**changes: Any) -> Any:
    about = {"models": [f"fleet/{vllm.BASE}", f"fleet/{vllm.ADAPTER}"], "prompt": "{{q}}", "metrics": ["exact_match"]}
    return from_json({**about, **changes})


async def test_an_adapter_is_listed_beside_its_base_with_its_context(deps: Deps) -> None:
    base, adapter = await deps.list_models()
    assert (base.id, base.context_length) == (vllm.BASE, vllm.CONTEXT)
    assert (adapter.id, adapter.meta["parent"]) == (vllm.ADAPTER, vllm.BASE)


async def test_texts_and_chats_are_counted_by_the_server(deps: Deps) -> None:
    assert await deps.client.tokenize("fleet", "one two three", model=vllm.BASE) == [0, 1, 2]
    body = {"model": vllm.BASE, "messages": [{"role": "user", "content": "one two"}]}
    assert await deps.client.tokenize_chat("fleet", body) == 2


@pytest.mark.parametrize("model", [vllm.BASE, vllm.ADAPTER])
async def test_completions_stream_with_probabilities_and_usage(deps: Deps, model: str) -> None:
    request = CompletionRequest(endpoint="fleet", model=model, prompt="Hi", logprobs=2, max_tokens=4)
    events = await collect(deps.client, request)
    assert text_of(events) == "Hello, world!"
    tokens = [token for event in events if isinstance(event, Delta) for token in event.logprobs]
    assert next(token.top for token in tokens) == (("Hello", -0.25), ("other", -2.5))
    assert [event.usage.completion_tokens for event in events if isinstance(event, UsageReported)] == [4]


async def test_chats_stream_with_probabilities(deps: Deps) -> None:
    messages = (Message(role="user", content="Hi"),)
    request = ChatRequest(endpoint="fleet", model=vllm.BASE, messages=messages, logprobs=True)
    events = await collect(deps.client, request)
    assert text_of(events) == "Hello, world!"
    assert sum(len(event.logprobs) for event in events if isinstance(event, Delta)) == len(vllm.TOKENS)


async def test_a_model_that_it_does_not_have_is_told_as_such(deps: Deps) -> None:
    error = failure(await collect(deps.client, CompletionRequest(endpoint="fleet", model="none", prompt="Hi")))
    assert isinstance(error, NotFound)
    assert "does not exist" in error.message


@pytest.mark.parametrize(("mode", "path"), [("complete", "/v1/completions"), ("chat", "/v1/chat/completions")])
async def test_a_sweep_over_base_and_adapter(deps: Deps, asked: list[tuple[str, Any]], mode: str, path: str) -> None:
    await deps.list_models()
    plan = sweeping.plan_of(sweep(mode=mode), Dataset("questions", CASES), deps)
    running = await sweeping.begin(plan, deps)
    last = [progress async for progress in running.run()][-1]
    assert (last.state, last.done, last.failed) == ("done", 6, 0)
    assert {each[0] for each in asked} == {path}
    assert {each.scores["exact_match"] for each in deps.store.sweeps.outputs(running.id)} == {1.0}


async def test_it_takes_no_batches_and_says_so_before_anything_is_asked(
    deps: Deps, asked: list[tuple[str, Any]]
) -> None:
    await deps.list_models()
    plan = sweeping.plan_of(replace(sweep(), batch=True), Dataset("questions", CASES), deps)
    with pytest.raises(NotFound, match="takes no batches"):
        await sweeping.begin(plan, deps)
    assert asked == []
