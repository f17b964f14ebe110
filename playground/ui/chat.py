"""The Chat tab: SYSTEM, and the conversation beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from playground.errors import refused
from playground.messages import check_count
from playground.runner import Progress
from playground.ui import components, present
from playground.ui.layout import RunTab, run_tab
from playground.ui.running import Prepared, Tab, no_text, number


def read(value: Any) -> dict[str, Any]:
    """The messages as they stand, the system message first. Raises InvalidRequest where they are no conversation."""
    about = value if isinstance(value, Mapping) else {}
    system, messages = about.get("system", ""), about.get("messages")
    if not isinstance(system, str) or not isinstance(messages, list):
        raise refused("no_conversation", param="messages")
    check_count(messages)  # before each of them is looked at
    if not all(isinstance(message, dict) and isinstance(message.get("role"), str) for message in messages):
        raise refused("message_no_role", param="messages")
    first = [{"role": "system", "content": system}] if system.strip() else []
    return {"messages": [*first, *messages]}


def during(value: Any, prepared: Prepared, progress: Progress) -> tuple[Any, Any]:
    """The answer so far, and the choices where there are several or probabilities were asked for."""
    busy = not progress.finished
    now: dict[str, Any] = {"run": number(value), "busy": busy, "text": ""}
    choices = progress.state.choices()
    if (prepared.request.n or 1) > 1:
        # While they arrive they are cards; at the end the conversation takes all of them in, as branches.
        now["several"] = [] if busy else [{"index": choice.index, **present.answer(choice)} for choice in choices]
    elif choices:
        now.update(present.answer(choices[0]))
    return now, present.cards(prepared.request, progress.state, busy=busy, run=number(value))


TAB = Tab(mode="chat", read=read, still=no_text, during=during)


def build_chat() -> RunTab:
    """Lay the tab out; its events are bound by the page."""
    conversation = components.conversation()
    return run_tab(TAB, main=conversation, shows=components.answer("answer"))
