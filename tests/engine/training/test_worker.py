"""The worker's process: lines on stdout, signals, exit codes, and every failure with its code."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from playground.engine.training import checkpoints
from playground.engine.training.plan import Plan
from tests.engine.training.conftest import Line, MakeJob, sums, write_lines
from tests.fakes import tiny_gguf

ROOT = Path(__file__).parents[3]
MANY = 4_000
"""Epochs of a job that does not end by itself while a test looks at it."""


class Worker:
    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "playground.engine.training", str(folder)]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self.process.stdout
        self._lines = iter(self.process.stdout.readline, "")

    def until(self, kind: str, step: int = 0) -> Line:
        for text in self._lines:
            line: Line = json.loads(text)
            if line["type"] == kind and line.get("step", 0) >= step:
                return line
        raise AssertionError(f"the worker ended without {kind}")

    def rest(self) -> list[Line]:
        return [json.loads(text) for text in self._lines]

    def end(self) -> int:
        self.process.communicate()
        return self.process.returncode


@pytest.fixture
def start() -> Iterator[Any]:
    running: list[Worker] = []

    def go(folder: Path) -> Worker:
        running.append(Worker(folder))
        return running[-1]

    yield go
    for worker in running:
        worker.process.kill()
        worker.process.communicate()


def failed(folder: Path, start: Any) -> Line:
    """The one `failed` line, after which the exit code is 1."""
    worker = start(folder)
    lines = worker.rest()
    assert [line["type"] for line in lines].count("failed") == 1
    assert lines[-1]["type"] == "failed"
    assert set(lines[-1]) == {"type", "code", "message", "param"}
    assert str(folder) not in lines[-1]["message"]
    assert worker.end() == 1
    return lines[-1]


def test_a_whole_job(job: MakeJob, start: Any) -> None:
    folder = job(valid=None)
    worker = start(folder)
    lines = worker.rest()
    assert lines[0] == {"type": "loading"}
    assert lines[-1]["type"] == "done"
    assert worker.end() == 0
    assert {path.name for path in folder.iterdir()} >= {"results.csv", "checkpoints"}
    assert {path.name for path in (folder / "checkpoints" / "step-10").iterdir()} == {"adapter.gguf", "state.npz"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_finishes_the_step_and_keeps_it(job: MakeJob, start: Any, number: int) -> None:
    folder = job(n_epochs=MANY)
    worker = start(folder)
    worker.until("step", 7)
    worker.process.send_signal(number)
    # What it had said before it heard of the stop may still be on its way to us.
    *_, checkpoint, paused = [line for line in worker.rest() if line["type"] in ("step", "checkpoint", "paused")]
    assert worker.end() == 0
    assert paused["type"] == "paused"
    kept = checkpoints.newest(folder)
    assert kept is not None
    assert kept[0].step == paused["step"] == checkpoint["step"]
    assert len((folder / "results.csv").read_text().splitlines()) == 1 + paused["step"]
    again = start(folder)
    assert again.until("started")["resumed_at"] == paused["step"]
    assert again.until("step")["step"] == paused["step"] + 1


def test_a_killed_worker_leaves_whole_checkpoints_only(job: MakeJob, start: Any) -> None:
    folder = job(n_epochs=MANY)
    for step in (6, 12, 18):
        worker = start(folder)
        worker.until("step", step)
        worker.process.kill()
        worker.end()
        for path in (folder / "checkpoints").glob("step-*"):
            with np.load(path / "state.npz") as state:
                assert state["steps"][0] == int(path.name.removeprefix("step-"))
            assert (path / "adapter.gguf").stat().st_size > 0
    assert start(folder).until("started")["resumed_at"] >= 5


def test_a_worker_whose_reader_is_gone_keeps_what_it_learnt_and_ends(job: MakeJob, start: Any) -> None:
    folder = job(n_epochs=MANY)
    worker = start(folder)
    step = worker.until("step", 3)["step"]
    worker.process.stdout.close()
    assert worker.process.wait(60) == 0
    kept = checkpoints.newest(folder)
    assert kept is not None
    assert kept[0].step >= step


def test_two_workers_are_never_at_one_job(job: MakeJob, start: Any) -> None:
    folder = job(n_epochs=MANY)
    first = start(folder)
    first.until("step")
    second = start(folder)
    first.process.send_signal(signal.SIGTERM)
    paused = first.rest()[-1]
    assert second.until("started")["resumed_at"] == paused["step"]


def test_the_worker_is_nicer_than_who_started_it(job: MakeJob, start: Any) -> None:
    worker = start(job(n_epochs=MANY, nice=10))
    worker.until("step")
    assert os.getpriority(os.PRIO_PROCESS, worker.process.pid) >= 10


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"learning_rate": "fast"}, "learning_rate"),
        ({"learning_rate": 0}, "learning_rate"),
        ({"n_epochs": True}, "n_epochs"),
        ({"n_epochs": None}, "n_epochs"),
        ({"batch_size": 0}, "batch_size"),
        ({"targets": []}, "targets"),
        ({"targets": ["attn_q", "lm_head"]}, "targets"),
        ({"targets": [["attn_q"]]}, "targets"),
        ({"trainer": "jax"}, "trainer"),
        ({"trainer": []}, "trainer"),
        ({"rank": -1}, "rank"),
        ({"alpha": 10**400}, "alpha"),
        ({"context": 1}, "context"),
        ({"seed": -1}, "seed"),
        ({"base": 7}, "base"),
        ({"base": "a\0b"}, "base"),
        ({"classification": {"n_classes": 1}}, "classification"),
        ({"classification": {}}, "classification"),
        ({"classification": 3}, "classification"),
    ],
)
def test_a_plan_that_cannot_be_is_named(job: MakeJob, start: Any, change: dict[str, Any], param: str) -> None:
    folder = job()
    data = json.loads((folder / "plan.json").read_text())
    (folder / "plan.json").write_text(json.dumps(data | change))
    said = failed(folder, start)
    assert (said["code"], said["param"]) == ("worker_failed", param)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000, '{"base": NaN}', '{"n_epochs": 3}', "\x00"])
def test_a_plan_that_is_none_is_said(job: MakeJob, start: Any, text: str) -> None:
    folder = job()
    (folder / "plan.json").write_text(text)
    said = failed(folder, start)
    assert said["code"] == "worker_failed"
    assert "Create the job again" in said["message"]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "it is not"),
        ("[1]", "it is not"),
        ("7", "it is not"),
        ("[" * 50_000, "it is not"),
        ('{"tokens": [1, 2]}', "it is not"),
        ('{"tokens": "ab", "weights": [0, 1]}', "it is not"),
        ('{"tokens": [1, 2], "weights": [0, 1], "label": 3}', "it is not"),
        ('{"tokens": [1, 2, 3], "weights": [0, 1]}', "3 tokens, 2 weights"),
        ('{"tokens": [1, 64], "weights": [0, 1]}', "64"),
        ('{"tokens": [-1, 2], "weights": [0, 1]}', "64"),
        ('{"tokens": [1.5, 2], "weights": [0, 1]}', "64"),
        ('{"tokens": [true, 2], "weights": [0, 1]}', "64"),
        (f'{{"tokens": [1, {10**30}], "weights": [0, 1]}}', "64"),
        ('{"tokens": [1, 2], "weights": [0, 2]}', "weight"),
        ('{"tokens": [1, 2], "weights": [0, NaN]}', "weight"),
        (json.dumps({"tokens": [1] * 65, "weights": [1] * 65}), "context is 64"),
        ("\x00", "it is not"),
    ],
)
@pytest.mark.parametrize("file", ["train", "valid"])
def test_a_line_that_is_no_example_is_named(job: MakeJob, start: Any, file: str, line: str, why: str) -> None:
    from playground.engine.training import examples
    from playground.engine.training.errors import TrainingError

    folder = job(valid=None)
    write_lines(folder / f"{file}.jsonl", sums(2))
    with (folder / f"{file}.jsonl").open("a") as out:
        out.write(line + "\n")
    with pytest.raises(TrainingError) as caught:
        examples.read(folder / f"{file}.jsonl", vocabulary=64, context=64)
    assert caught.value.param == ("training_file" if file == "train" else "validation_file")
    assert "Line 3" in caught.value.message
    assert why in caught.value.message


def test_a_bad_line_a_missing_file_and_nothing_to_learn_fail_the_job(job: MakeJob, start: Any) -> None:
    bad, missing, empty = job("bad"), job("missing"), job("empty", train=[{"tokens": [1, 2], "weights": [1, 0]}])
    (bad / "train.jsonl").write_bytes(b"\xff\xfe")
    (missing / "train.jsonl").unlink()
    said = [failed(folder, start) for folder in (bad, missing, empty)]
    assert [(line["code"], line["param"]) for line in said] == [("worker_failed", "training_file")] * 3
    assert "every weight is 0" in said[2]["message"]


def test_a_base_that_cannot_be_trained_is_said(job: MakeJob, start: Any, tmp_path: Path, tiny: Path) -> None:
    other = tiny_gguf.write(tmp_path / "other.gguf", architecture="qwen2")
    experts = tiny_gguf.write(tmp_path / "experts.gguf", metadata={"expert_count": 4})
    (tmp_path / "text.gguf").write_text("hello")
    (tmp_path / "cut.gguf").write_bytes(tiny.read_bytes()[:9_000])
    cases = {
        "other": (other, "unsupported_architecture"),
        "experts": (experts, "unsupported_architecture"),
        "text": (tmp_path / "text.gguf", "bad_base"),
        "cut": (tmp_path / "cut.gguf", "bad_base"),
        "none": (tmp_path / "none.gguf", "bad_base"),
    }
    for name, (path, code) in cases.items():
        said = failed(job(name, base=path), start)
        assert (said["code"], said["param"]) == (code, "model"), name


def test_a_rate_that_diverges_fails_the_job(job: MakeJob, start: Any) -> None:
    folder = job(train=sums(40), n_epochs=40, learning_rate=1e6)
    assert failed(folder, start)["code"] == "diverged"
    assert len((folder / "results.csv").read_text().splitlines()) > 2


def test_memory_that_is_used_up_fails_the_job(job: MakeJob, start: Any, tmp_path: Path) -> None:
    """The job may have as much memory as its process takes to start, and its model needs much more."""
    import resource

    huge = tiny_gguf.write(
        tmp_path / "huge.gguf",
        metadata={"vocab_size": 3_000_000},
        tensors={"token_embd.weight": np.zeros((3_000_000, 32))},
    )
    folder = job(base=huge)
    command = [sys.executable, "-m", "playground.engine.training", str(folder)]
    limit = 600 * 2**20
    process = subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )
    assert process.returncode == 1, process.stderr
    assert json.loads(process.stdout.splitlines()[-1])["code"] == "out_of_memory"


def test_a_plan_is_read_as_it_was_written(job: MakeJob) -> None:
    folder = job(targets=("ffn_up", "attn_q"), early_stopping=2, memory=2**20)
    plan = Plan.read(folder)
    assert plan.targets == ("attn_q", "ffn_up")
    plan.write(folder)
    assert Plan.read(folder) == plan


def holds_open(process: int, name: str) -> bool:
    """Whether it has a file of that name open. What it closes while we look is not there any more."""
    for entry in Path(f"/proc/{process}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            if entry.readlink().name == name:
                return True
    return False


def test_a_worker_that_waits_for_another_is_paused_and_not_failed(job: MakeJob, start: Any) -> None:
    import fcntl

    folder = job()
    with (folder / "worker.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        worker = start(folder)
        while not holds_open(worker.process.pid, "worker.lock"):
            assert worker.process.poll() is None
        worker.process.send_signal(signal.SIGTERM)
        assert [line["type"] for line in worker.rest()] == ["paused"]
        assert worker.end() == 0
