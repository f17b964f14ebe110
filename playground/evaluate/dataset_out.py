"""Datasets → CSV and JSONL, which `dataset_files` reads back."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence

from playground.evaluate.dataset import Case, Dataset, case_json
from playground.evaluate.dataset_files import PREFIX, escaped, guess


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
    return f"{PREFIX}{variable}" if taken else variable


def _cells(case: Case, variables: Sequence[str], header: Sequence[str]) -> list[str]:
    own = {
        "id": case.id,
        "prompt": case.prompt or "",
        "messages": json.dumps(case_json(case).get("messages"), ensure_ascii=False) if case.messages else "",
        "expected": case.expected or "",
        "tags": ", ".join(case.tags),
    }
    told = {_header(name): case.variables.get(name, "") for name in variables}
    return [escaped({**told, **own}[name]) for name in header]
