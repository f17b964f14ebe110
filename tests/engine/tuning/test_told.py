"""Whatever the engine says of files and jobs is known in Spanish too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from playground.engine.errors import ApiError
from playground.engine.tuning import lines
from playground.engine_words import recognised
from tests.engine.tuning.conftest import JOBS, Trainer, jsonl, pairs

GOOD = b'{"prompt": "a ->", "completion": " b"}\n'


def message(*turns: Any) -> bytes:
    return json.dumps({"messages": turns}).encode()


USER, ANSWER = {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n",
        GOOD * 3,
        GOOD * 12,
        b"PK\x03\x04",
        b"%PDF",
        b"prompt,completion\n",
        b"[" + GOOD,
        b"[]",
        b"7",
        b"\xff\xfe",
        GOOD + b"{",
        b'{"text": "a"}',
        b'{"prompt": "a", "completion": ""}',
        b'{"prompt": 1, "completion": "b"}',
        b'{"messages": []}',
        b'{"messages": [{"role": "user", "content": "a"}], "tools": [1]}',
        message(USER),
        message(USER, {**ANSWER, "weight": 0}),
        message(USER, {**ANSWER, "weight": 2}),
        message(USER, {**ANSWER, "content": ""}),
        message(USER, {**ANSWER, "content": None}),
        message(USER, {**ANSWER, "content": [{"type": "image_url"}]}),
        message(USER, {**ANSWER, "tool_calls": [1]}),
        message(USER, {**ANSWER, "role": "bot"}),
        message(USER, 7),
        GOOD + message(USER, ANSWER),
        b"x" * (lines.LONGEST_LINE + 2),
    ],
    ids=lambda content: repr(content[:40]),
)
def test_what_is_wrong_with_a_file(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_bytes(content)
    with pytest.raises(ApiError) as caught:
        lines.check(path, "training_file")
    said = caught.value.body["error"]["message"]
    known = recognised(said)
    assert known is not None, said
    assert known.text("en") == said


async def test_what_happens_to_a_job(trainer: Trainer) -> None:
    valid = trainer.upload(pairs(12, seed=2), "valid.jsonl")
    numbers = {"n_epochs": 2, "batch_size": 4}
    good = trainer.end(trainer.create(validation_file=valid, hyperparameters=numbers)["id"])
    assert good["status"] == "succeeded"
    assert trainer.http.delete(f"/v1/models/{good['fine_tuned_model']}").status_code == 200
    wild = trainer.train(n_epochs=50, learning_rate_multiplier=1e6)
    assert wild["status"] == "failed"
    jobs = [
        trainer.http.get(f"{JOBS}/{job['id']}/events", params={"limit": 100}).json()["data"] for job in (good, wild)
    ]
    told = [event["message"] for events in jobs for event in events] + [wild["error"]["message"]]
    assert [each for each in told if recognised(each) is None] == []


@pytest.mark.parametrize(
    "body",
    [
        {"suffix": "¡qué!"},
        {"suffix": "¡"},
        {"model": "another"},
        {"model": "ft:tiny:local::abcdefgh"},
        {"method": {"type": "dpo"}},
        {"hyperparameters": {"early_stopping": 2}},
        {"hyperparameters": {"learning_rate_multiplier": 1e9}},
        {"hyperparameters": {"n_epochs": 0}},
        {"hyperparameters": {"compute_classification_metrics": True}},
    ],
    ids=str,
)
def test_what_is_refused_of_a_job(trainer: Trainer, body: dict[str, Any]) -> None:
    file = trainer.upload(jsonl(pairs(20)))
    said = trainer.http.post(JOBS, json={"model": trainer.model, "training_file": file, **body})
    assert said.status_code == 400
    message = said.json()["error"]["message"]
    assert recognised(message) is not None, message
