"""The default trainer against the one over torch and peft: the same job, the same cores, in turn."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from benchmarks.harness import ROOT, Figure, median
from benchmarks.training import _write
from playground.engine.llama import physical_cores
from playground.engine.training.plan import MODULES, Module, Plan, Trainer

ROUNDS = 2
SKIPPED = 3
"""The first steps, in which a trainer warms up."""
SETS: dict[str, tuple[Module, ...]] = {"q and v": ("attn_q", "attn_v"), "all modules": MODULES}


def measure() -> list[Figure]:
    if find_spec("torch") is None:
        return [Figure("trainers: torch is not installed (make finetune)", 1, 1, True)]
    return [_compared(name, targets) for name, targets in SETS.items()]


def _compared(name: str, targets: tuple[Module, ...]) -> Figure:
    speeds: dict[Trainer, list[float]] = {"numpy": [], "torch": []}
    for _ in range(ROUNDS):
        for trainer, found in speeds.items():
            found += _steps(trainer, targets)
    ours, theirs = median(speeds["numpy"]), median(speeds["torch"])
    detail = f"{ours:.0f} against {theirs:.0f} tokens/s on {physical_cores()} threads"
    return Figure(f"default trainer against torch + peft, {name}", ours / theirs, 1.0, True, "×", detail)


def _steps(trainer: Trainer, targets: tuple[Module, ...]) -> list[float]:
    """Tokens a second of each step of an epoch, by a worker of its own."""
    with tempfile.TemporaryDirectory() as folder:
        job = Path(folder)
        _write(job, lambda text: [ord(character) % 40_000 + 10 for character in text[:28]])
        (job / "valid.jsonl").unlink()
        plan = Plan.read(job)
        replace(
            plan, trainer=trainer, targets=targets, n_epochs=1, threads=physical_cores(), nice=0, learning_rate=1e-4
        ).write(job)
        command = [sys.executable, "-m", "playground.engine.training", str(job)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return [line["tokens_per_second"] for line in lines if line["type"] == "step"][SKIPPED:]
