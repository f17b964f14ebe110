"""View code for the embedded engine: what its comment says to start is what the code reaches."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import Any, get_args

import pytest

from playground.export import Language, code
from playground.types import Endpoint
from tests.engine.conftest import MODEL

pytestmark = pytest.mark.engine

RUNS: dict[Language, list[str]] = {"python": [sys.executable, "-"], "curl": ["sh"]}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("language", RUNS)
def test_an_engine_started_by_itself_answers_the_code(
    start: Callable[..., Any], language: Language, stream: bool
) -> None:
    if language == "curl" and not shutil.which("curl"):
        pytest.skip("curl is missing.")
    assert set(RUNS) < set(get_args(Language))
    running = Endpoint(name="local", kind="engine", base_url="http://127.0.0.1:1/v1", api_key="of-the-running-one")
    body = {"model": MODEL, "prompt": "The capital of France is", "max_tokens": 2, "temperature": 0.0}
    text = code(language, path="/completions", body=body, endpoint=running, stream=stream)
    alone = start(key=None)
    here = text.replace("http://127.0.0.1:8080", alone.url)
    done = subprocess.run(RUNS[language], input=here.encode(), env=os.environ, capture_output=True, timeout=120)
    alone.close()
    assert done.returncode == 0, done.stderr.decode()
    assert "Paris" in done.stdout.decode()
