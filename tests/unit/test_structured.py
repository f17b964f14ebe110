"""JSON mode, schemas and functions: checked before they are sent, and the answer after."""

from __future__ import annotations

import json
from typing import Any

import pytest

from playground.errors import InvalidRequest
from playground.structured import MAX_TOOLS, problem_with, read_format, read_json, read_tool_choice, read_tools

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FORMAT = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}
FUNCTION = {"name": "weather", "parameters": SCHEMA}
DEEP = "[" * 100_000


def test_a_bare_schema_is_given_its_wrapping() -> None:
    assert read_format({"type": "json_schema", "json_schema": SCHEMA}) == FORMAT
    assert read_format(FORMAT) == FORMAT


def test_a_schemas_own_name_and_strictness_stay() -> None:
    named = {"name": "place", "strict": True, "schema": SCHEMA}
    assert read_format({"type": "json_schema", "json_schema": named}) == {"type": "json_schema", "json_schema": named}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"type": "json_schema", "json_schema": '{"type": "object",}'}, "line 1, column"),
        ({"type": "json_schema", "json_schema": {"type": "objekt"}}, "wrong at type"),
        ({"type": "json_schema", "json_schema": {"properties": {"a": {"minimum": "x"}}}}, "properties/a/minimum"),
        ({"type": "json_schema", "json_schema": ""}, "There is no JSON schema"),
        ({"type": "json_schema"}, "There is no JSON schema"),
        ({"type": "json_schema", "json_schema": DEEP}, "not valid JSON"),
        ({"type": "json_schema", "json_schema": '{"a": NaN}'}, "not valid JSON"),
        ({"type": "json_schema", "json_schema": {"name": "a b", "schema": SCHEMA}}, "name cannot be sent"),
        ({"type": "xml"}, "text, json_object or json_schema"),
        ("json", "is an object"),
        ([], "is an object"),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused_with_its_place(value: Any, said: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_format(value)
    assert said in caught.value.message
    assert caught.value.param == "response_format"


def test_functions_are_taken_bare_wrapped_alone_and_as_text() -> None:
    wrapped = ({"type": "function", "function": FUNCTION},)
    for given in (FUNCTION, [FUNCTION], list(wrapped), json.dumps([FUNCTION])):
        assert read_tools(given) == wrapped
    assert read_tools(None) == read_tools("") == read_tools([]) == ()


@pytest.mark.parametrize(
    "given",
    ["{", "7", '"weather"', [7], [{}], [{"name": "two words"}], [{"name": 7}], [FUNCTION, FUNCTION],
     pytest.param(DEEP, id="deep"),
     [{"name": "x", "parameters": {"type": "objekt"}}], [{"type": "function"}], [{"name": "x" * 65}],
     [{"name": f"f{i}"} for i in range(MAX_TOOLS + 1)]],
)  # fmt: skip
def test_functions_that_cannot_be_sent_are_refused(given: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_tools(given)
    assert caught.value.param == "tools"


def test_a_function_is_chosen_by_its_name() -> None:
    tools = read_tools(FUNCTION)
    chosen = {"type": "function", "function": {"name": "weather"}}
    assert read_tool_choice("weather", tools) == read_tool_choice(chosen, tools) == chosen
    assert read_tool_choice("required", tools) == "required"
    assert read_tool_choice("auto", ()) is None
    for wrong in ("news", {}, 7, {"function": {"name": "news"}}):
        with pytest.raises(InvalidRequest, match="not among the functions"):
            read_tool_choice(wrong, tools)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"city": "Lima"}', None),
        ('{"city": 7}', "at city: 7 is not of type 'string'"),
        ("{}", "'city' is a required property"),
        ('{"city": "Lima"', "not valid JSON"),
        ("", "not valid JSON"),
        ('{"city": NaN}', "not valid JSON"),
        pytest.param(DEEP, "not valid JSON", id="deep"),
    ],
)
def test_the_answer_is_held_to_the_schema(text: str, problem: str | None) -> None:
    said = problem_with(text, FORMAT)
    assert said is None if problem is None else said is not None and problem in said


def test_json_mode_wants_an_object_and_text_wants_nothing() -> None:
    assert problem_with("[1]", {"type": "json_object"}) == "it is not a JSON object"
    assert problem_with("{}", {"type": "json_object"}) is None
    assert problem_with("hello", {"type": "text"}) is None
    assert problem_with("hello", None) is None


def test_a_schema_elsewhere_is_never_fetched() -> None:
    remote = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"$ref": "http://127.0.0.1:9/x.json"}}}
    said = problem_with("{}", remote)
    assert said is not None
    assert "not here" in said


def test_json_that_was_read_already_passes() -> None:
    assert read_json({"a": 1}, "tools") == {"a": 1}


@pytest.mark.parametrize("half", ["\ud83d", "\\ud83d"])
def test_half_an_emoji_in_a_function_can_be_sent(half: str) -> None:
    (tool,) = read_tools('[{"name": "f", "description": "a%sb"}]' % half)  # noqa: UP031
    assert tool["function"]["description"] == "a?b"
