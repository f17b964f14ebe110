"""The fake server trains in OpenAI's published shapes: what tests learn from it is then true elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest

from playground.finetune.jobs import validate_job
from tests.fakes.server import FakeServer


def _modern(schema: Any) -> Any:
    """What OpenAPI 3.0 says in its own way, and the published schema still does, as JSON Schema says it."""
    if isinstance(schema, list):
        return [_modern(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {name: _modern(item) for name, item in schema.items()}
    if plain.get("exclusiveMinimum") is True:
        plain["exclusiveMinimum"] = plain.pop("minimum")
    return {"anyOf": [{"type": "null"}, plain]} if plain.pop("nullable", False) is True else plain


SPEC = _modern(json.loads((Path(__file__).parents[1] / "fixtures" / "openai_openapi_subset.json").read_text()))
JOBS = "/fine_tuning/jobs"


def fits(value: Any, schema: str) -> None:
    jsonschema_rs.Draft202012Validator({**SPEC, "$ref": f"#/components/schemas/{schema}"}).validate(value)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer() as running:
        yield running


@pytest.fixture
def http(server: FakeServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, trust_env=False) as client:
        yield client


def upload(http: httpx.Client) -> str:
    files = {"file": ("train.jsonl", b'{"a": 1}\r\n--\r\n{"b": 2}\n')}
    about = http.post("/files", data={"purpose": "fine-tune"}, files=files).json()
    fits(about, "OpenAIFile")
    return str(about["id"])


def create(http: httpx.Client, base: str = "gpt-4.1-nano") -> Any:
    file = upload(http)
    fits(validate_job(base=base, method="dpo", beta=0.1, epochs=2).body(file), "CreateFineTuningJobRequest")
    body = validate_job(base=base, suffix="tweets", seed=1, epochs=2, batch_size=4).body(file, file)
    fits(body, "CreateFineTuningJobRequest")
    return http.post(JOBS, json=body)


def test_an_uploaded_file_comes_back_byte_by_byte(http: httpx.Client) -> None:
    assert http.get(f"/files/{upload(http)}/content").content == b'{"a": 1}\r\n--\r\n{"b": 2}\n'


@pytest.mark.parametrize(
    ("base", "ending"), [("gpt-4.1-nano", "succeeded"), ("broken", "failed"), ("gpt-4.1", "cancelled")]
)
def test_a_job_fits_the_published_schemas_at_every_stage(http: httpx.Client, base: str, ending: str) -> None:
    job = create(http, base).json()
    seen = []
    while job["status"] not in ("succeeded", "failed", "cancelled"):
        fits(job, "FineTuningJob")
        seen.append(job["status"])
        job = http.get(f"{JOBS}/{job['id']}").json()
        if ending == "cancelled" and job["status"] == "running":
            job = http.post(f"{JOBS}/{job['id']}/cancel").json()
    fits(job, "FineTuningJob")
    fits(http.get(f"{JOBS}/{job['id']}/events").json(), "ListFineTuningJobEventsResponse")
    fits(http.get(f"{JOBS}/{job['id']}/checkpoints").json(), "ListFineTuningJobCheckpointsResponse")
    fits(http.get(JOBS).json(), "ListPaginatedFineTuningJobsResponse")
    assert list(dict.fromkeys(seen))[:2] == ["validating_files", "queued"]
    assert job["status"] == ending


def test_events_come_newest_first_and_the_cursor_leads_into_the_past(server: FakeServer, http: httpx.Client) -> None:
    job = create(http).json()["id"]
    for _ in range(20):
        server.training.advance(job)
    first = http.get(f"{JOBS}/{job}/events", params={"limit": 2}).json()
    after = {"limit": 2, "after": first["data"][-1]["id"]}
    second = http.get(f"{JOBS}/{job}/events", params=after).json()
    times = [event["created_at"] for event in first["data"] + second["data"]]
    assert times == sorted(times, reverse=True)
    assert first["has_more"]


@pytest.mark.parametrize(
    ("status", "path", "code"),
    [(404, f"{JOBS}/nobody", "fine_tune_not_found"), (404, "/files/nobody", "fine_tune_not_found")],
)
def test_what_is_not_there_is_an_error_object(http: httpx.Client, status: int, path: str, code: str) -> None:
    answer = http.get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    fits(answer.json(), "ErrorResponse")


def test_a_job_without_its_file_and_a_closed_door_are_refused(http: httpx.Client) -> None:
    missing = http.post(JOBS, json={"model": "a", "training_file": "file-none"})
    assert (missing.status_code, missing.json()["error"]["param"]) == (400, "training_file")
    closed = create(http, "fault-403_training")
    assert (closed.status_code, closed.json()["error"]["code"]) == (403, "training_not_available")
