"""What happens to a job when something ends that should not, or is told to."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.engine.conftest import KEY
from tests.engine.tuning.conftest import JOBS, Trainer, pairs

pytestmark = pytest.mark.engine
LONG = {"n_epochs": 24, "batch_size": 24}
"""Of 120 examples: 120 steps, a checkpoint every 5."""


def workers(folder: Path, module: bytes = b"playground.engine.tuning.child") -> list[int]:
    """The training processes of a data folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if module in words and any(str(folder).encode() in word for word in words):
            found.append(int(path.parent.name))
    return found


def whole(trainer: Trainer, training_file: str) -> list[str]:
    """The curve of such a job when nothing comes between."""
    return trainer.curve(trainer.end(trainer.create(training_file=training_file, hyperparameters=LONG)["id"]))


def begun(trainer: Trainer, step: int = 12, **numbers: int) -> str:
    """A job that has taken some steps, and has many before it; `numbers` change LONG's."""
    name = str(trainer.create(pairs(120), hyperparameters={**LONG, **numbers})["id"])
    trainer.step(name, step)
    return name


def test_a_running_job_is_cancelled_within_a_second_and_keeps_what_it_learnt(trainer: Trainer) -> None:
    name = begun(trainer)
    asked = time.monotonic()
    job = trainer.post(f"{JOBS}/{name}/cancel").json()
    took = time.monotonic() - asked
    assert job["status"] == "cancelled"
    assert took < 1
    assert job["fine_tuned_model"] is None
    assert job["finished_at"]
    assert len(trainer.curve(job)) > 10
    checkpoint = trainer.http.get(f"{JOBS}/{name}/checkpoints").json()["data"][0]["fine_tuned_model_checkpoint"]
    assert trainer.answer(checkpoint)
    listed = [model["id"] for model in trainer.http.get("/v1/models").json()["data"]]
    assert checkpoint in listed
    assert trainer.said(name)[-1] == "The job was cancelled"
    assert trainer.http.delete(f"/v1/models/{checkpoint}").json()["deleted"]


def test_a_waiting_job_is_cancelled_and_paused_too(trainer: Trainer) -> None:
    busy = begun(trainer, 1)
    waiting = [trainer.create(pairs(20), hyperparameters={"n_epochs": 1})["id"] for _ in "ab"]
    for name in waiting:
        trainer.until(lambda name=name: trainer.job(name)["status"] == "queued")
    assert trainer.post(f"{JOBS}/{waiting[0]}/cancel").json()["status"] == "cancelled"
    assert trainer.post(f"{JOBS}/{waiting[1]}/pause").json()["status"] == "paused"
    assert trainer.post(f"{JOBS}/{busy}/cancel").json()["status"] == "cancelled"
    assert trainer.job(waiting[1])["status"] == "paused"
    assert trainer.post(f"{JOBS}/{waiting[1]}/resume").json()["status"] in ("queued", "running")
    assert trainer.end(waiting[1])["status"] == "succeeded"


def test_a_paused_job_goes_on_to_the_same_curve(trainer: Trainer) -> None:
    file = trainer.upload(pairs(120))
    name = trainer.create(training_file=file, hyperparameters=LONG)["id"]
    trainer.step(name, 8)
    assert trainer.post(f"{JOBS}/{name}/pause").json()["status"] == "paused"
    at = trainer.reached(name)
    other = trainer.train(n_epochs=1)
    assert other["status"] == "succeeded"
    assert trainer.reached(name) == at
    assert trainer.post(f"{JOBS}/{name}/pause").json()["status"] == "paused"
    assert trainer.post(f"{JOBS}/{name}/resume").status_code == 200
    job = trainer.end(name)
    assert job["status"] == "succeeded"
    assert trainer.curve(job) == whole(trainer, file)
    assert {"The job was paused", "The job was resumed"} <= set(trainer.said(name))
    assert any(said.startswith("Fine-tuning job goes on, from step") for said in trainer.said(name))


def test_a_killed_worker_is_started_again_and_the_curve_is_the_same(own_trainer: Trainer, tmp_path: Path) -> None:
    name = begun(own_trainer)
    (worker,) = workers(tmp_path)
    os.kill(worker, signal.SIGKILL)
    job = own_trainer.end(name)
    assert job["status"] == "succeeded", job["error"]
    assert own_trainer.curve(job) == whole(own_trainer, job["training_file"])
    assert sum(said.startswith("The training process ended (killed") for said in own_trainer.said(name)) == 1


def test_a_worker_that_dies_again_and_again_fails_the_job_and_what_it_learnt_is_kept(
    own_trainer: Trainer, tmp_path: Path
) -> None:
    name = begun(own_trainer)

    def killed() -> bool:
        for worker in workers(tmp_path):
            os.kill(worker, signal.SIGKILL)
        return own_trainer.job(name)["status"] == "failed"

    own_trainer.until(killed)
    job = own_trainer.job(name)
    assert job["error"]["code"] == "worker_failed"
    assert "ended 3 times (killed" in job["error"]["message"]
    assert len(own_trainer.curve(job)) > 10
    checkpoint = own_trainer.http.get(f"{JOBS}/{name}/checkpoints").json()["data"][0]
    assert own_trainer.answer(checkpoint["fine_tuned_model_checkpoint"])
    assert own_trainer.train(n_epochs=1)["status"] == "succeeded"


def test_the_worker_has_a_low_priority_and_no_key(own_trainer: Trainer, tmp_path: Path) -> None:
    name = begun(own_trainer, 1)
    (worker,) = workers(tmp_path)
    assert os.getpriority(os.PRIO_PROCESS, worker) >= 10
    assert b"a-key-of-the-tests" not in Path(f"/proc/{worker}/environ").read_bytes()
    own_trainer.post(f"{JOBS}/{name}/cancel")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["ended", "killed"])
def test_a_job_survives_its_engine_and_goes_on_by_itself(
    own_trainer: Trainer, start_trainer: Callable[..., Trainer], tmp_path: Path, how: signal.Signals
) -> None:
    done = own_trainer.train(n_epochs=1)
    name = begun(own_trainer)
    own_trainer.engine.process.send_signal(how)
    own_trainer.engine.process.wait(20)
    # What it left behind ends by itself.
    own_trainer.until(lambda: not workers(tmp_path))
    again = start_trainer(tmp_path / "engine")
    assert again.job(done["id"]) == done
    assert again.answer(done["fine_tuned_model"])
    job = again.end(name)
    assert job["status"] == "succeeded", job["error"]
    assert any(said.startswith("Fine-tuning job goes on, from step") for said in again.said(name))
    assert again.curve(job) == whole(again, job["training_file"])
    again.engine.process.kill()
    again.engine.process.wait()


def test_a_merge_ends_with_the_engine_that_it_is_for(own_trainer: Trainer, tmp_path: Path) -> None:
    name = own_trainer.train(n_epochs=1)["fine_tuned_model"]

    def merging() -> list[int]:
        return workers(tmp_path, b"playground.engine.tuning.export")

    with socket.create_connection(
        (urlsplit(own_trainer.engine.url).hostname, urlsplit(own_trainer.engine.url).port)
    ) as asks:
        asks.sendall(f"GET /v1/models/{name}/gguf HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n\r\n".encode())
        (merge,) = own_trainer.until(merging)
        os.kill(merge, signal.SIGSTOP)
        own_trainer.engine.process.kill()
        own_trainer.engine.process.wait()
    assert merging() == [merge]
    os.kill(merge, signal.SIGCONT)
    own_trainer.until(lambda: not merging())
    exports = tmp_path / "engine" / "exports"
    assert not [path for path in exports.iterdir() if not path.name.startswith(".")]


def test_two_engines_on_one_folder_train_once_and_the_second_takes_over(
    own_trainer: Trainer, start_trainer: Callable[..., Trainer], tmp_path: Path
) -> None:
    done = own_trainer.train(n_epochs=1)
    name = begun(own_trainer, n_epochs=40, batch_size=8)
    second = start_trainer(tmp_path / "engine")
    # It reads, and answers, and says who to ask for the rest.
    assert second.job(name)["status"] == "running"
    assert second.answer(done["fine_tuned_model"]) == own_trainer.answer(done["fine_tuned_model"])
    for asked in (
        second.post(f"{JOBS}/{name}/cancel"),
        second.http.post(JOBS, json={"model": second.model, "training_file": done["training_file"]}),
        second.http.delete(f"/v1/models/{done['fine_tuned_model']}"),
    ):
        assert (asked.status_code, asked.json()["error"]["code"]) == (409, "data_folder_in_use")
    assert len(workers(tmp_path)) == 1
    own_trainer.engine.process.kill()
    own_trainer.engine.process.wait()
    job = second.end(name)
    assert job["status"] == "succeeded", job["error"]
    assert second.http.delete(f"/v1/models/{done['fine_tuned_model']}").json()["deleted"]
    second.engine.process.kill()
    second.engine.process.wait()


def test_a_folder_that_cannot_be_written_ends_the_engine_with_a_sentence(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    done = subprocess.run(
        [sys.executable, "-m", "playground.engine", "--port", "0", "--model", tiny, "--data", tmp_path / "file"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "Choose another --data" in done.stderr


def test_what_was_half_written_is_removed_and_a_damaged_job_is_passed_over(
    own_trainer: Trainer, start_trainer: Callable[..., Trainer], tmp_path: Path
) -> None:
    job: dict[str, Any] = own_trainer.train(n_epochs=1)
    own_trainer.engine.process.kill()
    own_trainer.engine.process.wait()
    data = tmp_path / "engine"
    half = data / "files" / (".file-" + "a" * 24)
    half.mkdir()
    (half / "content").write_bytes(b"x")
    (data / "exports").mkdir()
    (data / "exports" / "half.gguf").write_bytes(b"x")
    broken = data / "jobs" / ("ftjob-" + "b" * 24)
    broken.mkdir()
    (broken / "job.json").write_text('{"job": ')
    events = data / "jobs" / job["id"] / "events.jsonl"
    events.write_bytes(events.read_bytes() + b'{"cut by a po\n')
    again = start_trainer(data)
    assert [each["id"] for each in again.http.get(JOBS).json()["data"]] == [job["id"]]
    assert again.said(job["id"])[-1] == "The job has successfully completed"
    again.until(lambda: not half.exists() and not list((data / "exports").iterdir()))
    again.engine.process.kill()
    again.engine.process.wait()
