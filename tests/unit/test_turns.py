"""Whose turn it is: so many at once, a fair line with places, and how all of it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from playground.engine.llama import SLOTS
from playground.engine_process import AT_ONCE
from playground.errors import ServerBusy
from playground.turns import Turns
from playground.types import Delta, Endpoint, Failed, Queued, StreamEvent

SERVER = Endpoint(name="server", kind="compatible", base_url="http://127.0.0.1:9/v1")


class Answers:
    """Answers that end when they are told to; `begun` names them in the order in which they began."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.go: dict[str, asyncio.Event] = {}
        self.closed: list[str] = []

    async def answer(self, name: str) -> AsyncGenerator[StreamEvent]:
        self.begun.append(name)
        self.go[name] = asyncio.Event()
        try:
            yield Delta(0, f"{name} begins")
            await self.go[name].wait()
            yield Delta(0, f"{name} ends")
        finally:
            self.closed.append(name)


class Asker:
    """One who asks, and what they were told."""

    def __init__(self, turns: Turns, answers: Answers, name: str, account: str, *, model: str = "m") -> None:
        self.told: list[StreamEvent] = []
        self._asked = turns.taken(account, SERVER, model, lambda: answers.answer(name))
        self.task = asyncio.ensure_future(self._ask())

    async def _ask(self) -> None:
        async with aclosing(self._asked) as events:
            async for event in events:
                self.told.append(event)

    @property
    def places(self) -> list[int]:
        return [event.place for event in self.told if isinstance(event, Queued)]

    @property
    def refusal(self) -> str:
        last = self.told[-1]
        assert isinstance(last, Failed)
        assert isinstance(last.error, ServerBusy)
        return last.error.key


@pytest.fixture
def answers() -> Answers:
    return Answers()


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_so_many_at_once_and_each_behind_them_sees_their_place_come_down(answers: Answers) -> None:
    turns = Turns(at_once=2)
    askers = [Asker(turns, answers, name, account=name) for name in "abcde"]
    await settled()
    assert answers.begun == ["a", "b"]
    assert [asker.places for asker in askers] == [[], [], [1], [2], [3]]
    assert turns.counts() == {"server": (2, 3)}
    answers.go["a"].set()
    await settled()
    assert answers.begun == ["a", "b", "c"]
    # 0: it is their turn, and the page says so no more.
    assert [asker.places for asker in askers[2:]] == [[1, 0], [2, 1], [3, 2]]
    for name in "bcde":
        answers.go[name].set() if name in answers.go else None
        await settled()
    await settled()
    answers.go["e"].set()
    await asyncio.gather(*(asker.task for asker in askers))
    assert [asker.told[-1] for asker in askers] == [Delta(0, f"{name} ends") for name in "abcde"]
    assert turns.counts() == {}


async def test_one_account_with_much_does_not_hold_up_another(answers: Answers) -> None:
    turns = Turns(at_once=2)
    sweep = [Asker(turns, answers, f"sweep{n}", account="ana") for n in range(6)]
    await settled()
    visitor = Asker(turns, answers, "visitor", account="ben")
    await settled()
    assert visitor.places == [1]
    answers.go["sweep0"].set()
    await settled()
    assert answers.begun == ["sweep0", "sweep1", "visitor"]
    for asker in (*sweep, visitor):
        asker.task.cancel()
    await asyncio.gather(*(asker.task for asker in (*sweep, visitor)), return_exceptions=True)
    assert turns.counts() == {}
    assert sorted(answers.closed) == ["sweep0", "sweep1", "visitor"]


async def test_who_leaves_the_line_leaves_it_to_the_others(answers: Answers) -> None:
    turns = Turns(at_once=1)
    first, second, third = (Asker(turns, answers, name, account=name) for name in "abc")
    await settled()
    second.task.cancel()
    await settled()
    assert third.places == [2, 1]
    answers.go["a"].set()
    await settled()
    assert answers.begun == ["a", "c"]
    answers.go["c"].set()
    await asyncio.gather(first.task, third.task)


async def test_a_line_that_is_full_refuses_the_next_at_once(answers: Answers) -> None:
    turns = Turns(at_once=1, line=2)
    askers = [Asker(turns, answers, name, account=name) for name in "abcd"]
    await settled()
    assert askers[3].refusal == "error.line_full"
    assert askers[3].task.done()
    for asker in askers:
        asker.task.cancel()


async def test_an_own_engines_models_have_a_line_each(answers: Answers) -> None:
    assert AT_ONCE == SLOTS
    turns, engine = Turns(), Endpoint(name="local", kind="engine", base_url="http://127.0.0.1:9/v1", at_once=1)
    asked = [
        turns.taken("", engine, model, lambda name=name: answers.answer(name))  # type: ignore[misc]
        for name, model in (("a", "m1"), ("b", "m2"), ("c", "m1"))
    ]
    tasks = [asyncio.ensure_future(anext(each)) for each in asked]
    await settled()
    assert answers.begun == ["a", "b"]
    assert [task.result() for task in tasks] == [Delta(0, "a begins"), Delta(0, "b begins"), Queued(1)]
    for each in asked:
        await each.aclose()


async def test_at_the_end_nothing_begins_and_what_is_under_way_is_given_its_time(answers: Answers) -> None:
    turns = Turns(at_once=1)
    under_way, waiting = (Asker(turns, answers, name, account=name) for name in "ab")
    await settled()
    turns.close()
    late = Asker(turns, answers, "c", account="c")
    await settled()
    assert (waiting.refusal, late.refusal, answers.begun) == ("error.app_ends", "error.app_ends", ["a"])
    ended = asyncio.create_task(asyncio.to_thread(turns.wait_until_idle, 30))
    await settled()
    assert not ended.done()
    answers.go["a"].set()
    assert await ended
    await under_way.task
    assert under_way.told[-1] == Delta(0, "a ends")


async def test_what_has_not_ended_by_then_is_cut_with_all_that_has_come(answers: Answers) -> None:
    turns = Turns()
    slow = Asker(turns, answers, "a", account="a")
    await settled()
    turns.close()
    assert not await asyncio.to_thread(turns.wait_until_idle, 0.01)
    assert turns.cut() == 1
    assert await asyncio.to_thread(turns.wait_until_idle, 30)
    await slow.task
    assert (slow.told[0], slow.refusal, answers.closed) == (Delta(0, "a begins"), "error.app_ends", ["a"])


async def test_who_asked_may_still_be_cancelled_themselves(answers: Answers) -> None:
    turns = Turns()
    asker = Asker(turns, answers, "a", account="a")
    await settled()
    asker.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asker.task
    assert (turns.counts(), answers.closed) == ({}, ["a"])
