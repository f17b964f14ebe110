"""Fine-tunes of the real default model answer beside it, and nothing of one gets into another."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from playground.engine import serving
from playground.engine.weights import DEFAULT_ID, find
from tests.engine.tuning.conftest import Trainer
from tests.fakes import adapters

pytestmark = pytest.mark.engine
PROMPT = "Once upon a time"
TUNES = 6


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tunes") / "engine"


@pytest.fixture(scope="module")
def tunes(data: Path) -> list[str]:
    return [adapters.plant(data, find(None).path, DEFAULT_ID, seed=seed) for seed in range(TUNES)]


@pytest.fixture(scope="module")
def many(start: Callable[..., Any], data: Path, tunes: list[str]) -> Trainer:
    return Trainer(start("--data", str(data)), DEFAULT_ID)


def test_every_model_says_something_of_its_own(many: Trainer, tunes: list[str]) -> None:
    answers = {name: many.answer(name, PROMPT, max_tokens=24) for name in (DEFAULT_ID, *tunes)}
    # The likeliest words of two may be the same; how likely they are is not.
    body = {"prompt": PROMPT, "max_tokens": 8, "temperature": 0, "logprobs": 0}
    said = [many.engine.good("/v1/completions", {"model": name, **body}) for name in answers]
    likely = [one["choices"][0]["logprobs"]["token_logprobs"] for one in said]
    assert all(not np.allclose(one, other, atol=0.01) for one, other in combinations(likely, 2))
    assert len(set(answers.values())) > 2
    assert [many.answer(name, PROMPT, max_tokens=24) for name in answers] == list(answers.values())


def test_four_models_asked_at_once_answer_as_they_do_alone(many: Trainer, tunes: list[str]) -> None:
    asked = [(model, prompt) for model in (DEFAULT_ID, *tunes[:3]) for prompt in (PROMPT, "The", "In 1492")]

    def answer(one: tuple[str, str]) -> str:
        return many.answer(one[0], one[1], max_tokens=24)

    # Twice: what was read once stays cached, and is then read in parts of another size.
    alone = [[answer(one) for one in asked] for _ in "ab"][1]
    turn = [asked[index::3] for index in range(3)]
    together: dict[tuple[str, str], str] = {}
    for four in turn:
        with ThreadPoolExecutor(4) as pool:
            together |= zip(four, pool.map(answer, four), strict=True)
    assert [together[one] for one in asked] == alone


def test_chats_streams_choices_and_scores_come_from_the_model_that_was_asked(many: Trainer, tunes: list[str]) -> None:
    engine, tune = many.engine, tunes[0]
    chat = {"messages": [{"role": "user", "content": "Tell me a story."}], "max_tokens": 12, "temperature": 0}
    said = {name: engine.good("/v1/chat/completions", {"model": name, **chat}) for name in (DEFAULT_ID, tune)}
    contents = {name: one["choices"][0]["message"]["content"] for name, one in said.items()}
    assert contents[DEFAULT_ID] != contents[tune]
    assert said[tune]["model"] == tune
    streamed = engine.stream("/v1/chat/completions", **{**chat, "model": tune})
    assert "".join(c["choices"][0]["delta"].get("content") or "" for c in streamed) == contents[tune]
    whole = many.answer(tune, PROMPT, max_tokens=12)
    chunks = engine.stream("/v1/completions", model=tune, prompt=PROMPT, max_tokens=12, temperature=0)
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == whole
    body = {"model": tune, "prompt": PROMPT, "max_tokens": 12, "temperature": 0, "n": 3, "logprobs": 2}
    choices = engine.good("/v1/completions", body)["choices"]
    assert {choice["text"] for choice in choices} == {whole}
    scores = {}
    for name in (DEFAULT_ID, tune):
        ask = {"model": name, "prompt": PROMPT, "max_tokens": 0, "echo": True, "logprobs": 1}
        scores[name] = engine.good("/v1/completions", ask)["choices"][0]["logprobs"]["token_logprobs"]
    assert len(scores[tune]) == len(scores[DEFAULT_ID])
    assert scores[tune][1:] != scores[DEFAULT_ID][1:]


def test_a_checkpoint_answers_as_the_model_it_is_of(many: Trainer, tunes: list[str]) -> None:
    assert many.answer(f"{tunes[1]}:ckpt-step-1", PROMPT) == many.answer(tunes[1], PROMPT)


def test_more_fine_tunes_than_are_kept_loaded_are_all_answered_at_once(many: Trainer, tunes: list[str]) -> None:
    assert serving.MOST < TUNES

    def mark(name: str) -> float:
        """How likely the model finds a text: a number of its own."""
        ask = {"model": name, "prompt": PROMPT, "max_tokens": 0, "echo": True, "logprobs": 0}
        scores = many.engine.good("/v1/completions", ask)["choices"][0]["logprobs"]["token_logprobs"][1:]
        return float(sum(scores))

    alone = [mark(name) for name in tunes]
    with ThreadPoolExecutor(2 * TUNES) as pool:
        together = list(pool.map(mark, tunes * 2))
    for at, found in enumerate(together):
        distances = [abs(found - one) for one in alone]
        assert distances.index(min(distances)) == at % TUNES
        assert min(distances) < 0.1


@pytest.mark.parametrize(
    "name",
    ["ft:", f"ft:{DEFAULT_ID}:local::aaaaaaaa", "ft:a:b:c:d:ckpt-step-1", "x" * 5_000, "ft:../..:local::aaaaaaaa"],
)
def test_a_name_that_nobody_has_is_not_found(many: Trainer, name: str) -> None:
    for path, ask in (("/v1/completions", {"prompt": "x"}), ("/v1/chat/completions", {"messages": [{"role": "user"}]})):
        for stream in (False, True):
            error = many.engine.refused(path, {"model": name, **ask, "stream": stream}, 404)
            assert (error["code"], error["param"]) == ("model_not_found", "model")


def test_a_model_that_is_deleted_while_it_answers_finishes(many: Trainer, data: Path) -> None:
    name = adapters.plant(data, find(None).path, DEFAULT_ID, seed=50)
    whole = many.answer(name, PROMPT, max_tokens=150, logit_bias={"2": -100, "0": -100})
    begun, chunks = threading.Event(), []

    def ask() -> None:
        bias = {"2": -100, "0": -100}
        body = {
            "model": name,
            "prompt": PROMPT,
            "max_tokens": 150,
            "temperature": 0,
            "logit_bias": bias,
            "stream": True,
        }
        with many.http.stream("POST", "/v1/completions", json=body) as answer:
            for line in answer.iter_lines():
                if line.startswith("data: {"):
                    chunks.append(json.loads(line[6:])["choices"][0])
                    begun.set()

    asking = threading.Thread(target=ask)
    asking.start()
    assert begun.wait(30)
    assert many.http.delete(f"/v1/models/{name}").json()["deleted"]
    assert many.http.get(f"/v1/models/{name}").status_code == 404
    asking.join(60)
    assert chunks[-1]["finish_reason"] == "length"
    assert "".join(chunk["text"] for chunk in chunks)[:40] == whole[:40]


def test_an_adapter_that_would_end_llama_cpp_is_refused_and_the_others_go_on(many: Trainer, data: Path) -> None:
    double = adapters.plant(data, find(None).path, DEFAULT_ID, seed=60, kind=np.float64)
    cut = adapters.plant(data, find(None).path, DEFAULT_ID, seed=61)
    path = _adapter(data, cut)
    path.write_bytes(path.read_bytes()[:-5_000])
    for name in (double, cut):
        error = many.engine.refused("/v1/completions", {"model": name, "prompt": "x"}, 500)
        assert error["code"] == "adapter_damaged"
        assert "train it again" in error["message"]
    assert many.answer(DEFAULT_ID, PROMPT)


def _adapter(data: Path, name: str) -> Path:
    """Where the adapter of the planted model of that name lies."""
    letters = name.rpartition(":")[2]
    (path,) = (data / "jobs").glob(f"ftjob-{letters}*/checkpoints/step-1/adapter.gguf")
    return path


def test_a_fine_tune_of_another_base_is_not_listed_and_says_so_when_asked(
    many: Trainer, data: Path, tiny: Path
) -> None:
    other = adapters.plant(data, tiny, "tiny", seed=70)
    assert other not in [model["id"] for model in many.http.get("/v1/models").json()["data"]]
    error = many.engine.refused("/v1/completions", {"model": other, "prompt": "x"}, 404)
    assert "'tiny'" in error["message"]
