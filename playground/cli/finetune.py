"""`finetune`: fine-tuning jobs on any server that has OpenAI's API for them."""

from __future__ import annotations

from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from playground.cli.finetune_words import job_lines, job_row, left, measured, said_of
from playground.cli.results import show as show_results
from playground.cli.talk import Json, contents, harmless, note, print_json, run_async, told
from playground.cli.training import (
    Servers,
    changed,
    connected,
    create_job,
    deleted,
    every_job,
    exported,
    job_and_checkpoints,
    of_base,
    of_job,
    of_model,
    on_this_machine,
    parsed,
    results_file,
    served,
)
from playground.errors import InvalidRequest, PlaygroundError

if TYPE_CHECKING:
    from playground.client.tuned import Kind
    from playground.finetune.follow import Snapshot
    from playground.finetune.jobs import Job

app = typer.Typer(help="Fine-tuning jobs: create, follow and read them.", no_args_is_help=True, rich_markup_mode=None)

File = Annotated[Path, typer.Argument(show_default=False, help="The training file: one JSON example a line.")]
Base = Annotated[str, typer.Option("--base", help="The model to train, as model or endpoint/model.")]
Id = Annotated[str, typer.Argument(metavar="ID", show_default=False, help="The job, as id or endpoint/id.")]
Endpoint = Annotated[str | None, typer.Option(help="The server that trains; else the base's, else the first.")]
Validation = Annotated[Path | None, typer.Option(help="A file to validate with.")]
Model = Annotated[str, typer.Argument(show_default=False, help="The fine-tune, as model or endpoint/model.")]
Out = Annotated[Path | None, typer.Option(help="Save the results.csv here instead of reading it out.")]

RESTS = "The job waits until the engine runs again: the app runs it, and so does following."


@app.command()
def create(
    file: File,
    base: Base,
    suffix: Annotated[str | None, typer.Option(help="Becomes part of the new model's name.")] = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate_multiplier: float | None = None,
    method: Annotated[str | None, typer.Option(help="supervised, or dpo for a file of preferences.")] = None,
    beta: Annotated[float | None, typer.Option(help="How strictly dpo keeps to the base: above 0 to 2.")] = None,
    validation: Validation = None,
    seed: int | None = None,
    early_stopping: Annotated[
        int | None, typer.Option(help="End after so many validations in a row that bring nothing (embedded engine).")
    ] = None,
    classes: Annotated[
        int | None, typer.Option(help="Measure as a classification of so many classes (embedded engine).")
    ] = None,
    positive_class: Annotated[
        str | None, typer.Option(help="Of two classes the one that precision and recall are of (embedded engine).")
    ] = None,
    trainer: Annotated[str | None, typer.Option(help="numpy, or torch if installed (embedded engine).")] = None,
    endpoint: Endpoint = None,
    follow: Annotated[bool, typer.Option("--follow", help="Follow the job to its end.")] = False,
    as_json: Json = False,
) -> None:
    """Upload the files and start training. What is not given is not sent, and the server decides."""
    given = locals()
    with told():
        from playground.finetune.jobs import SETTINGS, validate_job
        from playground.finetune.preference_check import refuse_for

        server, model = of_base(base, endpoint)
        plan = validate_job(base=model, **{name: given[name] for name in SETTINGS})
        for path in filter(None, (file, validation)):
            refuse_for(plan.method, contents(path), name=path.name)
        with served(server) as servers:
            said = run_async(create_job(servers, server, plan, file, validation))
            if plan.method != "supervised" and parsed(said).method != plan.method:
                note(f"The server does not say that it trains by {plan.method}: it may not know the method.")
            if not as_json or follow:
                (note if as_json else typer.echo)(harmless(f"{server}/{said['id']}"))
            if follow:
                _follow(servers, server, said["id"], said, as_json=as_json)
            elif as_json:
                print_json({"endpoint": server, **said})
        if not follow and on_this_machine(server):
            note(RESTS, f"Follow it to its end: {_again(server, said['id'])}")


@app.command(name="list")
def list_jobs(as_json: Json = False) -> None:
    """List the jobs of every server, newest first."""
    with told():
        with served() as servers:
            found = run_async(every_job(servers))
        if as_json:
            print_json([{"endpoint": server, **said} for server, said in found])
            return
        for server, said in found:
            typer.echo(harmless(job_row(server, parsed(said))))


@app.command()
def show(job: Id, as_json: Json = False) -> None:
    """Show a job, and the checkpoints it has saved."""
    with told():
        server, name = of_job(job)
        with served(server) as servers:
            said, checkpoints = run_async(job_and_checkpoints(servers, server, name))
        if as_json:
            print_json({"endpoint": server, **said, "checkpoints": checkpoints})
            return
        for line in job_lines(server, parsed(said), checkpoints):
            typer.echo(harmless(line))


@app.command()
def follow(job: Id, as_json: Json = False) -> None:
    """Print a job's events as they come, until it ends. Ctrl-C ends the following, not the job."""
    with told():
        server, name = of_job(job)
        with served(server) as servers:
            _follow(servers, server, name, None, as_json=as_json)


@app.command()
def cancel(job: Id, as_json: Json = False) -> None:
    """Cancel a job."""
    _change(job, "cancel", as_json=as_json)


@app.command()
def pause(job: Id, as_json: Json = False) -> None:
    """Let a job rest, on a server that can: what it has learned stays."""
    _change(job, "pause", as_json=as_json)


@app.command()
def resume(job: Id, as_json: Json = False) -> None:
    """Go on with a job that rests."""
    _change(job, "resume", as_json=as_json)


def _change(job: str, verb: Literal["cancel", "pause", "resume"], *, as_json: bool) -> None:
    with told():
        server, name = of_job(job)
        with served(server) as servers:
            said = run_async(changed(servers, server, name, verb))
        if as_json:
            print_json({"endpoint": server, **said})
            return
        typer.echo(harmless(f"{server}/{name}: {said_of(parsed(said))}"))


@app.command()
def results(job: Id, out: Out = None, as_json: Json = False) -> None:
    """Read a job's results.csv out, as `results` does with a file, or save it."""
    with told():
        from playground.finetune.results_read import read
        from playground.finetune.results_summary import summary
        from playground.finetune.results_text import table

        server, name = of_job(job)
        with served(server) as servers:
            content = run_async(results_file(servers, server, name))
        said = summary(read(content))
        if out is not None:
            try:
                out.write_bytes(table(content).data)
            except OSError as error:
                raise InvalidRequest(f"{out} cannot be written: {error.strerror}.", param="out") from None
            note(f"Saved as {out}.")
        if as_json:
            print_json(said)
        elif out is None:
            show_results(f"{server}/{name}", said)


@app.command()
def export(
    model: Model,
    out: Annotated[Path, typer.Option(show_default=False, help="The file to write.")],
    type_: Annotated[str, typer.Option("--type", help="q8_0, or f16: about twice as large.")] = "q8_0",
    as_json: Json = False,
) -> None:
    """Save a model that was trained on this machine as one GGUF, for any llama.cpp, Ollama or LM Studio."""
    with told():
        kind = type_.lower()
        if kind not in ("q8_0", "f16"):
            raise InvalidRequest(f"type is q8_0 or f16, not {type_[:40]}.", param="type")
        if not out.parent.is_dir():
            raise InvalidRequest(f"There is no folder {out.parent}.", param="out")
        server, name = of_model(model)
        with served(server) as servers:
            size = run_async(exported(servers, server, name, out, cast("Kind", kind)))
        note(f"Saved as {out}: {size / 1e6:,.0f} MB.")
        if as_json:
            print_json({"endpoint": server, "id": name, "file": str(out), "bytes": size, "type": kind})


@app.command()
def delete(model: Model, as_json: Json = False) -> None:
    """Delete a fine-tuned model and its checkpoints, or one checkpoint. Its job and its results stay."""
    with told():
        server, name = of_model(model)
        with served(server) as servers:
            said = run_async(deleted(servers, server, name))
        if as_json:
            print_json({"endpoint": server, **said})
            return
        typer.echo(harmless(f"{server}/{name}: deleted"))


def _again(server: str, name: str) -> str:
    return f"python -m playground finetune follow {server}/{name}"


def _follow(servers: Servers, server: str, name: str, said: dict[str, Any] | None, *, as_json: bool) -> None:
    """Exit code 0 only for a job that has succeeded."""
    try:
        ended = run_async(_followed(servers, server, name, parsed(said) if said else None, as_json=as_json))
    except KeyboardInterrupt:
        rests = RESTS if on_this_machine(server) else "The job goes on."
        note(f"Stopped following. {rests}", f"Follow it again: {_again(server, name)}")
        raise typer.Exit(130) from None
    if ended.status != "succeeded":
        raise typer.Exit(1)


async def _followed(servers: Servers, server: str, name: str, job: Job | None, *, as_json: bool) -> Job:
    """Print what happens; with --json on stderr, and the job as it has ended on stdout."""
    from playground.finetune.follow import follow

    tell, last = (note if as_json else typer.echo), job
    status = None
    async with connected(servers) as client:
        async with aclosing(follow(client, server, name, job=job)) as snapshots:
            async for snapshot in snapshots:
                last = snapshot.job
                _tell(snapshot, tell)
                if last.status != status:
                    status = last.status
                    note(harmless(f"{said_of(last)}{left(snapshot)}"))
        if as_json:
            print_json({"endpoint": server, **await client.job(server, name)})
    if last is None:
        raise PlaygroundError("The server told nothing of the job.")
    return last


def _tell(snapshot: Snapshot, tell: Any) -> None:
    if snapshot.error is not None:
        note(f"Reconnecting in {snapshot.retry_in or 0:.0f} s. {snapshot.error.message}")
    for event in snapshot.new:
        tell(harmless(measured(event)))
