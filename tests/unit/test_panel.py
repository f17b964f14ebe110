"""The panel's values under each endpoint's names, and a run of the history back in the panel."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground import panel
from playground.errors import InvalidRequest
from playground.parameters import escape, unescape, validate_chat, validate_completion
from playground.types import Mode

MODES: tuple[Mode, ...] = ("complete", "chat", "edit")
SCHEMA = {"name": "mood", "schema": {"type": "object", "properties": {"ánimo": {"type": "string"}}}, "strict": True}
BARE = {"type": "object", "properties": {"city": {"type": "string"}}}
FUNCTION = {"name": "weather", "description": "El tiempo «hoy»", "parameters": BARE}
TOOLS = json.dumps([FUNCTION, {"name": "time"}])


def body(values: Any, mode: Mode) -> dict[str, Any]:
    """What is sent (and kept in the history) when the panel holds these values."""
    named = panel.api_values(values, mode)
    if mode == "complete":
        return validate_completion({**named, "prompt": "Hi"}, endpoint="e", model="m").body()
    messages = [{"role": "user", "content": "Hi"}]
    return validate_chat({**named, "messages": messages}, endpoint="e", model="m").body()


def sent(values: Any, mode: Mode) -> dict[str, Any]:
    return {name: value for name, value in body(values, mode).items() if name not in ("model", "prompt", "messages")}


def back(values: Any, mode: Mode) -> dict[str, Any]:
    """The panel after a run with these values was opened from the history, without what is unset."""
    kept = json.loads(json.dumps(body(values, mode)))
    return {name: value for name, value in panel.panel_values(kept, mode).items() if value is not None}


# --- under the endpoint's names ---


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("nothing", [{}, None, [], "text", 7, True, dict.fromkeys(panel.NAMES)])
def test_what_is_unset_is_not_sent(nothing: Any, mode: Mode) -> None:
    assert sent(nothing, mode) == {}


@pytest.mark.parametrize("mode", MODES)
def test_the_first_panel_can_be_sent_as_it_is(mode: Mode) -> None:
    assert sent(panel.START, mode) == panel.START


@pytest.mark.parametrize(
    ("mode", "absent"),
    [
        ("complete", {"reasoning_effort", "verbosity", "response_format", "tools", "tool_choice", "service_tier"}),
        ("chat", {"best_of", "echo", "suffix"}),
        ("edit", {"best_of", "echo", "suffix", "n", "logprobs", "response_format", "tools", "tool_choice"}),
    ],
)
def test_the_rows_of_other_modes_are_left_aside(mode: Mode, absent: set[str]) -> None:
    everything = {
        **{"n": 2, "best_of": 3, "logprobs": 5, "echo": True, "suffix": ".", "reasoning_effort": "low", "seed": 1},
        **{"verbosity": "low", "response_format": "json_object", "json_schema": "{", "tools": TOOLS},
        **{"tool_choice": "auto", "service_tier": "flex", "parallel_tool_calls": False, "user": "ana"},
    }
    found = set(sent(everything, mode))
    assert not absent & found
    assert {"seed", "user"} <= found
    assert not {"json_schema", "top_logprobs"} & found or mode == "chat"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["Temperature", "max_completion_tokens", "top_logprobs", "__class__", "", "x" * 500])
def test_a_name_that_no_row_has_is_refused(name: str, mode: Mode) -> None:
    with pytest.raises(InvalidRequest) as caught:
        panel.api_values({name: None}, mode)
    assert caught.value.param == name[:40]
    assert len(caught.value.message) < 100


def test_names_that_are_no_text_are_refused_too() -> None:
    with pytest.raises(InvalidRequest):
        panel.api_values({7: 1, None: 2, ("a",): 3}, "chat")


def test_the_panel_s_own_value_is_not_changed() -> None:
    values = {"stop": ["\\n"], "logprobs": 3, "response_format": "json_schema", "json_schema": "{}", "tools": "[]"}
    before = json.dumps(values)
    panel.api_values(values, "chat")
    assert json.dumps(values) == before


@pytest.mark.parametrize("mode", ["complete", "edit"])
@pytest.mark.parametrize("broken", ["{", "nonsense", "[" * 100_000])
def test_json_of_another_mode_is_not_read(broken: str, mode: Mode) -> None:
    assert sent({"tools": broken, "json_schema": broken, "response_format": "json_schema"}, mode) == {}


@pytest.mark.parametrize(
    ("values", "param"),
    [
        ({"tools": "{"}, "tools"),
        ({"tools": "[" * 100_000}, "tools"),
        ({"tools": "x" * 200_001}, "tools"),
        ({"tools": 7}, "tools"),
        ({"tools": "[{}]"}, "tools"),
        ({"response_format": "json_schema"}, "response_format"),
        ({"response_format": "json_schema", "json_schema": "{"}, "response_format"),
        ({"response_format": "json_schema", "json_schema": "[]"}, "response_format"),
        ({"response_format": "xml"}, "response_format"),
        ({"response_format": {"type": "text"}}, "response_format"),
        ({"response_format": 7}, "response_format"),
        ({"logprobs": "many"}, "top_logprobs"),
        ({"logprobs": 21}, "top_logprobs"),
        ({"logprobs": {}}, "top_logprobs"),
        ({"stop": [1]}, "stop"),
        ({"stop": {"a": 1}}, "stop"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"logit_bias": "{"}, "logit_bias"),
        ({"tools": TOOLS, "tool_choice": "nobody"}, "tool_choice"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_cannot_be_sent_is_refused_by_its_name(values: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        body(values, "chat")
    assert caught.value.param == param
    assert len(caught.value.message) < 300


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", panel.NAMES)
def test_an_empty_field_is_unset(name: str, mode: Mode) -> None:
    assert sent({name: ""}, mode) == {}


# --- stop sequences ---


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("\\n", "\n"),
        ("\\n\\n", "\n\n"),
        ("\\t\\r", "\t\r"),
        ("\\\\n", "\\n"),
        ("\\", "\\"),
        ("\\d", "\\d"),
        ("\n", "\n"),
        ("¿Qué?\\n🦜", "¿Qué?\n🦜"),
        (" ", " "),
    ],
)
def test_a_line_break_is_typed_as_two_characters(typed: str, meant: str, mode: Mode) -> None:
    assert sent({"stop": [typed]}, mode) == {"stop": [meant]}
    assert sent(back({"stop": [typed]}, mode), mode) == {"stop": [meant]}


def test_a_line_break_comes_back_as_it_was_typed() -> None:
    assert back({"stop": ["\\n", "END", "\\\\n"]}, "complete")["stop"] == ["\\n", "END", "\\\\n"]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20), max_size=4, unique=True))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_any_stop_sequences_come_back_as_they_were(stop: list[str]) -> None:
    assert [unescape(escape(text)) for text in stop] == stop
    assert panel.api_values(panel.panel_values({"stop": stop}, "chat"), "chat")["stop"] == (stop or None)


# --- probabilities ---


@pytest.mark.parametrize(
    ("number", "as_chat"), [(0, {"top_logprobs": 0}), (1, {"top_logprobs": 1}), (5, {"top_logprobs": 5})]
)
def test_probabilities_are_a_number_of_alternatives_in_both_endpoints(number: int, as_chat: dict[str, int]) -> None:
    assert sent({"logprobs": number}, "complete") == {"logprobs": number}
    assert sent({"logprobs": number}, "chat") == {"logprobs": True, **as_chat}
    assert back({"logprobs": number}, "complete") == back({"logprobs": number}, "chat") == {"logprobs": number}


@pytest.mark.parametrize(
    ("kept", "number"),
    [
        ({"logprobs": True}, 0),
        ({"logprobs": True, "top_logprobs": 20}, 20),
        ({"logprobs": False}, None),
        ({"top_logprobs": 3}, None),
    ],
)
def test_a_chat_that_did_not_come_from_the_panel_fits_in_it(kept: dict[str, Any], number: int | None) -> None:
    assert panel.panel_values(kept, "chat").get("logprobs") == number


# --- the maximum length ---


@pytest.mark.parametrize("mode", ["chat", "edit"])
def test_both_names_of_the_maximum_length_come_back_as_one(mode: Mode) -> None:
    assert panel.panel_values({"max_completion_tokens": 9}, mode)["max_tokens"] == 9
    assert panel.panel_values({"max_completion_tokens": 9, "max_tokens": 5}, mode)["max_tokens"] == 9
    assert back({"max_tokens": 9}, mode) == {"max_tokens": 9}


# --- there and back ---

SHARED = {
    **{"temperature": 0.0, "max_tokens": 1, "stop": ["\\n", "\\\\"], "top_p": 0.5, "frequency_penalty": -2.0},
    **{"presence_penalty": 0.0, "seed": 0, "logit_bias": '{"50256": -100.0}', "user": "ana"},
}
WHOLE: dict[Mode, dict[str, Any]] = {
    "complete": {**SHARED, "n": 2, "best_of": 3, "logprobs": 0, "echo": False, "suffix": "\n— fin\\n"},
    "chat": {
        **{**SHARED, "n": 1, "logprobs": 5, "reasoning_effort": "none", "verbosity": "low", "service_tier": "flex"},
        **{"response_format": "json_schema", "json_schema": json.dumps(SCHEMA), "tools": TOOLS},
        **{"tool_choice": "weather", "parallel_tool_calls": False},
    },
    "edit": {**SHARED, "reasoning_effort": "high", "verbosity": "high", "service_tier": "auto"},
}


def test_every_row_of_every_mode_is_tried() -> None:
    for mode in MODES:
        assert set(WHOLE[mode]) == {spec["name"] for spec in panel.specs(None) if mode in spec["modes"]}


@pytest.mark.parametrize("mode", MODES)
def test_a_run_of_the_history_is_sent_again_as_it_was(mode: Mode) -> None:
    assert body(back(WHOLE[mode], mode), mode) == body(WHOLE[mode], mode)
    assert set(back(WHOLE[mode], mode)) == set(WHOLE[mode])


@pytest.mark.parametrize(
    ("mode", "name"),
    [(mode, name) for mode in MODES for name in WHOLE[mode] if name not in ("json_schema", "tool_choice")],
)
def test_each_row_alone_comes_back_alone(mode: Mode, name: str) -> None:
    one = {name: WHOLE[mode][name]}
    if name == "response_format":
        one["json_schema"] = WHOLE[mode]["json_schema"]
    if mode == "complete" and name == "best_of":
        one["n"] = 1
    returned = back(one, mode)
    assert set(returned) == set(one)
    assert sent(returned, mode) == sent(one, mode) != {}
    texts = ("tools", "json_schema")
    assert all(returned[each] == one[each] for each in one if each not in texts)
    assert all(json.loads(returned[each]) is not None for each in one if each in texts)


@pytest.mark.parametrize("kind", ["text", "json_object"])
def test_a_format_without_a_schema_comes_back(kind: str) -> None:
    assert sent({"response_format": kind, "json_schema": "{"}, "chat") == {"response_format": {"type": kind}}
    assert back({"response_format": kind}, "chat") == {"response_format": kind}


def test_a_bare_schema_is_given_its_wrapping_once() -> None:
    once = sent({"response_format": "json_schema", "json_schema": json.dumps(BARE)}, "chat")
    again = sent(panel.panel_values(once, "chat"), "chat")
    assert (
        once == again == {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": BARE}}}
    )


def test_a_schema_and_functions_can_be_read_as_they_come_back() -> None:
    returned = back(WHOLE["chat"], "chat")
    assert "ánimo" in returned["json_schema"]
    assert "«hoy»" in returned["tools"]
    assert "\n" in returned["tools"]
    assert json.loads(returned["tools"]) == [FUNCTION, {"name": "time"}]
    assert json.loads(returned["json_schema"]) == SCHEMA


def test_functions_in_openai_s_own_shape_are_sent_as_they_are() -> None:
    wrapped = [{"type": "function", "function": FUNCTION}]
    assert sent({"tools": json.dumps(wrapped)}, "chat") == {"tools": wrapped}
    assert json.loads(back({"tools": json.dumps(wrapped)}, "chat")["tools"]) == [FUNCTION]


@pytest.mark.parametrize("choice", ["auto", "none", "required", "time"])
def test_a_choice_of_function_comes_back_as_it_was_typed(choice: str) -> None:
    assert back({"tools": TOOLS, "tool_choice": choice}, "chat")["tool_choice"] == choice


@pytest.mark.parametrize("bias", ['{"50256": -100}', '{"1": 0.5, "2": 100}', {"7": 1}])
@pytest.mark.parametrize("mode", MODES)
def test_a_bias_comes_back_as_the_text_of_its_numbers(bias: Any, mode: Mode) -> None:
    meant = {token: float(by) for token, by in (json.loads(bias) if isinstance(bias, str) else bias).items()}
    returned = back({"logit_bias": bias}, mode)
    assert json.loads(returned["logit_bias"]) == meant
    assert sent(returned, mode) == {"logit_bias": meant}


@pytest.mark.parametrize("mode", MODES)
def test_a_run_with_nothing_set_gives_an_empty_panel(mode: Mode) -> None:
    assert back({}, mode) == {}
    assert set(panel.panel_values({}, mode).values()) <= {None}


# --- the rows ---


def test_a_model_s_context_and_words_narrow_its_rows() -> None:
    rows = {row["name"]: row for row in panel.specs(9_000, {"reasoning_effort": ("low", "high")})}
    assert rows["max_tokens"]["high"] == 9_000
    assert rows["reasoning_effort"]["options"] == ("low", "high")
    assert rows["verbosity"]["options"] == ("low", "medium", "high")
    assert json.loads(json.dumps(rows))["tools"]["kind"] == "json"


@pytest.mark.parametrize("name", ["tools", "json_schema"])
def test_an_example_can_be_sent_as_it_is(name: str) -> None:
    (row,) = [row for row in panel.specs(None) if row["name"] == name]
    assert sent({name: row["example"], "response_format": "json_schema" if name == "json_schema" else None}, "chat")
