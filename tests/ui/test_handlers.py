"""The handlers of the Complete tab, called as plain functions: over HTTP anybody can call them with anything."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from playground.deps import Deps
from playground.ui.app import load, panel_for
from playground.ui.complete import count, submit
from playground.ui.events import ActiveRuns
from tests.fakes.helpers import until
from tests.fakes.server import FakeServer

MODEL = "server/fake"
HOSTILE: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    float("nan"),
    10**400,
    "",
    "\x00",
    "\ud800",
    [],
    [[]],
    {},
    {"text": None},
    {"text": 7, "marks": 7},
    {"text": "a", "marks": 7},
    {"text": "a", "marks": [[0], ["0", "1"], [1, 0], [0, 99], [True, False], [0, 10**30]]},
    {"temperature": "hot", "n": [], "stop": 7, "max_tokens": {}},
    {"temperature": float("inf")},
    {"n": 10**6},
    {"max_tokens": -1},
    {"stop": [1, None, {}]},
    {"logit_bias": "{" * 10_000},
    {"__class__": "x", "prompt": "another", "endpoint": "other"},
    {"session": {"tokens": "many", "cost": "NaN"}},
    {"session": {"tokens": -5, "cost": "1e9999999"}},
    {"session": {"tokens": True, "cost": {}}},
)


async def run(deps: Deps, page: Any, model: Any = MODEL, values: Any = None, last: Any = None) -> list[Any]:
    updates = submit(deps, ActiveRuns(), page, model, values, last, session="one")
    return [update async for update in updates]


def text(value: str) -> dict[str, Any]:
    return {"text": value, "marks": [], "busy": False}


async def test_submit_continues_the_text_and_marks_it(deps: Deps) -> None:
    updates = await run(deps, text("👋 "))
    editor, choices, last = updates[-1]
    assert editor == {"text": "👋 Hello, world!", "marks": [[3, 16]], "busy": False}
    assert choices == {"cards": []}
    assert last["session"]["tokens"] == 11
    assert updates[0][0]["busy"] is True


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: repr(value)[:40])
async def test_a_hostile_value_in_any_place_is_a_state_and_no_crash(
    deps: Deps, value: Any, caplog: pytest.LogCaptureFixture
) -> None:
    good: dict[str, Any] = {"page": text("Say "), "model": MODEL, "values": {"n": 1}, "last": {}}
    for place in good:
        updates = await run(deps, **{**good, place: value})
        editor, _, last = updates[-1]
        assert isinstance(last, dict)
        assert not isinstance(editor, dict) or "busy" not in editor or editor["busy"] is False
        if place != "last":
            assert isinstance(
                await count(deps, *[{**good, place: value}[k] for k in ("page", "model", "values")]), dict
            )
    panel_for(deps, value)
    async for _ in load(deps, value):
        pass
    # What a person can cause is never reported as a fault of the app.
    assert "a handler failed" not in caplog.text


async def test_an_unknown_model_is_named_and_nothing_is_sent(deps: Deps, fake: FakeServer) -> None:
    for name in ("", None, "x" * 300, "server/a\nb"):
        editor, _, last = (await run(deps, text("Say "), name))[-1]
        assert last["notice"]["kind"] == "InvalidRequest"
        assert editor["text"] == "Say "
        assert editor["busy"] is False
    assert not [request for request in fake.requests if request.path == "/v1/completions"]


async def test_a_second_run_in_the_same_session_waits_its_turn(deps: Deps, fake: FakeServer) -> None:
    active = ActiveRuns()
    first = submit(deps, active, text("Say "), "server/fault-stall_midstream", {}, None, session="one")
    task = asyncio.create_task(_all(first))
    await until(lambda: any(request.path == "/v1/completions" for request in fake.requests))
    second = await _all(submit(deps, active, text("Say "), MODEL, {}, None, session="one"))
    assert second[-1][2]["notice"]["message"] == "The last run has not ended yet."
    other = await _all(submit(deps, active, text("Say "), MODEL, {}, None, session="two"))
    assert other[-1][0]["text"] == "Say Hello, world!"
    active.stop("one", "complete")
    stopped = await task
    assert stopped[-1][0] == {"text": "Say Hello,", "marks": [[4, 10]], "busy": False}
    assert (await _all(submit(deps, active, text("Say "), MODEL, {}, None, session="one")))[-1][2]["notice"] is None


async def _all(updates: Any) -> list[Any]:
    return [update async for update in updates]


async def test_the_panel_follows_the_models_context(deps: Deps) -> None:
    update = panel_for(deps, "server/fake-vllm")
    (length,) = [row for row in update.props["specs"] if row["name"] == "max_tokens"]
    assert length["high"] == 4096


async def test_the_picker_lists_every_model_and_keeps_the_remembered_one(deps: Deps) -> None:
    for remembered, chosen in ((None, "server/fake"), ("server/fake-vllm", "server/fake-vllm"), (7, "server/fake")):
        picker, _ = [update async for update in load(deps, remembered)][-1]
        assert picker.value == chosen
        assert len(picker.choices) == 3


async def test_the_counter_is_the_servers_own_tokenizer(deps: Deps) -> None:
    line = await count(deps, text("one two three"), MODEL, {"max_tokens": 10})
    assert line["cells"][0]["text"] == "3 {tokens}"
