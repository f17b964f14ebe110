"""One prompt for base, checkpoint and final: over HTTP anybody can call what stands behind it with anything."""

from __future__ import annotations

import json
from typing import Any

import pytest

from playground.deps import Deps
from playground.ui import results
from playground.ui.comparing import compared
from playground.ui.events import Visit
from playground.ui.result_jobs import Opened
from playground.ui.uploads import Held
from tests.fakes.server import FakeServer

HOSTILE: tuple[Any, ...] = (None, True, -1, 10**400, float("nan"), "", "\x00", "\ud800", [], [[]], {}, {"a": 7}, 10**6)


async def job(fake: FakeServer, deps: Deps, held: Held[Opened], base: str = "gpt-4.1-nano") -> dict[str, Any]:
    """What asks for the first checkpoint of a finished job."""
    name = fake.training.run(base)
    said = (await results.act(deps, held, {"action": "job", "n": 1, "server": "server", "id": name}))[0]
    return {
        "n": 7,
        "id": said["opened"][0]["id"],
        "checkpoint": 0,
        "prompt": "Say this is a test",
        "most": 8,
        "stop": "",
    }


async def frames(deps: Deps, held: Held[Opened], value: Any) -> list[dict[str, Any]]:
    return [frame async for frame in compared(deps, Visit(), held.get, value)]


@pytest.mark.parametrize(("base", "mode"), [("gpt-4.1-nano", "chat"), ("davinci-002", "complete")])
async def test_three_models_answer_one_prompt_and_are_kept(fake: FakeServer, deps: Deps, base: str, mode: str) -> None:
    held: Held[Opened] = Held()
    last = (await frames(deps, held, await job(fake, deps, held, base)))[-1]
    assert last["done"]
    assert all(column["text"] and not column["busy"] for column in last["columns"])
    runs = [deps.store.run(each.id) for each in deps.store.runs(limit=10)]
    assert sorted(f"{run.endpoint}/{run.model}" for run in runs if run) == sorted(c["model"] for c in last["columns"])
    assert {(run.mode, run.effective_request["temperature"]) for run in runs if run} == {(mode, 0)}


async def test_each_column_has_its_own_error(fake: FakeServer, deps: Deps) -> None:
    held: Held[Opened] = Held()
    last = (await frames(deps, held, await job(fake, deps, held, "fault-404")))[-1]
    assert last["done"]
    assert last["columns"][0]["notice"]["tone"] == "error"


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: repr(value)[:30])
async def test_a_hostile_value_in_any_place_is_an_answer_in_words(
    fake: FakeServer, deps: Deps, value: Any, caplog: pytest.LogCaptureFixture
) -> None:
    held: Held[Opened] = Held()
    good = await job(fake, deps, held)
    for place in good:
        last = (await frames(deps, held, {**good, place: value}))[-1]
        json.dumps(last)
        assert "notice" in last or last["done"]
    assert "notice" in (await frames(deps, held, value))[-1]
    assert "a handler failed" not in caplog.text
