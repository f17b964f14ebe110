"""A sweep sent by the file, against a real server whose batches go wrong on command."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from playground import pricing
from playground.deps import Deps
from playground.errors import InvalidRequest, NotFound
from playground.evaluate import batch_back, batch_sending, report, results, sweeping
from playground.evaluate.batch_lines import Limits
from playground.evaluate.batch_state import ROUNDS
from playground.evaluate.batching import Batched
from playground.evaluate.dataset import Case, Dataset
from playground.evaluate.spec import from_json, to_json
from playground.evaluate.work import Progress
from playground.retry import RetryPolicy
from playground.settings import Settings
from playground.store import Output, Part, Store
from playground.tokens import Counter
from playground.types import Usage
from tests.fakes import helpers
from tests.fakes.helpers import endpoint
from tests.fakes.server import FakeServer

CASES = tuple(Case(id=str(at), variables={"q": f"case {at}"}, expected="Hello, world!") for at in range(5))
CALLS = 20
SOON = RetryPolicy(attempts=3, base=0.01, cap=0.02, floor=0.0)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = Store.open(settings)
    yield opened
    opened.close()


@pytest.fixture
async def deps(settings: Settings, store: Store, server: FakeServer) -> AsyncIterator[Deps]:
    """The parts over the fake server, once as a server of one's own and once as OpenAI's, whose prices are known."""
    server.batches.on = True
    both = (endpoint(server), endpoint(server, name="openai", kind="openai"))
    made = Deps(settings=settings, endpoints=both, store=store, counter=Counter())
    yield made
    await made.client.aclose()


async def begun(deps: Deps, *, limits: Limits | None = None, **changes: Any) -> Batched:
    about = {
        "models": ["server/fake"],
        "prompt": "{{q}}",
        "mode": "complete",
        "grid": {"temperature": [0, 0.5]},
        "repeats": 2,
        "metrics": ["exact_match"],
        "batch": True,
    }
    plan = sweeping.plan_of(from_json({**about, **changes}), Dataset("questions", CASES), deps)
    return quick(await sweeping.begin(plan, deps), limits)


async def gone_on(deps: Deps, id: str, **changes: Any) -> Batched:
    return quick((await sweeping.go_on(id, deps, **changes))[1])


def quick(work: Any, limits: Limits | None = None) -> Batched:
    """The same with waits that take no time."""
    assert isinstance(work, Batched)
    parts = {"client": work._client, "store": work._store, "counter": work._counter, "count": work._worst._count}
    return Batched(
        work.id, work.plan, limits=limits, looks=0.01, between=0.0, metrics=work._metrics, retry=SOON, **parts
    )


async def to_the_end(running: Batched) -> Progress:
    return [progress async for progress in running.run()][-1]


async def until(running: Batched, true: Callable[[Progress], Any], then: Callable[[], None]) -> Progress:
    """Run it, and do `then` once when it is as wanted."""
    progress = None
    done = False
    async for progress in running.run():
        if not done and true(progress):
            then()
            done = True
    assert progress is not None
    assert done
    return progress


def outputs(deps: Deps, running: Batched) -> list[Output]:
    return deps.store.sweeps.outputs(running.id)


async def test_every_call_is_sent_once_in_one_batch_scored_and_kept(deps: Deps, server: FakeServer) -> None:
    running = await begun(deps)
    last = await to_the_end(running)
    assert (last.state, last.done, last.failed, last.calls) == ("done", CALLS, 0, CALLS)
    assert set(server.batches.paid.values()) == {1}
    (batch,) = server.batches.made
    (first, *_) = server.batches.requests(batch)
    asked = {"model": "fake", "prompt": "case 0", "temperature": 0}
    assert first == {"custom_id": "0", "method": "POST", "url": "/v1/completions", "body": asked}
    found = outputs(deps, running)
    assert [each.number for each in found] == list(range(CALLS))
    assert {(each.answer, each.scores["exact_match"], each.status) for each in found} == {
        ("Hello, world!", 1.0, "done")
    }
    assert {(each.latency, each.time_to_first_token) for each in found} == {(None, None)}
    assert {each.completion_tokens for each in found} == {4}
    kept = deps.store.sweeps.sweep(running.id)
    assert kept is not None
    assert (kept.state, kept.done) == ("done", CALLS)


async def test_a_report_says_that_a_batchs_answers_have_no_latency(deps: Deps) -> None:
    running = await begun(deps)
    await to_the_end(running)
    said = report.report(results.load(deps.store, running.id))
    assert {cell["latency"] for cell in said["cells"]} == {None}
    assert [note for note in said["notes"] if "latency" in note] == [
        "Answers of a batch, which nobody waited for, have no latency: 20"
    ]


async def test_the_stages_are_told_as_they_come(deps: Deps, server: FakeServer) -> None:
    server.batches.hold = True
    running = await begun(deps)
    seen: list[str] = []
    async for progress in running.run():
        said = "" if progress.batches is None else progress.batches.key.removeprefix("batch.")
        if said and said not in seen:
            seen.append(said)
        if said not in ("", "preparing"):
            server.batches.advance("batch_1")
    assert [each for each in seen if each != "preparing"] == ["validating", "in_progress", "finalizing"]


async def test_models_and_addresses_have_a_batch_each(deps: Deps, server: FakeServer) -> None:
    last = await to_the_end(await begun(deps, models=["server/fake", "server/fake-gguf"], mode="auto"))
    assert (last.state, last.done) == ("done", 2 * CALLS)
    assert len(server.batches.made) == 2  # the fake refuses a file with two


@pytest.mark.parametrize("limits", [Limits(7, 10**6), Limits(50_000, 7 * 120)])
async def test_files_stay_within_the_limits(deps: Deps, server: FakeServer, limits: Limits) -> None:
    running = await begun(deps, limits=limits)
    last = await to_the_end(running)
    assert (last.state, last.done) == ("done", CALLS)
    assert len(server.batches.made) >= 3
    uploaded = [about["bytes"] for about, _ in server.training.files.values() if about["purpose"] == "batch"]
    assert max(uploaded) <= limits.bytes
    assert set(server.batches.paid.values()) == {1}


async def test_a_file_that_the_server_finds_too_large_goes_in_halves(deps: Deps, server: FakeServer) -> None:
    server.batches.most_bytes = 1_500
    last = await to_the_end(await begun(deps))
    assert (last.state, last.done, last.failed) == ("done", CALLS, 0)
    assert len(server.batches.made) >= 2


async def test_a_line_that_no_file_can_hold_fails_alone(deps: Deps, server: FakeServer) -> None:
    server.batches.most_bytes = 10
    running = await begun(deps)
    last = await to_the_end(running)
    assert (last.done, last.failed) == (0, CALLS)
    assert "as large as this one call" in str(outputs(deps, running)[0].error)


async def test_lines_in_any_order_doubled_unknown_or_broken_change_nothing(deps: Deps, server: FakeServer) -> None:
    server.batches.next("backwards+strange")
    running = await begun(deps)
    last = await to_the_end(running)
    assert (last.state, last.done, last.failed) == ("done", CALLS, 0)
    assert len(outputs(deps, running)) == CALLS
    assert len(server.batches.made) == 1


async def test_a_call_that_failed_in_one_line_and_was_answered_in_another_was_answered(
    deps: Deps, server: FakeServer
) -> None:
    server.batches.next("bad_first")
    last = await to_the_end(await begun(deps))
    assert (last.state, last.done, last.failed) == ("done", CALLS, 0)
    assert len(server.batches.made) == 1


async def test_a_pause_that_comes_while_the_server_is_asked_is_heard_at_once(
    deps: Deps, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.batches.hold = True
    running = await begun(deps)
    running._looks = 60.0
    asked = running._asked

    async def meanwhile(part: Part) -> Any:
        running.pause()
        return await asked(part)

    monkeypatch.setattr(running, "_asked", meanwhile)
    async with asyncio.timeout(20):
        last = await to_the_end(running)
    assert last.state == "paused"


async def test_who_follows_a_batch_for_long_gives_signs_of_life(
    deps: Deps, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_back, "SIGN", 0.0)
    server.batches.hold = True
    running = await begun(deps)
    signs = set()

    def look(progress: Progress) -> bool:
        signs.add(deps.store.sweeps.stamp(running.id))
        return len(signs) > 4

    await until(running, look, running.pause)
    assert len(signs) > 4


async def test_a_disk_without_room_for_the_file_is_said_and_it_goes_on_later(
    deps: Deps, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(batch_sending, "write", full)
        running = await begun(deps)
        last = await to_the_end(running)
    assert last.state == "failed"
    assert last.why is not None
    assert "No space left" in last.why.text()
    last = await to_the_end(await gone_on(deps, running.id))
    assert (last.state, last.done, set(server.batches.paid.values())) == ("done", CALLS, {1})


async def test_what_expired_is_sent_again_and_nothing_else(deps: Deps, server: FakeServer) -> None:
    server.batches.next("expire")
    last = await to_the_end(await begun(deps))
    assert (last.state, last.done) == ("done", CALLS)
    assert [len(server.batches.requests(name)) for name in server.batches.made] == [CALLS, CALLS // 2]
    assert set(server.batches.paid.values()) == {1}


async def test_lines_that_failed_at_the_server_are_sent_again_a_bounded_number_of_times(
    deps: Deps, server: FakeServer
) -> None:
    server.batches.line("3", 500)
    server.batches.line("4", *[500] * 10)
    server.batches.line("5", 400)
    running = await begun(deps)
    last = await to_the_end(running)
    assert (last.state, last.done, last.failed) == ("done", CALLS - 2, 2)
    found = {each.number: each for each in outputs(deps, running)}
    assert (found[3].status, found[3].attempts) == ("done", 2)
    assert (found[4].status, found[4].attempts) == ("failed", ROUNDS)
    assert "Refused with 500" in str(found[4].error)
    assert (found[5].status, found[5].attempts) == ("failed", 1)
    assert len(server.batches.made) == ROUNDS


async def test_an_error_file_that_is_lost_costs_a_second_batch_and_no_answer(deps: Deps, server: FakeServer) -> None:
    server.batches.line("3", 400)
    server.batches.next("no_errors")
    last = await to_the_end(await begun(deps))
    assert (last.state, last.done) == ("done", CALLS)
    assert [len(server.batches.requests(name)) for name in server.batches.made] == [CALLS, 1]


async def test_answers_that_were_given_and_are_lost_are_not_paid_for_again_unasked(
    deps: Deps, server: FakeServer
) -> None:
    server.batches.next("no_output")
    running = await begun(deps, models=["openai/gpt-3.5-turbo-instruct"], parameters={"max_tokens": 4}, budget=1)
    last = await to_the_end(running)
    assert (last.state, last.done, last.failed) == ("done", 0, CALLS)
    assert set(server.batches.paid.values()) == {1}
    assert "may have been paid for" in str(outputs(deps, running)[0].error)
    assert last.spent > 0


async def test_a_line_that_the_check_refuses_fails_and_the_others_are_sent_again(
    deps: Deps, server: FakeServer
) -> None:
    server.batches.next("fail_line:3")
    running = await begun(deps)
    last = await to_the_end(running)
    assert (last.done, last.failed) == (CALLS - 1, 1)
    (bad,) = [each for each in outputs(deps, running) if each.status == "failed"]
    assert (bad.number, "This is wrong." in str(bad.error)) == (2, True)


async def test_a_batch_that_is_more_than_the_account_may_have_waiting_goes_in_halves(
    deps: Deps, server: FakeServer
) -> None:
    server.batches.next("fail:token_limit_exceeded")
    last = await to_the_end(await begun(deps))
    assert (last.state, last.done) == ("done", CALLS)
    assert [len(server.batches.requests(name)) for name in server.batches.made] == [CALLS, CALLS // 2, CALLS // 2]


async def test_an_account_that_may_have_little_waiting_is_sent_one_batch_after_another(
    deps: Deps, server: FakeServer
) -> None:
    """However small a share of the whole it takes at a time: what it had no room for was not asked, and never fails."""
    server.batches.most_waiting = 1
    last = await to_the_end(await begun(deps))
    assert (last.state, last.done, last.failed) == ("done", CALLS, 0)
    assert set(server.batches.paid.values()) == {1}


async def test_files_that_each_fit_wait_for_one_another(deps: Deps, server: FakeServer) -> None:
    server.batches.most_waiting = 12
    last = await to_the_end(await begun(deps, limits=Limits(requests=10, bytes=200_000_000)))
    assert (last.state, last.done, last.failed) == ("done", CALLS, 0)
    taken = [len(server.batches.requests(name)) for name, each in server.batches.made.items() if not each["errors"]]
    assert taken == [10, 10]


async def test_one_call_that_is_more_than_the_account_may_have_waiting_fails(deps: Deps, server: FakeServer) -> None:
    server.batches.most_waiting = 0
    running = await begun(deps)
    last = await to_the_end(running)
    assert (last.done, last.failed) == (0, CALLS)
    assert "This is wrong." in str(outputs(deps, running)[0].error)


@pytest.mark.parametrize("status", [400, 409])
async def test_a_batch_that_ended_before_it_was_cancelled_is_read(deps: Deps, server: FakeServer, status: int) -> None:
    server.batches.cancelled_late = status
    running = await begun(deps)
    server.batches.hold = True

    def too_late() -> None:
        (name,) = server.batches.made
        for _ in range(4):
            server.batches.advance(name)
        running.stop()

    last = await until(running, lambda progress: progress.running == CALLS, too_late)
    assert (last.done, last.failed) == (CALLS, 0)


async def test_a_batch_that_is_always_refused_ends_as_failed_outputs(deps: Deps, server: FakeServer) -> None:
    server.batches.next(*["fail:broken"] * 99)
    running = await begun(deps)
    last = await to_the_end(running)
    assert (last.done, last.failed) == (0, CALLS)
    assert len(server.batches.made) == ROUNDS
    assert "This is wrong." in str(outputs(deps, running)[0].error)


async def test_a_server_that_fails_while_it_is_asked_is_asked_again_and_the_trouble_is_told(
    deps: Deps, server: FakeServer
) -> None:
    running = await begun(deps)
    troubles = []
    queued = False
    async for progress in running.run():
        said = "" if progress.batches is None else progress.batches.key
        if not queued and server.batches.made:
            server.enqueue(*["500", "503", "drop_headers"] * 2)
            queued = True
        troubles.append(said == "batch.trouble")
    assert (progress.state, progress.done) == ("done", CALLS)
    assert set(server.batches.paid.values()) == {1}


async def test_a_create_whose_answer_was_lost_is_found_and_not_made_again(deps: Deps, server: FakeServer) -> None:
    server.batches.next("lost_create")
    last = await to_the_end(await begun(deps))
    assert (last.state, last.done) == ("done", CALLS)
    assert len(server.batches.made) == 1


async def test_a_server_without_batches_says_so_before_anything_is_kept(deps: Deps, server: FakeServer) -> None:
    server.batches.on = False
    with pytest.raises(NotFound, match=r"no /v1/batches.*live") as caught:
        await begun(deps)
    assert "directo" in caught.value.texts("es")[1]
    assert deps.store.sweeps.listed() == []


async def test_leaving_lets_the_batch_go_on_and_coming_back_reads_it(deps: Deps, server: FakeServer) -> None:
    server.batches.hold = True
    running = await begun(deps)
    last = await until(running, lambda progress: progress.running, running.pause)
    assert (last.state, last.why and last.why.key) == ("paused", "why.batch_left")
    assert [batch["status"] for batch in server.batches.made.values()] == ["validating"]
    server.batches.hold = False
    last = await to_the_end(await gone_on(deps, running.id))
    assert (last.state, last.done) == ("done", CALLS)
    assert len(server.batches.made) == 1


async def test_a_page_that_is_closed_leaves_the_batch_too(deps: Deps, server: FakeServer) -> None:
    server.batches.hold = True
    running = await begun(deps)
    frames = running.run()
    async for progress in frames:
        if progress.running:
            break
    await frames.aclose()
    assert [batch["status"] for batch in server.batches.made.values()] == ["validating"]
    kept = deps.store.sweeps.sweep(running.id)
    assert kept is not None
    assert kept.state == "paused"


async def test_cancelling_keeps_what_was_answered_and_the_rest_is_asked_later(deps: Deps, server: FakeServer) -> None:
    server.batches.hold = True
    running = await begun(deps)

    def cancel() -> None:
        running.stop()
        server.batches.hold = False

    last = await until(running, lambda progress: progress.running, cancel)
    assert (last.state, last.done) == ("stopped", CALLS // 2)
    last = await to_the_end(await gone_on(deps, running.id))
    assert (last.state, last.done) == ("done", CALLS)
    assert set(server.batches.paid.values()) == {1}


async def test_a_batch_that_was_left_can_be_cancelled_later(deps: Deps, server: FakeServer) -> None:
    server.batches.hold = True
    running = await begun(deps)
    await until(running, lambda progress: progress.running, running.pause)
    server.batches.hold = False
    again = await gone_on(deps, running.id)
    again.stop()
    last = await to_the_end(again)
    assert (last.state, last.done) == ("stopped", CALLS // 2)


async def test_a_batch_that_somebody_else_cancelled_is_not_sent_again_unasked(deps: Deps, server: FakeServer) -> None:
    server.batches.next("cancel")
    last = await to_the_end(await begun(deps))
    assert (last.state, last.done, last.why and last.why.key) == ("stopped", CALLS // 2, "why.batch_cancelled")
    assert len(server.batches.made) == 1


async def test_a_batch_that_the_server_forgot_is_not_sent_again_unasked(deps: Deps, server: FakeServer) -> None:
    server.batches.hold = True
    running = await begun(deps)
    await until(running, lambda progress: progress.running, server.batches.made.clear)
    found = outputs(deps, running)
    assert {each.status for each in found} == {"failed"}
    assert "no batch batch_1" in str(found[0].error)


async def test_batches_that_are_at_their_server_are_neither_asked_live_nor_forgotten(
    deps: Deps, server: FakeServer
) -> None:
    server.batches.hold = True
    running = await begun(deps)
    await until(running, lambda progress: progress.running, running.pause)
    with pytest.raises(InvalidRequest, match="still at their server"):
        await sweeping.go_on(running.id, deps, batch=False)
    with pytest.raises(InvalidRequest, match="still at their server"):
        deps.store.sweeps.delete(running.id)


async def test_a_live_sweep_that_was_left_can_go_on_as_a_batch(deps: Deps, server: FakeServer) -> None:
    work = await begun(deps)
    server.enqueue("ok", "ok", *["400"] * 40)
    live = sweeping._running(work.id, replace(work.plan, spec=replace(work.plan.spec, batch=False)), deps, ())
    first = [progress async for progress in live.run()][-1]
    assert first.done == 2
    server._queue.clear()
    last = await to_the_end(await gone_on(deps, work.id, batch=True))
    assert (last.state, last.done) == ("done", CALLS)
    assert sum(server.batches.paid.values()) == CALLS - 2


async def test_a_batch_costs_half_and_the_budget_holds(deps: Deps, server: FakeServer) -> None:
    about = {
        "models": ["openai/gpt-3.5-turbo-instruct"],
        "parameters": {"max_tokens": 4},
        "prompt": "As many words as the server says it has read: {{q}}",
    }
    running = await begun(deps, **about)
    last = await to_the_end(running)
    usage = Usage(prompt_tokens=7, completion_tokens=4, cached_tokens=3)
    live = pricing.price("gpt-3.5-turbo-instruct", "openai", Usage(prompt_tokens=7, completion_tokens=4))
    assert live is not None
    assert pricing.price("gpt-3.5-turbo-instruct", "openai", usage, batched=True) == live / 2
    assert last.spent == live / 2 * CALLS
    short = await begun(deps, **about, budget=str(live / 2 * 8))
    last = await to_the_end(short)
    assert (last.state, last.why and last.why.key) == ("budget", "why.budget")
    assert 0 < last.done < CALLS
    assert last.spent <= live / 2 * 8
    more = await gone_on(deps, short.id, budget=Decimal(1))
    last = await to_the_end(more)
    assert (last.state, last.done, last.spent) == ("done", CALLS, live / 2 * CALLS)


def test_no_other_servers_batches_have_a_price() -> None:
    usage = Usage(prompt_tokens=7, completion_tokens=4)
    assert pricing.price("gpt-4o-mini", "compatible", usage, batched=True) is None
    assert set(pricing.batch_terms()) >= {"as_of", "discount", "discount_source", "limits_source"}


async def test_a_plan_says_what_a_batch_costs_and_no_time(deps: Deps) -> None:
    about = {"models": ["openai/gpt-3.5-turbo-instruct"], "parameters": {"max_tokens": 4}}
    plan = (await begun(deps, **about)).plan
    live = replace(plan, spec=replace(plan.spec, batch=False))
    half, whole = await sweeping.foreseen(plan, deps), await sweeping.foreseen(live, deps)
    assert (half.worst, half.seconds) == (whole.worst and whole.worst / 2, None)


@pytest.mark.parametrize("wrong", [1, "yes", [True]])
def test_batch_is_yes_or_no(wrong: Any) -> None:
    about = {"models": ["a/b"], "prompt": "x"}
    with pytest.raises(InvalidRequest, match="batch is one of true, false"):
        from_json({**about, "batch": wrong})
    assert to_json(from_json({**about, "batch": True}))["batch"] is True
    assert "batch" not in to_json(from_json(about))


async def test_a_wrong_key_ends_it_with_the_reason_and_nothing_stays_open(deps: Deps, server: FakeServer) -> None:
    running = await begun(deps)
    server.enqueue("401")
    last = await to_the_end(running)
    assert (last.state, last.why and last.why.key) == ("failed", "why.batch_refused")
    assert deps.store.batches.of(running.id) == []
    assert (await to_the_end(await gone_on(deps, running.id))).done == CALLS


async def test_two_pauses_in_the_middle_of_sending_lose_nothing(deps: Deps, server: FakeServer) -> None:
    running = await begun(deps, limits=Limits(4, 10**6))
    task = asyncio.create_task(to_the_end(running))
    await helpers.until(lambda: len(server.batches.made) > 1)
    running.pause()
    assert (await task).state in ("paused", "done")
    last = await to_the_end(await gone_on(deps, running.id))
    assert (last.state, last.done) == ("done", CALLS)
    assert set(server.batches.paid.values()) == {1}


class Killed(BaseException):
    """As if the process had ended here."""


@pytest.mark.parametrize("written", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("moment", range(12))
async def test_wherever_it_ends_nothing_is_asked_twice_and_nothing_is_lost(
    deps: Deps, server: FakeServer, store: Store, moment: int, written: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process ends at the `moment`th thing that is written of a batch, or right after it."""
    running = await begun(deps, limits=Limits(12, 10**6))
    save, count = store.batches.save, 0

    def saving(part: Any, **more: Any) -> Any:
        nonlocal count
        count += 1
        if count > moment and not written:
            raise Killed
        save(part, **more)
        if count > moment:
            raise Killed
        return part

    with monkeypatch.context() as patched:
        patched.setattr(store.batches, "save", saving)
        with pytest.raises(Killed):
            await to_the_end(running)
    last = await to_the_end(await gone_on(deps, running.id))
    assert (last.state, last.done, last.failed) == ("done", CALLS, 0)
    assert set(server.batches.paid.values()) == {1}
    assert len(server.batches.made) == (2 if moment or written else 1)
    assert {part.state for part in store.batches.of(running.id)} == {"merged"}
