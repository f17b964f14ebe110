"""The library as the page shows it: offers, models that are here and downloads, as plain JSON. Nothing is looked up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Literal

from playground.library import Download, Installed, Offer
from playground.picker import parse_fine_tune
from playground.types import ModelInfo
from playground.ui import present
from playground.words import Language

Row = dict[str, Any]
Fit = Literal["fits", "tight", "over_budget", "too_large"]


def offer(said: Offer, *, total: int | None, free: int | None, most: int | None) -> Row:
    """A model of the curated list, and whether this machine has the memory for it."""
    return {
        "id": said.id,
        "title": said.title,
        "source": said.source,
        "bytes": said.bytes,
        "licence": asdict(said.licence),
        "languages": list(said.languages),
        "context": said.context,
        "memory": said.memory,
        "fit": fit(said.memory, total=total, free=free, most=most),
        "thinks": said.thinks,
        "facts": [asdict(fact) for fact in said.facts],
    }


def fit(memory: int | None, *, total: int | None, free: int | None, most: int | None = None) -> Fit | None:
    """Whether a model that needs so much `memory` can be loaded: now, once other programs are closed, once the `most`
    that the settings allow is raised, or never here."""
    if memory is None:
        return None
    if total is not None and memory > total:
        return "too_large"
    if most is not None:  # the engine goes by this alone
        return "over_budget" if memory > most else "fits"
    if total is None:
        return None
    return "tight" if free is not None and memory > free else "fits"


def model(info: ModelInfo | None, file: Installed | None, *, default: bool = False) -> Row:
    """A model that is here: what the engine says of it, what its file says, or both. One of the two is given."""
    meta = info.meta if info else {}
    return {
        "id": file.id if file else info.id if info else "",
        "ref": info.ref if info else None,
        "title": file.title if file else _text(meta.get("title")) or (info.id if info else ""),
        "bytes": file.bytes if file else _whole(meta.get("size_bytes")) or _whole(meta.get("size")),
        "languages": list(file.languages if file else _texts(meta.get("languages"))),
        "context": (info.context_length if info else None) or (file.context if file else None),
        "memory": _whole(meta.get("memory")) or (file.memory if file else None),
        "licence": {"name": file.licence, "url": file.licence_url} if file and file.licence else None,
        "source": file.source if file else None,
        "default": default,
        "removable": file is not None,
        "loaded": meta.get("loaded") is True,
        "fits": meta.get("fits") is not False,
        **training(meta),
    }


def training(meta: Mapping[str, Any]) -> Row:
    """Which trainer takes the model ("numpy", "torch", "" for none; None where the server does not say), and the bytes
    of memory that it needs."""
    said = meta.get("trainable", ...)
    known = None if said is ... else said if said in ("numpy", "torch") else ""
    return {"trainable": known, "training_memory": _whole(meta.get("training_memory"))}


def models(infos: Sequence[ModelInfo], files: Sequence[Installed], *, default: str | None) -> list[Row]:
    """Every model that is here, the engine's own first; fine-tunes are listed in the Fine-tune tab."""
    bases = {info.id: info for info in infos if not parse_fine_tune(info.id)}
    here = {file.id: file for file in files}
    own = [model(info, None, default=id == default) for id, info in bases.items() if id not in here]
    return [*own, *({**model(bases.get(id), file), "tunes": tunes(infos, id)} for id, file in here.items())]


def tunes(infos: Sequence[ModelInfo], base: str) -> int:
    """Fine-tunes of that model, each counted once whatever checkpoints it has: they do not answer without it."""
    parsed = (parse_fine_tune(info.id) for info in infos)
    return sum(tune is not None and tune.base == base and tune.step is None for tune in parsed)


def download(said: Download, *, reader: Language) -> Row:
    return {
        "id": said.id,
        "title": said.title,
        "source": said.source,
        "phase": said.phase,
        "done": said.done,
        "total": said.total,
        "speed": said.speed,
        "left": said.seconds_left,
        "active": said.active,
        "resumable": said.resumable,
        "error": present.failure(said.error, reader=reader) if said.error else None,
    }


def _whole(value: Any) -> int | None:
    return value if type(value) is int and value > 0 else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _texts(value: Any) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, (list, tuple)) else []
