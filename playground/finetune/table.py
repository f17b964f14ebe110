"""A training file once it is read: columns of text, where each row stood, and what had to be repaired to read it."""

from __future__ import annotations

import os
import re
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from playground.errors import InvalidRequest, refused
from playground.finetune.column import Texts, as_texts
from playground.words import Language, Said

Format = Literal["csv", "tsv", "xlsx", "txt", "json", "jsonl"]
Place = Literal["line", "row", "record"]

FIELDS = ("prompt", "completion")
COLUMNS_LIMIT = 200
SHOWN = 60
"""Characters of a person's data that a message quotes at most."""
ROWS_SHOWN = 5
"""How many rows a note names; the rest is a number."""


def shown(text: str, limit: int = SHOWN) -> str:
    """`text` on one line and cut, so that a message can quote it."""
    line = text[: limit + 1].replace("\r", "\\r").replace("\n", "\\n").replace("\t", "\\t")
    line = line if len(line) <= limit else line[: limit - 1] + "…"
    return "".join(char if char.isprintable() else "�" for char in line)


def stem(name: str) -> str:
    """A file's name without its folders and its ending."""
    return os.path.splitext(re.split(r"[\\/]", name)[-1])[0] or "file"


def wrong(key: str, *, hint: str = "", **args: str | int | Said) -> InvalidRequest:
    """What is raised for a file that cannot be used: `errors.refused`."""
    return refused(key, param="file", hint=hint, **args)


def column_names(header: Sequence[str], least: int = 2) -> list[str]:
    """The columns' names: as pandas gives them where one has none or occurs twice. Raises InvalidRequest."""
    if len(header) < least:
        raise wrong("one_column", column=shown(header[0] if header else "", 40))
    if len(header) > COLUMNS_LIMIT:
        raise wrong("many_columns", most=COLUMNS_LIMIT)
    names: list[str] = []
    for place, name in enumerate(header):
        unique = name or f"Unnamed: {place}"
        if unique in names and unique.lower() in FIELDS:
            raise wrong("two_columns", column=unique)
        while unique in names:
            unique += ".1"
        names.append(unique)
    return names


@dataclass(frozen=True, slots=True)
class Repair:
    """Something that was mended while the file was read: `key` and `args` for a translation, `message` in English."""

    key: str
    args: Mapping[str, str | int] = field(default_factory=dict)
    rows: tuple[int, ...] = ()

    @property
    def message(self) -> str:
        return self.text("en")

    def text(self, language: Language) -> str:
        return Said(f"repair.{self.key}", self.args).text(language)


@dataclass(frozen=True, slots=True)
class Table:
    """Columns of equally many texts. `rows` says at which `place` each row stood, the first being 1."""

    name: str
    format: Format
    columns: Mapping[str, Sequence[str]]
    rows: Sequence[int]
    place: Place = "line"
    repairs: tuple[Repair, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def prompts(self) -> Texts:
        return as_texts(self.columns["prompt"])

    @property
    def completions(self) -> Texts:
        return as_texts(self.columns["completion"])

    def keep(self, places: Sequence[int]) -> Table:
        """The rows at `places` (the first being 0), in that order."""
        columns = {name: Texts(values[i] for i in places) for name, values in self.columns.items()}
        return replace(self, columns=columns, rows=array("L", (self.rows[i] for i in places)))

    def having(self, column: str, values: Iterable[str]) -> Table:
        """The table with other values in a column."""
        return replace(self, columns={**self.columns, column: Texts(values)})
