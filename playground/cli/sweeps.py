"""`sweeps`: what sweeps and evaluations there are, and how far each is. It asks no server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from playground.cli.talk import Json, harmless, note, print_json, told

if TYPE_CHECKING:
    from playground.evaluate.judging import Standing
    from playground.store.sweeps import SweepRow

Limit = Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")]


def sweeps(limit: Limit = 100, as_json: Json = False) -> None:
    """List sweeps and evaluations, the newest first: id, state, calls answered, dollars spent, name."""
    with told():
        from playground.evaluate.judging import standing
        from playground.settings import load
        from playground.store import Store

        store = Store.open(load())
        try:
            rows = store.sweeps.listed(limit)
            judged = {row.id: standing(store, row) for row in rows}
        finally:
            store.close()
        if as_json:
            print_json([_plain(row, judged[row.id]) for row in rows])
            return
        for row in rows:
            typer.echo(harmless(_line(row, judged[row.id])))
        if not rows:
            note("There are none yet. `python -m playground sweep spec.yaml` runs one.")
        elif any(row.done < row.calls or _unjudged(judged[row.id]) for row in rows):
            note("`python -m playground sweep --resume ID` goes on with one.")


def _unjudged(judged: Standing | None) -> bool:
    return judged is not None and judged.done < judged.calls


def _plain(row: SweepRow, judged: Standing | None) -> dict[str, Any]:
    """For programs; `spent`, on answers and judges, is text, so that no digit of it is lost."""
    return {
        **{name: getattr(row, name) for name in ("id", "name", "state", "done", "failed", "calls")},
        "judged": judged and {name: getattr(judged, name) for name in ("done", "failed", "calls", "state")},
        "spent": f"{row.spent + (judged.spent if judged else 0):f}",
        "created_at": row.created_at.isoformat(),
    }


def _line(row: SweepRow, judged: Standing | None) -> str:
    from playground.pricing import format_money

    failed = f", {row.failed:,} failed" if row.failed else ""
    name = " ".join(row.name.split())
    opinions = f", {judged.done:,}/{judged.calls:,} judged" if judged else ""
    spent = format_money(row.spent + (judged.spent if judged else 0))
    return f"{row.id}  {row.state}  {row.done:,}/{row.calls:,}{failed}{opinions}  {spent}  {name}"
