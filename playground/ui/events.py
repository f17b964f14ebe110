"""How events are bound, and what the page remembers of each visit: what every tab shares."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeGuard

import gradio as gr

from playground.accepts import Learned
from playground.errors import PlaygroundError, refused
from playground.types import Run
from playground.ui.visitor import session
from playground.words import Said

log = logging.getLogger("playground")

#: An event that answers at once and shows no spinner. Its endpoint can still be called over HTTP: handlers check all.
SILENT: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}

#: An event that asks for something: each is answered, also while the answer to another is under way.
ASKED: dict[str, Any] = {**SILENT, "trigger_mode": "multiple"}

#: A live counter: `always_last` makes it converge on the last keystroke ("once" loses it).
LIVE: dict[str, Any] = {**SILENT, "trigger_mode": "always_last"}

#: A run that streams. Runs of different people go side by side; the model server queues, not the page. "multiple": a
#: Submit behind a run whose end has not arrived must not be dropped in silence ("once" does); `Visit.begin` answers it.
STREAM: dict[str, Any] = {
    "show_progress": "hidden",
    "api_visibility": "private",
    "concurrency_limit": None,
    "trigger_mode": "multiple",
}

REMEMBERED = 1_000
"""Visits; what is forgotten of an older one is its total and what servers refused in it, both learned anew."""


ENDING = 5.0
"""Seconds that a new run waits for the end of one that has been stopped."""


@dataclass(frozen=True, slots=True)
class Underway:
    """A run that has not ended: what Stop sets, and what its end sets."""

    stop: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Visit:
    """One open page: its runs under way by tab, what it has used, and what servers refused in it."""

    runs: dict[str, Underway] = field(default_factory=dict)
    tokens: int = 0
    cost: Decimal = Decimal(0)
    learned: Learned = field(default_factory=Learned)

    @asynccontextmanager
    async def begin(self, tab: str) -> AsyncIterator[asyncio.Event]:
        """The event that Stop sets. Raises InvalidRequest while the tab has a run that nobody has stopped."""
        await self._end_of_a_stopped_run(tab)
        if tab in self.runs:
            raise refused("still_running")
        run = self.runs[tab] = Underway()
        try:
            yield run.stop
        finally:
            del self.runs[tab]
            run.ended.set()

    async def _end_of_a_stopped_run(self, tab: str) -> None:
        before = self.runs.get(tab)
        if before is not None and before.stop.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(before.ended.wait(), ENDING)

    def stop(self, tab: str) -> None:
        """Ask the run to end; nothing happens where there is none."""
        if tab in self.runs:
            self.runs[tab].stop.set()

    def add(self, run: Run) -> None:
        self.tokens += run.usage.total_tokens if run.usage else 0
        self.cost += run.cost or 0


class Visits:
    """The visits by Gradio's session hash. A visit with a run under way is never forgotten."""

    def __init__(self) -> None:
        self._visits: OrderedDict[str, Visit] = OrderedDict()

    def of(self, who: gr.Request | None) -> Visit:
        # Whose it is goes with it: a hash that somebody else has seen stops nothing of theirs.
        known = session(who)
        key = f"{known.account if known else ''}:{(who.session_hash if who else None) or ''}"
        visit = self._visits.setdefault(key, Visit())
        self._visits.move_to_end(key)
        if len(self._visits) > REMEMBERED:
            idle = next((k for k, v in self._visits.items() if not v.runs and v is not visit), None)
            if idle is not None:
                del self._visits[idle]
        return visit


def is_id(value: Any) -> TypeGuard[str]:
    """Whether this can be the id of a run or a preset."""
    return isinstance(value, str) and value.isascii() and 0 < len(value) <= 64


def shown(error: Exception) -> PlaygroundError:
    """What the page says of an error: ours as they are, anything else without its text, which goes to the log."""
    if isinstance(error, PlaygroundError):
        return error
    log.exception("a handler failed", exc_info=error)
    return PlaygroundError(Said("error.unexpected"), hint=Said("error_hint.unexpected"))
