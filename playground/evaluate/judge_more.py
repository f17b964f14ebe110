"""A judge that is added to a sweep that has its answers already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from playground.errors import refused
from playground.evaluate import spec as specs
from playground.evaluate import sweeping
from playground.evaluate.judging import USUAL, JudgePlan, answered
from playground.evaluate.metrics.build import judges, read_metrics
from playground.evaluate.plan_cost import PlanEstimate, estimate
from playground.evaluate.spec import Spec
from playground.store import JUDGING
from playground.tokens import TokenCount
from playground.types import ModelInfo, Request

if TYPE_CHECKING:
    from playground.deps import Deps


@dataclass(frozen=True, slots=True)
class Added:
    """The sweep's spec with the judge in it, and what the judge is going to be asked."""

    id: str
    spec: Spec
    asked: JudgePlan


def planned(id: str, judge: Mapping[str, Any], deps: Deps) -> Added:
    """Blocks. Raises InvalidRequest: no such sweep, no answers, a judge of that name, options that mean nothing."""
    row = deps.store.sweeps.sweep(id)
    if row is None or row.id.startswith(JUDGING):
        raise refused("no_sweep", param="sweep", id=id[:40])
    spec = specs.from_json(row.spec)
    (new,) = read_metrics([{"judge": dict(judge)}])
    if new.name in {each.name for each in spec.metrics}:
        raise refused("judge_twice", param="metrics", id=row.id, name=new.name)
    plan = sweeping.plan_again(row, deps)
    plan = replace(plan, spec=replace(plan.spec, metrics=(*spec.metrics, new)))
    answers = answered(deps.store, row.id)
    if not answers:
        raise refused("judge_nothing", param="sweep", id=row.id)
    asked = sweeping.judges_of(plan, deps)[len(judges(spec.metrics))]
    there = tuple(asked.cases[number] for number in answers)
    asked = replace(asked, cases=there, answers=dict(enumerate(answers.values())))
    return Added(row.id, replace(spec, metrics=(*spec.metrics, new)), asked)


async def foreseen(found: Added, deps: Deps) -> PlanEstimate:
    """What the judge's calls cost. Time is not known."""

    async def count(request: Request, info: ModelInfo) -> TokenCount:
        return await sweeping.counted(deps, request, info)

    typical = {found.asked.cells[0].model.ref: USUAL}
    return await estimate(found.asked, count, typical=typical, price_as=deps.settings.price_as)


def add(found: Added, deps: Deps) -> None:
    """From now on the sweep has the judge: whoever goes on with it asks it. Blocks. Raises InvalidRequest where the
    sweep runs; StoreError."""
    deps.store.sweeps.respec(found.id, specs.to_json(found.spec))
