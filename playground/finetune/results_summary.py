"""A results file in a few figures (`--json`), and its cleaned rows as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from playground.finetune.results import Point, Results, best, last
from playground.finetune.results_columns import AXES
from playground.finetune.results_verdict import Verdict, verdict

PART = 20_000
"""Rows of a part: about a megabyte."""

#: What a spreadsheet would take for the beginning of a formula (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def summary(results: Results) -> dict[str, Any]:
    """What `--json` prints, of plain values that JSON has.

    {"format", "steps": how many rows, "validation_points", "last" and "best": {column: {"value", "step"}}, "verdict":
    {"kind", "key", "sentence", "evidence"}, "notes": sentences}. A column without any value is left out, and from
    "best" one of which it is not known whether more of it is better.
    """
    return {
        "format": results.format,
        "steps": len(results.steps),
        "validation_points": results.validation_points,
        "last": {name: _plain(point) for name, column in results.columns.items() if (point := last(results, column))},
        "best": {name: _plain(point) for name, column in results.columns.items() if (point := best(results, column))},
        "verdict": _verdict(verdict(results)),
        "notes": [note.text() for note in results.notes],
    }


def _plain(point: Point) -> dict[str, float]:
    return {"value": point.value, "step": point.step}


def _verdict(said: Verdict) -> dict[str, Any]:
    return {
        "kind": said.kind,
        "key": said.said.key,
        "sentence": said.said.text(),
        "evidence": {name: value for name, value in said.evidence.items() if np.isfinite(value)},
    }


def to_csv(results: Results) -> str:
    """`csv_parts` in one."""
    return "".join(csv_parts(results))


def csv_parts(results: Results) -> Iterator[str]:
    """The rows as they were read, in the order of their steps: missing cells empty, numbers unrounded.

    A name that a spreadsheet would run as a formula gets an apostrophe before it.
    """
    columns = {name: results.axes[axis] for name, axis in AXES.items() if axis in results.axes}
    columns |= {name: column.values for name, column in results.columns.items()}
    header = io.StringIO()
    csv.writer(header, lineterminator="\n").writerow(
        f"'{name}" if name.startswith(_FORMULA) else name for name in columns
    )
    frame = pd.DataFrame({number: _whole(values) for number, values in enumerate(columns.values())})
    yield header.getvalue()
    for start in range(0, len(frame), PART):
        yield frame.iloc[start : start + PART].to_csv(index=False, header=False, lineterminator="\n")


def _whole(values: Any) -> Any:
    """Whole numbers without a point: a step is `1`, not `1.0`."""
    whole = len(values) and np.isfinite(values).all() and (np.abs(values) < 2**53).all() and (values % 1 == 0).all()
    return values.astype(np.int64) if whole else values
