"""An evaluation as one plain structure: systems by figures, what they took for what, what is off the domain, and where
they disagree most. The command line, the page and the HTML report say it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from playground.evaluate.comparison import Column, Difference, compare
from playground.evaluate.report import Json, classes_json, interval_json, measure_json, notes, output_json, verdict_json
from playground.evaluate.results import Measure, Results
from playground.words import Language

MOST_OFF, MOST_DISAGREED = 200, 20
"""Answers off the domain, and cases that systems disagree on, that are listed."""


def is_evaluation(spec: Mapping[str, Any]) -> bool:
    """Whether a sweep's spec, as it is kept, varies nothing but who answers."""
    return not spec.get("grid") and not spec.get("list")


def table(
    results: Results, measure: str | None = None, *, baseline: str | None = None, language: Language = "en"
) -> Json:
    """Everything that is to be said of an evaluation; `measure` (by default the first) is what disagreement is by.

    `columns` are figures, each with `figures` and `differences` by the systems' places (None where there is none).
    Raises InvalidRequest.
    """
    compared = compare(results, baseline)
    chosen = results.measure(measure or results.measures[0].name)
    sweep = results.sweep
    return {
        "id": sweep.id,
        "name": sweep.name,
        "state": sweep.state,
        "created_at": sweep.created_at.isoformat(),
        "calls": sweep.calls,
        "cases": len(results.cases),
        "repeats": results.spec.repeats,
        "answered": sum(map(len, results.by_cell.values())),
        "failed": sum(output.status == "failed" for output in results.outputs),
        "spent": format(sweep.spent, "f"),
        "spec": dict(sweep.spec),
        "baseline": compared.baseline,
        "systems": [_system(results, cell) for cell in range(len(sweep.cells))],
        "columns": [_column(results, each) for each in compared.columns],
        "classes": _classes(results),
        "off_domain": off_domain(results),
        "measure": measure_json(chosen),
        "disagreements": disagreements(results, chosen),
        "notes": [note.text(language) for note in notes(results)],
    }


def to_json(results: Results, said: Json) -> bytes:
    """The table with every output."""
    whole = {**said, "outputs": [output_json(results, output) for output in results.outputs]}
    return json.dumps(whole, ensure_ascii=False, indent=1).encode("utf-8", "replace")


def _system(results: Results, cell: int) -> Json:
    about = results.sweep.cells[cell]
    return {
        **{name: about[name] for name in ("name", "model", "preset")},
        "answered": len(results.by_cell[cell]),
        "failed": sum(output.cell == cell and output.status == "failed" for output in results.outputs),
        "agreement": results.agreement([cell]),
    }


def _column(results: Results, column: Column) -> Json:
    cells = range(len(results.sweep.cells))
    return {
        **measure_json(column.measure),
        "kind": column.kind,
        "group": column.group,
        "most": column.most,
        "jackknifed": column.jackknifed,
        "figures": [interval_json(column.figures.get(cell)) for cell in cells],
        "differences": [_difference(column.differences.get(cell)) for cell in cells],
        "verdict": verdict_json(results, column.verdict),
    }


def _difference(found: Difference | None) -> Json | None:
    """`value` with its interval where there is one, and the test. `p_value` is adjusted by Holm, `raw_p_value` not."""
    if found is None:
        return None
    tested, interval = found.tested, found.interval
    return {
        "value": tested.difference,
        "low": None if interval is None else interval.low,
        "high": None if interval is None else interval.high,
        "p_value": found.p_value,
        "raw_p_value": tested.p_value,
        "test": tested.test,
        "count": tested.count,
    }


def _classes(results: Results) -> list[Json | None] | None:
    """Each system's classification report; None where no metric reads labels."""
    found = [results.classes(cell) for cell in range(len(results.sweep.cells))]
    return [None if each is None else classes_json(each) for each in found] if any(found) else None


def off_domain(results: Results) -> Json | None:
    """Answers that are off the training set's domain, the farthest first where a metric tells how far; None where no
    metric looks for them."""
    kinds = {each.kind: each.name for each in results.spec.metrics}
    if "off_domain" not in kinds:
        return None
    name, closeness = kinds["off_domain"], kinds.get("domain", "")
    found = [output for output in results.outputs if output.status == "done" and output.scores.get(name) == 1]
    found.sort(key=lambda output: output.scores.get(closeness) or 0.0)
    shown = [output_json(results, output) for output in found[:MOST_OFF]]
    return {
        "count": len(found),
        "answers": [{**each, "closeness": each["scores"].get(closeness)} for each in shown],
    }


def disagreements(results: Results, measure: Measure) -> list[Json]:
    """The cases whose systems' mean scores lie farthest apart, each with what every system first answered. A case on
    which all score alike is none."""
    cells = range(len(results.sweep.cells))
    scores = [results.scores(measure, [cell]) for cell in cells]
    found = []
    for row in range(len(results.cases)):
        means = [_mean(scores[cell][row]) for cell in cells]
        there = [each for each in means if each is not None]
        if there and max(there) > min(there):
            found.append((max(there) - min(there), row, means))
    found.sort(key=lambda each: (-each[0], each[1]))
    return [_disagreed(results, *each) for each in found[:MOST_DISAGREED]]


def _disagreed(results: Results, spread: float, row: int, means: list[float | None]) -> Json:
    case = results.cases[row]
    answers = [
        next((output for output in results.by_cell[cell] if output.row == row), None) for cell in range(len(means))
    ]
    return {
        "row": row,
        "case": case.id,
        "expected": case.expected,
        "spread": spread,
        "answers": [
            {
                "number": None if output is None else output.number,
                "answer": None if output is None else output.answer,
                "score": mean,
            }
            for output, mean in zip(answers, means, strict=True)
        ],
    }


def _mean(scores: Sequence[float | None]) -> float | None:
    there = [each for each in scores if each is not None]
    return sum(there) / len(there) if there else None
