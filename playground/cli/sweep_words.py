"""What the command line says of a sweep: data in, lines out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from playground.pricing import batch_terms, format_money

if TYPE_CHECKING:
    from playground.evaluate.judging import JudgePlan
    from playground.evaluate.plan import Plan
    from playground.evaluate.plan_cost import PlanEstimate
    from playground.evaluate.work import Progress

WIDTH = 24
MOST_CELLS = 40


def planned(plan: Plan, found: PlanEstimate, judges: Sequence[Plan] = ()) -> Iterator[str]:
    """What a plan and its judges are going to do, before they do it."""
    yield (
        f"{plan.spec.name}: {found.calls:,} calls = {len(plan.cells):,} cells × {len(plan.cases):,} cases × "
        f"{plan.spec.repeats:,} repeats, " + ("as a batch" if plan.spec.batch else f"{plan.spec.concurrency} at once")
    )
    for each in found.models if len(found.models) > 1 else ():
        yield f"  {each.ref}: {each.calls:,} calls, {each.prompt_tokens:,} prompt tokens"
    about = "" if found.exact else " (prompts are estimated)"
    all_plans = (plan, *judges)
    expected, worst = _cost(all_plans, found.expected), _cost(all_plans, found.worst)
    yield f"  cost: {expected if expected == worst else f'expected {expected}, at worst {worst}'}{about}"
    if plan.spec.budget is not None:
        yield f"  budget: {format_money(plan.spec.budget)}: it stops before it would pass that"
    yield f"  time: {_time(plan, found)}"
    if found.judged:
        yield f"  on top of those calls: {found.judged:,} to judges, in the cost and the time"
    for note in plan.notes:
        yield f"  note: {note.text()}"


def judging(plan: JudgePlan, found: PlanEstimate) -> Iterator[str]:
    """What a judge that is added is going to do."""
    yield f"{found.calls:,} calls to {plan.cells[0].model.ref}: {plan.criterion}"
    expected, worst = _cost([plan], found.expected), _cost([plan], found.worst)
    yield f"  cost: {expected if expected == worst else f'expected {expected}, at worst {worst}'}"
    yield f"  time: {_time(plan, found)}"
    yield "  note: a grade is this model's opinion. It may be wrong, and may favour its own kind."


def _time(plan: Plan, found: PlanEstimate) -> str:
    if plan.spec.batch:
        terms = batch_terms()
        discount = f"; its price is {float(terms['discount']):.0%} off ({terms['discount_source']}, {terms['as_of']})"
        asked = any(cell.kind == "openai" for cell in plan.cells)
        return "when the server has time for it, within a day" + (discount if asked else "")
    likely = "not known yet" if found.seconds is None else f"about {duration(found.seconds)}"
    return likely + (f", at worst {duration(found.worst_seconds)}" if found.worst_seconds is not None else "")


def bar(progress: Progress) -> str:
    """One line: how far it is, and how long it may still take."""
    over = progress.done + progress.failed
    share = over / progress.calls if progress.calls else 1.0
    full = int(share * WIDTH)
    parts = [f"{progress.judge}:"] if progress.judge else []
    parts += [f"{share:4.0%} [{'#' * full}{'.' * (WIDTH - full)}] {over:,}/{progress.calls:,}"]
    if progress.failed:
        parts.append(f"{progress.failed:,} failed")
    if progress.spent or progress.budget is not None:
        cap = "" if progress.budget is None else f" of {format_money(progress.budget)}"
        parts.append(f"{format_money(progress.spent)}{cap}")
    if progress.batches is not None:
        parts.append(progress.batches.text())
    if progress.held >= 1:
        parts.append(f"the server asks to wait {progress.held:.0f} s")
    if progress.eta is not None and progress.state == "running":
        parts.append(f"{duration(progress.eta)} left")
    return "  ".join(parts)


def duration(seconds: float) -> str:
    """45 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s" if whole else "less than a second"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def told(said: Mapping[str, Any]) -> Iterator[str]:
    """A report (`evaluate.report.report`) on a terminal."""
    measure = said["measure"]
    yield (
        f"{said['name']} ({said['id']}): {said['state']}, {said['answered']:,} of {said['calls']:,} answered"
        + (f", {said['failed']:,} failed" if said["failed"] else "")
        + (f", {dollars(said['spent'])} spent" if float(said["spent"]) else "")
    )
    marked = (
        " (given by a model, 1 to 5)" if measure["judged"] else " (given by people, 1 to 5)" if measure["human"] else ""
    )
    best = "higher" if measure["higher_is_better"] else "lower"
    yield f"{measure['name']}{marked}, {best} is better: mean over cases [95 % interval]"
    cells = sorted(said["cells"], key=lambda cell: _rank(cell, measure["higher_is_better"]))
    for cell in cells[:MOST_CELLS]:
        yield from _cell(cell, measure["name"])
    if len(cells) > MOST_CELLS:
        yield f"  … and {len(cells) - MOST_CELLS:,} more: see the files"
    if any(cell["front"] for cell in cells) and len(cells) > 1:
        yield "  * nothing is better in quality, cost and latency at once (Pareto front)"
    yield from verdict(said["verdict"], len(cells))
    yield from (f"note: {note}" for note in said["notes"])


def verdict(found: Mapping[str, Any] | None, cells: int) -> Iterator[str]:
    if found is None:
        yield "No answer has a score."
        return
    if cells < 2:
        return
    worst = max((each["p_value"] for each in found["against"]), default=None)
    if found["winner"] is not None:
        yield f"Winner: {found['winner']}: better than every other (p ≤ {worst:.3g}, paired tests, Holm)."
        return
    yield (
        f"No difference shown: {found['best']} has the best figure, and {len(found['level']):,} of {cells - 1:,} "
        "others may be as good" + (f" (p up to {worst:.2g}, paired tests, Holm)." if worst is not None else ".")
    )


def _cell(cell: Mapping[str, Any], shown: str) -> Iterator[str]:
    parts = [f"  {'*' if cell['front'] else ' '} {cell['name']}: {_figure(cell['quality'])}"]
    if cell["agreement"] is not None:
        parts.append(f"agreement {cell['agreement']:.0%}")
    if cell["cost"] is not None:
        parts.append(f"{dollars(cell['cost'])} a call")
    if cell["latency"] is not None:
        parts.append(f"{seconds(cell['latency'])} (p95 {seconds(cell['latency_p95'])})")
    if cell["failed"]:
        parts.append(f"{cell['failed']:,} failed")
    yield "  ".join(parts)
    others = [f"{name} {_figure(each)}" for name, each in cell["figures"].items() if name != shown]
    others += [f"{name} of all {value:.4g}" for name, value in cell["whole"].items() if value is not None]
    if others:
        yield f"      {', '.join(others)}"


def _figure(interval: Mapping[str, Any] | None) -> str:
    if interval is None:
        return "no score"
    return f"{interval['value']:.3f} [{interval['low']:.3f}, {interval['high']:.3f}] n={interval['count']}"


def _rank(cell: Mapping[str, Any], higher: bool) -> float:
    if cell["quality"] is None:
        return float("inf")
    value: float = cell["quality"]["value"]
    return -value if higher else value


def _cost(plans: Sequence[Plan], amount: Any) -> str:
    if all(cell.kind == "engine" for plan in plans for cell in plan.cells):
        return "nothing (this machine's own)"
    return format_money(amount)


def dollars(amount: Any) -> str:
    from decimal import Decimal

    return format_money(Decimal(str(amount)))


def seconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
