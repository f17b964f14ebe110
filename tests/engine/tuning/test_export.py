"""A fine-tune leaves as one GGUF that any llama.cpp runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from playground.engine.weights import DEFAULT_ID, find
from tests.engine.tuning.conftest import Trainer
from tests.fakes import adapters

pytestmark = pytest.mark.engine


@pytest.mark.parametrize("kind", ["f16", "q8_0"])
def test_a_merged_model_answers_in_an_engine_of_its_own_as_the_tune_does(
    trainer: Trainer, tiny: Path, start: Callable[..., Any], tmp_path: Path, kind: str
) -> None:
    assert trainer.data
    name = adapters.plant(trainer.data, tiny, trainer.model, seed=8, strength=1.0)
    path = tmp_path / "merged.gguf"
    with trainer.http.stream("GET", f"/v1/models/{name}/gguf", params={"type": kind}) as answer:
        assert answer.status_code == 200, answer.read()
        letters = name.rpartition(":")[2]
        said = answer.headers["content-disposition"]
        assert said == f"attachment; filename*=utf-8''tiny-seed8-{letters}-{kind}.gguf"
        path.write_bytes(b"".join(answer.iter_bytes()))
        assert path.stat().st_size == int(answer.headers["content-length"])
    alone = start("--model", str(path))
    ask = {"prompt": "The film was great 0 ->", "max_tokens": 0, "echo": True, "logprobs": 0}
    scores = []
    for engine, model in ((alone, "merged"), (trainer.engine, name), (trainer.engine, trainer.model)):
        choice = engine.good("/v1/completions", {"model": model, **ask})["choices"][0]
        scores.append(choice["logprobs"]["token_logprobs"][1:])
    merged, tune, base = scores
    apart = max(abs(a - b) for a, b in zip(merged, tune, strict=True))
    assert apart < max(abs(a - b) for a, b in zip(base, tune, strict=True)) / 4
    alone.close()


def test_nothing_is_left_behind_and_what_cannot_be_is_refused(own_trainer: Trainer, tmp_path: Path) -> None:
    job = own_trainer.train(n_epochs=1)
    path = f"/v1/models/{job['fine_tuned_model']}:ckpt-step-10/gguf"
    assert own_trainer.http.get(path).content[:4] == b"GGUF"
    own_trainer.until(lambda: not list((tmp_path / "engine" / "exports").iterdir()))
    for where, query, status, param in (
        (path, {"type": "q4_0"}, 400, "type"),
        ("/v1/models/tiny/gguf", {}, 400, "model"),
        ("/v1/models/ft:tiny:local::aaaaaaaa/gguf", {}, 404, "model"),
    ):
        said = own_trainer.http.get(where, params=query)
        assert (said.status_code, said.json()["error"]["param"]) == (status, param)


def test_a_name_of_a_file_is_one_that_every_system_takes(tmp_path: Path) -> None:
    from playground.engine.tuning import export, models
    from playground.engine.tuning.jobs import Jobs

    base = find(None).path
    name = adapters.plant(tmp_path, base, DEFAULT_ID, seed=3)
    found = models.Models(Jobs(tmp_path / "jobs"), lambda _name: base.stat().st_size).find(f"{name}:ckpt-step-1")
    assert found
    assert re.fullmatch(
        r"smollm2-135m-instruct-seed3-[a-z0-9]{8}-ckpt-step-1-f16\.gguf", export.file_name(found, "f16")
    )
