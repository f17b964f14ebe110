"""A job from its first step to its last: what it says, what it keeps, and that an interruption changes nothing."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from playground.engine.training import checkpoints, loop
from playground.engine.training.errors import TrainingError
from playground.engine.training.plan import Classification, Plan
from playground.finetune import results_read
from tests.engine.training.conftest import Line, MakeJob, run, sums


def of(lines: list[Line], kind: str) -> list[Line]:
    return [line for line in lines if line["type"] == kind]


def curve(folder: Path) -> str:
    return (folder / "results.csv").read_text()


def adapter(folder: Path, step: int) -> bytes:
    return (folder / "checkpoints" / f"step-{step}" / "adapter.gguf").read_bytes()


def test_a_job_says_what_happens_in_order(job: MakeJob) -> None:
    lines = run(job(valid=None))
    kinds = [line["type"] for line in lines]
    assert kinds == ["loading", "started", "base", *["step"] * 5, "checkpoint", *["step"] * 5, "checkpoint", "done"]
    started, base, done = lines[1], lines[2], lines[-1]
    assert (started["total_steps"], started["steps_per_epoch"], started["resumed_at"]) == (10, 5, 0)
    assert started["memory_bytes"] > 0
    assert set(base) == {"type", "valid_loss", "valid_mean_token_accuracy", "valid_exact_match"}
    assert done["step"] == 10
    assert done["trained_tokens"] == 2 * sum(len(line["tokens"]) for line in sums(20))
    step = of(lines, "step")[0]
    assert {"step", "total_steps", "train_loss", "train_accuracy", "tokens_per_second", "memory_bytes"} < set(step)
    metrics = of(lines, "checkpoint")[-1]["metrics"]
    assert metrics["step"] == 10
    assert metrics["full_valid_loss"] < base["valid_loss"]
    assert {"train_loss", "train_mean_token_accuracy", "full_valid_mean_token_accuracy", "valid_exact_match"} < set(
        metrics
    )


def test_it_learns_what_can_be_learnt(job: MakeJob) -> None:
    lines = run(job(train=sums(60), valid=None, n_epochs=20, learning_rate=0.02))
    assert of(lines, "base")[0]["valid_exact_match"] <= 0.1
    assert of(lines, "checkpoint")[-1]["metrics"]["valid_exact_match"] >= 0.9


def test_the_curve_is_read_by_the_results_viewer(job: MakeJob) -> None:
    folder = job(valid=None)
    lines = run(folder)
    results = results_read.read((folder / "results.csv").read_bytes())
    assert results.format == "current"
    assert results.notes == ()
    assert results.axes["step"].tolist() == list(range(1, 11))
    losses = [line["train_loss"] for line in of(lines, "step")]
    assert results.columns["train_loss"].values == pytest.approx(losses, rel=1e-5)
    measured = np.flatnonzero(~np.isnan(results.columns["valid_loss"].values)) + 1
    assert measured.tolist() == [4, 5, 8, 10]


def test_the_same_seed_is_the_same_curve_and_another_is_another(job: MakeJob) -> None:
    first, again, other = job("first", valid=None), job("again", valid=None), job("other", valid=None, seed=8)
    for folder in (first, again, other):
        run(folder)
    assert curve(first) == curve(again)
    assert adapter(first, 10) == adapter(again, 10)
    assert curve(first) != curve(other)


@pytest.mark.parametrize("stop_at", [1, 3, 5, 7])
def test_a_job_that_was_paused_writes_the_curve_of_one_that_was_not(job: MakeJob, stop_at: int) -> None:
    whole, cut = job("whole", valid=None), job("cut", valid=None)
    run(whole)
    first = run(cut, stop_at=stop_at)
    assert first[-1] == {"type": "paused", "step": stop_at}
    assert len(curve(cut).splitlines()) == 1 + stop_at
    second = run(cut)
    assert of(second, "started")[0]["resumed_at"] == stop_at
    assert not of(second, "base")
    assert curve(cut) == curve(whole)
    assert adapter(cut, 10) == adapter(whole, 10)
    assert second[-1] == run(whole)[-1], "a job that is done says so again"


def test_a_stop_in_the_middle_of_a_validation_leaves_it_to_the_resume(job: MakeJob) -> None:
    whole, cut = job("whole", valid=sums(40, seed=1)), job("cut", valid=sums(40, seed=1))
    run(whole)
    first = run(cut, stop_at=4)
    second_half = _run_stopping_in_validation(cut)
    assert first[-1]["step"] == 4
    assert second_half[-1] == {"type": "paused", "step": 5}
    assert len(curve(cut).splitlines()) == 1 + 4
    assert [line["step"] for line in of(run(cut), "step")] == [5, 6, 7, 8, 9, 10]
    assert curve(cut) == curve(whole)
    assert adapter(cut, 10) == adapter(whole, 10)


def _run_stopping_in_validation(folder: Path) -> list[Line]:
    """A stop is asked for once step 5 is taken, when its validation begins."""
    from playground.engine.training import worker

    lines: list[Line] = []
    asked = iter([False, True, True])
    worker.run(folder, Plan.read(folder), emit=lines.append, stopping=lambda: next(asked))
    return lines


def test_a_stop_before_the_first_step_begins_anew(job: MakeJob) -> None:
    folder, whole = job("cut", valid=None), job("whole", valid=None)
    run(whole)
    lines: list[Line] = []
    from playground.engine.training import worker

    worker.run(folder, Plan.read(folder), emit=lines.append, stopping=lambda: True)
    assert lines[-1] == {"type": "paused", "step": 0}
    assert of(run(folder), "base")
    assert curve(folder) == curve(whole)


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(job: MakeJob) -> None:
    whole, cut = job("whole"), job("cut")
    run(whole)
    run(cut)
    (cut / "checkpoints" / "step-10" / "state.npz").write_bytes(b"half of a")
    shutil.rmtree(whole / "checkpoints" / "step-10")
    half = cut / "checkpoints" / ".step-7.tmp"
    half.mkdir()
    lines = run(cut)
    assert of(lines, "started")[0]["resumed_at"] == 5
    assert curve(cut) == curve(whole)
    assert not half.exists()
    assert checkpoints.newest(cut)[0].step == 10  # type: ignore[index]


def test_a_row_that_was_cut_short_is_written_again(job: MakeJob) -> None:
    whole, cut = job("whole"), job("cut")
    run(whole)
    run(cut, stop_at=3)
    with (cut / "results.csv").open("a") as file:
        file.write("4,0.5,0.25,,\n5,0.")
    run(cut)
    assert curve(cut) == curve(whole)


def test_a_batch_learnt_in_parts_is_learnt_as_a_whole(job: MakeJob) -> None:
    """`memory` so small that each example is a part of its own, and too small for one: each layer is computed twice."""
    whole, parts = job("whole", valid=None), job("parts", valid=None, memory=1)
    one, other = (of(run(folder), "step") for folder in (whole, parts))
    assert [line["train_loss"] for line in other] == pytest.approx([line["train_loss"] for line in one], rel=1e-4)
    assert [line["valid_loss"] for line in other if "valid_loss" in line] == pytest.approx(
        [line["valid_loss"] for line in one if "valid_loss" in line], rel=1e-4
    )


def test_what_has_weight_0_is_not_learnt(job: MakeJob) -> None:
    """Tokens of weight 0 may be anything where nothing learnt looks at them: after the last that is learnt."""
    plain = sums(20)
    longer = [{**line, "tokens": [*line["tokens"], 9], "weights": [*line["weights"], 0]} for line in plain]
    with_empty = [*plain, {"tokens": [5, 6, 7], "weights": [0, 0, 0]}]
    folders = [job(str(i), train=train) for i, train in enumerate((plain, longer, with_empty))]
    losses = [[line["train_loss"] for line in of(run(folder), "step")] for folder in folders]
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    assert losses[2] == losses[0]


def test_the_train_loss_is_the_mean_over_the_learnt_tokens_of_the_batch(job: MakeJob) -> None:
    """Recomputed one example at a time from the adapter that the step began with: B is 0, so from the base."""
    from playground.engine.training import base, examples
    from playground.engine.training.network import Network

    folder = job(batch_size=20, n_epochs=1)
    said = of(run(folder), "step")[0]
    plan = Plan.read(folder)
    network = Network(base.load(plan.base), {}, scale=1.0, first_layer=0)
    measured = [network.measure([e]) for e in examples.read(folder / "train.jsonl", vocabulary=64, context=64)]
    assert said["train_loss"] == pytest.approx(np.concatenate([m.losses for m in measured]).mean(), rel=1e-5)
    assert said["train_accuracy"] == np.concatenate([m.correct for m in measured]).mean()


def test_a_checkpoints_metrics_can_be_computed_again_from_its_adapter(job: MakeJob) -> None:
    from gguf import GGUFReader

    from playground.engine.training import base, examples
    from playground.engine.training.network import Network

    folder = job(valid=None)
    metrics = of(run(folder), "checkpoint")[-1]["metrics"]
    plan = Plan.read(folder)
    reader = GGUFReader(folder / "checkpoints" / "step-10" / "adapter.gguf")
    arrays = {tensor.name: np.array(tensor.data) for tensor in reader.tensors}
    network = Network(base.load(plan.base), arrays, scale=plan.scale, first_layer=0)
    measured = [network.measure([e]) for e in examples.read(folder / "valid.jsonl", vocabulary=64, context=64)]
    assert metrics["full_valid_loss"] == pytest.approx(np.concatenate([m.losses for m in measured]).mean(), abs=1e-4)
    assert metrics["valid_exact_match"] == np.mean([m.correct.all() for m in measured])


def test_early_stopping_ends_when_validation_gets_no_better(job: MakeJob) -> None:
    """The validation set contradicts what is learnt: it can only get worse."""
    wrong = [{**line, "tokens": [*line["tokens"][:-2], 1, 2]} for line in sums(10)]
    folder = job(valid=wrong, n_epochs=30, early_stopping=2)
    lines = run(folder)
    assert [line["type"] for line in lines[-2:]] == ["early_stopped", "done"]
    epochs = len(of(lines, "checkpoint"))
    assert epochs < 30
    losses = [line["metrics"]["full_valid_loss"] for line in of(lines, "checkpoint")]
    assert losses.index(min(losses)) == epochs - 3
    assert run(folder)[-2:] == lines[-2:], "and stays ended"


def test_early_stopping_without_a_validation_file_is_refused(job: MakeJob) -> None:
    with pytest.raises(TrainingError, match="validation file") as caught:
        run(job(early_stopping=1))
    assert caught.value.param == "validation_file"


@pytest.mark.parametrize("rate", [1e4, 1e6])
def test_a_rate_that_diverges_fails_with_the_reason_and_keeps_the_curve(job: MakeJob, rate: float) -> None:
    folder = job(train=sums(40), n_epochs=40, learning_rate=rate, warmup_ratio=0.0)
    with pytest.raises(TrainingError, match="learning_rate_multiplier") as caught:
        run(folder)
    assert caught.value.code == "diverged"
    results = results_read.read((folder / "results.csv").read_bytes())
    assert results.axes["step"][0] == 1
    assert math.isfinite(results.columns["train_loss"].values[0])
    for state in (folder / "checkpoints").glob("step-*/state.npz"):
        with np.load(state) as saved:
            assert all(np.isfinite(saved[name]).all() for name in saved.files if name != "position")


@pytest.mark.parametrize(
    ("losses", "harmful"),
    [
        ([5.0, 4.0, 3.0], False),
        ([5.0, 9.9], False),
        ([5.0, 10.1], True),
        ([2.0] * 3 + [1.0] * 10 + [2.9] * 10, False),
        ([2.0] * 3 + [1.0] * 10 + [3.1] * 10, True),
        ([2.0] * 3 + [3.1] * 16, False),
    ],
)
def test_a_loss_that_is_a_number_can_be_harm_too(losses: list[float], harmful: bool) -> None:
    assert loop.exploded(losses, vocabulary=math.floor(math.exp(5))) is harmful


def test_a_full_disk_keeps_the_last_whole_checkpoint(job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full from the second checkpoint on: each file may grow to a few bytes only."""
    import resource
    import signal

    folder = job()
    run(folder, stop_at=5)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6_000, before[1]))
    try:
        with pytest.raises(TrainingError, match="disk is full") as caught:
            run(folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert caught.value.code == "disk_full"
    assert [path.name for path in (folder / "checkpoints").iterdir()] == ["step-5"]
    whole = job("whole")
    run(whole)
    run(folder)
    assert curve(folder) == curve(whole)


@pytest.mark.parametrize(
    ("asked", "columns"),
    [
        (Classification(2, "odd"), ["accuracy", "precision", "recall", "auroc", "auprc", "f1.0"]),
        (Classification(2, " odd "), ["accuracy", "precision", "recall", "auroc", "auprc", "f1.0"]),
    ],
)
def test_classification_columns_stand_in_the_epochs_rows(
    job: MakeJob, asked: Classification, columns: list[str]
) -> None:
    folder = job(train=sums(60), valid=None, n_epochs=20, learning_rate=0.02, classification=asked)
    lines = run(folder)
    results = results_read.read((folder / "results.csv").read_bytes())
    for name in columns:
        values = results.columns[f"classification/{name}"].values
        assert np.flatnonzero(~np.isnan(values)).tolist() == list(range(14, 300, 15))
        assert values[-1] >= 0.9
        assert of(lines, "checkpoint")[-1]["metrics"][f"classification/{name}"] == pytest.approx(values[-1], rel=1e-5)
    exact = of(lines, "checkpoint")[-1]["metrics"]["valid_exact_match"]
    assert results.columns["classification/accuracy"].values[-1] == pytest.approx(exact, abs=0.11)


def test_a_checkpoint_of_another_plan_is_refused(job: MakeJob) -> None:
    folder = job()
    run(folder, stop_at=2)
    replace(Plan.read(folder), rank=2).write(folder)
    with pytest.raises(TrainingError, match="does not belong") as caught:
        run(folder)
    assert caught.value.code == "worker_failed"


def test_layers_that_the_model_does_not_have_cannot_learn(job: MakeJob) -> None:
    with pytest.raises(TrainingError, match="2 layers") as caught:
        run(job(first_layer=2))
    assert caught.value.param == "first_layer"


def test_an_example_of_one_step_is_enough(job: MakeJob) -> None:
    said: list[dict[str, Any]] = run(job(train=sums(1), valid=sums(1, seed=1), n_epochs=1))
    assert [line["type"] for line in said] == ["loading", "started", "base", "step", "checkpoint", "done"]
