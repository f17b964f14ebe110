"""View code for the embedded engine: what its comment says to start is what the code reaches."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from playground.export import Language, code
from playground.types import Endpoint
from tests.engine.conftest import MODEL

pytestmark = pytest.mark.engine

RUNNING = Endpoint(name="local", kind="engine", base_url="http://127.0.0.1:1/v1", api_key="the-running-one's")
BODY = {"model": MODEL, "prompt": "The capital of France is", "max_tokens": 2, "temperature": 0.0}


@pytest.fixture(scope="module")
def alone(start: Callable[..., Any]) -> str:
    """The address of an engine that was started as the comment says, but for the port."""
    return str(start(key=None).url)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("language", "command"), [("python", [sys.executable, "-"]), ("curl", ["sh"])])
def test_an_engine_started_by_itself_answers_the_code(
    alone: str, language: Language, command: list[str], stream: bool
) -> None:
    if language == "curl" and not shutil.which("curl"):
        pytest.skip("curl is missing.")
    text = code(language, path="/completions", body=BODY, endpoint=RUNNING, stream=stream)
    here = text.replace("http://127.0.0.1:8080", alone).encode()
    done = subprocess.run(command, input=here, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert b"Paris" in done.stdout
