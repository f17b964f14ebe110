"""What a model accepts: by data for OpenAI's, gated on the reasoning effort too; corrected by what servers answer.

What is not accepted is left out of the request and said so, never sent in the hope that it will do.
"""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar

from playground.errors import BadRequest, PlaygroundError, ServerFailed
from playground.parameters import CHAT
from playground.tokens import base_model
from playground.types import ChatRequest, CompletionRequest, EndpointKind

MOST = 1_000
"""Models whose refusals one visit remembers."""

#: Without them there is no request.
_ESSENTIAL = frozenset({"endpoint", "model", "prompt", "messages"})
_OPTIONAL = frozenset(spec.name for spec in (*fields(CompletionRequest), *fields(ChatRequest))) - _ESSENTIAL
#: How OpenAI and llama.cpp ("Unsupported param: suffix", as a failure), then vLLM and llama.cpp name it in words alone.
_UNNAMED = re.compile(
    r"(?:unsupported (?:param(?:eter)?|value)|unrecognized request arguments? supplied|unknown (?:field|parameter))"
    r"s?\b:? *['\"`]?(\w+)|\b(\w{1,40})['\"`]? (?:is not (?:currently )?supported|param requires)",
    re.IGNORECASE,
)
R = TypeVar("R", bound=CompletionRequest | ChatRequest)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A parameter that was set and is not sent. `reason`: "model", "effort", "engine" or "learned"."""

    param: str
    value: Any
    reason: str


class Learned:
    """What servers refused, by model and reasoning effort, in one visit."""

    def __init__(self) -> None:
        self._refused: OrderedDict[tuple[str, str | None], set[str]] = OrderedDict()

    def learn(self, ref: str, effort: str | None, param: str) -> None:
        """The model `ref` (endpoint/model) does not take `param` at this effort (None: unset)."""
        if param not in _OPTIONAL:
            return  # from outside: what no request can leave out is not worth its memory
        self._refused.setdefault((ref, effort), set()).add(param)
        self._refused.move_to_end((ref, effort))
        if len(self._refused) > MOST:
            self._refused.popitem(last=False)

    def refused(self, ref: str, effort: str | None) -> frozenset[str]:
        return frozenset(self._refused.get((ref, effort), ()))


@cache
def _data() -> dict[str, Any]:
    text = files("playground").joinpath("data", "accepts.json").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text)
    return data


def _rules(model: str, effort: str | None) -> list[Mapping[str, Any]]:
    """The rules that hold for an OpenAI model, its snapshots and its fine-tunes, at this effort."""
    base = base_model(model)
    return [
        rule
        for rule in _data()["rules"]
        if re.fullmatch(rule["models"], base) and (rule["efforts"] is None or (effort or "unset") in rule["efforts"])
    ]


def refused(model: str, kind: EndpointKind, effort: str | None) -> dict[str, str]:
    """Parameters that the model does not take at this effort, each with the reason's key."""
    if kind == "engine":
        return dict(_data()["engine"])
    if kind != "openai":
        return {}
    return {param: reason for rule in _rules(model, effort) for param, reason in rule["refuses"].items()}


def _tolerated(model: str, kind: EndpointKind, effort: str | None) -> dict[str, list[Any]]:
    """The values that a refused parameter may have all the same: a reasoning model's temperature may be 1."""
    if kind != "openai":
        return {}
    return {param: values for rule in _rules(model, effort) for param, values in rule.get("only", {}).items()}


def offers(model: str, kind: EndpointKind) -> dict[str, tuple[str, ...]]:
    """The words that the model takes for its options, where they are fewer than all."""
    found = [rule.get("offers", {}) for rule in _rules(model, None)] if kind == "openai" else []
    return {param: tuple(words) for each in found for param, words in each.items()}


def effective(request: R, kind: EndpointKind, learned: Learned | None = None) -> tuple[R, tuple[LeftOut, ...]]:
    """The request without what its model does not take, and what that was."""
    request = _named_length(request, kind)
    effort = getattr(request, "reasoning_effort", None)
    reasons = refused(request.model, kind, effort)
    if learned is not None:
        ref = f"{request.endpoint}/{request.model}"
        reasons.update(dict.fromkeys(learned.refused(ref, effort), "learned"))
    tolerated = _tolerated(request.model, kind, effort)
    left_out = []
    for spec in fields(request):
        name, value = spec.name, getattr(request, spec.name)
        if name in _ESSENTIAL or name not in reasons or value in (None, ()):
            continue
        if value in tolerated.get(name, ()) and reasons[name] != "learned":
            continue
        left_out.append(LeftOut(name, value, reasons[name]))
    gone: dict[str, Any] = {left.param: () if isinstance(left.value, tuple) else None for left in left_out}
    if "logprobs" in gone and isinstance(request, ChatRequest):
        gone["top_logprobs"] = None
    made = replace(request, **gone)
    if "tools" in gone and isinstance(made, ChatRequest):
        made = replace(made, tool_choice=None, parallel_tool_calls=None)
    # The number of alternatives goes with the probabilities: one thing for the person who set them.
    both = {"logprobs", "top_logprobs"} <= {left.param for left in left_out}
    return made, tuple(left for left in left_out if left.param != "top_logprobs" or not both)


def _named_length(request: R, kind: EndpointKind) -> R:
    """OpenAI's chats call the maximum length `max_completion_tokens`; o-series models refuse the older name."""
    if not isinstance(request, ChatRequest) or kind != "openai" or request.max_tokens is None:
        return request
    if request.max_completion_tokens is not None:
        return replace(request, max_tokens=None)
    return replace(request, max_tokens=None, max_completion_tokens=request.max_tokens)


def removable(error: PlaygroundError, request: CompletionRequest | ChatRequest) -> str | None:
    """The set parameter that a server refused and that can be left out; None where it named none, or one it needs."""
    if not isinstance(error, (BadRequest, ServerFailed)) or error.code == "context_length_exceeded":
        return None
    if error.param:
        named = [re.split(r"[.\[]", error.param)[0]]
    else:
        named = [found[1] or found[2] for found in _UNNAMED.finditer(error.message)]
    optional = request.body().keys() - _ESSENTIAL
    meant = ("tools" if name == "functions" else name for name in named)
    return next((name for name in meant if name in optional), None)


#: The names that data/accepts.json may use.
KNOWN = frozenset({*(parameter.name for parameter in CHAT), "tools", "tool_choice", "response_format"})
