"""What a job would take, asked before it is created, and what it then takes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from playground.finetune.jobs import Plan
from playground.finetune.outlook import outlook, question
from tests.engine.tuning.conftest import TINY, Trainer, jsonl, pairs

ROUTE = "/v1/fine_tuning/estimate"
CHATS = [
    {"messages": [{"role": "user", "content": f"Say {n}"}, {"role": "assistant", "content": str(n)}]} for n in range(20)
]


def asked(lines: list[Any], **numbers: Any) -> dict[str, Any]:
    made = question(Plan(base=TINY, **numbers), jsonl(lines))
    assert made is not None
    return made


@pytest.mark.parametrize("lines", [pairs(50), CHATS], ids=["pairs", "chats"])
def test_a_job_takes_the_steps_the_tokens_and_the_memory_that_were_said(trainer: Trainer, lines: list[Any]) -> None:
    said = trainer.engine.good(ROUTE, asked(lines, epochs=2))
    job = trainer.train(lines, n_epochs=2)
    steps = [event["data"] for event in trainer.events(job["id"], 100) if "train_loss" in event["data"]]
    assert said["steps"] == max(step["total_steps"] for step in steps)
    assert said["batch_size"] == job["hyperparameters"]["batch_size"]
    assert said["tokens"] == pytest.approx(job["trained_tokens"], rel=0.15)
    assert 0 < said["memory_bytes"] <= said["free_bytes"]
    assert outlook(said).text().startswith(f"About {said['steps']} steps (epochs 2, batch {said['batch_size']})")


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"examples": 0}, "examples"),
        ({"bytes": -1}, "bytes"),
        ({"longest": ""}, "longest"),
        ({"longest": "{"}, "training_file"),
        ({"longest": json.dumps({"text": "a"})}, "training_file"),
        ({"hyperparameters": {"n_epochs": 0}}, "hyperparameters.n_epochs"),
        ({"model": None}, "model"),
        ({"model": "another"}, "model"),
    ],
    ids=str,
)
def test_what_cannot_be_estimated_is_refused_by_its_name(trainer: Trainer, change: dict[str, Any], param: str) -> None:
    said = trainer.http.post(ROUTE, json={**asked(pairs(12)), **change})
    assert said.status_code == 400
    assert said.json()["error"]["param"] == param
