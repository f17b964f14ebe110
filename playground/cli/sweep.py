"""`sweep` and `evaluate`: many calls by a plan, with what they cost said before and what came of them after."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from playground.cli.servers import opened
from playground.cli.sweep_files import check_folder, dataset, read_spec, training
from playground.cli.talk import Json, harmless, note, print_json, run_async, told
from playground.errors import InvalidRequest, PlaygroundError

if TYPE_CHECKING:
    from playground.deps import Deps
    from playground.evaluate.plan import Plan
    from playground.evaluate.running import Progress, Running
    from playground.evaluate.spec import Spec

EVERY = 10.0
"""Seconds between two lines of progress where standard error is no terminal."""

SpecFile = Annotated[Path | None, typer.Argument(show_default=False, help="A spec, YAML or JSON.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before it runs.")]
BudgetOption = Annotated[str | None, typer.Option("--budget", help="Dollars that it may cost at most.")]
Resume = Annotated[str | None, typer.Option("--resume", help="Go on with the sweep of this id, or its beginning.")]
Out = Annotated[Path | None, typer.Option("--out", help="A folder for report.html, report.json and outputs.csv.")]
By = Annotated[str | None, typer.Option("--measure", help="Compare by this measure; else the first metric.")]
DatasetFile = Annotated[Path, typer.Argument(show_default=False, help="Test cases: CSV, TSV, XLSX, JSON or JSONL.")]
Models = Annotated[list[str], typer.Option("--model", "-m", help="A model, endpoint/model; several are compared.")]
Metrics = Annotated[
    list[str] | None, typer.Option("--metric", help="A metric, or {metric: {option: value}}; several may be given.")
]
Stop = Annotated[list[str] | None, typer.Option(help=r"Stop at this text; up to 4 times. \n is a line break.")]
Prompt = Annotated[str | None, typer.Option(help="What is sent, with {{variables}}; else what each case asks itself.")]
Training = Annotated[
    Path | None, typer.Option("--training", help="The file a model was trained on, for novelty and domain.")
]


def sweep(
    spec: SpecFile = None,
    yes: Yes = False,
    budget: BudgetOption = None,
    resume: Resume = None,
    as_json: Json = False,
    out: Out = None,
    measure: By = None,
) -> None:
    """Run a spec's calls, or go on with a sweep; Ctrl-C pauses it. What was answered is never asked again."""
    with told():
        if (spec is None) == (resume is None):
            raise InvalidRequest("Give a spec, or --resume with a sweep's id.", param="spec")
        read = None if spec is None else read_spec(spec)
        capped = _dollars(budget)
        if read is not None and capped is not None:
            read = replace(read, budget=capped)
        folder = Path() if spec is None else spec.parent
        run_async(_sweep(read, folder, resume, capped, yes=yes, as_json=as_json, out=out, measure=measure))


def evaluate(
    cases: DatasetFile,
    model: Models,
    metric: Metrics = None,
    prompt: Prompt = None,
    repeats: int = 1,
    max_tokens: int | None = None,
    temperature: float | None = None,
    stop: Stop = None,
    trained_on: Training = None,
    concurrency: int = 4,
    budget: BudgetOption = None,
    yes: Yes = False,
    as_json: Json = False,
    out: Out = None,
    measure: By = None,
) -> None:
    """Put models side by side on test cases: each metric with its interval, and who is better by paired tests."""
    with told():
        from playground.evaluate.spec import from_json
        from playground.evaluate.spec_files import load
        from playground.parameters import unescape

        named = [load(each) if each.lstrip().startswith("{") else each for each in metric or ["exact_match"]]
        given = {"max_tokens": max_tokens, "temperature": temperature, "stop": [unescape(each) for each in stop or ()]}
        spec = from_json(
            {
                "name": f"evaluate {cases.stem}"[:120],
                "models": list(model),
                "prompt": prompt,
                "dataset": str(cases),
                "repeats": repeats,
                "parameters": {name: value for name, value in given.items() if value not in (None, [])},
                "metrics": named,
                "training": None if trained_on is None else str(trained_on.resolve()),
                "budget": budget,
                "concurrency": concurrency,
                "max_calls": 100_000,
            }
        )
        run_async(_sweep(spec, Path(), None, None, yes=yes, as_json=as_json, out=out, measure=measure))


async def _sweep(
    spec: Spec | None,
    folder: Path,
    resume: str | None,
    budget: Any,
    *,
    yes: bool,
    as_json: bool,
    out: Path | None,
    measure: str | None,
) -> None:
    import asyncio

    check_folder(out)
    async with opened(spec.models[0] if spec and spec.models and not _wants_engine(spec) else None) as deps:
        await deps.list_models(note)
        if spec is not None:
            texts = training(spec.training)
            running = await _begun(spec, folder, texts, deps, yes=yes)
        else:
            running, texts = await _resumed(str(resume), budget, deps)
        last = await _follow(running)
        from playground.evaluate import results

        found = await asyncio.to_thread(results.load, deps.store, running.id, training=texts)
        await asyncio.to_thread(_show, found, as_json, out, measure)
        _leave(last)


async def _begun(spec: Spec, folder: Path, texts: list[str], deps: Deps, *, yes: bool) -> Running:
    from playground.evaluate import sweeping

    plan = sweeping.plan_of(spec, dataset(spec, folder, deps), deps)
    sweeping.metrics_of(plan, texts)
    await sweeping.check_budget(plan, deps)
    await _agreed(plan, deps, yes=yes)
    running = await sweeping.begin(plan, deps, training=texts)
    note(f"Sweep {running.id}. Ctrl-C pauses it.")
    return running


async def _resumed(id: str, budget: Any, deps: Deps) -> tuple[Running, list[str]]:
    from playground.evaluate import sweeping

    row = deps.store.sweeps.sweep(id)
    texts = training(row.spec.get("training") if row else None)
    row, running = await sweeping.go_on(id, deps, budget=budget, training=texts)
    note(f"Sweep {row.id}: {row.done:,} of {row.calls:,} calls are answered. Ctrl-C pauses it.")
    return running, texts


async def _agreed(plan: Plan, deps: Deps, *, yes: bool) -> None:
    """Say what it will do, and ask. Raises InvalidRequest where nobody could answer, Exit where somebody says no."""
    from playground.cli.sweep_words import planned
    from playground.evaluate import sweeping

    for line in planned(plan, await sweeping.foreseen(plan, deps)):
        note(line)
    if yes:
        return
    if not sys.stdin.isatty():
        raise InvalidRequest("Nothing was run: nobody is there to agree to it.", hint="Add --yes to run it.")
    if not typer.confirm("Run it?", err=True):
        raise typer.Exit(1)


async def _follow(running: Running) -> Progress:
    """Run it, with a bar on a terminal or a line now and then. Ctrl-C pauses; a second one stops what is under way."""
    from playground.cli.sweep_words import bar

    shown, at = "", 0.0
    last: Progress | None = None
    is_terminal = sys.stderr.isatty()
    with _ctrl_c(running):
        async for last in running.run():
            line = bar(last)
            if is_terminal and line != shown:
                sys.stderr.write(f"\r{line:<{len(shown)}}")
                sys.stderr.flush()
                shown = line
            elif not is_terminal and (time.monotonic() - at > EVERY or last.state != "running"):
                note(line)
                at = time.monotonic()
    if is_terminal:
        note("")
    if last is None:
        raise PlaygroundError("The sweep did not run.")
    return last


def _leave(last: Progress) -> None:
    """Say how to go on where it did not end, and end as that calls for."""
    if last.state == "done" and not last.failed:
        return
    if last.why is not None:
        note(last.why.text())
    more = " with a higher --budget" if last.state == "budget" else ""
    if last.state == "done":
        note(
            f"{last.failed:,} calls failed. Those that cost nothing are asked again by:",
            f"python -m playground sweep --resume {last.id}",
        )
        return
    note(f"To go on{more}: python -m playground sweep --resume {last.id}{' --budget …' if more else ''}")
    raise typer.Exit(130 if last.state in ("paused", "stopped") else 1)


def _ctrl_c(running: Running) -> Any:
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
            if times == 1:
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


def _show(found: Any, as_json: bool, out: Path | None, measure: str | None) -> None:
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
        for name, data in files.items():
            (out / name).write_bytes(data)
        note(f"Written: {', '.join(str(out / name) for name in files)}")


def _wants_engine(spec: Spec) -> bool:
    """Whether a model may be the engine's: of several, one may be any server's."""
    return any("/" not in ref or ref.startswith("local/") for ref in spec.models)


def _dollars(text: str | None) -> Any:
    from playground.evaluate.spec import MAX_BUDGET
    from playground.evaluate.spec_values import money

    return None if text is None else money(text, MAX_BUDGET)
