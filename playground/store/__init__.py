"""Where runs are kept. The only package that knows a database is behind it."""

from __future__ import annotations

from playground.store.records import Cursor
from playground.store.store import Store

__all__ = ["Cursor", "Store"]
