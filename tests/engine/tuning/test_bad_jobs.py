"""What cannot be trained is refused in OpenAI's shape, with a code, and with what to do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.engine.tuning.conftest import JOBS, TINY, Trainer, jsonl, pairs

pytestmark = pytest.mark.engine


def chat(*messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"messages": list(messages), **more}


def user(content: Any = "Hi") -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(content: Any = "Ho", **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **more}


GOOD = pairs(12)
PAIR = GOOD[0]


def with_line(line: Any, at: int = 6) -> bytes:
    """Good lines, and one that is not, on line `at` + 1."""
    raw = line if isinstance(line, bytes) else json.dumps(line).encode()
    lines = jsonl(GOOD).splitlines(keepends=True)
    return b"".join([*lines[:at], raw + b"\n", *lines[at:]])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"prompt,completion\nHello,World\n" * 12, "Line 1 is not JSON"),
        (b"PK\x03\x04 a spreadsheet", "spreadsheet"),
        (b"GGUF a model", "not JSONL"),
        (json.dumps(GOOD).encode(), "Line 1 is an array"),
        (json.dumps(GOOD, indent=1).encode(), "no array around them"),
        (b"\n\n  \n", "no examples"),
        (with_line(b"{ not json"), "Line 7 is not JSON (Expecting property name enclosed in double quotes, column 3)"),
        (with_line(b"\xff\xfe"), "Line 7 is not UTF-8"),
        (with_line(b"3"), "Line 7 is not a JSON object"),
        (with_line({"text": "x"}), "Line 7 has neither messages nor prompt and completion"),
        (with_line({**PAIR, "completion": ""}), "Line 7 has an empty completion"),
        (with_line({**PAIR, "completion": 3}), "Line 7 has a completion that is not text"),
        (with_line({**PAIR, "prompt": None}), "Line 7 has a prompt that is not text"),
        (with_line(chat(user(), assistant())), "Line 7 is one of the chats, and those before are pairs"),
        (jsonl([{**pair, "prompt": "same"} for pair in GOOD]), "All prompts are the same"),
        (jsonl([chat(user(), assistant())] * 12), "All prompts are the same"),
        (jsonl([chat()]), "Line 1 has no messages"),
        (jsonl([chat(user())]), "no message of the assistant"),
        (jsonl([chat(user(), assistant(weight=0))]), "nothing to learn"),
        (jsonl([chat(user(), assistant(weight=0.5))]), "weight"),
        (jsonl([chat({**user(), "weight": 1}, assistant())]), "weight"),
        (jsonl([chat(user(), assistant(""))]), "empty answer"),
        (jsonl([chat({"role": "robot", "content": "x"}, assistant())]), "Line 1, message 1 has the role 'robot'"),
        (jsonl([chat({"role": "tool", "content": "x"}, assistant())]), "function call"),
        (jsonl([chat(user(), assistant(None, tool_calls=[{}]))]), "function call"),
        (jsonl([chat(user(), assistant(), tools=[{}])]), "Line 1 has tools"),
        (jsonl([chat(user([{"type": "image_url", "image_url": {"url": "x"}}]), assistant())]), "image_url"),
        (jsonl([chat(user(None), assistant())]), "no content that is text"),
        (jsonl([{"messages": ["x"]}]), "not an object"),
    ],
)
def test_a_file_that_is_not_fit_is_refused_at_once_with_its_line(trainer: Trainer, content: bytes, words: str) -> None:
    body = {"model": TINY, "training_file": trainer.upload(content)}
    error = trainer.engine.refused(JOBS, body)
    assert (error["param"], error["code"]) == ("training_file", "invalid_training_file")
    assert words in error["message"]


def test_too_few_examples_are_refused_as_openai_does(trainer: Trainer) -> None:
    error = trainer.engine.refused(JOBS, {"model": TINY, "training_file": trainer.upload(pairs(9))})
    assert (error["param"], error["code"]) == ("training_file", "invalid_n_examples")
    assert "has 9 example(s), but must have at least 10" in error["message"]
    job = trainer.create(pairs(10), hyperparameters={"n_epochs": 1})
    assert trainer.end(job["id"])["status"] == "succeeded"


def test_a_validation_file_of_another_kind_is_refused(trainer: Trainer) -> None:
    training, valid = trainer.upload(pairs(12)), trainer.upload([chat(user(), assistant())])
    error = trainer.engine.refused(JOBS, {"model": TINY, "training_file": training, "validation_file": valid})
    assert (error["param"], error["code"]) == ("validation_file", "invalid_validation_file")
    assert "pairs" in error["message"]


@pytest.mark.parametrize("param", ["training_file", "validation_file"])
def test_a_file_that_is_not_there_is_refused_by_name(trainer: Trainer, param: str) -> None:
    body = {"model": TINY, "training_file": trainer.upload(pairs(12)), param: "file-none"}
    error = trainer.engine.refused(JOBS, body)
    assert (error["param"], error["code"]) == (param, f"invalid_{param}")


def test_a_jobs_results_are_no_training_file(trainer: Trainer, tuned: dict[str, Any]) -> None:
    error = trainer.engine.refused(JOBS, {"model": TINY, "training_file": tuned["result_files"][0]})
    assert error["param"] == "training_file"


def method(kind: str = "supervised", **numbers: Any) -> dict[str, Any]:
    return {"type": kind, kind: {"hyperparameters": numbers}}


def where(name: str) -> str:
    return f"method.supervised.hyperparameters.{name}"


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"method": method("dpo", beta=0.1)}, "method"),
        ({"method": method("reinforcement")}, "method"),
        ({"method": {}}, "method"),
        ({"method": {"type": "supervised", "supervised": []}}, "method"),
        ({"method": method(n_epochs=0)}, where("n_epochs")),
        ({"method": method(n_epochs=51)}, where("n_epochs")),
        ({"method": method(n_epochs=1.5)}, where("n_epochs")),
        ({"method": method(n_epochs="many")}, where("n_epochs")),
        ({"method": method(n_epochs=True)}, where("n_epochs")),
        ({"method": method(batch_size=257)}, where("batch_size")),
        ({"method": method(learning_rate_multiplier=0)}, where("learning_rate_multiplier")),
        ({"method": method(learning_rate_multiplier=-1)}, where("learning_rate_multiplier")),
        ({"method": method(trainer="magic")}, where("trainer")),
        ({"method": method(early_stopping=2)}, "validation_file"),
        ({"method": method(compute_classification_metrics=True)}, "validation_file"),
        ({"hyperparameters": {"n_epochs": 99}}, "hyperparameters.n_epochs"),
        ({"hyperparameters": 3}, "hyperparameters"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**31}, "seed"),
        ({"suffix": ""}, "suffix"),
        ({"suffix": "x" * 65}, "suffix"),
        ({"suffix": "a:b"}, "suffix"),
        ({"suffix": "../up"}, "suffix"),
        ({"suffix": "año"}, "suffix"),
        ({"suffix": "😀"}, "suffix"),
        ({"model": "gpt-4.1-nano"}, "model"),
        ({"model": f"ft:{TINY}:local::abcdefgh"}, "model"),
        ({"model": None}, "model"),
        ({"training_file": None}, "training_file"),
        ({"integrations": [{"type": "wandb", "wandb": {"project": "x"}}]}, "integrations"),
        ({"metadata": {"a": 1}}, "metadata"),
    ],
    ids=str,
)
def test_a_value_that_cannot_be_is_refused_by_name(
    trainer: Trainer, tuned: dict[str, Any], change: dict[str, Any], param: str
) -> None:
    body = {"model": TINY, "training_file": tuned["training_file"], **change}
    assert trainer.engine.refused(JOBS, body)["param"] == param


def test_an_odd_suffix_gets_a_better_one_said(trainer: Trainer, tuned: dict[str, Any]) -> None:
    body = {"model": TINY, "training_file": tuned["training_file"], "suffix": "Análisis de opinión"}
    assert "'Analisis-de-opinion'" in trainer.engine.refused(JOBS, body)["message"]


def test_what_openai_knows_and_we_do_not_is_ignored(trainer: Trainer) -> None:
    job = trainer.create(method=method(n_epochs=1, novel=3), novelty={"x": 1})
    assert trainer.post(f"{JOBS}/{job['id']}/cancel").status_code == 200


def test_an_example_beyond_the_context_fails_the_job_with_its_line_and_length(trainer: Trainer) -> None:
    job = trainer.end(trainer.create([*pairs(11), {"prompt": "word " * 400, "completion": " x\n"}])["id"])
    assert job["status"] == "failed"
    assert (job["error"]["param"], job["error"]["code"]) == ("training_file", "invalid_training_file")
    assert "Line 12 is 40" in job["error"]["message"]
    assert "context is 256" in job["error"]["message"]
    assert trainer.events(job["id"])[0]["level"] == "error"
    assert job["result_files"] == []


def test_a_large_file_is_read_by_the_job_and_says_there_what_is_wrong(trainer: Trainer) -> None:
    filling = jsonl(pairs(70_000))
    assert len(filling) > 4 << 20
    job = trainer.end(trainer.create(filling + b"{ not json\n")["id"])
    assert job["status"] == "failed"
    assert job["error"]["message"].startswith("Invalid file format. Line 70001 is not JSON")
    assert job["error"]["code"] == "invalid_training_file"


def test_a_training_file_that_is_deleted_too_soon_fails_the_job(trainer: Trainer) -> None:
    busy = trainer.create(pairs(60), hyperparameters={"n_epochs": 50, "batch_size": 1})
    large = trainer.upload(jsonl(pairs(70_000)))
    waiting = [trainer.create(training_file=large) for _ in range(2)]
    trainer.http.delete(f"/v1/files/{large}")
    # Where its file is missed before this comes, it has failed, and is not cancelled.
    trainer.post(f"{JOBS}/{waiting[0]['id']}/cancel")
    assert trainer.end(waiting[0]["id"])["status"] in ("cancelled", "failed")
    job = trainer.end(waiting[1]["id"])
    assert (job["status"], job["error"]["param"]) == ("failed", "training_file")
    assert "deleted" in job["error"]["message"]
    trainer.post(f"{JOBS}/{busy['id']}/cancel")


def test_a_learning_rate_that_diverges_fails_the_job_and_keeps_its_curve(trainer: Trainer) -> None:
    job = trainer.train(pairs(40), n_epochs=30, batch_size=1, learning_rate_multiplier=1e6)
    assert (job["status"], job["error"]["code"]) == ("failed", "diverged")
    assert "learning_rate_multiplier" in job["error"]["message"]
    assert len(trainer.curve(job)) > 1
    assert job["fine_tuned_model"] is None
    assert job["trained_tokens"] > 0


def test_jobs_that_are_not_there_are_not_found(trainer: Trainer) -> None:
    for name in ("ftjob-" + "a" * 24, "ftjob-1", "..", "ftjob-" + "A" * 24):
        for path in ("", "/events", "/checkpoints", "/events?stream=true"):
            assert trainer.http.get(f"{JOBS}/{name}{path}").status_code == 404
        for act in ("cancel", "pause", "resume"):
            assert trainer.post(f"{JOBS}/{name}/{act}").status_code == 404


def test_a_job_that_has_ended_is_neither_cancelled_nor_paused_nor_resumed(
    trainer: Trainer, tuned: dict[str, Any]
) -> None:
    for act in ("cancel", "pause", "resume"):
        said = trainer.post(f"{JOBS}/{tuned['id']}/{act}")
        assert (said.status_code, said.json()["error"]["code"]) == (400, "invalid_job_state")
