"""Requests made from OpenAI's published schema: none crashes the engine, and every answer keeps the schema."""

from __future__ import annotations

import json
from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck

from tests.engine.conftest import SPEC

pytestmark = pytest.mark.engine
MODEL = "smollm2-135m-instruct"
PATHS = ("/completions", "/chat/completions")
ERROR = {"message", "type", "param", "code"}
BOUNDED = hypothesis.settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)

schema: Any = schemathesis.openapi.from_dict(
    {**SPEC, "paths": {"/v1" + path: {"post": SPEC["paths"][path]["post"]} for path in PATHS}}
)


@schema.hook
def map_body(_context: Any, body: Any) -> Any:
    """The same request, no larger than a test can wait for."""
    if not isinstance(body, dict):
        return body
    body["model"] = MODEL
    for name, most in (("max_tokens", 3), ("max_completion_tokens", 3), ("n", 2), ("best_of", 2)):
        if isinstance(body.get(name), int | float) and body[name] > most:
            body[name] = most
    if "messages" in body:
        body.setdefault("max_tokens", 3)
        body["max_completion_tokens"] = body.get("max_completion_tokens") or 3
    if isinstance(body.get("prompt"), str | list):
        body["prompt"] = body["prompt"][:2]
    return body


@schema.parametrize()
@BOUNDED
def test_a_request_of_the_published_schema_is_answered_in_it(case: Any, engine: Any, valid: Any) -> None:
    answer = engine.http.post(
        case.path, content=json.dumps(case.body, default=str), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code in (200, 400, 404), (answer.status_code, answer.text, case.body)
    if answer.status_code != 200:
        assert set(answer.json()["error"]) == ERROR
    elif answer.headers["content-type"] == "application/json":
        kind = "CreateChatCompletionResponse" if "chat" in case.path else "CreateCompletionResponse"
        valid(kind, _without_nulls(answer.json()))
    else:
        assert answer.text.endswith("data: [DONE]\n\n"), answer.text[-300:]


def _without_nulls(answer: dict[str, Any]) -> dict[str, Any]:
    """Without the probabilities of an echo, whose nulls the schema forgets."""
    return {**answer, "choices": [{**choice, "logprobs": None} for choice in answer["choices"]]}
