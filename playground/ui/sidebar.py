"""What stands beside every tab: the model picker, the parameters, the variables; and what a choice of model changes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import gradio as gr

from playground import accepts, catalog, panel
from playground.deps import Deps
from playground.picker import groups
from playground.types import EndpointKind, ModelInfo
from playground.ui import components, header, present
from playground.ui.events import LIVE, SILENT, STREAM, shown
from playground.ui.layout import Side
from playground.ui.opening import Places, Updates, nothing
from playground.ui.running import chosen
from playground.ui.visitor import theirs


def build_side(model: gr.HTML) -> Side:
    """What stands below the picker."""
    return Side(model=model, variables=components.variables(), params=components.parameter_panel())


def bind_side(
    deps: Deps, page: gr.Blocks, side: Side, lasts: Sequence[gr.HTML], toolbar: gr.HTML, places: Places
) -> None:
    """Fill the picker when the page opens and when it is asked to; let the panel follow the model and its effort."""
    # The browser remembers which model was chosen: a reload, or a new day, finds it again.
    kept = gr.BrowserState(None, storage_key="playground.model", secret="not secret")  # noqa: S106

    async def on_load(remembered: Any, who: gr.Request) -> AsyncGenerator[tuple[Any, ...]]:
        linked = header.linked_model(who.query_params.get("preset"))
        async for models, notice in load(theirs(deps, who), remembered, linked=linked):
            yield models, *([notice] * len(lasts))

    async def on_refresh(now: Any, who: gr.Request) -> tuple[Any, ...]:
        updates = [update async for update in load(theirs(deps, who), now)]
        return updates[-1][0], *([updates[-1][1]] * len(lasts))

    def on_open(who: gr.Request) -> tuple[Any, ...]:
        return open_link(theirs(deps, who), who.query_params.get("preset"))

    def on_model(model: Any, params: Any, who: gr.Request) -> Any:
        return panel_for(theirs(deps, who), model, params)

    def on_effort(model: Any, params: Any, who: gr.Request) -> Any:
        return marks_for(theirs(deps, who), model, params)

    page.load(on_load, kept, [side.model, *lasts], **STREAM)
    page.load(on_open, None, [toolbar, *places.all], **SILENT)
    side.model.select(on_refresh, side.model, [side.model, *lasts], **SILENT)
    side.model.change(on_model, [side.model, side.params], side.params, **SILENT)
    side.model.input(lambda model: model, side.model, kept, **SILENT)
    side.params.input(on_effort, [side.model, side.params], side.params, **LIVE)


async def load(deps: Deps, remembered: Any, *, linked: str = "") -> AsyncGenerator[tuple[Any, Any]]:
    """Fill the picker; while the engine still starts, say so. `remembered` is the model chosen in this browser,
    `linked` that of a shared link, which stays whether it is known here or not: a run says that, and no other answers.
    """
    if deps.engine is not None and deps.engine.state.phase != "ready":
        yield gr.skip(), {"cells": [], "notice": {"tone": "info", "key": "notice_starting"}}
    try:
        models = await deps.list_models()
        found = gr.HTML(value=linked, groups=listed(deps)) if linked else picker(deps, remembered)
        yield found, {"cells": [], "notice": _listing_notice(deps, bool(models))}
    except Exception as error:
        yield gr.skip(), {"cells": [], "notice": present.failure(shown(error))}


def picker(deps: Deps, remembered: Any) -> gr.HTML:
    """Every model of every server in groups; the remembered one is chosen, if it can still be meant."""
    first = catalog.default_model(deps.models)
    value = remembered if _is_known(deps, remembered) else first.ref if first else ""
    return gr.HTML(value=value, groups=listed(deps))


def listed(deps: Deps) -> list[dict[str, Any]]:
    """The picker's groups, of the models that are known now."""
    today = datetime.now(UTC).date()
    return [asdict(group) for group in groups(deps.models, deps.client.endpoints, today=today)]


def relisted(deps: Deps) -> Updates:
    """Updates for `Places.all`: the picker with the models that are known now."""
    updates = list(nothing())
    updates[3] = gr.HTML(groups=listed(deps))
    return tuple(updates)


def _is_known(deps: Deps, name: Any) -> bool:
    try:
        return bool(name) and chosen(deps, name).ref == name
    except Exception:
        return False


def _listing_notice(deps: Deps, any_model: bool) -> Any:
    for error in deps.failures.values():
        return present.failure(error)
    return None if any_model else {"tone": "info", "key": "no_models"}


def panel_for(deps: Deps, model: Any, params: Any) -> Any:
    """The parameter rows with the chosen model's ranges and words; the values stay."""
    found = _meant(deps, model)
    if found is None:
        return gr.skip()
    info, kind = found
    specs = panel.specs(catalog.context_length(info), accepts.offers(info.id, kind))
    return gr.HTML(specs=specs, refused=accepts.refused(info.id, kind, _effort(params)))


def marks_for(deps: Deps, model: Any, params: Any) -> Any:
    """The rows that the model refuses at the effort that is set now."""
    found = _meant(deps, model)
    return gr.skip() if found is None else gr.HTML(refused=accepts.refused(found[0].id, found[1], _effort(params)))


def _meant(deps: Deps, model: Any) -> tuple[ModelInfo, EndpointKind] | None:
    """The model of that name and its server's kind; None while a name is none: the run itself will say so."""
    try:
        info = chosen(deps, model)
        return info, deps.client.endpoints[info.endpoint].kind
    except Exception:
        return None


def _effort(params: Any) -> str | None:
    effort = params.get("reasoning_effort") if isinstance(params, dict) else None
    return effort if isinstance(effort, str) else None


def open_link(deps: Deps, query: Any) -> tuple[Any, ...]:
    """The presets' list, and the preset of a shared link where the page's address carries one."""
    updates: Updates = nothing()
    said: dict[str, Any] = {}
    try:
        said["presets"] = header.listed(deps)
        if query:
            updates = header.from_link(query)
    except Exception as error:
        said["notice"] = present.failure(shown(error))
    return (said, *updates)
