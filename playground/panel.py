"""The parameter panel's rows, one list for all tabs, and what its values are called in each endpoint's API.

In the panel a maximum length is `max_tokens` and probabilities are a number of alternatives, whatever the endpoint;
JSON and functions are texts as typed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, cast

from playground.errors import refused
from playground.parameters import CHAT, COMPLETION, Parameter, escape, ranges_for, unescape
from playground.structured import read_json
from playground.types import Mode

START: dict[str, Any] = {"temperature": 1.0, "max_tokens": 256, "top_p": 1.0}
"""What is set when the page is opened for the first time; everything else is unset."""

_COMPLETE = {p.name: p for p in COMPLETION}
_CHAT = {p.name: p for p in CHAT}
_EVERYWHERE = ("complete", "chat", "edit")
_CHATS = ("chat", "edit")

_SCHEMA = """{
  "type": "object",
  "properties": {
    "sentiment": {"type": "string", "enum": ["positive", "neutral", "negative"]},
    "confidence": {"type": "number"}
  },
  "required": ["sentiment", "confidence"],
  "additionalProperties": false
}"""
_TOOLS = """[
  {
    "name": "get_weather",
    "description": "The weather in a city now",
    "parameters": {
      "type": "object",
      "properties": {"city": {"type": "string"}},
      "required": ["city"]
    }
  }
]"""

#: (row, modes, whether it opens under "More parameters")
_FORMAT = Parameter(name="response_format", kind="option", options=("text", "json_object", "json_schema"))
_ROWS: tuple[tuple[Parameter, tuple[str, ...], bool], ...] = (
    (_COMPLETE["temperature"], _EVERYWHERE, False),
    (_COMPLETE["max_tokens"], _EVERYWHERE, False),
    (_COMPLETE["stop"], _EVERYWHERE, False),
    (_COMPLETE["top_p"], _EVERYWHERE, False),
    (_COMPLETE["frequency_penalty"], _EVERYWHERE, False),
    (_COMPLETE["presence_penalty"], _EVERYWHERE, False),
    (_COMPLETE["n"], ("complete", "chat"), False),
    (_COMPLETE["logprobs"], ("complete", "chat"), False),
    (_CHAT["reasoning_effort"], _CHATS, False),
    (_CHAT["verbosity"], _CHATS, False),
    (_FORMAT, ("chat",), False),
    (Parameter(name="json_schema", kind="text"), ("chat",), False),
    (Parameter(name="tools", kind="text"), ("chat",), False),
    (Parameter(name="tool_choice", kind="text"), ("chat",), False),
    (_COMPLETE["best_of"], ("complete",), True),
    (_COMPLETE["seed"], _EVERYWHERE, True),
    (_COMPLETE["logit_bias"], _EVERYWHERE, True),
    (_COMPLETE["echo"], ("complete",), True),
    (_COMPLETE["suffix"], ("complete",), True),
    (_CHAT["parallel_tool_calls"], ("chat",), True),
    (_CHAT["service_tier"], _CHATS, True),
    (_COMPLETE["user"], _EVERYWHERE, True),
)
_EXAMPLES = {"json_schema": _SCHEMA, "tools": _TOOLS}
NAMES = tuple(row.name for row, _, _ in _ROWS)


def specs(context_length: int | None, offers: Mapping[str, tuple[str, ...]] | None = None) -> list[dict[str, Any]]:
    """The rows for a model with this context and these words for its options, as the panel's script reads them."""
    return [_row(row, modes, more, context_length, offers or {}) for row, modes, more in _ROWS]


def _row(
    row: Parameter,
    modes: tuple[str, ...],
    more: bool,
    context_length: int | None,
    offers: Mapping[str, tuple[str, ...]],
) -> dict[str, Any]:
    (ranged,) = ranges_for(context_length, (row,))
    ranged = replace(ranged, options=offers.get(row.name, row.options))
    kind = "json" if row.name in _EXAMPLES else row.kind
    return {**asdict(ranged), "kind": kind, "modes": modes, "more": more, "example": _EXAMPLES.get(row.name)}


def api_values(panel: Any, mode: Mode) -> dict[str, Any]:
    """What the panel says, under the names of the mode's endpoint; rows of other modes are left aside.

    Raises InvalidRequest for JSON that cannot be read, and for a name that no row has.
    """
    given = dict(panel) if isinstance(panel, Mapping) else {}
    unknown = set(given) - set(NAMES)
    if unknown:
        name = str(min(unknown, key=str))[:40]
        raise refused("panel_no_parameter", param=name, name=repr(name))
    values = {row.name: given.get(row.name) for row, modes, _ in _ROWS if mode in modes}
    # In the panel a line break is typed as \n; the API's endpoint takes it as it is.
    if isinstance(stop := values.get("stop"), list):
        values["stop"] = [unescape(text) if isinstance(text, str) else text for text in stop]
    return values if mode == "complete" else _as_chat(values)


def _as_chat(values: dict[str, Any]) -> dict[str, Any]:
    top = values.pop("logprobs", None)
    if top not in (None, ""):
        values.update(logprobs=True, top_logprobs=top)
    schema = values.pop("json_schema", None)
    wanted = values.pop("response_format", None)
    if wanted:
        values["response_format"] = {"type": wanted}
        if wanted == "json_schema":
            values["response_format"]["json_schema"] = read_json(schema, "response_format")
    if "tools" in values:
        values["tools"] = read_json(values["tools"], "tools") if values["tools"] else None
    return values


def panel_values(body: Mapping[str, Any], mode: Mode) -> dict[str, Any]:
    """The way back: what a run of the history had set, as the panel holds it. Raises nothing for fields it lacks."""
    values = {name: body[name] for name in NAMES if body.get(name) is not None}
    if "logit_bias" in values:
        values["logit_bias"] = json.dumps(values["logit_bias"])
    # What a person types for a line break is two characters.
    values["stop"] = [escape(text) for text in body.get("stop") or ()] or None
    if mode == "complete":
        return values
    if body.get("max_completion_tokens") is not None:
        values["max_tokens"] = body["max_completion_tokens"]
    values.pop("logprobs", None)
    if body.get("logprobs"):
        values["logprobs"] = body.get("top_logprobs") or 0
    form = cast("Mapping[str, Any]", body.get("response_format") or {})
    if form:
        values["response_format"] = form["type"]
        if "json_schema" in form:
            values["json_schema"] = json.dumps(form["json_schema"], indent=2, ensure_ascii=False)
    if body.get("tools"):
        values["tools"] = json.dumps([tool["function"] for tool in body["tools"]], indent=2, ensure_ascii=False)
    if isinstance(body.get("tool_choice"), Mapping):
        values["tool_choice"] = body["tool_choice"]["function"]["name"]
    return values
