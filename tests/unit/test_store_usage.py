"""What the history says of use: exact sums by local day and model, and percentiles, on real files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from playground.store import LatencyRow, Output, Store, UsageRow
from playground.store.database import writing
from playground.store.history import percentile
from playground.store.schema import OUTPUTS, SWEEPS
from playground.types import Run, Usage

MIDNIGHT = datetime(2026, 11, 23, tzinfo=UTC)
TODAY = MIDNIGHT.date()
DAY = timedelta(days=1)
ALWAYS: dict[str, Any] = {"since": MIDNIGHT - 365 * DAY, "until": MIDNIGHT + 365 * DAY}


def keep(store: Store, id: str, **changes: Any) -> None:
    values: dict[str, Any] = {
        "created_at": MIDNIGHT,
        "mode": "complete",
        "endpoint": "local",
        "model": "m",
        "status": "done",
    }
    store.finish_run(Run(**{"id": id, "request": {}, "effective_request": {}, **values, **changes}))


def test_usage_sums_runs_tokens_and_dollars_by_day_and_model(store: Store) -> None:
    for number in range(10):
        keep(store, f"a-{number}", usage=Usage(prompt_tokens=7, completion_tokens=5), cost=Decimal("0.1"))
    keep(store, "b", model="other", usage=Usage(prompt_tokens=1, completion_tokens=0), cost=Decimal("0.000000000001"))
    keep(store, "c", created_at=MIDNIGHT + DAY, endpoint="openai", status="failed")
    told: dict[str, Any] = {"endpoint": "local", "day": TODAY}
    assert store.usage(**ALWAYS) == [
        UsageRow(**told, model="m", runs=10, prompt_tokens=70, completion_tokens=50, cost=Decimal(1)),
        UsageRow(**told, model="other", runs=1, prompt_tokens=1, completion_tokens=0, cost=Decimal("0.000000000001")),
        UsageRow(
            day=TODAY + DAY,
            endpoint="openai",
            model="m",
            runs=1,
            prompt_tokens=0,
            completion_tokens=0,
            cost=None,
        ),
    ]


def test_sums_of_many_large_and_small_costs_are_exact(store: Store) -> None:
    keep(store, "large", cost=Decimal("9000000"))
    for number in range(3):
        keep(store, f"small-{number}", cost=Decimal("0.000000000001"))
    (row,) = store.usage(**ALWAYS)
    assert row.cost == Decimal("9000000.000000000003")


def test_runs_of_unknown_price_do_not_hide_the_known_and_free_is_not_unknown(store: Store) -> None:
    keep(store, "known", cost=Decimal("0.5"))
    keep(store, "unknown")
    keep(store, "free", model="free", cost=Decimal(0))
    assert {row.model: row.cost for row in store.usage(**ALWAYS)} == {"m": Decimal("0.5"), "free": Decimal(0)}


@pytest.mark.parametrize(
    ("offset", "at", "day"),
    [
        (0, MIDNIGHT, 0),
        (0, MIDNIGHT - timedelta(microseconds=1), -1),
        (60, MIDNIGHT - timedelta(hours=1), 0),
        (60, MIDNIGHT - timedelta(hours=1, microseconds=1), -1),
        (-300, MIDNIGHT + timedelta(hours=5), 0),
        (-300, MIDNIGHT + timedelta(hours=5) - timedelta(microseconds=1), -1),
        (345, MIDNIGHT - timedelta(hours=5, minutes=45), 0),
        (14 * 60, MIDNIGHT + timedelta(hours=10), 1),
        (-12 * 60, MIDNIGHT, -1),
    ],
)
def test_a_day_is_the_local_one(store: Store, offset: int, at: datetime, day: int) -> None:
    keep(store, "run", created_at=at)
    (row,) = store.usage(**ALWAYS, utc_offset_minutes=offset)
    assert row.day == TODAY + day * DAY


def test_since_is_inclusive_and_until_is_not(store: Store) -> None:
    keep(store, "first", model="first", latency=1.0)
    keep(store, "last", model="last", latency=1.0, created_at=MIDNIGHT + DAY)
    bounds: dict[str, Any] = {"since": MIDNIGHT, "until": MIDNIGHT + DAY}
    assert [row.model for row in store.usage(**bounds)] == ["first"]
    assert [row.model for row in store.latencies(**bounds)] == ["first"]
    assert store.usage(since=MIDNIGHT, until=MIDNIGHT) == []
    assert store.latencies(since=MIDNIGHT, until=MIDNIGHT) == []


def test_latencies_are_the_percentiles_of_the_runs_that_ended_by_themselves(store: Store) -> None:
    for number in range(101):
        keep(store, f"run-{number}", latency=float(number), time_to_first_token=number / 100)
    keep(store, "stopped", status="stopped", latency=1e6, time_to_first_token=1e6)
    keep(store, "failed", status="failed", latency=1e6)
    keep(store, "whole", model="not streamed", latency=3.0)
    measured = LatencyRow(
        endpoint="local", model="m", runs=101, latency_p50=50.0, latency_p95=95.0, ttft_p50=0.5, ttft_p95=0.95
    )
    whole = LatencyRow(
        endpoint="local", model="not streamed", runs=1, latency_p50=3.0, latency_p95=3.0, ttft_p50=None, ttft_p95=None
    )
    assert store.latencies(**ALWAYS) == [measured, whole]


@pytest.mark.parametrize(
    ("values", "share", "value"),
    [([4.0], 0.95, 4.0), ([1.0, 2.0], 0.5, 1.5), ([1.0, 2.0, 3.0, 4.0], 0.95, 3.85), ([1.0, 9.0], 1, 9.0)],
)
def test_a_percentile_lies_between_the_closest_ranks(values: list[float], share: float, value: float) -> None:
    assert percentile(values, share) == pytest.approx(value)


def sweep(store: Store, id: str, *costs: str | None, models: tuple[str, ...] = ("local/m",), rest: str = "0") -> None:
    """A sweep whose outputs cost this, one after another over its cells; `rest` was paid for what is not kept."""
    cells = [{"name": ref, "model": ref} for ref in models]
    store.sweeps.create(id, name=id, fingerprint="f", calls=9, spec={}, cells=cells, cases=[])
    paid = [None if cost is None else Decimal(cost) for cost in costs]
    outputs = [
        Output(number=at, cell=at % len(models), row=at, repeat=0, status="done", prompt_tokens=7, cost=cost)
        for at, cost in enumerate(paid)
    ]
    spent = sum((cost for cost in paid if cost is not None), Decimal(rest))
    store.sweeps.keep(id, outputs, spent=spent, reserved=Decimal(0))


def now(**around: timedelta) -> dict[str, Any]:
    moment = datetime.now(UTC)
    return {"since": moment - around.get("before", DAY), "until": moment + around.get("after", DAY)}


def test_what_sweeps_used_stands_beside_the_runs_and_is_marked(store: Store) -> None:
    keep(store, "run", created_at=datetime.now(UTC), usage=Usage(prompt_tokens=1, completion_tokens=2), cost=Decimal(1))
    sweep(store, "first", "0.1", "0.2", "0.000000000001", models=("local/m", "openai/org/model"))
    sweep(store, "second", "0.4", None)
    rows = {(row.sweep, row.endpoint, row.model): row for row in store.usage(**now())}
    assert list(rows) == [(False, "local", "m"), (True, "local", "m"), (True, "openai", "org/model")]
    assert rows[False, "local", "m"].cost == 1
    swept = rows[True, "local", "m"]
    # Of the first sweep the first and the third output, of the second both; that one has no price hides nothing.
    assert (swept.runs, swept.prompt_tokens, swept.completion_tokens) == (4, 28, 0)
    assert swept.cost == Decimal("0.500000000001")
    assert rows[True, "openai", "org/model"].cost == Decimal("0.2")


def test_what_a_sweep_paid_for_answers_that_are_not_kept_counts_too(store: Store) -> None:
    sweep(store, "one model", "0.1", rest="0.05")
    sweep(store, "several", "0.1", models=("local/m", "local/n"), rest="0.25")
    assert {row.model: row.cost for row in store.usage(**now())} == {"m": Decimal("0.25"), "": Decimal("0.25")}


def test_a_sweep_counts_on_the_days_of_its_answers_and_in_no_other_time(store: Store) -> None:
    sweep(store, "one", "0.1", rest="0.05")
    assert store.usage(**now(after=-timedelta(hours=1))) == []
    assert store.usage(**now(before=-timedelta(hours=1))) == []
    (row,) = store.usage(**now(), utc_offset_minutes=14 * 60)
    assert row.day == (datetime.now(UTC) + timedelta(hours=14)).date()


def test_an_answer_outside_the_time_is_not_taken_for_one_that_is_not_kept(store: Store) -> None:
    sweep(store, "one", "0.1", "0.2")
    with writing(store._engine) as connection:
        earlier = OUTPUTS.c.created_at - 10 * 86_400_000_000
        connection.execute(OUTPUTS.update().where(OUTPUTS.c.number == 0).values(created_at=earlier))
        connection.execute(SWEEPS.update().values(created_at=SWEEPS.c.created_at - 11 * 86_400_000_000))
    (row,) = store.usage(**now())
    assert (row.runs, row.cost) == (1, Decimal("0.2"))
    assert [row.cost for row in store.usage(**now(before=20 * DAY))] == [Decimal("0.1"), Decimal("0.2")]


def test_a_sweep_without_outputs_or_of_unknown_price_is_no_row_of_dollars(store: Store) -> None:
    sweep(store, "nothing")
    assert store.usage(**now()) == []
    sweep(store, "unknown", None)
    assert [row.cost for row in store.usage(**now())] == [None]
