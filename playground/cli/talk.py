"""How the command line reads and writes: answers to stdout, everything else to stderr, our errors as exit codes."""

from __future__ import annotations

import json
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from playground.errors import InvalidRequest, PlaygroundError

T = TypeVar("T")
MOST_READ = 512_000_000
"""Bytes of a file that is read at once, as of a training file (`finetune.tables`)."""

Text = Annotated[str | None, typer.Argument(show_default=False, help="The text; - or nothing reads standard input.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def run_async(work: Coroutine[Any, Any, T]) -> T:
    import asyncio

    return asyncio.run(work)


@contextmanager
def told() -> Iterator[None]:
    """Our errors on stderr, as exit codes."""
    try:
        yield
    except PlaygroundError as error:
        note(f"Error: {error.message}", error.hint)
        raise typer.Exit(2 if isinstance(error, InvalidRequest) else 1) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def read(text: str | None) -> str:
    """The text of the command line, or standard input's for `-` and for none. Raises InvalidRequest."""
    if text is not None and text != "-":
        return text
    if text is None and sys.stdin.isatty():
        raise InvalidRequest("There is no text.", hint="Give it as an argument, or pipe it in.")
    try:
        return sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidRequest("Standard input is not UTF-8 text.", hint="Convert it first, with iconv.") from None


def contents(path: Path) -> bytes:
    """A file's bytes. Raises InvalidRequest where there is none, it cannot be read, or is too large to begin with."""
    if not path.is_file():
        raise InvalidRequest(f"There is no file {path}.", param="file")
    try:
        if path.stat().st_size > MOST_READ:
            most = f"It is larger than {MOST_READ // 10**6} MB: use a part of it."
            raise InvalidRequest(f"{path} is not read.", param="file", hint=most)
        return path.read_bytes()
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be read: {error.strerror}.", param="file") from None


def harmless(text: str) -> str:
    """On a terminal without the control characters that a model could play tricks with; elsewhere as it is."""
    if not sys.stdout.isatty():
        return text
    return "".join(c if c in "\n\t" or c.isprintable() or ord(c) > 0x9F else "\N{REPLACEMENT CHARACTER}" for c in text)


def print_json(value: Any) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False), color=True)


def note(message: str, hint: str = "") -> None:
    typer.echo(f"{message}\n{hint}".strip(), err=True)
