"""Files, saved history and training sets → datasets, and datasets → CSV and JSONL.

A table's columns are told by their names (`guess`), or by whoever has looked at them: `id`, `prompt`, `messages`,
`expected` and `tags` are the case's own, every other column is a variable. In JSONL a line is a case as
`dataset.case_json` writes it, an OpenAI chat example, or a record like a table's row.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from playground.errors import InvalidRequest, refused
from playground.evaluate.dataset import MAX_CASES, Case, Dataset, case_json, made, read_case
from playground.export import FORMULA
from playground.finetune import sets
from playground.finetune.table import stem
from playground.finetune.tables import decodable, read
from playground.finetune.tables_json import decoded, json_lines
from playground.finetune.trained import shared_ending
from playground.types import Run
from playground.variables import MAX_NAME, is_name
from playground.words import Said

MAX_BYTES = 64_000_000
Expected = Literal["answers", "liked", "none"]
_PREFIX = "variables."
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


def read_dataset(data: bytes, name: str, columns: Columns | None = None) -> Loaded:
    """The cases of a CSV, TSV, XLSX, JSON or JSONL file. Raises InvalidRequest that names the line and what to do."""
    if len(data) > MAX_BYTES:
        raise refused("dataset_large", param="dataset", size=len(data) / 10**6, most=MAX_BYTES // 10**6)
    ending = name.lower().rpartition(".")[2]
    if ending in ("json", "jsonl"):
        return _records(data, name, columns)
    table = read(data, name, least=1)
    if ending == "txt":  # a line a case
        table = replace(table, columns={"text": table.completions})
    if len(table) > MAX_CASES:
        raise refused("many_cases", param="dataset", cases=len(table), most=MAX_CASES)
    notes = tuple(Said(f"repair.{repair.key}", repair.args) for repair in table.repairs)
    roles = columns or guess(table.columns)
    _check_columns(roles, table.columns)
    names = _variable_names(table.columns, roles)
    rows = zip(*table.columns.values(), strict=True)
    cases = [_row(dict(zip(table.columns, row, strict=True)), roles, names, at) for at, row in enumerate(rows, 1)]
    return Loaded(made(_called(name), cases), roles, notes)


def _records(data: bytes, name: str, columns: Columns | None) -> Loaded:
    text, encoding, repairs = decodable(data)
    notes = tuple(Said(f"repair.{repair.key}", repair.args) for repair in repairs)
    records = list(_objects(text, encoding))
    if not records:
        raise refused("no_cases", param="dataset")
    plain = [record for record in records if not _is_case(record)]
    names = dict.fromkeys(key for record in plain for key in record)
    roles = columns or guess(names)
    _check_columns(roles, names)
    variables = _variable_names(names, roles)
    cases = [
        read_case(record, at) if _is_case(record) else _record(record, roles, variables, at)
        for at, record in enumerate(records, 1)
    ]
    return Loaded(made(_called(name), cases), roles, notes)


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
        base = re.sub(r"\W+", "_", name.removeprefix(_PREFIX)).strip("_") or "column"
        base = (base if is_name(base[:1]) else f"_{base}")[: MAX_NAME - 4]
        called, number = base, 1
        while called in found.values():
            number += 1
            called = f"{base}_{number}"
        found[name] = called
    return found


def _called(name: str) -> str:
    plain = "".join(char for char in stem(name) if char.isprintable()).strip()
    return plain[:100] or "dataset"


def from_runs(runs: Iterable[Run], name: str, *, expected: Expected = "answers") -> Loaded:
    """Cases of what runs of the history have sent, their variables filled in and kept beside.

    `expected` is their first answer (`answers`), that of the runs with a thumb up alone (`liked`), or nobody's. Tags
    say the mode. A run that sent what no case can hold (calls without results) is left out, and said.
    """
    cases, left_out = list[Case](), 0
    for run in runs:
        sent = run.effective_request
        answer = run.choices[0].text if run.choices else None
        right = expected == "answers" or (expected == "liked" and run.rating == 1)
        given = {
            "id": run.id,
            "prompt": sent.get("prompt"),
            "messages": sent.get("messages"),
            "variables": run.request.get("variables"),
            "expected": answer if right and answer else None,
            "tags": [run.mode],
        }
        try:
            cases.append(read_case(given, len(cases) + 1))
        except InvalidRequest:
            left_out += 1
    notes = (Said("note.runs_left_out", {"count": left_out}),) if left_out else ()
    return Loaded(made(name, cases), notes=notes)


def from_training(data: bytes, name: str) -> Loaded:
    """The examples of a fine-tuning set, as its validation half is one: what is asked, and the answer it teaches.

    Prompts keep their separator. Of completions the ending that all have, and the space that all begin with, belong to
    the format and not to the answer. Raises InvalidRequest for a file that holds neither pairs nor chats.
    """
    kept = sets.read_set(data, name)
    given = _pairs(kept) if kept.kind == "pairs" else _chats(kept)
    cases, left_out = list[Case](), 0
    for number, each in enumerate(given, 1):
        try:
            cases.append(read_case(each, number))
        except InvalidRequest:
            left_out += 1
    notes = (Said("note.examples_left_out", {"count": left_out}),) if left_out else ()
    stop = shared_ending(kept.completions) if kept.kind == "pairs" else ""
    return Loaded(made(_called(name), cases), notes=notes, stop=stop)


def _pairs(kept: sets.TrainingSet) -> Iterator[dict[str, Any]]:
    ending = shared_ending(kept.completions)
    space = " " if all(completion.startswith(" ") for completion in kept.completions) else ""
    for prompt, completion in zip(kept.prompts, kept.completions, strict=True):
        yield {"prompt": prompt, "expected": completion.removesuffix(ending).removeprefix(space)}


def _chats(kept: sets.TrainingSet) -> Iterator[dict[str, Any]]:
    for example in kept.chats:
        messages = example["messages"]
        last = max((at for at, each in enumerate(messages) if each.get("role") == "assistant"), default=None)
        asked = [{key: value for key, value in each.items() if key != "weight"} for each in messages[:last]]
        yield {"messages": asked, "expected": None if last is None else messages[last].get("content")}


def to_jsonl(dataset: Dataset) -> bytes:
    """A case a line, which `read_dataset` reads as it was."""
    return b"".join(json.dumps(case_json(case), ensure_ascii=False).encode() + b"\n" for case in dataset.cases)


def to_csv(dataset: Dataset) -> bytes:
    """A case a row, for a spreadsheet: what one would take for a formula gets an apostrophe in front.

    `read_dataset` reads it as it was, but for an expected answer that is empty, which is none.
    """
    variables = dataset.variables
    has_messages = any(case.messages is not None for case in dataset.cases)
    header = ["id", *map(_header, variables), "prompt", *(["messages"] if has_messages else []), "expected", "tags"]
    if not has_messages and all(case.prompt is None for case in dataset.cases):
        header.remove("prompt")
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(header)
    for case in dataset.cases:
        writer.writerow(_cells(case, variables, header))
    return b"\xef\xbb\xbf" + out.getvalue().replace("\0", "\ufffd").encode("utf-8", "replace")


def _header(variable: str) -> str:
    """A variable's column. One that would be taken for something else says that it is a variable."""
    roles = guess([variable])
    taken = any((roles.id, roles.prompt, roles.messages, roles.expected, roles.tags)) or variable == "variables"
    return f"{_PREFIX}{variable}" if taken else variable


def _cells(case: Case, variables: Sequence[str], header: Sequence[str]) -> list[str]:
    own = {
        "id": case.id,
        "prompt": case.prompt or "",
        "messages": json.dumps(case_json(case).get("messages"), ensure_ascii=False) if case.messages else "",
        "expected": case.expected or "",
        "tags": ", ".join(case.tags),
    }
    told = {_header(name): case.variables.get(name, "") for name in variables}
    return [_escaped({**told, **own}[name]) for name in header]


def _escaped(cell: str) -> str:
    """A cell that no spreadsheet runs; the apostrophe before one that had an apostrophe keeps them apart."""
    return f"'{cell}" if cell.lstrip("'").startswith(FORMULA) else cell


def unescaped(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(FORMULA) else cell
