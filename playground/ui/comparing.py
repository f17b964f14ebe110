"""Several models, or one with several settings, asked one thing at once: they stream side by side and stop together."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from playground import panel
from playground.deps import Deps
from playground.runner import Progress
from playground.types import Run
from playground.ui import chat, present
from playground.ui.events import Visit
from playground.ui.running import Inputs, Prepared, Tab, no_text, submit

FRAME = 0.04
"""Seconds between two updates of the page, whichever column has something new."""
LEAST, MOST = 2, 6
"""Columns side by side."""
ONE_ANSWER = ("n", "best_of", "echo", "logprobs")
"""What is not sent from a column: it shows one answer, and as text."""
Column = dict[str, Any]


async def side_by_side(
    deps: Deps, tab: Tab, visit: Visit, columns: Sequence[Inputs], stop: asyncio.Event
) -> AsyncGenerator[list[Column]]:
    """All columns as often as there is something new, and at the end: {text, reasoning, calls, finish, run, busy,
    notice, cells} each. A column that fails says so and stops no other; `stop` ends all.

    Each is kept in the history as a run of its own. Closing this ends what still runs.
    """
    shown: list[Column] = [{**_NOTHING, "busy": True} for _ in columns]
    changed = asyncio.Event()

    async def one(place: int, inputs: Inputs, column: Column) -> None:
        try:
            async with aclosing(submit(deps, tab, visit, inputs, key=_key(place))) as updates:
                async for now, _, line in updates:
                    column.update(now, notice=line.get("notice"), cells=_own(line["cells"]))
                    column["busy"] = True
                    changed.set()
        finally:
            column["busy"] = False
            changed.set()

    async def stopped() -> None:
        await stop.wait()
        for place in range(len(columns)):
            visit.stop(_key(place))

    tasks = [asyncio.ensure_future(one(*each)) for each in zip(range(len(columns)), columns, shown, strict=True)]
    stopping = asyncio.ensure_future(stopped())
    try:
        while not all(task.done() for task in tasks):
            await changed.wait()
            changed.clear()
            yield [dict(column) for column in shown]
            await asyncio.sleep(FRAME)
    finally:
        for task in (*tasks, stopping):
            task.cancel()
        await asyncio.gather(*tasks, stopping, return_exceptions=True)
    yield [dict(column) for column in shown]


_NOTHING: Column = {"text": "", "reasoning": "", "calls": [], "finish": None, "run": "", "notice": None, "cells": []}


def _key(place: int) -> str:
    """What the visit knows a column's run by."""
    return f"column {place}"


def _own(cells: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Without the session's total, which is no column's."""
    return [cell for cell in cells if cell["key"] != "session"]


def _during(value: Any, prepared: Prepared, progress: Progress) -> tuple[Any, Any]:
    choices = progress.state.choices()
    said = present.answer(choices[0]) if choices else {}
    return {**said, "run": progress.run.id}, None


def _prompt(value: Any) -> dict[str, Any]:
    """Raises InvalidRequest where no text came."""
    return {"prompt": present.Page.read(value).text}


TABS: dict[Any, Tab] = {
    "complete": Tab(mode="complete", read=_prompt, still=no_text, during=_during),
    "chat": Tab(mode="chat", read=chat.read, still=no_text, during=_during),
}
"""How a column runs: as a prompt that is continued, or as a conversation that is answered."""


def settings(base: Any, own: Any) -> dict[str, Any]:
    """The panel's values with a column's own in their place; what makes several answers of one is left out."""
    values = {**(base if isinstance(base, Mapping) else {}), **(own if isinstance(own, Mapping) else {})}
    return {name: value for name, value in values.items() if name not in ONE_ANSWER}


def from_runs(runs: Sequence[Run]) -> dict[str, Any]:
    """Runs of the history as columns, over what the first of them asked."""
    first = runs[0]
    kind = "complete" if first.mode == "complete" else "chat"
    asked: dict[str, Any] = {"text": str(first.request.get("prompt") or "")}
    if kind == "chat":
        messages = list(first.request.get("messages") or ())
        begins = bool(messages) and messages[0].get("role") == "system" and isinstance(messages[0].get("content"), str)
        asked = {"system": messages.pop(0)["content"] if begins else "", "messages": messages}
    columns = [
        {"model": f"{run.endpoint}/{run.model}", "params": settings({}, panel.panel_values(run.request, run.mode))}
        for run in runs
    ]
    return {"kind": kind, **asked, "columns": columns, "whole": True}


def systems(runs: Sequence[Run]) -> list[str]:
    """What the votes on these runs count for: each run's model, with the parameters that not all of them share.

    Of runs that are alike in both, the second and later ones are numbered.
    """
    values = [settings({}, panel.panel_values(run.request, run.mode)) for run in runs]
    names = [name for name in panel.NAMES if len({json.dumps(each.get(name)) for each in values}) > 1]
    told = []
    seen: Counter[str] = Counter()
    for run, own in zip(runs, values, strict=True):
        label = " · ".join([f"{run.endpoint}/{run.model}", *(f"{name} {_shown(own.get(name))}" for name in names)])
        seen[label] += 1
        told.append(label if seen[label] == 1 else f"{label} ({seen[label]})")
    return told


def _shown(value: Any) -> str:
    if value is None:
        return "–"
    text = value if isinstance(value, str) else f"{value:g}" if type(value) is float else json.dumps(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
