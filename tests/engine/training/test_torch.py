"""The torch trainer takes the default trainer's steps, and llama.cpp serves what it has learnt, whatever the layout."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf import GGUFReader

from playground.engine.training import extra, lora, torch_learner
from playground.engine.training.errors import TrainingError
from playground.engine.training.examples import Example
from playground.engine.training.examples import read as examples_of
from playground.engine.training.learner import NumpyLearner
from playground.engine.training.plan import MODULES, Plan
from playground.engine.weights import find
from tests.engine.training.conftest import MakeJob, run, sums
from tests.fakes import tiny_gguf
from tests.fakes.plain_llama import PlainLlama

pytestmark = [
    pytest.mark.torch,
    pytest.mark.engine,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]


def plan_for(path: Path, **numbers: Any) -> Plan:
    plan = {"base": path, "n_epochs": 1, "batch_size": 4, "seed": 1, "context": 64, "first_layer": 0, "rank": 4}
    return Plan(**{**plan, "trainer": "torch", **numbers})


def examples(count: int, vocabulary: int, *, seed: int = 0) -> list[Example]:
    random = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        tokens = random.integers(4, vocabulary, random.integers(5, 14)).astype(np.int32)
        made.append(Example(tokens, np.arange(len(tokens) - 3, len(tokens))))
    return made


@pytest.mark.parametrize("tied", [True, False])
def test_both_trainers_take_the_same_steps(tmp_path: Path, tied: bool) -> None:
    path = tiny_gguf.write(tmp_path / "tiny.gguf", tied=tied)
    plan = plan_for(path, targets=MODULES, learning_rate=0.01)
    ours, theirs = NumpyLearner.load(plan), torch_learner.load(plan)
    for step in range(12):
        batch = examples(4, tiny_gguf.VOCABULARY, seed=step)
        mine, other = ours.learn(batch, 0.01), theirs.learn(batch, 0.01)
        np.testing.assert_allclose(other.losses, mine.losses, atol=1e-3)
        assert (other.owners == mine.owners).all()
        assert other.tokens == mine.tokens
    for name, array in ours.adapter().items():
        np.testing.assert_allclose(theirs.adapter()[name], array, atol=2e-3)


def test_both_trainers_take_the_same_steps_on_the_default_model() -> None:
    plan = plan_for(find(None).path, targets=("attn_q", "attn_k", "attn_v"), first_layer=24, learning_rate=2e-3)
    ours, theirs = NumpyLearner.load(plan), torch_learner.load(plan)
    for step in range(4):
        batch = examples(3, ours.shape.vocabulary, seed=step)
        assert theirs.learn(batch, 2e-3).loss == pytest.approx(ours.learn(batch, 2e-3).loss, abs=1e-3)


def test_a_batch_in_parts_and_with_checkpointing_is_the_same_batch(tmp_path: Path) -> None:
    path = tiny_gguf.write(tmp_path / "tiny.gguf")
    whole, parts = (torch_learner.load(plan_for(path, memory=memory)) for memory in (None, 1))
    batch = examples(5, tiny_gguf.VOCABULARY)
    (mine, gradients), (other, in_parts) = whole.gradients(batch), parts.gradients(batch)
    np.testing.assert_allclose(other.losses, mine.losses, atol=1e-5)
    for name, array in gradients.items():
        np.testing.assert_allclose(in_parts[name], array, atol=1e-5)
    np.testing.assert_allclose(
        parts.measure(batch, [5, 6], 1).scores,
        NumpyLearner.load(plan_for(path)).measure(batch, [5, 6], 1).scores,
        atol=1e-4,
    )


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "qwen3"])
def test_llama_cpp_serves_what_torch_has_learnt(
    architecture: str, tmp_path: Path, llama: Callable[..., PlainLlama]
) -> None:
    head = tiny_gguf.WIDTH // tiny_gguf.HEADS
    path = tiny_gguf.write(
        tmp_path / "tiny.gguf",
        architecture=architecture,
        tokenizer_of=find(None).path,
        tensors=tiny_gguf.more_tensors(architecture),
        metadata={"attention.key_length": head, "attention.value_length": head},
    )
    plan = plan_for(path, targets=MODULES)
    learner = torch_learner.load(plan)
    random = np.random.default_rng(0)
    state = learner.state()
    for name, array in learner.adapter().items():
        state[name] = random.normal(0, 0.2, array.shape).astype(np.float32) if name.endswith("lora_b") else array
    learner.restore(state)
    lora.write(tmp_path / "adapter.gguf", learner.adapter(), plan.alpha, architecture)
    served = llama(path, [tmp_path / "adapter.gguf"])
    tokens = random.integers(100, 40_000, 8).tolist()
    assert logprobs(learner, tokens) == pytest.approx(
        [served.logprob(tokens[:i], tokens[i], 0) for i in range(1, len(tokens))], abs=0.01
    )
    assert not np.allclose(
        logprobs(learner, tokens), [served.logprob(tokens[:i], tokens[i]) for i in range(1, len(tokens))], atol=0.1
    )


def logprobs(learner: torch_learner.TorchLearner, tokens: Sequence[int]) -> list[float]:
    read = Example(np.array(tokens, np.int32), np.arange(1, len(tokens)))
    return [-float(loss) for loss in learner.measure([read]).losses]


def test_a_job_goes_on_exactly_where_it_was_stopped(job: MakeJob) -> None:
    whole = job("whole", valid=None, trainer="torch")
    run(whole)
    cut = job("cut", valid=None, trainer="torch")
    run(cut, stop_at=3)
    run(cut)
    assert (cut / "results.csv").read_text() == (whole / "results.csv").read_text()


def test_the_worker_says_nothing_but_json(job: MakeJob) -> None:
    folder = job(train=sums(8), n_epochs=1, trainer="torch")
    done = subprocess.run(
        [sys.executable, "-m", "playground.engine.training", str(folder)], capture_output=True, timeout=300, check=False
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr[-2000:]
    assert [line["type"] for line in lines][-1] == "done"


def test_without_the_extra_one_line_says_what_to_install(job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extra, "find_spec", lambda name: None if name == "peft" else True)
    with pytest.raises(TrainingError, match=r"needs peft. Run: pip install -r requirements-finetune\.txt") as caught:
        run(job(trainer="torch"))
    assert caught.value.code == "missing_extra"


def test_a_model_that_it_does_not_know_is_refused_with_what_it_knows(tmp_path: Path) -> None:
    path = tiny_gguf.write(tmp_path / "tiny.gguf", architecture="mamba")
    with pytest.raises(TrainingError, match="llama, qwen2, qwen3") as caught:
        torch_learner.load(plan_for(path))
    assert caught.value.code == "unsupported_architecture"


def test_a_file_that_only_looks_like_a_model_is_refused(tmp_path: Path) -> None:
    path = tiny_gguf.write(tmp_path / "tiny.gguf", tensors={"blk.1.attn_q.weight": None})
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(TrainingError) as caught:
        torch_learner.load(plan_for(path))
    assert caught.value.code == "bad_base"


def test_what_the_default_trainer_measured_is_what_torch_measures_of_its_checkpoint(job: MakeJob) -> None:
    folder = job(valid=None, n_epochs=2)
    run(folder)
    plan = replace(Plan.read(folder), trainer="torch")
    learner = torch_learner.load(plan)
    saved = GGUFReader(folder / "checkpoints" / "step-10" / "adapter.gguf")
    learner.restore({**learner.state(), **{tensor.name: np.array(tensor.data) for tensor in saved.tensors}})
    valid = examples_of(folder / "valid.jsonl", vocabulary=tiny_gguf.VOCABULARY, context=plan.context)
    measured = learner.measure(valid)
    last = list(csv.DictReader((folder / "results.csv").open()))[-1]
    assert int(last["step"]) == 10
    assert measured.loss == pytest.approx(float(last["valid_loss"]), abs=1e-3)
    assert measured.accuracy == pytest.approx(float(last["valid_mean_token_accuracy"]), abs=1e-3)
