"""A file split into training and validation: no question is asked in both."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from playground.finetune.duplicates import nearly_equal, normalised
from playground.finetune.splitting import split_lines

WORDS = ["river", "moon", "harbour", "winter", "engine", "letter", "garden", "silver", "planet", "window"]
QUESTION = st.sampled_from(["What is it?", "who are you", "Who are you?", "Where?", "¿Dónde?", "When did it begin"])
ANSWER = st.sampled_from(["yes", "no", "I do not know", ""])


def pair(question: str, answer: str) -> dict[str, Any]:
    return {"prompt": question, "completion": answer}


def chat(question: str, answer: str) -> dict[str, Any]:
    messages = [("system", "Be brief."), ("user", question), ("assistant", answer)]
    return {"messages": [{"role": role, "content": text} for role, text in messages]}


def preference(question: str, answer: str) -> dict[str, Any]:
    said = {"preferred_output": [{"role": "assistant", "content": answer}], "non_preferred_output": []}
    return {"input": {"messages": [{"role": "user", "content": question}]}, **said}


def as_lines(records: Sequence[Any]) -> bytes:
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def asked(data: bytes) -> set[str]:
    """The questions of a file of any kind."""
    found = set()
    for line in data.splitlines():
        record = json.loads(line)
        messages = record.get("messages") or record.get("input", {}).get("messages") or [{"content": ""}]
        question = record.get("prompt") or next((each["content"] for each in messages if each["role"] == "user"), "")
        found.add(normalised(question))
    return found


@given(
    st.lists(st.tuples(QUESTION, ANSWER), min_size=2, max_size=30),
    st.floats(0.05, 0.95),
    st.integers(0, 2**31 - 1),
    st.sampled_from([pair, chat, preference]),
)
def test_no_question_is_on_both_sides_and_no_example_is_lost(
    said: list[tuple[str, str]], ratio: float, seed: int, kind: Callable[[str, str], Any]
) -> None:
    data = as_lines([kind(*each) for each in said])
    if len({normalised(question) for question, _ in said}) < 2:
        return
    train, valid = split_lines(data, ratio=ratio, seed=seed)
    assert not asked(train) & asked(valid)
    assert sorted((train + valid).splitlines()) == sorted(data.splitlines())
    assert train
    assert valid
    assert split_lines(data, ratio=ratio, seed=seed) == (train, valid)


def test_as_many_are_held_out_as_the_ratio_says_where_questions_differ() -> None:
    said = [pair(f"{one} {other} {third}", "a") for one in WORDS for other in WORDS for third in WORDS[:3]]
    train, valid = split_lines(as_lines(said), ratio=0.2, seed=42)
    assert (train.count(b"\n"), valid.count(b"\n")) == (240, 60)


def test_nearly_the_same_question_is_not_asked_again_in_validation() -> None:
    chance = random.Random(5)
    base = [" ".join(chance.choices(WORDS, k=12)) for _ in range(40)]
    said = [pair(f"{text}{more}", "a") for text in base for more in ("", " please", " now")]
    families = nearly_equal([each["prompt"] for each in said])
    assert [len(family) for family in families] == [3] * 40
    train, valid = split_lines(as_lines(said), ratio=0.25, seed=1)
    assert valid.count(b"\n") == 30
    assert not {text.removesuffix(" please").removesuffix(" now") for text in asked(train)} & asked(valid)


def test_one_question_with_several_answers_can_still_be_split() -> None:
    train, valid = split_lines(as_lines([pair("Why?", str(n)) for n in range(10)]), ratio=0.3, seed=1)
    assert (train.count(b"\n"), valid.count(b"\n")) == (7, 3)


def test_examples_without_a_question_are_split_one_by_one() -> None:
    train, valid = split_lines(as_lines([pair("", f"text {n}") for n in range(10)]), ratio=0.3, seed=1)
    assert (train.count(b"\n"), valid.count(b"\n")) == (7, 3)


def test_broken_lines_are_split_as_they_are() -> None:
    data = b'{"prompt": 1}\nnot json\n[]\n{"input": 3}\n{"messages": [1]}\n' + b"[" * 50_000 + b"\n"
    train, valid = split_lines(data, ratio=0.5, seed=1)
    assert sorted((train + valid).splitlines()) == sorted(data.splitlines())
