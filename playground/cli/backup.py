"""`backup` and `restore`: the whole store as one file, also from one database into another."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from playground.cli.talk import note, told
from playground.errors import InvalidRequest

Out = Annotated[Path, typer.Argument(help="Where to, such as playground-2026-11-26.zip.")]
File = Annotated[Path, typer.Argument(help="A file that `backup` wrote.")]
Replace = Annotated[bool, typer.Option("--replace", help="In place of what is there, which is lost.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def backup(out: Out) -> None:
    """Write runs, presets, votes, datasets, sweeps and ratings into one file. Playground may run meanwhile.

    Models, fine-tunes and their jobs are files of the data folder, and no part of it.
    """
    with told():
        from playground.settings import load
        from playground.store import Store

        if out.exists():
            raise InvalidRequest(f"{out} is there already.", param="out", hint="Choose another name.")
        store = Store.open(load())
        try:
            rows = store.backup(out)
        finally:
            store.close()
        note(f"Written: {out} ({_said(rows)})")


def restore(file: File, replace: Replace = False, yes: Yes = False) -> None:
    """Put a backup into the database of DATABASE_URL, or else the data folder's. Close Playground first."""
    with told():
        from playground.settings import load
        from playground.store import Store

        if replace and not yes:
            if not sys.stdin.isatty():
                raise InvalidRequest("Nothing was done: nobody is there to agree to it.", hint="Add --yes to do it.")
            if not typer.confirm("What is there will be lost. Go on?", err=True):
                raise typer.Exit(1)
        store = Store.open(load())
        try:
            rows = store.restore(file, replace=replace)
        finally:
            store.close()
        note(f"Restored: {_said(rows)}")


def _said(rows: dict[str, int]) -> str:
    there = [f"{count:,} {name}" for name, count in rows.items() if count]
    return ", ".join(there) or "nothing was in it"
