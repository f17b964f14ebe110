"""`tokens`, `cost` and `models`: what can be known without a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from playground.cli.servers import added, opened
from playground.cli.talk import Json, Text, harmless, note, print_json, read, run_async, told
from playground.errors import InvalidRequest, PlaygroundError

if TYPE_CHECKING:
    from playground.tokens import TokenCount
    from playground.types import ModelInfo

Model = Annotated[str, typer.Option("--model", "-m", help="The model, as gpt-4o or endpoint/model.")]
Tokens = Annotated[int, typer.Option(min=0)]


def tokens(model: Model, text: Text = None, as_json: Json = False) -> None:
    """Count the tokens of a text by the model's own tokenizer."""
    with told():
        from playground.tokens import Counter, encoding_for

        said, name = read(text), model.removeprefix("openai/")
        known = encoding_for(name) is not None
        counted = Counter().count(said, name) if known else run_async(_count(said, model))
        if as_json:
            print_json({"tokens": counted.tokens, "encoding": counted.encoding, "exact": counted.exact})
            return
        typer.echo(counted.tokens)
        if not counted.exact:
            note(f"An estimate by {counted.encoding}.")


def cost(
    model: Model, input_tokens: Tokens, output_tokens: Tokens, cached_tokens: Tokens = 0, as_json: Json = False
) -> None:
    """What so many tokens cost at OpenAI's published prices. Cached tokens are part of the input."""
    with told():
        from playground import pricing
        from playground.types import Usage

        if cached_tokens > input_tokens:
            raise InvalidRequest("There are more cached tokens than input tokens.", hint="They are part of the input.")
        usage = Usage(prompt_tokens=input_tokens, completion_tokens=output_tokens, cached_tokens=cached_tokens)
        dollars = pricing.price(model.removeprefix("openai/"), "openai", usage)
        if not as_json:
            typer.echo(pricing.format_money(dollars))
            return
        print_json(
            {
                "model": model,
                "input_tokens": input_tokens,
                "output_tokens": output_tokens,
                "cost": None if dollars is None else format(dollars, "f"),
                "currency": "USD",
                "prices_as_of": pricing.prices_as_of(),
            }
        )


def models(as_json: Json = False) -> None:
    """List the models of every server."""
    with told():
        from playground import catalog

        found, failures = run_async(_list())
        for name, error in failures.items():
            note(f"{name}: {error}")
        sizes = [catalog.context_length(info) for info in found]
        if as_json:
            pairs = zip(found, sizes, strict=True)
            print_json([{"id": m.ref, "endpoint": m.endpoint, "context_length": size} for m, size in pairs])
            return
        for info, size in zip(found, sizes, strict=True):
            typer.echo(harmless(info.ref) + (f"  ({size:,} tokens)" if size else ""))


async def _count(text: str, model: str) -> TokenCount:
    """Tokens by a server's own tokenizer, where one is meant; else an estimate."""
    from playground.settings import load
    from playground.tokens import Counter
    from playground.types import ModelInfo

    settings = load()
    if not settings.engine and not settings.endpoints and not added(settings):
        return Counter().count(text, model)
    async with opened(model, keep=False) as deps:
        available = await deps.list_models(note)
        prefix = model.partition("/")[0]
        # A server has one tokenizer as a rule: `local/anything` means the engine's.
        named = prefix if "/" in model and prefix in deps.client.endpoints else None
        name = next((m.endpoint for m in available if model in (m.ref, m.id)), named)
        if name is None or name in deps.failures:
            for failed, error in deps.failures.items():
                note(f"{failed}: {error}")
            return deps.counter.count(text, "")
        return await deps.count(text, ModelInfo(endpoint=name, id=model.removeprefix(f"{name}/")))


async def _list() -> tuple[list[ModelInfo], dict[str, PlaygroundError]]:
    """Every server's models and why those that failed did. Raises the failure when none answered."""
    async with opened(None, keep=False) as deps:
        found = await deps.list_models(note)
        if deps.failures and len(deps.failures) == len(deps.client.endpoints):
            *others, (name, last) = deps.failures.items()
            for other, error in others:
                note(f"{other}: {error}")
            raise PlaygroundError(f"{name}: {last.message}", hint=last.hint)
        return found, dict(deps.failures)
