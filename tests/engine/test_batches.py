"""/v1/batches by the official SDK: created, followed, cancelled, and going on after the engine was killed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI

from playground.engine_words import told
from tests.engine.conftest import KEY, MODEL

pytestmark = pytest.mark.engine

CHAT = "/v1/chat/completions"
COMPLETE = "/v1/completions"
ENDED = ("completed", "failed", "expired", "cancelled")


def line(name: str, *, url: str = COMPLETE, method: str = "POST", **body: Any) -> dict[str, Any]:
    asked = {"model": MODEL, "prompt": "The capital of France is", "max_tokens": 3, "temperature": 0, **body}
    return {"custom_id": name, "method": method, "url": url, "body": asked}


class Sdk:
    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self.client = OpenAI(api_key=KEY, base_url=f"{engine.url}/v1", max_retries=0, timeout=60)

    def upload(self, lines: Any) -> str:
        content = lines if isinstance(lines, bytes) else "".join(json.dumps(each) + "\n" for each in lines).encode()
        return self.client.files.create(file=("in.jsonl", content), purpose="batch").id

    def create(self, lines: Any, endpoint: Any = COMPLETE, **more: Any) -> str:
        made = self.client.batches.create(
            input_file_id=self.upload(lines), endpoint=endpoint, completion_window="24h", **more
        )
        assert made.status == "validating"
        return made.id

    def until(self, true: Callable[[], Any]) -> Any:
        until = time.monotonic() + 120
        while time.monotonic() < until:
            if found := true():
                return found
            time.sleep(0.05)
        raise AssertionError("it did not happen")

    def end(self, name: str) -> Any:
        return self.until(lambda: (batch := self.client.batches.retrieve(name)).status in ENDED and batch)

    def lines(self, file: str | None) -> dict[str, Any]:
        assert file is not None
        found = [json.loads(each) for each in self.client.files.content(file).text.splitlines()]
        named = {each["custom_id"]: each for each in found}
        assert len(named) == len(found)
        return named


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("batches") / "data"


@pytest.fixture(scope="module")
def sdk(start: Callable[..., Any], data: Path) -> Iterator[Sdk]:
    made = Sdk(start("--data", str(data)))
    yield made
    made.client.close()


def test_good_requests_are_answered_and_bad_ones_are_in_the_error_file(
    sdk: Sdk, valid: Callable[[str, Any], None]
) -> None:
    name = sdk.create([line("a"), line("ñ 名", n=2), line("bad", temperature=9), line("no", model="nobody's")])
    batch = sdk.end(name)
    assert (batch.status, batch.errors) == ("completed", None)
    assert batch.request_counts.model_dump() == {"total": 4, "completed": 2, "failed": 2}
    good, bad = sdk.lines(batch.output_file_id), sdk.lines(batch.error_file_id)
    assert "Paris" in good["a"]["response"]["body"]["choices"][0]["text"]
    assert (good["a"]["response"]["status_code"], good["a"]["error"]) == (200, None)
    assert len(good["ñ 名"]["response"]["body"]["choices"]) == 2
    valid("CreateCompletionResponse", good["a"]["response"]["body"])
    assert bad["bad"]["response"]["body"]["error"]["param"] == "temperature"
    assert bad["no"]["response"]["status_code"] == 404
    assert sdk.client.files.retrieve(batch.output_file_id).purpose == "batch_output"


def test_chats_are_answered_and_batches_are_listed_a_page_at_a_time(sdk: Sdk) -> None:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2}
    chat = {"custom_id": "1", "method": "POST", "url": CHAT, "body": body}
    names = [sdk.create([chat], CHAT, metadata={"mine": "yes"}) for _ in range(3)]
    batches = [sdk.end(name) for name in names]
    assert {batch.status for batch in batches} == {"completed"}
    assert batches[0].metadata == {"mine": "yes"}
    assert sdk.lines(batches[0].output_file_id)["1"]["response"]["body"]["choices"][0]["message"]["role"] == "assistant"
    assert [batch.id for batch in sdk.client.batches.list(limit=2)][:3] == names[::-1]


@pytest.mark.parametrize(
    ("lines", "codes"),
    [
        (b"\n\n", ["empty_file"]),
        (b"nonsense\n[]\n", ["invalid_json_line", "invalid_json_line"]),
        ([line("a"), line("a")], ["duplicate_custom_id"]),
        ([line("")], ["invalid_custom_id"]),
        ([line("a", url=CHAT)], ["mismatched_endpoint"]),
        ([line("a", method="GET")], ["invalid_method"]),
        ([line("a", stream=True)], ["invalid_body"]),
        ([{**line("a"), "body": "x"}], ["invalid_body"]),
    ],
)
def test_a_file_that_is_no_batch_fails_with_its_lines(sdk: Sdk, lines: Any, codes: list[str]) -> None:
    batch = sdk.end(sdk.create(lines))
    assert batch.status == "failed"
    assert [error.code for error in batch.errors.data] == codes
    assert batch.output_file_id is None


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"endpoint": "/v1/embeddings"}, "endpoint"),
        ({"completion_window": "1h"}, "completion_window"),
        ({"input_file_id": "file-none"}, "input_file_id"),
        ({"metadata": {"a": 1}}, "metadata"),
    ],
)
def test_a_batch_that_cannot_be_is_refused(sdk: Sdk, changes: dict[str, Any], param: str) -> None:
    body = {"input_file_id": sdk.upload([line("a")]), "endpoint": COMPLETE, "completion_window": "24h", **changes}
    assert sdk.engine.refused("/v1/batches", body)["param"] == param


def test_a_file_for_training_is_no_batch(sdk: Sdk) -> None:
    file = sdk.client.files.create(file=("t.jsonl", b'{"prompt": "a", "completion": "b"}\n'), purpose="fine-tune").id
    with pytest.raises(openai.BadRequestError, match="not batch"):
        sdk.client.batches.create(input_file_id=file, endpoint=COMPLETE, completion_window="24h")


def test_a_cancelled_batch_keeps_what_was_answered(sdk: Sdk) -> None:
    name = sdk.create([line(str(at), max_tokens=60, logit_bias={"2": -100}) for at in range(200)])
    sdk.until(lambda: (sdk.client.batches.retrieve(name).request_counts.completed or 0) >= 1)
    assert sdk.client.batches.cancel(name).status == "cancelling"
    batch = sdk.end(name)
    assert batch.status == "cancelled"
    assert 1 <= batch.request_counts.completed < 200
    assert len(sdk.lines(batch.output_file_id)) == batch.request_counts.completed
    with pytest.raises(openai.BadRequestError, match="no longer be cancelled"):
        sdk.client.batches.cancel(name)
    with pytest.raises(openai.NotFoundError):
        sdk.client.batches.retrieve("batch-none")


def test_a_batch_goes_on_after_the_engine_was_killed_and_answers_nothing_twice(
    start: Callable[..., Any], tmp_path: Path
) -> None:
    first = Sdk(start("--data", str(tmp_path / "data")))
    name = first.create([line(str(at), max_tokens=20, logit_bias={"2": -100}) for at in range(12)])
    first.until(lambda: (first.client.batches.retrieve(name).request_counts.completed or 0) >= 2)
    first.engine.process.kill()
    first.engine.process.wait(10)
    first.client.close()
    part = tmp_path / "data" / "batches" / name / "output.jsonl"
    before = [json.loads(each)["id"] for each in part.read_text().splitlines()]
    with part.open("a") as file:
        file.write('{"half a li')  # as a crash in the middle of writing leaves it
    second = Sdk(start("--data", str(tmp_path / "data")))
    batch = second.end(name)
    assert batch.request_counts.model_dump() == {"total": 12, "completed": 12, "failed": 0}
    after = [each["id"] for each in second.lines(batch.output_file_id).values()]
    assert (after[: len(before)], len(after)) == (before, 12)
    second.client.close()


def test_none_is_begun_while_others_are_answered(sdk: Sdk) -> None:
    # So long an answer that it is under way for as long as is looked.
    asked = {"model": MODEL, "prompt": "Once", "max_tokens": 6_000, "logit_bias": {"0": -100, "2": -100}}
    with sdk.client.completions.create(**asked, stream=True) as stream:  # type: ignore[call-overload]
        chunks = iter(stream)
        next(chunks)
        name = sdk.create([line("a")])
        for _ in range(60):
            next(chunks)
            assert sdk.client.batches.retrieve(name).request_counts.completed == 0
    assert sdk.end(name).status == "completed"


def test_a_batch_whose_file_was_deleted_before_its_turn_fails_and_the_next_goes_on(sdk: Sdk) -> None:
    first = sdk.create([line(str(at), max_tokens=60, logit_bias={"2": -100}) for at in range(200)])
    file = sdk.upload([line("a")])
    made = sdk.client.batches.create(input_file_id=file, endpoint=COMPLETE, completion_window="24h")
    last = sdk.create([line("b")])
    sdk.client.files.delete(file)
    sdk.client.batches.cancel(first)
    batch = sdk.end(made.id)
    assert (batch.status, [error.code for error in batch.errors.data]) == ("failed", ["file_not_found"])
    assert sdk.end(last).status == "completed"


def test_what_the_engine_refuses_is_known_in_spanish(sdk: Sdk) -> None:
    file = sdk.upload([line("a")])
    body = {"input_file_id": file, "endpoint": "/v1/embeddings", "completion_window": "24h"}
    told_of = [
        sdk.engine.refused("/v1/batches", body),
        sdk.engine.refused("/v1/batches", {**body, "endpoint": COMPLETE, "completion_window": "1h"}),
        sdk.engine.refused("/v1/batches", {**body, "endpoint": COMPLETE, "input_file_id": "file-x"}),
    ]
    answer = sdk.engine.http.post("/v1/files", data={"purpose": "vision"}, files={"file": ("a", b"x")})
    for error in (*told_of, answer.json()["error"]):
        assert told(error["message"], "es") != error["message"]
