"""Where runs, presets and votes are kept. The only package that knows a database is behind it."""

from __future__ import annotations

from playground.store.history import Filter, LatencyRow, UsageRow
from playground.store.presets import PresetRow
from playground.store.records import Cursor, Listed
from playground.store.store import Store
from playground.store.votes import Shown, VoteRow

__all__ = ["Cursor", "Filter", "LatencyRow", "Listed", "PresetRow", "Shown", "Store", "UsageRow", "VoteRow"]
