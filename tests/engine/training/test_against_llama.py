"""The same numbers as llama.cpp's own: of the base, of an adapter that was trained here, of a merged model."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from playground.engine.training import base, lora
from playground.engine.training.checkpoints import newest
from playground.engine.training.examples import Example
from playground.engine.training.merge import Kind, merge
from playground.engine.training.network import Network
from playground.engine.training.plan import MODULES, Plan
from tests.engine.training.conftest import MakeJob, run, sums
from tests.fakes.plain_llama import PlainLlama

Llama = Callable[..., PlainLlama]
TEXT = [504, 3575, 282, 4649, 314, 7042, 28, 527, 253, 3164, 14575, 30]
"""Twelve tokens of the default model's vocabulary, each a whole word or sign."""


SENTENCE = [504, 3575, 282, 4649, 314, 7042, 28, 284, 357, 314, 253, 3953, 2240, 30]
"""The capital of France is Paris, and it is a beautiful city."""


def trainers(path: Path, plan: Plan, adapter: dict[str, np.ndarray], tokens: Sequence[int]) -> np.ndarray:
    """The log-probability of each token but the first, by the trainer's own network."""
    network = Network(base.load(path), adapter, scale=plan.scale, first_layer=plan.first_layer)
    return -network.measure([Example(np.array(tokens, np.int32), np.arange(1, len(tokens)))]).losses


def llamas(llama: PlainLlama, tokens: Sequence[int], adapter: int | None = None) -> np.ndarray:
    return np.array([llama.logprob(tokens[:i], tokens[i], adapter) for i in range(1, len(tokens))])


def random_adapter(plan: Plan, folder: Path, *, size: float) -> tuple[dict[str, np.ndarray], Path]:
    """Every module's pair with a random B, and its file."""
    random = np.random.default_rng(0)
    arrays = lora.initial(plan, base.load(plan.base).shape)
    for name, array in arrays.items():
        if name.endswith("lora_b"):
            array[...] = random.normal(0, size, array.shape)
    lora.write(folder / "adapter.gguf", arrays, plan.alpha, "llama")
    return arrays, folder / "adapter.gguf"


def plan_for(path: Path, **numbers: Any) -> Plan:
    return Plan(**{"base": path, "n_epochs": 1, "batch_size": 1, "seed": 1, "context": 64, "first_layer": 0, **numbers})


def test_a_float_model_with_and_without_an_adapter_of_every_module(
    servable: Path, tmp_path: Path, llama: Llama
) -> None:
    plan = plan_for(servable, targets=MODULES)
    adapter, file = random_adapter(plan, tmp_path, size=0.2)
    served = llama(servable, [file])
    plain, tuned = trainers(servable, plan, {}, TEXT), trainers(servable, plan, adapter, TEXT)
    assert np.abs(tuned - plain).max() > 1, "the adapter matters"
    assert llamas(served, TEXT) == pytest.approx(plain, abs=1e-3)
    assert llamas(served, TEXT, adapter=0) == pytest.approx(tuned, abs=1e-3)


def test_an_adapter_that_was_trained_here_is_served_with_the_trainers_log_odds(
    job: MakeJob, servable: Path, llama: Llama
) -> None:
    train = [
        {"tokens": [504, 3575, word, answer], "weights": [0, 0, 0, 1]}
        for word, answer in ((282, 4649), (314, 7042), (28, 527), (253, 3164))
    ]
    folder = job(train=train, base=servable, n_epochs=30, learning_rate=0.03, targets=MODULES)
    said = run(folder)
    losses = [line["train_loss"] for line in said if line["type"] == "step"]
    assert losses[-1] < losses[0] / 3
    found = newest(folder)
    assert found is not None
    plan = Plan.read(folder)
    served = llama(servable, [next((folder / "checkpoints").glob("step-30/adapter.gguf"))])
    for line in train:
        *prompt, answer = line["tokens"]
        other = 4649 if answer != 4649 else 7042
        odds = [
            trainers(servable, plan, found[1], [*prompt, token])[-1] - served.logprob(prompt, token, adapter=0)
            for token in (answer, other)
        ]
        assert odds[0] - odds[1] == pytest.approx(0, abs=4e-3)
        assert served.write(prompt, 1, adapter=0) == [answer]


def test_the_default_model_has_the_loss_that_llama_cpp_gives(default: Path, tmp_path: Path, llama: Llama) -> None:
    """Of the same weights in 16 bits; and, but for what its 4-bit kernels round, of those that it serves."""
    plan = plan_for(default, first_layer=29)
    ours = trainers(default, plan, {}, SENTENCE)
    _, nothing = random_adapter(plan, tmp_path, size=0)
    merge(default, nothing, tmp_path / "f16.gguf", type="f16")
    assert llamas(llama(tmp_path / "f16.gguf"), SENTENCE) == pytest.approx(ours, abs=0.03)
    assert llamas(llama(default), SENTENCE).mean() == pytest.approx(ours.mean(), abs=0.04)


def test_the_default_model_has_the_probabilities_that_the_engine_answers(engine: Any, default: Path) -> None:
    text = "The capital of France is Paris, and it is a beautiful city."
    said = engine.complete(text, echo=True, logprobs=0, max_tokens=0)["choices"][0]["logprobs"]
    ours = trainers(default, plan_for(default), {}, SENTENCE)
    assert len(said["token_logprobs"]) == len(SENTENCE)
    assert ours.mean() == pytest.approx(np.mean(said["token_logprobs"][1:]), abs=0.03)


@pytest.mark.parametrize(("kind", "error"), [("f16", 0.02), ("q8_0", 0.3)])
def test_a_merged_model_answers_as_base_and_adapter_do(
    servable: Path, tmp_path: Path, llama: Llama, kind: Kind, error: float
) -> None:
    plan = plan_for(servable, targets=MODULES)
    adapter, file = random_adapter(plan, tmp_path, size=0.2)
    out = tmp_path / "merged.gguf"
    merge(servable, file, out, type=kind)
    assert llamas(llama(out), TEXT) == pytest.approx(trainers(servable, plan, adapter, TEXT), abs=error)


def test_the_default_model_merged_keeps_what_was_learnt(
    default: Path, tmp_path: Path, llama: Llama, job: MakeJob
) -> None:
    """Rome and a full stop in place of Paris; sixteen times."""
    prompt, learnt = SENTENCE[:5], [7268, 30]
    line = {"tokens": [*prompt, *learnt], "weights": [0] * len(prompt) + [1] * len(learnt)}
    folder = job(train=[line] * 4, base=default, n_epochs=16, first_layer=26, learning_rate=5e-3, rank=8)
    run(folder)
    adapter = folder / "checkpoints" / "step-16" / "adapter.gguf"
    kinds: tuple[Kind, ...] = ("f16", "q8_0")
    for kind in kinds:
        merge(default, adapter, tmp_path / f"{kind}.gguf", type=kind)
    tuned = llama(default, [adapter])
    assert tuned.write(prompt, 2) != learnt
    assert tuned.write(prompt, 2, adapter=0) == learnt
    assert [llama(tmp_path / f"{kind}.gguf").write(prompt, 2) for kind in kinds] == [learnt, learnt]


def test_the_adapters_file_says_what_llama_cpp_reads(job: MakeJob) -> None:
    from gguf import GGUFReader

    folder = job(train=sums(4), n_epochs=1, alpha=8.0)
    run(folder)
    reader = GGUFReader(folder / "checkpoints" / "step-1" / "adapter.gguf")
    header = {name: field.contents() for name, field in reader.fields.items()}
    assert header["general.type"] == "adapter"
    assert header["adapter.type"] == "lora"
    assert header["adapter.lora.alpha"] == 8.0
    assert {tensor.tensor_type.name for tensor in reader.tensors} == {"F32"}
    shapes = {tensor.name: tuple(map(int, tensor.shape)) for tensor in reader.tensors}
    assert shapes["blk.0.attn_v.weight.lora_a"] == (32, 4)
    assert shapes["blk.0.attn_v.weight.lora_b"] == (4, 16)
    assert json.loads((folder / "plan.json").read_text())["rank"] == 4
