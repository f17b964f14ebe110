"""Who answers, by routes that only it has, and what it says of its models. Sources of the shapes:

- Ollama, docs/api.md: /api/version, /api/tags (all models), /api/ps (those in memory), /api/show (one model's context).
- LM Studio, REST API v0: /api/v0/models, with `state` and `max_context_length` of each.
- llama.cpp's server, as it answered: /props with `default_generation_settings`; `owned_by` "llamacpp", and `meta`.
- vLLM, its ModelCard: /version, and `owned_by` "vllm" with `max_model_len`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from playground.neighbours.asking import Asker
from playground.neighbours.types import Address, Kind, Neighbour, NeighbourModel

MODELS = 500
"""So many of a server's models are told of."""
SHOWN = 40
"""So many of Ollama's models are asked for one by one."""
LONGEST = 200
"""Characters of a name."""

Recogniser = Callable[[Asker, str], Awaitable[Neighbour | None]]


async def recognise(asker: Asker, address: Address) -> Neighbour | None:
    """Who answers there, tried as its usual one first; None for any other program."""
    for kind in sorted(_RECOGNISERS, key=lambda kind: kind != address.usual):
        found = await _RECOGNISERS[kind](asker, f"{address.root}/v1")
        if found is not None:
            return found
    return None


async def filled(asker: Asker, found: Neighbour) -> Neighbour:
    """The same with what has to be asked for model by model: how long a context Ollama's models have."""
    if found.kind != "ollama":
        return found
    unknown = [model for model in found.models if model.context is None][:SHOWN]
    told = await asyncio.gather(*(_shown(asker, model) for model in unknown))
    known = {model.id: model for model in told}
    return replace(found, models=tuple(known.get(model.id, model) for model in found.models))


async def _ollama(asker: Asker, url: str) -> Neighbour | None:
    version = _text(_get((await asker.get("/api/version")).json, "version"))
    listed = _rows((await asker.get("/api/tags")).json, "models") if version else None
    if not version or listed is None:
        return None
    running = {_text(row.get("name")): row for row in _rows((await asker.get("/api/ps")).json, "models") or ()}
    models = []
    for row in listed:
        details, in_memory = _mapping(row.get("details")), running.get(_text(row.get("name")))
        models.append(
            NeighbourModel(
                id=_text(row.get("name")),
                # In memory it has the context it was loaded with, which is often shorter than the model's own.
                context=_whole(_get(in_memory, "context_length")),
                size=_whole(row.get("size")),
                parameters=_text(details.get("parameter_size")),
                quantisation=_text(details.get("quantization_level")),
                loaded=in_memory is not None,
                writes="bert" not in _text(details.get("family")),
            )
        )
    return Neighbour(kind="ollama", url=url, version=version, models=_named(models))


async def _shown(asker: Asker, model: NeighbourModel) -> NeighbourModel:
    said = (await asker.post("/api/show", {"model": model.id})).json
    about = _mapping(_get(said, "model_info"))
    lengths = (value for name, value in about.items() if str(name).endswith(".context_length"))
    can = _get(said, "capabilities")
    writes = model.writes and not (isinstance(can, list) and can and "completion" not in can)
    return replace(model, context=next(filter(None, map(_whole, lengths)), None), writes=writes)


async def _lmstudio(asker: Asker, url: str) -> Neighbour | None:
    heard = await asker.get("/api/v0/models")
    rows = _rows(heard.json, "data")
    if rows is None or any("state" not in row for row in rows):
        return None
    models = (
        NeighbourModel(
            id=_text(row.get("id")),
            context=_whole(row.get("loaded_context_length")) or _whole(row.get("max_context_length")),
            quantisation=_text(row.get("quantization")),
            loaded=row["state"] == "loaded",
            writes=row.get("type") != "embeddings",
        )
        for row in rows
    )
    return Neighbour(kind="lmstudio", url=url, models=_named(models))


async def _llamacpp(asker: Asker, url: str) -> Neighbour | None:
    props, listed = await asker.get("/props"), await asker.get("/v1/models")
    rows = _rows(listed.json, "data") or []
    generates = _get(props.json, "default_generation_settings")
    # With --api-key the list stays open to all, and /props does not.
    if not isinstance(generates, Mapping) and not any(row.get("owned_by") == "llamacpp" for row in rows):
        return None
    models = []
    for row in rows:
        meta = _mapping(row.get("meta"))
        state = _get(row.get("status"), "value")  # one that serves a folder says of each whether it is loaded
        models.append(
            NeighbourModel(
                id=_text(row.get("id")),
                context=_whole(meta.get("n_ctx"))
                or _whole(_get(generates, "n_ctx"))
                or _whole(meta.get("n_ctx_train")),
                size=_whole(meta.get("size")),
                quantisation=_text(meta.get("ftype")) or _text(_get(props.json, "model_ftype")),
                loaded=state == "loaded" if state is not None else bool(meta),
            )
        )
    version = _text(_get(props.json, "build_info"))
    return Neighbour(kind="llamacpp", url=url, version=version, models=_named(models), locked=props.locked)


async def _vllm(asker: Asker, url: str) -> Neighbour | None:
    version = _text(_get((await asker.get("/version")).json, "version"))
    listed = await asker.get("/v1/models") if version else None
    if listed is None:
        return None
    if listed.locked:  # its /version is open, its API is not
        return Neighbour(kind="vllm", url=url, version=version, locked=True)
    rows = _rows(listed.json, "data") or []
    if not any(row.get("owned_by") == "vllm" for row in rows):
        return None
    models = (
        NeighbourModel(id=_text(row.get("id")), context=_whole(row.get("max_model_len")), loaded=True) for row in rows
    )
    return Neighbour(kind="vllm", url=url, version=version, models=_named(models))


_RECOGNISERS: dict[Kind, Recogniser] = {
    "ollama": _ollama,
    "lmstudio": _lmstudio,
    "llamacpp": _llamacpp,
    "vllm": _vllm,
}


def _named(models: Iterable[NeighbourModel]) -> tuple[NeighbourModel, ...]:
    """Each model once, by a name that a person can read."""
    return tuple({model.id: model for model in models if model.id}.values())[:MODELS]


def _rows(said: Any, name: str) -> list[dict[str, Any]] | None:
    """The objects of the list `name`; null is Go's empty list. None where there is no such thing."""
    if not isinstance(said, dict) or name not in said:
        return None
    rows = said[name] if said[name] is not None else []
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else None


def _get(said: Any, name: str) -> Any:
    return said.get(name) if isinstance(said, Mapping) else None


def _mapping(said: Any) -> Mapping[str, Any]:
    return said if isinstance(said, Mapping) else {}


def _text(said: Any) -> str:
    """A name as it may be shown; "" for anything else."""
    return said if isinstance(said, str) and said.isprintable() and len(said) <= LONGEST else ""


def _whole(said: Any) -> int | None:
    return said if type(said) is int and 0 < said < 2**53 else None
