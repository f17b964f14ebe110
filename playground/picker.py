"""The model picker's list: every server's models in groups, with what is known of each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from playground import catalog, pricing
from playground.tokens import base_model
from playground.types import Endpoint, EndpointKind, ModelInfo

Kind = Literal["chat", "completion", "both"]
GroupKey = Literal["both", "chat", "completion", "fine_tunes", "retired"]

#: In the names of OpenAI's models that write no text, or none without audio. `gpt-4o-search-preview` and
#: `gpt-5-search-api` do write: they are chat models.
_NO_TEXT = re.compile(
    r"audio|computer-use|dall-e|davinci-edit|embedding|image|moderation|realtime|search-(?!preview|api)|similarity|sora"
    r"|transcribe|tts|whisper"
)
_CURRENT = re.compile(
    r"ft:(?P<base>[^:]+):(?P<org>[^:]*):(?P<suffix>[^:]*):(?P<id>[^:]+)(?::ckpt-step-(?P<step>\d{1,9}))?"
)
_LEGACY = re.compile(r"(?P<base>[^:]+):ft-(?P<rest>.+)")
CHECKPOINT = ":ckpt-step-"
LONGEST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class FineTune:
    """What a fine-tune's name says. `step` is that of a checkpoint."""

    base: str
    step: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One model of the list. `context` in tokens; `price` in words, empty where it is not known. `embedded`: the model
    that comes with the install.

    `about` is what its server says of its weights, `size` their bytes, `loaded` whether they are in memory; None where
    nobody says.
    """

    ref: str
    id: str
    endpoint: str
    kind: Kind
    base: str | None = None
    step: int | None = None
    context: int | None = None
    price: str = ""
    local: bool = False
    embedded: bool = False
    about: str = ""
    size: int | None = None
    loaded: bool | None = None
    shutdown: str | None = None
    retired: bool = False
    replacement: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    key: GroupKey
    items: tuple[Item, ...]


def parse_fine_tune(model: str) -> FineTune | None:
    """`ft:base:org:suffix:id`, its checkpoints `…:ckpt-step-N`, and the legacy `base:ft-org-date`; None for a base."""
    if current := _CURRENT.fullmatch(model):
        return FineTune(base=current["base"], step=int(current["step"]) if current["step"] else None)
    legacy = _LEGACY.fullmatch(model)
    return FineTune(base=legacy["base"]) if legacy else None


def groups(models: Sequence[ModelInfo], endpoints: Mapping[str, Endpoint], *, today: date) -> list[Group]:
    """Base models first, those of one's own servers before OpenAI's chat and completion models; then FINE-TUNES, newest
    first, each checkpoint under its model; then what OpenAI has shut down, with what takes its place."""
    listed = {m.ref: m for m in models if _is_name(m.id) and m.endpoint in endpoints}
    items: dict[GroupKey, list[tuple[ModelInfo, Item]]] = {}
    for info in sorted(listed.values(), key=_newest):
        kind = endpoints[info.endpoint].kind
        if kind == "openai" and _NO_TEXT.search(base_model(info.id)):
            continue
        made = item(info, kind, today=today)
        items.setdefault(_group(made), []).append((info, made))
    items["fine_tunes"] = _with_checkpoints(items.get("fine_tunes", []))
    retired = _retired(listed, endpoints, today)
    found = [
        Group(key, tuple(made for _, made in items.get(key, ())))
        for key in ("both", "chat", "completion", "fine_tunes")
    ]
    return [group for group in (*found, Group("retired", retired)) if group.items]


def _is_name(model: str) -> bool:
    """Whether a person can read and choose it: what a server calls its models may be anything."""
    return len(model) <= LONGEST and model.isprintable() and bool(model.strip())


def item(info: ModelInfo, kind: EndpointKind, *, today: date) -> Item:
    """What the list says of one model."""
    tune, known = parse_fine_tune(info.id), catalog.describe(info.id)
    shutdown = _day(info.shutdown_date) or (known.shutdown_date if known and kind == "openai" else None)
    return Item(
        ref=info.ref,
        id=info.id,
        endpoint=info.endpoint,
        kind="both" if kind != "openai" else "completion" if catalog.completes(info) else "chat",
        base=tune.base if tune else None,
        step=tune.step if tune else None,
        context=catalog.context_length(info),
        price=price(info.id, kind),
        local=kind == "engine" or info.meta.get("on_this_machine") is True,
        embedded=catalog.is_embedded(info.id, kind),
        about=_weights(info.meta),
        size=_size(info.meta),
        loaded=info.meta["loaded"] if type(info.meta.get("loaded")) is bool else None,
        shutdown=shutdown,
        retired=_is_past(shutdown, today),
        replacement=_last(known, today) if known and kind == "openai" else None,
    )


def _weights(meta: Mapping[str, Any]) -> str:
    """Parameters and quantisation, of what is said: `8.0B · Q4_K_M`."""
    said = (meta.get(name) for name in ("parameters", "quantization"))
    return " · ".join(text for text in said if isinstance(text, str) and text)


def _size(meta: Mapping[str, Any]) -> int | None:
    size = meta.get("size_bytes")
    return size if type(size) is int and size > 0 else None


def price(model: str, kind: EndpointKind) -> str:
    """Dollars for a million tokens read and written, as one short text."""
    per = pricing.per_million(model, kind)
    return f"${_short(per[0])} in · ${_short(per[1])} out / 1M" if per else ""


def _short(dollars: Decimal) -> str:
    return f"{dollars.normalize():f}"


def _newest(info: ModelInfo) -> tuple[int, str]:
    return (-(info.created or 0), info.ref)


def _group(made: Item) -> GroupKey:
    return "fine_tunes" if made.base else made.kind


def _with_checkpoints(tunes: list[tuple[ModelInfo, Item]]) -> list[tuple[ModelInfo, Item]]:
    """Each checkpoint right after the model it is of."""
    under: dict[str, list[tuple[ModelInfo, Item]]] = {}
    for info, made in tunes:
        under.setdefault(made.ref.rsplit(CHECKPOINT, 1)[0], []).append((info, made))
    ordered = []
    for ref in under:
        ordered += sorted(under[ref], key=lambda pair: -1 if pair[1].step is None else pair[1].step)
    return ordered


def _retired(listed: Mapping[str, ModelInfo], endpoints: Mapping[str, Endpoint], today: date) -> tuple[Item, ...]:
    """Models that OpenAI has shut down and no longer lists: offered with what takes their place."""
    openai = next((endpoint.name for endpoint in endpoints.values() if endpoint.kind == "openai"), None)
    if openai is None:
        return ()
    gone = [facts for facts in catalog.facts().values() if _is_past(facts.shutdown_date, today)]
    infos = [ModelInfo(id=facts.id, endpoint=openai) for facts in gone]
    return tuple(item(info, "openai", today=today) for info in infos if info.ref not in listed)


def _last(known: catalog.ModelFacts, today: date) -> str | None:
    """What takes a model's place in the end: its replacement may itself be shut down by now."""
    seen = {known.id}
    while known.replacement and known.replacement not in seen:
        following = catalog.facts().get(known.replacement)
        if following is None or not _is_past(following.shutdown_date, today):
            break
        seen.add(following.id)
        known = following
    return known.replacement


def _day(said: str | None) -> str | None:
    """YYYY-MM-DD of what a server sent, with or without a time of day; None for any other text."""
    try:
        return date.fromisoformat(said[:10]).isoformat() if said else None
    except ValueError:
        return None


def _is_past(day: str | None, today: date) -> bool:
    return day is not None and date.fromisoformat(day) <= today


def checkpoints(ref: str, models: Iterable[ModelInfo]) -> list[str]:
    """The checkpoints of a fine-tuned model among `models`, as `endpoint/model`, the earliest first."""
    steps = [
        (tune.step, info.ref)
        for info in models
        if info.ref.startswith(f"{ref}{CHECKPOINT}") and (tune := parse_fine_tune(info.id)) and tune.step is not None
    ]
    return [name for _, name in sorted(steps)]


def base_of(ref: str, models: Iterable[ModelInfo]) -> str | None:
    """The model of the same server that a fine-tune was made from, as `endpoint/model`; None where it is not listed."""
    endpoint, _, id = ref.partition("/")
    tune = parse_fine_tune(id)
    wanted = f"{endpoint}/{tune.base}" if tune else None
    return next((info.ref for info in models if info.ref == wanted), None)


def training_files(endpoint: str, jobs: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """By `endpoint/model`, the file that each model of these jobs was trained on."""
    named = ((job.get("fine_tuned_model"), job.get("training_file")) for job in jobs)
    return {f"{endpoint}/{model}": file for model, file in named if isinstance(model, str) and isinstance(file, str)}


def from_jobs(endpoint: str, jobs: Iterable[Mapping[str, Any]]) -> list[ModelInfo]:
    """The models that fine-tuning jobs have made, from OpenAI's job objects."""
    made = []
    for job in jobs:
        name, at = job.get("fine_tuned_model"), job.get("finished_at")
        if job.get("status") == "succeeded" and isinstance(name, str) and name:
            made.append(ModelInfo(id=name, endpoint=endpoint, created=at if type(at) is int else None))
    return made
