"""The curated list, and how much memory a model needs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

from playground.library.records import Fact, Licence, Offer

MEMORY_CONTEXT = 8192
"""Tokens that the engine gives a model's context where it can hold them."""
OVERHEAD = 150_000_000
"""Bytes that llama.cpp takes beside weights and context: the buffers it computes in (75 to 300 MB for these sizes)."""


def offers(installed: Iterable[str] = ()) -> tuple[Offer, ...]:
    """Small to larger; `installed` are the ids that are here already."""
    here = set(installed)
    return tuple(replace(offer, installed=offer.id in here) for offer in _offers())


def find(text: str) -> Offer | None:
    """The offer of this id or source."""
    return next((offer for offer in _offers() if text in (offer.id, offer.source)), None)


def memory_needed(size: int, kv_width: int, context: int) -> int:
    """Bytes for weights of `size` and a context of so many tokens: `kv_width` numbers of 16 bits are kept of each."""
    return size + 2 * kv_width * context + OVERHEAD


@cache
def _offers() -> tuple[Offer, ...]:
    data = json.loads(files("playground").joinpath("data", "local_models.json").read_text(encoding="utf-8"))
    licences = {name: Licence(**said) for name, said in data["licences"].items()}
    return tuple(_offer(model, licences[model["licence"]]) for model in data["models"])


def _offer(model: Mapping[str, Any], licence: Licence) -> Offer:
    size, width, context = model["bytes"], model["kv_width"], model["context"]
    held = min(context or MEMORY_CONTEXT, MEMORY_CONTEXT)
    known = size is not None and width is not None
    return Offer(
        id=model["id"],
        title=model["title"],
        source=f"{model['repository']}:{model['file']}",
        bytes=size,
        sha256=model["sha256"],
        licence=licence,
        languages=tuple(model["languages"]),
        context=context,
        memory=memory_needed(size, width, held) if known else None,
        memory_context=held if known else None,
        thinks=model["thinks"],
        facts=tuple(Fact(**fact) for fact in model["facts"]),
    )
