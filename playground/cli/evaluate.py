"""`evaluate`: models side by side on test cases. It is a sweep whose only axis is the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from playground.cli.sweep import Batch, BudgetOption, Left, Out, Yes, carried_out, dollars
from playground.cli.sweep_files import write
from playground.cli.talk import Json, harmless, print_json, run_async, told
from playground.errors import InvalidRequest

if TYPE_CHECKING:
    from playground.evaluate.results import Results
    from playground.evaluate.spec import Spec
    from playground.types import ModelInfo

DatasetFile = Annotated[
    Path | None, typer.Argument(show_default=False, help="Test cases: CSV, TSV, XLSX, JSON, JSONL, or a kept set.")
]
Models = Annotated[
    list[str] | None, typer.Option("--model", "-m", help="A model, endpoint/model; several may be given.")
]
Metrics = Annotated[
    list[str] | None, typer.Option("--metric", help="A metric, or {metric: {option: value}}; several may be given.")
]
Baseline = Annotated[
    str | None, typer.Option("--baseline", help="The model that the others are compared with; else the first.")
]
Checkpoints = Annotated[bool, typer.Option("--checkpoints", help="Also each fine-tuned model's checkpoints.")]
Stop = Annotated[list[str] | None, typer.Option(help=r"Stop at this text; up to 4 times. \n is a line break.")]
Prompt = Annotated[str | None, typer.Option(help="What is sent, with {{variables}}; else what each case asks itself.")]
Training = Annotated[
    Path | None, typer.Option("--training", help="The file a model was trained on, for novelty and domain.")
]
AGAIN = "python -m playground evaluate --resume"
By = Annotated[str | None, typer.Option("--measure", help="List disagreements by this measure; else the first metric.")]
Resume = Annotated[str | None, typer.Option("--resume", help="Go on with the evaluation of this id, or show it again.")]


def evaluate(
    cases: DatasetFile = None,
    model: Models = None,
    metric: Metrics = None,
    baseline: Baseline = None,
    checkpoints: Checkpoints = False,
    prompt: Prompt = None,
    repeats: int = 1,
    max_tokens: int | None = None,
    temperature: float | None = None,
    stop: Stop = None,
    trained_on: Training = None,
    concurrency: int = 4,
    batch: Batch = None,
    budget: BudgetOption = None,
    yes: Yes = False,
    resume: Resume = None,
    as_json: Json = False,
    out: Out = None,
    measure: By = None,
) -> None:
    """Put models side by side on test cases: each figure with its interval, and who is better by paired tests."""
    with told():
        show = partial(_show, as_json=as_json, out=out, measure=measure, baseline=baseline)
        if resume is not None:
            if cases is not None or model:
                raise InvalidRequest("--resume takes up what an evaluation began with: give no cases and no models.")
            left = Left(resume, dollars(budget), batch)
            run_async(carried_out(None, Path(), left, yes=yes, out=out, show=show, again=AGAIN))
            return
        if cases is None or not model:
            raise InvalidRequest("Give test cases and at least one --model, or --resume with an evaluation's id.")
        from playground.parameters import unescape

        given = {"max_tokens": max_tokens, "temperature": temperature, "stop": [unescape(each) for each in stop or ()]}
        spec = _spec(
            {
                "name": f"evaluate {cases.stem}"[:120],
                "models": list(dict.fromkeys([*([baseline] if baseline else []), *model])),
                "prompt": prompt,
                "dataset": str(cases),
                "repeats": repeats,
                "parameters": {name: value for name, value in given.items() if value not in (None, [])},
                "training": None if trained_on is None else str(trained_on.resolve()),
                "baseline": baseline,
                "budget": budget,
                "concurrency": concurrency,
                "batch": batch,
                "max_calls": 100_000,
            },
            metric or ["exact_match"],
        )
        complete = _with_checkpoints if checkpoints else _as_it_is
        started = partial(carried_out, spec, Path(), Left(), complete=complete, again=AGAIN)
        run_async(started(yes=yes, out=out, show=show))


def _spec(about: dict[str, object], metrics: Sequence[str]) -> Spec:
    """The spec, with what is read beside its metrics."""
    from playground.evaluate.metrics.build import with_companions
    from playground.evaluate.spec import from_json
    from playground.evaluate.spec_files import load

    named = [load(each) if each.lstrip().startswith("{") else each for each in metrics]
    spec = from_json({**about, "metrics": named})
    return replace(spec, metrics=with_companions(spec.metrics))


def _as_it_is(spec: Spec, models: Sequence[ModelInfo]) -> Spec:
    return spec


def _with_checkpoints(spec: Spec, models: Sequence[ModelInfo]) -> Spec:
    """Each fine-tuned model followed by its checkpoints. Raises InvalidRequest where none has any."""
    from playground import picker

    found: list[str] = []
    for wanted in spec.models:
        ref = next((info.ref for info in models if wanted in (info.ref, info.id)), wanted)
        found += [wanted, *picker.checkpoints(ref, models)]
    if len(found) == len(spec.models):
        raise InvalidRequest(
            "None of these models has checkpoints that a server lists.",
            param="checkpoints",
            hint="Leave --checkpoints out, or name a fine-tuned model that has some.",
        )
    return replace(spec, models=tuple(dict.fromkeys(found)))


def _show(found: Results, *, as_json: bool, out: Path | None, measure: str | None, baseline: str | None) -> None:
    from playground.cli.evaluate_words import lines
    from playground.evaluate import report, table, table_page

    said = table.table(found, measure, baseline=baseline)
    if as_json:
        print_json(said)
    else:
        for line in lines(said):
            typer.echo(harmless(line))
    if out is not None:
        files = {
            "report.html": table_page.page(found, said).encode("utf-8", "replace"),
            "report.json": table.to_json(found, said),
            "outputs.csv": report.to_csv(found),
        }
        write(out, files)
