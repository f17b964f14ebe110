"""`ratings`: what people gave a sweep's answers, and how far they agree."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from playground.cli.talk import Json, harmless, print_json, told
from playground.errors import InvalidRequest

Sweep = Annotated[str, typer.Argument(show_default=False, help="A sweep's id, or its beginning.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print every grade as CSV.")]


def ratings(sweep: Sweep, as_json: Json = False, as_csv: Csv = False) -> None:
    """What people's ratings of a sweep come to: means with intervals, who is better, how far the raters agree."""
    with told():
        from playground.evaluate import rating_results
        from playground.settings import load
        from playground.store import Store

        if as_json and as_csv:
            raise InvalidRequest("Give --json or --csv, not both.")
        store = Store.open(load())
        try:
            if as_csv:
                sys.stdout.buffer.write(rating_results.to_csv(store, sweep))
                return
            said = rating_results.told(store, sweep)
        finally:
            store.close()
        if as_json:
            print_json(said)
            return
        for line in lines(said):
            typer.echo(harmless(line))


def lines(said: Mapping[str, Any]) -> Iterator[str]:
    """The results on a terminal."""
    yield f"{said['name']} ({said['sweep']}): ratings by {len(said['raters'])} people"
    for each in said["raters"]:
        seen = ", has seen the results" if each["seen"] else ""
        yield f"  {each['rater']}: {each['done']:,} of {each['count']:,} rated{seen}"
    if not said["criteria"]:
        yield "Nothing is rated yet."
    for each in said["criteria"]:
        yield from _criterion(each)


def _criterion(said: Mapping[str, Any]) -> Iterator[str]:
    unsure = f", {said['unsure']:,} could not be judged" if said["unsure"] else ""
    yield f"{said['criterion']}: {said['graded']:,} grades from 1 to 5{unsure}; mean over cases [95 % interval]"
    for each in said["systems"]:
        figure = each["figure"]
        mean = (
            f"{figure['value']:.2f} [{figure['low']:.2f}, {figure['high']:.2f}] n={figure['count']}"
            if figure
            else "no grade"
        )
        yield f"  {each['name']}: {mean}"
    yield f"  {said['verdict_says']}"
    alpha = (
        "" if said["alpha"] is None else f"Krippendorff's alpha {said['alpha']:.3f} over {said['items']:,} answers. "
    )
    yield f"  {alpha}{said['alpha_says']}"
    for each in said["kappas"]:
        kappa = "–" if each["kappa"] is None else f"{each['kappa']:.3f}"
        yield f"  {' and '.join(each['raters'])}: Cohen's kappa {kappa} (quadratic), n={each['count']}: {each['says']}"
