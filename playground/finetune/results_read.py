"""results.csv → Results: pandas' C reader over the whole file, and line by line only to say what is wrong with it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from playground.errors import InvalidRequest
from playground.finetune.results import Column, Floats, Results
from playground.finetune.results_columns import AXES, Axis, format_of, meaning
from playground.finetune.results_text import HINT, MOST_COLUMNS, Table, shown, table
from playground.finetune.table import wrong
from playground.words import Said

NANS = ("nan", "NaN", "NAN")
MISSING = ("", "N/A", "n/a", "NA", "null", "None", *NANS, *(f"-{nan}" for nan in NANS))
"""Cells that hold nothing. The NaNs among them are noted: something was measured, and came out as no number."""

_COMMA = str.maketrans(",.", ".,")
_TRUTH = ("rue", "RUE", "alse", "ALSE")
_PLAIN = b'0123456789.+-eE,;\t\r\n" '
"""What a file has that holds numbers and empty cells only."""

#: What pandas reads as a number: of ASCII digits only, and without the underscores that Python allows.
#: Without a way back (`++`): 200,000 digits and a letter would otherwise be tried in as many ways squared.
_NUMBER = re.compile(r"[+-]?(?:(?:\d++\.?\d*+|\.\d++)(?:[eE][+-]?\d++)?|inf(?:inity)?)", re.ASCII | re.IGNORECASE)


def read(data: bytes) -> Results:
    """The results in a file's bytes. Raises InvalidRequest, naming line and column where a cell is no number.

    Missing are empty cells, N/A and the like; NaN and infinite ones, with a note; and −1, with a note, in a loss, an
    accuracy or a classification column that has no other negative value: those measures cannot be negative, and the
    legacy API writes −1 for "not measured". In other columns −1 is a number like any other.
    Rows without a step are left out and rows out of order put in order, each with a note.
    """
    found = table(data)
    names, notes = _names(found.names)
    frame, more = _parsed(found, names)
    arrays = {name: frame[number].to_numpy() for number, name in enumerate(names) if name}
    rows, about_rows = _rows(next(values for name, values in arrays.items() if name.lower() == "step"))
    notes += [*more, *_nan_notes(found), *about_rows]
    axes: dict[Axis, Floats] = {}
    columns: dict[str, Column] = {}
    for name, values in arrays.items():
        values = values if rows is None else values[rows]
        axis = AXES.get(name.lower())
        # Elapsed examples or tokens that do not stand in every row cannot place them; then they are a column like any.
        if axis and np.isfinite(values).all():
            axes[axis] = _locked(values)
        else:
            columns[name], about = _column(name, values)
            notes += about
    notes += [*found.notes]
    return Results(format=format_of(list(arrays)), axes=axes, columns=columns, notes=tuple(notes))


def _names(header: Sequence[str]) -> tuple[list[str], list[Said]]:
    """The columns' names, each its own; "" for one without a name, which is left out (pandas' index, a last comma)."""
    names: list[str] = []
    notes = []
    for name in header:
        unique, count = name, 2
        while unique and unique.lower() in (other.lower() for other in names):
            unique, count = f"{name} ({count})", count + 1
        if unique != name:
            notes.append(Said("note.renamed", {"name": name, "new": unique}))
        names.append(unique)
    if "" in names:
        notes.append(Said("note.unnamed", {"count": names.count("")}))
    return names, notes


def _parsed(found: Table, names: list[str]) -> tuple[pd.DataFrame, list[Said]]:
    """Every cell as a float. Where pandas finds one that is none, the lines are looked at one by one."""
    notes = [] if found.separator == "," else [Said("note.separator")]
    layout = _layout(found)
    try:
        frame = _frame(found, layout)
        beyond = frame.iloc[:, len(names) :].notna().any(axis=None)
        # pandas reads True and False as 1 and 0 where a column has nothing else.
        if not beyond and not _count(found, _TRUTH):
            return frame, notes
    except (ValueError, OverflowError):  # pandas' own errors are ValueErrors
        pass
    repeated = _inspect(found, layout, names)
    try:
        frame = _frame(found, layout, skip=repeated)
    except (ValueError, OverflowError) as error:
        raise _unreadable(repeated[0]) from error
    steps = frame[[name.lower() for name in names].index("step")].to_numpy()
    if not (steps[1:] > steps[:-1]).all():
        raise wrong("two_results", line=repeated[0])
    return frame, [*notes, Said("note.repeated_header", {"line": repeated[0], "count": len(repeated)})]


class _Layout(NamedTuple):
    """`width`: as many cells as the header has names, or the first row, if it has more (it may end in a comma)."""

    width: int
    decimal: str


def _layout(found: Table) -> _Layout:
    beginning = found.data[found.body : found.body + 100_000].decode("utf-8", "replace")
    first = next((line for line in re.split(r"[\r\n]+", beginning) if line.strip()), "")
    width = max(len(found.names), first.count(found.separator) + 1)
    if width > MOST_COLUMNS:
        raise _unreadable(found.header_line + 1)
    # As spreadsheets write it where the decimal point is a comma.
    return _Layout(width, "," if found.separator == ";" and "," in beginning else ".")


def _frame(found: Table, layout: _Layout, skip: Sequence[int] = ()) -> pd.DataFrame:
    """The rows but for the lines to `skip`; the columns are numbered."""
    rows = io.BytesIO(found.data)  # shares the bytes; a slice of them would be a copy
    rows.seek(found.body)
    return pd.read_csv(
        rows,
        sep=found.separator,
        decimal=layout.decimal,
        header=None,
        names=range(layout.width),
        index_col=False,
        # What is left of the header's line is line 0 here, and empty.
        skiprows=[line - found.header_line for line in skip],
        dtype="float64",
        na_values=MISSING,
        keep_default_na=False,
        skipinitialspace=True,
    )


def _inspect(found: Table, layout: _Layout, names: list[str]) -> list[int]:
    """The lines that repeat the header. Raises InvalidRequest at the first cell that is not a number."""
    text = io.TextIOWrapper(io.BytesIO(found.data), encoding="utf-8", newline="")
    rows = csv.reader(text, delimiter=found.separator)
    repeated = []
    try:
        for row in rows:
            cells = [cell.lstrip(" ") for cell in row]
            if rows.line_num <= found.header_line or not any(cells):
                continue
            if tuple(cell.strip() for cell in cells) == found.names:
                repeated.append(rows.line_num)
            else:
                _check(cells, names, rows.line_num, layout)
    except csv.Error as error:
        raise _unreadable(rows.line_num) from error
    if not repeated:  # a quotation mark that opens at the very end, most likely
        raise _unreadable(rows.line_num)
    return repeated


def _check(cells: list[str], names: list[str], line: int, layout: _Layout) -> None:
    if any(cells[len(names) :]) or len(cells) > layout.width:
        raise wrong("long_results_row", line=line, cells=len(cells), header=len(names))
    for number, (cell, name) in enumerate(zip(cells, names, strict=False), 1):
        plain = cell.translate(_COMMA) if layout.decimal == "," else cell
        if cell not in MISSING and not _NUMBER.fullmatch(plain.rstrip(" \t")):
            raise wrong("no_number", line=line, column=shown(name) if name else number, cell=shown(cell))


def _unreadable(line: int) -> InvalidRequest:
    return wrong("no_csv", hint=HINT, line=line)


def _nan_notes(found: Table) -> list[Said]:
    """Every cell has been read as a number or as missing, so that what spells NaN is one."""
    count = _count(found, NANS)
    return [Said("note.nan", {"count": count})] if count else []


def _count(found: Table, words: Sequence[str]) -> int:
    """How often one of `words` stands below the header. Most files have no words there, which is soon seen."""
    header = found.data[: found.body]
    if len(found.data.translate(None, _PLAIN)) == len(header.translate(None, _PLAIN)):
        return 0
    return sum(found.data.count(word.encode(), found.body) for word in words)


def _rows(steps: Floats) -> tuple[NDArray[np.intp] | None, list[Said]]:
    """Which rows to take in which order, None for all of them as they are."""
    placed = np.isfinite(steps)
    notes = [] if placed.all() else [Said("note.no_step", {"count": int((~placed).sum())})]
    if not notes and (steps[1:] >= steps[:-1]).all():
        return None, []
    rows = np.flatnonzero(placed)
    order = np.argsort(steps[rows], kind="stable")
    if (np.diff(order) < 0).any():
        notes.append(Said("note.sorted"))
    return rows[order], notes


def _column(name: str, values: Floats) -> tuple[Column, list[Said]]:
    """A column with NaN for everything that is missing, and what was taken for it."""
    what, notes = meaning(name), []
    infinite = np.isinf(values)
    present = np.flatnonzero(~np.isnan(values))
    ends_infinite = bool(len(present)) and bool(infinite[present[-1]])
    if infinite.any():
        notes.append(Said("note.infinite", {"name": name, "count": int(infinite.sum())}))
        values = np.where(infinite, np.nan, values)
    unmeasured = values == -1
    if what.kind != "other" and unmeasured.any() and not (values[~unmeasured] < 0).any():
        notes.append(Said("note.minus_one", {"name": name, "count": int(unmeasured.sum())}))
        values = np.where(unmeasured, np.nan, values)
    return Column(name=name, meaning=what, values=_locked(values), ends_infinite=ends_infinite), notes


def _locked(values: Floats) -> Floats:
    values = values.view()
    values.flags.writeable = False
    return values
