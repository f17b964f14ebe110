"""A job is followed to its end: no event lost and none told twice, whatever the connection and the server do."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from playground.client import Client
from playground.errors import (
    AuthenticationFailed,
    BadStream,
    ConnectionFailed,
    NotFound,
    QuotaExceeded,
    ServerFailed,
)
from playground.finetune.follow import Pace, Snapshot, Story, follow
from playground.finetune.jobs import Event, Job, Metric, Plan, parse_event, parse_job
from playground.finetune.live import Score, is_measure
from tests.fakes.helpers import CANARY, Waits, until
from tests.fakes.server import FakeServer
from tests.fakes.training import BEGAN

MANY = 5
"""Epochs of two steps: 18 events."""


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def pace(waits: Waits) -> Pace:
    """Takes no time, and keeps what would have been waited."""
    return Pace(retry=waits.policy(attempts=60))


async def created(client: Client, base: str = "gpt-4.1-nano") -> Job:
    file = await client.upload("server", b"{}\n", name="train.jsonl")
    return parse_job(await client.create_job("server", Plan(base=base, epochs=MANY).body(file["id"], file["id"])))


async def followed(client: Client, about: Job, pace: Pace, **options: Any) -> list[Snapshot]:
    return [each async for each in follow(client, "server", about.id, pace=pace, clock=lambda: BEGAN, **options)]


def ids(snapshots: list[Snapshot]) -> list[str]:
    return [event.id for snapshot in snapshots for event in snapshot.new]


def all_ids(server: FakeServer, job: Job) -> list[str]:
    return [event["id"] for event in server.training.events[job.id]]


# --- to the end ---


async def test_every_event_is_told_once_and_in_order(server: FakeServer, client: Client, pace: Pace) -> None:
    job = await created(client)
    snapshots = await followed(client, job, pace)
    assert ids(snapshots) == all_ids(server, job)
    assert [s.state for s in snapshots] == ["following"] * (len(snapshots) - 1) + ["ended"]
    statuses = list(dict.fromkeys(snapshot.job.status for snapshot in snapshots))
    assert statuses == ["validating_files", "queued", "running", "succeeded"]
    assert snapshots[-1].job.fine_tuned_model == "ft:gpt-4.1-nano:acme::1"


async def test_metrics_add_up_and_progress_only_grows(server: FakeServer, client: Client, pace: Pace) -> None:
    snapshots = await followed(client, await created(client), pace)
    assert snapshots[0].progress is None
    shares = [snapshot.progress for snapshot in snapshots if snapshot.progress is not None]
    assert shares == sorted(shares)
    assert shares[0] == 1 / (2 * MANY)
    assert shares[-1] == 1
    assert [metric.step for metric in snapshots[-1].metrics] == list(range(1, 2 * MANY + 1))
    assert snapshots[-1].metrics[1].values.keys() >= {"train_loss", "valid_loss"}
    assert any(snapshot.eta for snapshot in snapshots)
    assert snapshots[-1].eta is None


@pytest.mark.parametrize("page_size", [1, 3])
async def test_events_on_many_pages_are_all_told(
    server: FakeServer, client: Client, pace: Pace, page_size: int
) -> None:
    server.training.page_size = page_size
    job = await created(client)
    for _ in range(6):
        server.training.advance(job.id)
    assert ids(await followed(client, job, pace)) == all_ids(server, job)


async def test_a_failed_job_ends_and_says_why(client: Client, pace: Pace) -> None:
    last = (await followed(client, await created(client, "broken"), pace))[-1]
    assert (last.state, last.job.status, last.job.error) == ("ended", "failed", "Line 3 has no answer.")


async def test_a_job_that_has_long_ended_is_told_whole(server: FakeServer, client: Client, pace: Pace) -> None:
    job = await created(client)
    while server.training.jobs[job.id]["status"] != "succeeded":
        server.training.advance(job.id)
    snapshots = await followed(client, job, pace)
    assert [snapshot.state for snapshot in snapshots] == ["following", "ended"]
    assert ids(snapshots) == all_ids(server, job)


async def test_an_event_that_comes_after_the_end_is_told(server: FakeServer, client: Client, pace: Pace) -> None:
    job = await created(client)
    await client.cancel_job("server", job.id)
    late, server.training.events[job.id][2:] = server.training.events[job.id][2:], []
    snapshots = []
    async for snapshot in follow(client, "server", job.id, pace=pace):
        snapshots.append(snapshot)
        if snapshot.job.ended and late:
            server.training.events[job.id] += late
            late = []
    assert ids(snapshots) == all_ids(server, job)
    assert snapshots[-1].new[0].message == "The job was cancelled"


async def test_a_server_without_events_is_followed_by_its_statuses(
    server: FakeServer, client: Client, pace: Pace
) -> None:
    job = await created(client)
    looks = 2 + 1 + 2 * MANY + 1
    server.enqueue(*["ok", "404_page"] * looks, "404_page")
    snapshots = await followed(client, job, pace)
    assert ids(snapshots) == []
    assert snapshots[-1].job.status == "succeeded"
    assert snapshots[-1].progress == 1


# --- how often ---


async def test_nothing_is_told_while_nothing_happens_and_it_is_looked_at_less_and_less(
    server: FakeServer, client: Client, pace: Pace, waits: Waits
) -> None:
    job = await created(client)
    server.training.hold = True
    following = follow(client, "server", job.id, pace=pace)
    first = await anext(following)
    waiting = asyncio.create_task(anext(following))
    await until(lambda: len(waits.seconds) > 10)
    assert not waiting.done()
    server.training.hold = False
    second = await waiting
    await following.aclose()
    assert (len(first.new), [event.message for event in second.new]) == (
        2,
        ["Files validated, moving job to queued state"],
    )
    assert waits.seconds[:3] == [2.0, 3.0, 4.5]
    assert max(waits.seconds) == 15.0


@pytest.mark.parametrize("times", [1, 30, 1_000, 10**9])
def test_a_server_that_is_away_for_a_night_is_still_waited_for(times: int) -> None:
    pace = Pace()
    delay = pace.again(ConnectionFailed("away"), times)
    assert delay is not None
    assert 0 < delay <= 30
    assert pace.interval(times) <= 15


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (ServerFailed("down", status=502), True),
        (BadStream("half"), True),
        (ServerFailed("never", status=501), False),
        (QuotaExceeded("empty"), False),
        (AuthenticationFailed("no"), False),
        (NotFound("gone"), False),
    ],
)
def test_only_what_waiting_mends_is_waited_for(error: Any, again: bool) -> None:
    assert (Pace().again(error, 1) is not None) is again


# --- what breaks on the way ---


@pytest.mark.parametrize("at", range(12))
async def test_a_connection_that_drops_costs_no_event(server: FakeServer, client: Client, pace: Pace, at: int) -> None:
    job = await created(client)
    server.enqueue(*["ok"] * at, "drop_headers", "drop_headers")
    snapshots = await followed(client, job, pace, job=job)
    assert ids(snapshots) == all_ids(server, job)
    away = [snapshot for snapshot in snapshots if snapshot.state == "reconnecting"]
    assert len(away) == 2
    assert isinstance(away[0].error, ConnectionFailed)
    assert snapshots[-1].state == "ended"


@pytest.mark.parametrize("fault", ["429:3", "500", "503:3", "502_page", "html", 'whole:{"id":', "whole:null"])
async def test_a_proxy_that_stumbles_costs_no_event(server: FakeServer, client: Client, pace: Pace, fault: str) -> None:
    job = await created(client)
    server.enqueue("ok", "ok", fault)
    snapshots = await followed(client, job, pace)
    assert ids(snapshots) == all_ids(server, job)
    (away,) = [snapshot for snapshot in snapshots if snapshot.state == "reconnecting"]
    assert away.error is not None
    assert CANARY not in away.error.message
    assert away.retry_in == (3 if ":3" in fault else 1)


async def test_a_server_that_is_started_anew_is_found_again(server: FakeServer, client: Client, pace: Pace) -> None:
    job = await created(client)
    snapshots: list[Snapshot] = []
    states = []
    async with aclosing(follow(client, "server", job.id, pace=pace)) as following:
        async for snapshot in following:
            snapshots.append(snapshot)
            states.append(snapshot.state)
            if len(snapshots) == 4:
                await asyncio.to_thread(server.__exit__)
            if states[-3:] == ["reconnecting"] * 3:
                await asyncio.to_thread(server.__enter__)
    assert states.count("reconnecting") == 3
    assert states[7] == "following"
    assert ids(snapshots) == all_ids(server, job)


async def test_coming_back_is_told_though_nothing_else_has_happened(
    server: FakeServer, client: Client, pace: Pace
) -> None:
    job = await created(client)
    server.training.hold = True
    server.enqueue("ok", "ok", "drop_headers")
    async with asyncio.timeout(30), aclosing(follow(client, "server", job.id, pace=pace)) as following:
        states = [(await anext(following)).state for _ in range(3)]
    assert states == ["following", "reconnecting", "following"]


async def test_a_first_look_that_fails_is_told_at_once(server: FakeServer, client: Client, pace: Pace) -> None:
    job = await created(client)
    server.enqueue("drop_headers")
    with pytest.raises(ConnectionFailed):
        await followed(client, job, pace)
    with pytest.raises(NotFound, match="ftjob-none"):
        await followed(client, Job(id="ftjob-none", status="running", base="a"), pace)


@pytest.mark.parametrize(("fault", "error"), [("401", AuthenticationFailed), ("404_page", NotFound)])
async def test_what_waiting_does_not_mend_ends_the_following(
    server: FakeServer, client: Client, pace: Pace, fault: str, error: type[Exception]
) -> None:
    job = await created(client)
    server.enqueue("ok", "ok", fault)
    with pytest.raises(error):
        await followed(client, job, pace)


# --- leaving ---


async def test_closing_ends_the_following_and_not_the_job(server: FakeServer, client: Client, pace: Pace) -> None:
    job = await created(client)
    following = follow(client, "server", job.id, pace=pace)
    await anext(following)
    await following.aclose()
    asked = len(server.requests)
    await asyncio.sleep(0.05)
    assert len(server.requests) == asked
    assert server.training.jobs[job.id]["status"] != "cancelled"


async def test_cancelling_in_the_middle_of_a_look_closes_it(server: FakeServer, client: Client, pace: Pace) -> None:
    job = await created(client)
    server.enqueue("stall_headers")
    task = asyncio.create_task(followed(client, job, pace))
    await until(lambda: server.open_streams == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: server.open_streams == 0)


# --- what is known so far ---


def metric(step: int, created: float | None, total: int | None = 10) -> Event:
    measured = Metric(step=step, total_steps=total, values={"train_loss": 1.0})
    return Event(id=f"e{step}", created=created, level="info", message="", metric=measured)


def told(*events: Event, now: float = 0, **changes: Any) -> Snapshot:
    job, story = Job(**{"id": "j", "status": "running", "base": "a", **changes}), Story()
    story.add(job, events)
    return story.snapshot(job, now)


def test_the_time_left_follows_the_pace_of_the_steps_on_the_servers_clock() -> None:
    snapshot = told(metric(2, 100), metric(6, 140), now=1e12)
    assert (snapshot.progress, snapshot.eta) == (0.6, 40)


@pytest.mark.parametrize(("finish", "now", "eta"), [(500, 200, 300), (500, 500, 40), (500, 900, 40), (None, 200, 40)])
def test_the_servers_own_estimate_goes_first_until_it_has_passed(finish: float | None, now: float, eta: float) -> None:
    assert told(metric(2, 100), metric(6, 140), now=now, estimated_finish=finish).eta == eta


@pytest.mark.parametrize(
    "events",
    [
        (),
        (metric(2, 100),),
        (metric(2, None), metric(6, None)),
        (metric(2, 100, None), metric(6, 140, None)),
        (metric(2, 140), metric(6, 100)),
    ],
    ids=["none", "one", "no times", "no total", "backwards"],
)
def test_where_the_pace_is_unknown_so_is_the_time_left(events: tuple[Event, ...]) -> None:
    assert told(*events).eta is None


def test_more_steps_than_were_announced_are_all_of_them() -> None:
    assert told(metric(9, 1), metric(12, 2, None)).progress == 1


def test_a_job_that_has_ended_has_no_time_left_and_one_that_failed_no_full_progress() -> None:
    assert told(metric(2, 100), metric(6, 140), status="succeeded", estimated_finish=500).eta is None
    assert told(metric(6, 140), status="failed").progress == 0.6
    assert told(status="succeeded").progress == 1


def test_an_event_that_is_told_again_is_not_new() -> None:
    job, story = Job(id="j", status="running", base="a"), Story()
    assert story.add(job, [metric(1, 1), metric(1, 1)]) == (metric(1, 1),)
    assert story.add(job, [metric(1, 1), metric(2, 2)]) == (metric(2, 2),)


# --- what goes beside the curves ---


def test_speed_memory_and_the_bases_score_are_told_and_are_no_metric_of_the_curve() -> None:
    base = parse_event({"id": "a", "data": {"base_valid_loss": 2.5, "base_valid_exact_match": 0}})
    data = {"step": 1, "valid_loss": 2.0, "tokens_per_second": 45.2, "memory_bytes": 9e8, "trained_tokens": 120}
    step = parse_event({"id": "b", "data": data})
    ended = parse_event({"id": "c", "data": {"full_valid_loss": 1.5, "valid_exact_match": 0.86}})
    assert base.metric is None
    assert told(base).live.scores == (
        Score(name="valid_loss", base=2.5),
        Score(name="valid_exact_match", base=0),
    )
    live = told(base, step, ended).live
    assert (live.tokens_per_second, live.memory_bytes, live.trained_tokens) == (45.2, 9e8, 120)
    assert [each.tuned for each in live.scores] == [1.5, 0.86]
    assert step.metric is not None
    assert [name for name in step.metric.values if is_measure(name)] == ["valid_loss"]


def test_a_share_of_whole_answers_says_of_how_many() -> None:
    base = {"step": 0, "valid_examples": 50, "base_valid_loss": 6.1, "base_valid_exact_match": 0.0}
    tuned = {"step": 25, "full_valid_loss": 0.2, "valid_exact_match": 0.86}
    live = told(parse_event({"id": "a", "data": base}), parse_event({"id": "b", "data": tuned})).live
    assert live.scores == (
        Score(name="valid_loss", base=6.1, tuned=0.2),
        Score(name="valid_exact_match", base=0.0, tuned=0.86, of=50),
    )
    assert not any(map(is_measure, base.keys() - {"step"}))


def test_a_pause_does_not_count_as_the_time_of_a_step() -> None:
    story = Story()
    running, paused = (Job(id="a", status=status, base="b") for status in ("running", "paused"))
    story.add(running, [metric(1, 0), metric(2, 10)])
    assert story.snapshot(running, 10).eta == 80
    story.add(paused, [])
    assert story.snapshot(paused, 10).eta is None
    story.add(running, [metric(3, 5000), metric(4, 5010)])
    assert story.snapshot(running, 5010).eta == 60


def test_a_resting_job_has_no_time_left_whatever_the_server_once_thought() -> None:
    assert told(metric(1, 0), metric(2, 10), now=10, status="paused", estimated_finish=90.0).eta is None
