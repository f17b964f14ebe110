"""What a preset asks a model, without a page."""

from __future__ import annotations

from dataclasses import replace

import pytest

from playground import editing
from playground.errors import InvalidRequest
from playground.parameters import validate_chat, validate_completion
from playground.preset_requests import parameters, written
from playground.presets import Preset, builtin
from playground.variables import fill_all, names_in

MINE = Preset(id="", name="Mine", mode="complete")


@pytest.mark.parametrize("preset", builtin(), ids=lambda preset: preset.id)
def test_every_example_makes_a_request(preset: Preset) -> None:
    asked = written(preset)
    filled = fill_all(asked, {name: preset.variables.get(name, "something") for name in names_in(asked)})
    validate = validate_completion if preset.mode == "complete" else validate_chat
    request = validate({**parameters(preset), **filled}, endpoint="here", model="m")
    assert request.model == "m"


def test_a_chat_begins_with_its_system_message() -> None:
    said = {"role": "user", "content": "Hi"}
    chat = replace(MINE, mode="chat", system="Be brief.", messages=(said,))
    assert written(chat) == {"messages": [{"role": "system", "content": "Be brief."}, said]}
    assert written(replace(chat, system=" ")) == {"messages": [said]}


def test_an_edit_is_the_chat_that_the_tab_makes() -> None:
    edit = replace(MINE, mode="edit", instruction="Shorten it.", input="A long text")
    assert written(edit) == {"messages": editing.messages("Shorten it.", "A long text")}


@pytest.mark.parametrize("mode", ["complete", "chat", "edit"])
def test_a_preset_without_a_text_is_refused_by_its_name(mode: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        written(replace(MINE, mode=mode))  # type: ignore[arg-type]
    assert "“Mine” has nothing to send" in caught.value.message
    assert "«Mine»" in caught.value.texts("es")[0]


def test_parameters_are_named_as_their_endpoint_names_them() -> None:
    params = {"temperature": 0.2, "logprobs": 3, "stop": ["\\n"], "seed": None}
    assert parameters(replace(MINE, params=params)) == {"temperature": 0.2, "logprobs": 3, "stop": ["\n"]}
    chat = parameters(replace(MINE, mode="chat", params=params))
    assert chat == {"temperature": 0.2, "logprobs": True, "top_logprobs": 3, "stop": ["\n"]}
