"""What a job would take, in words."""

from __future__ import annotations

from typing import Any

import pytest

from playground.finetune.jobs import Plan
from playground.finetune.outlook import outlook, question

SAID = {
    "n_epochs": 3,
    "batch_size": 8,
    "steps": 7_500,
    "longest": 900,
    "memory_bytes": 600 * 1_000_000,
    "free_bytes": 2_000 * 1_000_000,
    "seconds": None,
}
PLAIN = "About 7,500 steps (epochs 3, batch 8) and 600 MB of memory"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, f"{PLAIN}, of 2,000 MB that are free."),
        ({"free_bytes": 2**62}, f"{PLAIN}."),
        ({"free_bytes": 2**62, "seconds": 89}, f"{PLAIN}. At the pace of the last job that is about 89 s."),
        ({"free_bytes": 2**62, "seconds": 90}, f"{PLAIN}. At the pace of the last job that is about 2 min."),
        (
            {"free_bytes": 599 * 1_000_000},
            "Training would need about 600 MB of memory, and 599 MB are free. Close other programs, or shorten the "
            "examples: the longest has 900 tokens.",
        ),
    ],
)
def test_steps_memory_and_time_are_said_and_what_does_not_fit(change: dict[str, Any], words: str) -> None:
    assert outlook({**SAID, **change}).text() == words


def test_it_is_said_in_spanish_with_its_figures() -> None:
    said = outlook({**SAID, "seconds": 200}).text("es")
    assert said.startswith("Unos 7500 pasos (épocas: 3, lote: 8) y 600 MB de memoria, de 2000 MB libres.")
    assert said.endswith("son unos 3 min.")


def test_a_file_is_told_by_its_lines_and_the_longest_of_them() -> None:
    made = question(Plan(base="tiny", epochs=2), b'\xef\xbb\xbf{"a": 1}\n\n{"a": "\xc3\xb1\xc3\xb1"}\r\n')
    assert made == {
        "model": "tiny",
        "examples": 2,
        "bytes": 8 + 13,
        "longest": '{"a": "ññ"}',
        "hyperparameters": {"n_epochs": 2},
    }
    assert question(Plan(base="tiny"), b"\n \n") is None
