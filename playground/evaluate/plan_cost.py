"""What a plan may cost and how long it may take, before it runs.

Prompts are counted for a sample of the cases, evenly spread, where there are many. Expected is what answers have taken
so far, where anybody knows, or half of the longest; at worst each is as long as its parameters and the model allow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from playground.evaluate.metrics.domain import spread
from playground.evaluate.plan import Cell, Plan
from playground.tokens import TokenCount
from playground.types import ModelInfo, Request
from playground.worst_case import longest, price_of

SAMPLE = 200
"""Prompts that are counted."""
USUAL = 300
"""Tokens of a chat's answer that nothing limits and nobody has seen: what is expected, not what is possible."""

Count = Callable[[Request, ModelInfo], Awaitable[TokenCount]]


@dataclass(frozen=True, slots=True)
class Speed:
    """How a model has answered so far: seconds to the first token, and tokens a second after it."""

    first_token: float
    tokens_per_second: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEstimate:
    """Of all calls to one model. Tokens are those of all calls; dollars and seconds None where they are not known.

    `worst_tokens` (and with them `worst`) are None where nothing limits an answer's length.
    """

    ref: str
    calls: int
    prompt_tokens: int
    expected_tokens: int
    worst_tokens: int | None
    expected: Decimal | None
    worst: Decimal | None
    seconds: float | None
    worst_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanEstimate:
    """The sums, None where one part is not known. `exact` says that every prompt was counted, by the model's own
    tokenizer; `judged` are calls to judges, on top of `calls`: they are in the sums, not among the models."""

    calls: int
    judged: int
    exact: bool
    models: tuple[ModelEstimate, ...]
    expected: Decimal | None
    worst: Decimal | None
    seconds: float | None
    worst_seconds: float | None

    def answer_tokens(self) -> tuple[int, int | None]:
        """How many tokens an answer has, as is expected and at most; None where nothing limits them."""
        worst = [each.worst_tokens for each in self.models]
        most = None if None in worst else sum(each or 0 for each in worst) // max(1, self.calls)
        return sum(each.expected_tokens for each in self.models) // max(1, self.calls), most

    def judged_by(self, usual: PlanEstimate, worst: PlanEstimate | None) -> PlanEstimate:
        """With a judge's calls: as they are expected, and for the longest answers, where anything limits those."""
        return replace(
            self,
            judged=self.judged + usual.calls,
            exact=False,
            expected=_money([self.expected, usual.expected]),
            worst=_money([self.worst, worst.worst if worst else None]),
            seconds=_shared([self.seconds, usual.seconds], 1),
            worst_seconds=_shared([self.worst_seconds, worst.worst_seconds if worst else None], 1),
        )


async def estimate(
    plan: Plan,
    count: Count,
    *,
    typical: Mapping[str, int] | None = None,
    speeds: Mapping[str, Speed] | None = None,
    price_as: str | None = None,
) -> PlanEstimate:
    """The plan's estimate. `count` counts a request's prompt; `typical` are tokens of past answers and `speeds` how
    fast they came, by `endpoint/model`; `price_as` prices the embedded engine's answers as an OpenAI model's."""
    counting = _Counting(plan, count)
    models: dict[str, list[ModelEstimate]] = {}
    for cell, cells in _alike(plan):
        found = await counting.prompts(cell)
        calls = cells * len(plan.cases) * plan.spec.repeats
        ref = cell.model.ref
        part = _part(plan, cell, found, calls, (typical or {}).get(ref), (speeds or {}).get(ref), price_as)
        models.setdefault(ref, []).append(part)
    summed = tuple(_sum(ref, parts) for ref, parts in models.items())
    return PlanEstimate(
        calls=len(plan),
        judged=0,
        exact=counting.exact,
        models=summed,
        expected=_money([each.expected for each in summed]),
        worst=_money([each.worst for each in summed]),
        seconds=_shared([each.seconds for each in summed], plan.spec.concurrency),
        worst_seconds=_shared([each.worst_seconds for each in summed], plan.spec.concurrency),
    )


class _Counting:
    """Prompts counted once for each model and each text they stand in."""

    def __init__(self, plan: Plan, count: Count) -> None:
        self.exact = True
        self._plan, self._count = plan, count
        self._known: dict[tuple[str, str | None], list[int]] = {}
        texts = len({(cell.model.ref, cell.preset) for cell in plan.cells})
        self._places = spread(len(plan.cases), max(5, SAMPLE // texts))
        self.exact = len(self._places) == len(plan.cases)

    async def prompts(self, cell: Cell) -> list[int]:
        """Tokens of the sampled cases' prompts."""
        key = cell.model.ref, cell.preset
        if key not in self._known:
            found = []
            for place in self._places:
                number = self._plan.number(cell=cell.number, case=place, repeat=0)
                counted = await self._count(self._plan.request(self._plan.call(number)), cell.model)
                self.exact = self.exact and counted.exact
                found.append(counted.tokens)
            self._known[key] = found
        return self._known[key]


def _alike(plan: Plan) -> list[tuple[Cell, int]]:
    """Cells whose calls cost the same, each with how many they are: most parameters have no price."""
    names = ("max_tokens", "max_completion_tokens", "best_of", "n")
    first: dict[tuple[object, ...], Cell] = {}
    counted: Counter[tuple[object, ...]] = Counter()
    for cell in plan.cells:
        key = (cell.model.ref, cell.preset, *(cell.parameters.get(name) for name in names))
        first.setdefault(key, cell)
        counted[key] += 1
    return [(first[key], times) for key, times in counted.items()]


def _part(
    plan: Plan,
    cell: Cell,
    prompts: list[int],
    calls: int,
    typical: int | None,
    speed: Speed | None,
    price_as: str | None,
) -> ModelEstimate:
    request = plan.request(plan.call(cell.number))
    tokens = round(Decimal(sum(prompts)) / len(prompts))
    most = longest(request, cell.model, tokens)
    half = USUAL if most is None else (most + 1) // 2
    likely = half if typical is None else typical if most is None else min(typical, most)

    batched = plan.spec.batch

    def cost(each: int | None) -> Decimal | None:
        if each is None:
            return None
        priced = [price_of(request, cell.model, cell.kind, prompt, each, price_as, batched) for prompt in prompts]
        total = _money(priced)
        return None if total is None else total * calls / len(prompts)

    def seconds(each: int | None) -> float | None:
        # A batch takes as long as its server likes.
        return (
            None
            if speed is None or each is None or batched
            else calls * (speed.first_token + each / speed.tokens_per_second)
        )

    return ModelEstimate(
        ref=cell.model.ref,
        calls=calls,
        prompt_tokens=round(Decimal(sum(prompts)) * calls / len(prompts)),
        expected_tokens=likely * calls,
        worst_tokens=None if most is None else most * calls,
        expected=cost(likely),
        worst=cost(most),
        seconds=seconds(likely),
        worst_seconds=seconds(most),
    )


def _sum(ref: str, parts: list[ModelEstimate]) -> ModelEstimate:
    worst_tokens = [part.worst_tokens for part in parts]
    return ModelEstimate(
        ref=ref,
        calls=sum(part.calls for part in parts),
        prompt_tokens=sum(part.prompt_tokens for part in parts),
        expected_tokens=sum(part.expected_tokens for part in parts),
        worst_tokens=None if None in worst_tokens else sum(each or 0 for each in worst_tokens),
        expected=_money([part.expected for part in parts]),
        worst=_money([part.worst for part in parts]),
        seconds=_shared([part.seconds for part in parts], 1),
        worst_seconds=_shared([part.worst_seconds for part in parts], 1),
    )


def _money(amounts: list[Decimal | None]) -> Decimal | None:
    return None if None in amounts else sum((each for each in amounts if each is not None), Decimal(0))


def _shared(seconds: list[float | None], lanes: int) -> float | None:
    return None if None in seconds else sum(each or 0.0 for each in seconds) / lanes
