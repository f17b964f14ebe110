"""`results`: what results.csv files say, on the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from playground.cli.talk import Json, contents, harmless, note, print_json, told
from playground.errors import PlaygroundError

if TYPE_CHECKING:
    from playground.finetune.results import Results

Files = Annotated[list[Path], typer.Argument(show_default=False, help="One or several results.csv files.")]


def results(files: Files, as_json: Json = False) -> None:
    """Read results.csv files: last and best values of each column, and a verdict. One that cannot be read fails all."""
    with told():
        from playground.finetune.results_summary import summary

        said = [summary(_opened(file)) for file in files]
        if as_json:
            print_json(said)
            return
        for file, each in zip(files, said, strict=True):
            show(str(file), each)


def _opened(file: Path) -> Results:
    from playground.finetune.results_read import read

    data = contents(file)
    try:
        return read(data)
    except PlaygroundError as error:
        raise type(error)(f"{file}: {error.message}", hint=error.hint) from None


def show(name: str, said: dict[str, Any]) -> None:
    typer.echo(harmless(f"{name}: {said['format']} format, {said['steps']:,} rows"))
    typer.echo(harmless(f"  {said['verdict']['sentence']}"))
    for column, last in said["last"].items():
        best = said["best"].get(column)
        ending = f", best {best['value']:.4g} at step {best['step']:.15g}" if best else ""
        typer.echo(harmless(f"  {column}: {last['value']:.4g} at step {last['step']:.15g}{ending}"))
    for sentence in said["notes"]:
        note(harmless(f"{name}: {sentence}"))
