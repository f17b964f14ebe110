"""`models available|pull|list|remove` as a person runs them: a process of its own, against a hub of this machine."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import tiny_models
from tests.fakes.hub import FakeHub
from tests.fakes.terminal import Cli


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with FakeHub() as running:
        yield running


@pytest.fixture
def weights(tmp_path: Path) -> bytes:
    return tiny_models.write(tmp_path / "weights.gguf", size=200_000).read_bytes()


@pytest.fixture
def models(cli: Cli, hub: FakeHub) -> Cli:
    """`models("pull", …)` with that hub."""

    def run(*args: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return cli("models", *args, **{"HF_ENDPOINT": hub.url, **options})

    return run


def test_available_lists_the_offers_with_what_one_has_to_know(models: Cli) -> None:
    done = models("available")
    assert done.returncode == 0
    assert "qwen2.5-0.5b-instruct: Qwen2.5 0.5B Instruct (Q4_K_M)\n  491 MB, " in done.stdout
    assert "Gemma Terms of Use (to be accepted)" in done.stdout
    assert "pull NAME" in done.stderr
    said = json.loads(models("available", "--json").stdout)
    assert {"id", "source", "licence", "languages", "memory", "facts", "installed"} <= said[0].keys()


def test_a_model_is_pulled_listed_and_removed(models: Cli, hub: FakeHub, weights: bytes, data_dir: Path) -> None:
    hub.add("owner/repo", "Tiny.gguf", weights)
    pulled = models("pull", "owner/repo:Tiny.gguf", "--name", "mine")
    assert (pulled.returncode, pulled.stdout[:12]) == (0, "mine: 801 kB")
    assert "Tiny.gguf: looking it up" in pulled.stderr
    assert (data_dir / "models" / "mine.gguf").read_bytes() == weights
    assert json.loads(models("list", "--json").stdout)[0]["source"] == "owner/repo:Tiny.gguf"
    again = models("pull", "owner/repo:Tiny.gguf", "--name", "mine")
    assert (again.returncode, again.stdout) == (2, "")
    assert "mine is here already" in again.stderr
    assert models("remove", "mine").returncode == 0
    assert not (data_dir / "models" / "mine.gguf").exists()
    assert models("remove", "mine").returncode == 2


def test_what_was_cut_is_listed_and_the_same_command_goes_on(
    models: Cli, hub: FakeHub, weights: bytes, data_dir: Path
) -> None:
    hub.add("owner/repo", "Tiny.gguf", weights)
    hub.storage.enqueue("cut:300000", "404")
    cut = models("pull", "owner/repo:Tiny.gguf")
    assert cut.returncode == 1
    assert "There is no file at this address" in cut.stderr
    assert "tiny: 37 % of 801 kB, from owner/repo:Tiny.gguf" in models("list").stderr
    assert models("pull", "owner/repo:Tiny.gguf").returncode == 0
    assert hub.storage.requests[-1].headers["range"] == "bytes=300000-"
    assert (data_dir / "models" / "tiny.gguf").read_bytes() == weights


def test_ctrl_c_pauses_and_says_how_to_go_on(
    environment: dict[str, str], hub: FakeHub, weights: bytes, tmp_path: Path, models: Cli
) -> None:
    hub.add("owner/repo", "Tiny.gguf", weights)
    hub.storage.enqueue("stall:300000")
    command = [sys.executable, "-m", "playground", "models", "pull", "owner/repo:Tiny.gguf"]
    env = {**environment, "HF_ENDPOINT": hub.url}
    child = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    for line in child.stderr:
        if "30 % of 801 kB" in line:
            break
    child.send_signal(signal.SIGINT)
    _out, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "Paused at" in err
    assert "The same command goes on." in err
    hub.storage.gate.set()
    assert models("pull", "owner/repo:Tiny.gguf").returncode == 0
    assert hub.storage.requests[-1].headers["range"] == "bytes=300000-"


def test_a_half_can_be_removed(models: Cli, hub: FakeHub, weights: bytes, data_dir: Path) -> None:
    hub.add("owner/repo", "Tiny.gguf", weights)
    hub.storage.enqueue("cut:300000", "404")
    models("pull", "owner/repo:Tiny.gguf")
    assert models("remove", "tiny").returncode == 0
    assert not list((data_dir / "models").rglob("*.part"))


def test_a_licence_is_accepted_on_the_command_line(models: Cli, hub: FakeHub) -> None:
    refused = models("pull", "gemma-3-1b-it")
    assert refused.returncode == 2
    assert "has to be accepted first" in refused.stderr
    assert "add --accept-licence" in refused.stderr
    assert "https://ai.google.dev/gemma/terms" in refused.stderr
    assert hub.requests == []
    assert "There is no repository" not in refused.stderr
    assert "no repository ggml-org/gemma-3-1b-it-GGUF" in models("pull", "gemma-3-1b-it", "--accept-licence").stderr


def test_the_token_is_sent_and_never_shown(models: Cli, hub: FakeHub, weights: bytes) -> None:
    hub.add("owner/repo", "Tiny.gguf", weights, gated=True)
    hub.admitted.add("owner/repo")
    done = models("pull", "owner/repo:Tiny.gguf", HF_TOKEN="hf_known")
    assert done.returncode == 0
    assert "hf_known" not in done.stdout + done.stderr
    assert hub.heads[0].headers["authorization"] == "Bearer hf_known"


def test_offline_nothing_hangs_and_a_path_goes_on_working(models: Cli, hub: FakeHub, tmp_path: Path) -> None:
    offline = {"HF_HUB_OFFLINE": "1"}
    refused = models("pull", "owner/repo:Tiny.gguf", **offline)
    assert (refused.returncode, hub.requests) == (1, [])
    assert "HF_HUB_OFFLINE is set" in refused.stderr
    assert models("pull", str(tmp_path / "weights.gguf"), **offline).returncode == 2
    mine = tiny_models.write(tmp_path / "weights.gguf")
    assert models("pull", str(mine), **offline).returncode == 0


@pytest.mark.parametrize("command", [[], ["pull"], ["available"], ["list"], ["remove"]])
def test_help_says_what_there_is(models: Cli, command: list[str]) -> None:
    done = models(*command, "--help")
    assert done.returncode == 0
    assert "Usage: python -m playground models" in done.stdout
