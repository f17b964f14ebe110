"""A sweep's results as one plain structure, which JSON, the page and the HTML report are made of; and as CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from playground.evaluate.metrics.build import judges
from playground.evaluate.metrics.labels import ClassReport
from playground.evaluate.results import PLAIN, Heatmap, Measure, Point, Results
from playground.evaluate.statistics import Interval
from playground.evaluate.verdict import Verdict
from playground.export import FORMULA
from playground.store import Output
from playground.words import Said

Json = dict[str, Any]


def report(results: Results, measure: str | None = None) -> Json:
    """Everything that is to be said of a sweep by one measure, by default its first: plain JSON."""
    chosen = results.measure(measure or results.measures[0].name)
    points = results.points(chosen.name)
    sweep = results.sweep
    return {
        "id": sweep.id,
        "name": sweep.name,
        "state": sweep.state,
        "created_at": sweep.created_at.isoformat(),
        "calls": sweep.calls,
        "answered": sum(point.answered for point in points),
        "failed": sum(point.failed for point in points),
        "spent": format(sweep.spent, "f"),
        "spec": dict(sweep.spec),
        "measure": measure_json(chosen),
        "measures": [measure_json(each) for each in results.measures],
        "axes": {name: list(values) for name, values in results.axes.items()},
        "verdict": verdict_json(results, results.verdict(chosen.name)),
        "cells": [_cell(results, point) for point in points],
        "heatmap": _first_heatmap(results, chosen),
        "notes": [note.text() for note in notes(results)],
    }


def notes(results: Results) -> list[Said]:
    """What to know of the figures."""
    said = [note for metric in results.metrics for note in metric.notes]
    said += _judges(results)
    untimed = sum(output.status == "done" and output.latency is None for output in results.outputs)
    return [*said, Said("note.batched", {"count": untimed})] if untimed else said


def _judges(results: Results) -> list[Said]:
    """Whose opinion a judge's figures are, and how many of its verdicts could not be read."""
    said = []
    for judge in judges(results.spec.metrics):
        given = [each for several in results.opinions.values() for each in several if each.judge == judge.name]
        about: dict[str, str | int | float | Said] = {
            "name": judge.name,
            "model": str(judge.options["model"]),
            "count": len(given),
        }
        said.append(Said("note.judge" if given else "note.judge_none", about))
        if unread := sum(each.grade is None for each in given):
            said.append(Said("note.judge_unread", {**about, "unread": unread}))
    return said


def measure_json(measure: Measure) -> Json:
    return {
        "name": measure.name,
        "unit": measure.unit,
        "higher_is_better": measure.higher_is_better,
        "judged": measure.judged,
        "human": measure.human,
    }


def heatmap_json(heatmap: Heatmap) -> Json:
    """Squares as `x` and `y` (places in the values), their cells, `figure`, `agreement` and `count`."""
    return {
        "measure": measure_json(heatmap.measure),
        "x": heatmap.x,
        "y": heatmap.y,
        "x_values": list(heatmap.x_values),
        "y_values": list(heatmap.y_values),
        "squares": [
            {
                "x": square.x,
                "y": square.y,
                "cells": list(square.cells),
                "figure": interval_json(square.figure),
                "agreement": square.agreement,
                "count": square.count,
            }
            for square in heatmap.squares
        ],
    }


def verdict_json(results: Results, found: Verdict | None) -> Json | None:
    """The winner by its name, or None with those that are level; each comparison with its p-value (Holm)."""
    if found is None:
        return None

    def name(system: str) -> str:
        return str(results.sweep.cells[int(system)]["name"])

    return {
        "winner": None if found.winner is None else name(found.winner),
        "winner_cell": None if found.winner is None else int(found.winner),
        "best": name(found.best),
        "best_cell": int(found.best),
        "level": [name(each) for each in found.level],
        "others": len(found.means) - 1,
        "alpha": found.alpha,
        "against": [{**asdict(each), "other": name(each.other)} for each in found.against],
    }


def verdict_said(found: Json) -> Said:
    """A verdict of `verdict_json` over several systems, in one sentence."""
    p = float(f"{max((each['p_value'] for each in found['against']), default=1.0):.2g}")
    if found["winner"] is not None:
        return Said("sweep.winner", {"name": found["winner"], "p": p})
    level = len(found["level"])
    return Said("sweep.no_difference", {"name": found["best"], "p": p, "level": level, "others": found["others"]})


def interval_json(interval: Interval | None) -> Json | None:
    return None if interval is None else asdict(interval)


def to_json(results: Results, measure: str | None = None) -> bytes:
    """The report with every output."""
    said = report(results, measure)
    said["outputs"] = [output_json(results, output) for output in results.outputs]
    return json.dumps(said, ensure_ascii=False, indent=1).encode("utf-8", "replace")


def output_json(results: Results, output: Output) -> Json:
    """An output with the names of its cell and its case."""
    said = {name: getattr(output, name) for name in Output.__slots__ if name not in ("cost", "beside", "scores")}
    case = results.cases[output.row]
    return {
        **said,
        "cost": _money(output.cost),
        "scores": dict(output.scores),
        "beside": output.beside and dict(output.beside),
        "case": case.id,
        "expected": case.expected,
        "name": results.sweep.cells[output.cell]["name"],
        "judged": [each._asdict() for each in results.opinions.get(output.number, ())],
    }


def to_csv(results: Results) -> bytes:
    """An output a row, for a spreadsheet: what one would take for a formula gets an apostrophe in front."""
    parameters = tuple(dict.fromkeys(name for cell in results.sweep.cells for name in cell["varied"]))
    metrics = [each.name for each in results.measures if each not in PLAIN]
    header = [
        *("number", "model", "preset", *parameters, "case", "expected", "repeat", "status", "answer", *metrics),
        *("finish_reason", "prompt_tokens", "completion_tokens", "cost", "latency", "time_to_first_token", "error"),
    ]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(map(safe, header))
    for output in results.outputs:
        writer.writerow(safe(each) for each in _row(results, output, parameters, metrics))
    return b"\xef\xbb\xbf" + out.getvalue().encode("utf-8", "replace")


def _row(results: Results, output: Output, parameters: Sequence[str], metrics: Sequence[str]) -> list[Any]:
    cell, case = results.sweep.cells[output.cell], results.cases[output.row]
    return [
        *(output.number, cell["model"], cell["preset"]),
        *(cell["varied"].get(name) for name in parameters),
        *(case.id, case.expected, output.repeat + 1, output.status, output.answer),
        *(output.scores.get(name) for name in metrics),
        *(output.finish_reason, output.prompt_tokens, output.completion_tokens, _money(output.cost)),
        *(output.latency, output.time_to_first_token, output.error),
    ]


def safe(value: Any) -> Any:
    """A value as a cell of a CSV that no spreadsheet takes for a formula."""
    if isinstance(value, (list, tuple, dict)):
        value = json.dumps(value, ensure_ascii=False)
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _cell(results: Results, point: Point) -> Json:
    cell = results.sweep.cells[point.cell]
    figures = {
        each.name: interval_json(results.figure(each, point.cell)) for each in results.measures if each.unit == "score"
    }
    classes = results.classes(point.cell)
    return {
        **{name: value for name, value in asdict(point).items() if name != "quality"},
        "quality": interval_json(point.quality),
        "model": cell["model"],
        "preset": cell["preset"],
        "varied": cell["varied"],
        "parameters": cell["parameters"],
        "figures": figures,
        "whole": results.whole(point.cell),
        "classes": None if classes is None else classes_json(classes),
    }


def classes_json(found: ClassReport) -> Json:
    """The report, and the confusion matrix: a row an expected label, the last column for what is no label."""
    return {
        "labels": list(found.labels),
        "matrix": [list(row) for row in found.matrix],
        "classes": {name: asdict(each) for name, each in zip(found.labels, found.classes, strict=True)},
        "accuracy": found.accuracy,
        "macro": asdict(found.macro),
        "weighted": asdict(found.weighted),
        "unread": found.unread,
    }


def _first_heatmap(results: Results, measure: Measure) -> Json | None:
    names = sorted(results.axes, key=lambda name: name in ("model", "preset"))
    if not names:
        return None
    return heatmap_json(results.heatmap(measure.name, names[0], names[1] if len(names) > 1 else None))


def _money(cost: Decimal | None) -> str | None:
    return None if cost is None else format(cost, "f")
