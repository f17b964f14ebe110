"""The Complete tab: one editor whose text a model continues in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import gradio as gr

from playground.errors import InvalidRequest
from playground.runner import Progress
from playground.ui import components, present
from playground.ui.layout import RunTab, run_tab
from playground.ui.running import Prepared, Tab, number

if TYPE_CHECKING:
    from playground.types import CompletionRequest


def read(value: Any) -> dict[str, Any]:
    return {"prompt": present.Page.read(value).text}


def still(value: Any, busy: bool) -> Any:
    try:
        return _numbered(value, present.Page.read(value), busy=busy)
    except InvalidRequest:
        return gr.skip()  # without a text that can be read there is none to give back


def during(value: Any, prepared: Prepared, progress: Progress) -> tuple[Any, Any]:
    """The editor with the text where it belongs, and the choices."""
    request, busy = cast("CompletionRequest", prepared.request), not progress.finished
    now = present.continued(present.Page.read(value), request, progress.state)
    return _numbered(value, now, busy=busy), present.cards(request, progress.state, busy=busy, run=number(value))


def _numbered(value: Any, page: present.Page, *, busy: bool) -> Any:
    return {**page.value(busy=busy), "run": number(value)}


TAB = Tab(mode="complete", read=read, still=still, during=during)


def build_complete() -> RunTab:
    """Lay the tab out; its events are bound by the page."""
    editor = components.editor()
    return run_tab(TAB, main=editor, shows=editor)
