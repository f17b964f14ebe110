"""What every tab that runs a model has beneath its editor, and how its events are bound."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground.deps import Deps
from playground.ui import components, running
from playground.ui.events import ASKED, LIVE, SILENT, STREAM, Visits
from playground.ui.running import Inputs, Outputs, Tab
from playground.ui.visitor import theirs


@dataclass(frozen=True, slots=True)
class Side:
    """What stands beside all tabs and goes into every run."""

    model: gr.HTML
    params: gr.HTML
    variables: gr.HTML


@dataclass(frozen=True, slots=True)
class RunTab:
    """A tab's components. `main` is what a person writes in, `shows` where the answer goes: often the same."""

    tab: Tab
    main: gr.HTML
    shows: gr.HTML
    counter: gr.HTML
    last: gr.HTML
    choices: gr.HTML


def run_tab(tab: Tab, *, main: gr.HTML, shows: gr.HTML) -> RunTab:
    """Lay out what stands below `main`: the counter, the last run's line, the choices."""
    return RunTab(
        tab=tab,
        main=main,
        shows=shows,
        counter=components.meter(f"pg-next-{tab.mode}", tab.mode),
        last=components.meter(f"pg-last-{tab.mode}", tab.mode),
        choices=components.choices(tab.mode),
    )


def bind(deps: Deps, visits: Visits, built: RunTab, side: Side) -> None:
    """Submit, Stop and the live counter of one tab."""
    tab, inputs = built.tab, [built.main, side.model, side.params, side.variables]

    async def on_submit(main: Any, model: Any, params: Any, variables: Any, who: gr.Request) -> AsyncGenerator[Outputs]:
        given = Inputs(main, model, params, variables)
        async with aclosing(running.submit(theirs(deps, who), tab, visits.of(who), given)) as updates:
            async for update in updates:
                yield update

    async def on_count(main: Any, model: Any, params: Any, variables: Any, who: gr.Request) -> Any:
        return await running.count(theirs(deps, who), tab, Inputs(main, model, params, variables))

    async def on_stop(who: gr.Request) -> None:
        visits.of(who).stop(tab.mode)

    ran = built.main.submit(on_submit, inputs, [built.shows, built.choices, built.last], **STREAM)
    ran.then(on_count, inputs, built.counter, **SILENT)
    built.main.stop(on_stop, None, None, **ASKED)
    # The open tab's script sends this also when model, parameters or variables have changed: no other tab counts then.
    built.main.input(on_count, inputs, built.counter, **LIVE)
