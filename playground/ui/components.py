"""The project's own components: one `gr.HTML` each, its script beside it in `static/`. Values are plain JSON.

The scripts build DOM nodes and set `textContent`; nothing that a model or a person wrote is ever read as HTML.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import gradio as gr

from playground import panel
from playground.ui.strings import TABLES

_SUBMIT = '<button type="button" class="pg-submit"><span class="pg-submit-label"></span><kbd></kbd></button>'
_UNDO = '<button type="button" class="pg-icon pg-undo"></button><button type="button" class="pg-icon pg-redo"></button>'

_EDITOR = f"""<div class="pg-editor"><div class="pg-paper"><div class="pg-stack">
<div class="pg-back" aria-hidden="true"></div>
<textarea class="pg-front" spellcheck="false" autocomplete="off"></textarea></div></div>
<div class="pg-bar-actions">{_SUBMIT}{_UNDO}<button type="button" class="pg-icon pg-again"></button></div></div>"""

_CONVERSATION = f"""<div class="pg-conversation"><div class="pg-system"><div class="pg-system-label"></div>
<textarea class="pg-system-text" spellcheck="false" autocomplete="off"></textarea></div>
<div class="pg-thread"><div class="pg-messages"></div><button type="button" class="pg-add"></button>
<div class="pg-bar-actions">{_SUBMIT}{_UNDO}<button type="button" class="pg-icon pg-new"></button></div></div></div>"""

_EDIT = f"""<div class="pg-edit"><div class="pg-edit-pair"><div><label for="pg-edit-in"></label>
<textarea id="pg-edit-in" class="pg-edit-input" spellcheck="false" autocomplete="off"></textarea></div>
<div><div class="pg-edit-head"><span class="pg-edit-output-label"></span>
<button type="button" class="pg-keep pg-edit-plain"></button>
<button type="button" class="pg-keep pg-edit-use"></button></div>
<div class="pg-edit-output" tabindex="0" role="region"></div></div></div>
<label for="pg-edit-how"></label>
<textarea id="pg-edit-how" class="pg-edit-instruction" rows="3" spellcheck="false" autocomplete="off"></textarea>
<div class="pg-bar-actions">{_SUBMIT}{_UNDO}</div></div>"""

_COMPARE = f"""<div class="pg-versus"><div class="pg-versus-ask"></div>
<div class="pg-versus-bar"><div class="pg-bar-actions">{_SUBMIT}{_UNDO}</div></div>
<div class="pg-versus-sum pg-cells"></div>
<div class="pg-notice" aria-live="polite" hidden></div><div class="pg-versus-columns"></div>
<div class="pg-versus-vote" hidden></div><div class="pg-versus-total pg-cells"></div>
<details class="pg-versus-wins"><summary></summary><div></div></details></div>"""

_METER = (
    '<div class="pg-meter"><div class="pg-notice" aria-live="polite" hidden></div><div class="pg-cells"></div></div>'
)
_CHOICES = """<div class="pg-choices" hidden><div class="pg-cards"></div><div class="pg-legend" hidden>
<span data-say="unlikely"></span><i data-shade="4"></i><i data-shade="3"></i><i data-shade="2"></i>
<i data-shade="1"></i><i data-shade="0"></i><span data-say="likely"></span></div></div>"""

_PICKER = """<div class="pg-picker"><label for="pg-picker-input"></label><div class="pg-picker-box">
<input id="pg-picker-input" class="pg-picker-input" type="text" role="combobox" aria-expanded="false"
 aria-controls="pg-picker-list" aria-autocomplete="list" autocomplete="off" spellcheck="false"></div>
<div id="pg-picker-list" class="pg-picker-list" role="listbox" hidden></div>
<div class="pg-picker-about" aria-live="polite"></div></div>"""


_SHARED = (
    "shared.js",
    "tree.js",
    "pictures.js",
    "message.js",
    "param_row.js",
    "model_box.js",
    "said.js",
    "compare_ask.js",
    "compare_column.js",
    "files.js",
    "price.js",
    "vendor/uPlot-1.6.32.min.js",
    "charts.js",
    "job_model.js",
    "job.js",
    "library_rows.js",
    "sweep_parts.js",
    "sweep_outputs.js",
    "sweep_run.js",
    "sweep_form.js",
    "sweep_figures.js",
    "evaluate_form.js",
    "evaluate_table.js",
    "rating_item.js",
    "rating_results.js",
    "dataset_made.js",
    "dataset_rows.js",
    "dataset_case.js",
    "dataset_import.js",
    "result_charts.js",
    "result_tables.js",
    "result_dialog.js",
)


def static(name: str) -> str:
    return files("playground.ui").joinpath("static", name).read_text(encoding="utf-8")


def head() -> str:
    """What the page's head holds: the words in both languages, and the scripts that the components share."""
    words = json.dumps(TABLES, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    scripts = (f"window.playgroundStrings = {words}", *map(static, _SHARED))
    return static("head.html") + "".join(f"<script>{script}</script>" for script in scripts)


def style() -> str:
    return static("vendor/uPlot-1.6.32.min.css") + static("style.css") + static("datasets.css") + static("sweep.css")


def component(script: str, markup: str, value: Any, **props: Any) -> gr.HTML:
    """One of ours: `static/<script>` over `markup`."""
    return gr.HTML(
        value,
        html_template=markup,
        js_on_load=static(script),
        apply_default_css=False,
        **props,
    )


def editor() -> gr.HTML:
    """`{text, marks: [[start, end], …], busy}`; positions in UTF-16 units, as the browser counts."""
    return component("editor.js", _EDITOR, {"text": "", "marks": [], "busy": False}, elem_id="pg-editor")


def conversation() -> gr.HTML:
    """`{system, messages, run, continues}`: the messages in OpenAI's shape."""
    return component("conversation.js", _CONVERSATION, {"system": "", "messages": []}, elem_id="pg-conversation")


def edit() -> gr.HTML:
    """`{input, instruction, run}`."""
    return component("edit.js", _EDIT, {"input": "", "instruction": ""}, elem_id="pg-edit")


def compare(*, least: int, most: int) -> gr.HTML:
    """`{kind, text | system, messages, columns: [{model, params}]}`: from `least` to `most` columns."""
    return component("compare.js", _COMPARE, {}, least=least, most=most, elem_id="pg-compare")


def answer(event: str) -> gr.HTML:
    """What a run has said so far, told to the editor beside it as the event `playground:<event>`. Shows nothing."""
    return component("answer.js", "<span hidden></span>", None, event=event, elem_classes="pg-hidden")


def parameter_panel() -> gr.HTML:
    """`{name: value or None}`. `specs` are the rows, `refused` those that the model does not take, and why."""
    markup = '<div class="pg-params"></div>'
    return component("params.js", markup, dict(panel.START), specs=panel.specs(None), refused={}, elem_id="pg-params")


def model_picker() -> gr.HTML:
    """`endpoint/model`. `groups` are the models of all servers."""
    return component("picker.js", _PICKER, "", groups=[], elem_id="pg-model")


def variables() -> gr.HTML:
    """`{name: text}`: the values of the open tab's {{names}}."""
    markup = '<div class="pg-variables" hidden><h2></h2></div>'
    return component("variables.js", markup, {}, elem_id="pg-variables")


def choices(scope: str) -> gr.HTML:
    """`{cards: [{index, text, finish, tokens, calls}], keep, busy, echo, run}`; `scope`: which tab's editor listens."""
    return component("choices.js", _CHOICES, {"cards": []}, scope=scope, elem_id=f"pg-choices-{scope}")


def meter(elem_id: str, scope: str) -> gr.HTML:
    """`{cells: [{key, text, note, tone, title}], notice}`."""
    return component("meter.js", _METER, {"cells": []}, scope=scope, elem_id=elem_id)
