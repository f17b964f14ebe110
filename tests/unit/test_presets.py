"""Presets from files and links: what is kept, and everything that is refused, with its reason."""

from __future__ import annotations

import base64
import json
import math
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground import panel, preset_checks
from playground.errors import InvalidRequest
from playground.parameters import validate_chat, validate_completion
from playground.presets import Preset, builtin, dump, file_name, from_json, from_link, load, to_json, to_link
from playground.variables import fill_all, names

IMAGE = "data:image/png;base64,iVBORw0KGgo="
CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Lima"}'}}
PICTURE = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": IMAGE, "detail": "low"}}]}
MESSAGES = [
    {"role": "user", "content": "Hi <script>alert(1)</script>", "name": "ana"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "content": "18 °C", "tool_call_id": "c1"},
    {"role": "developer", "content": [{"type": "text", "text": "Be brief."}]},
]


def brief(value: Any) -> str:
    """A test's id: whole texts of a megabyte are none."""
    return repr(value)[:40]


def of(**fields: Any) -> dict[str, Any]:
    """A preset as JSON; a field given as `...` is left out."""
    whole = {"format": "playground-preset", "version": 1, "name": "Mine", "mode": "complete", **fields}
    return {name: value for name, value in whole.items() if value is not ...}


def refused(data: Any, *, how: Callable[[Any], Any] = from_json) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        how(data)
    assert caught.value.param == "preset"
    assert len(caught.value.message) < 300
    return caught.value


def said(message: Any) -> dict[str, Any]:
    return of(mode="chat", messages=[{"role": "user", "content": "first"}, message])


def part(**fields: Any) -> dict[str, Any]:
    return said({"role": "user", "content": [fields]})


def nested(levels: int) -> Any:
    value: Any = "deepest"
    for _ in range(levels):
        value = [value]
    return value


def link_of(data: Any) -> str:
    packed = zlib.compress(data if isinstance(data, bytes) else json.dumps(data).encode(), 9)
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def same(one: Preset, other: Preset) -> bool:
    return replace(one, id="") == replace(other, id="")


# --- what is kept ---


def test_every_field_is_read() -> None:
    preset = from_json(
        of(
            mode="chat",
            model="openai/gpt-4o",
            description="About it.",
            language="es",
            text="t",
            system="s",
            messages=MESSAGES,
            instruction="i",
            input="n",
            params={"temperature": 0.5, "stop": ["\\n"], "logit_bias": {"50256": -100}, "echo": False},
            variables={"año": "2024", "empty": ""},
        )
    )
    assert (preset.mode, preset.model, preset.language) == ("chat", "openai/gpt-4o", "es")
    assert (preset.text, preset.system, preset.instruction, preset.input) == ("t", "s", "i", "n")
    assert preset.messages == tuple(MESSAGES)
    assert preset.params == {"temperature": 0.5, "stop": ["\\n"], "logit_bias": {"50256": -100}, "echo": False}
    assert preset.variables == {"año": "2024", "empty": ""}
    assert (preset.name, preset.description, preset.builtin) == ("Mine", "About it.", False)


def test_what_is_written_has_neither_an_id_nor_empty_fields() -> None:
    preset = Preset(id="x", name="Mine", mode="edit", input="text", builtin=True)
    written = {"format": "playground-preset", "version": 1, "name": "Mine", "mode": "edit", "input": "text"}
    assert to_json(preset) == written


def test_each_reading_has_an_id_of_its_own() -> None:
    assert len({from_json(of()).id for _ in range(3)}) == 3
    assert len(from_json(of()).id) == 32


def test_a_preset_shares_nothing_with_what_it_was_read_from() -> None:
    data = of(params={"stop": ["a"]}, variables={"a": "1"}, messages=[{"role": "user", "content": "x"}])
    preset = from_json(data)
    data["params"]["stop"].append("b")
    data["variables"]["a"] = "2"
    data["messages"][0]["content"] = "y"
    assert preset.params == {"stop": ["a"]}
    assert preset.variables == {"a": "1"}
    assert preset.messages[0]["content"] == "x"


def test_half_a_character_becomes_one_that_can_be_stored() -> None:
    preset = from_json(of(text="a\ud800b", variables={"a": "\udfff"}))
    assert preset.text == "a?b"
    assert preset.variables == {"a": "?"}


def test_one_stop_sequence_becomes_a_list_as_the_panel_holds_it() -> None:
    assert from_json(of(params={"stop": " END"})).params == {"stop": [" END"]}


def test_html_is_text() -> None:
    text = "<img src=x onerror=alert(1)> {{x}} ${y} \x00 \u202e"
    assert from_json(of(text=text, name="<b>Mine</b>".replace("/", ""))).text == text


def test_a_conversation_may_be_saved_with_its_call_still_open() -> None:
    call = {"role": "assistant", "content": "", "tool_calls": [CALL]}
    assert from_json(said(call)).messages[1] == call


# --- what is refused ---


@pytest.mark.parametrize("data", [None, True, 1, "text", [], [of()], b"{}", {1, 2}, object()])
def test_what_is_no_object_is_refused(data: Any) -> None:
    assert "not a JSON object" in refused(data).message


@pytest.mark.parametrize(
    "fields",
    [
        {"format": ...},
        {"format": None},
        {"format": "playground-presets"},
        {"format": ["playground-preset"]},
        {"format": "PLAYGROUND-PRESET"},
        {"version": ...},
        {"version": None},
        {"version": "1"},
        {"version": True},
        {"version": 1.0},
        {"version": 0},
        {"version": -1},
        {"version": math.nan},
    ],
)
def test_another_format_is_refused(fields: dict[str, Any]) -> None:
    assert "not one of Playground's" in refused(of(**fields)).message


@pytest.mark.parametrize("version", [2, 3, 10**30])
def test_a_newer_version_asks_for_an_update(version: int) -> None:
    error = refused(of(version=version, news="x"))
    assert "was written by a newer version of Playground" in error.message
    assert error.hint == "Update Playground."


@pytest.mark.parametrize("mode", [..., None, "", "Chat", "completion", 1, [], {}])
def test_an_unknown_mode_is_refused(mode: Any) -> None:
    error = refused(of(mode=mode))
    assert "unknown mode" in error.message
    assert "complete, chat, edit" in error.hint


@pytest.mark.parametrize("language", ["", "EN", "fr", 1, []])
def test_an_unknown_language_is_refused(language: Any) -> None:
    assert "unknown language" in refused(of(language=language)).message


@pytest.mark.parametrize(
    "field", ["id", "builtin", "created_at", "Text", "prompt", "__class__", "", "x" * 5_000], ids=brief
)
def test_an_unknown_field_is_named_and_refused(field: str) -> None:
    assert f"unknown field '{field[:40]}'" in refused(of(**{field: "x"})).message


SECRETS = [
    *("api_key", "apiKey", "API-KEY", "x-api-key", "openai_api_key", "keys", "key", "private_key"),
    *("authorization", "Authorization", "auth", "bearer", "token", "access_token", "accessToken", "bot.token"),
    *("secret", "client_secret", "password", "passwd", "passphrase", "credentials", "cookie"),
    *("base_url", "baseURL", "OPENAI_BASE_URL", "header", "extra_headers"),
]


@pytest.mark.parametrize("field", SECRETS)
@pytest.mark.parametrize(
    "place",
    [
        lambda name: of(**{name: "hidden-value"}),
        lambda name: of(params={name: "hidden-value"}),
        lambda name: of(params={"tool_choice": {"function": {name: "hidden-value"}}}),
        lambda name: said({"role": "user", "content": "x", name: "hidden-value"}),
        lambda name: part(type="text", text="x", **{name: "hidden-value"}),
        lambda name: said({"role": "assistant", "tool_calls": [{**CALL, name: "hidden-value"}]}),
        lambda name: of(more={"deep": [{name: "hidden-value"}]}),
    ],
    ids=["top", "params", "in a param", "message", "part", "call", "deep"],
)
def test_a_field_that_looks_like_a_secret_has_a_reason_of_its_own(field: str, place: Callable[[str], Any]) -> None:
    error = refused(place(field))
    assert "looks like a key, a password or an address" in error.message
    assert field in error.message
    assert "hidden" not in str(error)


def test_no_field_and_no_parameter_of_ours_looks_like_a_secret() -> None:
    from_json(of(params={name: _some(kinds) for name, kinds in preset_checks.PARAMS.items()}))


def _some(kinds: tuple[type, ...]) -> Any:
    return {int: 1, bool: True, str: "text", list: ["x"]}[kinds[0]]


@pytest.mark.parametrize("field", ["max_completion_tokens", "author", "keyboard"])
def test_a_harmless_unknown_field_is_not_called_a_secret(field: str) -> None:
    assert "unknown" in refused(of(**{field: 1})).message


@pytest.mark.parametrize("name", ["token", "secret", "password", "key"])
def test_a_variable_may_be_called_what_its_author_likes(name: str) -> None:
    assert from_json(of(variables={name: "the word to guess"})).variables == {name: "the word to guess"}


def test_a_key_in_a_fields_name_is_not_repeated() -> None:
    key = "sk-" + "abcdef0123456789" * 2
    assert "abcdef" not in str(refused(of(**{key: 1})))


@pytest.mark.parametrize("field", ["text", "system", "instruction", "input", "description"])
@pytest.mark.parametrize("value", [None, 1, True, [], {}, ["text"]])
def test_a_text_is_text(field: str, value: Any) -> None:
    assert f"has a {field} that is not text" in refused(of(**{field: value})).message


@pytest.mark.parametrize("field", ["text", "system", "instruction", "input"])
def test_a_text_has_at_most_200_000_characters(field: str) -> None:
    assert getattr(from_json(of(**{field: "ñ" * 200_000})), field) == "ñ" * 200_000
    assert f"{field} of 200,001 characters" in refused(of(**{field: "ñ" * 200_001})).message


def test_a_description_has_at_most_300_characters() -> None:
    assert len(from_json(of(description="x" * 300)).description) == 300
    assert "at most 300" in refused(of(description="x" * 301)).message


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (..., "has no name"),
        (None, "has no name"),
        ("", "has no name"),
        (" \t\n", "has no name"),
        ("\u200d", "has no name"),
        (1, "not text"),
        ([], "not text"),
        ("n" * 121, "at most 120"),
        ("a\nb", "invisible"),
        ("a\x00b", "invisible"),
        ("a\x7fb", "invisible"),
        ("a\u202egnp.exe", "invisible"),
        ("a\u200bb", "invisible"),
        ("a\u2028b", "invisible"),
        ("\ufeffa", "invisible"),
        ("../../etc/passwd", "slash"),
        ("a/b", "slash"),
        ("C:\\Windows", "slash"),
    ],
    ids=brief,
)
def test_a_name_that_cannot_be_shown_is_refused(name: Any, why: str) -> None:
    assert why in refused(of(name=name)).message


@pytest.mark.parametrize(
    "name", ["n" * 120, "¿Quién descubrió América?", "家族 👨\u200d👩\u200d👧", "می\u200cخواهم", "a.b:c*"], ids=brief
)
def test_a_name_in_any_language_is_kept(name: str) -> None:
    assert from_json(of(name=f" {name} ")).name == name


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("Tweet sentiment", "preset-tweet-sentiment.json"),
        ("¿Quién descubrió América?", "preset-quien-descubrio-america.json"),
        ("../../etc/passwd", "preset-etc-passwd.json"),
        ("CON", "preset-con.json"),
        ('a"; rm -rf *', "preset-a-rm-rf.json"),
        (".htaccess", "preset-htaccess.json"),
        ("a\r\nSet-Cookie: x", "preset-a-set-cookie-x.json"),
        ("日本語", "preset.json"),
        ("...", "preset.json"),
        ("n" * 120, f"preset-{'n' * 60}.json"),
    ],
    ids=brief,
)
def test_a_download_has_a_harmless_name(name: str, file: str) -> None:
    assert file_name(Preset(id="", name=name, mode="chat")) == file


@pytest.mark.parametrize("model", ["", " ", "a\nb", "m" * 201, 1, [], {"api": 1}], ids=brief)
def test_what_is_no_models_name_is_refused(model: Any) -> None:
    assert "model" in refused(of(model=model)).message


def test_a_preset_needs_no_model() -> None:
    assert from_json(of(model=None)).model is None


# --- variables and parameters ---


@pytest.mark.parametrize("name", ["", "1", "a b", "a-b", "{{a}}", "a" * 65, "\ud800", "../x"], ids=brief)
def test_a_variable_has_a_name_that_a_text_can_use(name: str) -> None:
    assert "has a variable called" in refused(of(variables={name: "x"})).message


@pytest.mark.parametrize("value", [None, 1, True, [], {}])
def test_a_variables_value_is_text(value: Any) -> None:
    assert "variable a that is not text" in refused(of(variables={"a": value})).message


@pytest.mark.parametrize("value", [None, [], "a", 1, {f"n{i}": "" for i in range(101)}])
def test_variables_are_an_object_of_at_most_100(value: Any) -> None:
    assert "variables" in refused(of(variables=value)).message


def test_the_parameters_are_the_panels() -> None:
    assert set(preset_checks.PARAMS) == set(panel.NAMES)


@pytest.mark.parametrize("value", [None, [], "temperature", 1])
def test_params_are_an_object(value: Any) -> None:
    assert "params" in refused(of(params=value)).message


@pytest.mark.parametrize("name", ["top_k", "model", "messages", "stream", "Temperature", "", "__proto__"])
def test_an_unknown_parameter_is_named(name: str) -> None:
    assert f"unknown parameter {name!r}" in refused(of(params={name: 1})).message


@pytest.mark.parametrize("name", preset_checks.PARAMS)
def test_a_parameter_has_its_own_type(name: str) -> None:
    for value in (None, 1, True, "text", ["x"], {"a": 1}):
        kinds = preset_checks.PARAMS[name]
        fits = type(value) in kinds and (name != "response_format" or value == "text")
        if fits:
            assert name in from_json(of(params={name: value})).params
        else:
            assert name in refused(of(params={name: value})).message


@pytest.mark.parametrize("value", [-5, 99, 0, 2.5, -(2**63), 2**63 - 1, 1e300])
def test_ranges_are_the_runs_to_check(value: float) -> None:
    assert from_json(of(params={"seed": value})).params == {"seed": value}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 2**63, -(2**63) - 1, 10**400], ids=brief)
def test_a_number_that_the_page_cannot_hold_is_refused(value: Any) -> None:
    for place in (of(params={"temperature": value}), of(params={"logit_bias": {"1": value}}), of(text=value)):
        assert "number that is too large or none at all" in refused(place).message


@pytest.mark.parametrize("value", ["xml", "", "JSON_OBJECT"])
def test_an_unknown_response_format_is_refused(value: str) -> None:
    assert "unknown response_format" in refused(of(params={"response_format": value})).message


@pytest.mark.parametrize("stop", [[1], [None], [["x"]], ["ok", {}], ["x" * 200_001]])
def test_stop_sequences_are_texts(stop: Any) -> None:
    assert "stop" in refused(of(params={"stop": stop})).message


def test_a_parameters_text_is_bounded() -> None:
    assert "200,001 characters" in refused(of(params={"tools": "x" * 200_001})).message


def test_a_parameter_is_not_nested_deeply() -> None:
    shape = {"type": "function", "function": {"name": "weather"}}
    assert from_json(of(params={"tool_choice": shape})).params == {"tool_choice": shape}
    assert "nested" in refused(of(params={"tool_choice": {"a": {"b": {"c": {}}}}})).message


# --- messages ---


@pytest.mark.parametrize("messages", [None, "hi", 1, {}, [{"role": "user"}] * 501])
def test_messages_are_a_list_of_at_most_500(messages: Any) -> None:
    assert "list of up to 500" in refused(of(messages=messages)).message


def test_500_messages_are_kept() -> None:
    assert len(from_json(of(messages=[{"role": "user", "content": "x"}] * 500)).messages) == 500


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (None, "not an object"),
        ("hi", "not an object"),
        ([], "not an object"),
        ({}, "no role"),
        ({"content": "x"}, "no role"),
        ({"role": "robot"}, "unknown role"),
        ({"role": "User"}, "unknown role"),
        ({"role": None}, "unknown role"),
        ({"role": []}, "unknown role"),
        ({"role": "user", "reasoning": "x"}, "unknown field 'reasoning'"),
        ({"role": "user", "content": 1}, "not text"),
        ({"role": "user", "content": {}}, "not text"),
        ({"role": "user", "content": "x" * 200_001}, "200,001 characters"),
        ({"role": "user", "name": 1}, "not text"),
        ({"role": "tool", "tool_call_id": None}, "not text"),
        ({"role": "assistant", "tool_calls": None}, "not a list"),
        ({"role": "assistant", "tool_calls": {}}, "not a list"),
        ({"role": "assistant", "tool_calls": ["x"]}, "not an object"),
        ({"role": "assistant", "tool_calls": [{"id": "c"}]}, "has no type"),
        ({"role": "assistant", "tool_calls": [{**CALL, "function": {}}]}, "has no name"),
        ({"role": "assistant", "tool_calls": [{**CALL, "function": "f"}]}, "not an object"),
        ({"role": "assistant", "tool_calls": [{**CALL, "id": 1}]}, "not text"),
        ({"role": "assistant", "tool_calls": [{**CALL, "index": 0}]}, "unknown field 'index'"),
        (
            {"role": "assistant", "tool_calls": [{**CALL, "function": {"name": "f", "arguments": {}}}]},
            "not text",
        ),
    ],
)
def test_a_wrong_message_is_refused_with_its_place(message: Any, why: str) -> None:
    error = refused(said(message))
    assert why in error.message
    assert "message 2" in error.message


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "gif"])
def test_images_come_inside_the_preset(kind: str) -> None:
    url = {"url": f"data:image/{kind};base64,AAAA"}
    assert from_json(part(type="image_url", image_url=url)).messages[1]["content"][0]["image_url"] == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        None,
        1,
        "http://127.0.0.1/x.png",
        "https://example.org/x.png",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "data:image/svg+xml;base64,AAAA",
        "data:text/html;base64,AAAA",
        "data:image/png,AAAA",
        "data:image/png;base64,",
        "data:image/png;base64,AA AA",
        "data:image/png;base64,AAAA\n",
        'data:image/png;base64,AAAA" onerror="alert(1)',
        "DATA:image/png;base64,AAAA",
        " data:image/png;base64,AAAA",
        "data:image/png;base64,AAAA====",
        "data:image/png;base64," + "A" * 1_000_000 + "!",
    ],
    ids=brief,
)
def test_an_image_from_elsewhere_is_refused(url: Any) -> None:
    assert "an image in message 2" in refused(part(type="image_url", image_url={"url": url})).message


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"type": "text"},
        {"type": "text", "text": None},
        {"type": "text", "text": "x", "cache_control": {}},
        {"type": "input_audio", "input_audio": {}},
        {"type": ["text"], "text": "x"},
        {"type": "image_url"},
        {"type": "image_url", "image_url": IMAGE},
        {"type": "image_url", "image_url": {}},
        {"type": "image_url", "image_url": {"url": IMAGE, "detail": "huge"}},
        {"type": "image_url", "image_url": {"url": IMAGE, "width": 1}},
        {"type": "image_url", "image_url": {"url": IMAGE}, "width": 1},
    ],
)
def test_a_part_that_is_neither_text_nor_an_image_is_refused(fields: dict[str, Any]) -> None:
    assert "message 2" in refused(part(**fields)).message


# --- size and depth ---


def test_a_preset_is_at_most_2_megabytes_with_its_images() -> None:
    def with_image(characters: int) -> dict[str, Any]:
        return part(type="image_url", image_url={"url": "data:image/png;base64," + "A" * characters})

    from_json(with_image(1_990_000))
    assert "larger than 2,000,000 bytes" in refused(with_image(2_000_000)).message


def test_bytes_count_not_characters() -> None:
    texts = dict.fromkeys(("text", "system", "input"), "😀" * 180_000)
    assert "larger than" in refused(of(**texts)).message


@pytest.mark.parametrize("levels", [20, 21, 900])
@pytest.mark.parametrize("place", ["params", "messages", "text", "anything"])
def test_what_is_nested_deeper_than_20_is_refused(levels: int, place: str) -> None:
    assert "nested too deeply" in refused(of(**{place: nested(levels)})).message


def test_19_levels_below_the_preset_are_looked_at() -> None:
    assert "unknown field 'anything'" in refused(of(anything=nested(19))).message


@pytest.mark.parametrize("value", [b"x", {1}, (1,), 1j, object()])
def test_what_json_does_not_have_is_refused(value: Any) -> None:
    assert "not JSON" in refused(of(text=value)).message
    assert "not text" in refused(of(params={1: "x"})).message


# --- files ---


def test_one_preset_is_one_object() -> None:
    text = dump([from_json(of(name="¡Mía!"))])
    assert json.loads(text) == of(name="¡Mía!")
    assert "¡Mía!" in text


def test_several_presets_are_a_list() -> None:
    kept = [from_json(of(name="a", text="1")), from_json(of(name="b", mode="chat", messages=MESSAGES))]
    text = dump(kept)
    assert json.loads(text)["format"] == "playground-presets"
    assert all(map(same, load(text), kept))


@pytest.mark.parametrize(
    "encode", [str, str.encode, lambda text: "\ufeff" + text, lambda text: text.encode("utf-8-sig")]
)
def test_a_file_may_begin_with_a_byte_order_mark(encode: Callable[[str], Any]) -> None:
    assert load(encode(json.dumps(of(name="ñ"), ensure_ascii=False)))[0].name == "ñ"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not valid JSON: line 1, column 1"),
        ("{", "not valid JSON"),
        ("hello", "not valid JSON"),
        ('{"a": 1,}', "not valid JSON"),
        (json.dumps(of()) + "x", "not valid JSON"),
        ("null", "not a JSON object"),
        ("[]", "not a JSON object"),
        (json.dumps([of()]), "not a JSON object"),
        ("{}", "not one of Playground's"),
        (b"\xff\xfe{\x00}\x00", "not text in UTF-8"),
        (b"\x89PNG\r\n\x1a\n", "not text in UTF-8"),
        ("[" * 500_000, "nested too deeply"),
        ('{"a":' * 500_000, "nested too deeply"),
        ('{"name": "a", "name": "b"}', "a field twice"),
        ('{"params": {"n": 1, "n": 2}}', "a field twice"),
        (" " * 20_000_001, "larger than 20,000,000 bytes"),
    ],
    ids=brief,
)
def test_what_is_no_file_of_presets_is_refused(text: Any, why: str) -> None:
    assert why in refused(text, how=load).message


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 30, "-" + "9" * 30, "9" * 10_000], ids=brief
)
def test_a_file_with_a_number_out_of_range_says_whose_it_is(number: str) -> None:
    bad = json.dumps(of(name="bad", params={"seed": 1})).replace('"seed": 1', f'"seed": {number}')
    assert "number that is too large" in refused(bad, how=load).message
    file = f'{{"format": "playground-presets", "version": 1, "presets": [{json.dumps(of())}, {bad}]}}'
    assert refused(file, how=load).message.startswith("Preset 2 ('bad') has a number")


def several(*given: Any, **fields: Any) -> str:
    return json.dumps({"format": "playground-presets", "version": 1, "presets": [*given], **fields})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (several(), "from 1 to 200"),
        (several(*[of(name=f"{i}") for i in range(201)]), "from 1 to 200 presets, not 201"),
        (several(presets={}), "no list of presets"),
        (several(presets=None), "no list of presets"),
        (several(version=2), "newer version"),
        (several(version="1"), "not one of Playground's"),
        (several(of(), author="x"), "unknown field 'author'"),
        (several(of(), api_key="x"), "looks like a key"),
        (several(of(), more=nested(900)), "nested too deeply"),
        (several(of(), of()), "Two presets are called 'Mine'"),
        (several(of(), of(name=" Mine ")), "Two presets are called 'Mine'"),
        (several(of(), None), "Preset 2 is not a JSON object"),
        (several(of(), of(name="b", mode="x")), "Preset 2 ('b') has an unknown mode"),
        (several(of(), of(name="b", secret="x")), "Preset 2 ('b') has a field 'secret'"),
        (several(of(), of(name="\n" * 5_000)), "Preset 2"),
        (several(of(), of(name="b", messages=[{"role": "x"}])), "Preset 2 ('b') has an unknown role in message 1"),
        (several(several(of())), "Preset 1"),
    ],
    ids=brief,
)
def test_a_file_of_several_is_read_whole_or_not_at_all(text: str, why: str) -> None:
    assert why in refused(text, how=load).message


def test_200_presets_are_one_file() -> None:
    kept = [from_json(of(name=f"{number}")) for number in range(200)]
    assert len(load(dump(kept))) == 200


@pytest.mark.parametrize("count", [0, 201])
def test_a_file_that_could_not_be_read_again_is_not_written(count: int) -> None:
    preset = from_json(of())
    refused([replace(preset, name=f"{number}") for number in range(count)], how=dump)
    refused([preset, preset], how=dump)


def test_a_file_too_large_to_be_read_again_is_not_written() -> None:
    preset = from_json(part(type="image_url", image_url={"url": "data:image/png;base64," + "A" * 1_900_000}))
    kept = [replace(preset, name=f"{number}") for number in range(11)]
    assert "one by one" in refused(kept, how=dump).hint
    assert len(load(dump(kept[:10]))) == 10


# --- links ---


def test_a_link_carries_all_but_description_and_language() -> None:
    preset = from_json(of(mode="chat", system="s", messages=MESSAGES, language="es", description="d"))
    link = to_link(preset)
    assert link.replace("-", "").replace("_", "").isalnum()
    assert same(from_link(link), replace(preset, language=None, description=""))


def test_a_link_with_images_is_a_file_instead() -> None:
    assert refused(from_json(of(messages=[PICTURE])), how=to_link).hint == "Export the preset as a file."
    refused(link_of({"name": "a", "mode": "chat", "messages": [PICTURE]}), how=from_link)


def test_a_link_that_is_too_long_is_a_file_instead() -> None:
    def numbers(count: int) -> Preset:
        return from_json(of(text="".join(f"{(n * 2654435761) % 2**32:08x}" for n in range(count))))

    assert len(to_link(numbers(1_000))) <= 8_000
    assert "8,000" in refused(numbers(3_000), how=to_link).message


def test_a_long_text_that_repeats_itself_still_fits() -> None:
    preset = from_json(of(text="x" * 200_000))
    assert same(from_link(to_link(preset)), preset)


GOOD = {"name": "a", "mode": "complete", "text": "x"}


@pytest.mark.parametrize(
    "link",
    [
        "",
        "a",
        "aaaaa",
        "!!!!",
        "a" * 8_001,
        link_of(GOOD) + "=",
        link_of(GOOD) + "\n",
        " " + link_of(GOOD),
        link_of(GOOD)[:-8],
        link_of(GOOD)[4:],
        link_of(GOOD).replace("e", "é"),
        base64.b64encode(b"\xfb\xff" * 9).decode(),
        base64.urlsafe_b64encode(json.dumps(GOOD).encode()).decode().rstrip("="),
        base64.urlsafe_b64encode(zlib.compress(json.dumps(GOOD).encode()) + b"more").decode().rstrip("="),
        base64.urlsafe_b64encode(zlib.compress(json.dumps(GOOD).encode()) * 2).decode().rstrip("="),
        base64.urlsafe_b64encode(zlib.compress(json.dumps(GOOD).encode())[:-1]).decode().rstrip("="),
        link_of(b"\xff\xfe"),
        link_of(b" " * 2_000_001 + b"{}"),
        link_of(b"1" * 5_000_000),
        link_of([GOOD]),
        link_of("text"),
        link_of(None),
    ],
    ids=brief,
)
def test_a_broken_link_is_refused(link: str) -> None:
    assert refused(link, how=from_link).message == "The link is broken."


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 900 + b"1" + b"}" * 900, "nested too deeply"),
        (b'{"name": "a", "name": "b"}', "a field twice"),
        (b'{"params": {"seed": NaN}}', "number that is too large"),
        ({}, "has no name"),
        ({**GOOD, "api_key": "x"}, "looks like a key"),
        ({**GOOD, "params": {"base_url": "http://evil"}}, "looks like a key"),
        ({**GOOD, "format": "playground-preset"}, "unknown field 'format'"),
        ({**GOOD, "description": "x"}, "unknown field 'description'"),
        ({**GOOD, "builtin": True}, "unknown field 'builtin'"),
        ({**GOOD, "text": "x" * 200_001}, "200,001 characters"),
        ({**GOOD, "mode": "image"}, "unknown mode"),
        ({**GOOD, "messages": [{"role": "x"}]}, "unknown role"),
    ],
    ids=brief,
)
def test_a_link_is_read_as_strictly_as_a_file(data: Any, why: str) -> None:
    assert why in refused(link_of(data), how=from_link).message


# --- the examples ---


def example_name(preset: Preset) -> str:
    return preset.id


def test_every_example_is_there_in_both_languages() -> None:
    kinds = [(p.mode, p.params, len(p.messages), sorted(p.variables)) for p in builtin()]
    assert [p.language for p in builtin()] == ["en", "es"] * 5
    assert kinds[::2] == kinds[1::2]


def test_examples_are_read_once_and_have_ids_that_stay() -> None:
    assert builtin() is builtin()
    assert len({p.id for p in builtin()}) == len(builtin())
    assert builtin()[0].id == "builtin-tweet-sentiment"


@pytest.mark.parametrize("preset", builtin(), ids=example_name)
def test_an_example_is_a_preset_like_any_other(preset: Preset) -> None:
    assert preset.builtin
    assert preset.description
    assert preset.model is None
    assert same(from_json(to_json(preset)), replace(preset, builtin=False))
    assert same(from_link(to_link(preset)), replace(preset, builtin=False, description="", language=None))


@pytest.mark.parametrize("preset", builtin(), ids=example_name)
def test_an_example_can_be_run_as_it_is(preset: Preset) -> None:
    used = [preset.text, preset.system, *(message["content"] for message in preset.messages)]
    assert set(names("\n".join(used))) == set(preset.variables)
    values = panel.api_values(preset.params, preset.mode)
    if preset.mode == "complete":
        prompt = fill_all(preset.text, preset.variables)
        assert validate_completion({**values, "prompt": prompt}, endpoint="e", model="m").prompt
    else:
        messages = [{"role": "system", "content": preset.system}, *preset.messages]
        filled = fill_all(messages, preset.variables)
        assert validate_chat({**values, "messages": filled}, endpoint="e", model="m").messages[-1].role == "user"


def test_the_sentiment_stops_at_the_line_break() -> None:
    for preset, end in zip(builtin(), ("Sentiment:", "Sentimiento:"), strict=False):
        assert preset.text.endswith(end)
        assert panel.api_values(preset.params, "complete")["stop"] == ["\n"]


# --- there and back ---

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
titles = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="/\\"), min_size=1, max_size=120)
variables = st.dictionaries(st.from_regex(r"[a-zñ_][a-z0-9_]{0,63}", fullmatch=True), texts, max_size=4)
part_of_a_message = st.one_of(
    st.fixed_dictionaries({"type": st.just("text"), "text": texts}),
    st.just({"type": "image_url", "image_url": {"url": IMAGE}}),
)


def messages_of(content: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    one = st.fixed_dictionaries(
        {"role": st.sampled_from(preset_checks.ROLES), "content": content},
        optional={"name": texts, "tool_call_id": texts, "tool_calls": st.just([CALL])},
    )
    return st.lists(one, max_size=4).map(tuple)


params = st.fixed_dictionaries(
    {},
    optional={
        "temperature": st.floats(allow_nan=False, allow_infinity=False),
        "seed": st.integers(-(2**63), 2**63 - 1),
        "stop": st.lists(texts, max_size=3),
        "logit_bias": st.dictionaries(st.integers(0, 99_999).map(str), st.integers(-100, 100), max_size=3),
        "echo": st.booleans(),
        "user": texts,
    },
)


def presets_of(content: st.SearchStrategy[Any], **more: st.SearchStrategy[Any]) -> st.SearchStrategy[Preset]:
    return st.builds(
        Preset,
        id=st.just(""),
        name=titles,
        mode=st.sampled_from(["complete", "chat", "edit"]),
        model=st.none() | st.just("engine/smollm2"),
        text=texts,
        system=texts,
        instruction=texts,
        input=texts,
        messages=messages_of(content),
        params=params,
        variables=variables,
        **more,
    )


@given(
    presets_of(
        st.none() | texts | st.lists(part_of_a_message, max_size=3),
        description=texts,
        language=st.sampled_from([None, "en", "es"]),
    )
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_any_preset_comes_back_from_a_file_as_it_was(preset: Preset) -> None:
    assert same(from_json(to_json(preset)), preset)
    assert same(load(dump([preset]))[0], preset)


@given(presets_of(st.none() | texts))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_any_preset_comes_back_from_a_link_as_it_was(preset: Preset) -> None:
    assert same(from_link(to_link(preset)), preset)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from([*to_json(builtin()[0]), "messages", "model"]), anything, max_size=4))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_whatever_is_in_the_fields_is_read_or_refused(fields: dict[str, Any]) -> None:
    try:
        preset = from_json(of(**fields))
    except InvalidRequest:
        return
    assert same(load(dump([preset]))[0], preset)


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: link_of(raw)))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_no_text_breaks_the_reading_of_links_and_files(text: str) -> None:
    refused(text, how=from_link)
    refused(text, how=load)
