"""Files, history and training sets as test cases, and back."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground.errors import InvalidRequest
from playground.evaluate.dataset import Case, Dataset, made
from playground.evaluate.dataset_files import Columns, guess, read_dataset
from playground.evaluate.dataset_out import to_csv, to_jsonl
from playground.evaluate.dataset_sources import from_runs, from_training
from playground.types import Choice, Run
from playground.variables import is_name

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
NAMES = st.sampled_from(["tweet", "prompt_2", "label", "id", "expected", "tags", "messages", "ñandú", "Über", "input"])
IDS = st.text("abcdefgh-=+0123456789", min_size=1, max_size=8)
CASES = st.builds(
    lambda id, variables, prompt, talk, expected, tags: Case(
        id=id,
        variables=variables,
        prompt=None if talk else prompt,
        messages=tuple(talk) if talk else None,
        expected=expected,
        tags=tuple(dict.fromkeys(tags)),
    ),
    IDS,
    st.dictionaries(NAMES, TEXTS, max_size=3),
    st.none() | TEXTS,
    st.none() | st.lists(st.builds(lambda text: {"role": "user", "content": text}, TEXTS), min_size=1, max_size=2),
    st.none() | TEXTS,
    st.lists(st.sampled_from(["short", "=tag", "día de sol"]), max_size=2),
)
DATASETS = st.lists(CASES, min_size=1, max_size=6, unique_by=lambda case: case.id).map(lambda cases: made("d", cases))


@given(DATASETS)
def test_jsonl_comes_back_as_it_was(dataset: Dataset) -> None:
    assert read_dataset(to_jsonl(dataset), "d.jsonl").dataset == dataset


def _as_a_table_has_it(dataset: Dataset) -> list[Case]:
    """A table has a cell for every variable, and no difference between an empty cell and none."""
    return [
        Case(
            id=case.id,
            variables={name: case.variables.get(name, "") for name in dataset.variables},
            prompt=case.prompt or None,
            messages=case.messages,
            expected=case.expected or None,
            tags=case.tags,
        )
        for case in dataset.cases
    ]


@given(DATASETS)
def test_csv_comes_back_as_a_table_has_it(dataset: Dataset) -> None:
    again = read_dataset(to_csv(dataset), "d.csv").dataset
    assert [(case.id, dict(case.variables)) for case in again.cases] == [
        (case.id, dict(case.variables)) for case in _as_a_table_has_it(dataset)
    ]
    assert list(again.cases) == _as_a_table_has_it(dataset)


@given(DATASETS)
def test_no_cell_of_a_csv_is_a_formula(dataset: Dataset) -> None:
    import csv

    rows = csv.reader(io.StringIO(to_csv(dataset).decode("utf-8-sig"), newline=""))
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@"))]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["tweet", "sentiment"], Columns(expected="sentiment")),
        (["ID", "Prompt", "Completion"], Columns(id="ID", prompt="Prompt", expected="Completion")),
        (["pregunta", "Respuesta esperada", "etiquetas"], Columns(expected="Respuesta esperada", tags="etiquetas")),
        (["input", "ideal"], Columns(expected="ideal")),
        (["messages", "prompt"], Columns(messages="messages", prompt="prompt")),
        (["a", "b"], Columns()),
    ],
)
def test_columns_are_told_by_their_names(names: list[str], expected: Columns) -> None:
    assert guess(names) == expected


def test_a_list_of_tweets_is_a_dataset() -> None:
    for name in ("tweets.csv", "tweets.txt"):
        data = b"Great day\nIt rains, again\n" if name.endswith("txt") else b'tweet\nGreat day\n"It rains, again"\n'
        found = read_dataset(data, name).dataset
        assert [list(case.variables.values()) for case in found.cases] == [["Great day"], ["It rains, again"]]
        assert (found.name, [case.id for case in found.cases]) == ("tweets", ["1", "2"])


def test_a_columns_name_becomes_a_variables() -> None:
    found = read_dataset(b"Tweet text,2nd,Tweet-text,label\nGreat,b,c,positive\n", "t.csv").dataset
    assert found.variables == ("Tweet_text", "_2nd", "Tweet_text_2")
    assert all(map(is_name, found.variables))
    assert found.cases[0].expected == "positive"


def test_whoever_looked_at_the_columns_says_what_they_are() -> None:
    columns = Columns(prompt="tweet", expected="b", ignored=("user",))
    found = read_dataset(b"tweet,user,a,b\nGreat,ana,1,2\n", "t.csv", columns).dataset
    assert found.cases == (Case(id="1", prompt="Great", expected="2", variables={"a": "1"}),)
    with pytest.raises(InvalidRequest, match="no column nothing") as caught:
        read_dataset(b"tweet,user\nGreat,ana\n", "t.csv", Columns(expected="nothing"))
    assert "tweet, user" in caught.value.hint


def test_a_workbook_is_read_as_a_table() -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.append(["question", "answer"])
    book.active.append(["2+2", 4])
    file = io.BytesIO()
    book.save(file)
    (case,) = read_dataset(file.getvalue(), "sums.xlsx").dataset.cases
    assert (case.variables, case.expected) == ({"question": "2+2"}, "4")


@pytest.mark.parametrize(
    ("record", "case"),
    [
        (
            {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]},
            Case(id="1", messages=({"role": "user", "content": "Hi"},), expected="Hello"),
        ),
        (
            {"input": [{"role": "user", "content": "2+2"}], "ideal": "4"},
            Case(id="1", messages=({"role": "user", "content": "2+2"},), expected="4"),
        ),
        ({"prompt": "a ->", "completion": " b"}, Case(id="1", prompt="a ->", expected=" b")),
        (
            {"tweet": "Great", "likes": 3, "label": "positive", "tags": "a; b"},
            Case(id="1", variables={"tweet": "Great", "likes": "3"}, expected="positive", tags=("a", "b")),
        ),
        (
            {"variables": {"tweet": "Great"}, "label": "positive"},
            Case(id="1", variables={"tweet": "Great"}, expected="positive"),
        ),
    ],
)
def test_records_of_many_shapes_are_cases(record: dict[str, Any], case: Case) -> None:
    for data, name in ((json.dumps(record), "a.jsonl"), (json.dumps([record]), "a.json")):
        assert read_dataset(data.encode(), name).dataset.cases == (case,)


@pytest.mark.parametrize(
    ("data", "name", "said"),
    [
        (b"", "a.csv", "empty"),
        (b"tweet,label\n", "a.csv", "no rows"),
        (b"\n\n", "a.jsonl", "no test cases"),
        (b'{"prompt": "a"}\n{"prompt": ', "a.jsonl", "Line 2"),
        (b"[1, 2]", "a.json", "Case 1 is not a JSON object"),
        (b'{"id": "1"}\n{"id": "1"}', "a.jsonl", "Two cases have the id 1"),
        (b"id,messages\n1,not json\n", "a.csv", "Line 2"),
        (b"[" * 100_000, "a.json", "nested too deeply"),
        (b"PK\x03\x04", "a.xlsx", "workbook"),
        (b"a", "a.exe", ".exe"),
    ],
)
def test_a_file_that_is_no_dataset_is_refused_with_what_is_wrong(data: bytes, name: str, said: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_dataset(data, name)
    assert said in caught.value.message
    assert caught.value.translated


def _run(id: str = "r1", **fields: Any) -> Run:
    return Run(
        id=id,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        endpoint="here",
        model="m",
        status="done",
        **{
            "mode": "complete",
            "request": {"prompt": "Say {{what}}", "variables": {"what": "hi"}},
            "effective_request": {"prompt": "Say hi", "model": "m"},
            "choices": (Choice(index=0, text="hi!"),),
            **fields,
        },
    )


def test_saved_history_is_a_dataset_with_its_variables_filled_in() -> None:
    chat = {"messages": [{"role": "user", "content": "Hi"}], "model": "m"}
    runs = [_run(), _run("r2", mode="chat", request=chat, effective_request=chat, rating=1, choices=())]
    assert from_runs(runs, "history").dataset.cases == (
        Case(id="r1", variables={"what": "hi"}, prompt="Say hi", expected="hi!", tags=("complete",)),
        Case(id="r2", messages=({"role": "user", "content": "Hi"},), tags=("chat",)),
    )
    liked = from_runs([_run(rating=1), _run("r2", rating=-1)], "history", expected="liked").dataset
    assert [case.expected for case in liked.cases] == ["hi!", None]


def test_a_run_that_no_case_can_hold_is_left_out_and_said() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    open_call = {"messages": [{"role": "assistant", "content": None, "tool_calls": [call]}]}
    found = from_runs([_run(), _run("r2", mode="chat", effective_request=open_call)], "history")
    assert len(found.dataset) == 1
    assert [note.text() for note in found.notes] == ["Runs that no test case can hold, left out: 1"]


def test_the_pairs_of_a_training_set_lose_what_is_their_format() -> None:
    lines = [{"prompt": f"{word} ->", "completion": f" {word.upper()} END"} for word in ("sun", "rain", "snow")]
    found = from_training("\n".join(map(json.dumps, lines)).encode(), "valid.jsonl")
    assert [(case.prompt, case.expected) for case in found.dataset.cases] == [
        ("sun ->", "SUN"),
        ("rain ->", "RAIN"),
        ("snow ->", "SNOW"),
    ]
    assert found.stop == " END"


def test_the_chats_of_a_training_set_are_asked_without_their_last_answer() -> None:
    talk = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello", "weight": 0},
        {"role": "user", "content": "Bye"},
        {"role": "assistant", "content": "See you"},
    ]
    (case,) = from_training(json.dumps({"messages": talk}).encode(), "valid.jsonl").dataset.cases
    assert case.expected == "See you"
    assert [message["content"] for message in case.messages or ()] == ["Be brief.", "Hi", "Hello", "Bye"]
    assert all("weight" not in message for message in case.messages or ())
