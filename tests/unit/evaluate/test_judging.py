"""A model judges a sweep's answers: each once, within the sweep's budget, whatever it says and whatever ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from playground.deps import Deps
from playground.errors import InvalidRequest
from playground.evaluate import judging, report, results, sweeping, table
from playground.evaluate.dataset import Case, Dataset
from playground.evaluate.spec import from_json
from playground.evaluate.work import Ongoing, Progress
from playground.pricing import format_money
from playground.settings import Settings
from playground.store import Store
from playground.tokens import Counter
from tests.fakes.helpers import endpoint
from tests.fakes.server import FakeServer

CASES = tuple(Case(id=str(at), prompt=f"case {at}", expected="Hello, world!") for at in range(5))
VERDICT = ('{"reason": "It is what was expected.",', ' "grade": 4}')


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = Store.open(settings)
    yield opened
    opened.close()


@pytest.fixture
def bench() -> Iterator[FakeServer]:
    """The server whose model judges."""
    with FakeServer(tokens=VERDICT) as running:
        yield running


@pytest.fixture
async def deps(settings: Settings, store: Store, server: FakeServer, bench: FakeServer) -> AsyncIterator[Deps]:
    """The answers come from `server`, the verdicts from `bench`, which also stands in OpenAI's place."""
    places = (endpoint(server), endpoint(bench, name="bench"), endpoint(bench, name="openai", kind="openai"))
    made = Deps(settings=settings, endpoints=places, store=store, counter=Counter())
    yield made
    await made.client.aclose()


def planned(deps: Deps, judge: Any = None, **changes: Any) -> Any:
    about = {
        "models": ["server/fake", "server/fake2"],
        "mode": "complete",
        "repeats": 2,
        "metrics": ["exact_match", {"judge": {"model": "bench/fake", **(judge or {})}}],
        "concurrency": 4,
    }
    return sweeping.plan_of(from_json({**about, **changes}), Dataset("questions", CASES), deps)


async def begun(deps: Deps, judge: Any = None, **changes: Any) -> Ongoing:
    return await sweeping.begin(planned(deps, judge, **changes), deps)


async def to_the_end(running: Ongoing) -> Progress:
    return [progress async for progress in running.run()][-1]


def asked(bench: FakeServer) -> list[Any]:
    return [each for each in bench.requests if each.path.endswith("completions")]


async def test_every_answer_is_judged_once_and_the_grades_stand_in_every_report(deps: Deps, bench: FakeServer) -> None:
    running = await begun(deps)
    seen = [progress async for progress in running.run()]
    last = seen[-1]
    assert (last.state, last.calls, last.done, last.id) == ("done", 20, 20, running.id)
    assert all(each.state == "running" for each in seen[:-1])
    assert {each.judge for each in seen} >= {None, "judge"}
    assert len(asked(bench)) == 20
    body = asked(bench)[0].body
    assert (body["temperature"], body["max_tokens"]) == (0, 500)
    assert "response_format" not in body, "a server that nobody knows is asked in words alone"
    assert "Hello, world!" in body["messages"][1]["content"]
    found = results.load(deps.store, running.id)
    assert {output.scores["judge"] for output in found.outputs} == {4}
    assert {each for several in found.opinions.values() for each in several} == {
        judging.Opinion("judge", "bench/fake", 4, "It is what was expected.")
    }
    said = report.report(found, "judge")
    assert said["measure"]["judged"]
    assert said["cells"][0]["quality"]["value"] == 4
    assert any("bench/fake's opinion of 20 answers" in note for note in said["notes"])
    columns = {column["name"]: column for column in table.table(found)["columns"]}
    assert (columns["judge"]["judged"], columns["judge"]["group"]) == (True, "judged")
    assert b",judge," in report.to_csv(found)


async def test_a_judge_reads_all_that_was_asked_and_not_only_the_cases_variables(deps: Deps, bench: FakeServer) -> None:
    cases = tuple(Case(id=str(at), variables={"tweet": f"tweet {at}"}, expected="Positive") for at in range(2))
    spec = {
        "models": ["server/fake"],
        "metrics": [{"judge": {"model": "bench/fake"}}],
        "grid": {"temperature": [0, 1]},
        "messages": [
            {"role": "system", "content": "Answer with {{how}}."},
            {"role": "user", "content": "Tweet: {{tweet}}\nSentiment:"},
        ],
        "variables": {"how": "one word"},
    }
    plan = sweeping.plan_of(from_json(spec), Dataset("tweets", cases), deps)
    await to_the_end(await sweeping.begin(plan, deps))
    tasks = [each.body["messages"][1]["content"] for each in asked(bench)]
    assert len(tasks) == 4
    for at in range(2):
        shown = f"system: Answer with one word.\n\nuser: Tweet: tweet {at}\nSentiment:"
        assert sum(shown in each for each in tasks) == 2


async def test_a_completions_prompt_is_the_judges_task(deps: Deps, bench: FakeServer) -> None:
    cases = (Case(id="1", variables={"tweet": "so good"}, expected="Positive"),)
    spec = {
        "models": ["server/fake"],
        "mode": "complete",
        "metrics": [{"judge": {"model": "bench/fake"}}],
        "prompt": "Tweet: {{tweet}}\nSentiment:",
    }
    plan = sweeping.plan_of(from_json(spec), Dataset("tweets", cases), deps)
    await to_the_end(await sweeping.begin(plan, deps))
    (only,) = asked(bench)
    assert "<<<TASK>>>\nTweet: so good\nSentiment:\n<<<END TASK>>>" in only.body["messages"][1]["content"]


async def test_a_batchs_answers_are_judged_live_and_whoever_leaves_then_is_told_so(
    deps: Deps, server: FakeServer
) -> None:
    server.batches.on = True
    running = await begun(deps, models=["server/fake"], batch=True)
    seen = [(progress.judge, running.by_file) async for progress in running.run()]
    assert seen[0] == (None, True)
    assert {by_file for judge, by_file in seen if judge} == {False}


async def test_who_judges_is_listed_nowhere_and_counts_in_usage_and_goes_with_the_sweep(deps: Deps) -> None:
    running = await begun(deps, {"model": "openai/gpt-4o-mini"})
    last = await to_the_end(running)
    assert [row.id for row in deps.store.sweeps.listed()] == [running.id]
    assert last.spent > 0
    assert results.load(deps.store, running.id).sweep.spent == last.spent
    now = datetime.now(UTC)
    used = deps.store.usage(since=now - timedelta(days=1), until=now + timedelta(days=1))
    by_model = {row.model: row for row in used}
    assert (by_model["gpt-4o-mini"].runs, by_model["gpt-4o-mini"].cost) == (20, last.spent)
    assert deps.store.sweeps.delete(running.id)
    assert deps.store.sweeps.judged(running.id) == []
    assert deps.store.sweeps.outputs(judging.judging_id(running.id, 0)) == []


async def test_openais_servers_are_held_to_a_schema(deps: Deps, bench: FakeServer) -> None:
    await to_the_end(await begun(deps, {"model": "openai/gpt-4o-mini", "max_tokens": 90}))
    body = asked(bench)[0].body
    assert body["response_format"]["json_schema"]["name"] == "grade"
    assert 90 in (body.get("max_tokens"), body.get("max_completion_tokens"))


async def test_a_verdict_that_cannot_be_read_counts_nowhere_and_is_said(deps: Deps, bench: FakeServer) -> None:
    bench.tokens = ("I", " like it.")
    found = results.load(deps.store, (await to_the_end(await begun(deps))).id)
    assert {output.scores["judge"] for output in found.outputs} == {None}
    said = report.report(found, "judge")
    assert said["verdict"] is None
    assert any("could not be read and count nowhere: 20 of 20" in note for note in said["notes"])
    assert found.opinions[0][0].reason == "I like it."


async def test_a_judge_that_fails_three_of_ten_calls_loses_none(deps: Deps, bench: FakeServer) -> None:
    bench.enqueue(*(["500", "ok", "ok", "drop_headers", "ok", "503", "ok", "ok", "ok", "ok"] * 2))
    running = await begun(deps)
    assert (await to_the_end(running)).state == "done"
    row = deps.store.sweeps.sweep(running.id)
    assert row is not None
    standing = judging.standing(deps.store, row)
    assert standing is not None
    assert (standing.calls, standing.done, standing.failed, standing.state) == (20, 20, 0, "done")


async def test_a_judge_that_only_fails_ends_it_with_the_answers_kept_and_going_on_asks_the_judge_alone(
    deps: Deps, server: FakeServer, bench: FakeServer
) -> None:
    bench.pace = "400"
    running = await begun(deps)
    last = await to_the_end(running)
    assert (last.state, last.id) == ("failed", running.id)
    assert last.why is not None
    row = deps.store.sweeps.sweep(running.id)
    assert row is not None
    assert (row.state, row.done) == ("done", 20)
    standing = judging.standing(deps.store, row)
    assert standing is not None
    assert standing.done == 0
    bench.pace = "ok"
    before = len(server.requests)
    _, again = await sweeping.go_on(running.id, deps)
    assert (await to_the_end(again)).state == "done"
    assert len(server.requests) == before
    assert {each.scores["judge"] for each in results.load(deps.store, running.id).outputs} == {4}


async def test_pausing_a_judge_keeps_its_verdicts_and_going_on_asks_only_the_rest(
    deps: Deps, bench: FakeServer
) -> None:
    bench.pace = "slow:40"
    running = await begun(deps)
    async for progress in running.run():
        if progress.judge and progress.done:
            running.pause()
    assert progress.state == "paused"
    assert 0 < len(asked(bench)) < 20
    bench.pace = "ok"
    _, again = await sweeping.go_on(running.id, deps)
    assert (await to_the_end(again)).state == "done"
    assert len(asked(bench)) == 20


async def test_stopping_the_answers_asks_no_judge(deps: Deps, server: FakeServer, bench: FakeServer) -> None:
    server.pace = "stall_midstream"
    running = await begun(deps)
    frames = running.run()
    async for progress in frames:
        if progress.running and server.open_streams:
            running.stop()
    assert progress.state == "stopped"
    assert asked(bench) == []


async def test_a_budget_is_for_the_answers_and_their_judges_together(deps: Deps, bench: FakeServer) -> None:
    paid = {"models": ["openai/gpt-4o-mini"], "mode": "chat", "parameters": {"max_tokens": 4}, "repeats": 4}
    judge = {"model": "openai/gpt-4o-mini", "max_tokens": 20}
    whole = await to_the_end(await begun(deps, judge, **paid))
    alone = await to_the_end(await begun(deps, **{**paid, "metrics": []}))
    assert 0 < alone.spent < whole.spent
    bench.requests.clear()
    cap = alone.spent + (whole.spent - alone.spent) / 2 + Decimal("0.00004")  # what one call may cost at most
    running = await begun(deps, judge, **paid, budget=f"{cap:f}")
    last = await to_the_end(running)
    assert last.state == "budget"
    assert last.why is not None
    assert alone.spent < last.spent <= cap
    assert last.why.args["budget"] == format_money(cap)
    assert last.why.args["spent"] == format_money(last.spent)
    assert 20 < len(asked(bench)) < 40
    _, again = await sweeping.go_on(running.id, deps, budget=Decimal(1))
    last = await to_the_end(again)
    assert (last.state, last.spent) == ("done", whole.spent)
    assert len(asked(bench)) == 40


async def test_two_judges_share_the_budget_and_have_a_figure_each(deps: Deps, bench: FakeServer) -> None:
    judges = [
        {"judge": {"model": "openai/gpt-4o-mini", "criterion": each, "as": each}} for each in ("grammar", "Is it fun?")
    ]
    paid: dict[str, Any] = {"models": ["openai/gpt-4o-mini"], "mode": "chat", "parameters": {"max_tokens": 4}}
    running = await begun(deps, metrics=judges, **paid)
    whole = await to_the_end(running)
    found = results.load(deps.store, running.id)
    assert {frozenset(each.scores.items()) for each in found.outputs} == {
        frozenset({("grammar", 4), ("Is it fun?", 4)})
    }
    assert len({each.body["messages"][-1]["content"].split("\n")[0] for each in asked(bench)[10:]}) == 2
    cap = whole.spent * 3 / 4 + Decimal("0.0003")
    last = await to_the_end(await begun(deps, metrics=judges, repeats=20, **paid, budget=f"{cap:f}"))
    assert last.state == "budget"
    assert last.spent <= cap


@pytest.mark.parametrize(
    ("judge", "said"),
    [
        ({"model": "elsewhere/x"}, "elsewhere"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"criterion": "x" * 501}, "criterion"),
    ],
)
async def test_a_judge_that_cannot_be_asked_is_refused_before_the_first_call(
    deps: Deps, server: FakeServer, judge: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidRequest, match=said) as refused:
        await begun(deps, judge)
    assert refused.value.param == "metrics"
    assert asked(server) == []
    assert deps.store.sweeps.listed() == []


async def test_a_judge_without_a_price_cannot_be_kept_to_a_budget(deps: Deps) -> None:
    with pytest.raises(InvalidRequest, match="price of bench/fake is not known"):
        await begun(deps, models=["openai/gpt-4o-mini"], mode="chat", parameters={"max_tokens": 4}, budget="1")


async def test_what_judges_cost_is_foreseen(deps: Deps) -> None:
    paid: dict[str, Any] = {"models": ["openai/gpt-4o-mini"], "mode": "chat", "parameters": {"max_tokens": 4}}
    alone = await sweeping.foreseen(planned(deps, **{**paid, "metrics": []}), deps)
    both = await sweeping.foreseen(planned(deps, {"model": "openai/gpt-4o-mini"}, **paid), deps)
    assert (both.calls, both.judged) == (alone.calls, alone.calls)
    assert alone.expected is not None
    assert alone.worst is not None
    assert both.expected is not None
    assert both.worst is not None
    last = await to_the_end(await begun(deps, {"model": "openai/gpt-4o-mini"}, **paid))
    assert alone.expected < both.expected < both.worst
    assert last.spent <= both.worst


async def test_a_failed_answer_is_not_judged_until_it_is_there(
    deps: Deps, server: FakeServer, bench: FakeServer
) -> None:
    server.enqueue("400", "400", "400")
    running = await begun(deps)
    assert (await to_the_end(running)).failed == 3
    assert len(asked(bench)) == 17
    _, again = await sweeping.go_on(running.id, deps)
    assert (await to_the_end(again)).failed == 0
    assert len(asked(bench)) == 20


KILLED = """
import asyncio, sys
from pathlib import Path
from playground.deps import Deps
from playground.evaluate import sweeping
from playground.settings import Settings
from playground.store import Store
from playground.tokens import Counter
from playground.types import Endpoint

async def main(folder, answers, bench, id):
    store = Store.open(Settings(data_dir=Path(folder), engine=False))
    named = {"server": answers, "bench": bench}
    places = tuple(Endpoint(name=name, kind="compatible", base_url=url, api_key="k") for name, url in named.items())
    settings = Settings(data_dir=Path(folder), engine=False)
    deps = Deps(settings=settings, endpoints=places, store=store, counter=Counter())
    _, running = await sweeping.go_on(id, deps)
    async for progress in running.run():
        if progress.judge and progress.done > 3:
            print("now", flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_process_that_is_killed_while_it_judges_loses_nothing_and_judges_nothing_twice(
    deps: Deps, server: FakeServer, bench: FakeServer
) -> None:
    running = await begun(deps)
    bench.pace = "stall_first"
    async for progress in running.run():
        if progress.judge:
            running.stop()
    bench.requests.clear()
    bench.pace = "slow:40"
    arguments = [str(deps.settings.data_dir), server.url, bench.url, running.id]
    root = Path(__file__).parents[3]
    process = subprocess.Popen(  # noqa: ASYNC220 (it is to be killed from here)
        [sys.executable, "-c", KILLED, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "now\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    row = deps.store.sweeps.sweep(running.id)
    assert row is not None
    standing = judging.standing(deps.store, row)
    assert standing is not None
    assert standing.state == "interrupted"
    kept = standing.done
    assert 3 < kept < 20
    bench.pace = "ok"
    bench.requests.clear()
    _, again = await sweeping.go_on(running.id, deps)
    assert (await to_the_end(again)).state == "done"
    assert len(asked(bench)) == 20 - kept
