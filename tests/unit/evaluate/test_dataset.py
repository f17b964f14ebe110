"""Test cases: what they are made of, what is refused, and how they are split."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.errors import InvalidRequest
from playground.evaluate import dataset as datasets
from playground.evaluate.dataset import Case, case_json, check_fits, lacking, made, read_case, split

TWEETS = made(
    "tweets",
    [
        Case(id="1", variables={"tweet": "Great"}, expected="positive", tags=("short",)),
        Case(id="2", variables={"tweet": "Bad day", "user": "ana"}, expected="negative"),
        Case(id="3", prompt="It rains.", tags=("weather", "short")),
    ],
)


def why(given: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        read_case(given, 7)
    assert caught.value.translated
    return caught.value


def test_a_prompt_needs_the_variables_that_stand_in_it_and_a_set_says_which_cases_lack_them() -> None:
    assert datasets.needed("{{b}} {{a}} {{b}}") == ("a", "b")
    assert lacking(TWEETS, "{{tweet}} by {{user}}") == {"tweet": ("3",), "user": ("1", "3")}
    assert lacking(TWEETS.put(Case(id="3", variables={"tweet": ""})), "{{tweet}}") == {"tweet": ("3",)}
    assert lacking(TWEETS, [{"role": "user", "content": "no variable"}]) == {}


def test_a_cases_own_prompt_may_stand_in_another() -> None:
    assert TWEETS.cases[2].values == {"prompt": "It rains."}
    assert lacking(TWEETS, "Translate: {{prompt}}") == {"prompt": ("1", "2")}
    assert Case(id="1", prompt="own", variables={"prompt": "given"}).values == {"prompt": "given"}


def test_a_variable_that_cases_lack_is_named_with_them_and_with_what_there_is() -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_fits(TWEETS, "{{tweet}} {{user}}")
    assert "{{tweet}}. Cases without it: 1 (3)" in caught.value.message
    assert "tweet, user" in caught.value.hint
    with pytest.raises(InvalidRequest, match=r"needs \{\{nobody\}\}, and no case has it") as caught:
        check_fits(TWEETS, "{{nobody}}")
    assert "{{nobody}}" in caught.value.texts("es")[0]


def test_a_case_from_outside_is_read_as_it_is_written() -> None:
    for case in TWEETS.cases:
        assert read_case(case_json(case), 1) == case
    assert read_case({"variables": {"n": 3, "yes": True}, "expected": 1.5}, 4) == Case(
        id="4", variables={"n": "3", "yes": "true"}, expected="1.5"
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "Case 7 is not a JSON object"),
        ({"answer": 1}, "field answer"),
        ({"prompt": "a", "messages": [{"role": "user", "content": "a"}]}, "both a prompt and messages"),
        ({"messages": [{"role": "nobody", "content": "a"}]}, "cannot be sent"),
        ({"messages": []}, "cannot be sent"),
        ({"variables": {"a b": "c"}}, "called a b"),
        ({"variables": ["a"]}, "at most 100 texts"),
        ({"variables": {"a": ["b"]}}, "a of case 7 is not text"),
        ({"prompt": {"a": 1}}, "prompt of case 7 is not text"),
        ({"id": "a\nb"}, "The id of case 7"),
        ({"id": "x" * 101}, "The id of case 7"),
        ({"tags": "short"}, "The tags of case 7"),
        ({"tags": ["a,b"]}, "The tags of case 7"),
        ({"tags": [""]}, "The tags of case 7"),
    ],
)
def test_what_no_case_can_be_is_refused_with_its_number(given: Any, said: str) -> None:
    error = why(given)
    assert said in error.message
    assert error.texts("es")[0] != error.message


def test_why_messages_cannot_be_sent_is_said_in_the_readers_language() -> None:
    said = why({"messages": [{"role": "wizard", "content": "a"}]}).texts("es")[0]
    assert said == "Los mensajes del caso 7 no se pueden enviar: El mensaje 1 tiene el rol 'wizard'."


def test_two_cases_of_one_id_and_no_cases_at_all_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="Two cases have the id a"):
        made("x", [Case(id="a"), Case(id="a")])
    with pytest.raises(InvalidRequest, match="no test cases"):
        made("x", [])
    with pytest.raises(InvalidRequest, match="needs a name"):
        made(" ", [Case(id="a")])


def test_a_dataset_is_chosen_from_and_edited_without_changing_the_one_before() -> None:
    assert [case.id for case in TWEETS.tagged(["short"]).cases] == ["1", "3"]
    assert [case.id for case in TWEETS.keep(["3", "1"]).cases] == ["1", "3"]
    with pytest.raises(InvalidRequest, match="No case is called 9"):
        TWEETS.keep(["9"])
    changed = TWEETS.put(Case(id="2", expected="neutral")).put(Case(id="4"))
    assert [case.expected for case in changed.cases] == ["positive", "neutral", None, None]
    assert [case.id for case in changed.without(["1", "4"]).cases] == ["2", "3"]
    assert (TWEETS.variables, TWEETS.tags, TWEETS.labels) == (
        ("tweet", "user"),
        ("short", "weather"),
        ("positive", "negative"),
    )
    assert len(TWEETS) == 3


def test_a_fingerprint_is_of_what_the_cases_say() -> None:
    again = made("another name", list(TWEETS.cases))
    assert again.fingerprint() == TWEETS.fingerprint()
    assert TWEETS.put(Case(id="1")).fingerprint() != TWEETS.fingerprint()
    assert made("x", TWEETS.cases[::-1]).fingerprint() != TWEETS.fingerprint()


@given(st.lists(st.integers(0, 30), min_size=2, max_size=60), st.floats(0.05, 0.95), st.integers(0, 99))
def test_a_split_keeps_every_case_once_and_equal_questions_together(asked: list[int], ratio: float, seed: int) -> None:
    whole = made("x", [Case(id=str(at), variables={"q": f"Question {each}?"}) for at, each in enumerate(asked)])
    if len(set(asked)) < 2:
        with pytest.raises(InvalidRequest):
            split(whole, ratio=ratio, seed=seed)
        return
    first, second = split(whole, ratio=ratio, seed=seed)
    assert sorted([*first.cases, *second.cases], key=lambda case: int(case.id)) == list(whole.cases)
    assert {case.variables["q"] for case in first.cases}.isdisjoint({case.variables["q"] for case in second.cases})
    assert first.cases
    assert second.cases
    assert split(whole, ratio=ratio, seed=seed) == (first, second)


@given(st.lists(st.sampled_from("aab"), min_size=8, max_size=80), st.floats(0.2, 0.8), st.integers(0, 99))
def test_a_split_by_label_gives_each_its_share_to_a_case(labels: list[str], ratio: float, seed: int) -> None:
    whole = made("x", [Case(id=str(at), prompt=f"Question {at}?", expected=each) for at, each in enumerate(labels)])
    first, second = split(whole, ratio=ratio, seed=seed, by_label=True)
    assert len(second) == max(1, round(len(labels) * ratio))
    assert len(first) + len(second) == len(labels)
    for label in set(labels):
        exact = len(second) * labels.count(label) / len(labels)
        assert abs([case.expected for case in second.cases].count(label) - exact) < 1
