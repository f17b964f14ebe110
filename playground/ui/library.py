"""Models for this machine: what is offered, what is here, how it comes and goes. Only the person at it sees them.

What is under way lives in `deps.library`: a reload of the page, or a second window, shows the same. Drawn by
static/library.js and library_rows.js, below the picker.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from playground import catalog
from playground.deps import Deps
from playground.errors import refused
from playground.library import Library
from playground.memory import UNKNOWN, available_bytes, total_bytes
from playground.ui import components, library_rows, sidebar
from playground.ui.asking import Answer, Asked, answered, language
from playground.ui.events import ASKED
from playground.ui.host import is_host
from playground.ui.opening import Places, Updates
from playground.ui.visitor import theirs

_MARKUP = """<div class="pg-library" hidden><dialog class="pg-dialog pg-library-dialog"></dialog></div>"""


def build_library(deps: Deps) -> Callable[[Places], None]:
    """Lay the part out where there is an engine to run models; returns how it is wired to the rest of the page."""
    if deps.engine is None:
        return lambda places: None
    view = components.component("library.js", _MARKUP, {}, elem_id="pg-library")

    def wire(places: Places) -> None:
        async def on_ask(value: Any, who: gr.Request) -> tuple[Any, ...]:
            return await act(theirs(deps, who), value, who)

        view.input(on_ask, view, [view, *places.all], **ASKED)

    return wire


async def act(deps: Deps, value: Any, who: Any) -> tuple[Any, ...]:
    """Do what is asked where the person at this machine asks. Never raises."""
    return await answered(ACTIONS if is_host(deps.settings, who) else STRANGERS, value, deps)


async def _state(deps: Deps, asked: Asked) -> Answer:
    """What is here and what is coming; with `open`, as the panel shows it: the offers and the machine too."""
    opened = asked.get("open") is True
    if opened and _engine_answers(deps):
        await deps.relist(_engine(deps))
    return await asyncio.to_thread(_told, deps, asked, opened)


def _told(deps: Deps, asked: Asked, opened: bool) -> dict[str, Any]:
    library = deps.library
    infos = [info for info in deps.models if info.endpoint == _engine(deps)]
    said: dict[str, Any] = {
        "host": True,
        "models": library_rows.models(infos, library.installed(), default=catalog.EMBEDDED),
        "downloads": [library_rows.download(each, reader=language(asked)) for each in library.downloads()],
    }
    return {**said, **_offered(library, deps.settings.model_memory, asked)} if opened else said


def _offered(library: Library, most: int | None, asked: Asked) -> dict[str, Any]:
    total, free = _known(total_bytes()), _known(available_bytes())
    offline = library.offline()
    return {
        "offers": [library_rows.offer(each, total=total, free=free, most=most) for each in library.offers()],
        "machine": {"total": total, "free": free, "most": most, "disk": _disk(library.folder)},
        "offline": " ".join(filter(None, offline.texts(language(asked)))) if offline else "",
    }


def _known(bytes_: int) -> int | None:
    return bytes_ if bytes_ < UNKNOWN else None


def _disk(folder: Path) -> int | None:
    """Bytes that are free where models are kept, or will be."""
    there = next((each for each in (folder, *folder.parents) if each.is_dir()), None)
    return shutil.disk_usage(there).free if there else None


def _pull(deps: Deps, asked: Asked) -> Answer:
    begun = deps.library.pull(_text(asked, "source"), accept=asked.get("accept") is True)
    return {"begun": begun.id}


def _pause(deps: Deps, asked: Asked) -> Answer:
    return {"changed": deps.library.pause(_text(asked, "id")).id}


def _resume(deps: Deps, asked: Asked) -> Answer:
    return {"changed": deps.library.resume(_text(asked, "id")).id}


def _cancel(deps: Deps, asked: Asked) -> Answer:
    """Stop it, delete what has come, and speak of it no more."""
    deps.library.cancel(_text(asked, "id"))
    deps.library.dismiss(_text(asked, "id"))
    return {"changed": _text(asked, "id")}


async def _remove(deps: Deps, asked: Asked) -> Answer:
    """The engine is asked first where it runs: it knows whether the model is answering."""
    id = _text(asked, "id")
    await asyncio.to_thread(deps.library.remove, id)
    return {"removed": f"{_engine(deps)}/{id}", "base": _base(deps)}, await _listed(deps)


async def _use(deps: Deps, asked: Asked) -> Answer:
    """The picker with a model that is here, which the script then chooses."""
    id = _text(asked, "id")
    await deps.engine_ready()
    updates = await _listed(deps)
    ref = f"{_engine(deps)}/{id}"
    if all(info.ref != ref for info in deps.models):
        raise refused("model_not_served", param="model", model=id[:100])
    return {"use": ref}, updates


async def _list(deps: Deps, asked: Asked) -> Answer:
    """The picker anew, where something has come or gone."""
    return {"listed": True}, await _listed(deps)


async def _listed(deps: Deps) -> Updates:
    if _engine_answers(deps):
        await deps.relist(_engine(deps))
    return sidebar.relisted(deps)


def _visitor(deps: Deps, asked: Asked) -> Answer:
    return {"host": False}


def _refuse(deps: Deps, asked: Asked) -> Answer:
    raise refused("host_only")


ACTIONS: dict[str, Callable[..., Any]] = {
    "state": _state,
    "pull": _pull,
    "pause": _pause,
    "resume": _resume,
    "cancel": _cancel,
    "remove": _remove,
    "use": _use,
    "list": _list,
}
STRANGERS: dict[str, Callable[..., Any]] = {**dict.fromkeys(ACTIONS, _refuse), "state": _visitor}


def _engine(deps: Deps) -> str:
    return deps.engine.endpoint.name if deps.engine else ""


def _base(deps: Deps) -> str:
    """What is chosen in the place of a model that was removed: the first that the engine lists, which is its own."""
    return next((info.ref for info in deps.models if info.endpoint == _engine(deps)), "")


def _engine_answers(deps: Deps) -> bool:
    return deps.engine is not None and deps.engine.state.phase == "ready"


def _text(asked: Asked, name: str) -> str:
    """What was sent under that name, where it is text."""
    given = asked.get(name)
    return given if isinstance(given, str) else ""
