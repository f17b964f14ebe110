"""The servers that already run on this machine, below the picker: looked for, added and removed with one click.

Only the person at this machine sees them: what listens here is nobody else's business. Shown by static/neighbours.js.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import gradio as gr

from playground.deps import Deps
from playground.errors import refused
from playground.neighbours.types import NAMES, Kind, place
from playground.types import Endpoint
from playground.ui import components, present, sidebar
from playground.ui.asking import Answer, Asked, answered, language
from playground.ui.events import ASKED
from playground.ui.host import is_host
from playground.ui.opening import Places
from playground.ui.visitor import theirs

_MARKUP = """<section class="pg-neighbours" hidden><div class="pg-neighbours-head"><h2></h2></div>
<div class="pg-neighbours-rows"></div><div class="pg-notice" aria-live="polite" hidden></div></section>"""


def build_neighbours(deps: Deps) -> Callable[[Places], None]:
    """Lay the part out; returns how it is wired to the rest of the page."""
    view = components.component("neighbours.js", _MARKUP, None, elem_id="pg-neighbours")
    once = asyncio.Lock()

    def wire(places: Places) -> None:
        async def on_ask(value: Any, who: gr.Request) -> tuple[Any, ...]:
            return await act(theirs(deps, who), once, value, who)

        view.input(on_ask, view, [view, *places.all], **ASKED)

    return wire


async def act(deps: Deps, once: asyncio.Lock, value: Any, who: Any) -> tuple[Any, ...]:
    """Do what the person at this machine asks; for everybody else nothing is looked at. Never raises."""
    return await answered(ACTIONS if is_mine(deps, who) else STRANGERS, value, deps, once)


def is_mine(deps: Deps, who: Any) -> bool:
    """Whether nobody but the person at this machine can have asked: the page must not even listen elsewhere."""
    try:
        listens = ip_address(deps.settings.host.strip("[]")).is_loopback
    except ValueError:
        listens = deps.settings.host == "localhost"
    return listens and is_host(deps.settings, who)


async def _start(deps: Deps, once: asyncio.Lock, asked: Asked) -> Answer:
    """What was found before; the first to open the page since the app's start has it looked for."""
    async with once:
        if deps.neighbourhood.found is None:
            await _look_around(deps)
    return _said(deps)


async def _look(deps: Deps, once: asyncio.Lock, asked: Asked) -> Answer:
    async with once:
        await _look_around(deps)
    return _said(deps)


async def _look_around(deps: Deps) -> None:
    engine = deps.engine
    await deps.neighbourhood.look(mine=[engine.endpoint.base_url] if engine else [])


async def _add(deps: Deps, once: asyncio.Lock, asked: Asked) -> Answer:
    async with once:
        made = await deps.add_neighbour(str(asked.get("url")))
    failure = deps.failures.get(made.name)
    # It has been added all the same: it may answer later, and can be removed.
    notice = {"notice": present.failure(failure, reader=language(asked))} if failure else {}
    return {**_said(deps), **notice}, sidebar.relisted(deps)


async def _remove(deps: Deps, once: asyncio.Lock, asked: Asked) -> Answer:
    async with once:
        await deps.remove_neighbour(str(asked.get("name")))
    return _said(deps), sidebar.relisted(deps)


async def _closed(deps: Deps, once: asyncio.Lock, asked: Asked) -> Answer:
    return {"closed": True}


async def _refused(deps: Deps, once: asyncio.Lock, asked: Asked) -> Answer:
    raise refused("host_only")


ACTIONS: dict[str, Callable[..., Any]] = {"start": _start, "look": _look, "add": _add, "remove": _remove}
STRANGERS: dict[str, Callable[..., Any]] = {**dict.fromkeys(ACTIONS, _refused), "start": _closed}


def _said(deps: Deps) -> dict[str, Any]:
    """What the panel shows: who answered, and whoever was added before and does not answer now."""
    found = deps.neighbourhood.found
    seen = found.neighbours if found else ()
    servers, kept = deps.servers.values(), {each.name for each in deps.neighbourhood.kept}
    rows = [
        {
            **_row(each.kind, each.url, _at(each.url, servers), kept),
            "version": each.version,
            "count": sum(model.writes for model in each.models),
            "locked": each.locked,
        }
        for each in seen
    ]
    answering = {place(each.url) for each in seen}
    silent = [each for each in deps.neighbourhood.kept if place(each.url) not in answering]
    rows += [{**_row(each.kind, each.url, each.name, kept), "silent": True} for each in silent]
    return {"rows": rows, "others": [f"127.0.0.1:{port}" for port in (found.others if found else ())]}


def _row(kind: Kind, url: str, name: str | None, kept: set[str]) -> dict[str, Any]:
    return {
        "title": NAMES[kind],
        "url": url,
        "place": urlsplit(url).netloc,
        "name": name,
        "kept": name in kept,
    }


def _at(url: str, servers: Any) -> str | None:
    """What the server at this address is called among those that are asked; None where none is there."""
    return next((each.name for each in servers if _is_at(each, url)), None)


def _is_at(server: Endpoint, url: str) -> bool:
    try:
        return place(server.base_url) == place(url)
    except ValueError:
        return False
