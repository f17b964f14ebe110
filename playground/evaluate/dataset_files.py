"""Files → datasets. `dataset_sources` makes datasets of history and training sets, `dataset_out` files of datasets.

A table's columns are told by their names (`guess`), or by whoever has looked at them: `id`, `prompt`, `messages`,
`expected` and `tags` are the case's own, every other column is a variable. In JSONL a line is a case as
`dataset.case_json` writes it, an OpenAI chat example, or a record like a table's row.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from playground.errors import refused
from playground.evaluate.dataset import MAX_CASES, Case, Dataset, made, read_case
from playground.export import FORMULA
from playground.finetune.table import Repair, Table, stem
from playground.finetune.tables import decodable, read
from playground.finetune.tables_json import decoded, json_lines
from playground.variables import MAX_NAME, is_name
from playground.words import Said

MAX_BYTES = 64_000_000
PREFIX = "variables."
"""In a table, of a variable whose name would be taken for something else."""
#: Lower case, without what is no letter. The first of a table's columns that is called so.
_NAMES: dict[str, tuple[str, ...]] = {
    "id": ("id",),
    "prompt": ("prompt",),
    "messages": ("messages", "input"),
    "expected": (
        "expected", "expectedanswer", "ideal", "completion", "answer", "label", "target", "reference", "output",
        "esperado", "esperada", "respuestaesperada", "respuesta", "etiqueta", "sentiment", "sentimiento",
    ),
    "tags": ("tags", "tag", "etiquetas"),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Which column is what; None: none of them. The others are variables, but for those in `ignored`."""

    id: str | None = None
    prompt: str | None = None
    messages: str | None = None
    expected: str | None = None
    tags: str | None = None
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Loaded:
    """A dataset that was read, what its columns were taken for, and what there is to say of it. `stop` is what all
    answers of a training set end with: a model that was trained on it needs it as a stop sequence.
    """

    dataset: Dataset
    columns: Columns = Columns()
    notes: tuple[Said, ...] = ()
    stop: str = ""


def guess(names: Iterable[str]) -> Columns:
    """What each column is, by its name."""
    plain: dict[str, str] = {}
    for name in names:
        plain.setdefault(re.sub(r"[\W_]+", "", name.lower()), name)
    found = {role: next((plain[each] for each in called if each in plain), None) for role, called in _NAMES.items()}
    # `input` is a conversation only where JSON has a list in it: in a table it is a variable like any other.
    if found["messages"] is not None and found["messages"].lower() != "messages":
        found["messages"] = None
    return Columns(
        id=found["id"],
        prompt=found["prompt"],
        messages=found["messages"],
        expected=found["expected"],
        tags=found["tags"],
    )


@dataclass(frozen=True, slots=True)
class Source:
    """A file that was read, before anybody has said what its columns are. `columns` are a table's and those of records
    that are not cases by themselves; there are none where every record is.
    """

    name: str
    columns: tuple[str, ...]
    notes: tuple[Said, ...]
    _table: Table | None = None
    _records: tuple[dict[str, Any], ...] = ()

    def __len__(self) -> int:
        return len(self._records) if self._table is None else len(self._table)

    def cells(self, column: str, most: int) -> list[str]:
        """What stands in a column's first rows that have something there."""
        if self._table is not None:
            given: Iterable[Any] = self._table.columns[column]
        else:
            given = (record.get(column) for record in self._records if not _is_case(record))
        found = (each if isinstance(each, str) else json.dumps(each, ensure_ascii=False) for each in given if each)
        return list(islice(found, most))

    def loaded(self, columns: Columns | None = None) -> Loaded:
        """Its cases, the columns as they were told or else by their names. Raises InvalidRequest naming the line."""
        roles = columns or guess(self.columns)
        _check_columns(roles, self.columns)
        names = _variable_names(self.columns, roles)
        return Loaded(made(called(self.name), list(self._cases(roles, names))), roles, self.notes)

    def _cases(self, roles: Columns, names: Mapping[str, str]) -> Iterator[Case]:
        if self._table is None:
            for at, record in enumerate(self._records, 1):
                yield read_case(record, at) if _is_case(record) else _record(record, roles, names, at)
            return
        columns = self._table.columns
        for at, row in enumerate(zip(*columns.values(), strict=True), 1):
            yield _row(dict(zip(columns, row, strict=True)), roles, names, at)


def read_source(data: bytes, name: str) -> Source:
    """A CSV, TSV, XLSX, TXT, JSON or JSONL file. Raises InvalidRequest that names the line and what to do."""
    if len(data) > MAX_BYTES:
        raise refused("dataset_large", param="dataset", size=len(data) / 10**6, most=MAX_BYTES // 10**6)
    ending = name.lower().rpartition(".")[2]
    if ending in ("json", "jsonl"):
        return _records(data, name)
    table = read(data, name, least=1)
    if ending == "txt":  # a line a case
        table = replace(table, columns={"text": table.completions})
    if len(table) > MAX_CASES:
        raise refused("many_cases", param="dataset", cases=len(table), most=MAX_CASES)
    return Source(name, tuple(table.columns), _notes(table.repairs), table)


def read_dataset(data: bytes, name: str, columns: Columns | None = None) -> Loaded:
    """The cases of such a file."""
    return read_source(data, name).loaded(columns)


def _records(data: bytes, name: str) -> Source:
    text, encoding, repairs = decodable(data)
    records = tuple(_objects(text, encoding))
    if not records:
        raise refused("no_cases", param="dataset")
    names = dict.fromkeys(key for record in records if not _is_case(record) for key in record)
    return Source(name, tuple(names), _notes(repairs), _records=records)


def _notes(repairs: Iterable[Repair]) -> tuple[Said, ...]:
    return tuple(Said(f"repair.{repair.key}", repair.args) for repair in repairs)


def _objects(data: bytes, encoding: str) -> Iterator[dict[str, Any]]:
    """Each record of a JSON array, of an object's list `cases`, or of the lines."""
    first = data.decode(encoding, "replace").lstrip("\ufeff \t\r\n")[:1]
    if first == "[":
        whole = decoded(data.decode(encoding), line=None)
        numbered: Iterable[tuple[int, Any]] = enumerate(whole, 1)
    else:
        numbered = json_lines(data, encoding)
    for count, (number, record) in enumerate(numbered, 1):
        if not isinstance(record, dict):
            raise refused("case_object", param="dataset", number=number)
        if count > MAX_CASES:
            raise refused("many_cases", param="dataset", cases=count, most=MAX_CASES)
        yield record


def _is_case(record: Mapping[str, Any]) -> bool:
    """Whether a record is written as a case is. Messages alone are a training set's chat, with its answer in it."""
    own = {"id", "variables", "prompt", "messages", "expected", "tags"}
    return set(record) <= own and set(record) != {"messages"} and isinstance(record.get("tags", []), list)


def _role(message: Any) -> Any:
    return message.get("role") if isinstance(message, Mapping) else None


def _record(record: Mapping[str, Any], roles: Columns, variables: Mapping[str, str], number: int) -> Case:
    """A record that is not a case: a chat with its answer, an evaluation's `input` and `ideal`, or a table's row."""
    given = dict(record)
    chat = next((key for key in ("messages", "input") if isinstance(given.get(key), list)), None)
    nested = given.pop("variables", None) if isinstance(given.get("variables"), Mapping) else {}
    messages = given.pop(chat) if chat else None
    case = _made_of(given, roles, variables)
    case["variables"] |= nested or {}
    if messages is not None:
        if messages and _role(messages[-1]) == "assistant" and case["expected"] is None:
            *messages, answer = messages
            case["expected"] = answer.get("content")
        case["messages"], case["prompt"] = messages, None
    return read_case(case, number)


def _row(row: Mapping[str, str], roles: Columns, variables: Mapping[str, str], number: int) -> Case:
    case = _made_of({name: unescaped(cell) for name, cell in row.items()}, roles, variables)
    if case["messages"] is not None:
        case["messages"] = decoded(case["messages"], line=number + 1)
    return read_case(case, number)


def _made_of(given: Mapping[str, Any], roles: Columns, variables: Mapping[str, str]) -> dict[str, Any]:
    """A row's cells under a case's names. An empty cell is none, but of a variable it is an empty text."""

    def cell(name: str | None) -> Any:
        value = None if name is None else given.get(name)
        return None if value == "" else value

    tags = cell(roles.tags)
    return {
        "id": cell(roles.id),
        "prompt": cell(roles.prompt),
        "messages": cell(roles.messages),
        "expected": cell(roles.expected),
        "tags": [tag for tag in re.split(r"[,;]", tags) if tag.strip()] if isinstance(tags, str) else tags,
        "variables": {to: given[name] for name, to in variables.items() if given.get(name) is not None},
    }


def _check_columns(roles: Columns, names: Iterable[str]) -> None:
    known = dict.fromkeys(names)
    for name in (roles.id, roles.prompt, roles.messages, roles.expected, roles.tags, *roles.ignored):
        if name is not None and name not in known:
            raise refused("no_column", param="columns", column=name[:40], columns=", ".join(list(known)[:20]))


def _variable_names(names: Iterable[str], roles: Columns) -> dict[str, str]:
    """By each column that is a variable, what the variable is called: letters, digits and _."""
    taken = {roles.id, roles.prompt, roles.messages, roles.expected, roles.tags, *roles.ignored}
    found: dict[str, str] = {}
    for name in names:
        if name in taken or name == "variables":
            continue
        base = re.sub(r"\W+", "_", name.removeprefix(PREFIX)).strip("_") or "column"
        base = (base if is_name(base[:1]) else f"_{base}")[: MAX_NAME - 4]
        called, number = base, 1
        while called in found.values():
            number += 1
            called = f"{base}_{number}"
        found[name] = called
    return found


def called(name: str) -> str:
    plain = "".join(char for char in stem(name) if char.isprintable()).strip()
    return plain[:100] or "dataset"


def escaped(cell: str) -> str:
    """A cell that no spreadsheet runs; the apostrophe before one that had an apostrophe keeps them apart."""
    return f"'{cell}" if cell.lstrip("'").startswith(FORMULA) else cell


def unescaped(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(FORMULA) else cell
