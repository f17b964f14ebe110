"""`python -m playground …`: everything that makes sense without a browser.

What a command needs is imported inside it, so that counting a few words does not pay for an SDK and a database. Text
goes to stdout, everything said about it to stderr. Exit codes: 0, 1 for a failure, 2 for a value that cannot be used,
130 for Ctrl+C.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from playground import __version__
from playground.errors import ConfigurationError, InvalidRequest, PlaygroundError

if TYPE_CHECKING:
    from playground.deps import Deps
    from playground.runner import Progress
    from playground.tokens import TokenCount
    from playground.types import CompletionRequest, ModelInfo, Run, TokenLogprob

INTERRUPTED = 130
"""The exit code of a program that Ctrl+C has ended (128 + SIGINT)."""

#: More than the longest prompt there is, so that a pipe without an end is refused and not read for ever.
MAX_INPUT = 20_000_000

#: What would move a terminal's cursor or change its title when a model or a server writes it.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

app = typer.Typer(
    help="A playground for language models, on the command line.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    # A traceback may hold a key or a prompt.
    pretty_exceptions_enable=False,
)

Model = Annotated[str | None, typer.Option(help="server/model or a model's name; without it, the first that fits.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def main() -> None:
    """Run the command line. What the console cannot show is replaced, so that no answer is lost to an encoding."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    app(prog_name="python -m playground")


@app.callback()
def root(version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    if version:
        _out(__version__ + "\n")
        raise typer.Exit


# `invoke_without_command` would turn off the message for a missing command; so the version is read before it is missed.
@app.command()
def complete(
    prompt: Annotated[str, typer.Argument(help="The text to continue; - reads it from stdin.")],
    model: Model = None,
    temperature: Annotated[float | None, typer.Option(help="0 to 2: how much chance decides.")] = None,
    top_p: Annotated[float | None, typer.Option(help="0 to 1: the likeliest tokens that share this much.")] = None,
    n: Annotated[int | None, typer.Option("--n", help="How many completions.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="The most tokens a completion may have.")] = None,
    stop: Annotated[list[str] | None, typer.Option(help=r"Where to stop, up to 4 times; \n is a line break.")] = None,
    frequency_penalty: Annotated[float | None, typer.Option(help="-2 to 2: against repeating often.")] = None,
    presence_penalty: Annotated[float | None, typer.Option(help="-2 to 2: against repeating at all.")] = None,
    best_of: Annotated[int | None, typer.Option(help="Generate so many, return the best n; not streamed.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same answer where it can.")] = None,
    logit_bias: Annotated[str | None, typer.Option(help='JSON: token ids to -100…100, {"50256": -100}.')] = None,
    logprobs: Annotated[
        int | None, typer.Option(help="0 to 5: the likeliest tokens at each place; with --json.")
    ] = None,
    echo: Annotated[bool, typer.Option("--echo", help="Give the prompt back before the completion.")] = False,
    suffix: Annotated[str | None, typer.Option(help="What comes after the completion, where the model can.")] = None,
    user: Annotated[str | None, typer.Option(help="A name for the end user, passed on to the server.")] = None,
    as_json: AsJson = False,
) -> None:
    """Continue a prompt: text as it comes, or --json at the end. Ctrl+C stops and keeps what has come."""
    values = {k: v for k, v in locals().items() if k not in ("model", "as_json")}
    _run(_complete(values, model, as_json=as_json))


@app.command()
def tokens(
    text: Annotated[str | None, typer.Argument(help="The text; - or nothing reads stdin.")] = None,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Count a text's tokens by the model's own tokenizer."""
    _run(_tokens(text, model, as_json=as_json))


@app.command()
def cost(
    model: Annotated[str, typer.Option(help="An OpenAI model or fine-tune.")],
    input_tokens: Annotated[int, typer.Option(min=0, max=10**12, help="Tokens of the prompt.")],
    output_tokens: Annotated[int, typer.Option(min=0, max=10**12, help="Tokens of all completions.")],
    as_json: AsJson = False,
) -> None:
    """What so many tokens cost, in dollars."""
    _run(_cost(model, input_tokens, output_tokens, as_json=as_json))


@app.command()
def models(as_json: AsJson = False) -> None:
    """List the models of every server."""
    _run(_models(as_json=as_json))


def _run(command: Coroutine[Any, Any, int]) -> None:
    """Run a command to its exit code. An error of ours is one line on stderr."""
    try:
        code = asyncio.run(command)
    except PlaygroundError as error:
        _say(error)
        code = 2 if isinstance(error, InvalidRequest) else 1
    raise typer.Exit(code)


async def _complete(values: dict[str, Any], name: str | None, *, as_json: bool) -> int:
    from playground import catalog
    from playground.parameters import unescape, validate_completion

    values["prompt"] = _text(values["prompt"])
    values["stop"] = [unescape(text) for text in values["stop"] or ()]
    values["echo"] = values["echo"] or None
    # Checked before anything is started, and again when the model's context is known.
    validate_completion(values, endpoint="", model="")
    async with _deps(name) as deps:
        info = await _chosen(deps, name)
        context = catalog.context_length(info)
        request = validate_completion(values, endpoint=info.endpoint, model=info.id, context_length=context)
        progress = await _stream(deps, request, quiet=as_json)
    error = progress.state.error
    if as_json and (progress.run.choices or error is None):
        _out(_json(_answer(progress.run)))
    for problem in filter(None, (error, progress.store_error)):
        _say(problem)
    return 1 if error else INTERRUPTED if progress.run.status == "stopped" else 0


async def _stream(deps: Deps, request: CompletionRequest, *, quiet: bool) -> Progress:
    """Run `request` to its end or to Ctrl+C, printing as it comes unless `quiet`."""
    from playground.runner import run

    stop = asyncio.Event()
    printed, retry = "", None
    progress: Progress | None = None
    several = (request.n or 1) > 1
    runs = run(request, client=deps.client, store=deps.store, counter=deps.counter, stop=stop)
    with _ctrl_c(stop):
        async with aclosing(runs):
            async for progress in runs:
                if (again := progress.state.retrying) is not None and again is not retry:
                    retry = again
                    _say(f"{again.error.message} Attempt {again.attempt} of {again.attempts} in {again.delay:.0f} s.")
                choices = progress.state.choices()
                if choices and not quiet and not several:
                    _out(_shown(choices[0].text[len(printed) :]))
                    printed = choices[0].text
    assert progress is not None  # noqa: S101 - a run always ends with one
    if not quiet:
        _out(_several(progress.run) if several else "\n" if printed and not printed.endswith("\n") else "")
    return progress


async def _tokens(text: str | None, name: str | None, *, as_json: bool) -> int:
    from playground.tokens import Counter, encoding_for

    if text is None and sys.stdin.isatty():
        raise InvalidRequest("There is no text to count.", param="text", hint="Give it as an argument or on stdin.")
    text = _text("-" if text is None else text)
    at_openai = _openai_name(name) if name else None
    if at_openai and encoding_for(at_openai):
        _count_out(Counter().count(text, at_openai), as_json=as_json)
        return 0
    async with _deps(name) as deps:
        info = await _chosen(deps, name)

        async def tokenize(part: str) -> list[int] | None:
            return await deps.client.tokenize(info.endpoint, part)

        if deps.client.endpoints[info.endpoint].kind == "openai":
            counted = deps.counter.count(text, info.id)
        else:
            counted = await deps.counter.count_with(tokenize, text, key=info.ref, splittable=False)
    _count_out(counted, as_json=as_json)
    return 0


async def _cost(name: str, input_tokens: int, output_tokens: int, *, as_json: bool) -> int:
    from playground import pricing
    from playground.types import Usage

    usage = Usage(prompt_tokens=input_tokens, completion_tokens=output_tokens)
    at_openai = _openai_name(name)
    amount = pricing.price(at_openai, "openai", usage) if at_openai else None
    if not as_json:
        source = f" ({pricing.prices_as_of()})" if amount is not None else ""
        _out(f"{pricing.format_money(amount)}{source}\n")
        return 0
    about = {"model": name, "input_tokens": input_tokens, "output_tokens": output_tokens}
    price = {"cost": None if amount is None else format(amount, "f"), "currency": "USD"}
    _out(_json({**about, **price, "prices_as_of": pricing.prices_as_of()}))
    return 0


async def _models(*, as_json: bool) -> int:
    from playground import catalog

    async with _deps(None) as deps:
        await _engine_ready(deps)
        found = await deps.list_models()
        failures = dict(deps.failures)
    rows = []
    for info in found:
        known = catalog.describe(info.id)
        end = info.shutdown_date or (known.shutdown_date if known else None)
        context = catalog.context_length(info)
        rows.append({"id": info.ref, "endpoint": info.endpoint, "context_length": context, "shutdown_date": end})
    if as_json:
        _out(_json(rows))
    else:
        _out("".join(_shown(_row(row)) + "\n" for row in rows))
    for endpoint, error in failures.items():
        _say(f"{endpoint}: {error}")
    if not found and not failures:
        _say("There is no server.")
    return 0 if found else 1


def _row(row: Mapping[str, Any]) -> str:
    context = f"  {row['context_length']:,} tokens" if row["context_length"] else ""
    return f"{row['id']}{context}" + (f"  shuts down {row['shutdown_date']}" if row["shutdown_date"] else "")


@asynccontextmanager
async def _deps(name: str | None) -> AsyncGenerator[Deps]:
    """The parts, closed at the end. The engine is not started for a model that is said to be on another server."""
    from playground import settings
    from playground.deps import open_deps

    chosen = settings.load()
    endpoint = (name or "").partition("/")[0]
    if endpoint in {server.name for server in chosen.endpoints}:
        chosen = replace(chosen, engine=False)
    deps = open_deps(chosen)
    try:
        yield deps
    finally:
        await deps.aclose()


async def _chosen(deps: Deps, name: str | None) -> ModelInfo:
    """The model that `name` means, its server ready; without a name, the default."""
    from playground import catalog

    endpoint = (name or "").partition("/")[0]
    if deps.engine is None or endpoint in ("", deps.engine.endpoint.name) or endpoint not in deps.client.endpoints:
        await _engine_ready(deps)
    available = await deps.list_models()
    if name:
        return catalog.resolve(name, available, deps.client.endpoints)
    first = catalog.default_model(available)
    if first is not None:
        return first
    for failure in deps.failures.values():
        raise failure
    raise ConfigurationError("There is no server to ask.", hint="Set OPENAI_BASE_URL, or PLAYGROUND_ENGINE=auto.")


async def _engine_ready(deps: Deps) -> None:
    """Wait for the engine, where there is one; one that fails shows among `deps.failures`."""
    if deps.engine is not None:
        try:
            await deps.engine_ready(_say)
        except PlaygroundError as error:
            deps.failures[deps.engine.endpoint.name] = error


def _openai_name(name: str) -> str | None:
    """The model's name at OpenAI: what follows `openai/`, or a name without a server; None for another server's."""
    endpoint, slash, model = name.partition("/")
    return name if not slash else model if endpoint == "openai" else None


@contextmanager
def _ctrl_c(stop: asyncio.Event) -> Iterator[None]:
    """Ctrl+C sets `stop`, so that the run ends in order and is kept; a second one ends the program at once."""
    loop, before = asyncio.get_running_loop(), signal.getsignal(signal.SIGINT)

    def first() -> None:
        loop.remove_signal_handler(signal.SIGINT)
        stop.set()

    try:
        loop.add_signal_handler(signal.SIGINT, first)
    except (NotImplementedError, RuntimeError):  # Windows, or not the main thread: asyncio's own way, which cancels
        yield
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, before)


def _answer(run: Run) -> dict[str, Any]:
    """A finished run as plain JSON: cost in dollars as text, times in seconds."""
    usage = run.usage
    return {
        "model": f"{run.endpoint}/{run.model}",
        "choices": [
            {"index": c.index, "text": c.text, "finish_reason": c.finish_reason}
            | ({"logprobs": [_logprob(said) for said in c.logprobs]} if c.logprobs else {})
            for c in run.choices
        ],
        "usage": usage
        and {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "total_tokens": usage.total_tokens,
            "estimated": usage.estimated,
        },
        "cost": None if run.cost is None else format(run.cost, "f"),
        "latency": run.latency,
        "time_to_first_token": run.time_to_first_token,
    }


def _logprob(said: TokenLogprob) -> dict[str, Any]:
    return {"token": said.token, "logprob": said.logprob, "top_logprobs": dict(said.top)}


def _several(run: Run) -> str:
    return "".join(f"--- {choice.index + 1} ---\n{_shown(choice.text)}\n" for choice in run.choices)


def _count_out(counted: TokenCount, *, as_json: bool) -> None:
    if as_json:
        _out(_json({"tokens": counted.tokens, "encoding": counted.encoding, "exact": counted.exact}))
    else:
        about, how = ("", "") if counted.exact else ("≈ ", "estimated by ")
        _out(f"{about}{counted.tokens} tokens ({how}{counted.encoding})\n")


def _text(given: str) -> str:
    """The text itself, or stdin's for `-`: as it is, with its last line break."""
    if given != "-":
        return given
    raw = sys.stdin.buffer.read(MAX_INPUT + 1)
    if len(raw) > MAX_INPUT:
        raise InvalidRequest(f"There are more than {MAX_INPUT:,} bytes on stdin.", hint="Shorten the text.")
    return raw.decode("utf-8", "replace")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) + "\n"


def _shown(text: str) -> str:
    """`text` as it is for a file or a pipe; for a terminal, without what would steer it."""
    return _CONTROL.sub("�", text) if sys.stdout.isatty() else text


def _out(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _say(what: object) -> None:
    """One line on stderr."""
    sys.stderr.write(_CONTROL.sub("�", " ".join(str(what).split())) + "\n")
    sys.stderr.flush()
