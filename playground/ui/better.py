"""A better model is offered at the moment it matters: a text in Spanish for the small model that writes none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from playground import catalog
from playground.deps import Deps
from playground.picker import parse_fine_tune
from playground.spanish import is_spanish
from playground.types import ModelInfo


def offer(deps: Deps, info: ModelInfo, written: Mapping[str, Any]) -> dict[str, Any] | None:
    """The notice, with a model that is here and speaks Spanish where there is one; None where nothing is to be said."""
    kind = deps.client.endpoints[info.endpoint].kind
    if not catalog.is_embedded(info.id, kind) or not is_spanish(last_said(written)):
        return None
    better = speaks_spanish(each for each in deps.models if each.endpoint == info.endpoint)
    model = {"ref": better.ref, "name": str(better.meta.get("title") or better.id)} if better else {}
    return {"tone": "info", "key": "notice_spanish", "offer": model}


def speaks_spanish(models: Iterable[ModelInfo]) -> ModelInfo | None:
    """The one that answers soonest or best: of those that are loaded, else of all that would be, the largest."""
    fitting = (info for info in models if info.meta.get("fits") is not False)
    able = [info for info in fitting if "es" in _languages(info) and not parse_fine_tune(info.id)]
    return max(able, key=lambda info: (info.meta.get("loaded") is True, _size(info)), default=None)


def last_said(written: Mapping[str, Any]) -> str:
    """What a person has written last: the prompt, or the newest message of theirs that has text."""
    if "prompt" in written:
        return str(written["prompt"])
    said = (_text(each.get("content")) for each in reversed(written["messages"]) if each.get("role") == "user")
    return next(filter(str.strip, said), "")


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, (list, tuple)) else ()
    return "\n".join(str(part.get("text") or "") for part in parts if isinstance(part, Mapping))


def _languages(info: ModelInfo) -> tuple[Any, ...]:
    said = info.meta.get("languages")
    return tuple(said) if isinstance(said, (list, tuple)) else ()


def _size(info: ModelInfo) -> int:
    said = info.meta.get("size_bytes")
    return said if type(said) is int else 0
