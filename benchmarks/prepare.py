"""100,000 pairs prepared, from a CSV and a JSONL file to the written one, beside OpenAI's own tool on the same file.

The tool is asked where PLAYGROUND_ORACLE names the folder of a virtual environment that has openai==0.28.1 and pandas;
without it only memory is measured. Both are whole processes, their imports included.
"""

from __future__ import annotations

import csv
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.harness import ROOT, Figure, median, peak_memory

PAIRS = 100_000
ROUNDS = 3
WORDS = ["la", "de", "que", "un", "sol", "luna", "río", "ñandú", "yes", "no", "curso", "aprender", "the", "learning"]


def measure() -> list[Figure]:
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        for path in _files(Path(folder)):
            size = path.stat().st_size
            runs = [_ours(path) for _ in range(ROUNDS)]
            times = f"{PAIRS:,} pairs, {path.name}"
            memory = max(run["bytes"] for run in runs) / size
            detail = f"{size / 2**20:.0f} MB"
            figures.append(Figure(f"memory to prepare {times}, times the file", memory, 5, False, "", detail))
            if oracle := os.environ.get("PLAYGROUND_ORACLE"):
                ours = median([run["seconds"] for run in runs])
                theirs = median([_theirs(Path(oracle), path) for _ in range(ROUNDS)])
                detail = f"{ours:.2f} s, OpenAI's {theirs:.2f} s"
                figures.append(Figure(f"time to prepare {times}, OpenAI's is 1", ours / theirs, 1, False, "", detail))
    return figures


def _files(folder: Path) -> list[Path]:
    chance = random.Random(28)
    pairs = [
        (" ".join(chance.choices(WORDS, k=15)) + f" {number}?", " ".join(chance.choices(WORDS, k=30)) + f" {number}")
        for number in range(PAIRS)
    ]
    # Of a text with an emoji Python makes a string of four bytes a character.
    emoji = [(f"🎉 {prompt}", f"{completion} 🎉") for prompt, completion in pairs]
    records = [{"prompt": prompt, "completion": completion} for prompt, completion in pairs]
    array = folder / "array.json"
    array.write_text(json.dumps(records, ensure_ascii=False), encoding="utf-8")
    return [
        _table(folder / "pairs.csv", pairs),
        _lines(folder / "lines.jsonl", pairs),
        array,
        _table(folder / "emoji.csv", emoji),
        _lines(folder / "emoji.jsonl", emoji),
    ]


def _table(path: Path, pairs: list[tuple[str, str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("prompt", "completion"), *pairs])
    return path


def _lines(path: Path, pairs: list[tuple[str, str]]) -> Path:
    with path.open("w", encoding="utf-8") as file:
        for prompt, completion in pairs:
            file.write(json.dumps({"prompt": prompt, "completion": completion}, ensure_ascii=False) + "\n")
    return path


def _ours(path: Path) -> dict[str, float]:
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.prepare", str(path)], cwd=ROOT, check=True, capture_output=True
    )
    return {"seconds": time.perf_counter() - begun, "bytes": float(done.stdout)}


def _theirs(oracle: Path, path: Path) -> float:
    begun = time.perf_counter()
    command = [str(oracle / "bin" / "openai"), "tools", "fine_tunes.prepare_data", "-f", str(path), "-q"]
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - begun


def _prepare(path: Path) -> int:
    """Prepares the file, writes the result beside it, and returns the bytes of memory that this took at its peak."""
    from playground.finetune.prepare import analyse, apply, output, write
    from playground.finetune.tables import read_file

    before = peak_memory()
    write(output(apply(analyse(read_file(path)))), path.parent)
    return peak_memory() - before


if __name__ == "__main__":
    print(_prepare(Path(sys.argv[1])))
