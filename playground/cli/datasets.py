"""`datasets`: test cases that are kept under a name, for sweeps and evaluations: in, out, split, deleted."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from playground.cli.talk import Json, contents, harmless, note, print_json, told
from playground.errors import InvalidRequest

if TYPE_CHECKING:
    from playground.evaluate.dataset_kept import Kept
    from playground.store import Store

app = typer.Typer(help="Test cases that are kept under a name.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(show_default=False, help="The dataset's name.")]
File = Annotated[Path, typer.Argument(show_default=False, help="Test cases: CSV, TSV, XLSX, JSON or JSONL.")]
As = Annotated[str | None, typer.Option("--name", help="What it is to be called; else as the file.")]
Column = Annotated[str | None, typer.Option(help="The column; else told by the names.")]
Ignore = Annotated[list[str] | None, typer.Option("--ignore", help="A column that is left out; several may be given.")]
Training = Annotated[bool, typer.Option("--training", help="It is a fine-tuning file: its answers are expected.")]
Out = Annotated[Path | None, typer.Option("--out", help="A file that ends in .csv or .jsonl; else JSONL on stdout.")]
Ratio = Annotated[float, typer.Option(help="The share of the second part.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same parts.")]
ByLabel = Annotated[bool, typer.Option("--by-label", help="The same share of each expected answer in both parts.")]
Names = Annotated[list[str] | None, typer.Option("--as", help="What the parts are to be called; give it twice.")]


@contextmanager
def _store() -> Iterator[Store]:
    from playground.settings import load
    from playground.store import Store

    with told():
        store = Store.open(load())
        try:
            yield store
        finally:
            store.close()


@app.command("list")
def list_(as_json: Json = False) -> None:
    """The datasets, the newest first: cases and name."""
    with _store() as store:
        rows = store.datasets.listed()
        if as_json:
            print_json(
                [{"name": row.name, "count": row.count, "updated_at": row.updated_at.isoformat()} for row in rows]
            )
            return
        for row in rows:
            typer.echo(harmless(f"{row.count:>7,}  {row.name}"))
        if not rows:
            note("There are none yet. `python -m playground datasets import FILE` keeps one.")


@app.command("import")
def import_(
    file: File,
    name: As = None,
    prompt: Column = None,
    messages: Column = None,
    expected: Column = None,
    tags: Column = None,
    ignore: Ignore = None,
    training: Training = False,
) -> None:
    """Keep a file's cases. Columns are told by their names, but for those that are said here; others are variables."""
    with _store() as store:
        from playground.evaluate import dataset_kept
        from playground.evaluate.dataset import made
        from playground.evaluate.dataset_files import read_source
        from playground.evaluate.dataset_sources import from_training

        if training:
            loaded = from_training(contents(file), file.name)
        else:
            source = read_source(contents(file), file.name)
            told_ = {"prompt": prompt, "messages": messages, "expected": expected, "tags": tags}
            loaded = source.loaded(_columns(source.columns, told_, ignore or []))
        for each in loaded.notes:
            note(each.text())
        kept = dataset_kept.keep(store.datasets, made(name or loaded.dataset.name, loaded.dataset.cases))
        _said(kept)


def _columns(names: tuple[str, ...], said: dict[str, str | None], ignored: list[str]) -> Any:
    """What the columns' names tell, without what is said otherwise."""
    from playground.evaluate.dataset_files import guess

    taken = {column for column in said.values() if column} | set(ignored)
    found = guess(name for name in names if name not in taken)
    return replace(found, ignored=tuple(ignored), **{role: column for role, column in said.items() if column})


@app.command("export")
def export(name: Name, out: Out = None) -> None:
    """A dataset as CSV or JSONL, which `import` reads back to the same cases."""
    with _store() as store:
        from playground.evaluate.dataset_out import to_csv, to_jsonl

        dataset = _kept(store, name).dataset
        if out is None:
            sys.stdout.write(to_jsonl(dataset).decode("utf-8"))
            return
        if out.suffix.lower() not in (".csv", ".jsonl"):
            raise InvalidRequest(f"{out} ends in neither .csv nor .jsonl.", param="out")
        data = to_csv(dataset) if out.suffix.lower() == ".csv" else to_jsonl(dataset)
        try:
            out.write_bytes(data)
        except OSError as error:
            raise InvalidRequest(f"{out} cannot be written: {error.strerror}.", param="out") from None


@app.command("split")
def split(name: Name, ratio: Ratio = 0.2, seed: Seed = 42, by_label: ByLabel = False, names: Names = None) -> None:
    """Two new datasets; the one that was split stays. Cases that ask the same are never in both."""
    with _store() as store:
        from playground.evaluate import dataset_kept
        from playground.evaluate.dataset import split as parts_of

        called = names or [f"{name[:100]}, first part", f"{name[:100]}, second part"]
        if len(set(called)) != 2:
            raise InvalidRequest("Give --as twice, with two names.", param="as")
        parts = parts_of(_kept(store, name).dataset, ratio=ratio, seed=seed, by_label=by_label)
        dataset_kept.check_free(store.datasets, called)
        for part, each in zip(parts, called, strict=True):
            _said(dataset_kept.keep(store.datasets, replace(part, name=each)))


@app.command("delete")
def delete(name: Name) -> None:
    """Delete a dataset. Sweeps that used it keep the cases they ran on."""
    with _store() as store:
        store.datasets.delete(_kept(store, name).id)


def _kept(store: Store, name: str) -> Kept:
    from playground.errors import refused
    from playground.evaluate import dataset_kept

    id = store.datasets.named(name)
    if id is None:
        raise refused("no_dataset", param="dataset", name=name[:80])
    return dataset_kept.load(store.datasets, id)


def _said(kept: Kept) -> None:
    typer.echo(harmless(f"{len(kept.dataset):>7,}  {kept.dataset.name}"))
