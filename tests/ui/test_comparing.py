"""The Compare tab: over HTTP anybody can call what stands behind it with anything."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from playground.deps import Deps
from playground.evaluate.statistics import wilson
from playground.evaluate.votes_out import to_csv
from playground.pricing import format_money
from playground.store import Shown, VoteRow
from playground.ui import chat, complete, header, history, results
from playground.ui.compare import COMPARED, act, compared, standings
from playground.ui.events import Visit
from playground.ui.result_jobs import Opened
from playground.ui.uploads import Held
from tests.fakes.server import FakeServer

HOSTILE: tuple[Any, ...] = (None, True, -1, 10**400, float("nan"), "", "\x00", "\ud800", [], [[]], {}, {"a": 7}, 10**6)
BASE = {"temperature": 1.0, "max_tokens": 8, "n": 3, "logprobs": 2}


def question(*columns: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"kind": "chat", "system": "", "messages": [{"role": "user", "content": "Say hello"}], "n": 7,
            "columns": list(columns) or [{"model": "server/fake"}, {"model": "server/fake"}], **changes}  # fmt: skip


async def frames(deps: Deps, value: Any, *, params: Any = BASE, visit: Visit | None = None) -> list[dict[str, Any]]:
    return [json.loads(json.dumps(frame)) async for frame in compared(deps, visit or Visit(), value, params, {})]


def dollars(text: str) -> Decimal:
    return Decimal(text.lstrip("≈ $"))


async def said(deps: Deps, action: str, **asked: Any) -> dict[str, Any]:
    answer: dict[str, Any] = (await act(deps, {"action": action, "n": 1, **asked}))[0]
    return answer


async def voted(deps: Deps, *columns: dict[str, Any], chosen: int | None) -> dict[str, Any]:
    """Run a comparison and vote on it."""
    last = (await frames(deps, question(*columns)))[-1]
    return await said(deps, "vote", id=last["id"], runs=[each["run"] for each in last["columns"]], chosen=chosen)


@pytest.mark.parametrize("kind", ["chat", "complete"])
async def test_every_column_is_asked_the_same_with_its_own_settings_over_those_of_all(
    fake: FakeServer, deps: Deps, kind: str
) -> None:
    columns = ({"model": "server/fake"}, {"model": "server/other", "params": {"temperature": 0, "seed": 3}})
    last = (await frames(deps, question(*columns, kind=kind, text="Say hello")))[-1]
    assert last["done"]
    assert [column["text"] for column in last["columns"]] == ["Hello, world!"] * 2
    assert not any(column["busy"] for column in last["columns"])
    runs = [deps.store.run(column["run"]) for column in last["columns"]]
    sent = [run.effective_request for run in runs if run]
    assert [(each["temperature"], each.get("seed")) for each in sent] == [(1.0, None), (0, 3)]
    assert {run.mode for run in runs if run} == {kind}
    assert not any({"n", "logprobs", "top_logprobs"} & set(each) for each in sent)  # a column shows one answer


async def test_each_column_tells_its_own_figures_and_the_comparison_the_sessions(fake: FakeServer, deps: Deps) -> None:
    last = (await frames(deps, question()))[-1]
    for column in last["columns"]:
        assert {"usage", "cost", "latency", "ttft"} <= {cell["key"] for cell in column["cells"]}
        assert "session" not in {cell["key"] for cell in column["cells"]}
    used = [deps.store.run(column["run"]) for column in last["columns"]]
    total = sum(run.usage.total_tokens for run in used if run and run.usage)
    assert last["cells"][-1]["text"].startswith(f"{total} ")


async def test_a_failing_column_has_its_own_error_and_stops_no_other(fake: FakeServer, deps: Deps) -> None:
    columns = ({"model": "server/fault-404"}, {"model": "server/fake"}, {"model": "server/fault-drop_midstream"})
    last = (await frames(deps, question(*columns)))[-1]
    failed, whole, cut = last["columns"]
    assert failed["notice"]["tone"] == "error"
    assert not failed["text"]
    assert whole["text"] == "Hello, world!"
    assert whole["notice"] is None
    assert cut["notice"]["key"] == "notice_kept"
    assert cut["text"]


async def test_a_column_whose_settings_cannot_be_sent_says_so_itself(fake: FakeServer, deps: Deps) -> None:
    columns = ({"model": "server/fake", "params": {"temperature": 99}}, {"model": "server/fake"})
    last = (await frames(deps, question(*columns)))[-1]
    assert "temperature" in last["columns"][0]["notice"]["message"]
    assert last["columns"][1]["text"] == "Hello, world!"


async def test_the_columns_stream_together_and_one_stop_ends_and_keeps_all(fake: FakeServer, deps: Deps) -> None:
    fake.tokens, fake.pace = tuple(f" t{i}" for i in range(400)), "slow:50"
    visit = Visit()
    seen: list[list[int]] = []
    last: dict[str, Any] = {}
    async for last in compared(deps, visit, question(), {"max_tokens": 500}, {}):
        seen.append([len(column["text"]) for column in last.get("columns", [])])
        if seen[-1] and min(seen[-1]) > 20:
            visit.stop(COMPARED)
    assert last["done"]
    assert any(0 < a < seen[-1][0] and 0 < b < seen[-1][1] for a, b in seen)
    for column in last["columns"]:
        run = deps.store.run(column["run"])
        assert run is not None
        assert (run.status, run.choices[0].text) == ("stopped", column["text"])
        assert column["notice"]["key"] == "notice_stopped"


async def test_a_page_that_is_closed_ends_every_column(fake: FakeServer, deps: Deps) -> None:
    fake.tokens, fake.pace = tuple(f" t{i}" for i in range(400)), "slow:50"
    said = compared(deps, Visit(), question(), {"max_tokens": 500}, {})
    async for frame in said:
        if frame.get("columns") and all(column["text"] for column in frame["columns"]):
            break
    await said.aclose()
    while fake.open_streams:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert {run.status for run in deps.store.runs(limit=5)} == {"stopped"}


@pytest.mark.parametrize("count", [0, 1, 7])
async def test_fewer_than_two_and_more_than_six_columns_are_refused(fake: FakeServer, deps: Deps, count: int) -> None:
    value = {**question(), "columns": [{"model": "server/fake"}] * count}
    assert "From 2 to 6" in (await frames(deps, value))[-1]["notice"]["message"]
    assert not fake.requests or all("completions" not in each.path for each in fake.requests)


@pytest.mark.parametrize("empty", [{"messages": []}, {"kind": "complete", "text": ""}])
async def test_nothing_written_is_nothing_sent(fake: FakeServer, deps: Deps, empty: dict[str, Any]) -> None:
    last = (await frames(deps, {**question(), **empty, "language": "es"}))[-1]
    assert last["notice"]["hint"] == "Escribe a qué deben responder todas las columnas."
    assert deps.store.runs(limit=1) == []


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: repr(value)[:30])
async def test_a_hostile_value_in_any_place_is_an_answer_in_words(
    fake: FakeServer, deps: Deps, value: Any, caplog: pytest.LogCaptureFixture
) -> None:
    good = question(text="Say hello")
    for place in good:
        last = (await frames(deps, {**good, place: value}))[-1]
        assert "notice" in last or last["done"]
    for column in ({"model": value}, {"model": "server/fake", "params": value}, value):
        last = (await frames(deps, question(column, {"model": "server/fake"}), params=value))[-1]
        assert "notice" in last or last["done"]
    assert "notice" in (await frames(deps, value))[-1]
    vote = {"id": "a", "runs": ["b", "c"], "chosen": 0}
    for asked in ({**vote, place: value} for place in vote):
        assert "notice" in await said(deps, "vote", **asked)
    for asked in ({"kind": value}, {"kind": "chat", "model": value}, {"kind": "chat", "model": "a/b", "params": value}):
        await said(deps, "use", **asked)
    for runs in (value, [value], [[value]]):
        answer = await said(deps, "open", runs=runs)
        assert answer.get("opened") == [] or "notice" in answer
    assert deps.store.votes() == []
    assert "a handler failed" not in caplog.text


async def test_a_vote_counts_for_the_model_with_what_sets_it_apart(fake: FakeServer, deps: Deps) -> None:
    columns = ({"model": "server/fake"}, {"model": "server/fake", "params": {"temperature": 0, "stop": ["x"]}})
    answer = await voted(deps, *columns, chosen=1)
    assert [(row["system"], row["wins"], row["decided"]) for row in answer["standings"]] == [
        ('server/fake · temperature 0 · stop ["x"]', 1, 1),
        ("server/fake · temperature 1 · stop –", 0, 1),
    ]
    again = await voted(deps, *columns, chosen=None)
    assert [(row["decided"], row["ties"]) for row in again["standings"]] == [(1, 1), (1, 1)]


async def test_two_columns_that_are_alike_are_told_apart_by_number(fake: FakeServer, deps: Deps) -> None:
    answer = await voted(deps, {"model": "server/fake"}, {"model": "server/fake"}, chosen=0)
    assert [row["system"] for row in answer["standings"]] == ["server/fake", "server/fake (2)"]


async def blind(deps: Deps, *columns: dict[str, Any], **changes: Any) -> list[dict[str, Any]]:
    return await frames(deps, question(*columns, blind=True, **changes))


async def test_a_blind_round_tells_the_page_nothing_but_how_many_have_ended_and_then_the_texts(
    fake: FakeServer, deps: Deps
) -> None:
    *growing, last = await blind(deps, {"model": "server/blind-one"}, {"model": "server/fault-burst:3"})
    assert growing
    assert all(set(frame) == {"n", "id", "ended", "of"} and frame["of"] == 2 for frame in growing)
    for column in last["columns"]:
        assert set(column) == {"text", "calls", "run", "busy", "notice", "cells", "hidden"}
        assert column["cells"] == []
    assert "blind-one" not in json.dumps(last)
    assert "fault-burst" not in json.dumps(last)
    assert sorted(column["text"] for column in last["columns"]) == [" t0 t1 t2", "Hello, world!"]


async def test_the_order_of_blind_answers_is_chances(fake: FakeServer, deps: Deps) -> None:
    columns = ({"model": "server/blind-one"}, {"model": "server/fault-burst:3"})
    orders = {tuple(each["text"] for each in (await blind(deps, *columns))[-1]["columns"]) for _ in range(20)}
    assert len(orders) == 2  # of 20 rounds all in one order: once in half a million


async def test_whose_the_answers_were_comes_with_the_vote_or_instead_of_it(fake: FakeServer, deps: Deps) -> None:
    columns = ({"model": "server/blind-one"}, {"model": "server/fault-burst:3", "params": {"temperature": 0}})
    last = (await blind(deps, *columns))[-1]
    runs = [each["run"] for each in last["columns"]]
    shown = await said(deps, "open", runs=runs)
    voted = await said(deps, "vote", id=last["id"], runs=runs, chosen=0)
    assert shown["opened"] == voted["opened"]
    for column, of in zip(last["columns"], shown["opened"], strict=True):
        burst = column["text"] == " t0 t1 t2"
        assert (of["answer"]["run"], of["answer"]["text"]) == (column["run"], column["text"])
        assert of["model"] == ("server/fault-burst:3" if burst else "server/blind-one")
        assert of["params"]["temperature"] == (0 if burst else 1.0)
        assert {"usage", "cost", "latency", "ttft"} <= {cell["key"] for cell in of["answer"]["cells"]}


async def test_what_a_blind_column_failed_with_is_said_with_its_name(fake: FakeServer, deps: Deps) -> None:
    columns = ({"model": "server/fake"}, {"model": "server/fault-404"}, {"model": "server/fault-drop_midstream"})
    last = (await blind(deps, *columns))[-1]
    *told, failed = last["columns"]
    assert (failed["at"], failed["notice"]["tone"]) == (1, "error")
    cut = next(each for each in told if each["text"] != "Hello, world!")
    assert cut["notice"] == {"tone": "error", "key": "compare_failed"}
    opened = await said(deps, "open", runs=[cut["run"]])
    assert opened["opened"][0]["answer"]["notice"]["message"]


async def test_a_blind_round_with_nothing_to_choose_from_is_open(fake: FakeServer, deps: Deps) -> None:
    last = (await blind(deps, {"model": "server/fake"}, {"model": "server/fault-404"}))[-1]
    assert last["open"]
    assert [bool(column["cells"]) for column in last["columns"]] == [True, False]


async def test_a_blind_round_that_was_stopped_is_open_since_lengths_tell(fake: FakeServer, deps: Deps) -> None:
    fake.tokens, fake.pace = tuple(f" t{i}" for i in range(400)), "slow:50"
    visit = Visit()
    last: dict[str, Any] = {}
    async for frame in compared(deps, visit, question(blind=True), {"max_tokens": 500}, {}):
        last = frame
        if fake.open_streams:
            visit.stop(COMPARED)
    assert last["open"]
    assert all(column["notice"]["key"].startswith("notice_stopped") for column in last["columns"])


async def test_whose_answers_they_were_is_not_guessed_where_a_run_is_gone(fake: FakeServer, deps: Deps) -> None:
    runs = [each["run"] for each in (await blind(deps))[-1]["columns"]]
    deps.store.delete(runs[:1])
    answer = await said(deps, "open", runs=runs)
    assert "no longer in the history" in answer["notice"]["message"]


async def test_a_comparison_has_one_vote(fake: FakeServer, deps: Deps) -> None:
    last = (await frames(deps, question()))[-1]
    runs = [each["run"] for each in last["columns"]]
    await said(deps, "vote", id=last["id"], runs=runs, chosen=0)
    second = await said(deps, "vote", id=last["id"], runs=runs, chosen=1)
    assert second["notice"]["message"] == "This comparison has its vote already."
    assert [vote.chosen for vote in deps.store.votes()] == [0]


async def test_answers_to_different_questions_or_of_nobody_cannot_be_voted_on(fake: FakeServer, deps: Deps) -> None:
    one = (await frames(deps, question()))[-1]["columns"][0]["run"]
    other = (await frames(deps, question(messages=[{"role": "user", "content": "Something else"}])))[-1]
    for runs in ([one, other["columns"][0]["run"]], [one, one], [one, "nobody"], [one]):
        answer = await said(deps, "vote", id="a", runs=runs, chosen=0)
        assert answer["notice"]["hint"] == "Run the comparison again."
    assert deps.store.votes() == []


def test_win_rates_are_shares_with_wilsons_interval_the_best_first() -> None:
    pair = (Shown("1", "a"), Shown("2", "b"))
    votes = [VoteRow(str(at), pair, 1 if at < 7 else 0) for at in range(10)] + [VoteRow("tie", pair, None)]
    expected = wilson(7, 10)
    assert expected is not None
    first, second = standings(votes)
    assert (first["system"], first["rate"], first["low"], first["high"]) == ("b", 0.7, expected.low, expected.high)
    assert (second["system"], second["wins"], second["decided"], second["ties"]) == ("a", 3, 10, 1)
    assert first["chance"] == 0.5


async def test_votes_are_exported_with_what_was_shown_and_chosen(fake: FakeServer, deps: Deps) -> None:
    columns = ({"model": "server/fake"}, {"model": "server/other"})
    await voted(deps, *columns, chosen=1)
    await voted(deps, *columns, chosen=None)
    file = (await said(deps, "export", format="json"))["file"]
    first, tie = json.loads(file["text"])["votes"]
    assert ([each["system"] for each in first["shown"]], first["chosen"]) == (["server/fake", "server/other"], 1)
    assert tie["chosen"] is None
    assert first["created_at"].startswith("20")
    text = (await said(deps, "export", format="csv"))["file"]["text"]
    rows = list(csv.DictReader(io.StringIO(text.lstrip("\ufeff"))))
    assert [(row["answer"], row["system"], row["result"]) for row in rows] == [
        ("A", "server/fake", "lost"),
        ("B", "server/other", "won"),
        ("A", "server/fake", "tie"),
        ("B", "server/other", "tie"),
    ]


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@x", "＝1"])
def test_a_systems_name_is_no_formula_in_a_spreadsheet(name: str) -> None:
    text = to_csv([VoteRow("1", (Shown("r", name), Shown("s", "b")), 0)])
    assert next(csv.DictReader(io.StringIO(text.lstrip("\ufeff"))))["system"] == f"'{name}"


async def test_votes_are_forgotten_when_asked(fake: FakeServer, deps: Deps) -> None:
    await voted(deps, chosen=0)
    assert (await said(deps, "standings"))["standings"]
    assert (await said(deps, "forget"))["standings"] == []
    assert deps.store.votes() == []


async def test_what_the_next_run_reads_and_may_cost_is_told_column_by_column(fake: FakeServer, deps: Deps) -> None:
    answer = await said(deps, "estimate", **{**question(), "params": {"max_tokens": 8}})
    for cells in answer["next"]:
        assert [cell["key"] for cell in cells] == ["prompt", "expected", "worst"]
        assert "{tokens}" in cells[0]["text"]
    assert "notice" in await said(deps, "estimate", kind=[], columns=7)
    assert deps.store.runs(limit=1) == []


async def test_what_all_columns_cost_together_is_told_before_and_after(fake: FakeServer, priced: Deps) -> None:
    columns = ({"model": "openai/gpt-4o"}, {"model": "openai/gpt-4o", "params": {"max_tokens": 4}})
    answer = await said(priced, "estimate", **{**question(*columns), "params": {"max_tokens": 8}})
    each = [{cell["key"]: dollars(cell["text"]) for cell in cells if "$" in cell["text"]} for cells in answer["next"]]
    sums = {cell["key"]: dollars(cell["text"]) for cell in answer["sum"]}
    for key in ("expected", "worst"):
        assert sums[f"sum_{key}"] == pytest.approx(sum(column[key] for column in each), rel=Decimal("1e-3"))
    assert not any(cell["note"] for cell in answer["sum"])
    last = (await frames(priced, question(*columns)))[-1]
    runs = [priced.store.run(column["run"]) for column in last["columns"]]
    cost, session = last["cells"]
    assert (cost["key"], session["key"]) == ("sum_cost", "session")
    assert cost["text"] == format_money(sum((run.cost for run in runs if run and run.cost), Decimal(0)))


async def test_a_price_that_nobody_knows_is_said_beside_the_sum(fake: FakeServer, priced: Deps) -> None:
    columns = ({"model": "openai/gpt-4o"}, {"model": "openai/fake"})
    answer = await said(priced, "estimate", **question(*columns))
    assert [cell["note"] for cell in answer["sum"]] == ["{sum_unknown}"] * 2
    answer = await said(priced, "estimate", **question({"model": "openai/fake"}, {"model": "openai/fake"}))
    assert answer["sum"] == []


async def test_what_is_counted_has_its_variables_filled_in(fake: FakeServer, deps: Deps) -> None:
    asked = {**question(messages=[{"role": "user", "content": "{{what}}"}]), "action": "estimate", "n": 1}

    async def tokens(variables: Any) -> int:
        text = (await act(deps, asked, variables))[0]["next"][0][0]["text"]
        return int("".join(filter(str.isdigit, text)))

    assert await tokens({"what": "a long text " * 50}) > await tokens({"what": "a"}) + 100
    assert await tokens(None) > 0


async def test_use_this_puts_model_and_settings_beside_the_tab_it_ran_as(fake: FakeServer, deps: Deps) -> None:
    for kind in ("chat", "complete"):
        _, *updates = await act(
            deps, {"action": "use", "n": 1, "kind": kind, "model": "server/other", "params": {"temperature": 0}}
        )
        assert updates[3:5] == ["server/other", {"temperature": 0}]
        assert updates[6]["mode"] == kind
    refused = await said(deps, "use", kind="chat", model="server/other", params={"heat": 1})
    assert "heat" in refused["notice"]["message"]


async def test_runs_of_the_history_become_columns_over_their_question(fake: FakeServer, deps: Deps) -> None:
    columns = ({"model": "server/fake"}, {"model": "server/other", "params": {"temperature": 0}})
    last = (await frames(deps, question(*columns, system="Be brief")))[-1]
    ids = [each["run"] for each in last["columns"]]
    found = (await history.act(deps, {"action": "compare", "n": 1, "ids": ids}))[0]["compare"]
    assert found["system"] == "Be brief"
    assert found["messages"] == [{"role": "user", "content": "Say hello"}]
    assert [(each["model"], each["params"]["temperature"]) for each in found["columns"]] == [
        ("server/fake", 1.0),
        ("server/other", 0),
    ]
    again = (await frames(deps, question(**{**found, "n": 8}), params={}))[-1]
    assert [column["text"] for column in again["columns"]] == ["Hello, world!"] * 2


@pytest.mark.parametrize(("base", "kind"), [("gpt-4.1-nano", "chat"), ("davinci-002", "complete")])
async def test_a_checkpoint_stands_between_its_base_and_the_final_model(
    fake: FakeServer, deps: Deps, base: str, kind: str
) -> None:
    held: Held[Opened] = Held()
    name = fake.training.run(base)
    opened = (await results.act(deps, held, {"action": "job", "n": 1, "server": "server", "id": name}))[0]["opened"][0]
    asked = {"action": "compare", "n": 2, "id": opened["id"], "checkpoint": 0}
    found = (await results.act(deps, held, asked))[0]["compare"]
    models = [each["model"] for each in found["columns"]]
    assert (found["kind"], models[0], models[1]) == (
        kind,
        f"server/{base}",
        f"server/{opened['checkpoints'][0]['model']}",
    )
    assert len(set(models)) == 3
    last = (await frames(deps, question(**{**found, "text": "Say hello"})))[-1]
    assert all(column["text"] for column in last["columns"])


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: repr(value)[:30])
async def test_a_checkpoint_that_is_none_is_said(fake: FakeServer, deps: Deps, value: Any) -> None:
    held: Held[Opened] = Held()
    name = fake.training.run("gpt-4.1-nano")
    opened = (await results.act(deps, held, {"action": "job", "n": 1, "server": "server", "id": name}))[0]["opened"][0]
    for asked in ({"id": opened["id"], "checkpoint": value}, {"id": value, "checkpoint": 0}):
        assert "notice" in (await results.act(deps, held, {"action": "compare", "n": 2, **asked}))[0]


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: repr(value)[:30])
async def test_a_hostile_column_is_no_code_and_no_preset(
    fake: FakeServer, deps: Deps, value: Any, caplog: pytest.LogCaptureFixture
) -> None:
    tabs: Any = {"chat": SimpleNamespace(tab=chat.TAB), "complete": SimpleNamespace(tab=complete.TAB)}
    good = {"kind": "chat", "system": "", "messages": question()["messages"], "model": "server/fake", "params": {}}
    for column in (value, *({**good, place: value} for place in good)):
        for action in ("code", "share", "save"):
            asked = {"action": action, "mode": "compare", "column": column, "name": "hostile"}
            answer, *_ = header.act(deps, tabs, Visit(), asked, {}, "server/fake", BASE, {})
            assert "notice" in answer or "dialog" in answer or "done" in answer
    assert "a handler failed" not in caplog.text
