"""Reads a training file: csv, tsv, xlsx, txt, json and jsonl, as `openai tools fine_tunes.prepare_data` (0.28) does.

It read them by pandas; what pandas takes for granted is kept (blank lines are skipped, a short row is filled up). What
it could not read is repaired where only one reading makes sense, and every repair is stated. Everything else is refused
with the line it is in.
"""

from __future__ import annotations

import codecs
import csv
import io
from array import array
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from playground.finetune.column import Texts
from playground.finetune.table import ROWS_SHOWN, Format, Repair, Table, column_names, shown, wrong
from playground.finetune.tables_json import read_json
from playground.finetune.tables_xlsx import read_xlsx

LIMIT = 512_000_000
"""Bytes. OpenAI takes training files of up to 512 MB."""
FORMATS: dict[str, Format] = {
    ".csv": "csv", ".tsv": "tsv", ".xlsx": "xlsx", ".txt": "txt", ".json": "json", ".jsonl": "jsonl"
}  # fmt: skip
DELIMITERS = {"csv": ",", "tsv": "\t"}
DELIMITER_NAMES = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "bars"}
_CHUNK = 1 << 20
_SENTINEL = "\ue000end of file\ue000"


def read_file(path: Path) -> Table:
    """The file at `path`; one that is too large is refused before it is read. Raises InvalidRequest."""
    try:
        _check_size(path.stat().st_size)
        data = path.read_bytes()
    except OSError as error:
        raise wrong("no_read", name=shown(str(path)), why=str(error.strerror)) from error
    return read(data, path.name)


def read(data: bytes, name: str, *, least: int = 2) -> Table:
    """The table in `data`, whose format its `name` ends with, of `least` columns at least.

    Raises InvalidRequest, which names the line.
    """
    kind = _format(name)
    _check_size(len(data))
    if not data or data.isspace():
        raise wrong("empty_file")
    if kind == "xlsx":
        return read_xlsx(data, name, least)
    data, encoding, repairs = decodable(data)
    if kind in ("json", "jsonl"):
        return read_json(data, name, kind, encoding, repairs)
    if kind == "txt":
        return _text(data, name, encoding, repairs)
    return _delimited(data, name, kind, encoding, repairs, least)


def _format(name: str) -> Format:
    suffix = Path(name).suffix.lower()
    if suffix in (".xlsm", ".xltm", ".xlsb"):
        raise wrong("macro_format", suffix=suffix)
    if suffix not in FORMATS:
        key = "name_ending" if suffix else "name_without_ending"
        raise wrong(key, hint="name_ending", suffix=shown(suffix, 20), formats=", ".join(FORMATS))
    return FORMATS[suffix]


def _check_size(size: int) -> None:
    if size > LIMIT:
        raise wrong("too_large", most=LIMIT // 10**6)


def decodable(data: bytes) -> tuple[bytes, str, tuple[Repair, ...]]:
    """A text's bytes, its encoding, and a repair where it is not UTF-8. Raises InvalidRequest for what is no text."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        if not _decodes(data, "utf-16"):
            raise wrong("bad_utf16", hint="not_text")
        return data, "utf-16", (Repair("encoding", {"encoding": "UTF-16"}),)
    if b"\0" in data:
        raise wrong("not_text")
    if _decodes(data, "utf-8-sig"):
        return data, "utf-8-sig", (Repair("bom"),) if data.startswith(codecs.BOM_UTF8) else ()
    text = data.decode("utf-8-sig", "replace")
    bad = text.count("�")
    if bad < sum(1 for char in text if char > "\x7f") - bad:
        # Letters of other alphabets that are whole in UTF-8 are no accident: the file is UTF-8, and damaged.
        return text.encode(), "utf-8", (Repair("bad_bytes", {"count": bad}),)
    if _decodes(data, "cp1252"):
        return data, "cp1252", (Repair("encoding", {"encoding": "Windows-1252"}),)
    return data, "latin-1", (Repair("encoding", {"encoding": "Latin-1"}),)


def _decodes(data: bytes, encoding: str) -> bool:
    """Whether `data` is text in that encoding, found out in pieces: the whole text may be four times as large."""
    decoder = codecs.getincrementaldecoder(encoding)()
    view = memoryview(data)
    try:
        for at in range(0, len(data), _CHUNK):
            if "\0" in decoder.decode(view[at : at + _CHUNK], final=at + _CHUNK >= len(data)):
                return False
    except UnicodeDecodeError:
        return False
    return True


def _text(data: bytes, name: str, encoding: str, repairs: tuple[Repair, ...]) -> Table:
    """Each line is a completion without a prompt. The empty ones fall to the rule about empty completions."""
    with io.TextIOWrapper(io.BytesIO(data), encoding) as lines:
        completions = Texts(line.removesuffix("\n") for line in lines)
    if not any(completions):
        raise wrong("empty_lines")
    columns = {"prompt": Texts([""] * len(completions)), "completion": completions}
    return Table(name, "txt", columns, range(1, len(completions) + 1), "line", repairs)


def _delimited(data: bytes, name: str, kind: Format, encoding: str, repairs: tuple[Repair, ...], least: int) -> Table:
    """csv and tsv. Its rows are numbered by the line in which they begin, as an editor shows it."""
    delimiter = DELIMITERS[kind]
    found = _delimiter(data, encoding, delimiter)
    if found != delimiter:
        names = {"delimiter": DELIMITER_NAMES[found], "expected": DELIMITER_NAMES[delimiter]}
        repairs += (Repair("delimiter", names),)
    rows = _rows(data, encoding, found)
    first = next(rows, (0, []))[1]
    header = column_names(first, least)
    columns = [Texts() for _ in header]
    numbers, short, again, width = array("L"), array("L"), array("L"), len(header)
    for number, row in rows:
        if row == first:  # of two files put behind each other
            again.append(number)
            continue
        if len(row) != width:
            if len(row) > width and any(row[width:]):
                raise wrong("long_row", line=number, fields=len(row), header=width)
            if len(row) < width:
                short.append(number)
                row += [""] * (width - len(row))
        for values, cell in zip(columns, row, strict=False):
            values.append(cell)
        numbers.append(number)
    if not numbers:
        raise wrong("no_rows")
    if short:
        repairs += (Repair("short_rows", {"count": len(short)}, tuple(short[:ROWS_SHOWN])),)
    if again:
        repairs += (Repair("repeated_header", {"count": len(again)}, tuple(again[:ROWS_SHOWN])),)
    return Table(name, kind, dict(zip(header, columns, strict=True)), numbers, "line", repairs)


def _rows(data: bytes, encoding: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not blank, with the line in which they begin. Raises where a quotation mark is never closed."""
    csv.field_size_limit(LIMIT)  # the module's own limit, 128 KB, is less than a long example
    with io.TextIOWrapper(io.BytesIO(data), encoding, newline="") as lines:
        # A last row of our own: inside a quotation mark that is never closed it is not a row.
        reader = csv.reader(chain(lines, [_SENTINEL]), delimiter=delimiter)
        begins = 1
        for row in reader:
            if row == [_SENTINEL]:
                return
            if row and row[-1].endswith(_SENTINEL):
                raise wrong("open_quote", line=begins)
            if row and (len(row) > 1 or row[0].strip(" \t")):
                yield begins, row
            begins = reader.line_num + 1


def _delimiter(data: bytes, encoding: str, expected: str) -> str:
    """What separates the columns: by the first line that is not blank, where it has no `expected` one.

    Spreadsheets write semicolons in countries whose decimals have a comma.
    """
    with io.TextIOWrapper(io.BytesIO(data), encoding) as lines:
        first = next((line for line in lines if line.strip()), "")
    return expected if expected in first else next((each for each in ";\t|," if each in first), expected)
