"""json and jsonl: one object per line, one array of objects, or one object of columns as pandas writes them."""

from __future__ import annotations

import io
import json
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

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

_FIXES = 'Each line is an object such as {"prompt": "…", "completion": "…"}, its texts between quotation marks.'


def read_json(data: bytes, name: str, kind: Format, encoding: str, repairs: tuple[Repair, ...]) -> Table:
    """Either format in either file: what it is shows in its first line. Raises InvalidRequest naming the place."""
    first = _first_line(data, encoding)
    if not first:
        raise wrong("The file is empty.", "It needs at least one prompt and its completion.")
    if first.startswith("[") or first == "{":
        records: list[Any] | dict[str, Any] = _whole(data, encoding)
        if isinstance(records, dict):
            return _columns(records, name, kind, repairs)
        if kind == "jsonl":
            repairs += (Repair("array", {"count": len(records)}),)
        return _gathered(enumerate(records, 1), name, kind, "record", repairs)
    lines = _lines(data, encoding)
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
        return next((line.strip() for line in lines if line.strip()), "")


def _lines(data: bytes, encoding: str) -> Iterator[tuple[int, Any]]:
    """Every line's number and value. Only \n ends a line: JSON texts may hold other line ends (U+2028)."""
    with io.TextIOWrapper(io.BytesIO(data), encoding, newline="\n") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield number, _decoded(line, line=number)


def _whole(data: bytes, encoding: str) -> Any:
    value = _decoded(data.decode(encoding), line=None)
    if not value:
        raise wrong("The file holds no records.", "It needs at least one prompt and its completion.")
    return value


def _decoded(text: str, *, line: int | None) -> Any:
    """JSON's value. Raises InvalidRequest with the line (of a text that is one of many: `line`) and the column."""
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        where = f"Line {line or error.lineno}, column {error.colno}"
        near = text[max(0, error.pos - 10) : error.pos + 20]
        raise wrong(f"{where} is not valid JSON: {_reason(error)}, near “{shown(near)}”.", _FIXES) from None
    except RecursionError:
        raise wrong(f"{_at(line)} is nested too deeply.", _FIXES) from None
    except ValueError as error:  # a number of thousands of digits, NaN, Infinity
        raise wrong(f"{_at(line)} is not valid JSON: {shown(str(error))}.", _FIXES) from None


def _at(line: int | None) -> str:
    return f"Line {line}" if line else "The file"


def _reason(error: json.JSONDecodeError) -> str:
    """Python's own words, which begin as a sentence, but not its advice about Python."""
    return error.msg[:1].lower() + error.msg[1:].split(" enclosed in double quotes")[0]


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a value in JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


class _Gathering:
    """Records of differing keys → columns of equally many texts."""

    def __init__(self) -> None:
        self.columns: dict[str, list[str]] = {}
        self.rows = array("L")
        self.missing: Counter[str] = Counter()
        self.missing_rows: dict[str, list[int]] = {}
        self.surrogates = 0

    def add(self, number: int, record: Mapping[str, Any], at: str) -> None:
        for key in record:
            if key not in self.columns:
                if len(self.columns) == COLUMNS_LIMIT:
                    raise wrong(f"{at}: the file has more than {COLUMNS_LIMIT} different keys.", _FIXES)
                self.columns[key] = [""] * len(self.rows)
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

    def _text(self, value: Any, key: str, at: str) -> str:
        if isinstance(value, dict | list):
            if key.lower() in FIELDS:
                what = "a list" if isinstance(value, list) else "an object"
                raise wrong(
                    f"{at}: {key.lower()} is {what}, not a text.", "Write it as one text between quotation marks."
                )
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
        at = f"{place.capitalize()} {number}"
        if not isinstance(record, dict):
            raise wrong(f"{at} is not an object.", _FIXES)
        if not gathering.rows and "messages" in record:
            raise wrong("This is a chat file: it has messages.", "It needs no preparing: check it as a chat file.")
        gathering.add(number, record, at)
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
        raise wrong("The file holds a single object.", "It needs one object per line, or an array of objects.")
    first = next(iter(record.values()))
    keys = list(first) if isinstance(first, dict) else range(len(first))
    if isinstance(first, dict) and any(values.keys() != first.keys() for values in record.values()):
        raise wrong("The columns of the file have differing rows.", "Write one object per line instead.")
    rows = enumerate(({column: values[key] for column, values in record.items()} for key in keys), 1)
    return _gathered(rows, name, kind, "record", (*repairs, Repair("columns", {"count": len(first)})))
