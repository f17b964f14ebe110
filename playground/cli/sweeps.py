"""`sweeps`: what sweeps and evaluations there are, and how far each is. It asks no server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from playground.cli.talk import Json, harmless, note, print_json, told

if TYPE_CHECKING:
    from playground.store.sweeps import SweepRow

Limit = Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")]


def sweeps(limit: Limit = 100, as_json: Json = False) -> None:
    """List sweeps and evaluations, the newest first: id, state, calls answered, dollars spent, name."""
    with told():
        from playground.settings import load
        from playground.store import Store

        store = Store.open(load())
        try:
            rows = store.sweeps.listed(limit)
        finally:
            store.close()
        if as_json:
            print_json([_plain(row) for row in rows])
            return
        for row in rows:
            typer.echo(harmless(_line(row)))
        if not rows:
            note("There are none yet. `python -m playground sweep spec.yaml` runs one.")
        elif any(row.done < row.calls for row in rows):
            note("`python -m playground sweep --resume ID` goes on with one.")


def _plain(row: SweepRow) -> dict[str, Any]:
    """For programs; `spent` is text, so that no digit of it is lost."""
    return {
        **{name: getattr(row, name) for name in ("id", "name", "state", "done", "failed", "calls")},
        "spent": f"{row.spent:f}",
        "created_at": row.created_at.isoformat(),
    }


def _line(row: SweepRow) -> str:
    from playground.pricing import format_money

    failed = f", {row.failed:,} failed" if row.failed else ""
    name = " ".join(row.name.split())
    return f"{row.id}  {row.state}  {row.done:,}/{row.calls:,}{failed}  {format_money(row.spent)}  {name}"
