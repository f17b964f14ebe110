"""The parameters of both endpoints: their ranges, and the one place where values from outside are checked.

Ranges are OpenAI's published ones (the API reference of /v1/completions and /v1/chat/completions). A model may narrow
them: `ranges_for` says how. Every parameter can be unset (None); what is unset is not sent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from playground.errors import refused
from playground.messages import plain_text, read_messages
from playground.structured import read_format, read_tool_choice, read_tools
from playground.types import ChatRequest, CompletionRequest
from playground.words import Said

Kind = Literal["float", "int", "bool", "text", "stop", "bias", "option"]

MAX_STOP = 4
MAX_SEED = 2**63 - 1
_HUGE = 1e300


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter. `start`: its value when it is first set; `default`: what servers assume when it is not.

    `options` are the values of a choice that servers are known to take; another word is passed on as it is.
    """

    name: str
    kind: Kind
    low: float | None = None
    high: float | None = None
    step: float | None = None
    start: Any = None
    default: Any = None
    options: tuple[str, ...] = ()


COMPLETION: tuple[Parameter, ...] = (
    Parameter(name="temperature", kind="float", low=0, high=2, step=0.01, start=1.0, default=1.0),
    Parameter(name="max_tokens", kind="int", low=0, high=4096, step=1, start=256, default=16),
    Parameter(name="stop", kind="stop", start=()),
    Parameter(name="top_p", kind="float", low=0, high=1, step=0.01, start=1.0, default=1.0),
    Parameter(name="frequency_penalty", kind="float", low=-2, high=2, step=0.01, start=0.0, default=0.0),
    Parameter(name="presence_penalty", kind="float", low=-2, high=2, step=0.01, start=0.0, default=0.0),
    Parameter(name="n", kind="int", low=1, high=128, step=1, start=1, default=1),
    Parameter(name="best_of", kind="int", low=1, high=20, step=1, start=1, default=1),
    Parameter(name="logprobs", kind="int", low=0, high=5, step=1, start=5),
    Parameter(name="seed", kind="int", low=-MAX_SEED - 1, high=MAX_SEED, step=1, start=42),
    Parameter(name="logit_bias", kind="bias"),
    Parameter(name="echo", kind="bool", start=True, default=False),
    Parameter(name="suffix", kind="text"),
    Parameter(name="user", kind="text"),
)
_SHARED = {p.name: p for p in COMPLETION}

CHAT: tuple[Parameter, ...] = (
    _SHARED["temperature"],
    replace(_SHARED["max_tokens"], low=1),
    replace(_SHARED["max_tokens"], name="max_completion_tokens", low=1),
    *(_SHARED[name] for name in ("stop", "top_p", "frequency_penalty", "presence_penalty", "n")),
    Parameter(name="logprobs", kind="bool", start=True, default=False),
    Parameter(name="top_logprobs", kind="int", low=0, high=20, step=1, start=5),
    _SHARED["seed"],
    _SHARED["logit_bias"],
    Parameter(name="reasoning_effort", kind="option", options=("none", "minimal", "low", "medium", "high", "xhigh")),
    Parameter(name="verbosity", kind="option", options=("low", "medium", "high")),
    Parameter(name="service_tier", kind="option", options=("auto", "default", "flex", "priority")),
    Parameter(name="parallel_tool_calls", kind="bool", start=False, default=True),
    _SHARED["user"],
)
"""Those of a chat that are plain values; messages, tools, tool_choice and response_format have readers of their own."""


def ranges_for(context_length: int | None, parameters: tuple[Parameter, ...] = COMPLETION) -> tuple[Parameter, ...]:
    """The parameters with the ranges of a model whose context is `context_length` tokens (None: unknown)."""
    lengths = ("max_tokens", "max_completion_tokens")
    return tuple(replace(p, high=context_length) if p.name in lengths and context_length else p for p in parameters)


def validate_completion(
    values: Mapping[str, Any], *, endpoint: str, model: str, context_length: int | None = None
) -> CompletionRequest:
    """A request from values as a page, the command line or an API call hands them over.

    None and empty text are unset. Raises InvalidRequest naming the parameter; an unknown name is refused, too.
    """
    specs = {p.name: p for p in ranges_for(context_length)}
    _refuse_unknown(values, specs, ("prompt",))
    prompt = _text("prompt", values.get("prompt"))
    if not prompt:
        raise refused("prompt_empty", param="prompt")
    checked = {name: check(spec, values.get(name)) for name, spec in specs.items()}
    checked["stop"] = checked["stop"] or ()
    request = CompletionRequest(endpoint=endpoint, model=model, prompt=prompt, **checked)
    if request.best_of is not None and request.best_of < (request.n or 1):
        raise refused("best_of_small", param="best_of", best_of=request.best_of, n=request.n or 1)
    return request


def validate_chat(
    values: Mapping[str, Any], *, endpoint: str, model: str, context_length: int | None = None
) -> ChatRequest:
    """The same for a chat; `messages`, `tools`, `tool_choice` and `response_format` in OpenAI's own shapes.

    Raises InvalidRequest naming the parameter.
    """
    specs = {p.name: p for p in ranges_for(context_length, CHAT)}
    _refuse_unknown(values, specs, ("messages", "tools", "tool_choice", "response_format"))
    messages = read_messages(values.get("messages"))
    checked = {name: check(spec, values.get(name)) for name, spec in specs.items()}
    checked["stop"] = checked["stop"] or ()
    if checked["top_logprobs"] is not None and not checked["logprobs"]:
        raise refused("top_logprobs_alone", param="top_logprobs")
    tools = read_tools(values.get("tools"))
    return ChatRequest(
        endpoint=endpoint,
        model=model,
        messages=messages,
        tools=tools,
        tool_choice=read_tool_choice(values.get("tool_choice"), tools),
        response_format=read_format(values.get("response_format")),
        **checked,
    )


def _refuse_unknown(values: Mapping[str, Any], specs: Mapping[str, Parameter], others: tuple[str, ...]) -> None:
    unknown = set(values) - set(specs) - set(others)
    if unknown:
        name = str(min(unknown, key=str))[:40]
        known = ", ".join([*specs, *others[1:]])
        raise refused("no_parameter", param=name, name=repr(name), known=known)


def check(spec: Parameter, value: Any) -> Any:
    """The value in its own type, None if unset. Raises InvalidRequest naming the parameter."""
    if value is None or value == "" or (spec.kind in ("stop", "bias") and not value):
        return None
    match spec.kind:
        case "float" | "int":
            return _number(spec, value)
        case "bool":
            if not isinstance(value, bool):
                raise refused("true_or_false", param=spec.name, name=spec.name)
            return value
        case "text":
            return _text(spec.name, value)
        case "stop":
            return _stop(value)
        case "bias":
            return _bias(value)
        case "option":
            return _option(spec, value)


def unescape(text: str) -> str:
    r"""What a person typed into a one-line field, with `\n`, `\t`, `\r` and `\\` as the characters they stand for."""
    out, at = [], 0
    escapes = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\"}
    while at < len(text):
        if text[at] == "\\" and text[at + 1 : at + 2] in escapes:
            out.append(escapes[text[at + 1]])
            at += 2
        else:
            out.append(text[at])
            at += 1
    return "".join(out)


def escape(text: str) -> str:
    """The way back: as a person would type it into a one-line field."""
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")


def _number(spec: Parameter, value: Any) -> float | int:
    what = Said(f"number.{spec.kind}", {"name": spec.name, "low": _plain(spec.low), "high": _plain(spec.high)})
    if isinstance(value, str):
        try:
            value = float(value) if spec.kind == "float" or not value.lstrip("+-").isdigit() else int(value)
        except ValueError:
            value = None
    # Compared before it is looked at any closer: an int of 400 digits is neither a float nor printable by `:g`.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not -_HUGE < value < _HUGE:
        raise refused("no_value", param=spec.name, what=what)
    if spec.kind == "int" and value != int(value):
        raise refused("not_whole", param=spec.name, what=what, value=_plain(value))
    if spec.low is not None and spec.high is not None and not spec.low <= value <= spec.high:
        raise refused("out_of_range", param=spec.name, what=what, value=_plain(value))
    return int(value) if spec.kind == "int" else float(value)


def _plain(value: float | None) -> str:
    """A number as a person writes it: 1,047,576, and not 1.04758e+06."""
    if value is None:
        return "?"
    return f"{int(value):,}" if abs(value) < 1e15 and value == int(value) else f"{value:g}"


def _option(spec: Parameter, value: Any) -> str:
    """A word of `options`, or one that is newer than this list."""
    if not isinstance(value, str) or not re.fullmatch(r"[a-z_-]{1,32}", value):
        raise refused("one_of", param=spec.name, name=spec.name, options=", ".join(spec.options))
    return value


def _text(name: str, value: Any) -> str:
    return "" if value is None else plain_text(name, value)


def _stop(value: Any) -> tuple[str, ...]:
    sequences = [value] if isinstance(value, str) else value
    if not isinstance(sequences, (list, tuple)) or not all(isinstance(s, str) for s in sequences):
        raise refused("stop_shape", param="stop")
    kept = tuple(dict.fromkeys(_text("stop", s) for s in sequences if s))
    if len(kept) > MAX_STOP:
        raise refused("stop_many", param="stop", count=len(kept), most=MAX_STOP)
    return kept


def _bias(value: Any) -> dict[str, float]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (json.JSONDecodeError, RecursionError):
            raise refused("bias_json", param="logit_bias") from None
    if not isinstance(value, Mapping) or len(value) > 1024:
        raise refused("bias_shape", param="logit_bias")
    spec = Parameter(name="logit_bias", kind="float", low=-100, high=100)
    biases = {}
    for token, bias in value.items():
        if not str(token).isdecimal() or len(str(token)) > 9:
            raise refused("bias_token", param="logit_bias", name=repr(str(token)[:40]))
        biases[str(int(token))] = _number(spec, bias)
    return biases
