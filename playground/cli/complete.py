"""`complete`: a prompt continued on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from playground.cli.servers import choose, opened, warn
from playground.cli.talk import Json, Text, harmless, note, print_json, read, run_async, told
from playground.errors import PlaygroundError

if TYPE_CHECKING:
    import asyncio

    from playground.deps import Deps
    from playground.runner import Progress
    from playground.types import CompletionRequest, Retrying

Chosen = Annotated[str | None, typer.Option("--model", "-m", help="model or endpoint/model; else the first listed.")]
Stop = Annotated[list[str] | None, typer.Option(help=r"Stop at this text; up to 4 times. \n is a line break.")]
Bias = Annotated[str | None, typer.Option(help='JSON of token ids and numbers from -100 to 100: {"50256": -100}.')]
Logprobs = Annotated[int | None, typer.Option(help="Ask for this many alternatives a token; shown with --json.")]


def complete(
    prompt: Text = None,
    model: Chosen = None,
    temperature: float | None = None,
    top_p: float | None = None,
    n: int | None = None,
    max_tokens: int | None = None,
    stop: Stop = None,
    frequency_penalty: float | None = None,
    presence_penalty: float | None = None,
    best_of: int | None = None,
    seed: int | None = None,
    logit_bias: Bias = None,
    logprobs: Logprobs = None,
    echo: Annotated[bool, typer.Option("--echo", help="Let the server repeat the prompt.")] = False,
    suffix: str | None = None,
    user: str | None = None,
    as_json: Json = False,
) -> None:
    """Continue a prompt. What is not given is not sent, so that the server's own defaults hold."""
    given = locals()
    values = {name: given[name] for name in given if name not in ("model", "as_json")}
    with told():
        from playground.parameters import unescape, validate_completion

        values.update(prompt=read(prompt), stop=[unescape(text) for text in stop or ()], echo=echo or None)
        # A value that is wrong for every model is refused before anything is started; the context is not known yet.
        validate_completion({**values, "max_tokens": None}, endpoint="", model="")
        ended = run_async(_complete(values, model, as_json=as_json))
        if ended.state.error is not None:
            raise ended.state.error
        if ended.run.status == "stopped":
            raise typer.Exit(130)


async def _complete(values: dict[str, Any], model: str | None, *, as_json: bool) -> Progress:
    from playground import catalog
    from playground.parameters import validate_completion

    async with opened(model) as deps:
        info = await choose(deps, model)
        context = catalog.context_length(info)
        request = validate_completion(values, endpoint=info.endpoint, model=info.id, context_length=context)
        return await _stream(deps, request, as_json=as_json)


async def _stream(deps: Deps, request: CompletionRequest, *, as_json: bool) -> Progress:
    """Run `request` and print it. One choice is printed as it comes, several when all are there."""
    from playground.runner import answer, run

    several, shown = (request.n or 1) > 1, 0
    last: Progress | None = None
    retry: Retrying | None = None
    with ctrl_c() as stop:
        runs = run(request, client=deps.client, store=deps.store, counter=deps.counter, stop=stop)
        async with aclosing(runs):
            async for last in runs:
                again = last.state.retrying
                if again is not None and again is not retry:
                    note(f"{again.error} Attempt {again.attempt} of {again.attempts} in {again.delay:.0f} s.")
                retry = again
                choices = last.state.choices()
                if not as_json and not several and choices:
                    typer.echo(harmless(choices[0].text[shown:]), nl=False, color=True)
                    shown = len(choices[0].text)
    if last is None:
        raise PlaygroundError("There was no answer.")
    if last.store_error is not None:
        warn(last.store_error)
    if as_json and last.run.choices:
        print_json(answer(last))
    elif several and not as_json:
        for choice in last.run.choices:
            typer.echo(f"--- {choice.index + 1} of {request.n} ({choice.finish_reason or last.run.status}) ---")
            typer.echo(harmless(choice.text), color=True)
    elif shown and not last.run.choices[0].text.endswith("\n"):
        typer.echo()
    return last


@contextmanager
def ctrl_c() -> Iterator[asyncio.Event]:
    """The first Ctrl-C asks the run to stop, so that it is kept and shown as it is; a second breaks it off."""
    import asyncio
    import signal

    stop, loop, before = asyncio.Event(), asyncio.get_running_loop(), signal.getsignal(signal.SIGINT)

    def ask(*_: object) -> None:
        signal.signal(signal.SIGINT, before)
        loop.call_soon_threadsafe(stop.set)

    signal.signal(signal.SIGINT, ask)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
