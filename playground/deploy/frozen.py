"""What a bundle asks, and of whom: exactly the request that View code shows, before its variables are filled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from playground import accepts, catalog, editing, export
from playground.accepts import Learned, LeftOut
from playground.parameters import validate_chat, validate_completion
from playground.preset_requests import parameters, written
from playground.presets import Preset
from playground.types import CompletionRequest, Endpoint, Mode, ModelInfo, Request
from playground.variables import fill, fill_all, names_in

FORMAT, VERSION = "playground-deploy", 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """A request whose prompt or messages may hold `{{name}}`; `variables` are all of those names, each with its usual
    value, or "" where it has none."""

    name: str
    mode: Mode
    request: Request
    info: ModelInfo
    endpoint: Endpoint
    variables: Mapping[str, str]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def written(self) -> dict[str, Any]:
        """The part that variables are filled in."""
        body = self.request.body()
        return {name: body[name] for name in ("prompt", "messages") if name in body}

    def filled(self, values: Mapping[str, str]) -> dict[str, Any]:
        """The prompt or messages with `values` over the usual ones. Raises InvalidRequest where one is missing."""
        found: dict[str, Any] = fill_all(self.written, {**self.variables, **values})
        return found

    @property
    def shutdown_date(self) -> str | None:
        """When the model is shut down, YYYY-MM-DD, where that is known."""
        known = catalog.describe(self.info.id) if self.endpoint.kind == "openai" else None
        return self.info.shutdown_date or (known.shutdown_date if known else None)

    @property
    def replacement(self) -> str | None:
        known = catalog.describe(self.info.id) if self.endpoint.kind == "openai" else None
        return known.replacement if known else None

    def as_json(self) -> dict[str, Any]:
        """request.json. Without a key: its variable's name only."""
        path = "/completions" if isinstance(self.request, CompletionRequest) else "/chat/completions"
        return {
            "format": FORMAT,
            "version": VERSION,
            "name": self.name,
            "endpoint": path.strip("/").replace("/", "."),
            "base_url": export.address(self.endpoint),
            "key_variable": export.variable(self.endpoint),
            "shutdown_date": self.shutdown_date,
            "replacement": self.replacement,
            "variables": dict(self.variables),
            "arguments": export.arguments(path, self.request.body()),
        }


def freeze(preset: Preset, *, info: ModelInfo, endpoint: Endpoint, learned: Learned | None = None) -> Frozen:
    """The preset's request to that model. Raises InvalidRequest for what cannot be sent."""
    asked, values = written(preset), preset.variables
    if preset.mode == "edit":
        asked, values = _with_input(preset)
    return freeze_request(
        asked,
        name=preset.name,
        mode=preset.mode,
        parameters=parameters(preset),
        variables=values,
        info=info,
        endpoint=endpoint,
        learned=learned,
    )


def freeze_request(
    asked: Mapping[str, Any],
    *,
    name: str,
    mode: Mode,
    parameters: Mapping[str, Any],
    variables: Mapping[str, str],
    info: ModelInfo,
    endpoint: Endpoint,
    learned: Learned | None = None,
) -> Frozen:
    """The same from plain data: `asked` is `prompt` or `messages`, `parameters` have their API names."""
    context = catalog.context_length(info)
    validate = validate_completion if mode == "complete" else validate_chat
    request = validate({**parameters, **asked}, endpoint=info.endpoint, model=info.id, context_length=context)
    effective, left_out = accepts.effective(request, endpoint.kind, learned)
    return Frozen(
        name=name,
        mode=mode,
        request=effective,
        info=info,
        endpoint=endpoint,
        variables={each: variables.get(each, "") for each in sorted(names_in(dict(asked)))},
        left_out=left_out,
    )


def _with_input(preset: Preset) -> tuple[dict[str, Any], dict[str, str]]:
    """An edit whose input is a variable, the preset's own its usual value: an editor is made for other texts.

    One whose input has variables in it is left as it is.
    """
    if names_in(preset.input):
        return written(preset), preset.variables
    written(preset)  # refuses one without an instruction
    taken = names_in(preset.instruction)
    name = next(each for each in ("input", "text", "input_text", "edited_input") if each not in taken)
    messages = editing.messages(preset.instruction, "{{" + name + "}}")
    # The input goes in as a value, which is not searched for variables: what was escaped in it is so no more.
    return {"messages": messages}, {**preset.variables, name: fill(preset.input, {})}
