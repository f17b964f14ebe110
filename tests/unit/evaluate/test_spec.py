"""A sweep's spec: read from YAML, JSON or a page; whatever cannot be run is refused before anything is built."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.errors import InvalidRequest
from playground.evaluate.spec import DEFAULT_CALLS, Rows, count, from_json, read_spec, to_json
from playground.evaluate.spec_files import MAX_BYTES, load

WHOLE = """
name: temperature against top_p
models: [local/smollm2-135m-instruct, openai/gpt-4o-mini]
prompt: "Tweet: {{tweet}}\\nSentiment:"
variables: {language: es}
parameters: {max_tokens: 3, stop: ["\\n"]}
grid:
  temperature: {from: 0, to: 1, step: 0.25}
  top_p: [0.5, 1, null]
dataset: tweets.csv
rows: {tags: [short], sample: 50, seed: 7}
repeats: 5
metrics:
  - exact_match
  - label: {labels: [yes, no]}
budget: 0.50
concurrency: 8
max_calls: 20000
"""
LEAST = {"models": ["m"], "prompt": "Hi"}


def refusal(given: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        from_json({**LEAST, **given} if isinstance(given, dict) else given)
    return caught.value


def test_a_whole_spec_is_read_from_yaml() -> None:
    spec = read_spec(WHOLE)
    assert spec.grid == {"temperature": (0.0, 0.25, 0.5, 0.75, 1.0), "top_p": (0.5, 1.0, None)}
    assert spec.parameters == {"max_tokens": 3, "stop": ["\n"]}
    assert spec.metrics[1].options == {"labels": ["yes", "no"]}
    assert (spec.budget, spec.concurrency, spec.repeats) == (Decimal("0.50"), 8, 5)
    assert spec.rows == Rows(tags=("short",), sample=50, seed=7)
    assert spec.prompt == "Tweet: {{tweet}}\nSentiment:"
    assert count(spec, 50) == 2 * 15 * 5 * 50
    settings = spec.settings()
    assert len(settings) == 15
    assert settings[1] == {"max_tokens": 3, "stop": ["\n"], "temperature": 0.0, "top_p": 1.0}


def test_what_is_written_is_read_again_as_it_was() -> None:
    spec = read_spec(WHOLE)
    assert from_json(to_json(spec)) == spec
    assert read_spec(json.dumps(to_json(spec)), "spec.json") == spec
    listed = from_json({**LEAST, "list": [{"temperature": 0}, {"temperature": 1, "seed": 3}], "model": "m"})
    assert from_json(to_json(listed)) == listed


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.floats(-1e6, 1e6).filter(lambda x: x == x)
    | st.text("abc: -#'\"\n&*!no\té", max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abcy", max_size=4), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(PLAIN)
def test_yaml_reads_all_json_as_json_does(value: Any) -> None:
    assert load(json.dumps({"x": value}), "a.yaml") == load(json.dumps({"x": value}), "a.json") == {"x": value}


def test_plain_words_are_what_they_look_like() -> None:
    read = load("a: no\nb: on\nc: 2024-01-31\nd: 010\ne: 1:30\nf: 1e-3\ng: true\nh:\ni: .5\nj: 0x10\nk: ~", "s.yaml")
    assert read == {
        "a": "no", "b": "on", "c": "2024-01-31", "d": 10, "e": "1:30", "f": 0.001, "g": True, "h": None, "i": 0.5,
        "j": "0x10", "k": None,
    }  # fmt: skip


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "\n".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB, "Line 1 of the spec has an anchor or an alias"),
        ("a: 1\nb: *nothing", "Line 2 of the spec has an anchor or an alias"),
        ("base: &base {a: 1}\nb:\n  <<: *base", "anchor or an alias"),
        ("models: [m]\nmodels: [n]", "models twice"),
        ("a: [1, 2", "Line 1, column 9 of the spec is not valid YAML"),
        ("a:\n\t- b", "not valid YAML"),
        ("a: !!python/object/apply:os.system [ls]", "not valid YAML"),
        ("a: !!binary aGVsbG8=", "neither text, number"),
        ("a: !!set {x}", "neither text, number"),
        ("1: a", "A name in the spec is not text"),
        ("? [a, b]\n: c", "not valid YAML"),
        ("--- a\n--- b", "not valid YAML"),
        ("[" * 5_000, "nested more than 20 deep"),
        ("a: " + "[" * 30 + "]" * 30, "nested more than 20 deep"),
        ("a: " + "9" * 5_000, "too large"),
        ("a: 1e999", "too large"),
        ("a: \x01", "not text"),
        ("  \n", "The spec is empty"),
        ("x" * (MAX_BYTES + 1), "more than 256,000 bytes"),
    ],
)
def test_yaml_that_is_none_or_more_than_it_looks_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said) as caught:
        read_spec(text)
    assert caught.value.translated


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"models": ["m"], "models": []}', "models twice"),
        ('{"a": }', "Line 1, column 7 of the spec is not valid JSON"),
        ('{"a": NaN}', "too large"),
        ('{"a": ' + "9" * 5_000 + "}", "too large"),
        ("[" * 100_000, "nested more than 20 deep"),
        (b"\xff\xfe", "not text in UTF-8"),
        ("[]", "A spec is a mapping"),
    ],
)
def test_json_that_is_none_is_refused_with_its_line(text: str | bytes, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        read_spec(text, "spec.json")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"grid": {"temprature": [0, 1]}}, "There is no parameter temprature"),
        ({"parameters": {"max_token": 3}}, "There is no parameter max_token"),
        ({"list": [{"top_k": 3}]}, "There is no parameter top_k"),
        ({"temperature": 1}, "A spec has no temperature"),
        ({"grid": {}}, "nothing to try"),
        ({"list": []}, "nothing to try"),
        ({"grid": {"temperature": []}}, "temperature has no values to try"),
        ({"grid": []}, "grid is a mapping"),
        ({"list": {"temperature": 1}}, "list is a list"),
        ({"grid": {"temperature": [3]}}, "temperature is a number from 0 to 2"),
        ({"grid": {"temperature": ["hot"]}}, "temperature is a number"),
        ({"grid": {"seed": [True]}}, "seed is a whole number"),
        ({"grid": {"temperature": {"from": 0, "to": 1}}}, "from, to and step"),
        ({"grid": {"temperature": {"from": 0, "to": 1, "step": 0}}}, "from, to and step"),
        ({"grid": {"temperature": {"from": 1, "to": 0, "step": 0.1}}}, "from, to and step"),
        ({"grid": {"n": [1, 2]}}, "n is 1 in a sweep"),
        ({"grid": {"temperature": [0]}, "list": [{"top_p": 1}]}, "both a grid and a list"),
        ({"presets": ["Tweet"]}, "both prompt and presets"),
        ({"messages": [{"role": "user", "content": "Hi"}]}, "both prompt and messages"),
        ({"models": []}, "names no model"),
        ({"models": [["m"]]}, "models is a text of 1 to 200"),
        ({"models": {"m": 1}}, "models is a text, or a list"),
        ({"repeats": 0}, "repeats is a whole number from 1 to 1,000"),
        ({"repeats": "many"}, "repeats is a whole number"),
        ({"concurrency": 65}, "concurrency is a whole number from 1 to 64"),
        ({"budget": 0}, "budget is an amount"),
        ({"budget": "a lot"}, "budget is an amount"),
        ({"budget": True}, "budget is an amount"),
        ({"mode": "fast"}, "mode is one of auto, complete, chat"),
        ({"rows": {"last": 3}}, "rows has tags"),
        ({"rows": {"first": 3, "sample": 2}}, "rows has tags"),
        ({"variables": {"a b": 1}}, "variables is a mapping"),
        ({"dataset": "a\nb"}, "dataset is a text"),
        ({"metrics": ["accuracy"]}, "no metric accuracy"),
        ({"parameters": {"response_format": {"type": "xml"}}}, "response_format is"),
        ({"prompt": 7}, "prompt"),
        ("a text", "A spec is a mapping"),
    ],
)
def test_a_spec_that_cannot_be_run_is_refused_with_what_is_wrong(given: Any, said: str) -> None:
    error = refusal(given)
    assert said in error.message
    if error.translated:
        assert error.texts("es")[0] != error.message


def test_a_billion_combinations_are_refused_without_being_built() -> None:
    fine = {"from": 0, "to": 1, "step": 0.001}
    error = refusal({"grid": {"temperature": fine, "top_p": fine, "presence_penalty": fine}})
    assert "1,003,003,001 combinations" in error.message
    assert "1.003.003.001 combinaciones" in error.texts("es")[0]
    endless = refusal({"grid": {"seed": {"from": 0, "to": 1, "step": "1e-25"}}})
    assert "10,000,000,000,000,000,000,000,001 combinations" in endless.message


def test_more_calls_than_a_spec_expects_are_refused_with_how_many() -> None:
    error = refusal({"grid": {"temperature": {"from": 0, "to": 1, "step": 0.01}}, "repeats": 100})
    assert "10,100 calls" in error.message
    assert "max_calls" in error.hint
    spec = from_json({**LEAST, "grid": {"temperature": [0, 1]}, "repeats": 1_000, "max_calls": 2_000})
    assert (count(spec), spec.max_calls) == (2_000, 2_000)
    assert from_json(LEAST).max_calls == DEFAULT_CALLS


def test_values_that_are_the_same_are_tried_once() -> None:
    spec = from_json({**LEAST, "grid": {"temperature": [0, 0.0, "0", 1], "seed": [1, 1.0]}, "models": ["m", "m"]})
    assert spec.grid == {"temperature": (0.0, 1.0), "seed": (1,)}
    assert spec.models == ("m",)
    assert from_json({**LEAST, "list": [{"seed": 1}, {"seed": 1.0}]}).combinations == ({"seed": 1},)


def test_the_axes_of_a_list_are_what_differs_in_it() -> None:
    spec = from_json(
        {**LEAST, "parameters": {"top_p": 1}, "list": [{"temperature": 0, "seed": 1}, {"temperature": 1, "seed": 1}]}
    )
    assert spec.axes == {"temperature": (0.0, 1.0)}
    assert [each["top_p"] for each in spec.settings()] == [1.0, 1.0]
    assert from_json(LEAST).settings() == [{}]
    assert from_json(LEAST).axes == {}


def test_a_range_has_its_end_and_no_rounding_errors() -> None:
    spec = from_json({**LEAST, "grid": {"temperature": {"from": 0, "to": 0.3, "step": 0.1}, "max_tokens": {"from": 1, "to": 8, "step": 3}}})  # noqa: E501  # fmt: skip
    assert spec.grid == {"temperature": (0.0, 0.1, 0.2, 0.3), "max_tokens": (1, 4, 7)}
