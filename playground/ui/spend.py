"""What everybody on a shared page spent, for its host: the ledger's sums by day, and by model or visitor."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from decimal import Decimal
from typing import Any, Literal

from playground import pricing
from playground.deps import Deps
from playground.store import HOST, Spent
from playground.store.ledger import today

By = Literal["model", "visitor"]
HOSTS_NAME = "host"
"""What the host signs in as."""


def everybodys(deps: Deps, days: int, by: By) -> dict[str, Any]:
    """The Usage tab's value for all accounts together, of the last `days` days (UTC, as limits have them). Blocks."""
    first = today() - timedelta(days=days - 1)
    spent = deps.store.ledger.spent(since=first)
    names = _names(deps) if by == "visitor" else {}
    sums: dict[tuple[str, str], list[Spent]] = defaultdict(list)
    for each in spent:
        label = names.get(each.account, each.account[:8]) if by == "visitor" else f"{each.endpoint}/{each.model}"
        sums[each.day.isoformat(), label].append(each)
    return {
        "host": True,
        "days": [(first + timedelta(days=day)).isoformat() for day in range(days)],
        "rows": [{"day": day, "model": label, "sweep": False, **_sum(rows)} for (day, label), rows in sums.items()],
        "latencies": [],
        "totals": {**_sum(spent), "cost": pricing.format_money(_cost(spent)), "calls": 0, "swept": ""},
    }


def _names(deps: Deps) -> dict[str, str]:
    """Visitors' names by account; of several who chose the same one, each has a part of its id with it."""
    rows = deps.store.accounts.listed()
    taken = [row.name for row in rows]
    named = {row.id: row.name if taken.count(row.name) == 1 else f"{row.name} ({row.id[:6]})".strip() for row in rows}
    return {HOST: HOSTS_NAME, **{id: name or id[:8] for id, name in named.items()}}


def _sum(rows: list[Spent]) -> dict[str, Any]:
    return {
        "runs": sum(each.calls for each in rows),
        "tokens": sum(each.tokens for each in rows),
        "cost": float(_cost(rows)),
    }


def _cost(rows: list[Spent]) -> Decimal:
    return sum((each.cost for each in rows), Decimal(0))
