"""Which models there are and what is known of them: the servers' own lists first, dated facts beside them."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from playground.errors import refused
from playground.settings import OWN
from playground.tokens import base_model
from playground.types import EndpointKind, ModelInfo

MAX_NAME = 200
EMBEDDED = "smollm2-135m-instruct"
"""What the engine calls the model that comes with the install."""

#: OpenAI's names of models that do not answer /v1/completions, for those that `data/models.json` does not know yet.
_NO_COMPLETION = re.compile(
    r"gpt-(?:\d|audio|chat|image|live|realtime|transcribe)|chatgpt|codex|o\d|computer-use|dall-e|omni|sora|text-embedding"
    r"|text-moderation|tts-|whisper"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """A model of `data/models.json`. `context_length` in tokens; dates as YYYY-MM-DD, None where none is announced."""

    id: str
    kind: Literal["completion", "chat"]
    context_length: int
    shutdown_date: str | None
    replacement: str | None


@cache
def facts() -> dict[str, ModelFacts]:
    """Every known model by its id."""
    text = files("playground").joinpath("data", "models.json").read_text(encoding="utf-8")
    return {row["id"]: ModelFacts(**row) for row in json.loads(text)["models"]}


def describe(model: str) -> ModelFacts | None:
    """What is known of a model, its dated snapshots and its fine-tunes."""
    base = base_model(model)
    undated = re.sub(r"-(\d{4}-\d\d-\d\d|\d{4})$", "", base)
    return facts().get(base) or facts().get(undated)


def context_length(info: ModelInfo) -> int | None:
    """Tokens the model can hold: what its server says, by any of the names servers use, else the facts."""
    said = [info.context_length, *(info.meta.get(key) for key in ("context_length", "max_model_len", "n_ctx_train"))]
    known = describe(info.id)
    return next((n for n in said if type(n) is int and n > 0), known.context_length if known else None)


def default_model(models: Sequence[ModelInfo]) -> ModelInfo | None:
    """The one chosen when nobody has: the first listed that can complete, the engine's if there is one."""
    return next(filter(completes, models), models[0] if models else None)


def completes(info: ModelInfo) -> bool:
    """Whether the model is for /v1/completions. Assumed of names that are not OpenAI's: local servers take both."""
    known = describe(info.id)
    return known.kind == "completion" if known else not _NO_COMPLETION.match(info.id)


def is_embedded(model: str, kind: EndpointKind) -> bool:
    """Whether that is the small model that comes with the install: no fine-tune of it, and none of another server."""
    return kind == "engine" and model == EMBEDDED


def resolve(name: str, available: Sequence[ModelInfo], endpoints: Collection[str]) -> ModelInfo:
    """The model that `endpoint/model` or a bare id means.

    A name that no server lists is taken as typed by hand where its server is clear. Raises InvalidRequest.
    """
    name = name.strip()
    if not name:
        raise refused("no_model_chosen", param="model")
    if len(name) > MAX_NAME or not name.isprintable():
        raise refused("not_a_models_name", param="model")
    listed = next((m for m in available if m.ref == name), None) or next((m for m in available if m.id == name), None)
    if listed is not None:
        return listed
    endpoint, slash, model = name.partition("/")
    if slash and endpoint in endpoints:
        if not model:
            raise refused("a_servers_name", param="model", name=repr(name))
        return ModelInfo(id=model, endpoint=endpoint)
    if slash and endpoint.startswith(OWN):
        raise refused("own_key_gone", param="model")
    if len(endpoints) == 1:
        return ModelInfo(id=name, endpoint=next(iter(endpoints)))
    close = difflib.get_close_matches(name, [m.ref for m in available] + [m.id for m in available], n=3)
    hint = "model_close" if close else "model_where" if endpoints else "model_nowhere"
    known = {"close": ", ".join(dict.fromkeys(close)), "servers": ", ".join(endpoints)}
    raise refused("model_unlisted", param="model", hint=hint, name=repr(name), **known)
