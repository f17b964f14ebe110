"""`user add|remove|list`: the file of those who may sign in to a shared page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from playground.cli.talk import note, told
from playground.errors import InvalidRequest

app = typer.Typer(help="Who may sign in to a shared page.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The name that is signed in with.")]
File = Annotated[Path | None, typer.Option("--file", help="Where they are kept. By default PLAYGROUND_USERS.")]


@app.command()
def add(name: Name, file: File = None) -> None:
    """Add a user, or give one another password, which is asked for (or read from stdin)."""
    from playground.access.passwords import write_user

    with told():
        path = _path(file)
        write_user(path, name, _password())
        note(f"{name} may sign in. Kept in {path}; a page that runs knows of it when it is started again.")


@app.command()
def remove(name: Name, file: File = None) -> None:
    """Remove a user. What they have kept stays."""
    from playground.access.passwords import write_user

    with told():
        write_user(_path(file), name, None)
        note(f"{name} may no longer sign in, as soon as the page is started again.")


@app.command("list")
def listed(file: File = None) -> None:
    """The users' names."""
    from playground.access.passwords import read_users

    with told():
        for name in read_users(_path(file)):
            typer.echo(name)


def _path(file: Path | None) -> Path:
    from playground.settings import load

    path = file or load().users
    if path is None:
        raise InvalidRequest(
            "There is no file of users.", param="file", hint="Name one with --file, or set PLAYGROUND_USERS in .env."
        )
    return path


def _password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return password
