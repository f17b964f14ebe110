"""A fine-tuning job's results.csv as data: its columns, where they stand, and the last and best value of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from playground.errors import refused
from playground.finetune.results_columns import Axis, Format, Meaning
from playground.words import Said

Floats = NDArray[np.float64]

HIDDEN_TOKENS = 2
"""End tokens that OpenAI's token accuracy reportedly counts with every completion, and that are nearly always right."""


class Point(NamedTuple):
    step: float
    value: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Column:
    """One measured column: `values` has NaN where the file has nothing. `ends_infinite`: infinite from some row on."""

    name: str
    meaning: Meaning
    values: Floats
    ends_infinite: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Results:
    """A results file. `axes` says where each row stands; `step` is always there. `notes` says what was repaired.

    All arrays have one entry a row, in the order of the steps, and cannot be written to.
    """

    format: Format
    axes: Mapping[Axis, Floats]
    columns: Mapping[str, Column]
    notes: tuple[Said, ...] = ()

    @property
    def steps(self) -> Floats:
        return self.axes["step"]

    @property
    def validation_points(self) -> int:
        """In how many rows anything was measured on validation data."""
        any_: NDArray[np.bool_] = np.zeros(len(self.steps), dtype=bool)
        for column in self.columns.values():
            if column.meaning.side == "validation":
                any_ |= np.isfinite(column.values)
        return int(any_.sum())

    def first(self, kind: str, side: str) -> Column | None:
        """The first column of this kind and side that holds any value."""
        wanted = (c for c in self.columns.values() if (c.meaning.kind, c.meaning.side) == (kind, side))
        return next((column for column in wanted if np.isfinite(column.values).any()), None)


def last(results: Results, column: Column) -> Point | None:
    """The last value that was measured; None where none was."""
    at = np.flatnonzero(np.isfinite(column.values))
    return _point(results, column, at[-1]) if len(at) else None


def best(results: Results, column: Column) -> Point | None:
    """The lowest loss, or the highest accuracy or classification measure, where first reached.

    None where nothing was measured, and of a column of which we do not know whether more is better.
    """
    if column.meaning.kind == "other" or not np.isfinite(column.values).any():
        return None
    at = np.nanargmin(column.values) if column.meaning.kind == "loss" else np.nanargmax(column.values)
    return _point(results, column, at)


def _point(results: Results, column: Column, at: np.intp) -> Point:
    return Point(float(results.steps[at]), float(column.values[at]))


class Floor(NamedTuple):
    """What token accuracy cannot fall below for a wrong answer, and why."""

    value: float
    why: Said


def accuracy_floor(completion_tokens: int) -> Floor:
    """The token accuracy (0 to 1) that a completion of `completion_tokens` scores when every token of it is wrong.

    OpenAI's accuracy reportedly counts two end tokens that nobody sees, so a wrong label of one token scores 2/3. This
    was observed by people who trained classifiers, and never documented; there are files of the current API whose
    validation accuracy falls to 0 all the same. Raises InvalidRequest below one token.
    """
    if completion_tokens < 1:
        raise refused("no_token", param="completion_tokens")
    value = HIDDEN_TOKENS / (completion_tokens + HIDDEN_TOKENS)
    return Floor(value, Said("accuracy_floor", {"tokens": completion_tokens, "floor": value}))
