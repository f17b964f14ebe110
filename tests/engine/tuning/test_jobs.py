"""The whole loop on a tiny model: upload, create, follow, answer by name, checkpoints, results, delete."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest

from tests.engine.tuning.conftest import JOBS, TINY, Trainer, pairs

pytestmark = pytest.mark.engine
Valid = Callable[[str, Any], None]


def test_a_job_succeeds_and_says_what_it_did(trainer: Trainer, tuned: dict[str, Any], valid: Valid) -> None:
    valid("FineTuningJob", tuned)
    assert tuned["status"] == "succeeded", tuned["error"]
    letters = tuned["id"].removeprefix("ftjob-")[:8]
    assert tuned["fine_tuned_model"] == f"ft:{TINY}:local:mood:{letters}"
    assert tuned["hyperparameters"] == {"n_epochs": 2, "batch_size": 4, "learning_rate_multiplier": 3}
    assert tuned["method"] == {"type": "supervised", "supervised": {"hyperparameters": tuned["hyperparameters"]}}
    assert (tuned["seed"], tuned["metadata"], tuned["estimated_finish"], tuned["error"]) == (1, {"a": "b"}, None, None)
    assert tuned["trained_tokens"] > 300
    assert tuned["finished_at"] >= tuned["created_at"]
    assert trainer.said(tuned["id"])[:4] == [
        f"Created fine-tuning job: {tuned['id']}",
        f"Validating training file: {tuned['training_file']} and validation file: {tuned['validation_file']}",
        "Files validated, moving job to queued state",
        "Fine-tuning job started",
    ]
    assert trainer.said(tuned["id"])[-2:] == ["New fine-tuned model created", "The job has successfully completed"]


def test_every_step_is_an_event_with_openais_numbers_and_ours(
    trainer: Trainer, tuned: dict[str, Any], valid: Valid
) -> None:
    listed = trainer.http.get(f"{JOBS}/{tuned['id']}/events", params={"limit": 100}).json()
    valid("ListFineTuningJobEventsResponse", listed)
    base, *told = [event for event in listed["data"][::-1] if event["type"] == "metrics"]
    steps = [event for event in told if event["message"].startswith("Step")]
    assert base["message"].startswith("The base model, before training: full validation loss=")
    assert base["message"].endswith(", exact match=0 of 12")
    assert (base["data"]["step"], base["data"]["total_steps"], base["data"]["valid_examples"]) == (0, 10, 12)
    assert base["data"]["base_valid_loss"] > 0
    assert {"base_valid_mean_token_accuracy", "base_valid_exact_match"} <= set(base["data"])
    assert [step["data"]["step"] for step in steps] == list(range(1, 11))
    for step in steps:
        assert {"train_loss", "train_mean_token_accuracy", "tokens_per_second", "memory_bytes"} <= set(step["data"])
        assert step["data"]["total_steps"] == 10
        assert step["message"].startswith(f"Step {step['data']['step']}/10: training loss=")
    assert {"valid_loss", "valid_mean_token_accuracy"} <= set(steps[-1]["data"])


def test_a_checkpoints_event_tells_how_the_tuned_model_does_what_the_base_was_measured_by(
    trainer: Trainer, tuned: dict[str, Any]
) -> None:
    told = [each for each in trainer.events(tuned["id"])[::-1] if each["message"].startswith("Checkpoint created")]
    assert [each["data"]["step"] for each in told] == [5, 10]
    listed = trainer.http.get(f"{JOBS}/{tuned['id']}/checkpoints").json()["data"][::-1]
    for event, checkpoint in zip(told, listed, strict=True):
        names = ("full_valid_loss", "full_valid_mean_token_accuracy", "valid_exact_match")
        assert {name: event["data"][name] for name in names} == {name: checkpoint["metrics"][name] for name in names}
        assert not {"train_loss", "valid_loss"} & set(event["data"])
        assert re.search(r", exact match=\d+ of 12$", event["message"])


def test_events_are_paged_newest_first(trainer: Trainer, tuned: dict[str, Any]) -> None:
    path, found, after = f"{JOBS}/{tuned['id']}/events", [], {}
    while True:
        page = trainer.http.get(path, params={"limit": 4, **after}).json()
        found += page["data"]
        if not page["has_more"]:
            break
        after = {"after": page["data"][-1]["id"]}
    assert found == trainer.events(tuned["id"])
    assert found[0]["message"] == "The job has successfully completed"
    assert len(trainer.http.get(path).json()["data"]) == min(20, len(found))
    for query in ({"after": "ftevent-no"}, {"limit": "0"}, {"limit": "x"}, {"limit": "101"}):
        said = trainer.http.get(path, params=query)
        assert (said.status_code, said.json()["error"]["param"]) == (400, next(iter(query)))


def test_results_are_a_plain_csv_of_every_step(trainer: Trainer, tuned: dict[str, Any]) -> None:
    (name,) = tuned["result_files"]
    file = trainer.http.get(f"/v1/files/{name}").json()
    assert (file["purpose"], file["filename"]) == ("fine-tune-results", "step_metrics.csv")
    header, *rows = trainer.curve(tuned)
    assert header.startswith("step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy")
    assert [row.split(",")[0] for row in rows] == [str(step) for step in range(1, 11)]
    losses = [float(row.split(",")[1]) for row in rows]
    assert sum(losses[-3:]) < sum(losses[:3])


def test_checkpoints_are_listed_newest_first_and_answer_by_name(
    trainer: Trainer, tuned: dict[str, Any], valid: Valid
) -> None:
    listed = trainer.http.get(f"{JOBS}/{tuned['id']}/checkpoints").json()
    valid("ListFineTuningJobCheckpointsResponse", listed)
    assert [each["step_number"] for each in listed["data"]] == [10, 5]
    assert {"step", "train_loss", "full_valid_loss", "full_valid_mean_token_accuracy"} <= set(
        listed["data"][0]["metrics"]
    )
    last, first = (each["fine_tuned_model_checkpoint"] for each in listed["data"])
    assert first == f"{tuned['fine_tuned_model']}:ckpt-step-5"
    assert trainer.answer(last) == trainer.answer(tuned["fine_tuned_model"])
    assert trainer.answer(first)
    one = trainer.http.get(f"{JOBS}/{tuned['id']}/checkpoints", params={"limit": 1}).json()
    assert (one["has_more"], one["last_id"]) == (True, listed["data"][0]["id"])


def test_models_are_the_base_and_then_what_was_made_of_it(
    trainer: Trainer, tuned: dict[str, Any], valid: Valid
) -> None:
    listed = trainer.http.get("/v1/models").json()
    valid("ListModelsResponse", listed)
    base, *tunes = listed["data"]
    assert base["id"] == TINY
    mine = [each for each in tunes if each["id"].startswith(tuned["fine_tuned_model"])]
    assert [each["id"] for each in mine] == [tuned["fine_tuned_model"], f"{tuned['fine_tuned_model']}:ckpt-step-5"]
    assert mine[0]["created"] == tuned["finished_at"]
    about = {"base": TINY, "job": tuned["id"], "step": None, "trainable": None, "training_memory": None}
    # Whether it is loaded depends on what was asked before.
    now = {name: mine[0]["meta"][name] for name in ("loaded", "loading")}
    assert mine[0]["meta"] == {**base["meta"], **about, **now}
    assert trainer.http.get(f"/v1/models/{mine[0]['id']}").json() == mine[0]
    hidden = f"{tuned['fine_tuned_model']}:ckpt-step-10"
    assert trainer.http.get(f"/v1/models/{hidden}").json()["id"] == hidden


def test_events_come_as_they_happen(trainer: Trainer) -> None:
    job = trainer.create(method={"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 3}}})
    with trainer.http.stream("GET", f"{JOBS}/{job['id']}/events?stream=true") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = [line[6:] for line in stream.iter_lines() if line.startswith("data: ")]
    assert lines.pop() == "[DONE]"
    told = [json.loads(line) for line in lines]
    assert told == trainer.events(job["id"])[::-1]
    after = told[-2]["id"]
    with trainer.http.stream("GET", f"{JOBS}/{job['id']}/events?stream=true&after={after}") as stream:
        rest = [line[6:] for line in stream.iter_lines() if line.startswith("data: ")]
    assert rest == [lines[-1], "[DONE]"]


def test_jobs_queue_and_are_listed_newest_first(trainer: Trainer, valid: Valid) -> None:
    file = trainer.upload(pairs(20))
    made = [trainer.create(training_file=file, hyperparameters={"n_epochs": 1})["id"] for _ in range(3)]
    for name in made:
        assert trainer.end(name)["status"] == "succeeded"
    ends = [trainer.job(name)["finished_at"] for name in made]
    assert ends == sorted(ends)
    first = trainer.http.get(JOBS, params={"limit": 2}).json()
    valid("ListPaginatedFineTuningJobsResponse", first)
    assert ([job["id"] for job in first["data"]], first["has_more"]) == (made[:0:-1], True)
    rest = trainer.http.get(JOBS, params={"after": made[1]}).json()
    assert rest["data"][0]["id"] == made[0]


def test_auto_is_openais_rule_and_the_job_says_what_it_became(trainer: Trainer) -> None:
    job = trainer.end(trainer.create(pairs(20), hyperparameters={"n_epochs": "auto", "batch_size": "auto"})["id"])
    # 100 // 20 epochs, and ten steps an epoch.
    assert job["hyperparameters"] == {"n_epochs": 5, "batch_size": 2, "learning_rate_multiplier": 1}
    assert len(trainer.curve(job)) == 1 + 5 * 10


def test_the_same_seed_makes_the_same_curve(trainer: Trainer) -> None:
    file = trainer.upload(pairs(20))
    jobs = [trainer.end(trainer.create(training_file=file, seed=seed)["id"]) for seed in (5, 5, 6)]
    curves = [trainer.curve(job) for job in jobs]
    assert curves[0] == curves[1]
    assert curves[0] != curves[2]


def test_a_job_without_a_seed_gets_one(trainer: Trainer) -> None:
    job = trainer.create(seed=None)
    assert 0 <= job["seed"] < 2**31
    trainer.post(f"{JOBS}/{job['id']}/cancel")


def test_chats_are_trained_on_too(trainer: Trainer) -> None:
    chats = [
        {
            "messages": [
                {"role": "developer", "content": [{"type": "text", "text": "Answer in one word."}]},
                {"role": "user", "content": pair["prompt"]},
                {"role": "assistant", "content": pair["completion"].strip()},
            ]
        }
        for pair in pairs(12)
    ]
    job = trainer.train(chats, n_epochs=1)
    assert job["status"] == "succeeded", job["error"]
    body = {"model": job["fine_tuned_model"], "messages": chats[0]["messages"][:2], "max_tokens": 4}
    assert trainer.engine.good("/v1/chat/completions", body)["choices"]


def test_classification_metrics_are_columns_of_the_results(trainer: Trainer) -> None:
    valid = trainer.upload(pairs(10, seed=3))
    numbers = {"n_epochs": 1, "compute_classification_metrics": True, "classification_positive_class": "positive"}
    job = trainer.end(trainer.create(validation_file=valid, hyperparameters=numbers)["id"])
    assert job["status"] == "succeeded", job["error"]
    assert "classification/accuracy" in trainer.curve(job)[0]


def test_early_stopping_ends_a_job_that_gets_no_better(trainer: Trainer) -> None:
    valid = trainer.upload([{**pair, "completion": " xyzzy\n"} for pair in pairs(10, seed=4)])
    numbers = {"n_epochs": 50, "early_stopping": 1, "learning_rate_multiplier": 20}
    job = trainer.end(trainer.create(validation_file=valid, hyperparameters=numbers)["id"])
    assert job["status"] == "succeeded", job["error"]
    assert any(said.startswith("Stopped early at step") for said in trainer.said(job["id"]))
    assert len(trainer.curve(job)) < 50 * 10


@pytest.fixture
def sdk(trainer: Trainer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=trainer.engine.url + "/v1", api_key="a-key-of-the-tests", max_retries=0) as client:
        yield client


def test_the_official_sdk_drives_all_of_it(sdk: openai.OpenAI, trainer: Trainer) -> None:
    content = "".join(json.dumps(pair) + "\n" for pair in pairs(20)).encode()
    file = sdk.files.create(file=("train.jsonl", content), purpose="fine-tune")
    assert sdk.files.wait_for_processing(file.id).status == "processed"
    method: Any = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 2, "batch_size": 10}}}
    job = sdk.fine_tuning.jobs.create(model=TINY, training_file=file.id, method=method, suffix="sdk")
    trainer.end(job.id)
    job = sdk.fine_tuning.jobs.retrieve(job.id)
    assert job.status == "succeeded"
    assert job.fine_tuned_model
    assert job.id in [each.id for each in sdk.fine_tuning.jobs.list(limit=2)]
    assert len(list(sdk.fine_tuning.jobs.list_events(job.id, limit=3))) > 6
    assert [each.step_number for each in sdk.fine_tuning.jobs.checkpoints.list(job.id, limit=1)] == [4, 2]
    assert sdk.files.content(job.result_files[0]).text.startswith("step,")
    assert sdk.completions.create(model=job.fine_tuned_model, prompt="x", max_tokens=2).model == job.fine_tuned_model
    assert sdk.models.delete(job.fine_tuned_model).deleted
    with pytest.raises(openai.NotFoundError):
        sdk.models.retrieve(job.fine_tuned_model)
    with pytest.raises(openai.BadRequestError) as ended:
        sdk.fine_tuning.jobs.cancel(job.id)
    assert ended.value.code == "invalid_job_state"
    assert "already succeeded" in ended.value.message
    assert sdk.files.delete(file.id).deleted


def test_a_deleted_model_is_gone_with_its_checkpoints_and_its_job_stays(trainer: Trainer) -> None:
    job = trainer.train(n_epochs=2)
    name = job["fine_tuned_model"]
    trainer.answer(name)
    checkpoint = trainer.http.get(f"{JOBS}/{job['id']}/checkpoints").json()["data"][1]["fine_tuned_model_checkpoint"]
    assert trainer.http.delete(f"/v1/models/{checkpoint}").json() == {
        "id": checkpoint,
        "object": "model",
        "deleted": True,
    }
    assert trainer.http.get(f"/v1/models/{checkpoint}").status_code == 404
    trainer.answer(name)
    assert trainer.http.delete(f"/v1/models/{name}").json()["deleted"]
    for gone in (name, f"{name}:ckpt-step-10"):
        assert (
            trainer.engine.refused("/v1/completions", {"model": gone, "prompt": "x"}, 404)["code"] == "model_not_found"
        )
        assert trainer.http.delete(f"/v1/models/{gone}").status_code == 404
    after = trainer.job(job["id"])
    assert (after["status"], after["fine_tuned_model"]) == ("succeeded", None)
    assert trainer.curve(after) == trainer.curve(job)
    assert trainer.http.delete(f"/v1/models/{TINY}").status_code == 403
