"""What comes through a stream whole: characters that look like line ends, and the order of events."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytestmark = pytest.mark.engine
SEPARATORS = "a\u2028b\u0085c\u2029d"
"""Unicode's line ends, which server-sent events do not count as such."""


@pytest.mark.parametrize("logprobs", [False, True])
@pytest.mark.parametrize("odd", [SEPARATORS, "¿Qué tal, señor? ¡Olé!", "👩‍👩‍👧 e\u0301"], ids=ascii)
def test_odd_characters_come_through_a_stream_as_they_are(engine: Any, odd: str, logprobs: bool) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "odd", "schema": {"const": odd}}}
    events = engine.stream(
        "/v1/chat/completions",
        messages=[{"role": "user", "content": "x"}],
        max_tokens=60,
        response_format=wanted,
        logprobs=logprobs,
    )
    choices = [choice for event in events for choice in event["choices"]]
    assert json.loads("".join(choice["delta"].get("content", "") for choice in choices)) == odd
    assert choices[-1]["finish_reason"] == "stop"
