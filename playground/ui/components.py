"""The project's own components: one `gr.HTML` each, its script beside it in `static/`. Values are plain JSON.

The scripts build DOM nodes and set `textContent`; nothing that a model or a person wrote is ever read as HTML.
"""

from __future__ import annotations

from dataclasses import asdict
from importlib.resources import files
from typing import Any

import gradio as gr

from playground.parameters import Parameter, ranges_for
from playground.ui.strings import TABLES

#: Parameters that open under "More parameters": needed now and then, not at every run.
RARE = frozenset({"best_of", "seed", "logit_bias", "echo", "suffix", "user"})

START: dict[str, Any] = {"temperature": 1.0, "max_tokens": 256, "top_p": 1.0}
"""What is set when the page is opened for the first time; everything else is unset."""

_ICON_UNDO = (
    '<svg width="18" height="18" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" '
    'stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d="M9 14 4 9l5-5"/>'
    '<path d="M4 9h10a6 6 0 0 1 0 12h-3"/></svg>'
)
_ICON_AGAIN = (
    '<svg width="18" height="18" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" '
    'stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d="M21 12a9 9 0 1 1-2.6-6.4L21 8"/>'
    '<path d="M21 3v5h-5"/></svg>'
)
_EDITOR = f"""<div class="pg-editor"><div class="pg-paper"><div class="pg-stack">
<div class="pg-back" aria-hidden="true"></div>
<textarea class="pg-front" spellcheck="false" autocomplete="off"></textarea></div></div>
<div class="pg-bar-actions">
<button type="button" class="pg-submit"><span class="pg-submit-label"></span><kbd></kbd></button>
<button type="button" class="pg-icon pg-undo">{_ICON_UNDO}</button>
<button type="button" class="pg-icon pg-again">{_ICON_AGAIN}</button></div></div>"""
_METER = (
    '<div class="pg-meter"><div class="pg-notice" aria-live="polite" hidden></div><div class="pg-cells"></div></div>'
)
_CHOICES = """<div class="pg-choices" hidden><div class="pg-cards"></div><div class="pg-legend" hidden>
<span data-say="unlikely"></span><i data-shade="4"></i><i data-shade="3"></i><i data-shade="2"></i>
<i data-shade="1"></i><i data-shade="0"></i><span data-say="likely"></span></div></div>"""


def static(name: str) -> str:
    return files("playground.ui").joinpath("static", name).read_text(encoding="utf-8")


def _component(script: str, markup: str, value: Any, **props: Any) -> gr.HTML:
    return gr.HTML(
        value,
        html_template=markup,
        js_on_load=static(script),
        apply_default_css=False,
        strings=TABLES,
        **props,
    )


def editor() -> gr.HTML:
    """`{text, marks: [[start, end], …], busy}`; positions in UTF-16 units, as the browser counts."""
    return _component("editor.js", _EDITOR, {"text": "", "marks": [], "busy": False}, elem_id="pg-editor")


def parameter_panel() -> gr.HTML:
    """`{name: value or None}`. `specs` are the rows, `describe(ranges_for(…))`."""
    return _component("params.js", '<div class="pg-params"></div>', dict(START), specs=specs(None), elem_id="pg-params")


def choices() -> gr.HTML:
    """`{cards: [{index, text, finish, tokens}], keep, busy, echo}`."""
    return _component("choices.js", _CHOICES, {"cards": []}, elem_id="pg-choices")


def meter(elem_id: str) -> gr.HTML:
    """`{cells: [{key, text, note, tone, title}], notice}`."""
    return _component("meter.js", _METER, {"cells": []}, elem_id=elem_id)


def specs(context_length: int | None) -> list[dict[str, Any]]:
    """The parameter rows for a model with this context, as the panel's script reads them."""
    return [_row(p) for p in ranges_for(context_length)]


def _row(parameter: Parameter) -> dict[str, Any]:
    return {**asdict(parameter), "more": parameter.name in RARE}
