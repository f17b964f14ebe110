"""A rater's queue as a table to fill in elsewhere, and back: CSV out, CSV, TSV or Excel in."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

from playground.errors import InvalidRequest, refused
from playground.evaluate import rating
from playground.evaluate.dataset_files import unescaped
from playground.evaluate.report import safe
from playground.finetune.tables import read
from playground.store import Store

UNSURE = "?"
"""What stands in place of a grade where it cannot be judged."""
ITEM, COMMENT = "item", "comment"
_ABOUT = ("task", "expected", "answer")


def sheet(store: Store, at: rating.Desk) -> bytes:
    """The answers in the rater's order, as blind as the page shows them: a row each, with a column for each criterion.
    What was given already stands in it. Blocks."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(map(safe, (ITEM, *_ABOUT, *at.queue.criteria, COMMENT)))
    for place in at.places:
        item = rating.item(store, at, place)
        grades = [_written(item.grades, name) for name in at.queue.criteria]
        writer.writerow(map(safe, (item.key, item.task, item.expected, item.answer, *grades, item.comment)))
    return b"\xef\xbb\xbf" + out.getvalue().encode("utf-8", "replace")


def take(store: Store, at: rating.Desk, data: bytes, name: str) -> int:
    """Keep the grades of a sheet that came back; how many answers have some. Rows without any are passed over.

    The whole sheet is read before anything of it is kept. Blocks. Raises InvalidRequest that names the line.
    """
    table = read(data, name)
    columns = {unescaped(column): texts for column, texts in table.columns.items()}
    lacking = next((each for each in (ITEM, *at.queue.criteria) if each not in columns), None)
    if lacking is not None:
        raise refused("no_column", param="file", column=lacking, columns=", ".join(columns))
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    taken = []
    for line, row in zip(table.rows, rows, strict=True):
        if not any(row[criterion].strip() for criterion in at.queue.criteria):
            continue
        try:
            place, grades = at.find(row[ITEM].strip()), _grades(row, at.queue)
            comment = rating.read_comment(unescaped(row.get(COMMENT, "")))
        except InvalidRequest as error:
            raise refused("rating_line", param="file", line=line, why=error.message) from None
        taken.append((place, grades, comment))
    for place, grades, comment in taken:
        store.ratings.save(at.sweep.id, place.number, at.rater.rater, grades, comment)
    return len(taken)


def _written(grades: Mapping[str, int | None], criterion: str) -> Any:
    return "" if criterion not in grades else UNSURE if grades[criterion] is None else grades[criterion]


def _grades(row: Mapping[str, str], queue: rating.Queue) -> dict[str, int | None]:
    there = {name: row[name].strip() for name in queue.criteria if row[name].strip()}
    return rating.read_grades({name: None if text == UNSURE else _number(text) for name, text in there.items()}, queue)


def _number(text: str) -> int | str:
    """A whole number, also as a spreadsheet writes it (`4.0`); else the text, which is no grade."""
    whole = text.removesuffix(".0").removesuffix(",0")
    return int(whole) if whole.isascii() and whole.isdigit() and len(whole) < 4 else text
