"""A bundle of an example preset, run with its regression cases on the real model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from playground.deploy.bundle import contents, write
from playground.deploy.cases import cases_json
from playground.deploy.cost import estimated
from playground.deploy.frozen import freeze
from playground.evaluate.dataset import Case, Dataset
from playground.presets import Preset
from playground.types import Endpoint, ModelInfo
from tests.engine.conftest import MODEL

pytestmark = pytest.mark.engine

ENDPOINT = Endpoint(name="local", kind="engine", base_url="http://127.0.0.1:1/v1", api_key="the-running-one's")
CAPITALS = Dataset(
    "capitals",
    (
        Case(id="france", variables={"country": "France"}, expected="Paris"),
        Case(id="chat", prompt="The capital of Italy is", expected="Rome"),
    ),
)


def test_a_bundle_answers_and_its_cases_pass_on_an_engine_started_by_itself(
    start: Callable[..., Any], tmp_path: Path
) -> None:
    preset = Preset(
        id="1",
        name="Capitals",
        mode="complete",
        text="The capital of {{country}} is",
        params={"max_tokens": 4, "temperature": 0, "stop": ["\\n"]},
    )
    frozen = freeze(preset, info=ModelInfo(id=MODEL, endpoint="local"), endpoint=ENDPOINT)
    cost = estimated(frozen, 6, price_as="gpt-5-mini")
    given = cases_json(frozen, CAPITALS)
    files = contents(frozen, cost, given, own_cases=True, requests=100, day=date(2026, 11, 1))
    write(files, tmp_path / "made", folder="deploy-capitals")
    env = {**os.environ, "ANSWER_BASE_URL": f"{start(key=None).url}/v1"}

    def run(*command: str) -> str:
        done = subprocess.run(
            [sys.executable, *command], cwd=tmp_path / "made", env=env, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "Paris" in run("answer.py", "country=France")
    whole = json.loads(run("answer.py", "country=France", "--json"))
    assert whole["usage"]["completion_tokens"] <= 4
    assert "3 passed" in run("-m", "pytest")
