"""Files of preferences: every kind of mistake found with its line, and none sent by the wrong method."""

from __future__ import annotations

import json
from typing import Any

import pytest

from playground.errors import InvalidRequest
from playground.finetune.jobs import METHODS
from playground.finetune.line_check import LEAST
from playground.finetune.preference_check import check_preferences, refuse_for

ASK = {"role": "user", "content": "Hello"}
GOOD, BAD = {"role": "assistant", "content": "Good day"}, {"role": "assistant", "content": "What?"}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}


def preference(**changes: Any) -> dict[str, Any]:
    whole = {"input": {"messages": [ASK]}, "preferred_output": [GOOD], "non_preferred_output": [BAD], **changes}
    return {name: value for name, value in whole.items() if value is not None}


def lines(*examples: Any) -> bytes:
    return "\n".join(json.dumps(example) for example in examples).encode()


def among_good(bad: Any) -> bytes:
    """A file whose third line is the bad one."""
    good = [preference()] * LEAST
    return lines(*good[:2], bad, *good[2:])


@pytest.mark.parametrize(
    "example",
    [
        preference(),
        preference(input={"messages": [{"role": "system", "content": "Be kind."}, ASK]}),
        preference(input={"messages": [ASK], "tools": [TOOL], "parallel_tool_calls": True}),
        preference(preferred_output=[{"role": "assistant", "tool_calls": [CALL]}]),
    ],
)
def test_what_openai_takes_has_no_problem(example: Any) -> None:
    assert check_preferences(among_good(example)).problems == ()


@pytest.mark.parametrize(
    ("key", "example"),
    [
        ("not_preferences", {"messages": [ASK, GOOD]}),
        ("not_object", [preference()]),
        ("unknown_field", preference(rejected=[BAD])),
        ("no_input", preference(input=None)),
        ("no_input", preference(input="Hello")),
        ("no_input", preference(input={"messages": []})),
        ("message_not_object", preference(input={"messages": ["Hello"]})),
        ("unknown_role", preference(input={"messages": [{"role": "bot", "content": "Hello"}]})),
        ("bad_tools", preference(input={"messages": [ASK], "tools": "weather"})),
        ("no_output", preference(preferred_output=None)),
        ("no_output", preference(preferred_output="Good day")),
        ("no_output", preference(non_preferred_output=[])),
        ("no_output", preference(non_preferred_output=[BAD, BAD])),
        ("no_output", preference(non_preferred_output=["What?"])),
        ("output_role", preference(preferred_output=[ASK])),
        ("no_content", preference(preferred_output=[{"role": "assistant", "content": ""}])),
        ("same_outputs", preference(non_preferred_output=[GOOD])),
    ],
)
def test_each_mistake_is_found_with_its_line(key: str, example: Any) -> None:
    (problem,) = check_preferences(among_good(example)).problems
    assert (problem.key, problem.lines, problem.count) == (key, (3,), 1)


def test_a_refusal_names_the_first_lines_an_example_and_what_to_do_in_either_language() -> None:
    bad = [preference(preferred_output=[])] * 7 + [preference(input=None)]
    with pytest.raises(InvalidRequest) as caught:
        refuse_for("dpo", lines(preference(), *bad), name="pairs.jsonl")
    assert caught.value.texts("en") == (
        "pairs.jsonl: Answers that are not a list of exactly one message: 7. Lines: 2, 3, 4, 5, 6 and 2 more. "
        'The first has: {"preferred_output": []}',
        'preferred_output and non_preferred_output are each [{"role": "assistant", "content": "…"}]. '
        "Other kinds of mistakes in this file: 1.",
    )
    assert "Líneas: 2, 3, 4, 5, 6 y 2 más" in caught.value.texts("es")[0]


def test_few_preferences_and_equal_answers_are_left_to_the_server() -> None:
    refuse_for("dpo", lines(preference(), preference(non_preferred_output=[GOOD])), name="a")


def test_a_file_of_preferences_is_not_trained_on_as_if_it_were_of_chats() -> None:
    with pytest.raises(InvalidRequest, match="for the method dpo"):
        refuse_for("supervised", lines(preference()), name="a.jsonl")
    refuse_for("supervised", lines({"messages": [ASK, GOOD]}), name="a.jsonl")


@pytest.mark.parametrize("data", [b"", b"prompt,completion\na,b\n", b'[{"messages": []}]', b"\x89PNG\0", b"[" * 90_000])
def test_what_is_no_jsonl_is_not_sent_by_any_method(data: bytes) -> None:
    for method in METHODS:
        with pytest.raises(InvalidRequest, match="JSONL"):
            refuse_for(method, data, name="a.csv")
