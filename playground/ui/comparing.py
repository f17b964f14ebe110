"""One prompt answered by a job's base, one of its checkpoints and its final model, side by side as they stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any

from playground import catalog
from playground.deps import Deps
from playground.errors import refused
from playground.runner import Progress
from playground.types import Mode
from playground.ui import present
from playground.ui.asking import Asked, language
from playground.ui.events import Visit, shown
from playground.ui.result_jobs import Opened
from playground.ui.running import Inputs, Prepared, Tab, chosen, no_text, submit

FRAME = 0.04
"""Seconds between two updates of the page, whichever column has something new."""
COMPARED = "compare"
"""What a visit knows this run by."""
Column = dict[str, Any]


async def compared(deps: Deps, visit: Visit, held: Callable[[Any], Opened], value: Any) -> AsyncGenerator[Any]:
    """{n, columns: [{model, text, busy, notice}]} as the answers grow, then the same with `done`. Never raises.

    `visit.stop(COMPARED)` ends all three. Each is kept in the history as a run of its own.
    """
    asked = value if isinstance(value, Mapping) else {}
    n = asked.get("n")
    try:
        async with visit.begin(COMPARED) as stop:
            names, inputs, tab = _prepared(deps, held(asked.get("id")), asked)
            columns: list[Column] = [{"model": name, "text": "", "busy": True, "notice": None} for name in names]
            async with aclosing(_streamed(deps, tab, names, inputs, columns, stop)) as frames:
                async for _ in frames:
                    yield {"n": n, "columns": [dict(column) for column in columns]}
            yield {"n": n, "columns": columns, "done": True}
    except Exception as error:
        yield {"n": n, "notice": present.failure(shown(error), reader=language(asked))}


async def _streamed(
    deps: Deps, tab: Tab, names: list[str], inputs: Mapping[str, Any], columns: list[Column], stop: asyncio.Event
) -> AsyncGenerator[None]:
    """Runs all columns at once; yields when there is something new. Closing it ends what still runs."""
    visits, changed = [Visit() for _ in names], asyncio.Event()

    async def one(name: str, visit: Visit, column: Column) -> None:
        main = Inputs(inputs["prompt"], name, inputs["params"])
        try:
            async with aclosing(submit(deps, tab, visit, main)) as updates:
                async for now, _, line in updates:
                    column.update(text=now["text"], notice=line.get("notice"))
                    changed.set()
        finally:
            column["busy"] = False
            changed.set()

    async def stopped() -> None:
        await stop.wait()
        for visit in visits:
            visit.stop(tab.mode)

    tasks = [asyncio.ensure_future(one(*each)) for each in zip(names, visits, columns, strict=True)]
    stopping = asyncio.ensure_future(stopped())
    try:
        while not all(task.done() for task in tasks):
            await changed.wait()
            changed.clear()
            yield
            await asyncio.sleep(FRAME)
    finally:
        for task in (*tasks, stopping):
            task.cancel()
        await asyncio.gather(*tasks, stopping, return_exceptions=True)


def _prepared(deps: Deps, file: Opened, asked: Asked) -> tuple[list[str], dict[str, Any], Tab]:
    """The models, what each is sent, and how. Raises InvalidRequest."""
    number, prompt, stop = asked.get("checkpoint"), asked.get("prompt"), asked.get("stop")
    if file.job is None or type(number) is not int or not 0 <= number < len(file.checkpoints):
        raise refused("no_checkpoint", param="checkpoint")
    if not isinstance(prompt, str) or not prompt.strip():
        raise refused("no_prompt", param="prompt")
    models = (file.job.base, file.checkpoints[number].model, file.job.fine_tuned_model or "")
    names = [f"{file.server}/{model}" for model in models]
    mode: Mode = "complete" if catalog.completes(chosen(deps, names[1])) else "chat"
    params = {"temperature": 0, "max_tokens": asked.get("most"), "stop": [stop] if stop else None}
    tab = Tab(mode=mode, read=_READ[mode], still=no_text, during=_during)
    return names, {"prompt": prompt, "params": params}, tab


_READ: dict[Mode, Callable[[Any], dict[str, Any]]] = {
    "complete": lambda prompt: {"prompt": prompt},
    "chat": lambda prompt: {"messages": [{"role": "user", "content": prompt}]},
}


def _during(value: Any, prepared: Prepared, progress: Progress) -> tuple[Any, Any]:
    choices = progress.state.choices()
    return {"text": choices[0].text if choices else ""}, None
