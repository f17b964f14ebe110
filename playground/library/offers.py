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
LARGEST_VOCABULARY = 300_000
"""Tokens, where it is not known how many a model has: none of the list has more."""
_SERVER, _PER_TOKEN, _WORKING = 32 * 2**20, 400, 32
"""As the engine reckons (engine/budget.py), which measured it: bytes of a server, bytes a token of the vocabulary, and
the part of the weights that a batch's activations are about as large as."""


def offers(installed: Iterable[str] = ()) -> tuple[Offer, ...]:
    """Small to larger; `installed` are the ids that are here already."""
    here = set(installed)
    return tuple(replace(offer, installed=offer.id in here) for offer in _offers())


def find(text: str) -> Offer | None:
    """The offer of this id or source."""
    return next((offer for offer in _offers() if text in (offer.id, offer.source)), None)


def memory_needed(size: int, kv_width: int, context: int, vocabulary: int | None) -> int:
    """Bytes for weights of `size` and a context of so many tokens: `kv_width` numbers of 16 bits are kept of each."""
    tables = _PER_TOKEN * (LARGEST_VOCABULARY if vocabulary is None else vocabulary)
    return size + 2 * kv_width * context + _SERVER + tables + size // _WORKING


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
        memory=memory_needed(size, width, held, model["vocabulary"]) if known else None,
        memory_context=held if known else None,
        thinks=model["thinks"],
        facts=tuple(Fact(**fact) for fact in model["facts"]),
    )
