"""Where runs and presets are kept. The only package that knows a database is behind it."""

from __future__ import annotations

from playground.store.history import Filter, LatencyRow, UsageRow
from playground.store.presets import PresetRow
from playground.store.records import Cursor, Listed
from playground.store.store import Store

__all__ = ["Cursor", "Filter", "LatencyRow", "Listed", "PresetRow", "Store", "UsageRow"]
