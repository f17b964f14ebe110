"""The rules of `openai tools fine_tunes.prepare_data` (openai 0.28.1, validators.py), in its order, as data.

A rule looks at a table and says what it found; its `apply` changes a table by that finding. Necessary changes are made
at once, so that what follows sees them. Recommended ones are all judged by the table before any of them is made, as the
original does: a separator is chosen by the prompts as they were written, not as they are after lower-casing.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from playground.finetune.affixes import common_prefix, common_suffix, first_unused, repeats
from playground.finetune.column import Texts
from playground.finetune.findings import Finding, Severity
from playground.finetune.table import ROWS_SHOWN, Table, shown

Kind = Literal["open_ended", "classification", "conditional"]
Field = Literal["prompt", "completion"]

FEW = 100
LONG = 10_000
"""Characters of a prompt and its completion."""
LONG_AFFIX = 10
PROMPT_PREFIX, COMPLETION_PREFIX = 13, 5
"""From how many characters on a common beginning is worth removing."""
SEPARATORS = ("\n\n###\n\n", "\n\n===\n\n", "\n\n---\n\n", "\n\n===>\n\n", "\n\n--->\n\n")
ENDINGS = ("\n", ".", " END", "***", "+++", "&&&", "$$$", "@@@", "%%%")
#: What pandas 2.1 reads as a missing value in csv, tsv and xlsx.
MISSING = frozenset(
    {"#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"}
    | {"<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"}
)


@dataclass(frozen=True, slots=True)
class Rule:
    """`early` says that a recommended change is made at once, because a necessary one after it depends on it."""

    id: str
    judge: Callable[[Table], Iterator[Finding]]
    apply: Callable[[Table, Finding], Table] | None = None
    early: bool = False


def kind_of(table: Table) -> Kind:
    if not table.prompts.sizes.any():
        return "open_ended"
    return "classification" if _classes(table) < len(table) / 3 else "conditional"


def _classes(table: Table) -> int:
    """How many different completions there are."""
    return len(np.unique(table.completions.hashes))


def _at(table: Table, rule: str, severity: Severity, key: str, places: Sequence[int], **args: str | int) -> Finding:
    """A finding about the rows at `places`."""
    first = places[:ROWS_SHOWN]
    rows = tuple(table.rows[place] for place in first)
    examples = tuple(shown(table.prompts[place] or table.completions[place]) for place in first)
    return Finding(rule, severity, key, args, len(places), rows, examples)


def _format(table: Table) -> Iterator[Finding]:
    whole = any(repair.key in ("array", "columns") for repair in table.repairs)
    if table.format != "jsonl" or whole:
        yield Finding("format", "necessary", "format", {"format": "JSON" if whole else table.format.upper()})


def _count(table: Table) -> Iterator[Finding]:
    yield Finding("count", "info", "few" if len(table) < FEW else "pairs", count=len(table))


def _column(field: Field) -> Rule:
    def judge(table: Table) -> Iterator[Finding]:
        if field in table.columns:
            return
        found = next((name for name in table.columns if name.lower() == field), None)
        if found is None:
            names = shown(", ".join(table.columns))
            yield Finding(f"{field}_column", "error", "no_column", {"column": field, "columns": names})
        else:
            yield Finding(f"{field}_column", "necessary", "rename", {"column": field, "found": found})

    def apply(table: Table, finding: Finding) -> Table:
        renamed = {field if name == finding.args["found"] else name: each for name, each in table.columns.items()}
        return replace(table, columns=renamed)

    return Rule(f"{field}_column", judge, apply)


def _extra_columns(table: Table) -> Iterator[Finding]:
    extra = [name for name in table.columns if name not in ("prompt", "completion")]
    if extra:
        yield Finding("extra_columns", "necessary", "extra_columns", {"columns": ", ".join(extra)}, len(extra))


def _only_pairs(table: Table, finding: Finding) -> Table:
    return replace(table, columns={name: table.columns[name] for name in ("prompt", "completion")})


def _missing_words(table: Table) -> Iterator[Finding]:
    if table.format not in ("csv", "tsv", "xlsx"):
        return
    short = np.minimum(table.prompts.sizes, table.completions.sizes) <= max(map(len, MISSING))
    both = ((place, (table.prompts[place], table.completions[place])) for place in np.flatnonzero(short).tolist())
    places = [place for place, pair in both if not MISSING.isdisjoint(pair)]
    if places:
        words = {text for place in places for text in (table.prompts[place], table.completions[place])} & MISSING
        found = _at(table, "missing_words", "recommended", "missing_words", places, words=", ".join(sorted(words)))
        cells = sum(text in MISSING for place in places for text in (table.prompts[place], table.completions[place]))
        yield replace(found, count=cells)


def _without_missing_words(table: Table, finding: Finding) -> Table:
    for field in ("prompt", "completion"):
        table = table.having(field, ("" if text in MISSING else text for text in table.columns[field]))
    return table


def _empty(table: Table) -> Iterator[Finding]:
    places = np.flatnonzero(table.completions.sizes == 0).tolist()
    if len(places) == len(table):
        yield Finding("empty_completion", "error", "all_empty")
    elif places:
        yield _at(table, "empty_completion", "necessary", "empty", places)


def _without_empty(table: Table, finding: Finding) -> Table:
    return table.keep(np.flatnonzero(table.completions.sizes).tolist())


def _kind(table: Table) -> Iterator[Finding]:
    kind = kind_of(table)
    args = {"classes": _classes(table)} if kind == "classification" else {}
    yield Finding("kind", "info", kind, args, len(table))


def _repeated(table: Table) -> array[int]:
    """Only pairs whose hash occurs twice are held beside each other."""
    found = table.prompts.hashes * 31 + table.completions.hashes
    _, which, counts = np.unique(found, return_inverse=True, return_counts=True)
    seen: set[tuple[str, str]] = set()
    places = array("L")
    for place in np.flatnonzero(counts[which] > 1).tolist():
        pair = table.prompts[place], table.completions[place]
        if pair in seen:
            places.append(place)
        else:
            seen.add(pair)
    return places


def _duplicates(table: Table) -> Iterator[Finding]:
    if places := _repeated(table):
        yield _at(table, "duplicates", "recommended", "duplicates", places)


def _without_duplicates(table: Table, finding: Finding) -> Table:
    gone = set(_repeated(table))
    return table.keep([place for place in range(len(table)) if place not in gone])


def _long_places(table: Table) -> list[int]:
    """No text has more characters than bytes: only those of many bytes are counted."""
    prompts, completions = table.prompts, table.completions
    many = np.flatnonzero(prompts.sizes + completions.sizes > LONG).tolist()
    return [place for place in many if len(prompts[place]) + len(completions[place]) > LONG]


def _long(table: Table) -> Iterator[Finding]:
    places = _long_places(table)
    if places and kind_of(table) != "open_ended":
        yield _at(table, "long", "recommended", "long", places, limit=LONG)


def _without_long(table: Table, finding: Finding) -> Table:
    """By the rows as they are now. (The original takes positions for labels here, and drops others or crashes.)"""
    gone = set(_long_places(table))
    return table.keep([place for place in range(len(table)) if place not in gone])


def _cases(texts: Sequence[str]) -> tuple[int, int]:
    """How many capitals and how many small letters there are, counted by code point: 30 times as fast as by letter."""
    counts = np.zeros(0x110000, np.int64)
    for at in range(0, len(texts), 256):
        codes = np.frombuffer("".join(texts[at : at + 256]).encode("utf-32-le"), "<u4")
        found = np.bincount(codes)
        counts[: len(found)] += found
    letters = [(chr(code), int(counts[code])) for code in np.flatnonzero(counts)]
    upper = sum(count for letter, count in letters if letter.isalpha() and letter.isupper())
    return upper, sum(count for letter, count in letters if letter.isalpha() and letter.islower())


def _lower_case(field: Field) -> Rule:
    def judge(table: Table) -> Iterator[Finding]:
        upper, lower = _cases(table.columns[field])
        if upper * 2 > lower:
            yield Finding(f"upper_{field}", "recommended", "upper", {"column": field}, len(table))

    def apply(table: Table, finding: Finding) -> Table:
        return table.having(field, map(str.lower, table.columns[field]))

    return Rule(f"upper_{field}", judge, apply)


def _separator(table: Table) -> Iterator[Finding]:
    prompts = table.prompts
    if kind_of(table) == "open_ended":
        return
    common = common_suffix(prompts)
    if all(prompt == common for prompt in prompts):
        yield Finding("separator", "error", "identical_prompts", {"text": common})
        return
    options = SEPARATORS if prompts.holds("\n") else (" ->", *SEPARATORS)
    yield from _common_end("separator", common, prompts, options=options, otherwise="\n\n### =>\n\n")


def _ending(table: Table) -> Iterator[Finding]:
    completions = table.completions
    if kind_of(table) != "conditional":
        return
    common = common_suffix(completions)
    if all(completion == common for completion in completions):
        yield Finding("ending", "error", "identical_completions", {"text": common})
        return
    yield from _common_end("ending", common, completions, options=ENDINGS, otherwise=" [END]")


def _common_end(
    rule: Literal["separator", "ending"], common: str, texts: Texts, *, options: Sequence[str], otherwise: str
) -> Iterator[Finding]:
    """What is true of separators and endings alike: a common one is kept, else an unused one is added."""
    if not common:
        unused = first_unused(options, texts, otherwise=otherwise)
        yield Finding(rule, "recommended", f"{rule}_missing", {rule: unused}, len(texts))
        return
    yield Finding(rule, "info", f"{rule}_kept", {rule: common}, len(texts))
    if len(common) > LONG_AFFIX:
        unused = first_unused(options, texts, otherwise=otherwise)
        yield Finding(rule, "info", f"{rule}_long", {rule: unused}, len(texts))
    if count := repeats(common, texts):
        yield Finding(rule, "info", f"{rule}_repeated", count=count)


def _with_end(rule: Literal["separator", "ending"], field: Field) -> Callable[[Table, Finding], Table]:
    def apply(table: Table, finding: Finding) -> Table:
        return table.having(field, (f"{text}{finding.args[rule]}" for text in table.columns[field]))

    return apply


def _prefix(field: Field, least: int) -> Rule:
    def judge(table: Table) -> Iterator[Finding]:
        texts = table.columns[field]
        prefix = common_prefix(texts)
        if not prefix or all(text == prefix for text in texts):
            return
        if len(prefix) >= least:
            yield Finding(f"{field}_prefix", "recommended", f"{field}_prefix", {"prefix": prefix}, len(texts))
        elif field == "prompt":
            yield Finding(f"{field}_prefix", "info", "prompt_prefix_kept", {"prefix": prefix}, len(texts))

    def apply(table: Table, finding: Finding) -> Table:
        prefix = str(finding.args["prefix"])
        kept = " " if field == "completion" and prefix.startswith(" ") else ""
        return table.having(field, (kept + text[len(prefix) :] for text in table.columns[field]))

    return Rule(f"{field}_prefix", judge, apply)


def _space(table: Table) -> Iterator[Finding]:
    places = [place for place, completion in enumerate(table.completions) if not completion.startswith(" ")]
    if places:
        yield _at(table, "space", "recommended", "space", places)


def _with_space(table: Table, finding: Finding) -> Table:
    return table.having("completion", (text if text.startswith(" ") else f" {text}" for text in table.completions))


RULES = (
    Rule("format", _format),
    Rule("count", _count),
    _column("prompt"),
    _column("completion"),
    Rule("extra_columns", _extra_columns, _only_pairs),
    Rule("missing_words", _missing_words, _without_missing_words, early=True),
    Rule("empty_completion", _empty, _without_empty),
    Rule("kind", _kind),
    Rule("duplicates", _duplicates, _without_duplicates),
    Rule("long", _long, _without_long),
    _lower_case("prompt"),
    _lower_case("completion"),
    Rule("separator", _separator, _with_end("separator", "prompt")),
    _prefix("prompt", PROMPT_PREFIX),
    _prefix("completion", COMPLETION_PREFIX),
    Rule("ending", _ending, _with_end("ending", "completion")),
    Rule("space", _space, _with_space),
)
