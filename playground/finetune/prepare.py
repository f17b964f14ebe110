"""Prepares pairs of prompt and completion for training as OpenAI's `fine_tunes.prepare_data` did: what it finds, what a
person accepts of that, and the files that come of it.

    analysis = analyse(read(data, name))
    prepared = apply(analysis, refused={"duplicates"})
    write(output(prepared), folder)

The same records in the same order as openai 0.28.1 with all its suggestions accepted, but for its bugs: dropping long
rows after duplicates takes positions for labels; a null or an absent key in JSON becomes the word None or nan.
"""

from __future__ import annotations

import io
import json
import os
import secrets
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from playground.errors import InvalidRequest
from playground.finetune.affixes import common_suffix
from playground.finetune.findings import Finding
from playground.finetune.rules import RULES, Kind, kind_of
from playground.finetune.table import Table, shown, stem, wrong

PREVIEWS = 5
VALIDATION = 1_000
"""Pairs held out at most; of fewer than 5,000, a fifth."""
SEED = 42
_NOTHING: frozenset[str] = frozenset()
_BY_ID = {rule.id: rule for rule in RULES}
_EARLY = frozenset(rule.id for rule in RULES if rule.early)
_encode = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True, slots=True)
class Analysis:
    """`source` as it was read, `table` after all that was necessary, and what was found on the way."""

    source: Table
    table: Table
    findings: tuple[Finding, ...]
    refused: frozenset[str]

    @property
    def error(self) -> Finding | None:
        """What stands in the way of any training; nothing is looked for after it."""
        return next((finding for finding in self.findings if finding.severity == "error"), None)


@dataclass(frozen=True, slots=True)
class Preview:
    """A pair as it was read and as it will be written."""

    row: int
    before: tuple[str, str]
    after: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Prepared:
    """`separator` ends every prompt and `ending` every completion, where there is one: `ending` is the `stop` to use.

    `split` says whether validation pairs are held out; `changed` whether the result differs from the file at all.
    """

    table: Table
    findings: tuple[Finding, ...]
    kind: Kind
    separator: str
    ending: str
    split: bool
    changed: bool
    previews: tuple[Preview, ...]

    @property
    def trained_places(self) -> Sequence[int]:
        """Which rows of the table are trained on: what is held out costs nothing."""
        return split_places(len(self.table))[0] if self.split else range(len(self.table))


@dataclass(frozen=True, slots=True)
class OutputFile:
    name: str
    data: bytes


def analyse(table: Table, refused: AbstractSet[str] = _NOTHING) -> Analysis:
    """What the rules find in `table`. Of `refused` only what a necessary rule depends on matters here."""
    source, findings = table, list[Finding]()
    for rule in RULES:
        for finding in rule.judge(table):
            findings.append(finding)
            at_once = finding.severity == "necessary" or (rule.early and rule.id not in refused)
            if at_once and rule.apply is not None:
                table = rule.apply(table, finding)
        if findings and findings[-1].severity == "error":
            break
    return Analysis(source, table, tuple(findings), frozenset(refused) & _EARLY)


def apply(analysis: Analysis, refused: AbstractSet[str] = _NOTHING) -> Prepared:
    """The pairs after every recommended change but those `refused` by their rule's id.

    Recommended changes do not depend on each other: each is made as it was found. Analysing `Prepared.table` again
    shows whether they left something to do. Raises InvalidRequest where the file cannot be used.
    """
    if refused & _EARLY != analysis.refused:
        analysis = analyse(analysis.source, refused)
    if analysis.error:
        raise InvalidRequest(analysis.error.what, param="file", hint=analysis.error.todo)
    table, findings = analysis.table, list(analysis.findings)
    for finding in analysis.findings:
        rule = _BY_ID[finding.rule]
        if finding.severity == "recommended" and not rule.early and rule.id not in refused and rule.apply:
            table = rule.apply(table, finding)
    if not table:
        raise wrong("no_pair_left")
    kind = kind_of(table)
    if kind == "classification":
        train = _training_count(len(table))
        findings.append(Finding("split", "recommended", "split", {"train": train, "valid": len(table) - train}))
    return Prepared(
        table,
        tuple(findings),
        kind,
        _end("separator", findings, table.prompts),
        _end("ending", findings, table.completions),
        kind == "classification" and "split" not in refused,
        table.format != "jsonl" or bool(table.repairs) or analysis.source.columns != table.columns,
        tuple(_previews(analysis.table, table)),
    )


def _end(rule: str, findings: Iterable[Finding], texts: Sequence[str]) -> str:
    """What a separator or an ending has become: added or not, in lower case, shortened with a prefix it overlapped."""
    found = next((str(finding.args[rule]) for finding in findings if rule in finding.args), "")
    return common_suffix(texts)[-len(found) :] if found else ""


def _previews(before: Table, after: Table) -> Iterable[Preview]:
    for place, row in enumerate(after.rows[:PREVIEWS]):
        was = bisect_left(before.rows, row)
        yield Preview(
            row, (before.prompts[was], before.completions[was]), (after.prompts[place], after.completions[place])
        )


def output(prepared: Prepared) -> tuple[OutputFile, ...]:
    """`<name>_prepared.jsonl`, or `<name>_prepared_train.jsonl` and `<name>_prepared_valid.jsonl`."""
    table = prepared.table
    name = stem(table.name)
    if not prepared.split:
        return (OutputFile(f"{name}_prepared.jsonl", jsonl(table, range(len(table)))),)
    train, valid = split_places(len(table))
    return (
        OutputFile(f"{name}_prepared_train.jsonl", jsonl(table, train)),
        OutputFile(f"{name}_prepared_valid.jsonl", jsonl(table, valid)),
    )


def _training_count(count: int) -> int:
    return max(count - VALIDATION, int(count * 0.8))


def split_places(count: int) -> tuple[list[int], list[int]]:
    """The original's split, pandas' `sample(random_state=42)`: the training pairs shuffled, the others in order."""
    train = np.random.RandomState(SEED).permutation(count)[: _training_count(count)]
    rest = np.ones(count, bool)
    rest[train] = False
    return train.tolist(), np.flatnonzero(rest).tolist()


def jsonl(table: Table, places: Iterable[int]) -> bytes:
    prompts, completions = table.prompts, table.completions
    lines = io.BytesIO()
    for place in places:
        line = f'{{"prompt": {_encode(prompts[place])}, "completion": {_encode(completions[place])}}}\n'
        lines.write(line.encode("utf-8"))
    return lines.getvalue()


def write(files: Sequence[OutputFile], folder: Path) -> list[Path]:
    """All of `files` or none of them, never a part of one, and nothing is written over. Returns where they are.

    Raises InvalidRequest where the folder cannot be written to.
    """
    if not folder.is_dir():
        raise wrong("no_folder", folder=shown(str(folder)))
    written: list[Path] = []
    try:
        for file in files:
            with (folder / f".{file.name}.{secrets.token_hex(4)}").open("xb") as temporary:
                written.append(Path(temporary.name))
                temporary.write(file.data)
                temporary.flush()
                os.fsync(temporary.fileno())
        for place, target in enumerate(_free_names(files, folder)):
            written[place] = written[place].rename(target)
    except OSError as error:
        for path in written:
            path.unlink(missing_ok=True)
        raise wrong("no_write", folder=shown(str(folder)), why=str(error.strerror)) from error
    return written


def _free_names(files: Sequence[OutputFile], folder: Path) -> list[Path]:
    """Paths of which none exists: with (1), (2), … before the ending where the plain ones do."""
    number = 0
    while True:
        mark = f" ({number})" if number else ""
        paths = [folder / f"{Path(file.name).stem}{mark}.jsonl" for file in files]
        if not any(path.exists() for path in paths):
            return paths
        number += 1
