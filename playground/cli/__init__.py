"""The command line: `python -m playground complete|tokens|cost|models|…` (`--help` lists all).

Answers go to stdout, everything else to stderr. Exit codes: 0 done, 1 failed, 2 used wrongly, 130 stopped by Ctrl-C.
What is heavy is imported inside the commands: counting tokens must not pay for a database and an SDK.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from playground import __version__
from playground.cli.backup import backup, restore
from playground.cli.complete import complete
from playground.cli.counting import cost, tokens
from playground.cli.datasets import app as datasets
from playground.cli.deploy import deploy
from playground.cli.evaluate import evaluate
from playground.cli.finetune import app as finetune
from playground.cli.judge import judge
from playground.cli.library import app as models
from playground.cli.neighbours import neighbours
from playground.cli.prepare import prepare
from playground.cli.ratings import ratings
from playground.cli.results import results
from playground.cli.sweep import sweep
from playground.cli.sweeps import sweeps
from playground.cli.telegram import telegram
from playground.cli.users import app as users
from playground.cli.visitors import app as visitors

app = typer.Typer(
    help="A playground for language models.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # they would show local variables, and with them keys
    rich_markup_mode=None,
)


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


for command in (
    *(complete, tokens, cost, neighbours, prepare, results),
    *(sweep, sweeps, evaluate, judge, ratings, deploy, telegram, backup, restore),
):
    app.command()(command)
app.add_typer(users, name="user")
app.add_typer(visitors, name="visitors")
app.add_typer(finetune, name="finetune")
app.add_typer(models, name="models")
app.add_typer(datasets, name="datasets")


def main() -> None:
    for stream in (sys.stdout, sys.stderr):
        # What the terminal's encoding lacks, or half of an emoji, is shown as ? instead of breaking the run off.
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    app(prog_name="python -m playground")
