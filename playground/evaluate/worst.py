"""What a call may cost at most, by its prompt's tokens, each prompt counted once for each model it goes to."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from playground.evaluate.budget import NOTHING
from playground.evaluate.plan import Call, Plan
from playground.evaluate.plan_cost import Count
from playground.types import Request
from playground.worst_case import worst_cost

KEPT = 10_000


class Worst:
    """Of one plan. `count` counts a request's prompt."""

    def __init__(self, plan: Plan, count: Count) -> None:
        self._plan, self._count = plan, count
        self._counted: dict[tuple[Any, ...], int] = {}

    async def of(self, call: Call, request: Request) -> Decimal:
        """Dollars. `sweeping.check_budget` has ruled out that nobody knows."""
        cell = self._plan.cells[call.cell]
        if cell.kind == "engine":
            return NOTHING  # this machine's own
        key = cell.model.ref, cell.preset, call.case
        if key not in self._counted:
            self._counted = {} if len(self._counted) > KEPT else self._counted
            self._counted[key] = (await self._count(request, cell.model)).tokens
        batched = self._plan.spec.batch
        worst = worst_cost(request, cell.model, cell.kind, self._counted[key], batched=batched)
        return NOTHING if worst is None else worst
