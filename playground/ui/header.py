"""The header: presets, View code with the effective request, Share."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from playground import presets, words
from playground.deploy.bundle import folder_name, zipped
from playground.deploy.frozen import freeze
from playground.deploy.making import make
from playground.deps import Deps
from playground.errors import InvalidRequest, refused
from playground.export import Language, code
from playground.presets import Preset
from playground.types import CompletionRequest
from playground.ui import comparing, components, present
from playground.ui.events import ASKED, Visit, Visits, is_id, shown
from playground.ui.layout import RunTab
from playground.ui.opening import Places, Updates, gathered, nothing, opened
from playground.ui.running import Inputs, chosen, prepare
from playground.ui.visitor import theirs

_TOOLBAR = """<div class="pg-toolbar"><h1><svg width="22" height="22" viewBox="0 0 24 24" fill="none"
 stroke="currentColor" stroke-width="2" stroke-linecap="round" aria-hidden="true"><path d="M4 7h10M4 12h16M4 17h7"/>
<path d="M17 15v6M14 18h6"/></svg>Playground</h1><div class="pg-toolbar-right"></div>
<dialog class="pg-dialog"></dialog></div>"""


def build_header() -> gr.HTML:
    """`{action, mode, …}` to the server; `{presets, dialog, notice}` from it."""
    return components.component("toolbar.js", _TOOLBAR, {"presets": []}, elem_id="pg-toolbar")


def bind_header(deps: Deps, visits: Visits, toolbar: gr.HTML, tabs: Mapping[str, RunTab], places: Places) -> None:
    """Every action of the header is one event; what it changes on the page goes to `places`."""

    async def on_action(
        value: Any, complete: Any, chat: Any, edit: Any, model: Any, params: Any, variables: Any, who: gr.Request
    ) -> tuple[Any, ...]:
        editors = {"complete": complete, "chat": chat, "edit": edit}
        if isinstance(value, Mapping) and value.get("action") == "deploy":
            return (
                await deploy(theirs(deps, who), tabs, visits.of(who), value, editors, model, params, variables),
                *nothing(),
            )
        return act(theirs(deps, who), tabs, visits.of(who), value, editors, model, params, variables)

    toolbar.input(on_action, [toolbar, *places.all[:6]], [toolbar, *places.all], **ASKED)


def act(
    deps: Deps,
    tabs: Mapping[str, RunTab],
    visit: Visit,
    value: Any,
    editors: Mapping[str, Any],
    model: Any,
    params: Any,
    variables: Any,
) -> tuple[Any, ...]:
    """Do what the header asks; returns the toolbar's value and the updates of the page. Never raises."""
    asked = value if isinstance(value, Mapping) else {}
    action = asked.get("action")
    try:
        asked, page = _of_column(asked, _Page(tabs, visit, editors, model, params, variables))
        do = _ACTIONS.get(action if isinstance(action, str) else "")
        if do is None:
            raise refused("no_action")
        said, updates = do(deps, asked, page)
        return ({"presets": listed(deps), **said}, *updates)
    except Exception as error:
        return ({"presets": _listed_or_none(deps), "notice": present.failure(shown(error))}, *nothing())


async def deploy(
    deps: Deps,
    tabs: Mapping[str, RunTab],
    visit: Visit,
    asked: Mapping[str, Any],
    editors: Mapping[str, Any],
    model: Any,
    params: Any,
    variables: Any,
) -> dict[str, Any]:
    """The open tab as a zip of Python that runs by itself. Never raises."""
    try:
        name = _name(asked) if asked.get("name") else "Playground"
        asked, page = _of_column(asked, _Page(tabs, visit, editors, model, params, variables))
        preset = page.preset(asked.get("mode"), name)
        info = chosen(deps, page.model)
        frozen = freeze(preset, info=info, endpoint=deps.client.endpoints[info.endpoint], learned=visit.learned)
        language: words.Language = "es" if asked.get("language") == "es" else "en"
        folder = folder_name(frozen)
        data = zipped(await make(deps, frozen, language=language), folder=folder)
        return {"file": {"name": f"{folder}.zip", "base64": base64.b64encode(data).decode()}}
    except Exception as error:
        return {"notice": present.failure(shown(error))}


@dataclass(frozen=True, slots=True)
class _Page:
    """What the page holds, as it was sent."""

    tabs: Mapping[str, RunTab]
    visit: Visit
    editors: Mapping[str, Any]
    model: Any
    params: Any
    variables: Any

    def preset(self, mode: Any, name: str) -> Preset:
        if not isinstance(mode, str) or mode not in self.tabs:
            raise refused("open_editor", hint="preset_of_editor")
        return gathered(mode, name, self.editors, self.model, self.params, self.variables)


def _of_column(asked: Mapping[str, Any], page: _Page) -> tuple[Mapping[str, Any], _Page]:
    """Of Compare, one column as if it were the open tab: its question, its model, and what it is sent with."""
    column = asked.get("column")
    if asked.get("mode") != "compare" or not isinstance(column, Mapping):
        return asked, page
    kind = column.get("kind")
    if not isinstance(kind, str) or kind not in comparing.TABS:
        raise refused("no_action")
    params = comparing.settings(page.params, column.get("params"))
    page = replace(page, editors={kind: column}, model=column.get("model"), params=params)
    return {**asked, "mode": kind}, page


Said = tuple[dict[str, Any], Updates]


def _load(deps: Deps, asked: Mapping[str, Any], page: _Page) -> Said:
    preset = _found(deps, asked)
    return {"done": "preset_loaded", "name": preset.name}, opened(preset)


def _save(deps: Deps, asked: Mapping[str, Any], page: _Page) -> Said:
    preset = page.preset(asked.get("mode"), _name(asked))
    same = next((row for row in deps.store.presets() if row.name == preset.name), None)
    id_ = same.id if same and asked.get("replace") is True else preset.id
    deps.store.save_preset(id_, preset.name, presets.to_json(preset))
    return {"done": "preset_saved", "name": preset.name}, nothing()


def _rename(deps: Deps, asked: Mapping[str, Any], page: _Page) -> Said:
    preset = replace(_found(deps, asked), name=_name(asked))
    presets.from_json(presets.to_json(preset))  # the name is checked as any preset's
    deps.store.rename_preset(preset.id, preset.name)
    return {"done": "preset_renamed", "name": preset.name}, nothing()


def _delete(deps: Deps, asked: Mapping[str, Any], page: _Page) -> Said:
    preset = _found(deps, asked)
    deps.store.delete_preset(preset.id)
    return {"done": "preset_deleted", "name": preset.name}, nothing()


def _export(deps: Deps, asked: Mapping[str, Any], page: _Page) -> Said:
    if asked.get("id"):
        chosen = [_found(deps, asked)]
    else:
        chosen = [_stored(row.id, row.content) for row in deps.store.presets()]
        if not chosen:
            raise refused("no_own_presets")
    name = presets.file_name(chosen[0]) if len(chosen) == 1 else "playground-presets.json"
    return {"file": {"name": name, "text": presets.dump(chosen)}}, nothing()


def _import(deps: Deps, asked: Mapping[str, Any], page: _Page) -> Said:
    text = asked.get("text")
    if not isinstance(text, str):
        raise refused("no_presets_file")
    found = presets.load(text)
    taken = {row.name for row in deps.store.presets()}
    clash = next((preset.name for preset in found if preset.name in taken), None)
    if clash is not None:
        raise refused("preset_clash", name=repr(clash))
    deps.store.save_presets([(preset.id, preset.name, presets.to_json(preset)) for preset in found])
    return {"done": "presets_imported", "name": str(len(found))}, opened(found[0]) if len(found) == 1 else nothing()


def _share(deps: Deps, asked: Mapping[str, Any], page: _Page) -> Said:
    preset = page.preset(asked.get("mode"), _name(asked) if asked.get("name") else "Shared")
    return {"dialog": {"kind": "share", "query": presets.to_link(preset)}}, nothing()


def _code(deps: Deps, asked: Mapping[str, Any], page: _Page) -> Said:
    mode = str(asked.get("mode"))
    if mode not in page.tabs:
        raise refused("open_editor", hint="code_of_editor")
    inputs = Inputs(page.editors.get(mode), page.model, page.params, page.variables)
    prepared = prepare(deps, page.tabs[mode].tab, page.visit, inputs)
    endpoint = deps.client.endpoints[prepared.info.endpoint]
    path = "/completions" if isinstance(prepared.request, CompletionRequest) else "/chat/completions"
    body = prepared.request.body()
    languages: tuple[Language, ...] = ("python", "curl", "javascript")
    return {
        "dialog": {
            "kind": "code",
            "path": f"POST {endpoint.base_url.rstrip('/')}{path}",
            "request": json.dumps(body, indent=2, ensure_ascii=False),
            "left_out": [[left.param, left.reason] for left in prepared.left_out],
            "codes": {each: code(each, path=path, body=body, endpoint=endpoint, stream=False) for each in languages},
        }
    }, nothing()


_ACTIONS: dict[str, Callable[[Deps, Mapping[str, Any], _Page], Said]] = {
    "list": lambda deps, asked, page: ({}, nothing()),
    "load": _load,
    "save": _save,
    "rename": _rename,
    "delete": _delete,
    "export": _export,
    "import": _import,
    "share": _share,
    "code": _code,
}


def listed(deps: Deps) -> list[dict[str, Any]]:
    """The examples that come with Playground, then one's own, without their contents."""
    own = [{"id": row.id, "name": row.name, "mode": row.content.get("mode")} for row in deps.store.presets()]
    examples = [
        {"id": p.id, "name": p.name, "mode": p.mode, "language": p.language, "builtin": True, "about": p.description}
        for p in presets.builtin()
    ]
    return [*examples, *own]


def _listed_or_none(deps: Deps) -> list[dict[str, Any]]:
    try:
        return listed(deps)
    except Exception:
        return []


def _found(deps: Deps, asked: Mapping[str, Any]) -> Preset:
    id_ = asked.get("id")
    example = next((preset for preset in presets.builtin() if preset.id == id_), None)
    if example is not None:
        if asked.get("action") in ("rename", "delete"):
            raise refused("preset_example")
        return example
    row = deps.store.preset(id_) if is_id(id_) else None
    if row is None:
        raise refused("preset_gone")
    return _stored(row.id, row.content)


def _stored(id_: str, content: Mapping[str, Any]) -> Preset:
    return replace(presets.from_json(content), id=id_)


def _name(asked: Mapping[str, Any]) -> str:
    name = asked.get("name")
    if not isinstance(name, str) or not name.strip():
        raise refused("preset_no_name", param="name")
    return name.strip()


def linked_model(query: Any) -> str:
    """The model of a shared link; "" where the page was opened without one, or with one that cannot be read."""
    try:
        return presets.from_link(query).model or "" if isinstance(query, str) and query else ""
    except InvalidRequest:
        return ""


def from_link(query: Any) -> Updates:
    """The updates that open a shared link's preset. Raises InvalidRequest."""
    return opened(presets.from_link(query if isinstance(query, str) else ""))
