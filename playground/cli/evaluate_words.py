"""What the command line says of an evaluation (`evaluate.table.table`): data in, lines out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from playground.cli.sweep_words import dollars, seconds, verdict

MOST_SHOWN, LONGEST = 5, 70
"""Disagreements and off-domain answers that are shown, and characters of an answer."""


def lines(said: Mapping[str, Any]) -> Iterator[str]:
    names = [each["name"] for each in said["systems"]]
    yield (
        f"{said['name']} ({said['id']}): {said['state']}, {said['answered']:,} of {said['calls']:,} answered"
        + (f", {said['failed']:,} failed" if said["failed"] else "")
        + (f", {dollars(said['spent'])} spent" if float(said["spent"]) else "")
    )
    yield "Each figure with its 95 % interval, n cases" + (
        f"; differences to {names[said['baseline']]} by paired tests (p-values adjusted by Holm within a figure)"
        if len(names) > 1
        else ""
    )
    for column in said["columns"]:
        yield from _column(column, names, said["baseline"])
    yield from _classes(said["classes"], names)
    yield from _off_domain(said["off_domain"])
    yield from _disagreements(said, names)
    first = next((each for each in said["columns"] if each["name"] == said["measure"]["name"]), None)
    if first is not None:
        yield from verdict(first["verdict"], len(names))
    yield from (f"note: {note}" for note in said["notes"])


def _column(column: Mapping[str, Any], names: list[str], baseline: int) -> Iterator[str]:
    found = column["verdict"]
    best = None if found is None else found["winner_cell"]
    whole = ", of all answers together" if column["kind"] == "corpus" else ""
    judged = ", given by a model from 1 to 5" if column["judged"] else ""
    way = "higher" if column["higher_is_better"] else "lower"
    yield f"{column['name']}{whole}{judged} ({way} is better)"
    for at, name in enumerate(names):
        mark = "*" if at == best else " "
        line = f"  {mark} {name}: {_figure(column['figures'][at], column['unit'])}"
        yield line + _difference(column["differences"][at], column["unit"], at == baseline and len(names) > 1)
    if best is not None:
        yield f"    * shown to be the best ({max(each['p_value'] for each in found['against']):.2g} ≥ p)"


def _figure(interval: Mapping[str, Any] | None, unit: str) -> str:
    if interval is None:
        return "no figure"
    value, low, high = (_number(interval[name], unit) for name in ("value", "low", "high"))
    return f"{value} [{low}, {high}] n={interval['count']}"


def _difference(found: Mapping[str, Any] | None, unit: str, is_baseline: bool) -> str:
    if is_baseline:
        return "  baseline"
    if found is None:
        return ""
    ends = ""
    if found["low"] is not None:
        ends = f" [{_signed(found['low'], unit)}, {_signed(found['high'], unit)}]"
    return f"  {_signed(found['value'], unit)}{ends} p={found['p_value']:.2g} ({found['test']})"


def _signed(value: float, unit: str) -> str:
    return ("-" if value < 0 else "+") + _number(abs(value), unit)


def _number(value: float, unit: str) -> str:
    if unit == "dollars":
        return dollars(value)
    if unit == "seconds":
        return seconds(value)
    return f"{value:.3f}" if unit == "score" else f"{value:.1f}"


def _classes(classes: list[Mapping[str, Any] | None] | None, names: list[str]) -> Iterator[str]:
    for name, found in zip(names, classes or [], strict=False):
        if found is None:
            continue
        yield f"Expected (rows) against answered (columns): {name}, accuracy {found['accuracy']:.3f}"
        heads = [*found["labels"], "no label", "precision", "recall", "F1"]
        width = max(8, *(len(head) for head in found["labels"]))
        yield "  " + " " * width + "".join(f"  {head:>9}" for head in heads)
        for label, row in zip(found["labels"], found["matrix"], strict=True):
            each = found["classes"][label]
            figures = [*(f"{count:,}" for count in row), *(f"{each[key]:.2f}" for key in ("precision", "recall", "f1"))]
            cells = (f"  {figure:>{max(9, len(head))}}" for figure, head in zip(figures, heads, strict=True))
            yield f"  {label:<{width}}" + "".join(cells)
        yield f"  macro F1 {found['macro']['f1']:.3f}, weighted F1 {found['weighted']['f1']:.3f}"


def _off_domain(found: Mapping[str, Any] | None) -> Iterator[str]:
    if found is None:
        return
    yield f"Answers off the training set's domain: {found['count']:,}"
    for each in found["answers"][:MOST_SHOWN]:
        far = "" if each["closeness"] is None else f" (closeness {each['closeness']:.2f})"
        yield f"  {each['name']}, case {each['case']}{far}: {_short(each['answer'])}"
    if found["count"] > MOST_SHOWN:
        yield f"  … and {found['count'] - MOST_SHOWN:,} more: see --json or the files"


def _disagreements(said: Mapping[str, Any], names: list[str]) -> Iterator[str]:
    if len(names) < 2 or not said["disagreements"]:
        return
    yield f"Where they disagree most, by {said['measure']['name']}:"
    for each in said["disagreements"][:MOST_SHOWN]:
        expected = "" if each["expected"] is None else f", expected {_short(each['expected'])}"
        yield f"  case {each['case']}{expected}"
        for name, answer in zip(names, each["answers"], strict=True):
            score = "–" if answer["score"] is None else f"{answer['score']:.3g}"
            yield f"    {name} ({score}): {_short(answer['answer'])}"


def _short(text: str | None) -> str:
    line = " ".join((text or "").split())
    return (line if len(line) <= LONGEST else line[: LONGEST - 1] + "…") or "(nothing)"
