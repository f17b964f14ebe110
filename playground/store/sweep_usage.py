"""What sweeps used, by day and model: their calls are no runs, and cost the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from playground.store.history import DAY, UsageRow
from playground.store.records import dollars, microseconds
from playground.store.schema import OUTPUTS, SWEEPS

_FIGURES = ("runs", "prompt_tokens", "completion_tokens", "cost")


def usage(
    connection: sa.Connection, account: str, since: datetime, until: datetime, utc_offset_minutes: int
) -> list[UsageRow]:
    """By local day and model, as `history.usage` has runs; the sums are exact.

    What a sweep has spent on answers that are not kept (tried again, or under way when its process died) counts on the
    day of its last change: for its model, or without one where it has several.
    """
    start, end, offset = microseconds(since), microseconds(until), utc_offset_minutes * 60_000_000
    # Only sweeps that were under way in this time are looked into: the answers of others are not read past.
    among = sa.and_(SWEEPS.c.account == account, SWEEPS.c.updated_at >= start, SWEEPS.c.created_at < end)
    columns = (SWEEPS.c.id, SWEEPS.c.updated_at, SWEEPS.c.spent, SWEEPS.c.cells)
    sweeps = connection.execute(sa.select(*columns).where(among)).all()
    models = {row.id: [str(cell.get("model", "")) for cell in row.cells] for row in sweeps}
    kept: Counter[str] = Counter()
    found: dict[tuple[int, str], dict[str, Any]] = {}
    for day, (sweep, cell, *figures), inside in _outputs(connection, among, start, end, offset):
        kept[sweep] += figures[-1] or 0
        if inside:
            _add(found, (day, _at(models[sweep], cell)), figures)
    for row in sweeps:
        rest = row.spent - kept[row.id]
        if rest > 0 and start <= row.updated_at < end:
            only = set(models[row.id])
            _add(found, ((row.updated_at + offset) // DAY, only.pop() if len(only) == 1 else ""), (0, 0, 0, rest))
    return [_row(day, ref, found[day, ref]) for day, ref in sorted(found)]


def _outputs(connection: sa.Connection, among: Any, start: int, end: int, offset: int) -> Any:
    """(day, (sweep, cell, calls, tokens read, written, cost), whether in the time) of each group of outputs."""
    day = ((OUTPUTS.c.created_at + offset) // DAY).label("day")
    inside = sa.and_(OUTPUTS.c.created_at >= start, OUTPUTS.c.created_at < end).label("inside")
    query = (
        sa.select(
            day,
            inside,
            OUTPUTS.c.sweep,
            OUTPUTS.c.cell,
            sa.func.count(),
            sa.func.coalesce(sa.func.sum(OUTPUTS.c.prompt_tokens), 0),
            sa.func.coalesce(sa.func.sum(OUTPUTS.c.completion_tokens), 0),
            sa.func.sum(OUTPUTS.c.cost),
        )
        .where(OUTPUTS.c.sweep.in_(sa.select(SWEEPS.c.id).where(among)))
        .group_by(day, inside, OUTPUTS.c.sweep, OUTPUTS.c.cell)
    )
    for on, within, *rest in connection.execute(query):
        sweep, cell, count, read, written, cost = rest
        figures = (count, int(read), int(written), None if cost is None else int(cost))
        yield int(on), (sweep, cell, *figures), bool(within)


def _at(models: Sequence[str], cell: int) -> str:
    return models[cell] if 0 <= cell < len(models) else ""


def _add(found: dict[tuple[int, str], dict[str, Any]], key: tuple[int, str], figures: Sequence[int | None]) -> None:
    """A cost that nobody knows does not hide those that are known."""
    row = found.setdefault(key, dict.fromkeys(_FIGURES))
    for name, value in zip(_FIGURES, figures, strict=True):
        if value is not None:
            row[name] = (row[name] or 0) + value


def _row(day: int, ref: str, figures: Mapping[str, Any]) -> UsageRow:
    endpoint, _, model = ref.partition("/")
    return UsageRow(
        day=date(1970, 1, 1) + timedelta(days=day),
        endpoint=endpoint,
        model=model,
        **{**figures, "cost": dollars(figures["cost"])},
        sweep=True,
    )
