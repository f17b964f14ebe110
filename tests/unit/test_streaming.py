"""The pump and the state, over events that the tests make: no server, no page."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import pytest

from playground.errors import BadStream, RateLimited
from playground.streaming import RunState, pump
from playground.types import (
    Choice,
    Delta,
    Failed,
    Finished,
    Retrying,
    StreamEvent,
    Thought,
    TokenLogprob,
    ToolDelta,
    Usage,
    UsageReported,
)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def text(state: RunState) -> str:
    return "".join(choice.text for choice in state.choices())


RETRY = Retrying(2, 4, 5.0, RateLimited("Too many requests."))


# --- RunState ---------------------------------------------------------------------------------------------------------


def test_a_state_adds_up_text_logprobs_and_reasons_by_choice() -> None:
    state, token = RunState(), TokenLogprob("b", -0.5)
    for event in (Delta(1, "x"), Delta(0, "a"), Delta(0, "b", (token,)), Finished(0, "stop")):
        state.apply(event)
    assert state.choices() == (
        Choice(index=0, text="ab", finish_reason="stop", logprobs=(token,)),
        Choice(index=1, text="x"),
    )


def test_a_state_that_is_looked_at_between_tokens_loses_none() -> None:
    state = RunState()
    for i in range(50):
        state.apply(Delta(0, f"{i} "))
        assert text(state).endswith(f"{i} ")
    assert text(state) == "".join(f"{i} " for i in range(50))


def test_times_are_those_of_the_clock() -> None:
    clock = Clock()
    state = RunState(clock=clock)
    assert state.time_to_first_token is None
    clock.now = 0.5
    state.apply(Delta(0, "a"))
    clock.now = 2.5
    state.apply(Delta(0, "b"))
    clock.now = 3.0
    state.apply(UsageReported(Usage(prompt_tokens=1, completion_tokens=121, reasoning_tokens=20)))
    assert state.latency == 3.0
    state.end()
    clock.now = 9.0
    assert [state.time_to_first_token, state.latency, state.tokens_per_second] == [0.5, 3.0, 50.0]


def test_thoughts_that_were_streamed_are_part_of_the_speed() -> None:
    clock = Clock()
    state = RunState(clock=clock)
    state.apply(Thought(0, "Let me"))
    clock.now = 2.0
    state.apply(Delta(0, "Four"))
    state.apply(UsageReported(Usage(prompt_tokens=1, completion_tokens=121, reasoning_tokens=110)))
    assert state.tokens_per_second == 60.0


def test_a_run_that_ended_at_the_clocks_zero_has_ended() -> None:
    clock = Clock()
    state = RunState(clock=clock)
    state.end()
    clock.now = 7.0
    assert state.latency == 0.0


def test_an_answer_in_one_piece_has_no_speed() -> None:
    state = RunState(clock=Clock())
    state.apply(Delta(0, "all"))
    state.apply(UsageReported(Usage(prompt_tokens=1, completion_tokens=9)))
    assert state.tokens_per_second is None


def test_a_retry_counts_down_until_text_comes() -> None:
    clock = Clock()
    state = RunState(clock=clock)
    state.apply(RETRY)
    clock.now = 2.0
    assert (state.retrying, state.retry_in) == (RETRY, 3.0)
    clock.now = 6.0
    assert state.retry_in == 0.0
    state.apply(Delta(0, "a"))
    assert [state.retrying, state.retry_in] == [None, None]


@pytest.mark.parametrize(
    ("events", "ended", "status"),
    [
        ((), False, "running"),
        ((Delta(0, "a"),), False, "running"),
        ((Delta(0, "a"), Finished(0, "stop")), True, "done"),
        ((Delta(0, "a"), Delta(1, "b"), Finished(0, "stop")), True, "stopped"),
        ((), True, "stopped"),
        ((Delta(0, "a"), Failed(BadStream("It broke."))), True, "failed"),
    ],
)
def test_the_status_follows_from_what_came(events: tuple[StreamEvent, ...], ended: bool, status: str) -> None:
    state = RunState()
    for event in events:
        state.apply(event)
    if ended:
        state.end()
    assert state.status == status


def test_a_failure_keeps_the_text_before_it() -> None:
    state, error = RunState(), BadStream("It broke.")
    for event in (Delta(0, "paid for"), Failed(error)):
        state.apply(event)
    assert text(state) == "paid for"
    assert state.error is error


# --- pump -------------------------------------------------------------------------------------------------------------


class Script:
    """Events by a script: an event is given out, an asyncio.Event waited for, an exception raised."""

    def __init__(self, *steps: StreamEvent | asyncio.Event | Exception) -> None:
        self._steps = steps
        self.closed = False
        self.taken = 0

    async def __call__(self) -> AsyncGenerator[StreamEvent]:
        try:
            for step in self._steps:
                if isinstance(step, asyncio.Event):
                    await step.wait()
                elif isinstance(step, Exception):
                    raise step
                else:
                    self.taken += 1
                    yield step
        finally:
            # Closing takes a moment, as a connection's does.
            await asyncio.sleep(0.02)
            self.closed = True


async def first_that(
    states: AsyncGenerator[RunState], matches: Callable[[RunState], bool], *, seconds: float = 10
) -> RunState:
    async with asyncio.timeout(seconds):
        async for state in states:
            if matches(state):
                return state
    raise AssertionError("the pump ended")


BURST = [Delta(0, "x") for _ in range(2000)]


async def test_a_burst_is_shown_in_few_looks_and_whole() -> None:
    script = Script(*BURST, Finished(0, "stop"))
    looks = [text(state) async for state in pump(script())]
    assert looks[-1] == "x" * 2000
    assert len(looks) < 200
    assert script.closed


async def test_the_first_token_does_not_wait_for_the_rest() -> None:
    script = Script(*BURST)
    async with aclosing(pump(script(), hz=0.001)) as states:
        state = await first_that(states, lambda state: bool(state.first_token_at))
        assert len(text(state)) < 2000
    assert script.closed  # stopped between two tokens that were there already


async def test_the_last_token_of_a_burst_is_shown_while_the_next_is_awaited() -> None:
    never = asyncio.Event()
    script = Script(*BURST[:20], never)
    async with aclosing(pump(script())) as states:
        await first_that(states, lambda state: text(state) == "x" * 20)


async def test_looks_between_two_tokens_are_no_more_than_asked_for() -> None:
    async def slow() -> AsyncGenerator[StreamEvent]:
        for _ in range(40):
            yield Delta(0, "x")
            await asyncio.sleep(0.005)

    started = asyncio.get_running_loop().time()
    looks = [None async for _ in pump(slow(), hz=10)]
    seconds = asyncio.get_running_loop().time() - started
    assert len(looks) <= 10 * seconds + 3


async def test_a_retry_is_shown_at_once_and_ticks_while_it_waits() -> None:
    go = asyncio.Event()
    script = Script(RETRY, go, Delta(0, "a"), Finished(0, "stop"))
    left = []
    async with aclosing(pump(script())) as states:
        async for state in states:
            if state.retry_in is not None:
                left.append(state.retry_in)
                if len(left) == 3:
                    go.set()
    assert left == sorted(left, reverse=True)
    assert len(set(left)) == len(left)
    assert text(state) == "a"


async def test_the_first_token_after_a_retry_is_shown_at_once() -> None:
    go = asyncio.Event()
    async with aclosing(pump(Script(RETRY, go, Delta(0, "a"), asyncio.Event())(), hz=0.001)) as states:
        await first_that(states, lambda state: state.retrying is not None)
        go.set()
        await first_that(states, lambda state: text(state) == "a")


async def test_the_end_is_shown_at_once_and_last() -> None:
    async with asyncio.timeout(10):
        looks = [state.ended_at async for state in pump(Script(Delta(0, "a"), Finished(0, "stop"))(), hz=0.001)]
    assert looks[-1] is not None
    assert all(look is None for look in looks[:-1])


async def test_no_events_at_all_is_one_look_at_the_end() -> None:
    assert [state.status async for state in pump(Script()())] == ["stopped"]


async def test_closing_the_pump_closes_upstream_before_it_returns() -> None:
    script = Script(Delta(0, "a"), asyncio.Event())
    states = pump(script())
    await first_that(states, lambda state: text(state) == "a")
    await states.aclose()
    assert script.closed


async def test_cancelling_the_reader_closes_upstream_before_it_ends() -> None:
    script = Script(Delta(0, "a"), asyncio.Event())
    shown = asyncio.Event()

    async def read() -> None:
        async with aclosing(pump(script())) as states:
            async for _ in states:
                shown.set()

    task = asyncio.create_task(read())
    await asyncio.wait_for(shown.wait(), 10)
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()  # an impatient second click
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()
    assert script.closed


@pytest.mark.parametrize("steps", [(Delta(0, "kept"),), (RETRY,), ()], ids=["mid-stream", "in a retry", "before text"])
async def test_stop_closes_upstream_and_shows_what_there_is(steps: tuple[StreamEvent, ...]) -> None:
    stop = asyncio.Event()
    script = Script(*steps, asyncio.Event())
    asyncio.get_running_loop().call_later(0.05, stop.set)
    async with asyncio.timeout(10):
        looks = [state async for state in pump(script(), stop=stop)]
    assert script.closed
    assert looks[-1].status == "stopped"
    assert text(looks[-1]) == "".join(step.text for step in steps if isinstance(step, Delta))
    assert looks[-1].retry_in is None


async def test_a_stop_that_came_before_the_start_asks_for_nothing_shown() -> None:
    stop = asyncio.Event()
    stop.set()
    async with asyncio.timeout(10):
        looks = [state.status async for state in pump(Script(asyncio.Event())(), stop=stop)]
    assert looks == ["stopped"]


async def test_a_bug_in_the_events_is_raised_and_not_swallowed() -> None:
    script = Script(Delta(0, "a"), KeyError("bug"))
    with pytest.raises(KeyError):
        _ = [state async for state in pump(script())]
    assert script.closed


async def test_a_slow_reader_holds_nothing_up() -> None:
    script = Script(*BURST[:200], Finished(0, "stop"))
    async with aclosing(pump(script())) as states:
        async for state in states:
            await asyncio.sleep(0.05)
            if state.ended_at is None:
                continue
    assert script.taken == 201
    assert text(state) == "x" * 200


async def test_no_task_outlives_its_pump() -> None:
    before = asyncio.all_tasks()
    stop = asyncio.Event()
    async with aclosing(pump(Script(*BURST[:50], asyncio.Event())(), stop=stop)) as states:
        await first_that(states, lambda state: text(state) == "x" * 50)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (("a", "b"), ("a", "b")),
        (("", ""), (None, None)),
        (("call_0", "call_0"), ("call_0", None)),
        (("", "x"), (None, "x")),
    ],
)
def test_every_call_has_an_id_of_its_own_which_stays(said: tuple[str, str], kept: tuple[str | None, ...]) -> None:
    state = RunState()
    for position, id_ in enumerate(said):
        state.apply(ToolDelta(index=0, position=position, id=id_, name="f", arguments="{}"))
    first, again = state.choices()[0].tool_calls, state.choices()[0].tool_calls
    assert first == again
    assert len({call.id for call in first}) == 2
    for call, expected in zip(first, kept, strict=True):
        assert call.id == expected if expected else call.id.startswith("call_")
