"""What all columns of a comparison cost together, before and after."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from playground import pricing
from playground.deps import Deps
from playground.pricing import Estimate
from playground.types import EndpointKind, Run
from playground.ui import present

Amount = Decimal | None
"""Dollars; None where nobody knows."""


def foreseen(kinds: Sequence[EndpointKind], estimates: Sequence[Estimate | None], price_as: str) -> list[Any]:
    """What the next run of all columns is expected to cost, and at most; nothing where no price is known."""
    if all(each is None or each.expected is None for each in estimates):
        return []
    return [
        _sum(
            "sum_expected", kinds, [None if each is None else each.expected for each in estimates], price_as, about=True
        ),
        _sum("sum_worst", kinds, [None if each is None else each.worst for each in estimates], price_as, about=True),
    ]


def spent(deps: Deps, names: Sequence[str]) -> list[Any]:
    """What these runs have cost; nothing where none used anything."""
    found = [run for name in names if (run := deps.store.run(name)) is not None and run.usage is not None]
    if not found:
        return []
    price_as = deps.settings.price_as
    kinds = [deps.client.kind_of(run.endpoint) for run in found]
    amounts = [_cost(run, kind, price_as) for run, kind in zip(found, kinds, strict=True)]
    about = "engine" in kinds or any(run.usage and run.usage.estimated for run in found)
    return [_sum("sum_cost", kinds, amounts, price_as, about=about)]


def _cost(run: Run, kind: EndpointKind, price_as: str) -> Amount:
    """As the column's own figure has it: what runs on this machine is priced as something else."""
    return pricing.price_as(price_as, run.usage) if kind == "engine" and run.usage else run.cost


def _sum(key: str, kinds: Sequence[EndpointKind], amounts: Sequence[Amount], price_as: str, *, about: bool) -> Any:
    """Of what is paid for; where all of it runs on this machine, of what it would cost elsewhere."""
    own = all(kind == "engine" for kind in kinds)
    paid = [each for kind, each in zip(kinds, amounts, strict=True) if own or kind != "engine"]
    known = [each for each in paid if each is not None]
    note = f"{{as_price}} {price_as}" if own else "{sum_unknown}" if len(known) < len(paid) else ""
    return present.sum_cell(key, sum(known, Decimal(0)) if known else None, note=note if known else "", about=about)
