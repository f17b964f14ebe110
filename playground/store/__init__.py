"""Where all that stays is kept, from runs to ratings. The only package that knows a database is behind it."""

from __future__ import annotations

from playground.store.accounts import AccountRow
from playground.store.batches import BatchKind, Part, PartState
from playground.store.datasets import DatasetRow
from playground.store.history import Filter, LatencyRow, UsageRow
from playground.store.ledger import Cap, Charge, Measure, Period, Spent, Verdict
from playground.store.presets import PresetRow
from playground.store.ratings import RaterRow, RatingRow, RatingState
from playground.store.records import Cursor, Listed
from playground.store.store import HOST, Store
from playground.store.sweeps import JUDGING, Matching, Output, OutputStatus, Place, SweepRow, SweepState, judging_id
from playground.store.votes import Shown, VoteRow

__all__ = [
    "HOST",
    "JUDGING",
    "AccountRow",
    "BatchKind",
    "Cap",
    "Charge",
    "Cursor",
    "DatasetRow",
    "Filter",
    "LatencyRow",
    "Listed",
    "Matching",
    "Measure",
    "Output",
    "OutputStatus",
    "Part",
    "PartState",
    "Period",
    "Place",
    "PresetRow",
    "RaterRow",
    "RatingRow",
    "RatingState",
    "Shown",
    "Spent",
    "Store",
    "SweepRow",
    "SweepState",
    "UsageRow",
    "Verdict",
    "VoteRow",
    "judging_id",
]
