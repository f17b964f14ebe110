"""A model as OpenAI lists one, and in `meta` what a playground wants to know of it."""

from __future__ import annotations

from typing import Any

from playground.engine.budget import contexts, need
from playground.engine.serving import Serving, Wanted

TOLD = ("title", "licence", "licence_url", "languages", "source")
"""What the `.json` beside a file says of it, and is passed on."""


async def listed(serving: Serving) -> list[dict[str, Any]]:
    """The base, and then what is in the folder."""
    return [card(serving, Wanted(model.id, model)) for model in await serving.shelf.listed()]


def card(serving: Serving, wanted: Wanted) -> dict[str, Any]:
    """`memory` is what it takes, or would take, with `context_length` tokens; `fits`: it is loaded, or would be now;
    `loading` are the seconds since its load began."""
    model, header = wanted.model, wanted.model.header
    generator, seconds = serving.state(wanted)
    room = generator.llama.context if generator else serving.context(model)
    # Of one that does not fit, what the least of it would take: the refusal says how much there is.
    context = room or contexts(model)[-1]
    meta = {
        "context_length": context,
        "trained_context_length": header.context_length,
        "architecture": header.architecture,
        "n_params": model.n_params,
        "size_bytes": model.bytes,
        "tokenizer_model": header.tokenizer_model,
        "tokenizer_pre": header.tokenizer_pre,
        "has_fill_in_middle": header.has_fill_in_middle,
        "has_chat_template": header.has_chat_template,
        "loaded": generator is not None,
        "loading": None if seconds is None else round(seconds, 1),
        "memory": need(model, context).whole,
        "fits": room is not None,
        "trainable": model.trainable,
        "training_memory": model.training_memory,
        **{name: model.about[name] for name in TOLD if model.about.get(name)},
    }
    created = wanted.adapter.created if wanted.adapter else model.created
    meta |= _made(wanted)
    return {"id": wanted.name, "object": "model", "created": created, "owned_by": "playground", "meta": meta}


def _made(wanted: Wanted) -> dict[str, Any]:
    """Of a fine-tune, what it was made of; it is not trained further."""
    adapter = wanted.adapter
    if adapter is None:
        return {}
    return {
        "base": adapter.base,
        "job": adapter.job,
        "step": adapter.step,
        "trainable": None,
        "training_memory": None,
    }
