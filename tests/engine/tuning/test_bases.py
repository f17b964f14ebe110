"""Fine-tunes over a model of the folder: by its own file, served over it, apart from those of the default one."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from playground.engine.weights import find
from tests.engine.tuning.conftest import JOBS, TINY, Trainer, pairs
from tests.fakes import tiny_gguf

pytestmark = pytest.mark.engine
QUICK = {"n_epochs": 1, "batch_size": 4, "learning_rate_multiplier": 20}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = tmp_path_factory.mktemp("library") / "models"
    models.mkdir()
    tiny_gguf.write(models / "other.gguf", seed=7, tokenizer_of=find(None).path)
    head = tiny_gguf.WIDTH // tiny_gguf.HEADS
    sizes = {"attention.key_length": head, "attention.value_length": head}
    more = tiny_gguf.more_tensors("qwen2")
    tiny_gguf.write(
        models / "qwen.gguf", architecture="qwen2", metadata=sizes, tensors=more, tokenizer_of=find(None).path
    )
    return models


@pytest.fixture(scope="module")
def both(start: Callable[..., Any], tiny: Path, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    data = tmp_path_factory.mktemp("data") / "engine"
    return Trainer(start("--model", str(tiny), "--models", str(folder), "--data", str(data)), "other", data)


def test_a_model_of_the_folder_is_trained_and_its_tune_served_over_it(both: Trainer, folder: Path) -> None:
    job = both.train(pairs(24), **QUICK)
    assert (job["status"], job["model"]) == ("succeeded", "other"), job["error"]
    name = job["fine_tuned_model"]
    assert name.startswith("ft:other:local:")
    said = both.http.get(f"/v1/models/{name}").json()["meta"]
    assert (said["base"], said["trainable"]) == ("other", None)
    scores = {model: _scores(both, model) for model in (name, "other", TINY)}
    assert scores[name] != scores["other"] != scores[TINY]
    merged = both.http.get(f"/v1/models/{name}/gguf", params={"type": "f16"})
    assert merged.content[:4] == b"GGUF"
    # The base goes, and with it what is laid over it; nothing else does.
    kept = folder.parent / "kept.gguf"
    shutil.copy2(folder / "other.gguf", kept)
    assert both.http.delete("/v1/models/other").status_code == 200
    error = both.engine.refused("/v1/completions", {"model": name, "prompt": "x"}, 404)
    assert "no longer has" in error["message"]
    assert both.answer(TINY)
    # The same file again, and it is there again.
    shutil.copy2(kept, folder / "other.gguf")
    assert _scores(both, name) == scores[name]


def _scores(trainer: Trainer, model: str) -> list[float]:
    """How likely a model finds the words of a text."""
    body = {"model": model, "prompt": "The film was great", "max_tokens": 0, "echo": True, "logprobs": 0}
    said = trainer.engine.good("/v1/completions", body)["choices"][0]["logprobs"]["token_logprobs"]
    return [round(score, 3) for score in said[1:]]


def test_what_no_trainer_knows_is_refused_before_a_job_is_there(both: Trainer) -> None:
    file = both.upload(pairs(10))
    before = both.http.get(JOBS).json()["data"]
    error = both.engine.refused(JOBS, {"model": "qwen", "training_file": file})
    assert (error["code"], error["param"]) == ("unsupported_architecture", "model")
    error = both.engine.refused(JOBS, {"model": "nobody", "training_file": file})
    assert error["code"] == "model_not_available"
    assert f"{TINY!r} can" in error["message"]
    assert both.http.get(JOBS).json()["data"] == before


def test_a_model_that_a_job_trains_is_not_deleted(both: Trainer) -> None:
    method = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 50, "batch_size": 1}}}
    job = both.create(pairs(60), method=method)
    refused = both.http.delete("/v1/models/other")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "model_in_training")
    both.post(f"{JOBS}/{job['id']}/cancel")
    both.end(job["id"])
