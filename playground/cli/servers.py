"""The servers that a command asks, by the settings: opened for one command, closed at its end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from playground.cli.talk import note
from playground.errors import EngineError, PlaygroundError, StoreError

if TYPE_CHECKING:
    from playground.deps import Deps
    from playground.settings import Settings
    from playground.types import Endpoint, ModelInfo


@asynccontextmanager
async def opened(model: str | None, *, keep: bool = True) -> AsyncIterator[Deps]:
    """The shared parts by the settings, closed at the end. `keep`: whether a run is to be stored."""
    from tempfile import TemporaryDirectory

    from playground.settings import load

    settings = load()
    names = {e.name for e in (*settings.endpoints, *added(settings))}
    if (model or "").partition("/")[0] in names:
        settings = replace(settings, engine=False)  # nobody waits for an engine that is not asked
    if not settings.engine and not names:
        raise PlaygroundError("No server is set up.", hint="Set OPENAI_API_KEY, or unset PLAYGROUND_ENGINE=off.")
    with TemporaryDirectory(prefix="playground-", ignore_cleanup_errors=True) as spare:
        deps = _open(settings, spare, keep=keep)
        try:
            yield deps
        finally:
            await deps.aclose()


def added(settings: Settings) -> tuple[Endpoint, ...]:
    """The servers of this machine that were added on the page or by `neighbours --add`."""
    from playground.neighbours import Neighbourhood
    from playground.neighbours.kept import FILE

    return Neighbourhood(settings.data_dir / FILE).join(settings.endpoints)


def _open(settings: Settings, spare: str, *, keep: bool) -> Deps:
    """The parts; a database that cannot be opened costs the record of the run, not the run."""
    from pathlib import Path

    from playground.deps import open_deps

    try:
        return open_deps(settings)
    except StoreError as error:
        if keep:
            warn(error)
        return open_deps(replace(settings, data_dir=Path(spare), database_url=None))


async def choose(deps: Deps, model: str | None) -> ModelInfo:
    """The model that `model` means, or the default. Raises PlaygroundError."""
    from playground import catalog

    available = await deps.list_models(note)
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


def warn(error: StoreError) -> None:
    note(f"Warning: the run is not kept. {error.message}", error.hint)
