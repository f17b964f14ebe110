"""How jobs, files and models end when something comes between: a full disk, a pause, another engine's end."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import shutil
import signal
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import Request
from starlette.datastructures import UploadFile

from playground.engine import serving
from playground.engine.app import _own_error
from playground.engine.budget import Budget
from playground.engine.errors import ApiError
from playground.engine.shelf import Shelf, describe
from playground.engine.trial import Trials
from playground.engine.tuning import examples, lines, remains, training_run, uploads
from playground.engine.tuning.events import Events
from playground.engine.tuning.examples import Tokens
from playground.engine.tuning.files import Files
from playground.engine.tuning.folder import Lock, write_json
from playground.engine.tuning.jobs import Jobs, Record
from playground.engine.tuning.lines import Example
from playground.engine.tuning.service import Tuning
from playground.engine.tuning.supervisor import Supervisor
from playground.engine.tuning.training_run import TrainingRun
from tests.engine.tuning.conftest import JOBS, Trainer, jsonl, pairs
from tests.engine.tuning.test_interruptions import workers
from tests.fakes import adapters

pytestmark = pytest.mark.engine


class Folder:
    """A data folder with one job, whose files are uploaded."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.jobs, self.files = Jobs(data / "jobs"), Files(data / "files")
        training, valid = self.keep(pairs(40)), self.keep(pairs(12, seed=1))
        self.record: Record = self.jobs.create(
            model="tiny", training_file=training, validation_file=valid, seed=1, suffix="", asked={},
            hyperparameters={}, base_bytes=1,
        )  # fmt: skip
        self.jobs.save(self.record)
        self.run = TrainingRun(self.record, self.jobs, self.files)

    @property
    def own(self) -> Path:
        return self.jobs.folder(self.record)

    @property
    def stored(self) -> dict[str, Any]:
        """The job as it stands on the disk."""
        found: dict[str, Any] = json.loads((self.own / "job.json").read_text())["job"]
        return found

    def keep(self, some: list[Any]) -> str:
        path = self.data / "some"
        path.write_bytes(jsonl(some))
        with path.open("rb") as content:
            return str(self.files.add(content, "x", "fine-tune")["id"])

    def trained(self) -> None:
        """As the worker leaves a job of one checkpoint."""
        adapter = self.jobs.adapter(self.record, 3)
        adapter.parent.mkdir(parents=True)
        for path in (adapter, adapter.with_name("state.npz"), self.own / "train.jsonl"):
            path.write_bytes(b"x")
        (self.own / "results.csv").write_text("step,train_loss\n1,2.0\n")
        self.run.hear({"type": "checkpoint", "step": 3, "metrics": {"step": 3}})
        self.run.hear({"type": "done", "step": 3, "trained_tokens": 99})

    def prepare(self) -> None:
        header = SimpleNamespace(block_count=4)
        generator: Any = SimpleNamespace(llama=SimpleNamespace(context=64, header=header))
        base: Any = SimpleNamespace(path=Path("tiny.gguf"))
        asyncio.run(self.run.prepare_with(generator, base))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def full(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(1, 1, 0))


def test_a_job_that_has_trained_succeeds_though_its_curve_has_no_room_among_the_files(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.trained()
    full(monkeypatch)
    folder.run.succeed()
    assert (folder.stored["status"], folder.stored["result_files"]) == ("succeeded", [])
    assert folder.stored["fine_tuned_model"] == folder.record.model
    # It is kept once there is room: the next engine sees to that.
    monkeypatch.undo()
    again = Jobs(folder.data / "jobs")
    remains.tidy(again.get(folder.record.id), again, folder.files)
    (kept,) = folder.stored["result_files"]
    assert folder.files.content(kept).read_text() == (folder.own / "results.csv").read_text()


def test_what_going_on_needs_is_kept_until_the_end_is_written_down(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.trained()
    state, train = folder.jobs.adapter(folder.record, 3).with_name("state.npz"), folder.own / "train.jsonl"

    def no_room(_record: Record) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(folder.jobs, "save", no_room)
        with pytest.raises(OSError, match="No space"):
            folder.run.succeed()
    assert state.exists()
    assert train.exists()
    folder.run.succeed()
    assert not state.exists()
    assert not train.exists()


def test_what_an_engine_that_was_killed_left_of_an_ended_job_goes_with_the_next(folder: Folder) -> None:
    folder.trained()
    folder.run.succeed()
    left = [folder.own / "train.jsonl", folder.jobs.adapter(folder.record, 3).with_name("state.npz")]
    for path in left:
        path.write_bytes(b"x")
    before = folder.stored
    remains.tidy(folder.record, folder.jobs, folder.files)
    assert not any(path.exists() for path in left)
    assert folder.stored == before


def test_a_file_that_cannot_be_written_whole_leaves_no_part_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(_file: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_room)
    with pytest.raises(OSError, match="No space"):
        write_json(tmp_path / "job.json", {"a": 1})
    assert list(tmp_path.iterdir()) == []


async def test_a_job_that_the_disk_has_no_room_for_is_refused_and_leaves_nothing(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, tiny: Path
) -> None:
    def no_room(_self: Events, *_said: Any, **_more: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    tuning = Tuning(folder.data, Shelf(describe(tiny, "tiny")))
    assert tuning.supervisor._lock.take()
    monkeypatch.setattr(Events, "add", no_room)
    body = {"model": "tiny", "training_file": folder.record.job["training_file"]}
    with pytest.raises(OSError, match="No space") as full:
        await tuning.create(json.dumps(body).encode())
    assert [record.id for record in tuning.jobs.all()] == [folder.record.id]
    assert [path.name for path in (folder.data / "jobs").iterdir()] == [folder.record.id]
    request = Request({"type": "http"})
    said = await _own_error(request, full.value)
    assert (said.status_code, json.loads(said.body)["error"]["code"]) == (507, "disk_full")
    assert (await _own_error(request, ValueError())).status_code == 500


def test_a_paused_job_that_is_cancelled_tells_the_tokens_that_it_trained_on(folder: Folder) -> None:
    step = {"type": "step", "step": 1, "total_steps": 9, "train_loss": 1.0, "train_accuracy": 0.5}
    folder.run.hear({**step, "trained_tokens": 41})
    TrainingRun(folder.record, folder.jobs, folder.files).cancel()
    assert folder.stored["trained_tokens"] == 41


def test_the_bases_own_score_is_no_part_of_what_a_step_is_expected_to_take(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1_000.0]
    clock = SimpleNamespace(monotonic=lambda: now[0], time=lambda: now[0])
    monkeypatch.setattr(training_run, "time", clock)
    folder.run.hear({"type": "started", "total_steps": 10, "resumed_at": 0})
    now[0] += 500
    folder.run.hear({"type": "base", "valid_loss": 2.0})
    now[0] += 2
    folder.run.hear({"type": "step", "step": 1, "total_steps": 10, "train_loss": 1.0, "trained_tokens": 8})
    assert folder.record.job["estimated_finish"] == 1_502 + 9 * 2 + 1


class Reader:
    """Makes tokens of lines, and calls `at` after so many."""

    longest_token = 1_000

    def __init__(self, count: int, at: Any) -> None:
        self._left, self._at = count, at

    async def examples(self, example: Example) -> list[Tokens]:
        self._left -= 1
        if not self._left:
            self._at()
        return [Tokens([1, 2, 3], [0, 1, 1], example.completion)]


def read_by(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    async def of(_llama: Any) -> Reader:
        return reader

    monkeypatch.setattr(examples.Speech, "of", of)


def test_a_job_that_is_paused_and_resumed_while_it_is_read_never_trains_on_a_part(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = lines.check

    def resumed(path: Path, param: lines.Param) -> lines.Summary:
        folder.record.job["status"] = "validating_files"
        return check(path, param)

    read_by(Reader(18, lambda: folder.record.job.update(status="paused")), monkeypatch)
    monkeypatch.setattr(lines, "check", resumed)
    folder.prepare()
    assert not folder.run.prepared
    read_by(Reader(0, lambda: None), monkeypatch)
    folder.record.job["status"] = "validating_files"
    folder.prepare()
    assert folder.run.prepared
    assert len((folder.own / "train.jsonl").read_text().splitlines()) == 40


def test_a_file_that_is_deleted_while_it_is_read_is_named_by_the_job(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = lines.check

    def deleted(path: Path, param: lines.Param) -> lines.Summary:
        summary = check(path, param)
        folder.files.delete(path.parent.name)
        return summary

    read_by(Reader(0, lambda: None), monkeypatch)
    monkeypatch.setattr(lines, "check", deleted)
    with pytest.raises(ApiError, match="was deleted before it was read") as refused:
        folder.prepare()
    assert refused.value.body["error"]["param"] == "training_file"


def test_a_line_of_events_that_was_cut_takes_no_other_with_it(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    events = Events(path)
    events.add("one")
    path.write_bytes(path.read_bytes() + b'{"object": "fine_tu')
    for each in ("two", "three"):
        events.add(each)
    assert [event["message"] for event in Events(path).all()] == ["one", "two", "three"]


def test_a_file_is_gone_at_once_though_an_engine_is_killed_while_it_deletes(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = folder.keep(pairs(2))
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", lambda *_path, **_how: None)
        folder.files.delete(name)
    assert name not in [file["id"] for file in folder.files.all()]
    with pytest.raises(ApiError, match="No such File"):
        folder.files.content(name)
    folder.files.sweep()
    assert not [path for path in (folder.data / "files").iterdir() if name in path.name]


async def test_an_engine_that_takes_over_leaves_what_it_is_writing_itself(folder: Folder) -> None:
    first = Lock(folder.data / "lock")
    assert first.take()
    served: Any = None
    folder.record.job["status"] = "cancelled"
    second = Supervisor(folder.jobs, folder.files, Lock(folder.data / "lock"))
    working = asyncio.create_task(second.run(served))
    await asyncio.sleep(0)
    half, merged = folder.data / "files" / (".file-" + "a" * 24), folder.data / "exports"
    half.mkdir()
    merged.mkdir()
    (merged / "half.gguf").write_bytes(b"x")
    assert first._fd is not None
    os.close(first._fd)
    while not second._lock.held:  # noqa: ASYNC110 - another process's lock tells nobody
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.2)
    working.cancel()
    assert half.exists()
    assert list(merged.iterdir())


async def test_an_upload_that_the_disk_has_no_room_for_on_its_way_in_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_room(_self: UploadFile, _data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    async def body() -> dict[str, Any]:
        part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\nhello\r\n--x--\r\n'
        return {"type": "http.request", "body": part, "more_body": False}

    monkeypatch.setattr(UploadFile, "write", no_room)
    headers = [(b"content-type", b"multipart/form-data; boundary=x")]
    request = Request({"type": "http", "method": "POST", "path": "/v1/files", "headers": headers}, body)
    with pytest.raises(ApiError) as refused:
        await uploads.receive(request, Files(tmp_path / "files"))
    assert (refused.value.status, refused.value.body["error"]["code"]) == (507, "disk_full")


def test_a_model_whose_last_checkpoints_name_was_deleted_is_deleted_too(trainer: Trainer, tiny: Path) -> None:
    assert trainer.data
    name = adapters.plant(trainer.data, tiny, trainer.model, seed=80)
    (adapter,) = (trainer.data / "jobs").glob(f"ftjob-{name.rpartition(':')[2]}*/checkpoints/step-1/adapter.gguf")
    assert trainer.http.delete(f"/v1/models/{name}:ckpt-step-1").json()["deleted"]
    assert trainer.answer(name)
    assert trainer.http.delete(f"/v1/models/{name}").json() == {"id": name, "object": "model", "deleted": True}
    assert not adapter.exists()
    for gone in (name, f"{name}:ckpt-step-1"):
        assert trainer.http.delete(f"/v1/models/{gone}").status_code == 404


def serving_of(base: Path, adapter: serving.Adapter) -> serving.Serving:
    """One that has a single fine-tune, and enough memory for it."""
    generator: Any = SimpleNamespace(llama=SimpleNamespace(context=64, header=None))
    shelf = Shelf(describe(base, "tiny"))
    return serving.Serving(generator, shelf, lambda _name: adapter, Budget(2**40), Trials(None))


async def test_a_model_that_is_deleted_while_it_is_loaded_is_not_kept(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = adapters.write(tmp_path / "adapter.gguf", tiny, seed=1)
    adapter = serving.Adapter(name="ft:x", path=path, created=1, base="tiny", job="ftjob-1")
    closed = []

    class Loading:
        def __init__(self, _base: Path, *, adapter: Path, **_more: Any) -> None:
            adapter.unlink()
            self.context, self.header = 64, SimpleNamespace(vocabulary=[b"x"])

        async def aclose(self) -> None:
            closed.append(self)

    monkeypatch.setattr(serving, "Llama", Loading)
    served = serving_of(tiny, adapter)
    async with served.use("ft:x"):
        assert not closed
    assert served.state(await served.wanted("ft:x")) == (None, None)
    assert len(closed) == 1


async def test_a_model_that_is_deleted_while_a_request_waits_for_it_is_not_found(tiny: Path, tmp_path: Path) -> None:
    gone = serving.Adapter(name="ft:x", path=tmp_path / "adapter.gguf", created=1, base="tiny", job="ftjob-1")
    served = serving_of(tiny, gone)
    with pytest.raises(ApiError) as refused:
        async with served.use("ft:x"):
            raise AssertionError
    assert (refused.value.status, refused.value.body["error"]["code"]) == (404, "model_not_found")


def test_a_job_is_paused_and_then_cancelled_and_tells_what_it_did(trainer: Trainer) -> None:
    name = str(trainer.create(pairs(120), hyperparameters={"n_epochs": 24, "batch_size": 24})["id"])
    trainer.step(name, 6)
    assert trainer.post(f"{JOBS}/{name}/pause").json()["status"] == "paused"
    job = trainer.post(f"{JOBS}/{name}/cancel").json()
    assert job["status"] == "cancelled"
    assert job["trained_tokens"] > 0
    assert len(trainer.curve(job)) > 6


def test_a_job_that_is_still_being_loaded_is_paused_without_waiting_for_that(trainer: Trainer) -> None:
    assert trainer.data
    name = str(trainer.create(pairs(20), hyperparameters={"n_epochs": 2})["id"])
    (worker,) = trainer.until(lambda: workers(trainer.data / "jobs" / name))
    os.kill(worker, signal.SIGSTOP)
    assert trainer.reached(name) == 0
    assert trainer.post(f"{JOBS}/{name}/pause").json()["status"] == "paused"
    assert not workers(trainer.data)
    assert trainer.post(f"{JOBS}/{name}/resume").status_code == 200
    assert trainer.end(name)["status"] == "succeeded"
