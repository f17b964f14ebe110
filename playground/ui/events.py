"""How events are bound, and which runs are under way: what every tab shares."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playground.errors import InvalidRequest, PlaygroundError

log = logging.getLogger("playground")

#: An event that answers at once and shows no spinner. Its endpoint can still be called over HTTP: handlers check all.
SILENT: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}

#: A live counter: `always_last` makes it converge on the last keystroke ("once" loses it).
LIVE: dict[str, Any] = {**SILENT, "trigger_mode": "always_last"}

#: A run that streams. Runs of different people go side by side; the model server queues, not the page.
STREAM: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}


class ActiveRuns:
    """The runs under way, by browser session and tab, so that Stop finds its own and a second Submit waits its turn."""

    def __init__(self) -> None:
        self._stops: dict[tuple[str, str], asyncio.Event] = {}

    @contextmanager
    def begin(self, session: str, tab: str) -> Iterator[asyncio.Event]:
        """The event that Stop sets. Raises InvalidRequest while the tab has a run already."""
        key = (session, tab)
        if key in self._stops:
            raise InvalidRequest("The last run has not ended yet.", hint="Stop it first, or wait for its end.")
        stop = self._stops[key] = asyncio.Event()
        try:
            yield stop
        finally:
            del self._stops[key]

    def stop(self, session: str, tab: str) -> None:
        """Ask the run to end; nothing happens where there is none."""
        stop = self._stops.get((session, tab))
        if stop is not None:
            stop.set()


def shown(error: Exception) -> PlaygroundError:
    """What the page says of an error: ours as they are, anything else without its text, which goes to the log."""
    if isinstance(error, PlaygroundError):
        return error
    log.exception("a handler failed", exc_info=error)
    return PlaygroundError("Something went wrong in the app itself.", hint="It is in the log. Try again.")
