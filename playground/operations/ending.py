"""How the app ends: nothing new begins, what is under way gets its time, what is left is cut and kept."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import threading
from typing import Any

from playground.deps import Deps

log = logging.getLogger("playground")

KEPT = 10.0
"""Seconds in which cut answers are written down."""


def wait_until_told(*, grace: float) -> float:
    """Block until SIGTERM or Ctrl-C; the seconds that answers under way are given: none where a person is waiting.

    Said twice, it ends at once.
    """
    told = threading.Event()

    def on_signal(*_: Any) -> None:
        if told.is_set():
            sys.exit(1)
        told.set()

    signal.signal(signal.SIGTERM, on_signal)
    try:
        while not told.wait(1):
            pass
    except KeyboardInterrupt:
        return 0.0
    return grace


def end(deps: Deps, *, grace: float) -> None:
    """Give the answers under way up to `grace` seconds, then end them; each is kept with all that has come. Sweeps are
    paused: they go on another time. Blocks; the page answers meanwhile, and is the caller's to close."""
    for each in deps.everyone:
        if "underway" in each.__dict__:
            each.underway.pause_all()
    deps.turns.close()
    if not deps.turns.wait_until_idle(grace):
        log.warning("%d answers were still under way, and are kept as far as they came.", deps.turns.cut())
        deps.turns.wait_until_idle(KEPT)
    asyncio.run(deps.aclose())
