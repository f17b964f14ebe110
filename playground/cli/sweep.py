"""`sweep`: many calls by a plan, with what they cost said before and what came of them after."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from playground.cli.servers import opened
from playground.cli.sweep_files import check_folder, dataset, read_spec, training, write
from playground.cli.talk import Json, harmless, note, print_json, run_async, told
from playground.errors import InvalidRequest, PlaygroundError

if TYPE_CHECKING:
    from playground.deps import Deps
    from playground.evaluate.results import Results
    from playground.evaluate.spec import Spec
    from playground.evaluate.work import Ongoing, Progress
    from playground.types import ModelInfo

EVERY = 10.0
"""Seconds between two lines of progress where standard error is no terminal."""

SpecFile = Annotated[Path | None, typer.Argument(show_default=False, help="A spec, YAML or JSON.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before it runs.")]
BudgetOption = Annotated[str | None, typer.Option("--budget", help="Dollars that it may cost at most.")]
Resume = Annotated[str | None, typer.Option("--resume", help="Go on with the sweep of this id, or its beginning.")]
Cancel = Annotated[str | None, typer.Option("--cancel", help="Cancel this sweep's batches; answers are kept.")]
Batch = Annotated[
    bool | None, typer.Option("--batch/--no-batch", help="Send the calls as a batch (/v1/batches), or one by one.")
]
Out = Annotated[Path | None, typer.Option("--out", help="A folder for report.html, report.json and outputs.csv.")]
By = Annotated[str | None, typer.Option("--measure", help="Compare by this measure; else the first metric.")]


def sweep(
    spec: SpecFile = None,
    yes: Yes = False,
    budget: BudgetOption = None,
    resume: Resume = None,
    batch: Batch = None,
    cancel: Cancel = None,
    as_json: Json = False,
    out: Out = None,
    measure: By = None,
) -> None:
    """Run a spec's calls, or go on with a sweep; Ctrl-C pauses it. What was answered is never asked again."""
    with told():
        if [spec, resume, cancel].count(None) != 2:
            raise InvalidRequest("Give a spec, or --resume or --cancel with a sweep's id.", param="spec")
        read = None if spec is None else read_spec(spec)
        capped = dollars(budget)
        if read is not None and capped is not None:
            read = replace(read, budget=capped)
        if read is not None and batch is not None:
            read = replace(read, batch=batch)
        folder = Path() if spec is None else spec.parent
        show = partial(show_results, as_json=as_json, out=out, measure=measure)
        left = Left(resume or cancel, capped, batch, cancel=cancel is not None)
        run_async(carried_out(read, folder, left, yes=yes, out=out, show=show))


class Left(NamedTuple):
    """A sweep that is gone on with: its id, and what is to be different this time."""

    id: str | None = None
    budget: Any = None
    batch: bool | None = None
    cancel: bool = False
    judge: Mapping[str, Any] | None = None
    """A judge more, by its options."""


async def carried_out(
    spec: Spec | None,
    folder: Path,
    left: Left,
    *,
    yes: bool,
    out: Path | None,
    show: Callable[[Results], None],
    complete: Callable[[Spec, Sequence[ModelInfo]], Spec] = lambda spec, models: spec,
    again: str = "python -m playground sweep --resume",
) -> None:
    """Run a spec, or go on with a sweep, and `show` what came of it. `complete` adds to the spec what is known when the
    servers have listed their models, `again` goes on with it."""
    import asyncio

    check_folder(out)
    async with opened(spec.models[0] if spec and spec.models and not _wants_engine(spec) else None) as deps:
        await deps.list_models(note)
        if spec is not None:
            spec = complete(spec, deps.models)
            texts = training(spec.training)
            running = await _begun(spec, folder, texts, deps, yes=yes)
        else:
            if left.judge is not None:
                await _judge_added(str(left.id), left.judge, deps, yes=yes)
            running, texts = await _resumed(left, deps)
        last = await _follow(running)
        from playground.evaluate import results

        found = await asyncio.to_thread(results.load, deps.store, running.id, training=texts)
        await asyncio.to_thread(show, found)
        _leave(last, again)


async def _begun(spec: Spec, folder: Path, texts: list[str], deps: Deps, *, yes: bool) -> Ongoing:
    from playground.cli.sweep_words import planned
    from playground.evaluate import sweeping

    plan = sweeping.plan_of(spec, dataset(spec, folder, deps), deps)
    sweeping.metrics_of(plan, texts)
    await sweeping.check_budget(plan, deps)
    await sweeping.check_batches(plan, deps)
    await _agreed(planned(plan, await sweeping.foreseen(plan, deps), sweeping.judges_of(plan, deps)), yes=yes)
    running = await sweeping.begin(plan, deps, training=texts)
    note(f"Sweep {running.id}. {_ctrl_c_does(running)}")
    return running


async def _resumed(left: Left, deps: Deps) -> tuple[Ongoing, list[str]]:
    from playground.evaluate import sweeping

    id = str(left.id)
    row = deps.store.sweeps.sweep(id)
    texts = training(row.spec.get("training") if row else None)
    row, running = await sweeping.go_on(id, deps, budget=left.budget, training=texts, batch=left.batch)
    note(f"Sweep {row.id}: {row.done:,} of {row.calls:,} calls are answered. {_ctrl_c_does(running)}")
    if left.cancel:
        if not running.plan.spec.batch:
            raise InvalidRequest(f"Sweep {row.id} has no batch at a server.", param="cancel")
        running.stop()
    return running, texts


async def _judge_added(id: str, judge: Mapping[str, Any], deps: Deps, *, yes: bool) -> None:
    """Say what the judge will cost, ask, and have it in the sweep's spec."""
    import asyncio

    from playground.cli.sweep_words import judging
    from playground.evaluate import judge_more

    found = await asyncio.to_thread(judge_more.planned, id, judge, deps)
    await _agreed(judging(found.asked, await judge_more.foreseen(found, deps)), yes=yes)
    await asyncio.to_thread(judge_more.add, found, deps)


async def _agreed(lines: Iterable[str], *, yes: bool) -> None:
    """Say what it will do, and ask. Raises InvalidRequest where nobody could answer, Exit where somebody says no."""
    for line in lines:
        note(line)
    if yes:
        return
    if not sys.stdin.isatty():
        raise InvalidRequest("Nothing was run: nobody is there to agree to it.", hint="Add --yes to run it.")
    if not typer.confirm("Run it?", err=True):
        raise typer.Exit(1)


async def _follow(running: Ongoing) -> Progress:
    """Run it, with a bar on a terminal or a line now and then. Ctrl-C pauses; a second one stops what is under way."""
    from playground.cli.sweep_words import bar

    shown, at, judge = "", 0.0, None
    last: Progress | None = None
    is_terminal = sys.stderr.isatty()
    with _ctrl_c(running):
        async for last in running.run():
            line = bar(last)
            if is_terminal and line != shown:
                sys.stderr.write(f"\r{line:<{len(shown)}}")
                sys.stderr.flush()
                shown = line
            elif not is_terminal and (time.monotonic() - at > EVERY or last.state != "running" or last.judge != judge):
                note(line)
                at, judge = time.monotonic(), last.judge
    if is_terminal:
        note("")
    if last is None:
        raise PlaygroundError("The sweep did not run.")
    return last


def _ctrl_c_does(running: Ongoing) -> str:
    return "Ctrl-C leaves: the batches go on." if running.by_file else "Ctrl-C pauses it."


def _leave(last: Progress, again: str) -> None:
    """Say how to go on where it did not end, and end as that calls for."""
    if last.state == "done" and not last.failed:
        return
    if last.why is not None:
        note(last.why.text())
    more = " with a higher --budget" if last.state == "budget" else ""
    if last.state == "done":
        note(
            f"{last.failed:,} calls failed. Those that cost nothing are asked again by:",
            f"{again} {last.id}",
        )
        return
    if last.why is not None and last.why.key == "why.batch_left":
        note(f"To cancel them: python -m playground sweep --cancel {last.id}")
    note(f"To go on{more}: {again} {last.id}{' --budget …' if more else ''}")
    raise typer.Exit(130 if last.state in ("paused", "stopped") else 1)


def _ctrl_c(running: Ongoing) -> Any:
    """The first Ctrl-C pauses, the second closes what is under way, a third breaks off."""
    import asyncio
    import signal
    from contextlib import contextmanager

    @contextmanager
    def handled() -> Any:
        loop, before, times = asyncio.get_running_loop(), signal.getsignal(signal.SIGINT), 0

        def ask(*_: object) -> None:
            nonlocal times
            times += 1
            if times == 1 and running.by_file:
                note("\nLeaving the batches to their server.")
            elif times == 1:
                note("\nPausing: waiting for the calls under way. Once more closes them.")
            else:
                signal.signal(signal.SIGINT, before)
            loop.call_soon_threadsafe(running.pause if times == 1 else running.stop)

        signal.signal(signal.SIGINT, ask)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    return handled()


def show_results(found: Results, *, as_json: bool, out: Path | None, measure: str | None) -> None:
    from playground.cli.sweep_words import told as lines
    from playground.evaluate import report, report_page

    said = report.report(found, measure)
    if as_json:
        print_json(said)
    else:
        for line in lines(said):
            typer.echo(harmless(line))
    if out is not None:
        files = {
            "report.html": report_page.page(found, measure).encode("utf-8", "replace"),
            "report.json": report.to_json(found, measure),
            "outputs.csv": report.to_csv(found),
        }
        write(out, files)


def _wants_engine(spec: Spec) -> bool:
    """Whether a model may be the engine's: of several, one may be any server's."""
    judged = [str(each.options["model"]) for each in spec.metrics if each.kind == "judge"]
    return any("/" not in ref or ref.startswith("local/") for ref in (*spec.models, *judged))


def dollars(text: str | None) -> Any:
    from playground.evaluate.spec import MAX_BUDGET
    from playground.evaluate.spec_values import money

    return None if text is None else money(text, MAX_BUDGET)
