"""{{names}} in texts: what is one, what is not, and texts that are made to be slow or large."""

from __future__ import annotations

from typing import Any

import pytest

from playground.errors import InvalidRequest
from playground.messages import MAX_TEXT
from playground.variables import MAX_NAME, fill, fill_all, is_name, names

IMAGE = "data:image/png;base64,iVBORw0KGgo="


def refused(text: Any, values: dict[str, str], *, how: Any = fill) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        how(text, values)
    assert caught.value.param == "variables"
    return caught.value


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ()),
        ("nothing here", ()),
        ("{{tweet}}", ("tweet",)),
        ("{{ tweet }} and {{\ttweet\n}}", ("tweet",)),
        ("{{b}} {{a}} {{b}}", ("b", "a")),
        ("{{a}}{{b}}", ("a", "b")),
        ("{{_}} {{_1}} {{a1}}", ("_", "_1", "a1")),
        ("{{año}} {{名前}} {{имя}} {{ªb}}", ("año", "名前", "имя", "ªb")),
        ("{{a٣}}", ("a٣",)),
        ("{{{a}}}", ("a",)),
        ("{{{{a}}}}", ("a",)),
        ("{{a}} {{A}}", ("a", "A")),
    ],
)
def test_names_come_once_each_in_their_order(text: str, found: tuple[str, ...]) -> None:
    assert names(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "{{}}",
        "{{ }}",
        "{{1}}",
        "{{1a}}",
        "{{²a}}",
        "{{Ⅷ}}",
        "{{a-b}}",
        "{{a b}}",
        "{{a.b}}",
        "{{a|upper}}",
        "{{'a'}}",
        "{{a\u0301}}",
        "{{😀}}",
        "{{a\x00}}",
        "{{\ud800}}",
        "{a}",
        "{ {a} }",
        "{{a}",
        "{{a} }",
        "{a}}",
        "{{{{",
        "}}{{",
        "{% a %}",
    ],
)
def test_what_is_no_name_is_text_like_any_other(text: str) -> None:
    assert names(text) == ()
    assert fill(text, {"a": "x", "b": "y", "1": "z"}) == text


def test_a_name_has_at_most_64_characters() -> None:
    longest = "n" * MAX_NAME
    assert MAX_NAME == 64
    assert names(f"{{{{{longest}}}}} {{{{{longest}n}}}}") == (longest,)
    assert is_name(longest)
    assert not is_name(longest + "n")


@pytest.mark.parametrize("text", ["", " a", "a ", "a\n", "1", "²", "a-b", "{{a}}", "a.b"])
def test_a_name_is_a_name_alone(text: str) -> None:
    assert not is_name(text)


def test_every_place_is_filled() -> None:
    assert fill("{{a}}, {{ b }}, {{a}}!", {"a": "1", "b": "2", "unused": "3"}) == "1, 2, 1!"


def test_a_value_is_text_and_never_filled_again() -> None:
    values = {"a": "{{b}}", "b": "{{a}}", "c": r"\{{a}} \1 \g<0>"}
    assert fill("{{a}} {{b}} {{c}}", values) == r"{{b}} {{a}} \{{a}} \1 \g<0>"


def test_two_values_side_by_side_make_no_new_name() -> None:
    assert fill("{{l}}a{{r}}", {"l": "{{", "r": "}}", "a": "no"}) == "{{a}}"


def test_a_backslash_sends_the_braces_as_they_are() -> None:
    assert names(r"\{{a}} {{b}}") == ("b",)
    assert fill(r"\{{a}} \{{ a }} {{b}}", {"b": "2"}) == "{{a}} {{ a }} 2"


@pytest.mark.parametrize("text", ["\\", r"\n", r"\{a}", r"\{{a-b}}", r"\{{}}", r"\{{²a}}", r"C:\new"])
def test_a_backslash_before_anything_else_stays(text: str) -> None:
    assert fill(text, {"a": "x"}) == text


@pytest.mark.parametrize("values", [{}, {"a": ""}, {"A": "x"}, {"{{a}}": "x"}, {" a ": "x"}])
def test_a_name_without_a_value_is_refused(values: dict[str, str]) -> None:
    error = refused("{{ a }}", values)
    assert error.message == "Without a value: {{a}}."
    assert error.hint == r"Give it a value under Variables, or write \{{name}} to send it as it is."


def test_all_missing_names_are_said_at_once() -> None:
    assert refused("{{b}} {{a}} {{c}} {{b}}", {"a": "1"}).message == "Without a value: {{b}}, {{c}}."


def test_very_many_missing_names_make_no_long_message() -> None:
    text = "".join(f"{{{{n{number}}}}}" for number in range(5_000))
    assert refused(text, {}).message.endswith("{{n9}} and 4,990 more.")


def test_a_message_never_holds_a_value_or_the_text() -> None:
    assert "private" not in str(refused("private {{a}} {{b}}", {"a": "private"}))


def test_every_text_of_a_nested_value_is_filled() -> None:
    messages = [
        {"role": "system", "content": "About {{topic}}"},
        {"role": "user", "content": [{"type": "text", "text": "{{ topic }}?"}, {"type": "image", "url": IMAGE}]},
    ]
    filled = fill_all({"messages": messages, "n": 1, "echo": None, "bias": {"1": 0.5}}, {"topic": "mus"})
    assert filled["messages"][0]["content"] == "About mus"
    assert filled["messages"][1]["content"] == [{"type": "text", "text": "mus?"}, {"type": "image", "url": IMAGE}]
    assert (filled["n"], filled["echo"], filled["bias"]) == (1, None, {"1": 0.5})
    assert messages[0]["content"] == "About {{topic}}"


def test_tuples_stay_tuples_and_keys_stay_as_they_are() -> None:
    assert fill_all(({"{{a}}": "{{a}}"}, ["{{a}}"]), {"a": "x"}) == ({"{{a}}": "x"}, ["x"])


@pytest.mark.parametrize("url", [IMAGE, "data:text/plain,{{a}}", "data:image/svg+xml;utf8,<b>{{a}}</b>"])
def test_data_urls_are_left_alone(url: str) -> None:
    assert fill_all([url], {"a": "x"}) == [url]


@pytest.mark.parametrize("text", ["data: {{a}}", "data:{{a}}", "data:text/plain, then {{a}}", "see data:a/b,{{a}}"])
def test_a_text_that_only_begins_like_a_data_url_is_filled(text: str) -> None:
    assert fill_all(text, {"a": "x"}) == text.replace("{{a}}", "x")


def test_a_nested_value_says_all_its_missing_names_at_once() -> None:
    error = refused({"x": "{{a}}", "y": ["{{b}}", {"z": "{{c}} {{a}}"}]}, {"b": "1"}, how=fill_all)
    assert error.message == "Without a value: {{a}}, {{c}}."


def test_a_value_nested_beyond_all_reason_is_refused() -> None:
    deep: Any = "{{a}}"
    for _ in range(100_000):
        deep = [deep]
    refused(deep, {"a": "x"}, how=fill_all)


@pytest.mark.parametrize(
    "text",
    [
        "{{" * 500_000,
        "{{ " * 300_000,
        "{{a" * 300_000,
        "{{a " * 250_000,
        "{{" + " " * 1_000_000,
        "{{a" + " " * 1_000_000,
        "{{" + "a" * 1_000_000,
        ("{{" + " " * 1_000) * 1_000,
        ("{{" + "a" * 64 + " " * 900) * 1_000,
        "\\" * 1_000_000 + "{{",
        "{{a}" * 250_000,
        "}}" * 500_000,
        "{{a-}}" * 170_000,
        "{{²}}" * 200_000,
    ],
    ids=range(14),
)
def test_a_megabyte_that_is_made_to_be_slow_is_read_in_one_pass(text: str) -> None:
    """Anything but linear would take these from milliseconds to hours."""
    assert names(text) == ()
    assert fill(text, {"a": "x"}) == text
    assert fill_all([text], {"a": "x"}) == [text]


def test_a_short_text_cannot_ask_for_more_memory_than_there_is() -> None:
    bomb = "{{a}}" * 200_000
    assert "4,000,000 characters" in refused(bomb, {"a": "x" * 200_000}).message
    assert "4,000,000 characters" in refused([bomb] * 2_000, {"a": "x" * 200_000}, how=fill_all).message


def test_the_longest_values_that_fit_are_filled() -> None:
    half = "x" * (MAX_TEXT // 2)
    assert len(fill("{{a}}{{a}}", {"a": half})) == MAX_TEXT
    refused("{{a}}{{a}}{{b}}", {"a": half, "b": "x"})
