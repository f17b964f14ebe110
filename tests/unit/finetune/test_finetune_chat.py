"""Chat files: made from pairs and back, and every kind of mistake found with its line and what to do."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.errors import InvalidRequest
from playground.finetune.chat_check import check
from playground.finetune.chat_format import examples, to_chat, to_pairs
from playground.finetune.line_check import LEAST, PROBLEMS, Problem
from playground.finetune.prepare import analyse, apply
from playground.finetune.table import Table

CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
ASK = {"role": "user", "content": "Hello"}
SAY = {"role": "assistant", "content": "Hi"}
LONG = "secret" * 1_000


def table(*pairs: tuple[str, str]) -> Table:
    columns = {"prompt": [p for p, _ in pairs], "completion": [c for _, c in pairs]}
    return Table("a.jsonl", "jsonl", columns, range(1, len(pairs) + 1))


def chat(*messages: Any, **more: Any) -> dict[str, Any]:
    return {"messages": list(messages), **more}


def lines(*examples: Any) -> bytes:
    return "\n".join(json.dumps(example) for example in examples).encode()


def among_good(bad: Any) -> bytes:
    """A file whose third line is the bad one."""
    good = [chat(ASK, SAY)] * LEAST
    return lines(*good[:2], bad, *good[2:])


def only_problem(data: bytes) -> Problem:
    (problem,) = check(data).problems
    return problem


def written(data: bytes) -> list[Any]:
    return [json.loads(line)["messages"] for line in data.splitlines()]


def test_a_pair_becomes_a_question_and_its_answer() -> None:
    assert written(to_chat(table(("a", "b")))) == [
        [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    ]


def test_a_system_message_comes_first_and_an_empty_prompt_is_no_message() -> None:
    roles = [[message["role"] for message in each] for each in written(to_chat(table(("", "b")), system="Be brief."))]
    assert roles == [["system", "assistant"]]


def test_what_preparing_added_is_taken_away_again() -> None:
    source = [("What is it?x", "A cat"), ("Who am I?y", " You")]
    prepared = apply(analyse(table(*source)))
    data = to_chat(prepared.table, separator=prepared.separator, ending=prepared.ending, space=True)
    assert [(m[0]["content"], m[1]["content"]) for m in written(data)] == [
        ("What is it?x", "A cat"),
        ("Who am I?y", "You"),
    ]


@given(st.lists(st.tuples(st.text(min_size=1, max_size=9), st.text(min_size=1, max_size=9)), min_size=1, max_size=9))
def test_pairs_come_back_from_a_chat_file_as_they_were(pairs: list[tuple[str, str]]) -> None:
    back = to_pairs(to_chat(table(*pairs), system="s"), "a.jsonl")
    assert list(zip(back.prompts, back.completions, strict=True)) == pairs
    assert not back.repairs


def test_each_answer_of_a_conversation_makes_a_pair_with_all_before_it() -> None:
    again = {"role": "user", "content": [{"type": "text", "text": "And you?"}]}
    unlearned = {**SAY, "content": "So so", "weight": 0}
    back = to_pairs(lines(chat(ASK, SAY, again, unlearned, ASK, SAY)), "a.jsonl")
    assert back.prompts == [
        "Hello",
        "User: Hello\n\nAssistant: Hi\n\nUser: And you?\n\nAssistant: So so\n\nUser: Hello",
    ]
    assert list(back.rows) == [1, 1]


def test_answers_about_images_and_functions_make_no_pair_and_are_counted() -> None:
    call = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    picture = {"role": "user", "content": [IMAGE]}
    back = to_pairs(lines(chat(ASK, SAY), chat(ASK, call), chat(picture, SAY)), "a.jsonl")
    assert len(back) == 1
    assert [(repair.args["count"], repair.rows) for repair in back.repairs] == [(2, (2, 3))]


def test_half_a_character_in_a_chat_does_not_reach_the_pairs() -> None:
    back = to_pairs(
        b'{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "\\ud83d"}]}', "a"
    )
    assert back.completions == ["�"]


@pytest.mark.parametrize("data", [b"", b"x", lines(chat(ASK)), lines({"prompt": "a"}), b"[" * 100_000])
def test_a_file_without_answers_makes_no_pairs(data: bytes) -> None:
    with pytest.raises(InvalidRequest, match="no answer"):
        to_pairs(data, "a.jsonl")


@pytest.mark.parametrize(
    "example",
    [
        chat(ASK, SAY),
        chat({"role": "developer", "content": "x"}, ASK, SAY),
        chat(ASK, {"role": "assistant", "content": None, "tool_calls": [CALL]}, tools=[TOOL]),
        chat(
            ASK,
            {"role": "assistant", "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "c1", "content": "1"},
            SAY,
        ),
        chat(ASK, {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}}),
        chat({"role": "user", "content": [IMAGE, {"type": "text", "text": "What is it?"}]}, SAY),
        chat(ASK, {**SAY, "weight": 0}, ASK, {**SAY, "weight": 1}),
        chat({**ASK, "name": "ana"}, SAY),
    ],
)
def test_what_is_valid_today_has_no_problem(example: dict[str, Any]) -> None:
    report = check(among_good(example))
    assert (report.examples, report.problems, report.fit) == (LEAST + 1, (), True)


@pytest.mark.parametrize(
    ("key", "example"),
    [
        ("not_object", ["a"]),
        ("not_object", 3),
        ("no_messages", {"prompt": "a", "completion": "b"}),
        ("no_messages", {"messages": []}),
        ("no_messages", {"messages": "Hello"}),
        ("message_not_object", chat("Hello", SAY)),
        ("missing_key", chat({"content": "Hello"}, SAY)),
        ("missing_key", chat({"role": "user"}, SAY)),
        ("unknown_key", chat({**ASK, "text": "Hello"}, SAY)),
        ("unknown_role", chat({"role": "bot", "content": "Hello"}, SAY)),
        ("unknown_role", chat({"role": ["user"], "content": "Hello"}, SAY)),
        ("no_content", chat({"role": "user", "content": None}, SAY)),
        ("no_content", chat({"role": "user", "content": ""}, SAY)),
        ("no_content", chat(ASK, {"role": "assistant", "content": None})),
        ("bad_content", chat({"role": "user", "content": 5}, SAY)),
        ("bad_part", chat({"role": "user", "content": [{"type": "video"}]}, SAY)),
        ("bad_part", chat({"role": "user", "content": ["Hello"]}, SAY)),
        ("bad_part", chat({"role": "user", "content": [{"type": "image_url", "image_url": "a.png"}]}, SAY)),
        ("image_role", chat(ASK, {"role": "assistant", "content": [IMAGE]})),
        ("bad_tool_calls", chat(ASK, {"role": "assistant", "content": None, "tool_calls": [{"id": "c1"}]})),
        ("calls_role", chat({**ASK, "tool_calls": [CALL]}, SAY)),
        ("no_call_id", chat(ASK, {"role": "tool", "content": "1"}, SAY)),
        ("bad_tools", chat(ASK, SAY, tools=[{"name": "f"}])),
        ("bad_tools", chat(ASK, SAY, tools="f")),
        ("bad_weight", chat(ASK, {**SAY, "weight": 2})),
        ("bad_weight", chat(ASK, {**SAY, "weight": True})),
        ("bad_weight", chat(ASK, {**SAY, "weight": [1]})),
        ("bad_weight", chat({**ASK, "weight": 1}, SAY)),
        ("no_assistant", chat(ASK)),
        ("nothing_learned", chat(ASK, {**SAY, "weight": 0})),
    ],
)
def test_each_mistake_is_found_with_its_line(key: str, example: Any) -> None:
    problem = only_problem(among_good(example))
    assert (problem.key, problem.count, problem.lines) == (key, 1, (3,))
    assert problem.message
    assert problem.hint


@pytest.mark.parametrize(
    ("key", "raw"),
    [("not_json", b"{'messages': []}"), ("not_json", b"[" * 100_000 + b"x"), ("not_utf8", b'{"messages": "\xe9"}')],
)
def test_lines_that_cannot_be_read_are_named(key: str, raw: bytes) -> None:
    good = lines(chat(ASK, SAY)) + b"\n"
    problem = only_problem(good * 6 + raw + b"\n\n" + good * 6)
    assert (problem.key, problem.lines) == (key, (7,))


@pytest.mark.parametrize(
    ("data", "key"),
    [
        (b"", "empty_file"),
        (b"\n \n", "empty_file"),
        (json.dumps([chat(ASK, SAY)] * 20).encode(), "array"),
        (b"\xef\xbb\xbf" + lines(*[chat(ASK, SAY)] * 20), "bom"),
        (lines(*[chat(ASK, SAY)] * (LEAST - 1)), "few"),
    ],
)
def test_what_is_wrong_with_a_whole_file_is_said(data: bytes, key: str) -> None:
    report = check(data)
    assert [problem.key for problem in report.problems] == [key]
    assert not report.fit


def test_weights_of_zero_are_a_warning_and_no_error() -> None:
    assert check(among_good(chat(ASK, {**SAY, "weight": 0}))).fit


def test_mistakes_are_counted_and_the_first_five_lines_named() -> None:
    problem = only_problem(lines(*[chat(ASK, {**SAY, "extra": LONG}), chat(ASK, SAY)] * 20))
    assert (problem.count, problem.lines, problem.example) == (20, (1, 3, 5, 7, 9), "extra")


def test_examples_in_a_report_are_short_and_on_one_line() -> None:
    bad = chat({"role": LONG + "\n", "content": {"a": LONG}}, SAY)
    for problem in check(among_good(bad)).problems:
        assert len(problem.example) <= 60
        assert LONG not in problem.message


def test_only_whole_examples_are_given_out() -> None:
    data = lines(chat(ASK, SAY), chat("x"), {"messages": {}}, 5, chat(ASK))
    assert [number for number, _ in examples(data)] == [1, 5]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["", "user", "assistant", "tool", "text"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["messages", "role", "content", "tool_calls", "tools", "weight"]), inner)
    ),
    max_leaves=12,
)


@given(st.lists(JSON, max_size=4), st.binary(max_size=20))
def test_any_file_has_a_report(values: list[Any], rest: bytes) -> None:
    report = check(lines(*values) + b"\n" + rest)
    assert all(problem.key in PROBLEMS and problem.message and problem.hint for problem in report.problems)
    for _, example in examples(lines(*values)):
        check(lines(example))
