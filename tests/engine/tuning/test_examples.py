"""What is learnt is what is served: the same tokens, and an end where the model is to stop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from playground.engine import chat
from playground.engine.errors import ApiError
from playground.engine.generation import Generator
from playground.engine.llama import Llama
from playground.engine.scoring import score
from playground.engine.training.examples import Example as TrainingExample
from playground.engine.training.learner import NumpyLearner
from playground.engine.tuning import examples, lines, plans
from playground.engine.tuning.asked import Asked
from playground.engine.tuning.examples import Speech, Tokens
from tests.engine.tuning.conftest import jsonl, pairs

pytestmark = pytest.mark.engine
END = 2
"""<|im_end|>, which ends both a text and a turn of this model."""


@pytest.fixture
async def generator(tiny: Path) -> AsyncIterator[Generator]:
    llama = Llama(tiny)
    yield Generator(llama)
    await llama.aclose()


async def made(generator: Generator, data: Any, tmp_path: Path) -> list[Tokens]:
    path = tmp_path / "one.jsonl"
    path.write_bytes(jsonl([data]))
    (example,) = lines.read(path, "training_file")
    return await (await Speech.of(generator.llama)).examples(example)


def learnt(generator: Generator, one: Tokens) -> list[str]:
    """The stretches of text that are learnt."""
    runs: list[bytes] = []
    for token, weight, before in zip(one.tokens, one.weights, [0, *one.weights], strict=False):
        if weight and not before:
            runs.append(b"")
        if weight:
            runs[-1] += generator.llama.header.vocabulary[token]
    return [run.decode() for run in runs]


@pytest.mark.parametrize(
    "prompt", ["The film was great ->", "señor 😀\n\n###\n\n", "ends in a space ", "<|im_start|>x"]
)
@pytest.mark.parametrize("completion", [" positive\n", " positive END", "\n\nno space", "¿é? 😀"])
async def test_a_pair_is_the_served_prompt_its_completion_and_an_end(
    generator: Generator, tmp_path: Path, prompt: str, completion: str
) -> None:
    (one,) = await made(generator, {"prompt": prompt, "completion": completion}, tmp_path)
    served = await generator.llama.tokenize(prompt, add_special=True)
    assert one.tokens[: len(served)] == served
    assert one.weights == [0] * len(served) + [1] * (len(one.tokens) - len(served))
    assert one.tokens[-1] == END
    assert await generator.llama.detokenize(one.tokens[len(served) : -1]) == completion
    assert one.label == completion.strip()


async def test_an_empty_prompt_begins_a_document_as_it_does_when_it_is_asked(
    generator: Generator, tmp_path: Path
) -> None:
    (one,) = await made(generator, {"prompt": "", "completion": "Once."}, tmp_path)
    assert one.tokens[0] == generator.llama.header.bos_token_id
    assert one.weights[0] == 0
    assert one.tokens[1:-1] == await generator.llama.tokenize("Once.")


CHAT: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "One?"},
    {"role": "assistant", "content": "Uno."},
    {"role": "user", "content": "Two?"},
    {"role": "assistant", "content": "Dos."},
]


async def test_of_a_chat_the_assistants_words_and_their_ends_are_learnt(generator: Generator, tmp_path: Path) -> None:
    (one,) = await made(generator, {"messages": CHAT}, tmp_path)
    assert learnt(generator, one) == ["Uno.<|im_end|>", "Dos.<|im_end|>"]
    for upto in (2, 4):
        served = await chat.rendered(generator, CHAT[:upto], None)
        assert one.tokens[: len(served)] == served
        assert one.weights[len(served) - 1 : len(served) + 1] == [0, 1]


async def test_a_message_of_weight_0_is_read_and_not_learnt(generator: Generator, tmp_path: Path) -> None:
    quiet = [*CHAT[:2], {**CHAT[2], "weight": 0}, *CHAT[3:]]
    (one,) = await made(generator, {"messages": quiet}, tmp_path)
    (loud,) = await made(generator, {"messages": CHAT}, tmp_path)
    assert one.tokens == loud.tokens
    assert learnt(generator, one) == ["Dos.<|im_end|>"]


async def test_a_developer_is_a_system_and_the_rest_after_the_last_answer_is_not_read(
    generator: Generator, tmp_path: Path
) -> None:
    other = [{**CHAT[0], "role": "developer"}, *CHAT[1:], {"role": "user", "content": "Three?"}]
    assert await made(generator, {"messages": other}, tmp_path) == await made(generator, {"messages": CHAT}, tmp_path)


async def test_turns_that_are_read_otherwise_than_they_were_written_are_examples_of_their_own(
    generator: Generator, tmp_path: Path
) -> None:
    # The line breaks of the answer melt into one token with the template's own before it, once it is read again.
    odd = [*CHAT[:2], {"role": "assistant", "content": "\n\nUno."}, *CHAT[3:]]
    found = await made(generator, {"messages": odd}, tmp_path)
    assert [learnt(generator, one) for one in found] == [["\n\nUno.<|im_end|>"], ["Dos.<|im_end|>"]]
    for one, upto in zip(found, (2, 4), strict=True):
        served = await chat.rendered(generator, odd[:upto], None)
        assert one.tokens[: len(served)] == served


async def test_the_loss_is_that_of_the_served_model(generator: Generator, tiny: Path, tmp_path: Path) -> None:
    """By the engine's own scores of a pair's text, and by the trainer's of the tokens it is given."""
    (one,) = await made(generator, pairs(1)[0], tmp_path)
    scores = await score(generator, one.tokens, 0)
    # The end has no score there: what is asked to generate it ends.
    places = [at for at, weight in enumerate(one.weights) if weight][:-1]
    served = -sum(scores[at].logprob for at in places) / len(places)
    layers = generator.llama.header.block_count
    plan = plans.make(Asked(), base=tiny, layers=layers, context=256, examples=10, seed=1, lines=10)
    example = TrainingExample(np.array(one.tokens, np.int32), np.array(places, np.intp))
    assert NumpyLearner.load(plan).measure([example]).loss == pytest.approx(served, abs=2e-2)


@pytest.mark.parametrize("most", [255, 256])
async def test_the_longest_example_is_as_long_as_the_context(generator: Generator, tmp_path: Path, most: int) -> None:
    word = await generator.llama.tokenize(" word" * 10)
    assert len(word) == 10
    file, out = tmp_path / "x.jsonl", tmp_path / "train.jsonl"
    # The prompt, a completion of one token, and the end.
    file.write_bytes(jsonl([{"prompt": " word" * 254, "completion": " word"}]))

    def write() -> Any:
        given: Iterator[Any] = lines.read(file, "training_file")
        return examples.write(speech, given, out, context=most, param="training_file")

    speech = await Speech.of(generator.llama)
    if most == 256:
        assert (await write()).longest == 256
    else:
        with pytest.raises(ApiError, match="Line 1 is 256 tokens long, and the model's context is 255"):
            await write()
        assert not out.exists()


@pytest.mark.parametrize("kind", ["pair", "chat"])
async def test_a_text_that_cannot_fit_is_refused_before_it_is_made_into_tokens(
    generator: Generator, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    speech = await Speech.of(generator.llama)
    far = "a" * (speech.longest_token * generator.llama.context + 1)
    asked = {"role": "user", "content": far}
    chat_ = {"messages": [asked, {"role": "assistant", "content": "b"}]}
    path = tmp_path / "far.jsonl"
    path.write_bytes(jsonl([{"prompt": far, "completion": " b"} if kind == "pair" else chat_]))

    async def never(_self: Speech, _example: lines.Example) -> list[Tokens]:
        raise AssertionError

    monkeypatch.setattr(Speech, "examples", never)
    with pytest.raises(ApiError, match=r"Line 1 is more than 256 tokens long, .* context is 256"):
        await examples.write(
            speech, lines.read(path, "training_file"), tmp_path / "out", context=256, param="training_file"
        )
