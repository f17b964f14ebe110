"""A sweep from its spec to the store and back: begun, gone on with; what is known beforehand of its cost and time."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from statistics import median
from typing import TYPE_CHECKING, Any

from playground import catalog, presets
from playground.errors import InvalidRequest, refused
from playground.evaluate import spec as specs
from playground.evaluate.batching import Batched
from playground.evaluate.dataset import Case, Dataset, case_json, read_case
from playground.evaluate.judging import USUAL, Judged, JudgePlan, asked, judge_plans, supposing
from playground.evaluate.metrics.build import build, needs_expected
from playground.evaluate.metrics.metric import Metric
from playground.evaluate.plan import Plan, make
from playground.evaluate.plan_cost import PlanEstimate, Speed, estimate
from playground.evaluate.running import Running
from playground.evaluate.spec import Rows, Spec
from playground.evaluate.spec_values import jsonable
from playground.evaluate.work import Ongoing
from playground.presets import Preset
from playground.store import JUDGING, Filter, SweepRow
from playground.tokens import TokenCount
from playground.types import ModelInfo, Request
from playground.worst_case import worst_cost

if TYPE_CHECKING:
    from playground.deps import Deps

PAST = 30
"""Runs of the history that tell how fast a model answers, and how long its answers are."""


def plan_of(spec: Spec, dataset: Dataset | None, deps: Deps) -> Plan:
    """The spec's plan with the models and presets that there are. Raises InvalidRequest."""

    def model(ref: str) -> ModelInfo:
        return catalog.resolve(ref, deps.models, deps.client.endpoints)

    return make(spec, dataset=dataset, model=model, kind=deps.client.kind_of, preset=lambda name: _preset(deps, name))


def _preset(deps: Deps, name: str) -> Preset:
    kept = {row.name: row for row in deps.store.presets()}
    if name in kept:
        return replace(presets.from_json(kept[name].content), id=kept[name].id)
    found = next((preset for preset in presets.builtin() if name in (preset.name, preset.id)), None)
    if found is None:
        raise refused("no_preset", param="presets", name=name[:80], have=", ".join(list(kept)[:20]) or "–")
    return found


def metrics_of(plan: Plan, training: Sequence[str] = ()) -> tuple[Metric, ...]:
    """What scores the plan's answers but judges. Raises InvalidRequest where a metric lacks what it compares with."""
    lacking = next((each for each in plan.spec.metrics if needs_expected(each)), None)
    if lacking is not None and all(case.expected is None for case in plan.cases):
        raise refused("metric_expected", param="metrics", name=lacking.kind)
    return build(plan.spec.metrics, known_labels=Dataset("", plan.cases).labels, training=training)


async def counted(deps: Deps, request: Request, info: ModelInfo) -> TokenCount:
    body = request.body()
    written = {"prompt": body["prompt"]} if "prompt" in body else {"messages": body["messages"]}
    return await deps.count_request(written, body.get("tools"), info)


async def foreseen(plan: Plan, deps: Deps) -> PlanEstimate:
    """Calls, cost and time; by the model's own runs in the history where there are any."""
    judging = judges_of(plan, deps)
    models = [cell.model for each in (plan, *judging) for cell in each.cells]
    typical, speeds = await asyncio.to_thread(_past, models, deps)

    async def count(request: Request, info: ModelInfo) -> TokenCount:
        return await counted(deps, request, info)

    found = await estimate(plan, count, typical=typical, speeds=speeds, price_as=deps.settings.price_as)
    for judge in judging:
        parts: dict[str, Any] = {
            "speeds": speeds,
            "price_as": deps.settings.price_as,
            "typical": {judge.cells[0].model.ref: USUAL},
        }
        likely, most = found.answer_tokens()
        usual = await estimate(supposing(judge, likely), count, **parts)
        worst = usual if most is None else await estimate(supposing(judge, most), count, **parts)
        found = found.judged_by(usual, worst if most is not None else None)
    return found


def judges_of(plan: Plan, deps: Deps) -> tuple[JudgePlan, ...]:
    """A plan for each judge that the spec names. Raises InvalidRequest for a model that there is not."""
    return judge_plans(plan, lambda ref: catalog.resolve(ref, deps.models, deps.client.endpoints), deps.client.kind_of)


def _past(models: Sequence[ModelInfo], deps: Deps) -> tuple[dict[str, int], dict[str, Speed]]:
    typical, speeds = dict[str, int](), dict[str, Speed]()
    for info in {each.ref: each for each in models}.values():
        wanted = Filter(endpoint=info.endpoint, model=info.id, status="done")
        runs = deps.store.listed(limit=PAST, matching=wanted)
        figures = [
            (run.usage.completion_tokens, run.time_to_first_token, run.latency)
            for run in runs
            if run.usage and run.usage.completion_tokens and run.time_to_first_token is not None and run.latency
        ]
        if not figures:
            continue
        typical[info.ref] = round(median(tokens for tokens, _, _ in figures))
        rates = [tokens / max(latency - first, 0.001) for tokens, first, latency in figures]
        speeds[info.ref] = Speed(median(first for _, first, _ in figures), median(rates))
    return typical, speeds


async def check_budget(plan: Plan, deps: Deps) -> None:
    """Raises InvalidRequest where a budget could not be kept: a price or an answer's length that nobody knows."""
    deps.client.check_calls(len(plan) * (1 + len(judges_of(plan, deps))))
    if plan.spec.budget is None:
        return
    for each in (plan, *(supposing(judge, 1) for judge in judges_of(plan, deps))):
        await _check_budget(each, deps)


async def _check_budget(plan: Plan, deps: Deps) -> None:
    for cell in plan.cells:
        if cell.kind == "engine":
            continue
        request = plan.request(plan.call(cell.number))
        tokens = (await counted(deps, request, cell.model)).tokens
        if worst_cost(request, cell.model, cell.kind, tokens, batched=plan.spec.batch) is None:
            known = worst_cost(replace(request, max_tokens=1), cell.model, cell.kind, tokens) is not None
            raise refused("budget_unlimited" if known else "budget_unpriced", param="budget", model=cell.model.ref)


async def check_batches(plan: Plan, deps: Deps) -> None:
    """Raises NotFound, which says so, where the calls are to be sent as batches and a server takes none."""
    if plan.spec.batch:
        for endpoint in dict.fromkeys(cell.model.endpoint for cell in plan.cells):
            await deps.client.check_batches(endpoint)


async def begin(plan: Plan, deps: Deps, *, training: Sequence[str] = ()) -> Ongoing:
    """A new sweep, kept before its first call; `run` is the caller's. Raises InvalidRequest, StoreError;
    EndpointError where a server takes no batches."""
    metrics = metrics_of(plan, training)
    judges_of(plan, deps)
    await check_budget(plan, deps)
    await check_batches(plan, deps)
    id = uuid.uuid4().hex[:12]
    await asyncio.to_thread(
        deps.store.sweeps.create,
        id,
        name=plan.spec.name,
        fingerprint=plan.fingerprint,
        calls=len(plan),
        spec=specs.to_json(plan.spec),
        cells=[cell_json(plan, number) for number in range(len(plan.cells))],
        cases=[case_json(case) for case in plan.cases],
    )
    return _running(id, plan, deps, metrics)


async def go_on(
    id: str,
    deps: Deps,
    *,
    budget: Decimal | None = None,
    training: Sequence[str] = (),
    batch: bool | None = None,
) -> tuple[SweepRow, Ongoing]:
    """A sweep that was left, on the cases it began with; `budget` in place of its own, `batch` too: what it has sent as
    batches is gone on with in any case. Raises InvalidRequest; EndpointError where a server takes no batches."""
    row = await asyncio.to_thread(deps.store.sweeps.sweep, id)
    if row is None or row.id.startswith(JUDGING):
        raise refused("no_sweep", param="resume", id=id[:40])
    try:
        plan = plan_again(row, deps)
    except InvalidRequest as error:
        error.param = "resume"
        raise
    if plan.fingerprint != row.fingerprint:
        raise refused("sweep_changed", param="resume", id=row.id)
    if budget is not None:
        plan = replace(plan, spec=replace(plan.spec, budget=budget))
    sent = await asyncio.to_thread(deps.store.batches.of, row.id)
    is_open = any(part.state != "merged" for part in sent)
    if is_open and batch is False:
        raise refused("batches_open", param="resume", id=row.id)
    wanted = plan.spec.batch if batch is None else batch
    plan = replace(plan, spec=replace(plan.spec, batch=wanted or is_open))
    await check_budget(plan, deps)
    await check_batches(plan, deps)
    return row, _running(row.id, plan, deps, metrics_of(plan, training))


def plan_again(row: SweepRow, deps: Deps) -> Plan:
    """The plan of a sweep that was kept: its rows were chosen when it began."""
    spec = replace(specs.from_json(row.spec), rows=Rows())
    cases = cases_of(row)
    plain = spec.dataset is None and len(cases) == 1
    return plan_of(spec, None if plain else Dataset(row.name, cases), deps)


def cases_of(row: SweepRow) -> tuple[Case, ...]:
    return tuple(read_case(case, number) for number, case in enumerate(row.cases or (), 1))


def cell_json(plan: Plan, number: int) -> dict[str, Any]:
    """A cell as the store keeps it and reports read it: without asking a server what a name means."""
    cell = plan.cells[number]
    return {
        "name": cell.name,
        "model": cell.model.ref,
        "preset": cell.preset,
        "parameters": jsonable(dict(cell.parameters)),
        "varied": jsonable(dict(cell.varied)),
    }


def _running(id: str, plan: Plan, deps: Deps, metrics: Sequence[Metric]) -> Ongoing:
    async def count(request: Request, info: ModelInfo) -> TokenCount:
        return await counted(deps, request, info)

    parts: dict[str, Any] = {"client": deps.client, "store": deps.store, "counter": deps.counter, "count": count}
    kind = Batched if plan.spec.batch else Running
    answering = kind(id, plan, metrics=metrics, **parts)
    judges = judges_of(plan, deps)
    return Judged(answering, lambda: asked(id, judges, **parts)) if judges else answering
