"""The example that comes with Playground: 250 short Spanish opinions, each with the word positivo or negativo.

Written for Playground (data/examples/sentimiento_es.csv, Apache-2.0), as a spreadsheet would hold them: preparing them
is a part of the example.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

from playground.finetune.prepare import OutputFile, analyse, apply, output
from playground.finetune.tables import read

NAME = "sentimiento_es.csv"
SUFFIX = "sentimiento"
POSITIVE = "positivo"
SHOWN = 4
"""Pairs that are shown before anything is trained."""


@dataclass(frozen=True, slots=True)
class Example:
    """`rows` are the first pairs as they were written; `training` and `validation` the files with every recommendation
    followed, of `trained` and `held_out` pairs."""

    rows: tuple[tuple[str, str], ...]
    training: OutputFile
    validation: OutputFile
    trained: int
    held_out: int


def source() -> bytes:
    """The file as it came, a CSV."""
    return files("playground").joinpath("data", "examples", NAME).read_bytes()


def sentiment() -> Example:
    table = read(source(), NAME)
    training, validation = output(apply(analyse(table)))
    return Example(
        rows=tuple(zip(table.prompts[:SHOWN], table.completions[:SHOWN], strict=True)),
        training=training,
        validation=validation,
        trained=training.data.count(b"\n"),
        held_out=validation.data.count(b"\n"),
    )
