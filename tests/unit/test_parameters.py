"""Every range at its edges, and every kind of value that a page, a shell or a program can hand over."""

from __future__ import annotations

import math
from typing import Any

import pytest

from playground.errors import InvalidRequest
from playground.messages import MAX_TEXT
from playground.parameters import COMPLETION, MAX_SEED, Parameter, ranges_for, unescape
from playground.parameters import validate_completion as validate
from playground.types import CompletionRequest

NUMBERS = [p for p in COMPLETION if p.kind in ("float", "int")]


def made(context_length: int | None = None, **values: Any) -> CompletionRequest:
    given = {"prompt": "hi", **values}
    return validate(given, endpoint="server", model="m", context_length=context_length)


def refused(param: str, /, **values: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        made(**values)
    assert caught.value.param == param
    return caught.value


def named(spec: Parameter) -> str:
    return spec.name


def with_company(name: str, value: Any) -> dict[str, Any]:
    """`n` above 1 would need nothing else; `best_of` must not be smaller than n, which is unset."""
    return {name: value}


@pytest.mark.parametrize("spec", NUMBERS, ids=named)
@pytest.mark.parametrize("edge", ["low", "high"])
def test_both_ends_of_a_range_are_allowed(spec: Parameter, edge: str) -> None:
    value = getattr(spec, edge)
    assert getattr(made(**with_company(spec.name, value)), spec.name) == value


@pytest.mark.parametrize("spec", NUMBERS, ids=named)
@pytest.mark.parametrize("outside", [-1, 1], ids=["below", "above"])
def test_one_step_beyond_either_end_is_refused(spec: Parameter, outside: int) -> None:
    assert spec.low is not None
    assert spec.high is not None
    step = 1 if spec.kind == "int" else 1e-9
    value = spec.low - step if outside < 0 else spec.high + step
    refused(spec.name, **{spec.name: value})


@pytest.mark.parametrize("spec", NUMBERS, ids=named)
@pytest.mark.parametrize(
    "value",
    [True, False, math.nan, math.inf, -math.inf, "nan", "inf", "one", "1e400", " ", [1], {}, b"1", 1j],
    ids=repr,
)
def test_what_is_no_number_is_refused(spec: Parameter, value: Any) -> None:
    refused(spec.name, **{spec.name: value})


@pytest.mark.parametrize("spec", NUMBERS, ids=named)
@pytest.mark.parametrize(
    "value", [10**400, -(10**400), "9" * 400, "9" * 5_000, 1e308], ids=["int", "-", "str", "long", "f"]
)
def test_a_huge_number_is_refused_and_never_crashes(spec: Parameter, value: Any) -> None:
    refused(spec.name, **{spec.name: value})


@pytest.mark.parametrize("spec", [p for p in NUMBERS if p.kind == "int"], ids=named)
def test_a_whole_number_must_be_whole(spec: Parameter) -> None:
    assert "not whole" in refused(spec.name, **{spec.name: 1.5}).message
    value = getattr(made(**{spec.name: 1.0}), spec.name)
    assert (value, type(value)) == (1, int)


@pytest.mark.parametrize("spec", NUMBERS, ids=named)
def test_a_number_may_come_as_text(spec: Parameter) -> None:
    assert getattr(made(**{spec.name: "1"}), spec.name) == 1


def test_a_seed_as_text_keeps_every_digit() -> None:
    assert made(seed=str(MAX_SEED)).seed == MAX_SEED


@pytest.mark.parametrize("spec", COMPLETION, ids=named)
@pytest.mark.parametrize("unset", [None, ""])
def test_what_is_unset_is_not_sent(spec: Parameter, unset: Any) -> None:
    assert made(**{spec.name: unset}).body() == {"model": "m", "prompt": "hi"}


def test_zero_is_a_value_and_is_sent() -> None:
    sent = made(temperature=0, max_tokens=0, logprobs=0, echo=False).body()
    assert (sent["temperature"], sent["max_tokens"], sent["logprobs"], sent["echo"]) == (0, 0, 0, False)


@pytest.mark.parametrize("name", ["temprature", "prompt_", "", "model", "stream", "x" * 500])
def test_an_unknown_name_is_refused_by_name(name: str) -> None:
    assert refused(name[:40], **{name: 1}).message.startswith("There is no parameter")


def test_names_that_are_no_text_are_refused_too() -> None:
    with pytest.raises(InvalidRequest):
        validate({"prompt": "hi", 5: 1, "b": 2}, endpoint="s", model="m")  # type: ignore[dict-item]


@pytest.mark.parametrize("prompt", [None, ""])
def test_an_empty_prompt_is_refused(prompt: str | None) -> None:
    refused("prompt", prompt=prompt)


@pytest.mark.parametrize("prompt", [5, ["a"], {"text": "a"}, b"a", True])
def test_a_prompt_is_text(prompt: Any) -> None:
    refused("prompt", prompt=prompt)


@pytest.mark.parametrize("prompt", [" ", "\n", "\0", "<|endoftext|>", "😀"])
def test_any_text_is_a_prompt_and_arrives_as_it_is(prompt: str) -> None:
    assert made(prompt=prompt).prompt == prompt


def test_a_prompt_longer_than_any_context_is_refused() -> None:
    assert made(prompt="a" * MAX_TEXT)
    refused("prompt", prompt="a" * (MAX_TEXT + 1))


@pytest.mark.parametrize("field", ["prompt", "suffix", "user"])
def test_half_an_emoji_becomes_something_that_can_be_sent(field: str) -> None:
    value = getattr(made(**{field: "é\ud83d!"}), field)
    assert value.encode("utf-8").decode() == value
    assert value.startswith("é")
    assert value.endswith("!")


# --- stop ---


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (r"\n", "\n"),
        (r"a\tb\r", "a\tb\r"),
        (r"\\n", r"\n"),
        (r"\\\n", "\\\n"),
        ("\\", "\\"),
        (r"\x", r"\x"),
        (r"\\", "\\"),
        ("", ""),
        ("ñ😀", "ñ😀"),
        ("\n", "\n"),
    ],
)
def test_escapes_stand_for_their_characters(typed: str, meant: str) -> None:
    assert unescape(typed) == meant


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("END", ("END",)),
        (["a", "b"], ("a", "b")),
        (("a",), ("a",)),
        (["a", "", "a", "b"], ("a", "b")),
        ([], ()),
        ([""], ()),
        (list("abcd"), tuple("abcd")),
        (list("aabbccdd"), tuple("abcd")),
        ([" "], (" ",)),
    ],
)
def test_stop_takes_a_text_or_up_to_four(given: Any, kept: tuple[str, ...]) -> None:
    assert made(stop=given).stop == kept


@pytest.mark.parametrize("given", [list("abcde"), [1], [None], 5, {"a": 1}, [["a"]], True])
def test_any_other_stop_is_refused(given: Any) -> None:
    refused("stop", stop=given)


# --- logit_bias ---


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"50256": -100}, {"50256": -100.0}),
        ({50256: 100}, {"50256": 100.0}),
        ('{"1": 0.5, "2": "-1"}', {"1": 0.5, "2": -1.0}),
        ({"007": 1}, {"7": 1.0}),
    ],
)
def test_logit_bias_takes_an_object_or_its_json(given: Any, kept: dict[str, float]) -> None:
    assert made(logit_bias=given).logit_bias == kept


@pytest.mark.parametrize(
    "given",
    [
        "{",
        "[1]",
        "5",
        "null",
        '{"1": NaN}',
        '{"1": 1e999}',
        "[" * 100_000,
        {"a": 1},
        {"-1": 1},
        {"1.5": 1},
        {"1": 101},
        {"1": -100.01},
        {"1": True},
        {"1": None},
        {"9" * 10: 1},
        {str(i): 1 for i in range(1025)},
        [1],
        5,
    ],
    ids=lambda value: repr(value)[:20],
)
def test_any_other_logit_bias_is_refused(given: Any) -> None:
    refused("logit_bias", logit_bias=given)


# --- best_of, echo, context ---


@pytest.mark.parametrize(("n", "best_of", "allowed"), [(None, 1, True), (2, 2, True), (2, 3, True), (3, 2, False)])
def test_best_of_is_never_smaller_than_n(n: int | None, best_of: int, allowed: bool) -> None:
    if allowed:
        assert made(n=n, best_of=best_of).best_of == best_of
    else:
        refused("best_of", n=n, best_of=best_of)


@pytest.mark.parametrize("value", [0, 1, "true", "yes", [True]])
def test_echo_is_true_or_false_and_nothing_like_it(value: Any) -> None:
    refused("echo", echo=value)


@pytest.mark.parametrize("context", [1, 2_048, 1_000_000])
def test_the_longest_answer_is_as_long_as_the_context(context: int) -> None:
    assert made(context, max_tokens=context).max_tokens == context
    with pytest.raises(InvalidRequest):
        made(context, max_tokens=context + 1)
    assert next(p for p in ranges_for(context) if p.name == "max_tokens").high == context


def test_a_message_names_the_range_and_the_value() -> None:
    assert refused("temperature", temperature=3).message == "temperature is a number from 0 to 2, not 3."
