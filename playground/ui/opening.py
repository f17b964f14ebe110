"""Putting something back on the page: a preset, a shared link, a run of the history. One way for all of them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from playground import panel, presets
from playground.presets import Preset
from playground.types import Mode, Run
from playground.ui.events import Visits
from playground.unicode import all_well_formed
from playground.variables import names_in

Updates = tuple[Any, ...]
"""Values for `Places.all`, in its order."""


class Places:
    """The components that something is put into: the three editors, the sidebar, and what opens the tab; and the visits
    that the page remembers, for what runs apart from the editors.
    """

    def __init__(
        self, editors: Mapping[Mode, gr.HTML], side: Sequence[gr.HTML], opener: gr.HTML, visits: Visits
    ) -> None:
        self.editors = dict(editors)
        self.model, self.params, self.variables = side
        self.visits = visits
        self.all = [editors["complete"], editors["chat"], editors["edit"], *side, opener]


def nothing() -> Updates:
    """Nothing changes. Made anew each time: Gradio writes into what it is given."""
    return tuple(gr.skip() for _ in range(7))


def opened(preset: Preset, *, output: str = "") -> Updates:
    """Updates for `Places.all` that show `preset` in its tab; what it does not say stays as it is on the page."""
    load = uuid.uuid4().hex  # the scripts take a value with a new `load` as one to show
    editors: dict[Mode, Any] = {"complete": gr.skip(), "chat": gr.skip(), "edit": gr.skip()}
    if preset.mode == "complete":
        end = len(preset.text.encode("utf-16-le", "surrogatepass")) // 2
        marks = [[end, end + len(output.encode("utf-16-le", "surrogatepass")) // 2]] if output else []
        editors["complete"] = {"text": preset.text + output, "marks": marks, "busy": False, "load": load}
    elif preset.mode == "chat":
        editors["chat"] = {"system": preset.system, "messages": list(preset.messages), "load": load}
    else:
        written = {"input": preset.input, "instruction": preset.instruction, "output": output}
        editors["edit"] = {**written, "load": load}
    model = preset.model or gr.skip()
    variables = {**preset.variables, "load": load} if preset.variables else gr.skip()
    return (*editors.values(), model, dict(preset.params), variables, {"mode": preset.mode, "load": load})


def model_opened(mode: Mode, model: str, params: Mapping[str, Any] | None = None) -> Updates:
    """Updates for `Places.all` that choose `model`, and set `params` where given; what is written in the tab stays."""
    editors, load = (gr.skip() for _ in range(3)), uuid.uuid4().hex
    return (*editors, model, dict(params) if params else gr.skip(), gr.skip(), {"mode": mode, "load": load})


def gathered(mode: Any, name: str, editors: Mapping[str, Any], model: Any, params: Any, variables: Any) -> Preset:
    """What the page holds in `mode`, as a preset. Everything comes from the browser: raises InvalidRequest."""
    main = editors.get(mode)
    held = main if isinstance(main, Mapping) else {}
    written = {field: held[field] for field in _FIELDS[mode] if field in held}
    given = variables if isinstance(variables, Mapping) else {}
    said = {
        **written,
        "format": "playground-preset",
        "version": 1,
        "name": name,
        "mode": mode,
        "model": model or None,
        "params": {k: v for k, v in params.items() if v is not None} if isinstance(params, Mapping) else {},
        # Those of this tab's texts: the page remembers the other tabs' values, too.
        "variables": {name: given[name] for name in sorted(names_in(written)) if given.get(name)},
    }
    return presets.from_json(all_well_formed({k: v for k, v in said.items() if v not in (None, "", [], {})}))


_FIELDS = {"complete": ("text",), "chat": ("system", "messages"), "edit": ("input", "instruction")}


def from_run(run: Run) -> Updates:
    """A run of the history back in its tab, its answer with it."""
    asked, answer = run.request, run.choices[0] if run.choices else None
    text = answer.text if answer else ""
    preset = Preset(
        id="",
        name="",
        mode=run.mode,
        model=f"{run.endpoint}/{run.model}",
        params=panel.panel_values(asked, run.mode),
        variables=dict(asked.get("variables") or {}),
        **_written(run, text, [call.body() for call in answer.tool_calls] if answer else []),
    )
    return opened(preset, output=text if run.mode != "chat" else "")


def _written(run: Run, text: str, calls: list[dict[str, Any]]) -> dict[str, Any]:
    asked = run.request
    if run.mode == "complete":
        return {"text": str(asked.get("prompt") or "")}
    if run.mode == "edit":
        return {"input": str(asked.get("input") or ""), "instruction": str(asked.get("instruction") or "")}
    messages = list(asked.get("messages") or ())
    system = ""
    if messages and messages[0].get("role") == "system" and isinstance(messages[0].get("content"), str):
        system = messages.pop(0)["content"]
    if text or calls:
        messages.append({"role": "assistant", "content": text, **({"tool_calls": calls} if calls else {})})
    return {"system": system, "messages": tuple(messages)}
