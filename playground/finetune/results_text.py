"""The bytes of a results file, however they arrived, to CSV in UTF-8 and its header."""

from __future__ import annotations

import base64
import binascii
import codecs
import csv
import io
import re
from dataclasses import dataclass

from playground.finetune.table import wrong
from playground.words import Said

MOST_COLUMNS = 200
MOST_SHOWN = 60
"""Characters of a name or a cell that an error shows."""

HINT = "results_file"
_CONTROL = bytes(byte for byte in range(32) if byte not in b"\t\n\f\r")
_MAGIC = {b"PK\x03\x04": "zip", b"\x1f\x8b": "gzip", b"%PDF": "pdf"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """CSV in UTF-8 without a BOM. `names` are as written, without white space around; lines count from 1."""

    data: bytes
    names: tuple[str, ...]
    header_line: int
    body: int
    """Where in `data` the header ends."""
    separator: str
    notes: tuple[Said, ...]


def table(data: bytes) -> Table:
    """The CSV in `data`. Raises InvalidRequest for anything that is not a results file, saying what it is.

    A header with `step` present: used as it is. Else, if the whole is strictly base64 and what it holds has such a
    header, that. UTF-8 with or without a BOM and UTF-16 are read; commas, semicolons and tabs separate.
    """
    if not data or data.isspace():
        raise wrong("empty_file", hint=HINT)
    plain, notes = _utf8(data)
    found = _header(plain) if plain is not None else None
    if found is None or not _has_step(found[0]):
        inside = from_base64(plain) if plain is not None else None
        decoded, more = _utf8(inside) if inside else (None, ())
        within = _header(decoded) if decoded is not None else None
        if decoded is not None and within is not None and _has_step(within[0]):
            plain, found, notes = decoded, within, (*notes, Said("note.base64"), *more)
    if plain is None or found is None:
        raise wrong("no_results", hint=HINT, what=Said(f"what.{_what(data)}"))
    names, line, separator, body = found
    if not _has_step(names):
        raise wrong("no_step", hint=HINT, **listed(names))
    if len(names) > MOST_COLUMNS:
        raise wrong("many_results_columns", columns=len(names), most=MOST_COLUMNS)
    return Table(data=plain, names=names, header_line=line, body=body, separator=separator, notes=notes)


def shown(text: str) -> str:
    """A name or a cell of the file, quoted and short enough for a message."""
    return repr(text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 1] + "…")


def listed(names: tuple[str, ...], most: int = 12) -> dict[str, str | Said]:
    """The first names, and how many more there are, as an error's arguments."""
    more = Said("error_more.lines", {"count": len(names) - most}) if len(names) > most else ""
    return {"columns": ", ".join(shown(name) for name in names[:most]), "more": more}


def _utf8(data: bytes) -> tuple[bytes | None, tuple[Said, ...]]:
    """`data` as UTF-8 without a BOM, None where it is no text; and what was done for it."""
    wide = "utf-16" if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else _wide(data[:200])
    if wide:
        try:
            text, _ = _utf8(data.decode(wide).encode())
        except UnicodeError:
            return None, ()
        return text, (Said("note.utf16"),)
    if b"\r" in data and data.count(b"\r") > data.count(b"\r\n"):
        # pandas swallows the comma of an empty first cell after a line end of this old kind.
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    marked = data.startswith(codecs.BOM_UTF8)
    while data.startswith(codecs.BOM_UTF8):  # two where a tool added one to a file that had one
        data = data[3:]
    if _binary(data):
        return None, ()
    try:
        return (data if data.isascii() else data.decode().encode()), ()
    except UnicodeError:
        if marked:
            return None, ()
        # Latin-1, in which every byte is a letter: its names are read, and its figures are ASCII.
        return data.decode("latin-1").encode(), (Said("note.latin1"),)


def _binary(data: bytes) -> bool:
    """Whether there are control characters in it: translate() is twenty times as fast as a regular expression."""
    return len(data.translate(None, _CONTROL)) < len(data)


def _wide(beginning: bytes) -> str | None:
    """UTF-16 without a BOM: every other byte of ASCII text is zero."""
    for first, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if len(beginning) >= 4 and not any(beginning[first::2]) and all(beginning[1 - first :: 2]):
            return encoding
    return None


def _header(data: bytes) -> tuple[tuple[str, ...], int, str, int] | None:
    """The names in the first line that is not blank, its number, the separator that gives most, and where it ends."""
    start = re.search(rb"\S", data)
    if start is None:
        return None
    at = start.start()
    line = len(re.findall(rb"\r\n|\r|\n", data[:at])) + 1
    found = re.compile(rb"[\r\n]").search(data, at)
    end = found.start() if found else len(data)
    # No header is longer; what is would be base64 in one line, and is not worth being read as names.
    text = data[at : min(end, at + 100_000)].decode("utf-8", "replace")
    separator = max(",;\t", key=text.count)
    try:
        cells = next(csv.reader(io.StringIO(text), delimiter=separator))
    except csv.Error:
        return None
    return tuple(cell.strip() for cell in cells), line, separator, end


def _has_step(names: tuple[str, ...]) -> bool:
    return any(name.lower() == "step" for name in names)


def from_base64(data: bytes) -> bytes | None:
    """What strict base64 holds, line breaks allowed; None for anything else."""
    try:
        return base64.b64decode(b"".join(data.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def _what(data: bytes) -> str:
    return next((name for magic, name in _MAGIC.items() if data.startswith(magic)), "binary")
