"""`judge`: a model grades the answers of a sweep or an evaluation that is there already."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from playground.cli.sweep import Left, Out, Yes, carried_out, dollars, show_results
from playground.cli.talk import Json, run_async, told

Sweep = Annotated[str, typer.Argument(show_default=False, help="A sweep's or an evaluation's id, or its beginning.")]
Model = Annotated[str, typer.Option("--model", "-m", help="The model that judges, endpoint/model.")]
Criterion = Annotated[
    str, typer.Option(help="correctness, grammar or context; or a question of your own about each answer.")
]
Name = Annotated[str, typer.Option("--as", help="What its grades are called in reports.")]
Budget = Annotated[
    str | None, typer.Option("--budget", help="Dollars for the sweep and its judges in all, what it has cost included.")
]
Tokens = Annotated[int | None, typer.Option(help="Tokens that a verdict may have; else 500.")]


def judge(
    sweep: Sweep,
    model: Model,
    criterion: Criterion = "correctness",
    name: Name = "judge",
    max_tokens: Tokens = None,
    budget: Budget = None,
    yes: Yes = False,
    as_json: Json = False,
    out: Out = None,
) -> None:
    """Let a model grade a sweep's answers from 1 to 5. It is that model's opinion, and every report says so."""
    with told():
        options = {"model": model, "criterion": criterion, "as": name, "max_tokens": max_tokens}
        given = {key: value for key, value in options.items() if value is not None}
        left = Left(sweep, dollars(budget), judge=given)
        show = partial(show_results, as_json=as_json, out=out, measure=name)
        run_async(carried_out(None, Path(), left, yes=yes, out=out, show=show))
