"""What a preset asks for a message: every kind of preset, with and without memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from playground.bots.asking import asking
from playground.bots.state import Turn
from playground.errors import InvalidRequest
from playground.presets import Preset, builtin
from playground.types import ModelInfo

INFO = ModelInfo(id="fake", endpoint="server")
TURNS = (Turn("one", "first", 2), Turn("two", "second", 2))


def preset(mode: str, **about: Any) -> Preset:
    return Preset(**{"id": "p", "name": "P", "mode": mode, **about})


def body(made: Preset, text: str, turns: tuple[Turn, ...] = (), **options: Any) -> dict[str, Any]:
    return asking(made, INFO, "compatible", **options).request(text, turns).body()


def contents(made: Preset, text: str, turns: tuple[Turn, ...] = (), **options: Any) -> list[str]:
    return [message["content"] for message in body(made, text, turns, **options)["messages"]]


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def test_a_chats_last_message_is_a_sample_that_the_text_takes_the_place_of() -> None:
    examples = ({**user("q")}, {"role": "assistant", "content": "a"}, user("sample"))
    made = preset("chat", system="S", messages=examples)
    assert contents(made, "three", TURNS) == ["S", "q", "a", "one", "first", "two", "second", "three"]


def test_a_variable_of_the_last_message_is_filled_by_each_text() -> None:
    made = preset("chat", messages=(user("Classify: {{tweet}}"),), variables={"tweet": "sample"})
    assert contents(made, "{{tweet}}", TURNS[:1]) == ["Classify: one", "first", "Classify: {{tweet}}"]


def test_variables_elsewhere_keep_the_presets_values() -> None:
    made = preset("chat", system="The animal is {{animal}}.", messages=(user("Go"),), variables={"animal": "cat"})
    assert contents(made, "a dog?") == ["The animal is cat.", "a dog?"]


def test_a_completion_has_its_separator_its_stop_and_no_memory() -> None:
    made = preset(
        "complete", text="{{q}}\n\n###\n\n", params={"stop": [" END", r"\n"], "max_tokens": 9, "n": 3, "echo": True}
    )
    said = body(made, "hello", TURNS)
    assert (said["prompt"], said["stop"], said["max_tokens"]) == ("hello\n\n###\n\n", [" END", "\n"], 9)
    assert "n" not in said
    assert "echo" not in said


def test_a_completion_with_history_has_what_was_said_before_as_it_was_asked() -> None:
    made = preset("complete", text="Talk.\n{{ history }}Human: {{text}}\nAI:")
    assert (
        body(made, "three", TURNS)["prompt"] == "Talk.\nHuman: one\nAI:first\nHuman: two\nAI:second\nHuman: three\nAI:"
    )
    assert body(made, "{{history}}")["prompt"] == "Talk.\nHuman: {{history}}\nAI:"


def test_what_a_fine_tune_was_trained_with_is_added_where_the_preset_lacks_it() -> None:
    made = asking(preset("complete", text="{{q}}", params={"stop": ["x"]}), INFO, "compatible")
    said = replace(made, separator=" ->", ending=" END").request("hi").body()
    assert (said["prompt"], said["stop"]) == ("hi ->", ["x", " END"])


def test_an_edit_applies_its_instruction_to_each_text_by_itself() -> None:
    made = preset("edit", instruction="Translate", input="sample")
    assert contents(made, "hola", TURNS)[-1] == "Instruction: Translate\n\nText:\nhola"
    assert asking(made, INFO, "compatible").kept("hola") == {"input": "hola", "instruction": "Translate"}


def test_functions_are_not_offered_to_a_model_that_nobody_could_answer() -> None:
    tools = '[{"name": "f", "parameters": {"type": "object", "properties": {}}}]'
    assert set(body(preset("chat", params={"tools": tools, "tool_choice": "auto"}), "x")) == {"model", "messages"}


@pytest.mark.parametrize(
    ("made", "options", "words"),
    [
        (preset("complete", text="no place"), {}, "no place for a message"),
        (preset("complete", text="{{history}}"), {}, "no place for a message"),
        (preset("complete", text="{{a}} {{b}}"), {}, "several variables a message could fill: a, b"),
        (preset("complete", text="{{a}}"), {"variable": "c"}, "no variable {{c}}"),
        (preset("complete", text="{{a}} {{b}}"), {"variable": "a"}, "{{b}}"),
        (preset("edit", instruction=" "), {}, "nothing to send"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anybody_writes(made: Preset, options: Any, words: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        asking(made, INFO, "compatible", **options)
    assert words in str(caught.value)


def test_of_several_variables_the_one_without_a_value_is_the_texts() -> None:
    made = preset("complete", text="{{tone}}: {{text}}", variables={"tone": "kind"})
    assert body(made, "hi")["prompt"] == "kind: hi"
    assert body(made, "hi", variable="text")["prompt"] == "kind: hi"


def test_every_example_that_comes_with_playground_can_be_a_bot_or_says_why_not() -> None:
    without = {"Who discovered America?", "¿Quién descubrió América?"}
    for made in builtin():
        if made.name in without:
            with pytest.raises(InvalidRequest, match="no place"):
                body(made, "a message")
        else:
            assert "a message" in str(body(made, "a message"))
