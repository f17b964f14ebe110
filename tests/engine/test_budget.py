"""What a model takes is told before it is loaded; a stream says that it waits for a load; both without a model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from playground.engine import budget, waiting
from playground.engine.budget import Budget, Need, need
from playground.engine.errors import ApiError
from playground.engine.shelf import Model, describe
from playground.engine.weights import DEFAULT_ID, find
from playground.engine_words import recognised

MB = 2**20


@pytest.fixture(scope="module")
def model() -> Model:
    return describe(find(None).path, DEFAULT_ID)


def test_the_default_model_takes_what_was_measured(model: Model) -> None:
    # 255 MB of its own and 94 MB mapped, after a long prompt (resident memory, less 40 MB for Python).
    assert need(model, 8_192).whole == pytest.approx(332 * MB, rel=0.1)
    assert need(model, 8_192).own - need(model, 4_096).own == 2 * model.header.kv_width * 4_096


def test_a_file_that_is_mapped_already_is_counted_once(model: Model) -> None:
    one = need(model, 2_048)
    assert budget.total([one, one]) == one.whole + one.own
    assert Budget(one.whole + one.own).fits(one, [one])
    assert not Budget(one.whole + one.own - 1).fits(one, [one])
    assert not Budget(one.whole + one.own).fits(replace(one, path=Path("other")), [one])


@pytest.mark.parametrize(("context", "more"), [(8_192, 0), (4_096, -1), (2_048, -1)])
def test_the_longest_context_that_fits_is_chosen(model: Model, context: int, more: int) -> None:
    longer = need(model, min(8_192, 2 * context)).whole if more else need(model, context).whole
    assert Budget(longer + more).context(model, [], []) == context


def test_less_than_the_shortest_context_is_refused_with_the_numbers(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    least = need(model, 2_048).whole
    few = Budget(least - MB)
    assert few.context(model, [], []) is None
    said = few.refusal(model, [], []).body["error"]
    assert f"takes {-(-least // 1_000_000)} MB" in said["message"]
    assert f"{(least - MB) // 1_000_000} MB for it" in said["message"]
    assert said["code"] == "out_of_memory"
    assert recognised(said["message"])
    monkeypatch.setattr(budget, "available_bytes", lambda: least)
    assert recognised(Budget().refusal(model, [], []).body["error"]["message"])


def test_a_roomy_context_beside_another_model_is_better_than_a_longer_one_in_its_place(model: Model) -> None:
    other = Need(Path("other"), 100 * MB, 100 * MB)
    both = Budget(other.whole + need(model, 4_096).whole)
    assert both.context(model, [other], []) == 4_096
    # With less than that, the other leaves: then there is room for the longest.
    assert Budget(both.most - 1 if both.most else 0).context(model, [other], []) == 8_192


def test_what_is_mapped_is_not_free_though_the_system_says_so(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "available_bytes", lambda: budget.RESERVE + 500 * MB)
    assert Budget().free([]) == 500 * MB
    assert Budget().free([Need(Path("a"), 200 * MB, 50 * MB)]) == 300 * MB


class Slow:
    """A model that is loaded when `come` is set."""

    def __init__(self) -> None:
        self.come, self.users = asyncio.Event(), 0

    @asynccontextmanager
    async def use(self, name: str) -> AsyncGenerator[Any]:
        await self.come.wait()
        if name == "refused":
            raise ApiError(400, "It does not fit.")
        self.users += 1
        try:
            yield self
        finally:
            self.users -= 1


async def words(_generator: Any) -> AsyncGenerator[dict[str, Any]]:
    yield {"choices": [{"text": "a"}]}


async def test_a_stream_says_that_its_model_is_being_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "PATIENCE", 0.01)
    serving: Any = Slow()
    async with aclosing(waiting.answered(serving, "m", "text_completion", words)) as chunks:
        for _ in range(2):
            said = await anext(chunks)
            assert (said["choices"], said["object"], said["model"]) == ([], "text_completion", "m")
            assert said["loading"]["seconds"] >= 0
        serving.come.set()
        rest = [chunk async for chunk in chunks if chunk["choices"]]
    assert rest == [{"choices": [{"text": "a"}]}]
    assert serving.users == 0


async def test_whoever_leaves_while_a_model_is_loaded_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "PATIENCE", 0.01)
    serving: Any = Slow()
    chunks = waiting.answered(serving, "m", "text_completion", words)
    assert (await anext(chunks))["choices"] == []
    await chunks.aclose()
    assert serving.users == 0


async def test_a_refusal_that_comes_at_once_is_raised_before_anything_is_said() -> None:
    serving: Any = Slow()
    serving.come.set()
    with pytest.raises(ApiError, match="does not fit"):
        await anext(waiting.answered(serving, "refused", "text_completion", words))
