"""json and jsonl: one object per line, one array of objects, or one object of columns as pandas writes them."""

from __future__ import annotations

import io
import json
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NoReturn

from playground.finetune.column import Texts
from playground.finetune.json_stream import PIECE, elements
from playground.finetune.table import (
    COLUMNS_LIMIT,
    FIELDS,
    ROWS_SHOWN,
    Format,
    Place,
    Repair,
    Table,
    shown,
    wrong,
)
from playground.unicode import well_formed
from playground.words import Said


def read_json(data: bytes, name: str, kind: Format, encoding: str, repairs: tuple[Repair, ...]) -> Table:
    """Either format in either file: what it is shows in its first line. Raises InvalidRequest naming the place."""
    first = _first_line(data, encoding)
    if not first:
        raise wrong("empty_file")
    if first.startswith("["):
        table = _gathered(enumerate(_array(data, encoding), 1), name, kind, "record", ())
        if kind == "jsonl":
            repairs += (Repair("array", {"count": len(table)}),)
        return replace(table, repairs=(*repairs, *table.repairs))
    if first == "{":
        return _columns(_whole(data, encoding), name, kind, repairs)
    lines = json_lines(data, encoding)
    number, record = next(lines)
    rest = next(lines, None)
    if rest is None and isinstance(record, dict) and _is_columns(record):
        return _columns(record, name, kind, repairs)
    numbered = _chained((number, record), rest, lines)
    return _gathered(numbered, name, kind, "line", repairs)


def _chained(first: tuple[int, Any], second: tuple[int, Any] | None, rest: Iterator[tuple[int, Any]]) -> Iterator[Any]:
    yield first
    if second is not None:
        yield second
        yield from rest


def _first_line(data: bytes, encoding: str) -> str:
    with io.TextIOWrapper(io.BytesIO(data), encoding, newline="\n") as lines:
        # Pieces, not lines: a file may be a single one.
        return next((piece.strip() for piece in iter(lambda: lines.readline(PIECE), "") if piece.strip()), "")


def json_lines(data: bytes, encoding: str) -> Iterator[tuple[int, Any]]:
    """Every line's number and value. Only \n ends a line: JSON texts may hold other line ends (U+2028)."""
    with io.TextIOWrapper(io.BytesIO(data), encoding, newline="\n") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield number, decoded(line, line=number)


def _array(data: bytes, encoding: str) -> Iterator[Any]:
    """Its elements. Where it is broken the whole is read after all, which says in which line and column."""
    try:
        with io.TextIOWrapper(io.BytesIO(data), encoding, newline="\n") as text:
            yield from elements(text, _DECODER)
    except (ValueError, RecursionError):
        decoded(data.decode(encoding), line=None)
        raise


def _whole(data: bytes, encoding: str) -> Any:
    value = decoded(data.decode(encoding), line=None)
    if not value:
        raise wrong("no_records", hint="empty_file")
    return value


def decoded(text: str, *, line: int | None) -> Any:
    """JSON's value. Raises InvalidRequest with the line (of a text that is one of many: `line`) and the column."""
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        near = shown(text[max(0, error.pos - 10) : error.pos + 20])
        number = line or error.lineno
        why = _reason(error)
        raise wrong("bad_json", hint="objects", line=number, column=error.colno, why=why, near=near) from None
    except RecursionError:
        raise wrong("deep_json", hint="objects", at=_at(line)) from None
    except ValueError:  # a number of thousands of digits, NaN, Infinity
        raise wrong("bad_number", hint="objects", at=_at(line)) from None


def _at(line: int | None) -> Said:
    return _place("line", line) if line else Said("place.file")


def _place(place: Place, number: int) -> Said:
    return Said(f"place.{place}", {"number": number})


def _reason(error: json.JSONDecodeError) -> Said | str:
    """What is wrong, by Python's own words: those nobody has translated stay as they are."""
    known = next((key for words, key in _REASONS.items() if error.msg.startswith(words)), None)
    return Said(f"json.{known}") if known else error.msg[:1].lower() + error.msg[1:]


#: How the messages of json.JSONDecodeError begin.
_REASONS = {
    "Expecting property name": "key",
    "Expecting ':'": "colon",
    "Expecting ','": "comma",
    "Expecting value": "value",
    "Unterminated string": "quote",
    "Invalid control character": "control",
    "Invalid \\": "escape",
    "Illegal trailing comma": "trailing",
    "Extra data": "extra",
}


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a value in JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


class _Gathering:
    """Records of differing keys → columns of equally many texts."""

    def __init__(self) -> None:
        self.columns: dict[str, Texts] = {}
        self.rows = array("L")
        self.missing: Counter[str] = Counter()
        self.missing_rows: dict[str, list[int]] = {}
        self.surrogates = 0

    def add(self, number: int, record: Mapping[str, Any], at: Said) -> None:
        for key in record:
            if key not in self.columns:
                if len(self.columns) == COLUMNS_LIMIT:
                    raise wrong("many_keys", hint="objects", at=at, most=COLUMNS_LIMIT)
                self.columns[key] = Texts([""] * len(self.rows))
                if self.rows:
                    self.missing[key], self.missing_rows[key] = len(self.rows), list(self.rows[:ROWS_SHOWN])
        for key, values in self.columns.items():
            value = record.get(key)
            if value is None:
                self._miss(key, number)
                values.append("")
            else:
                values.append(value if type(value) is str and value.isascii() else self._text(value, key, at))
        self.rows.append(number)

    def _miss(self, key: str, number: int) -> None:
        self.missing[key] += 1
        rows = self.missing_rows.setdefault(key, [])
        if len(rows) < ROWS_SHOWN:
            rows.append(number)

    def _text(self, value: Any, key: str, at: Said) -> str:
        if isinstance(value, dict | list):
            if key.lower() in FIELDS:
                what = Said("what.list" if isinstance(value, list) else "what.object")
                raise wrong("no_text", at=at, column=key.lower(), what=what)
            return shown(str(value)[:100])  # a column that is not used
        text = well_formed(str(value))
        self.surrogates += text != str(value)
        return text

    def repairs(self) -> Iterator[Repair]:
        for key in self.columns:
            if self.missing[key] and key.lower() in FIELDS:
                count, rows = self.missing[key], self.missing_rows[key]
                yield Repair("missing_keys", {"count": count, "column": key.lower()}, tuple(rows))
        if self.surrogates:
            yield Repair("surrogates", {"count": self.surrogates})


def _gathered(
    records: Iterator[tuple[int, Any]] | enumerate[Any],
    name: str,
    kind: Format,
    place: Place,
    repairs: tuple[Repair, ...],
) -> Table:
    gathering = _Gathering()
    for number, record in records:
        at = _place(place, number)
        if not isinstance(record, dict):
            raise wrong("not_object", hint="objects", at=at)
        if not gathering.rows and "messages" in record:
            raise wrong("chat_file")
        gathering.add(number, record, at)
    if not gathering.columns:
        raise wrong("no_records", hint="empty_file")
    return Table(name, kind, gathering.columns, gathering.rows, place, (*repairs, *gathering.repairs()))


def _is_columns(record: dict[str, Any]) -> bool:
    """{"prompt": […], "completion": […]} or {"prompt": {"0": …}, …}: at least two columns, all equally long."""
    values = list(record.values())
    return (
        len(values) >= 2
        and all(isinstance(value, type(values[0])) and isinstance(value, dict | list) for value in values)
        and len({len(value) for value in values}) == 1
    )


def _columns(record: dict[str, Any], name: str, kind: Format, repairs: tuple[Repair, ...]) -> Table:
    if not _is_columns(record):
        raise wrong("single_object")
    first = next(iter(record.values()))
    keys = list(first) if isinstance(first, dict) else range(len(first))
    if isinstance(first, dict) and any(values.keys() != first.keys() for values in record.values()):
        raise wrong("ragged_columns")
    rows = enumerate(({column: values[key] for column, values in record.items()} for key in keys), 1)
    return _gathered(rows, name, kind, "record", (*repairs, Repair("columns", {"count": len(first)})))
