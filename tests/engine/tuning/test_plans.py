"""What "auto" comes to, and what is said when memory or disk do not suffice."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from playground.engine.errors import ApiError
from playground.engine.training import memory, shape
from playground.engine.training.plan import LEARNING_RATE, Plan
from playground.engine.tuning import folder, plans
from playground.engine.tuning.asked import Asked
from playground.engine.tuning.files import Files
from playground.engine.weights import find
from playground.finetune.estimate import default_epochs


def made(**asked: object) -> Plan:
    about = {"layers": 30, "context": 8_192, "examples": 200, "seed": 1, "lines": 200}
    return plans.make(Asked(**asked), base=find(None).path, **about)  # type: ignore[arg-type]


@pytest.mark.parametrize("examples", [1, 4, 10, 33, 34, 200, 8_333, 8_334, 25_000, 30_000])
def test_epochs_are_those_that_the_page_expects_of_openai(examples: int) -> None:
    assert plans.epochs(examples) == default_epochs(examples)


@pytest.mark.parametrize(
    ("examples", "size"), [(1, 1), (10, 1), (19, 1), (20, 2), (80, 8), (4_499, 8), (4_500, 9), (50_000, 64)]
)
def test_a_batch_is_small_for_a_small_set_and_never_huge(examples: int, size: int) -> None:
    assert plans.batch_size(examples) == size


def test_what_is_asked_for_is_what_is_planned() -> None:
    plan = made(n_epochs=7, batch_size=3, learning_rate_multiplier=0.5, early_stopping=2)
    assert (plan.n_epochs, plan.batch_size, plan.early_stopping) == (7, 3, 2)
    assert plan.learning_rate == LEARNING_RATE / 2
    assert plan.nice >= 10
    assert plan.threads >= 1
    assert made().learning_rate == LEARNING_RATE


def test_where_memory_is_short_a_batch_is_cut_and_then_the_job_is_refused_with_figures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan, model = made(batch_size=64), shape.read(find(None).path)
    enough = memory.estimate(plan, model, longest=400, batch=64)
    monkeypatch.setattr(plans, "available_bytes", lambda: enough + plans.RESERVE)
    assert plans.fitted(plan, model, longest=400) == plan
    monkeypatch.setattr(plans, "available_bytes", lambda: enough + plans.RESERVE - 1)
    cut = plans.fitted(plan, model, longest=400)
    assert cut.memory in plans.SMALLER
    monkeypatch.setattr(plans, "available_bytes", lambda: plans.RESERVE + 72_900_000)
    with pytest.raises(ApiError) as refused:
        plans.fitted(plan, model, longest=400)
    error = refused.value.body["error"]
    assert (error["code"], error["param"]) == ("out_of_memory", "training_file")
    assert "72 MB are free" in error["message"]


def full(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(1, 1, free))


def test_a_full_disk_is_said_before_a_job_starts_and_before_a_file_is_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    full(monkeypatch, 1_000)
    with pytest.raises(ApiError) as refused:
        plans.check_disk(made(), shape.read(find(None).path), tmp_path)
    assert refused.value.status == 507
    assert refused.value.body["error"]["code"] == "disk_full"
    files = Files(tmp_path / "files")
    content = tmp_path / "content"
    content.write_bytes(b"x" * 2_000)
    with content.open("rb") as source, pytest.raises(ApiError, match="The disk has no room for the file"):
        files.add(source, "x", "fine-tune")
    assert list((tmp_path / "files").iterdir()) == []


def test_what_is_written_is_whole_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "job.json"
    folder.write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        folder.write_json(path, {"a": object()})
    assert folder.read_json(path) == {"a": 1}
    path.write_text('{"a": ')
    assert folder.read_json(path) is None
    assert folder.read_json(tmp_path / "none") is None


def test_a_lock_is_one_processes_at_a_time(tmp_path: Path) -> None:
    first, second = folder.Lock(tmp_path / "lock"), folder.Lock(tmp_path / "lock")
    assert first.take()
    assert first.take()
    assert not second.take()
    assert (first.held, second.held) == (True, False)
