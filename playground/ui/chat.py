"""The Chat tab: SYSTEM, and the conversation beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from playground.errors import InvalidRequest
from playground.messages import MAX_MESSAGES
from playground.runner import Progress
from playground.ui import components, present
from playground.ui.layout import RunTab, run_tab
from playground.ui.running import Prepared, Tab


def read(value: Any) -> dict[str, Any]:
    """The messages as they stand, the system message first. Raises InvalidRequest where they are no conversation."""
    about = value if isinstance(value, Mapping) else {}
    system, messages = about.get("system", ""), about.get("messages")
    if not isinstance(system, str) or not isinstance(messages, list) or len(messages) > MAX_MESSAGES:
        raise InvalidRequest("The conversation did not arrive.", param="messages", hint="Reload the page.")
    if not all(isinstance(message, dict) and isinstance(message.get("role"), str) for message in messages):
        raise InvalidRequest("A message of the conversation has no role.", param="messages", hint="Reload the page.")
    first = [{"role": "system", "content": system}] if system.strip() else []
    return {"messages": [*first, *messages]}


def still(value: Any, busy: bool) -> Any:
    return {"run": _number(value), "busy": busy, "text": ""}


def during(value: Any, prepared: Prepared, progress: Progress) -> tuple[Any, Any]:
    """The answer so far, and the choices where there are several or probabilities were asked for."""
    busy, several = not progress.finished, (prepared.request.n or 1) > 1
    beside = present.cards(prepared.request, progress.state, busy=busy)
    now: dict[str, Any] = {"run": _number(value), "busy": busy, "text": ""}
    choices = progress.state.choices()
    if several:
        return {**now, "several": bool(choices)}, beside
    if choices:
        first = choices[0]
        now.update(text=first.text, reasoning=first.reasoning, calls=present.calls(first), finish=first.finish_reason)
    return now, beside


def _number(value: Any) -> int:
    """Which run the page is waiting for."""
    number = value.get("run") if isinstance(value, Mapping) else None
    return number if type(number) is int else 0


TAB = Tab(mode="chat", read=read, still=still, during=during)


def build_chat() -> RunTab:
    """Lay the tab out; its events are bound by the page."""
    conversation = components.conversation()
    return run_tab(TAB, main=conversation, shows=components.answer("answer"))
