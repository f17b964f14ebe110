"""`python -m playground deploy`, as a person runs it."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from playground.presets import Preset, to_json
from playground.settings import Settings
from playground.store import Store
from tests.fakes.helpers import CANARY
from tests.fakes.server import FakeServer
from tests.fakes.terminal import Cli


@pytest.fixture
def online(cli: Cli, server: FakeServer, settings: Settings) -> Cli:
    """With the fake server as the only one, and a preset of one's own."""
    own = Preset(id="a" * 32, name="Mine", mode="complete", text="Say {{what}}", model="server/fake")
    store = Store.open(settings)
    store.save_preset(own.id, own.name, to_json(own))
    store.close()

    def run(*args: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return cli(*args, **{"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": CANARY, **options})

    return run


def test_a_preset_becomes_a_folder_that_answers_and_whose_cases_pass(
    online: Cli, server: FakeServer, tmp_path: Path, environment: dict[str, str]
) -> None:
    (tmp_path / "cases.csv").write_text("what,expected\nhello,world\nhi,Hello\n")
    done = online("deploy", "--preset", "Mine", "--cases", "cases.csv", "--requests-per-day", "50", "--out", "made")
    assert (done.returncode, done.stdout) == (0, "made\n")
    text = "".join(file.read_text() for file in (tmp_path / "made").iterdir())
    assert CANARY not in text
    assert "50 requests" not in text  # the fake server's price is not known
    env = {**environment, "OPENAI_API_KEY": CANARY}
    answer = subprocess.run(
        [sys.executable, "answer.py", "what=hello"], cwd=tmp_path / "made", env=env, capture_output=True, text=True
    )
    assert (answer.returncode, answer.stdout) == (0, "Hello, world!\n")
    assert server.requests[-1].body["prompt"] == "Say hello"
    tests = subprocess.run(
        [sys.executable, "-m", "pytest"], cwd=tmp_path / "made", env=env, capture_output=True, text=True
    )
    assert tests.returncode == 0, tests.stdout
    assert "3 passed" in tests.stdout


def test_cases_may_be_a_dataset_that_is_kept(online: Cli, tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text("what,expected\nhello,world\nhi,Hello\n")
    assert online("datasets", "import", "cases.csv", "--name", "My cases").returncode == 0
    done = online("deploy", "--preset", "Mine", "--cases", "My cases", "--out", "made")
    assert (done.returncode, done.stdout) == (0, "made\n"), done.stderr
    assert [case["expected"] for case in json.loads((tmp_path / "made" / "cases.json").read_text())["cases"]] == [
        "world",
        "Hello",
    ]
    assert "There is no file" in online("deploy", "--preset", "Mine", "--cases", "nothing", "--out", "x").stderr


def test_an_example_becomes_a_zip_in_spanish(online: Cli, tmp_path: Path) -> None:
    done = online(
        "deploy",
        "--preset",
        "Sentimiento de un tuit",
        "--model",
        "fake",
        "--language",
        "es",
        "--out",
        "x.zip",
        "--json",
    )
    assert json.loads(done.stdout) == {"out": "x.zip"}
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        about = archive.read("deploy-sentimiento-de-un-tuit/README.md").decode()
    assert "Un modelo listo para usar" in about


def test_a_file_of_a_preset_is_taken_too(online: Cli, tmp_path: Path) -> None:
    own = Preset(id="1", name="From a file", mode="chat", system="Hi", model="server/fake")
    (tmp_path / "p.json").write_text(json.dumps(to_json(own)))
    assert online("deploy", "--preset", "p.json").stdout == "deploy-from-a-file\n"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--preset", "Nobody's"], 'There are: "Mine"'),
        (["--preset", "Mine", "--cases", "none.csv"], "There is no file none.csv"),
        (["--preset", "Mine", "--cases", "bad.csv"], "changes nothing of what is sent"),
        (["--preset", "Mine", "--metric", "bleu"], "one of: exact_match, contains, regex, json_schema"),
        (["--preset", "Mine", "--metric", "{"], "not valid JSON"),
        (["--preset", "Mine", "--at-least", "2"], "more than 0 and at most 1"),
        (["--preset", "Mine", "--requests-per-day", "0"], "whole number from 1"),
        (["--preset", "Mine", "--language", "fr"], "one of: en, es"),
        (["--preset", "Mine", "--out", "bad.csv"], "bad.csv is already there"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_is_written(
    online: Cli, tmp_path: Path, options: list[str], said: str
) -> None:
    (tmp_path / "bad.csv").write_text("other,expected\nx,y\n")
    done = online("deploy", *options)
    assert done.returncode == 2
    assert said in done.stderr
    assert {each.name for each in tmp_path.iterdir()} <= {"bad.csv", "data"}
