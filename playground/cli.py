"""The command line: `python -m playground complete|tokens|cost|models`.

Answers go to stdout, everything else to stderr. Exit codes: 0 done, 1 failed, 2 used wrongly, 130 stopped by Ctrl-C.
What is heavy is imported inside the commands: counting tokens must not pay for a database and an SDK.
"""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from playground import __version__
from playground.errors import EngineError, InvalidRequest, PlaygroundError, StoreError

if TYPE_CHECKING:
    import asyncio

    from playground.deps import Deps
    from playground.runner import Progress
    from playground.settings import Settings
    from playground.tokens import TokenCount
    from playground.types import CompletionRequest, ModelInfo, Retrying

T = TypeVar("T")

app = typer.Typer(
    help="A playground for language models.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # they would show local variables, and with them keys
    rich_markup_mode=None,
)

Text = Annotated[str | None, typer.Argument(show_default=False, help="The text; - or nothing reads standard input.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Model = Annotated[str, typer.Option("--model", "-m", help="The model, as gpt-4o or endpoint/model.")]
Chosen = Annotated[str | None, typer.Option("--model", "-m", help="model or endpoint/model; else the first listed.")]
Stop = Annotated[list[str] | None, typer.Option(help=r"Stop at this text; up to 4 times. \n is a line break.")]
Bias = Annotated[str | None, typer.Option(help='JSON of token ids and numbers from -100 to 100: {"50256": -100}.')]
Logprobs = Annotated[int | None, typer.Option(help="Ask for this many alternatives a token; shown with --json.")]
Tokens = Annotated[int, typer.Option(min=0)]


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"playground {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_say_version, help="Print the version.")
    ] = False,
) -> None:
    """A playground for language models."""


@app.command()
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
    with _told():
        from playground.parameters import unescape, validate_completion

        values.update(prompt=_read(prompt), stop=[unescape(text) for text in stop or ()], echo=echo or None)
        # A value that is wrong for every model is refused before anything is started; the context is not known yet.
        validate_completion({**values, "max_tokens": None}, endpoint="", model="")
        ended = _run(_complete(values, model, as_json=as_json))
        if ended.state.error is not None:
            raise ended.state.error
        if ended.run.status == "stopped":
            raise typer.Exit(130)


@app.command()
def tokens(model: Model, text: Text = None, as_json: Json = False) -> None:
    """Count the tokens of a text by the model's own tokenizer."""
    with _told():
        from playground.tokens import Counter, encoding_for

        said, name = _read(text), model.removeprefix("openai/")
        known = encoding_for(name) is not None
        counted = Counter().count(said, name) if known else _run(_count(said, model))
        if as_json:
            _print_json({"tokens": counted.tokens, "encoding": counted.encoding, "exact": counted.exact})
            return
        typer.echo(counted.tokens)
        if not counted.exact:
            _note(f"An estimate by {counted.encoding}.")


@app.command()
def cost(
    model: Model, input_tokens: Tokens, output_tokens: Tokens, cached_tokens: Tokens = 0, as_json: Json = False
) -> None:
    """What so many tokens cost at OpenAI's published prices. Cached tokens are part of the input."""
    with _told():
        from playground import pricing
        from playground.types import Usage

        if cached_tokens > input_tokens:
            raise InvalidRequest("There are more cached tokens than input tokens.", hint="They are part of the input.")
        usage = Usage(prompt_tokens=input_tokens, completion_tokens=output_tokens, cached_tokens=cached_tokens)
        dollars = pricing.price(model.removeprefix("openai/"), "openai", usage)
        if not as_json:
            typer.echo(pricing.format_money(dollars))
            return
        _print_json(
            {
                "model": model,
                "input_tokens": input_tokens,
                "output_tokens": output_tokens,
                "cost": None if dollars is None else format(dollars, "f"),
                "currency": "USD",
                "prices_as_of": pricing.prices_as_of(),
            }
        )


@app.command()
def models(as_json: Json = False) -> None:
    """List the models of every server."""
    with _told():
        from playground import catalog

        found, failures = _run(_list())
        for name, error in failures.items():
            _note(f"{name}: {error}")
        sizes = [catalog.context_length(info) for info in found]
        if as_json:
            pairs = zip(found, sizes, strict=True)
            _print_json([{"id": m.ref, "endpoint": m.endpoint, "context_length": size} for m, size in pairs])
            return
        for info, size in zip(found, sizes, strict=True):
            typer.echo(_harmless(info.ref) + (f"  ({size:,} tokens)" if size else ""))


async def _complete(values: dict[str, Any], model: str | None, *, as_json: bool) -> Progress:
    from playground import catalog
    from playground.parameters import validate_completion

    async with _opened(model) as deps:
        info = await _choose(deps, model)
        context = catalog.context_length(info)
        request = validate_completion(values, endpoint=info.endpoint, model=info.id, context_length=context)
        return await _stream(deps, request, as_json=as_json)


async def _stream(deps: Deps, request: CompletionRequest, *, as_json: bool) -> Progress:
    """Run `request` and print it. One choice is printed as it comes, several when all are there."""
    from playground.runner import answer, run

    several, shown = (request.n or 1) > 1, 0
    last: Progress | None = None
    retry: Retrying | None = None
    with _ctrl_c() as stop:
        runs = run(request, client=deps.client, store=deps.store, counter=deps.counter, stop=stop)
        async with aclosing(runs):
            async for last in runs:
                again = last.state.retrying
                if again is not None and again is not retry:
                    _note(f"{again.error} Attempt {again.attempt} of {again.attempts} in {again.delay:.0f} s.")
                retry = again
                choices = last.state.choices()
                if not as_json and not several and choices:
                    typer.echo(_harmless(choices[0].text[shown:]), nl=False, color=True)
                    shown = len(choices[0].text)
    if last is None:
        raise PlaygroundError("There was no answer.")
    if last.store_error is not None:
        _warn(last.store_error)
    if as_json and last.run.choices:
        _print_json(answer(last))
    elif several and not as_json:
        for choice in last.run.choices:
            typer.echo(f"--- {choice.index + 1} of {request.n} ({choice.finish_reason or last.run.status}) ---")
            typer.echo(_harmless(choice.text), color=True)
    elif shown and not last.run.choices[0].text.endswith("\n"):
        typer.echo()
    return last


async def _choose(deps: Deps, model: str | None) -> ModelInfo:
    """The model that `model` means, or the default. Raises PlaygroundError."""
    from playground import catalog

    available = await deps.list_models(_note)
    if model is not None:
        info: ModelInfo | None = catalog.resolve(model, available, deps.client.endpoints)
    else:
        info = catalog.default_model(available)
    # The engine's own words when it did not start; another server may complete without listing its models.
    failure = next((e for name, e in deps.failures.items() if info is None or name == info.endpoint), None)
    if failure is not None and (info is None or isinstance(failure, EngineError)):
        raise failure
    if info is None:
        raise PlaygroundError("No server lists a model.", hint="Name one with --model endpoint/model.")
    return info


async def _count(text: str, model: str) -> TokenCount:
    """Tokens by a server's own tokenizer, where one is meant; else an estimate."""
    from playground.settings import load
    from playground.tokens import Counter
    from playground.types import ModelInfo

    settings = load()
    if not settings.engine and not settings.endpoints:
        return Counter().count(text, model)
    async with _opened(model, keep=False) as deps:
        available = await deps.list_models(_note)
        prefix = model.partition("/")[0]
        # A server has one tokenizer as a rule: `local/anything` means the engine's.
        named = prefix if "/" in model and prefix in deps.client.endpoints else None
        name = next((m.endpoint for m in available if model in (m.ref, m.id)), named)
        if name is None or name in deps.failures:
            for failed, error in deps.failures.items():
                _note(f"{failed}: {error}")
            return deps.counter.count(text, "")
        return await deps.count(text, ModelInfo(endpoint=name, id=model.removeprefix(f"{name}/")))


async def _list() -> tuple[list[ModelInfo], dict[str, PlaygroundError]]:
    """Every server's models and why those that failed did. Raises the failure when none answered."""
    async with _opened(None, keep=False) as deps:
        found = await deps.list_models(_note)
        if deps.failures and len(deps.failures) == len(deps.client.endpoints):
            *others, (name, last) = deps.failures.items()
            for other, error in others:
                _note(f"{other}: {error}")
            raise PlaygroundError(f"{name}: {last.message}", hint=last.hint)
        return found, dict(deps.failures)


@asynccontextmanager
async def _opened(model: str | None, *, keep: bool = True) -> AsyncIterator[Deps]:
    """The shared parts by the settings, closed at the end. `keep`: whether a run is to be stored."""
    from tempfile import TemporaryDirectory

    from playground.settings import load

    settings = load()
    if (model or "").partition("/")[0] in {e.name for e in settings.endpoints}:
        settings = replace(settings, engine=False)  # nobody waits for an engine that is not asked
    if not settings.engine and not settings.endpoints:
        raise PlaygroundError("No server is set up.", hint="Set OPENAI_API_KEY, or unset PLAYGROUND_ENGINE=off.")
    with TemporaryDirectory(prefix="playground-", ignore_cleanup_errors=True) as spare:
        deps = _open(settings, spare, keep=keep)
        try:
            yield deps
        finally:
            await deps.aclose()


def _open(settings: Settings, spare: str, *, keep: bool) -> Deps:
    """The parts; a database that cannot be opened costs the record of the run, not the run."""
    from pathlib import Path

    from playground.deps import open_deps

    try:
        return open_deps(settings)
    except StoreError as error:
        if keep:
            _warn(error)
        return open_deps(replace(settings, data_dir=Path(spare), database_url=None))


def _run(work: Coroutine[Any, Any, T]) -> T:
    import asyncio

    return asyncio.run(work)


@contextmanager
def _ctrl_c() -> Iterator[asyncio.Event]:
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


@contextmanager
def _told() -> Iterator[None]:
    """Our errors on stderr, as exit codes."""
    try:
        yield
    except PlaygroundError as error:
        _note(f"Error: {error.message}", error.hint)
        raise typer.Exit(2 if isinstance(error, InvalidRequest) else 1) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _read(text: str | None) -> str:
    """The text of the command line, or standard input's for `-` and for none. Raises InvalidRequest."""
    if text is not None and text != "-":
        return text
    if text is None and sys.stdin.isatty():
        raise InvalidRequest("There is no text.", hint="Give it as an argument, or pipe it in.")
    try:
        return sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidRequest("Standard input is not UTF-8 text.", hint="Convert it first, with iconv.") from None


def _harmless(text: str) -> str:
    """On a terminal without the control characters that a model could play tricks with; elsewhere as it is."""
    if not sys.stdout.isatty():
        return text
    return "".join(c if c in "\n\t" or c.isprintable() or ord(c) > 0x9F else "\N{REPLACEMENT CHARACTER}" for c in text)


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False), color=True)


def _note(message: str, hint: str = "") -> None:
    typer.echo(f"{message}\n{hint}".strip(), err=True)


def _warn(error: StoreError) -> None:
    _note(f"Warning: the run is not kept. {error.message}", error.hint)


def main() -> None:
    for stream in (sys.stdout, sys.stderr):
        # What the terminal's encoding lacks, or half of an emoji, is shown as ? instead of breaking the run off.
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    app(prog_name="python -m playground")
