"""The Compare tab: two to six columns, each with its model and settings, asked one thing at once; and blind votes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any
from uuid import uuid4

import gradio as gr
from anyio import to_thread

from playground import panel
from playground.deps import Deps
from playground.errors import PlaygroundError, refused
from playground.evaluate import votes_out
from playground.evaluate.metrics.human import Vote, WinRate, win_rates
from playground.store import Shown, VoteRow
from playground.types import EndpointKind, Run
from playground.ui import blind, compare_cost, components, present
from playground.ui.asking import Answer, Asked, answered, language
from playground.ui.comparing import LEAST, MOST, TABS, settings, side_by_side, systems
from playground.ui.events import ASKED, SILENT, STREAM, Visit, is_id, shown
from playground.ui.opening import Places, model_opened
from playground.ui.running import Inputs, chosen, foreseen
from playground.ui.visitor import theirs

COMPARED = "compare"
"""What a visit knows the whole comparison by."""

NEXT = ("prompt", "expected", "worst")
"""What is said of a column's next run."""


def build_compare(deps: Deps) -> Callable[[Places], None]:
    """Lay the tab out; returns how it is wired to the rest of the page."""
    view = components.compare(least=LEAST, most=MOST)
    answers = components.answer("compared")

    def wire(places: Places) -> None:
        async def on_ask(value: Any, variables: Any, who: gr.Request) -> tuple[Any, ...]:
            return await act(theirs(deps, who), value, variables)

        async def on_submit(value: Any, params: Any, variables: Any, who: gr.Request) -> AsyncGenerator[Any]:
            async with aclosing(compared(theirs(deps, who), places.visits.of(who), value, params, variables)) as frames:
                async for frame in frames:
                    yield frame

        def on_stop(who: gr.Request) -> None:
            places.visits.of(who).stop(COMPARED)

        view.input(on_ask, [view, places.variables], [view, *places.all], **ASKED)
        view.submit(on_submit, [view, places.params, places.variables], answers, **STREAM)
        view.stop(on_stop, None, None, **SILENT)

    return wire


async def compared(deps: Deps, visit: Visit, value: Any, params: Any, variables: Any) -> AsyncGenerator[Any]:
    """{n, id, columns} as the answers grow, then the same with `done` and the session's cells. Never raises.

    Of a `blind` round {n, id, ended, of} until its end (`blind.py`).

    `visit.stop(COMPARED)` ends all columns.
    """
    asked = value if isinstance(value, Mapping) else {}
    about = {"n": asked.get("n"), "id": uuid4().hex}
    is_blind = asked.get("blind") is True
    try:
        async with visit.begin(COMPARED) as stop:
            columns = _columns(asked, params, variables)
            now: list[Any] = []
            async with aclosing(side_by_side(deps, TABS[asked["kind"]], visit, columns, stop)) as frames:
                async for now in frames:
                    yield {**about, **(blind.progress(now) if is_blind else {"columns": now})}
            last = blind.sealed(now, stopped=stop.is_set()) if is_blind else {"columns": now}
            cost = await to_thread.run_sync(compare_cost.spent, deps, [column["run"] for column in now])
            cells = [*cost, present.session_cell(visit.tokens, visit.cost)]
            yield {**about, **last, "cells": cells, "done": True}
    except Exception as error:
        yield {**about, "notice": present.failure(shown(error), reader=language(asked))}


def _columns(asked: Asked, params: Any, variables: Any) -> list[Inputs]:
    """What each column is sent. What is wrong with one of them it says itself; raises InvalidRequest of all."""
    kind, given = asked.get("kind"), asked.get("columns")
    if not isinstance(given, list) or not LEAST <= len(given) <= MOST:
        raise refused("compare_columns", param="columns", least=LEAST, most=MOST)
    if not isinstance(kind, str) or kind not in TABS:
        raise refused("no_action")
    told = TABS[kind].read(asked).values()
    if not any(told):
        raise refused("no_prompt", param="prompt", hint="compare_prompt")
    each = [column if isinstance(column, Mapping) else {} for column in given]
    return [Inputs(asked, column.get("model"), settings(params, column.get("params")), variables) for column in each]


async def act(deps: Deps, value: Any, variables: Any = None) -> tuple[Any, ...]:
    """Do what the tab asks; its value and the page's updates. Never raises."""
    asked = {**value, "variables": variables} if isinstance(value, Mapping) else value
    return await answered(_ACTIONS, asked, deps)


async def _estimate(deps: Deps, asked: Asked) -> Answer:
    """What the next run of each column reads and may cost: its cells, as the counters below the editors have them; and
    what all cost together."""
    tab = TABS[str(asked.get("kind"))] if str(asked.get("kind")) in TABS else TABS["chat"]
    columns = _columns(asked, asked.get("params"), asked.get("variables"))
    told = [await foreseen(deps, tab, inputs) for inputs in columns]
    kinds = [_kind(deps, inputs.model) for inputs in columns]
    return {
        "next": [[cell for cell in line["cells"] if cell["key"] in NEXT] for line, _ in told],
        "sum": compare_cost.foreseen(kinds, [estimate for _, estimate in told], deps.settings.price_as),
    }


def _kind(deps: Deps, model: Any) -> EndpointKind:
    """A model that cannot be found has no price that anybody knows."""
    try:
        return deps.client.kind_of(chosen(deps, model).endpoint)
    except PlaygroundError:
        return "compatible"


def _use(deps: Deps, asked: Asked) -> Answer:
    """A column's model and settings beside Chat or Complete, whichever it ran as."""
    kind, model, params = asked.get("kind"), asked.get("model"), asked.get("params")
    if not isinstance(kind, str) or kind not in TABS or not isinstance(model, str) or not isinstance(params, Mapping):
        raise refused("no_action")
    panel.api_values(params, TABS[kind].mode)
    return {}, model_opened(TABS[kind].mode, model, params)


def _vote(deps: Deps, asked: Asked) -> Answer:
    """Keep which of the answers is best; nobody could know whose they were."""
    id_, names, chosen = asked.get("id"), _names(asked), asked.get("chosen")
    if (
        not is_id(id_)
        or len(names) < LEAST
        or not (chosen is None or (type(chosen) is int and 0 <= chosen < len(names)))
    ):
        raise refused("no_vote", param="chosen")
    runs = [deps.store.run(name) for name in names]
    whole = [run for run in runs if run is not None and run.status != "running"]
    if len({run.id for run in whole}) < len(names) or any(_asked(run) != _asked(whole[0]) for run in whole):
        raise refused("no_vote", param="runs")
    kept = [Shown(run.id, system) for run, system in zip(whole, systems(whole), strict=True)]
    if not deps.store.save_vote(id_, kept, chosen):
        raise refused("voted", param="id")
    return {"voted": id_, "standings": standings(deps.store.votes()), "opened": blind.opened(deps, whole)}


def _names(asked: Asked) -> list[str]:
    given = asked.get("runs")
    return given if isinstance(given, list) and len(given) <= MOST and all(map(is_id, given)) else []


def _open(deps: Deps, asked: Asked) -> Answer:
    """Whose the answers of a blind round are, without a vote."""
    return {"opened": blind.opened(deps, blind.runs_of(deps, _names(asked)))}


def _asked(run: Run) -> Any:
    return run.request.get("prompt"), run.request.get("messages")


def _standings(deps: Deps, asked: Asked) -> Answer:
    return {"standings": standings(deps.store.votes())}


def _export(deps: Deps, asked: Asked) -> Answer:
    """All votes as a file, CSV or JSON."""
    if asked.get("format") == "json":
        return {"file": {"name": "votes.json", "text": votes_out.to_json(deps.store.votes())}}
    return {"file": {"name": "votes.csv", "text": votes_out.to_csv(deps.store.votes())}}


def _forget(deps: Deps, asked: Asked) -> Answer:
    deps.store.delete_votes()
    return {"standings": standings([])}


def standings(votes: list[VoteRow]) -> list[dict[str, Any]]:
    """Win rates with Wilson's 95 % intervals, best first: {system, wins, decided, ties, rate, low, high, chance}."""
    cast = []
    for vote in votes:
        names = tuple(each.system for each in vote.shown)
        cast.append(Vote(names, None if vote.chosen is None else names[vote.chosen]))
    found = win_rates(cast)
    order = sorted(found.items(), key=lambda each: (-(each[1].rate.value if each[1].rate else -1), -each[1].decided))
    return [_standing(system, rate) for system, rate in order]


def _standing(system: str, won: WinRate) -> dict[str, Any]:
    rate = won.rate
    return {
        "system": system,
        "wins": won.wins,
        "decided": won.decided,
        "ties": won.ties,
        "rate": rate and rate.value,
        "low": rate and rate.low,
        "high": rate and rate.high,
        "chance": won.chance,
    }


_ACTIONS: dict[str, Callable[[Deps, Asked], Any]] = {
    "estimate": _estimate,
    "use": _use,
    "vote": _vote,
    "open": _open,
    "standings": _standings,
    "export": _export,
    "forget": _forget,
}
