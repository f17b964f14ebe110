"""A model's opinion of a sweep's answers: a second pass over those that were given, by each judge that the spec names.

A judge's pass is kept as a sweep of its own (`store.judging_id`), whose calls have the numbers of the answers they are
about: it is held, paced, capped and gone on with as any sweep is, and no answer is judged twice by the same judge. The
sweep's budget is for the answers and their judges together.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, NamedTuple

from playground.errors import InvalidRequest
from playground.evaluate.budget import NOTHING
from playground.evaluate.dataset import Case
from playground.evaluate.metrics.build import MetricSpec, judges
from playground.evaluate.metrics.judge import DEFAULT, LONGEST_REASON, grade_format, grade_messages, read_grade
from playground.evaluate.metrics.metric import Metric
from playground.evaluate.plan import Call, Cell, Plan, written_for
from playground.evaluate.running import Running
from playground.evaluate.spec import Spec
from playground.evaluate.work import Ongoing, Progress
from playground.pricing import format_money
from playground.store import Output, Store, SweepRow, SweepState, judging_id
from playground.types import EndpointKind, ModelInfo
from playground.words import Said

TOKENS = 500
"""Tokens of a verdict, where the spec does not say more: a sentence and a number, and what a model thinks before."""
USUAL = 60
"""Tokens that a verdict has as a rule."""
GRADE = "grade"
_FORMATS: Mapping[EndpointKind, Mapping[str, Any]] = {
    "engine": grade_format(longest_reason=200),
    "openai": grade_format(),
}
"""Of servers that keep to a JSON schema. Others are asked for JSON in words alone: some refuse what they do not know. A
small model's reason would not end by itself; OpenAI's schemas know no longest text."""


@dataclass(frozen=True)
class JudgePlan(Plan):
    """One judge's calls, one for each of the sweep's, in its order: `cases` are those of its calls, `answers` what was
    answered, by the call's number."""

    criterion: str = DEFAULT
    answers: Mapping[int, str] = field(default_factory=dict)

    def case(self, call: Call) -> Case:
        messages = grade_messages(self.cases[call.case], self.answers[call.number], self.criterion)
        return Case(id=self.cases[call.case].id, messages=tuple(messages))


def judge_plans(
    plan: Plan, model: Callable[[str], ModelInfo], kind: Callable[[str], EndpointKind]
) -> tuple[JudgePlan, ...]:
    """Each judge's plan, without answers. `model` and `kind` are `plan.make`'s. Raises InvalidRequest for a judge that
    there is not."""
    cases = tuple(_asked_of(plan)) if judges(plan.spec.metrics) else ()
    return tuple(_plan(plan, cases, judge, model, kind) for judge in judges(plan.spec.metrics))


def _asked_of(plan: Plan) -> Iterator[Case]:
    """Each call's case with all that was asked of it: the words of the spec or the preset around its own."""
    # Cells that differ in a parameter alone, and repeats, ask the same.
    words = [json.dumps([cell.written, dict(cell.variables)], default=list) for cell in plan.cells]
    known: dict[tuple[str, int], Case] = {}
    for call in plan.calls():
        cell, case = plan.cells[call.cell], plan.cases[call.case]
        if cell.written is None:
            yield case
            continue
        key = words[call.cell], call.case
        if key not in known:
            said = written_for(cell, case)
            messages = said.get("messages")
            known[key] = replace(case, prompt=said.get("prompt"), messages=tuple(messages) if messages else None)
        yield known[key]


def _plan(
    plan: Plan,
    cases: tuple[Case, ...],
    judge: MetricSpec,
    model: Callable[[str], ModelInfo],
    kind: Callable[[str], EndpointKind],
) -> JudgePlan:
    ref = str(judge.options["model"])
    try:
        info = model(ref)
    except InvalidRequest as error:
        error.param = "metrics"
        raise
    asked: dict[str, Any] = {"temperature": 0, "max_tokens": judge.options.get("max_tokens", TOKENS)}
    if (wanted := _FORMATS.get(kind(info.endpoint))) is not None:
        asked["response_format"] = wanted
    cell = Cell(
        number=0,
        model=info,
        kind=kind(info.endpoint),
        preset=judge.name,
        written=None,
        variables={},
        mode="chat",
        parameters=asked,
        varied={},
    )
    spec = Spec(
        name=plan.spec.name,
        models=(ref,),
        metrics=(judge,),
        budget=plan.spec.budget,
        concurrency=plan.spec.concurrency,
        max_calls=plan.spec.max_calls,
        mode="chat",
    )
    return JudgePlan(spec, cases, (cell,), criterion=str(judge.options.get("criterion", DEFAULT)))


def supposing(plan: JudgePlan, tokens: int) -> JudgePlan:
    """The plan as if each answer had that many tokens: what its calls may cost, before there is any answer."""
    return replace(plan, answers=dict.fromkeys(range(len(plan)), "word " * tokens))


class Judging(Running):
    """One judge, asked for what has no verdict yet. `whole` is the sweep's budget, `others` what the answers and the
    other judges have spent of it."""

    def __init__(self, id: str, plan: JudgePlan, *, whole: Decimal | None, others: Decimal, **parts: Any) -> None:
        left = None if whole is None else max(NOTHING, whole - others)
        super().__init__(id, replace(plan, spec=replace(plan.spec, budget=left)), **parts)
        self._whole, self._others = whole, others
        self._calls = len(plan.answers)
        self._unanswered = set(range(len(plan))) - plan.answers.keys()

    async def _prepare(self, spent: Decimal) -> None:
        await super()._prepare(spent)
        self._settled |= self._unanswered

    def _end(self, state: SweepState, why: Said | None = None) -> None:
        if why is not None and why.key == "why.budget":
            whole = {"budget": self._whole, "spent": self._others + self._budget.spent}
            why = replace(why, args={**why.args, **{name: format_money(each) for name, each in whole.items()}})
        super()._end(state, why)


def _grade(said: str, case: Case) -> float | None:
    found = read_grade(said)
    return None if found is None else float(found.grade)


METRICS = (Metric(name=GRADE, score=_grade, most=None),)


class Judged:
    """A sweep, and then its judges. `asked` makes what asks each, when its turn comes."""

    def __init__(self, answering: Ongoing, asked: Callable[[], AsyncIterator[Judging]]) -> None:
        self.id, self.plan = answering.id, answering.plan
        self._now: Ongoing = answering
        self._asked = asked
        self._halted: SweepState | None = None

    @property
    def by_file(self) -> bool:
        return self._now.by_file

    def pause(self) -> None:
        self._halted = self._halted or "paused"
        self._now.pause()

    def stop(self) -> None:
        self._halted = "stopped"
        self._now.stop()

    def abandon(self) -> None:
        self._halted = "stopped"
        self._now.abandon()

    async def run(self) -> AsyncGenerator[Progress]:
        """The answers' progress, then each judge's. As `Work.run`; it ends as what ended first, ends."""
        last: Progress | None = None
        async with aclosing(self._now.run()) as frames:
            async for last in frames:
                yield replace(last, state="running") if last.state == "done" else last
        if last is None or last.state != "done":
            return
        spent = last.spent
        async for judge in self._asked():
            if self._halted:
                yield replace(last, state=self._halted, spent=spent)
                return
            self._now, end = judge, last
            async with aclosing(judge.run()) as frames:
                async for end in frames:
                    yield _about(last, end, judge, spent)
            spent += end.spent
            if end.state != "done":
                yield replace(_about(last, end, judge, spent - end.spent), state=end.state)
                return
        yield replace(last, spent=spent)


def _about(answers: Progress, judged: Progress, judge: Judging, spent: Decimal) -> Progress:
    """A judge's progress as the sweep's."""
    name = judge.plan.spec.metrics[0].name
    return replace(
        judged,
        id=answers.id,
        state="running",
        judge=name,
        spent=spent + judged.spent,
        budget=answers.budget,
        latest=answers.latest,
    )


class Opinion(NamedTuple):
    """What a judge says of an answer: `grade` from 1 to 5, None where what it said could not be read."""

    judge: str
    model: str
    grade: int | None
    reason: str


def opinions(store: Store, id: str, metrics: Sequence[MetricSpec]) -> dict[int, tuple[Opinion, ...]]:
    """What the sweep's judges said, by the answers' numbers. Blocks. Raises StoreError."""
    found: dict[int, list[Opinion]] = {}
    for place, judge in enumerate(judges(metrics)):
        for each in store.sweeps.each(judging_id(id, place)):
            if each.status == "done":
                found.setdefault(each.number, []).append(_opinion(judge, each))
    return {number: tuple(several) for number, several in found.items()}


def _opinion(judge: MetricSpec, said: Output) -> Opinion:
    read = read_grade(said.answer)
    model = str(judge.options["model"])
    if read is None:
        return Opinion(judge.name, model, None, said.answer[:LONGEST_REASON])
    return Opinion(judge.name, model, read.grade, read.reason)


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a sweep's judges are, all together, on the answers that it has now; `state` and `why` are those of the
    first that is not through, "ready" where it has not begun."""

    calls: int
    done: int
    failed: int
    spent: Decimal
    state: SweepState
    why: Mapping[str, Any] | None


def standing(store: Store, row: SweepRow) -> Standing | None:
    """None for a sweep without judges. Blocks. Raises StoreError."""
    wanted = [each for each in row.spec.get("metrics", ()) if isinstance(each, Mapping) and "judge" in each]
    if not wanted:
        return None
    kept = store.sweeps.judged(row.id)[: len(wanted)]
    first = next((each for each in kept if each.done + each.failed < row.done), None)
    begun = first is not None or len(kept) == len(wanted)
    return Standing(
        calls=row.done * len(wanted),
        done=sum(each.done for each in kept),
        failed=sum(each.failed for each in kept),
        spent=sum((each.spent for each in kept), NOTHING),
        state=(first.state if first else "done") if begun else "ready",
        why=first.why if first else None,
    )


async def asked(id: str, plans: Sequence[JudgePlan], store: Store, **parts: Any) -> AsyncIterator[Judging]:
    """What asks each judge of the sweep's answers, kept before its first call; `parts` are Work's."""
    answers = await asyncio.to_thread(answered, store, id)
    for place, each in enumerate(plans):
        own, judged = judging_id(id, place), replace(each, answers=answers)
        await asyncio.to_thread(_kept, store, id, own, judged)
        others = await asyncio.to_thread(_spent, store, id, own)
        yield Judging(own, judged, whole=each.spec.budget, others=others, store=store, metrics=METRICS, **parts)


def answered(store: Store, id: str) -> dict[int, str]:
    """The sweep's answers by their numbers. Blocks. Raises StoreError."""
    return {each.number: each.answer for each in store.sweeps.each(id) if each.status == "done"}


def _spent(store: Store, id: str, own: str) -> Decimal:
    """What the answers have cost, and their judges but this one."""
    row = store.sweeps.sweep(id)
    judges = (each.spent for each in store.sweeps.judged(id) if each.id != own)
    return sum(judges, row.spent if row else NOTHING)


def _kept(store: Store, id: str, own: str, plan: JudgePlan) -> None:
    if any(each.id == own for each in store.sweeps.judged(id)):
        return
    (judge,) = plan.spec.metrics
    cell: dict[str, Any] = {
        "name": judge.name,
        "model": plan.cells[0].model.ref,
        "preset": None,
        "parameters": {},
        "varied": {},
    }
    store.sweeps.create(
        own,
        name=plan.spec.name,
        fingerprint="",
        calls=len(plan),
        spec={"judge_of": id, "metrics": [judge.as_json()]},
        cells=[cell],
        cases=[],
    )
