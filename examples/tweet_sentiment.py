"""The sentiment of tweets in a CSV: `python -m examples.tweet_sentiment examples/tweets.csv --out labelled.csv`.

The file has a column with the tweets (`tweet`, or the only one) and may have the right answers (`sentiment`): then the
program says how many were right, and what was taken for what. `--language es` asks in Spanish.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path

from examples.model import Model, opened, run
from playground.errors import PlaygroundError
from playground.evaluate.dataset import Dataset
from playground.evaluate.dataset_files import read_dataset
from playground.evaluate.metrics.labels import ClassReport, Reader, report
from playground.export import cell
from playground.finetune.table import shown
from playground.preset_requests import parameters, written
from playground.presets import builtin
from playground.variables import fill

LABELS = {"en": ("Positive", "Neutral", "Negative"), "es": ("Positivo", "Neutral", "Negativo")}
PRESETS = {"en": "Tweet sentiment", "es": "Sentimiento de un tuit"}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="The sentiment of tweets in a CSV.")
    parser.add_argument("file", type=Path, help="a CSV with a column of tweets")
    parser.add_argument("--out", type=Path, help="where the answers are written, as CSV")
    parser.add_argument("--model", help="server/model; else the first that is listed")
    parser.add_argument("--language", choices=sorted(LABELS), default="en")
    given = parser.parse_args(arguments)
    return run(_label(given.file, given.out, given.model, given.language))


async def _label(file: Path, out: Path | None, name: str | None, language: str) -> None:
    tweets = _read(file)
    variable = "tweet" if "tweet" in tweets.variables else tweets.variables[0]
    async with opened(name) as model:
        found = []
        for case in tweets.cases:
            found.append(await sentiment(model, case.variables[variable], language))
            print(f"{found[-1] or '?':<9} {shown(case.variables[variable], 70)}")
    if out is not None:
        _write(out, tweets, variable, found)
    expected = [case.expected or "" for case in tweets.cases]
    if scores := report([label or "" for label in found], expected, _labels(tweets, language)):
        print(f"\n{table(scores)}")


async def sentiment(model: Model, tweet: str, language: str) -> str | None:
    """The tweet's label, None where the model answered with none."""
    preset = next(each for each in builtin() if each.name == PRESETS[language])
    prompt = fill(written(preset)["prompt"], {next(iter(preset.variables)): tweet or " "})
    return Reader(LABELS[language]).read(await model.answer(prompt, **parameters(preset)))


def table(scores: ClassReport) -> str:
    """How many were right, and for each label how many of its tweets got which answer."""
    lines = [f"Right: {scores.accuracy:.0%}. Macro F1: {scores.macro.f1:.2f}.", ""]
    head = "".join(f"{label:>10}" for label in (*scores.labels, "other"))
    lines.append(f"{'':<10}{head}{'F1':>8}")
    for label, row, each in zip(scores.labels, scores.matrix, scores.classes, strict=True):
        lines.append(f"{label:<10}{''.join(f'{count:>10}' for count in row)}{each.f1:>8.2f}")
    return "\n".join(lines)


def _labels(tweets: Dataset, language: str) -> tuple[str, ...]:
    """Those of the program, written as the file writes them."""
    reader = Reader(LABELS[language])
    return tuple(dict.fromkeys([*(each for each in tweets.labels if reader.read(each)), *LABELS[language]]))


def _read(file: Path) -> Dataset:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise PlaygroundError(f"{file} cannot be read: {error.strerror}.") from None
    tweets = read_dataset(data, file.name).dataset
    if not tweets.variables:
        raise PlaygroundError(f"{file} has no column of tweets.", hint="Call it tweet.")
    return tweets


def _write(out: Path, tweets: Dataset, variable: str, found: Sequence[str | None]) -> None:
    try:
        with out.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["tweet", "sentiment"])
            for case, label in zip(tweets.cases, found, strict=True):
                writer.writerow([cell(case.variables[variable]), label or ""])
    except OSError as error:
        raise PlaygroundError(f"{out} cannot be written: {error.strerror}.") from None


if __name__ == "__main__":
    sys.exit(main())
