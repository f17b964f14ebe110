"""How many calls at once, and how many dollars: on a clock of the test's own."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from playground.evaluate.budget import Budget, at_most
from playground.evaluate.pace import BACKOFF, Pace


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_calls_that_are_refused_together_halve_the_limit_once() -> None:
    clock = Clock()
    pace = Pace(16, clock=clock)
    began = [pace.begin() for _ in range(16)]
    assert pace.wait() is None
    clock.now += 1
    for moment in began:
        pace.refused(moment, 2.0)
    assert (pace.limit, pace.running, pace.wait()) == (8.0, 0, 2.0)


def test_a_refusal_after_the_limit_was_lowered_lowers_it_again_but_never_below_one() -> None:
    clock = Clock()
    pace = Pace(4, clock=clock)
    for _ in range(5):
        clock.now += 1
        pace.refused(pace.begin(), 0.0)
    assert pace.limit == 1


def test_a_round_of_answers_adds_one_call_up_to_the_most() -> None:
    pace = Pace(16, clock=Clock())
    pace.limit = 4.0
    for _ in range(4):
        pace.begin()
        pace.answered()
    assert 4.8 < pace.limit <= 5
    for _ in range(1_000):
        pace.begin()
        pace.answered()
    assert pace.limit == 16


def test_a_server_that_does_not_say_when_is_left_alone_longer_each_time_until_it_answers() -> None:
    clock = Clock()
    pace = Pace(4, clock=clock)
    waits = []
    for _ in range(3):
        clock.now += 100
        pace.refused(pace.begin(), None)
        waits.append(pace.wait())
    assert waits == [BACKOFF, 2 * BACKOFF, 4 * BACKOFF]
    pace.begin()
    pace.answered()
    clock.now += 100
    pace.refused(pace.begin(), None)
    assert pace.wait() == BACKOFF


async def test_a_call_that_does_not_fit_waits_for_one_under_way_that_was_cheaper_than_feared() -> None:
    budget = Budget(Decimal(10))
    assert await budget.reserve(Decimal(6))
    second = asyncio.create_task(budget.reserve(Decimal(6)))
    await asyncio.sleep(0)
    assert not second.done()
    budget.settle(Decimal(6), Decimal(2))
    assert await second
    assert (budget.spent, budget.reserved) == (2, 6)


async def test_where_nothing_is_under_way_what_does_not_fit_never_will() -> None:
    budget = Budget(Decimal(10), spent=Decimal(5))
    assert not await budget.reserve(Decimal("5.01"))
    assert await budget.reserve(Decimal(5))


async def test_spent_and_reserved_never_pass_the_cap_whatever_comes() -> None:
    budget = Budget(Decimal(100))
    highest = Decimal(0)

    async def call(worst: int, cost: int) -> None:
        nonlocal highest
        if await budget.reserve(Decimal(worst)):
            highest = max(highest, budget.spent + budget.reserved)
            await asyncio.sleep(0)
            budget.settle(Decimal(worst), Decimal(cost))

    await asyncio.gather(*(call(7, number % 8) for number in range(200)))
    assert highest <= 100
    assert budget.reserved == 0
    assert budget.spent > 93


def test_an_answer_whose_usage_was_only_estimated_is_booked_at_the_worst() -> None:
    assert at_most(False, worst=Decimal(5), cost=Decimal(2)) == 2
    assert at_most(True, worst=Decimal(5), cost=Decimal(2)) == 5
    assert at_most(True, worst=Decimal(5), cost=None) == 0
