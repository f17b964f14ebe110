"""What stands behind the jobs, called as plain functions: over HTTP anybody can call it with anything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from playground.deps import Deps
from playground.finetune.jobs import Checkpoint, Metric, parse_job
from playground.finetune.live import live
from playground.finetune.trained import Lacks, Trained, lacks, shared_ending, trained_on
from playground.ui import jobs
from playground.ui.events import Visit
from playground.ui.following import followed
from playground.ui.job_rows import curves, pace, row, saved
from playground.ui.uploads import Held
from tests.fakes.server import FakeServer

HOSTILE: tuple[Any, ...] = (None, True, -1, 10**400, float("nan"), "", "\x00", "\ud800", [], [[]], {}, {"path": 7})
FIELDS = ("file", "after", "base", "training", "validation", "suffix", "seed", "epochs", "endpoint", "job", "model")
PAIRS = [{"prompt": f"{n} ->", "completion": f" {n}, END"} for n in range(20)]


def lines(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


async def act(deps: Deps, value: Any, held: Held[Any] | None = None) -> dict[str, Any]:
    said: dict[str, Any] = (await jobs.act(deps, held or Held(), value))[0]
    return said


@pytest.mark.parametrize("action", sorted(jobs._ACTIONS))
async def test_hostile_values_are_refused_and_nothing_is_raised(deps: Deps, action: str) -> None:
    known = {"endpoint": "server", "job": "ftjob-1", "base": "server/tiny", "action": action, "n": 1}
    for field in FIELDS:
        for value in HOSTILE:
            said = await act(deps, {**known, field: value})
            assert said["of"] == action
            assert said.get("notice", {}).get("message") != "Something went wrong in the app itself.", (field, value)


async def test_a_job_is_created_from_what_was_dropped_and_is_in_the_list(deps: Deps, fake: FakeServer) -> None:
    held: Held[Any] = Held()
    id_ = held.put(("train.jsonl", lines(PAIRS)), 1)
    asked = {"action": "create", "base": "server/tiny", "training": id_, "epochs": 2}
    made = (await act(deps, asked, held))["created"]
    assert made["settings"]["n_epochs"] == "2"
    assert [row["id"] for row in (await act(deps, {"action": "list"}))["jobs"]] == [made["id"]]


@pytest.mark.parametrize("data", [b"prompt,completion\na,b\n", b"[{}]", b"1\n", b"\n\n", b"\xff", b"[" * 100_000])
async def test_a_file_that_is_no_jsonl_is_refused_before_a_job_is_made_of_it(
    deps: Deps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    (tmp_path / "upload").write_bytes(data)
    said = await act(deps, {"action": "open", "file": {"path": str(tmp_path / "upload"), "name": "qa.csv"}})
    assert said["notice"]["message"].startswith("qa.csv is no JSONL file")
    assert "Prepare it first" in said["notice"]["hint"]


async def test_the_list_goes_on_where_it_ended(deps: Deps, fake: FakeServer) -> None:
    fake.training.page_size = 2
    ids = [fake.training.run() for _ in range(3)]
    first = await act(deps, {"action": "list"})
    rest = await act(deps, {"action": "list", "after": first["after"]})
    assert [row["id"] for row in first["jobs"] + rest["jobs"]] == ids[::-1]
    assert rest["after"] == {}


async def test_results_are_given_out_as_rows_also_where_the_server_wraps_them(
    deps: Deps, fake: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"action": "results", "endpoint": "server", "job": fake.training.run()}
    plain = (await act(deps, asked))["file"]
    assert plain["text"].startswith("step,")
    monkeypatch.setattr(fake.training, "as_base64", True)
    assert (await act(deps, asked))["file"] == plain


def vars_of(picker: Any) -> Any:
    return getattr(picker, "constructor_args", picker)


async def test_a_finished_job_asks_no_server_for_models_that_are_listed(deps: Deps, fake: FakeServer) -> None:
    asked = {"endpoint": "server", "job": fake.training.run()}
    seen = []
    for _ in range(2):
        pickers = [picker async for _, picker in followed(deps, Visit(), asked)]
        # Each visit's own picker is told, though the servers are asked no more.
        assert any(fake.training.jobs[asked["job"]]["fine_tuned_model"] in str(each) for each in map(vars_of, pickers))
        # The last value is said again at the end of the following: by then another part may have changed the picker.
        assert pickers[-1] == gr.skip()
        seen.append(sum(each.path == "/v1/models" for each in fake.requests))
    assert 0 < seen[0] == seen[1]


async def test_following_ends_with_the_job(deps: Deps, fake: FakeServer) -> None:
    job, visit = fake.training.run(), Visit()
    told = [value async for value, _ in followed(deps, visit, {"endpoint": "server", "job": job})]
    shown = [value["about"]["status"] for value in told if isinstance(value, dict) and "about" in value]
    assert shown[-1] == "succeeded"
    assert any(info.id == fake.training.jobs[job]["fine_tuned_model"] for info in deps.models)
    assert visit.runs == {}
    for hostile in HOSTILE:
        async for value, _ in followed(deps, visit, {"endpoint": "server", "job": hostile}):
            assert "notice" in value


def test_a_training_file_tells_its_separator_and_its_ending() -> None:
    assert trained_on(lines(PAIRS)) == Trained(" ->", ", END", "0 ->")


@pytest.mark.parametrize("data", [b"", b"\xff", b"{}", b"[]", lines([{"messages": []}]), lines(PAIRS[:1])])
def test_a_file_without_pairs_tells_nothing(data: bytes) -> None:
    assert trained_on(data) is None


@pytest.mark.parametrize(
    ("prompt", "stop", "missing"),
    [
        ("Hi ->", [" END"], None),
        ("Hi", [" END"], Lacks(" ->", "")),
        ("Hi ->", [], Lacks("", " END")),
        ("Hi ->", ["END"], None),
        ("Hi -> ", ["\n", ""], Lacks(" ->", " END")),
        ("", [" END"], None),
    ],
)
def test_what_a_request_lacks_that_its_model_was_trained_with(
    prompt: str, stop: list[str], missing: Lacks | None
) -> None:
    assert lacks(Trained(" ->", " END", "0 ->"), prompt, stop) == missing
    assert lacks(Trained("", "", ""), prompt, stop) is None


@pytest.mark.parametrize(
    ("texts", "ending"),
    [
        (["a ->", "b ->"], " ->"),
        (["a\n", "b\n"], "\n"),
        (["One.", "Two."], ""),
        (["running", "going"], ""),
        (["a END", "b c END"], " END"),
        (["same", "same"], ""),
        (["alone ->"], ""),
        ([], ""),
    ],
)
def test_an_ending_is_a_separator_and_no_piece_of_a_sentence(texts: list[str], ending: str) -> None:
    assert shared_ending(texts) == ending


def test_a_curve_that_says_what_another_says_is_not_drawn_twice() -> None:
    steps = [{"valid_loss": 2.0}, {"valid_loss": 1.0, "full_valid_loss": 1.0}]
    metrics = [Metric(step=number, values=values) for number, values in enumerate(steps, 1)]
    assert [curve["name"] for curve in curves(metrics)] == ["valid_loss"]
    other = Metric(step=3, values={"valid_loss": 0.5, "full_valid_loss": 0.75})
    assert [curve["name"] for curve in curves([*metrics, other])] == ["valid_loss", "full_valid_loss"]


def test_a_classifiers_measures_are_in_the_table_after_what_everybody_understands_and_no_curves() -> None:
    names = ("valid_loss", "valid_exact_match", "classification/recall")
    made = live({f"base_{name}": 0.5 for name in names} | {"valid_examples": 50})
    assert [score["measure"] for score in pace(made)["scores"]] == ["exact_match", "loss", "classification/recall"]
    told = [Metric(step=1, values=dict.fromkeys(names, 0.5))]
    assert [curve["name"] for curve in curves(told)] == ["valid_loss", "valid_exact_match"]


def test_a_job_is_told_by_its_suffix_and_whole_numbers_have_no_point() -> None:
    said = {"id": "ftjob-1", "user_provided_suffix": "tone", "hyperparameters": {"learning_rate_multiplier": 1.0}}
    shown = row("server", parse_job(said), "en")
    assert (shown["suffix"], shown["settings"]) == ("tone", {"learning_rate_multiplier": "1"})


@pytest.mark.parametrize(
    ("values", "scores"),
    [
        ({"valid_exact_match": 0.5, "classification/recall": 0.1}, {"exact_match": 0.5}),
        ({"train_loss": 1.0, "valid_loss": 2.0, "full_valid_loss": 1.5}, {"loss": 1.5}),
        ({"full_valid_loss": 1.5, "valid_loss": 2.0, "valid_exact_match": 0.5}, {"loss": 1.5, "exact_match": 0.5}),
        ({"train_loss": 1.0, "train_mean_token_accuracy": 0.5}, {"loss": 1.0, "token_accuracy": 0.5}),
        ({}, {}),
    ],
)
def test_a_checkpoints_scores_are_the_whole_validation_files_or_the_training_files(
    values: dict[str, float], scores: dict[str, float]
) -> None:
    assert saved(Checkpoint(id="c", model="m", step=1, created=None, values=values))["scores"] == scores
