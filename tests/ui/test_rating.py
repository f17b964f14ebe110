"""The Rate tab: over HTTP anybody can call it with anything, and nothing that it sends tells whose an answer is."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from playground.deps import Deps
from playground.ui.rating import act
from tests.fakes.rated import MODELS, put_sweep, rate_all

HOSTILE: tuple[Any, ...] = (None, True, -1, 10**400, float("nan"), "", "\x00", "\ud800", [], [[]], {}, {"a": 7}, 10**6)
ANA = {"sweep": "rated", "rater": "Ana"}
QUEUE = {"criteria": ["grammar", "context"], "cases": 3, "grouped": False, "repeats": False}


@pytest.fixture(autouse=True)
def sweep(deps: Deps) -> str:
    return put_sweep(deps.store)


async def said(deps: Deps, action: str, **asked: Any) -> dict[str, Any]:
    answer: dict[str, Any] = (await act(deps, {"action": action, "n": 1, **asked}))[0]
    return dict(json.loads(json.dumps(answer)))


async def joined(deps: Deps, rater: str = "Ana", **queue: Any) -> dict[str, Any]:
    return await said(deps, "join", sweep="rated", rater=rater, queue={**QUEUE, **queue})


async def graded(deps: Deps, now: dict[str, Any], grade: int | None = 4, **asked: Any) -> dict[str, Any]:
    """Rate the answer that is shown, and see the next."""
    grades = dict.fromkeys(now["desk"]["queue"]["criteria"], grade)
    about = {"sweep": "rated", "rater": now["desk"]["rater"], "item": now["item"]["key"], "grades": grades}
    return await said(deps, "grade", **{**about, **asked})


async def test_a_rater_goes_from_answer_to_answer_and_nothing_they_are_sent_tells_whose_it_is(deps: Deps) -> None:
    sent = [await said(deps, "sweeps"), await joined(deps)]
    while sent[-1]["item"] is not None:
        sent.append(await graded(deps, sent[-1]))
    assert [each["desk"]["done"] for each in sent[1:]] == list(range(7))
    assert sent[-1]["desk"]["finished"]
    everything = json.dumps(sent)
    for secret in (*MODELS, "secret", "temperature", '"cell"', '"number"', '"model"'):
        assert secret not in everything
    assert len({each["item"]["key"] for each in sent[1:-1]}) == 6


async def test_results_are_for_whoever_has_finished(deps: Deps) -> None:
    now = await joined(deps)
    early = await said(deps, "results", **ANA)
    assert "6 answers are left" in early["notice"]["message"]
    assert "differently" in early["notice"]["hint"]
    assert "results" not in early
    assert "file" not in await said(deps, "export", **ANA)
    while now["item"] is not None:
        now = await graded(deps, now)
    results = (await said(deps, "results", **ANA))["results"]
    assert results["raters"] == [{"rater": "Ana", "done": 6, "count": 6, "seen": True}]
    assert results["criteria"][0]["systems"][0]["name"].startswith("server/secret")
    late = await said(deps, "undo", **ANA)
    assert "can no longer change" in late["notice"]["message"]
    assert (await said(deps, "item", **ANA))["desk"]["closed"]
    assert (await said(deps, "export", **ANA))["file"]["text"].count("\r\n") == 13


async def test_somebody_who_does_not_rate_may_look(deps: Deps) -> None:
    rate_all(deps.store, "rated", "Ana", lambda place, name: 3)
    assert (await said(deps, "results", sweep="rated"))["results"]["criteria"]
    assert (await said(deps, "results", sweep="rated", language="es"))["results"]["criteria"][0][
        "alpha_says"
    ].startswith("Para ver el acuerdo")


async def test_back_later_undo_and_looking_through(deps: Deps) -> None:
    first = await joined(deps)
    second = await said(deps, "item", **ANA, item=first["item"]["key"], next=True)
    assert second["item"]["at"] == 2
    third = await graded(deps, second, 5)
    assert third["item"]["at"] == 3
    back = await said(deps, "item", **ANA, item=third["item"]["key"], step=-1)
    assert back["item"] == {**second["item"], "grades": {"grammar": 5, "context": 5}}
    undone = await said(deps, "undo", **ANA)
    assert undone["item"] == second["item"]
    assert undone["desk"]["done"] == 0
    now = await joined(deps)
    assert (now["item"], now["returned"]) == (first["item"], False)
    while now["item"] is not None:
        now = await graded(deps, now, 2)
    begin = await said(deps, "item", **ANA, review=True)
    assert (begin["item"]["at"], begin["item"]["grades"]) == (1, {"grammar": 2, "context": 2})
    places = [begin["item"]["at"]]
    while begin["item"] is not None:
        begin = await graded(deps, begin, 3, review=True)
        places.append(begin["item"] and begin["item"]["at"])
    assert places == [1, 2, 3, 4, 5, 6, None]
    assert {row.grade for row in deps.store.ratings.of("rated")} == {3}


async def test_two_windows_of_one_rater_at_once_keep_the_last_word_and_lose_nothing(deps: Deps) -> None:
    one, other = await asyncio.gather(joined(deps), joined(deps))
    assert one["item"] == other["item"]
    await graded(deps, one, 2)
    await graded(deps, other, 5)
    assert {row.grade for row in deps.store.ratings.of("rated")} == {5}
    assert deps.store.ratings.changed("rated") == 2
    away = await said(deps, "item", **ANA)
    await asyncio.gather(*(graded(deps, away, grade) for grade in (1, 2, 3)))
    assert (await said(deps, "item", **ANA))["desk"]["done"] == 2


async def test_several_people_rate_at_once_each_in_an_order_of_their_own(deps: Deps) -> None:
    async def whole(name: str) -> list[str]:
        now, order = await joined(deps, name), []
        while now["item"] is not None:
            order.append(now["item"]["answer"])
            now = await graded(deps, now)
        return order

    orders = await asyncio.gather(*map(whole, ("Ana", "Ben", "Cleo")))
    assert len({tuple(sorted(order)) for order in orders}) == 1
    assert len({tuple(order) for order in orders}) > 1


async def test_a_sweep_that_is_deleted_in_between_says_so_in_words(deps: Deps) -> None:
    now = await joined(deps)
    deps.store.sweeps.delete("rated")
    for action in ("item", "undo", "results"):
        assert "No sweep is called" in (await said(deps, action, **ANA))["notice"]["message"]
    assert "No sweep is called" in (await graded(deps, now))["notice"]["message"]
    assert "Ningún barrido" in (await said(deps, "item", **ANA, language="es"))["notice"]["message"]
    assert (await said(deps, "sweeps"))["sweeps"] == []


@pytest.mark.parametrize("field", ["sweep", "rater", "queue", "item", "grades", "comment", "step", "review", "next"])
@pytest.mark.parametrize("action", ["join", "item", "grade", "undo", "results", "export", "sweeps"])
async def test_anything_at_all_is_answered(deps: Deps, action: str, field: str) -> None:
    now = await joined(deps)
    fine = {**ANA, "queue": QUEUE, "item": now["item"]["key"], "grades": {"grammar": 3, "context": 3}}
    for value in HOSTILE:
        answer = await said(deps, action, **{**fine, field: value})
        assert answer["of"] == action
        kind = answer.get("notice", {}).get("kind")
        assert kind in (None, "InvalidRequest"), (value, answer)
    assert {row.grade for row in deps.store.ratings.of("rated")} <= {3}
