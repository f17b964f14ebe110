"""xlsx: the first sheet of a workbook, its first row that has anything being the header.

A workbook is a zip of XML, and comes from anywhere: what it would unpack to is checked before anything is.
"""

from __future__ import annotations

import io
import warnings
import zipfile
import zlib
from array import array
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import ParseError

from playground.errors import InvalidRequest
from playground.finetune.column import Texts
from playground.finetune.table import COLUMNS_LIMIT, ROWS_SHOWN, Repair, Table, column_names, shown, wrong

UNPACKED_LIMIT = 512_000_000
"""Bytes of all that the workbook unpacks to; zipfile never unpacks more than an entry declares."""
ENTRIES_LIMIT = 10_000
ROWS_LIMIT = 1_048_576
_ERRORS = frozenset({"#REF!", "#DIV/0!", "#VALUE!", "#NAME?", "#NULL!", "#NUM!"})
#: What openpyxl raises for a damaged workbook depends on where the damage is.
_DAMAGED_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError)
_DAMAGED_XML = (ParseError, LookupError, ValueError, TypeError, AttributeError)


def read_xlsx(data: bytes, name: str, least: int = 2) -> Table:
    """Raises InvalidRequest for what is no workbook, holds macros, is protected, or would unpack to too much."""
    _check(data)
    import openpyxl  # not above: half a second that only workbooks need

    try:
        with warnings.catch_warnings(action="ignore"):  # of styles and validations, which are not read
            book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
            try:
                if not book.worksheets:
                    raise wrong("no_sheet", hint="save_csv")
                titles = len(book.worksheets)
                return _sheet(book.worksheets[0], name, titles, least)
            finally:
                book.close()
    except InvalidRequest:
        raise
    except (*_DAMAGED_ZIP, *_DAMAGED_XML) as error:
        raise wrong("damaged_workbook", hint="save_csv") from error


def _check(data: bytes) -> None:
    try:
        entries = zipfile.ZipFile(io.BytesIO(data)).infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
        raise wrong("no_workbook", hint="save_csv") from None
    if len(entries) > ENTRIES_LIMIT or sum(entry.file_size for entry in entries) > UNPACKED_LIMIT:
        raise wrong("large_workbook", hint="save_csv", most=UNPACKED_LIMIT // 10**6)
    if any(entry.filename.rsplit("/", 1)[-1].lower() == "vbaproject.bin" for entry in entries):
        raise wrong("macros")


def _sheet(sheet: Any, name: str, titles: int, least: int) -> Table:
    sheet.reset_dimensions()  # what a file says of its own size is not always true, and rows would be cut to it
    rows = _rows(sheet)
    header = [_text(cell) for cell in next(rows, (0, ()))[1]]
    while header and not header[-1]:
        header.pop()
    names, width = column_names(header, least), len(header)
    columns = [Texts() for _ in header]
    numbers, beyond = array("L"), array("L")
    for number, cells in rows:
        if any(cell is not None for cell in cells[width:]):
            beyond.append(number)
        for place, values in enumerate(columns):
            values.append(_text(cells[place]) if place < len(cells) else "")
        numbers.append(number)
    if not numbers:
        raise wrong("no_rows")
    repairs = _repairs(sheet.title, titles, beyond)
    return Table(name, "xlsx", dict(zip(names, columns, strict=True)), numbers, "row", tuple(repairs))


def _rows(sheet: Any) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """Rows that have anything in them, with their numbers in the sheet."""
    for number, cells in enumerate(sheet.iter_rows(values_only=True, max_col=COLUMNS_LIMIT + 1), 1):
        if number > ROWS_LIMIT:  # a row can claim any number, and openpyxl makes all those before it
            raise wrong("many_rows", hint="save_csv", most=ROWS_LIMIT)
        if any(cell is not None for cell in cells):
            yield number, cells


def _text(cell: Any) -> str:
    """A cell as pandas writes it: whole numbers without a decimal point, an error as nothing."""
    if isinstance(cell, str):
        return "" if cell in _ERRORS else cell
    if cell is None:
        return ""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def _repairs(title: str, titles: int, beyond: array[int]) -> Iterator[Repair]:
    if titles > 1:
        yield Repair("sheets", {"count": titles, "sheet": shown(title, 40)})
    if beyond:
        yield Repair("extra_cells", {"count": len(beyond)}, tuple(beyond[:ROWS_SHOWN]))
