"""A sweep run against a real server that refuses, fails and dawdles on command."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from playground.deps import Deps
from playground.errors import InvalidRequest, StoreError
from playground.evaluate import sweeping
from playground.evaluate.dataset import Case, Dataset
from playground.evaluate.running import Running
from playground.evaluate.spec import from_json
from playground.evaluate.work import Progress
from playground.retry import RetryPolicy
from playground.settings import Settings
from playground.store import Store
from playground.tokens import Counter
from tests.fakes.helpers import endpoint
from tests.fakes.server import FakeServer

CASES = tuple(Case(id=str(at), variables={"q": f"case {at}"}, expected="Hello, world!") for at in range(5))
ANSWER = "Hello, world!"
NOW = RetryPolicy(attempts=6, base=0.01, cap=0.02, floor=0.0)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = Store.open(settings)
    yield opened
    opened.close()


@pytest.fixture
async def deps(settings: Settings, store: Store, server: FakeServer) -> AsyncIterator[Deps]:
    """The parts over the fake server, once as a server of one's own and once as OpenAI's, whose prices are known."""
    both = (endpoint(server), endpoint(server, name="openai", kind="openai"))
    made = Deps(settings=settings, endpoints=both, store=store, counter=Counter())
    yield made
    await made.client.aclose()


def spec(**changes: Any) -> Any:
    about = {
        "models": ["server/fake"],
        "prompt": "{{q}}",
        "mode": "complete",
        "grid": {"temperature": [0, 0.5]},
        "repeats": 2,
        "metrics": ["exact_match"],
        "concurrency": 4,
    }
    return from_json({**about, **changes})


async def begun(deps: Deps, **changes: Any) -> Running:
    plan = sweeping.plan_of(spec(**changes), Dataset("questions", CASES), deps)
    return patient(await sweeping.begin(plan, deps))


def patient(running: Running) -> Running:
    running._retry = NOW
    return running


async def to_the_end(running: Running) -> Progress:
    return [progress async for progress in running.run()][-1]


def prompts(server: FakeServer) -> Tally[tuple[str, float]]:
    """How often each (prompt, temperature) was asked."""
    return Tally((each.body["prompt"], each.body["temperature"]) for each in server.requests)


async def test_every_call_is_asked_once_scored_and_kept(deps: Deps, server: FakeServer) -> None:
    running = await begun(deps)
    last = await to_the_end(running)
    assert (last.state, last.done, last.failed, last.calls) == ("done", 20, 0, 20)
    assert set(prompts(server).values()) == {2}
    outputs = deps.store.sweeps.outputs(running.id)
    assert [each.number for each in outputs] == list(range(20))
    assert {(each.answer, each.scores["exact_match"], each.status) for each in outputs} == {(ANSWER, 1.0, "done")}
    kept = deps.store.sweeps.sweep(running.id)
    assert kept is not None
    assert (kept.state, kept.done) == ("done", 20)


async def test_nothing_of_a_sweep_stands_in_the_history(deps: Deps) -> None:
    await to_the_end(await begun(deps))
    assert deps.store.runs(limit=1) == []


async def test_a_server_that_fails_three_of_ten_calls_loses_none(deps: Deps, server: FakeServer) -> None:
    server.enqueue(*(["500", "ok", "ok", "drop_headers", "ok", "503", "ok", "ok", "ok", "ok"] * 3))
    running = await begun(deps)
    running._retry = replace(NOW, attempts=20)  # or by chance one call meets as many failures as it may
    last = await to_the_end(running)
    assert (last.state, last.done, last.failed) == ("done", 20, 0)


async def test_a_storm_of_429_slows_down_and_loses_nothing(deps: Deps, server: FakeServer) -> None:
    server.enqueue(*["429:0"] * 30)
    seen = [progress async for progress in (await begun(deps, concurrency=16)).run()]
    assert (seen[-1].state, seen[-1].done, seen[-1].failed) == ("done", 20, 0)
    assert min(progress.limit for progress in seen) < 16


async def test_a_retry_after_holds_all_calls_to_that_server(deps: Deps, server: FakeServer) -> None:
    server.enqueue("429:1")
    last = await to_the_end(await begun(deps, concurrency=1, repeats=1))
    assert last.done == 10
    refused, after = server.requests[0], server.requests[1]
    assert after.arrived_at - refused.arrived_at >= 0.9


async def test_what_broke_off_midway_is_kept_and_never_asked_again(deps: Deps, server: FakeServer) -> None:
    server.enqueue("drop_midstream")
    running = await begun(deps, concurrency=1)
    last = await to_the_end(running)
    assert (last.done, last.failed) == (19, 1)
    broken = deps.store.sweeps.outputs(running.id)[0]
    assert (broken.status, broken.answer, broken.scores) == ("failed", "Hello,", {})
    _, again = await sweeping.go_on(running.id, deps)
    last = await to_the_end(again)
    assert (last.done, last.failed, len(server.requests)) == (19, 1, 20)


async def test_a_server_that_only_fails_stops_the_sweep_and_going_on_asks_again(deps: Deps, server: FakeServer) -> None:
    server.pace = "400"
    running = await begun(deps, repeats=20)
    last = await to_the_end(running)
    assert last.state == "failed"
    assert last.why is not None
    assert "in a row" in last.why.text()
    assert len(server.requests) < 40
    server.pace = "ok"
    _, again = await sweeping.go_on(running.id, deps)
    last = await to_the_end(again)
    assert (last.state, last.done, last.failed) == ("done", 200, 0)


@pytest.mark.parametrize("fault", ["quota", "401"])
async def test_an_account_without_credit_or_key_is_not_asked_a_second_round(
    deps: Deps, server: FakeServer, fault: str
) -> None:
    server.pace = fault
    last = await to_the_end(await begun(deps))
    assert last.state == "failed"
    assert len(server.requests) <= 4


async def test_pausing_answers_what_is_under_way_and_going_on_asks_only_the_rest(
    deps: Deps, server: FakeServer
) -> None:
    server.pace = "slow:40"
    running = await begun(deps)
    async for progress in running.run():
        if progress.done:
            running.pause()
    assert progress.state == "paused"
    assert 0 < progress.done < 20
    assert len(server.requests) == progress.done
    server.pace = "ok"
    _, again = await sweeping.go_on(running.id, deps)
    last = await to_the_end(again)
    assert (last.state, last.done) == ("done", 20)
    assert len(server.requests) == 20


async def test_stopping_closes_what_is_under_way_keeps_its_text_and_it_is_asked_again(
    deps: Deps, server: FakeServer
) -> None:
    server.pace = "stall_midstream"
    running = await begun(deps)
    async for progress in running.run():
        if progress.running == 4 and server.open_streams == 4:
            running.stop()
    assert (progress.state, progress.done) == ("stopped", 0)
    assert {each.status for each in deps.store.sweeps.outputs(running.id)} == {"stopped"}
    server.pace = "ok"
    _, again = await sweeping.go_on(running.id, deps)
    assert (await to_the_end(again)).done == 20


async def test_closing_the_generator_stops_and_lets_the_sweep_go(deps: Deps, server: FakeServer) -> None:
    server.pace = "stall_first"
    running = await begun(deps)
    events = running.run()
    await anext(events)
    await events.aclose()
    kept = deps.store.sweeps.sweep(running.id)
    assert kept is not None
    assert kept.state == "stopped"


async def test_a_budget_holds_midway_and_a_higher_one_goes_on(deps: Deps, server: FakeServer) -> None:
    paid = {"models": ["openai/gpt-4o-mini"], "mode": "chat", "parameters": {"max_tokens": 4}}
    whole = await to_the_end(await begun(deps, **paid))
    assert whole.spent > 0
    server.requests.clear()
    running = await begun(deps, **paid, budget=f"{whole.spent / 2:f}")
    last = await to_the_end(running)
    assert last.state == "budget"
    assert last.why is not None
    assert "budget of $" in last.why.text()
    assert 0 < last.done < 20
    assert last.spent <= whole.spent / 2
    assert len(server.requests) == last.done
    row, again = await sweeping.go_on(running.id, deps, budget=Decimal(1))
    assert row.spent == last.spent
    last = await to_the_end(again)
    assert (last.state, last.done, last.spent) == ("done", 20, whole.spent)
    assert len(server.requests) == 20


async def test_a_budget_that_nobody_could_keep_is_refused_before_the_first_call(deps: Deps, server: FakeServer) -> None:
    with pytest.raises(InvalidRequest, match="price of server/fake is not known"):
        await begun(deps, budget="1")
    assert [each for each in server.requests if each.path != "/tokenize"] == []
    assert deps.store.sweeps.listed() == []


async def test_a_sweep_goes_on_only_where_it_is_the_same(deps: Deps, store: Store) -> None:
    params = {"format": "playground-preset", "version": 1, "name": "mine", "mode": "complete", "text": "{{q}} A"}
    store.save_preset("p", "mine", params)
    plan = sweeping.plan_of(spec(prompt=None, presets=["mine"]), Dataset("questions", CASES), deps)
    running = await sweeping.begin(plan, deps)
    store.save_preset("p", "mine", {**params, "text": "{{q}} B"})
    with pytest.raises(InvalidRequest, match="not what it was"):
        await sweeping.go_on(running.id, deps)
    with pytest.raises(InvalidRequest, match="No sweep"):
        await sweeping.go_on("nonsense", deps)


async def test_a_store_that_does_not_take_the_results_ends_the_sweep_in_words(
    deps: Deps, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = await begun(deps)

    def refuse(*_: Any, **__: Any) -> None:
        raise StoreError("The disk is full.")

    monkeypatch.setattr("playground.evaluate.writing.PAUSE", 0.0)
    monkeypatch.setattr(store.sweeps, "keep", refuse)
    last = await to_the_end(running)
    assert last.state == "failed"
    assert last.why is not None
    assert "disk is full" in last.why.text()
    monkeypatch.undo()
    _, again = await sweeping.go_on(running.id, deps)
    assert (await to_the_end(again)).done == 20


async def test_two_servers_have_a_pace_each(deps: Deps, server: FakeServer) -> None:
    models = ["server/fault-429:1-then-ok", "openai/gpt-4o-mini"]
    running = await begun(deps, models=models, mode="chat", prompt="{{q}}", grid=None, repeats=1)
    last = await to_the_end(running)
    assert (last.state, last.done) == ("done", 10)
    kept = deps.store.sweeps.outputs(running.id)
    assert {each.attempts for each in kept if each.cell == 1} == {1}


async def test_what_a_case_cannot_send_is_an_outcome_of_that_case_alone(deps: Deps) -> None:
    cases = (*CASES, Case(id="long", variables={"q": "a" * 30_000_000}))
    plan = sweeping.plan_of(spec(repeats=1), Dataset("questions", cases), deps)
    running = await sweeping.begin(plan, deps)
    last = await to_the_end(running)
    assert (last.done, last.failed) == (10, 2)
