"""Lengths, splits, and what occurs twice."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.chat_tokens import count_chat
from playground.errors import InvalidRequest
from playground.finetune.chat_check import check
from playground.finetune.chat_format import to_chat
from playground.finetune.duplicates import contradictions, equal, leaked, nearly_equal, normalised
from playground.finetune.sets import read_set
from playground.finetune.splitting import split, split_lines, suggested_ratio
from playground.finetune.statistics import chat_statistics, pair_statistics, summary
from playground.finetune.table import Table
from playground.tokens import Counter, load

WORDS = [
    "the",
    "old",
    "river",
    "carries",
    "small",
    "wooden",
    "boats",
    "toward",
    "a",
    "quiet",
    "harbor",
    "where",
    "children",
    "sell",
    "bright",
    "paper",
    "lanterns",
]


def sentence(chance: random.Random, words: int = 14) -> str:
    return " ".join(f"{chance.choice(WORDS)}{chance.randint(0, 99)}" for _ in range(words))


def test_a_summary_has_the_usual_figures_and_a_histogram_of_all() -> None:
    found = summary([1, 2, 2, 3, 100])
    assert (found.least, found.median, found.mean, found.most, found.total) == (1, 2, 21.6, 100, 108)
    assert sum(found.counts) == 5
    assert len(found.edges) == len(found.counts) + 1
    assert all(edge == int(edge) for edge in found.edges)


@pytest.mark.parametrize("values", [[], [0], [7] * 9, list(range(21)), [10**9, 0]])
def test_every_value_is_in_one_bin_of_at_most_21(values: list[int]) -> None:
    found = summary(values)
    assert sum(found.counts) == len(values)
    assert len(found.counts) <= 21


def test_tokens_of_pairs_are_counted_exactly() -> None:
    table = Table("a", "jsonl", {"prompt": ["¿Qué tal?", ""], "completion": [" bien" * 3, "x" * 5_000]}, [1, 2])
    encoding = load("o200k_base")
    counted = [[len(encoding.encode_ordinary(text)) for text in table.columns[name]] for name in table.columns]
    found = pair_statistics(table, "gpt-4o")
    assert found.completions.total == sum(counted[1])
    assert found.tokens.total == sum(counted[0]) + sum(counted[1])
    assert (found.examples, found.turns.total, found.exact) == (2, 3, True)


def test_only_answers_that_are_trained_on_count_as_completions() -> None:
    ask, say = {"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi there"}
    example: dict[str, Any] = {
        "messages": [ask, {**say, "weight": 0}, ask, say, {"role": "assistant", "content": None}]
    }
    found = chat_statistics([example], "some-model")
    assert found.completions.total == 2
    assert found.turns.total == 5
    assert found.tokens.total == count_chat(Counter(), example, "some-model").tokens
    assert not found.exact


@pytest.mark.parametrize(
    ("count", "ratio"), [(1, 0.3), (99, 0.3), (100, 0.25), (499, 0.25), (500, 0.2), (5_000, 0.2), (20_000, 0.05)]
)
def test_small_sets_hold_out_more(count: int, ratio: float) -> None:
    assert suggested_ratio(count) == ratio


@given(st.lists(st.integers(0, 12), min_size=2, max_size=60), st.floats(0.01, 0.99), st.integers())
def test_equal_examples_are_on_one_side_and_each_is_on_one(keys: list[int], ratio: float, seed: int) -> None:
    if len(set(keys)) < 2:
        return
    made = split(keys, ratio=ratio, seed=seed)
    assert sorted(made.train + made.valid) == list(range(len(keys)))
    assert not {keys[place] for place in made.train} & {keys[place] for place in made.valid}
    assert made.train
    assert made.valid
    assert made == split(keys, ratio=ratio, seed=seed)


@pytest.mark.parametrize(("count", "ratio", "valid"), [(10, 0.2, 2), (10, 0.01, 1), (10, 0.99, 9), (1_000, 0.25, 250)])
def test_the_ratio_is_held_where_examples_differ(count: int, ratio: float, valid: int) -> None:
    made = split(range(count), ratio=ratio, seed=1)
    assert (len(made.valid), made.shortfall) == (valid, 0 if ratio < 0.99 else 1)


def test_another_seed_splits_otherwise() -> None:
    assert split(range(100), ratio=0.2, seed=1) != split(range(100), ratio=0.2, seed=2)


def test_what_cannot_be_split_evenly_says_so() -> None:
    assert split(["a"] * 9 + ["b"] * 5, ratio=0.5, seed=3).shortfall == 2


@pytest.mark.parametrize("ratio", [0.0, 1.0, -1.0, 2.0, float("nan")])
def test_a_ratio_that_leaves_a_side_empty_is_refused(ratio: float) -> None:
    with pytest.raises(InvalidRequest) as caught:
        split([1, 2], ratio=ratio, seed=1)
    assert caught.value.param == "ratio"


@pytest.mark.parametrize("keys", [[], ["a"], ["a", "a", "a"]])
def test_one_example_cannot_be_split(keys: list[str]) -> None:
    with pytest.raises(InvalidRequest, match="two different"):
        split(keys, ratio=0.5, seed=1)


def test_lines_are_split_as_they_are_and_equal_records_stay_together() -> None:
    lines = [b'{"a": 1, "b": "\xc3\xb1"}', b'{"b":"\\u00f1","a":1}', b'{"a": 2}', b"not json", b'{"a": 3}']
    train, valid = split_lines(b"\r\n".join(lines) + b"\n\n", ratio=0.5, seed=4)
    sides = [{line.strip() for line in side.splitlines()} for side in (train, valid)]
    assert sides[0] | sides[1] == set(lines)
    assert not sides[0] & sides[1]
    assert set(lines[:2]) <= sides[0] or set(lines[:2]) <= sides[1]


def test_equal_rows_are_grouped() -> None:
    assert equal(["a", "b", "a", "c", "b", "a"]) == [(0, 2, 5), (1, 4)]


def test_one_prompt_with_two_answers_contradicts_itself() -> None:
    prompts = ["Is it good?", "is it  good", "Is it bad?", "Is it bad?", "", ""]
    assert contradictions(prompts, [" yes", " no", " yes", "Yes.", "a", "b"]) == [(0, 1)]


def test_validation_that_training_has_seen_is_named() -> None:
    assert leaked(["Hello there!", "b", ""], ["hello, there", "c", "b ", ""]) == (0, 2)


def test_texts_of_punctuation_alone_are_not_the_same() -> None:
    assert normalised("???") != normalised("!!!")
    assert leaked(["???"], ["!!!"]) == ()


def test_a_changed_word_leaves_two_texts_nearly_equal() -> None:
    chance = random.Random(5)
    texts = [sentence(chance, 30) for _ in range(300)]
    texts[200] = texts[10].replace(" ", ", ", 3).upper()
    texts[250] = f"{texts[20]} indeed"
    texts[260] = f"well {texts[20]}"
    assert nearly_equal(texts) == [(10, 200), (20, 250, 260)]


@pytest.mark.parametrize("seed", range(5))
def test_nearly_all_of_what_comparing_everything_finds_is_found(seed: int) -> None:
    chance = random.Random(seed)
    texts = [sentence(chance) for _ in range(60)]
    for text in list(texts):
        words = text.split()
        words[chance.randrange(len(words))] = "changed"
        texts.append(" ".join(words))

    def shingles(text: str) -> set[str]:
        return {text[at : at + 5] for at in range(len(text) - 4)}

    sets = [shingles(text) for text in texts]
    near = {(i, i + 60) for i in range(60) if len(sets[i] & sets[i + 60]) >= 0.8 * len(sets[i] | sets[i + 60])}
    found = {group for group in nearly_equal(texts) if len(group) == 2}
    assert len(near) > 20
    assert found <= near
    assert len(found) >= 0.95 * len(near)


def test_what_all_prompts_share_does_not_make_them_nearly_equal() -> None:
    chance = random.Random(2)
    shared = "Translate the following sentence into Spanish and keep its tone: " * 3
    assert nearly_equal([f"{shared}{sentence(chance, 6)}\n\n###\n\n" for _ in range(50)]) == []


@pytest.mark.parametrize(
    ("texts", "groups"),
    [
        ([], []),
        ([""], []),
        (["", "", ""], []),
        (["a"], []),
        (["a", "a", "b"], [(0, 1)]),
        (["", "no", "", "no"], [(1, 3)]),
        (["x" * 100_000, "x" * 100_001], [(0, 1)]),
        (["🙂🙂🙂🙂🙂🙂", "🙂🙂🙂🙂🙂🙂🙂", "東京東京東京"], [(0, 1)]),
    ],
)
def test_odd_texts_are_grouped_too(texts: list[str], groups: list[tuple[int, ...]]) -> None:
    assert nearly_equal(texts) == groups


@given(st.lists(st.text(max_size=30), max_size=20))
def test_equal_texts_are_always_nearly_equal(texts: list[str]) -> None:
    groups = {place: group for group in nearly_equal(texts) for place in group}
    for group in equal([text for text in texts if text]):
        assert len(group) > 1
    for one, text in enumerate(texts):
        for other in range(one):
            if text and text == texts[other]:
                assert groups[one] == groups[other], json.dumps(texts)


def test_pairs_without_an_answer_are_said_and_make_no_chat() -> None:
    given = read_set(b"prompt,completion\na,b\nc,\nd,e\nf,\n", "a.csv")
    assert given.report is not None
    assert not given.report.fit
    (problem,) = given.report.problems
    assert (problem.key, problem.count, problem.lines, problem.example) == ("empty_completion", 2, (3, 5), "c")
    assert given.table is not None
    made = to_chat(given.table)
    assert made.count(b"\n") == 2
    assert not [each for each in check(made).problems if each.key != "few"]
