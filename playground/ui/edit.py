"""The Edit tab: an instruction and an input make an output, over chat; what changed is marked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from playground import editing
from playground.errors import refused
from playground.runner import Progress
from playground.ui import components, present
from playground.ui.layout import RunTab, run_tab
from playground.ui.running import Prepared, Tab, no_text, number


def read(value: Any) -> dict[str, Any]:
    about = value if isinstance(value, Mapping) else {}
    text, instruction = about.get("input"), about.get("instruction")
    if not isinstance(text, str) or not isinstance(instruction, str):
        raise refused("no_text_to_edit", param="messages")
    return {"messages": editing.messages(instruction, text)}


def check(value: Any) -> None:
    if not value.get("instruction", "").strip():
        raise refused("no_instruction", param="messages")


def kept(value: Any) -> dict[str, Any]:
    return {"input": value.get("input", ""), "instruction": value.get("instruction", "")}


def during(value: Any, prepared: Prepared, progress: Progress) -> tuple[Any, Any]:
    choices = progress.state.choices()
    now = {"run": number(value), "busy": not progress.finished, "text": choices[0].text if choices else ""}
    return now, present.cards(prepared.request, progress.state, busy=not progress.finished, run=number(value))


TAB = Tab(mode="edit", read=read, still=no_text, during=during, check=check, kept=kept)


def build_edit() -> RunTab:
    """Lay the tab out; its events are bound by the page."""
    return run_tab(TAB, main=components.edit(), shows=components.answer("edited"))
