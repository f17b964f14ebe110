"""Fine-tuning jobs as data: whatever a server says is read, and whatever a person asks for is checked."""

from __future__ import annotations

from typing import Any

import pytest

from playground.errors import InvalidRequest
from playground.finetune.jobs import (
    Checkpoint,
    Event,
    Job,
    Metric,
    Plan,
    merged,
    parse_checkpoint,
    parse_event,
    parse_job,
    validate_job,
)

HUGE = 10**400
ODD: list[Any] = [None, True, 7, -1, 1.5, float("nan"), float("inf"), HUGE, "", "x", [], [None], {}, {"a": {}}]


# --- jobs ---


def test_a_job_is_read_in_full() -> None:
    said = {
        "id": "ftjob-1",
        "object": "fine_tuning.job",
        "status": "succeeded",
        "model": "gpt-4.1-nano",
        "fine_tuned_model": "ft:gpt-4.1-nano:acme::1",
        "created_at": 100,
        "finished_at": 200,
        "estimated_finish": None,
        "trained_tokens": 4200,
        "hyperparameters": {"n_epochs": 3, "batch_size": "auto", "learning_rate_multiplier": 2.0},
        "seed": 42,
        "error": {"code": None, "message": None, "param": None},
        "training_file": "file-1",
        "validation_file": None,
        "result_files": ["file-9"],
    }
    assert parse_job(said) == Job(
        id="ftjob-1",
        status="succeeded",
        base="gpt-4.1-nano",
        fine_tuned_model="ft:gpt-4.1-nano:acme::1",
        created=100,
        finished=200,
        trained_tokens=4200,
        hyperparameters={"n_epochs": 3, "batch_size": "auto", "learning_rate_multiplier": 2.0},
        seed=42,
        training_file="file-1",
        result_files=("file-9",),
    )


def test_an_empty_object_is_a_job_of_which_nothing_is_known() -> None:
    assert parse_job({}) == Job(id="", status="unknown", base="")
    assert not parse_job({}).ended


@pytest.mark.parametrize("value", ODD, ids=repr)
def test_no_value_of_another_type_breaks_a_job(value: Any) -> None:
    names = ("id", "status", "model", "created_at", "finished_at", "error", "hyperparameters", "method", "result_files")
    job = parse_job({**dict.fromkeys(names, value), "trained_tokens": value, "training_file": value})
    assert isinstance(job.status, str)
    assert isinstance(job.base, str)
    for number in (job.created, job.finished, job.trained_tokens):
        assert number is None or abs(number) < 1e300


def test_the_result_files_of_old_jobs_are_objects() -> None:
    said = [{"id": "file-1", "object": "file"}, "file-2", {"id": None}, 7, ""]
    assert parse_job({"result_files": said}).result_files == ("file-1", "file-2")


def test_hyperparameters_may_stand_in_the_method_alone() -> None:
    method = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 4}}}
    assert parse_job({"hyperparameters": None, "method": method}).hyperparameters == {"n_epochs": 4}


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ({"code": "bad", "message": "Line 3 has no answer.", "param": "training_file"}, "Line 3 has no answer."),
        ({"code": "bad", "message": None}, "bad"),
        ("out of memory", "out of memory"),
        ({}, None),
        (None, None),
    ],
)
def test_why_a_job_failed_is_one_text(error: Any, words: str | None) -> None:
    assert parse_job({"status": "failed", "error": error}).error == words


@pytest.mark.parametrize(
    ("said", "ended"),
    [
        ({"status": "succeeded"}, True),
        ({"status": "failed"}, True),
        ({"status": "cancelled"}, True),
        ({"status": "running"}, False),
        ({"status": "paused"}, False),
        ({"status": "expired", "finished_at": 5}, True),
    ],
)
def test_a_status_nobody_knows_is_kept_and_ends_with_its_time(said: dict[str, Any], ended: bool) -> None:
    job = parse_job(said)
    assert (job.status, job.ended) == (said["status"], ended)


# --- events, metrics, checkpoints ---


def event(**changes: Any) -> dict[str, Any]:
    data = {"step": 3, "train_loss": 0.5, "total_steps": 90}
    return {"id": "e1", "created_at": 5, "level": "info", "message": "Step 3/90", "data": data, **changes}


def test_an_event_with_numbers_is_a_metric() -> None:
    metric = Metric(step=3, total_steps=90, values={"train_loss": 0.5})
    values = {"train_loss": 0.5}
    said = Event(id="e1", created=5, level="info", message="Step 3/90", metric=metric, values=values)
    assert parse_event(event()) == said


def test_where_the_data_has_no_total_the_words_have_it() -> None:
    said = event(message="Step 3/90: training loss=0.50", data={"step": 3, "train_loss": 0.5})
    metric = parse_event(said).metric
    assert metric is not None
    assert metric.total_steps == 90


@pytest.mark.parametrize("total", [2, 0, -1, True, "90", HUGE, None], ids=repr)
def test_a_total_that_cannot_be_is_unknown(total: Any) -> None:
    metric = parse_event(event(message="", data={"step": 3, "train_loss": 0.5, "total_steps": total})).metric
    assert metric is not None
    assert metric.total_steps is None


@pytest.mark.parametrize("value", [None, True, "0.5", float("nan"), float("inf"), HUGE, [], {}], ids=repr)
def test_only_finite_numbers_are_measured(value: Any) -> None:
    metric = parse_event(event(data={"step": 3, "train_loss": 0.5, "valid_loss": value})).metric
    assert metric is not None
    assert metric.values == {"train_loss": 0.5}


@pytest.mark.parametrize("data", [*ODD, {"step": 3}, {"train_loss": 1}, {"step": 1.5, "train_loss": 1}], ids=repr)
def test_an_event_without_numbers_of_a_step_is_a_message(data: Any) -> None:
    assert parse_event(event(data=data)).metric is None


def test_the_values_of_one_step_are_joined_and_steps_put_in_order() -> None:
    train, valid = Metric(step=2, total_steps=9, values={"train_loss": 1.0}), Metric(step=2, values={"valid_loss": 2.0})
    first = Metric(step=1, values={"train_loss": 3.0})
    assert merged([valid, train, first]) == (
        first,
        Metric(step=2, total_steps=9, values={"valid_loss": 2.0, "train_loss": 1.0}),
    )


def test_a_checkpoint_has_a_model_and_its_measures() -> None:
    said = {
        "id": "c1",
        "created_at": 9,
        "fine_tuned_model_checkpoint": "ft:a:b::c:ckpt-step-20",
        "step_number": 20,
        "metrics": {"step": 20, "full_valid_loss": 0.4, "train_loss": None},
    }
    wanted = Checkpoint(id="c1", model="ft:a:b::c:ckpt-step-20", step=20, created=9, values={"full_valid_loss": 0.4})
    assert parse_checkpoint(said) == wanted
    assert parse_checkpoint({}) == Checkpoint(id="", model="", step=None, created=None)


# --- what is asked for ---


def test_what_is_unset_is_not_sent() -> None:
    assert validate_job(base=" gpt-4.1-nano ", suffix="", epochs=None).body("file-1") == {
        "model": "gpt-4.1-nano",
        "training_file": "file-1",
    }


def test_hyperparameters_go_out_in_the_method() -> None:
    plan = validate_job(base="a", suffix="tweets", seed=0, epochs=3, learning_rate_multiplier="0.5")
    assert plan == Plan(base="a", suffix="tweets", seed=0, epochs=3, learning_rate_multiplier=0.5)
    assert plan.body("file-1", "file-2") == {
        "model": "a",
        "training_file": "file-1",
        "validation_file": "file-2",
        "suffix": "tweets",
        "seed": 0,
        "method": {
            "type": "supervised",
            "supervised": {"hyperparameters": {"n_epochs": 3, "learning_rate_multiplier": 0.5}},
        },
    }


def test_beta_goes_out_with_the_method_it_belongs_to() -> None:
    plan = validate_job(base="a", method="dpo", beta="0.1", epochs=2)
    hyperparameters = {"beta": 0.1, "n_epochs": 2}
    assert plan.body("file-1")["method"] == {"type": "dpo", "dpo": {"hyperparameters": hyperparameters}}


def test_a_method_is_sent_without_hyperparameters_too_unless_it_is_what_servers_do_unasked() -> None:
    assert validate_job(base="a", method="dpo").body("f")["method"] == {"type": "dpo", "dpo": {"hyperparameters": {}}}
    assert "method" not in validate_job(base="a", method="supervised").body("f")


@pytest.mark.parametrize("beta", [1e-9, 2, "2"])
def test_the_bounds_of_beta_are_allowed(beta: Any) -> None:
    assert validate_job(base="a", method="dpo", beta=beta).beta == float(beta)


@pytest.mark.parametrize("beta", [0, -0.1, 2.000001, "x", True, float("nan"), float("inf"), HUGE, []], ids=repr)
def test_a_beta_out_of_range_is_refused(beta: Any) -> None:
    with pytest.raises(InvalidRequest, match="beta is a number above 0 and at most 2"):
        validate_job(base="a", method="dpo", beta=beta)


@pytest.mark.parametrize("method", [None, "", "supervised"])
def test_beta_without_dpo_is_refused(method: Any) -> None:
    with pytest.raises(InvalidRequest, match="beta belongs to the method dpo"):
        validate_job(base="a", method=method, beta=0.1)


def test_reinforcement_is_refused_with_what_to_use_instead() -> None:
    with pytest.raises(InvalidRequest) as caught:
        validate_job(base="a", method="reinforcement")
    assert "Use dpo" in caught.value.hint
    assert "supervised" in caught.value.hint


def test_what_a_job_was_trained_by_is_read() -> None:
    said = {"method": {"type": "dpo", "dpo": {"hyperparameters": {"beta": 0.1}}}, "hyperparameters": {"n_epochs": 2}}
    job = parse_job(said)
    assert (job.method, job.hyperparameters) == ("dpo", {"n_epochs": 2, "beta": 0.1})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 1),
        ("epochs", 50),
        ("epochs", "50"),
        ("batch_size", 1),
        ("batch_size", 256),
        ("learning_rate_multiplier", 1e-9),
        ("learning_rate_multiplier", 1000),
        ("suffix", "x"),
        ("suffix", "x" * 64),
        ("seed", 0),
        ("seed", 2**31 - 1),
        ("method", "supervised"),
        ("method", "dpo"),
    ],
)
def test_the_bounds_themselves_are_allowed(name: str, value: Any) -> None:
    assert getattr(validate_job(base="a", **{name: value}), name) == (int(value) if name == "epochs" else value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("epochs", value) for value in (0, 51, -1, 1.5, "three", True, float("nan"), float("inf"), HUGE, [3])),
        *(("batch_size", value) for value in (0, 257, 0.5, "x", False)),
        *(
            ("learning_rate_multiplier", value)
            for value in (0, -0.1, "x", True, float("nan"), float("inf"), "nan", "inf", HUGE, [])
        ),
        *(("suffix", value) for value in ("x" * 65, "   ", 7, ["a"])),
        *(("seed", value) for value in (-1, 2**31, 0.5, "x", True, HUGE)),
        *(("method", value) for value in ("reinforcement", "DPO", "sft", 7, True, ["dpo"], {})),
        *(("base", value) for value in ("", "   ", None, 7, ["gpt"])),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_value_out_of_range_is_refused_by_its_name(name: str, value: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        validate_job(**{"base": "a", name: value})
    assert caught.value.param == name
    assert name in caught.value.message


def test_the_engines_own_settings_are_hyperparameters() -> None:
    plan = validate_job(base="a", early_stopping=2, positive_class=" sí ", trainer="torch", epochs=1)
    assert plan.body("f")["method"]["supervised"]["hyperparameters"] == {
        "n_epochs": 1,
        "early_stopping": 2,
        "compute_classification_metrics": True,
        "classification_positive_class": "sí",
        "trainer": "torch",
    }
    unset = validate_job(base="a", early_stopping=None, positive_class="", classes=None, trainer="")
    assert "method" not in unset.body("f")


@pytest.mark.parametrize(
    ("setting", "value"),
    [("early_stopping", 0), ("classes", 1), ("classes", "many"), ("positive_class", "x" * 201), ("trainer", "jax")],
)
def test_the_engines_own_settings_have_ranges(setting: str, value: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        validate_job(base="a", **{setting: value})
    assert caught.value.param == setting
