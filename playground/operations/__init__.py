"""How the app is kept running: whether it is ready, what it counts, what it logs, how it ends."""

from __future__ import annotations

from playground.operations.ending import end, wait_until_told
from playground.operations.files import allow_many_connections
from playground.operations.logs import REQUEST_ID, install_logs
from playground.operations.metrics import Metrics
from playground.operations.readiness import Readiness
from playground.operations.watched import watch

__all__ = [
    "REQUEST_ID",
    "Metrics",
    "Readiness",
    "allow_many_connections",
    "end",
    "install_logs",
    "wait_until_told",
    "watch",
]
