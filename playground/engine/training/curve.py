"""results.csv: a row a step, on disk as soon as it is measured; an empty cell where nothing was measured."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

NAME = "results.csv"
COLUMNS = ("step", "train_loss", "train_accuracy", "valid_loss", "valid_mean_token_accuracy")
"""OpenAI's own. At an epoch's end the validation columns hold the whole set's values, in between a part's."""


class Curve:
    """The file, and the losses that stand in it. Raises OSError."""

    def __init__(self, folder: Path, *, step: int, more: Sequence[str] = ()) -> None:
        """Cut back to `step`, where the job goes on; `more` are columns after COLUMNS."""
        self._path = folder / NAME
        self._columns = (*COLUMNS, *more)
        rows = _rows(self._path, step)
        self.losses = [float(row.split(",")[1]) for row in rows]
        temporary = self._path.with_suffix(".tmp")
        temporary.write_text("\n".join([",".join(self._columns), *rows, ""]), encoding="utf-8", newline="")
        os.replace(temporary, self._path)

    def add(self, row: Mapping[str, float]) -> None:
        """One step's values by their columns' names."""
        cells = ("" if name not in row else _cell(row[name]) for name in self._columns)
        with self._path.open("a", encoding="utf-8", newline="") as file:
            file.write(",".join(cells) + "\n")
        self.losses.append(row["train_loss"])


def _cell(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.6g}"


def _rows(path: Path, step: int) -> list[str]:
    """The whole rows up to `step`; a row that was cut short is none."""
    if not path.exists():
        return []
    _, *lines = path.read_text(encoding="utf-8").split("\n")[:-1] or [""]
    return [line for line in lines if line.split(",")[0].isdecimal() and int(line.split(",")[0]) <= step]
