"""`ratings`: what people gave a sweep's answers, and how far they agree; sheets for those who rate elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from playground.cli.talk import Json, contents, harmless, note, print_json, told
from playground.errors import InvalidRequest

if TYPE_CHECKING:
    from playground.store import Store

Sweep = Annotated[str, typer.Argument(show_default=False, help="A sweep's id, or its beginning.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print every grade as CSV.")]
Rater = Annotated[str | None, typer.Option("--rater", help="Whose sheet it is.")]
Sheet = Annotated[bool, typer.Option("--sheet", help="Print a sheet as CSV, to be filled in elsewhere by --rater.")]
Back = Annotated[Path | None, typer.Option("--import", help="Take in the sheet that --rater filled in.")]
Cases = Annotated[int | None, typer.Option("--cases", help="How many cases a new rater's sheet has; else all.")]
By = Annotated[list[str] | None, typer.Option("--by", help="A criterion of a new rater's sheet; several may be given.")]


def ratings(
    sweep: Sweep,
    as_json: Json = False,
    as_csv: Csv = False,
    rater: Rater = None,
    sheet: Sheet = False,
    back: Back = None,
    cases: Cases = None,
    by: By = None,
) -> None:
    """What people's ratings of a sweep come to: means with intervals, who is better, how far the raters agree."""
    with told():
        from playground.settings import load
        from playground.store import Store

        if as_json + as_csv + sheet + (back is not None) > 1:
            raise InvalidRequest("Give one of --json, --csv, --sheet and --import.")
        store = Store.open(load())
        try:
            if sheet or back is not None:
                _sheet(store, sweep, rater, back, {"cases": cases, "criteria": by})
            else:
                _print(store, sweep, as_json=as_json, as_csv=as_csv)
        finally:
            store.close()


def _sheet(store: Store, sweep: str, rater: str | None, back: Path | None, queue: Mapping[str, Any]) -> None:
    """A sheet out, or in; a rater who has begun keeps what they rate."""
    from playground.evaluate import rating, rating_sheet
    from playground.evaluate.metrics.judge import CRITERIA

    if rater is None:
        raise InvalidRequest("Say whose sheet it is, with --rater NAME.", param="rater")
    if back is not None:
        at = rating.desk(store, sweep, rater)
        count = rating_sheet.take(store, at, contents(back), back.name)
        note(f"Rated: {count:,} of {len(at.places):,} answers.")
        return
    chosen = {**queue, "criteria": queue["criteria"] or list(CRITERIA)}
    row = store.sweeps.sweep(sweep)
    known = store.ratings.rater(row.id, rating.read_rater(rater)) if row else None
    at = rating.join(store, sweep, rater, rating.read_queue(known.queue if known else chosen))
    sys.stdout.buffer.write(rating_sheet.sheet(store, at))


def _print(store: Store, sweep: str, *, as_json: bool, as_csv: bool) -> None:
    from playground.evaluate import rating_results

    if as_csv:
        sys.stdout.buffer.write(rating_results.to_csv(store, sweep))
        return
    said = rating_results.told(store, sweep)
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
