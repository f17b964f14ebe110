"""The files that a sweep's command reads: its spec, its test cases, what a model was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from playground.cli.talk import contents, note
from playground.errors import InvalidRequest

if TYPE_CHECKING:
    from playground.deps import Deps
    from playground.evaluate.dataset import Dataset
    from playground.evaluate.spec import Spec


def read_spec(file: Path) -> Spec:
    """The spec, its training file by an address that holds wherever one goes on from."""
    from playground.evaluate.spec import read_spec as read

    spec = read(contents(file), file.name)
    return spec if spec.training is None else replace(spec, training=str((file.parent / spec.training).resolve()))


def dataset(spec: Spec, folder: Path, deps: Deps) -> Dataset | None:
    """The spec's dataset: a file of `folder`, or one that is kept under that name."""
    return None if spec.dataset is None else file_or_kept(spec.dataset, folder, deps)


def file_or_kept(name: str, folder: Path, deps: Deps) -> Dataset | None:
    """The test cases of a file of `folder`, or those that are kept under that name. Raises InvalidRequest."""
    from playground.evaluate import stored
    from playground.evaluate.dataset_files import read_dataset

    path = folder / name
    if not path.is_file() and deps.store.datasets.named(name) is not None:
        return stored.dataset(deps.store, name)
    loaded = read_dataset(contents(path), path.name)
    for each in loaded.notes:
        note(each.text())
    return loaded.dataset


def training(file: str | None) -> list[str]:
    """The answers of a training file."""
    from playground.finetune.sets import read_set

    if file is None:
        return []
    path = Path(file)
    return [text for text in read_set(contents(path), path.name).completions if text.strip()]


def check_folder(out: Path | None) -> None:
    """Raises InvalidRequest where results could not be written, before anything is paid for."""
    if out is None:
        return
    if out.exists() and not out.is_dir():
        raise InvalidRequest(f"{out} is a file; --out names a folder.", param="out")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidRequest(f"{out} cannot be made: {error.strerror}.", param="out") from None


def write(out: Path, files: Mapping[str, bytes]) -> None:
    """Results, each into a file of `out`, which is said."""
    for name, data in files.items():
        (out / name).write_bytes(data)
    note(f"Written: {', '.join(str(out / name) for name in files)}")
