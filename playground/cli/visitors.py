"""`visitors`: who used a shared page, what it cost, and who may go on. Works while the page runs, from any machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from playground.cli.talk import Json, harmless, note, print_json, told
from playground.errors import InvalidRequest

if TYPE_CHECKING:
    from playground.store import AccountRow, Spent, Store

app = typer.Typer(help="Visitors of a shared page: what they used, and who may go on.", no_args_is_help=True)

Days = Annotated[int, typer.Option("--days", min=1, max=366, help="How many days back, today (UTC) included.")]
Who = Annotated[str, typer.Argument(help="A visitor's id or name, or all.")]


@app.command("list")
def listed(days: Days = 1, as_json: Json = False) -> None:
    """Each visitor with what they used: calls, tokens, dollars."""
    with told(), _store() as store:
        spent = _since(store, days)
        known = {"": "(host)", **{row.id: harmless(row.name) or "(no name)" for row in store.accounts.listed()}}
        stopped = {row.id for row in store.accounts.listed() if row.stopped}
        rows = []
        for id, name in known.items():
            own = [each for each in spent if each.account == id]
            cost = sum((each.cost for each in own), Decimal(0))
            calls, tokens = sum(each.calls for each in own), sum(each.tokens for each in own)
            about = {"id": id, "name": name, "calls": calls, "tokens": tokens, "cost": format(cost, "f")}
            rows.append({**about, "stopped": id in stopped})
        if as_json:
            print_json(rows)
            return
        for row in sorted(rows, key=lambda row: -Decimal(str(row["cost"]))):
            state = "  stopped" if row["stopped"] else ""
            typer.echo(
                f"{row['id']:<18} {row['name']:<24} {row['calls']:>7,} {row['tokens']:>10,} ${row['cost']}{state}"
            )
        if _halted(store):
            note("Everybody is stopped: visitors go all")


@app.command()
def spent(days: Days = 30, as_json: Json = False) -> None:
    """What was spent, by day (UTC) and model, by all together."""
    with told(), _store() as store:
        sums: dict[tuple[str, str], list[Decimal]] = {}
        for each in _since(store, days):
            of_day = sums.setdefault((each.day.isoformat(), f"{each.endpoint}/{each.model}"), [Decimal(0)] * 3)
            for at, value in enumerate((Decimal(each.calls), Decimal(each.tokens), each.cost)):
                of_day[at] += value
        rows = [
            {"day": day, "model": model, "calls": int(calls), "tokens": int(tokens), "cost": format(cost, "f")}
            for (day, model), (calls, tokens, cost) in sorted(sums.items())
        ]
        if as_json:
            print_json(rows)
            return
        for row in rows:
            typer.echo(f"{row['day']}  {row['model']:<40} {row['calls']:>7,} {row['tokens']:>10,} ${row['cost']}")


@app.command()
def stop(who: Who) -> None:
    """Let a visitor, or all, run nothing from now on. What runs goes on to its end; what they kept stays."""
    _let(who, stopped=True)


@app.command()
def go(who: Who) -> None:
    """Let a visitor, or all, run again."""
    _let(who, stopped=False)


def _let(who: str, *, stopped: bool) -> None:
    from playground.store.ledger import HALTED

    with told(), _store() as store:
        if who == "all":
            store.kept.change(HALTED, lambda _: "1" if stopped else None)
            note("Nobody runs anything from now on." if stopped else "Runs go on, but for visitors stopped by name.")
            return
        row = _meant(store, who)
        store.accounts.stop(row.id, stopped)
        note(f"{row.name or row.id} {'is stopped' if stopped else 'may run again'}.")


def _meant(store: Store, who: str) -> AccountRow:
    rows = store.accounts.listed()
    found = [row for row in rows if row.id == who] or [row for row in rows if row.name and row.name == who]
    if len(found) != 1:
        several = f"{len(found)} visitors are called {who!r}." if found else f"There is no visitor {who!r}."
        raise InvalidRequest(several, param="who", hint="Name one by the id that `visitors list` shows.")
    return found[0]


def _halted(store: Store) -> bool:
    from playground.store.ledger import HALTED

    return store.kept.get(HALTED) is not None


def _since(store: Store, days: int) -> list[Spent]:
    from playground.store.ledger import today

    return store.ledger.spent(since=today() - timedelta(days=days - 1))


@contextmanager
def _store() -> Iterator[Store]:
    from playground.settings import load
    from playground.store import Store

    store = Store.open(load())
    try:
        yield store
    finally:
        store.close()
