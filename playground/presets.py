"""Presets: what the page holds, under a name; in a file, in a link, and the examples that come with Playground.

Whatever comes from outside passes `from_json`, which refuses what it does not know instead of dropping it: a preset
that was made elsewhere does exactly what it says, or says why it cannot be read. No preset carries a key or an address.
"""

from __future__ import annotations

import base64
import json
import re
import unicodedata
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import Any, Literal, get_args
from uuid import uuid4

from playground.errors import InvalidRequest
from playground.preset_checks import (
    FORMAT,
    MAX_BYTES,
    MAX_DEPTH,
    MAX_DESCRIPTION,
    MAX_FILE,
    MAX_LINK,
    MAX_PRESETS,
    SEVERAL,
    VERSION,
    check_format,
    compact,
    decoded,
    one_of,
    parse_json,
    plain,
    quoted,
    read_messages,
    read_model,
    read_name,
    read_params,
    read_text,
    read_variables,
    refuse_unknown,
    wrong,
)
from playground.types import Mode

Language = Literal["en", "es"]

_LINKED = ("name", "mode", "model", "text", "system", "messages", "instruction", "input", "params", "variables")
_FIELDS = ("name", "description", "language", *_LINKED[1:])


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    r"""One preset. `text` is Complete's, `system` and `messages` Chat's, `instruction` and `input` Edit's.

    `model` is endpoint/model; `messages` are OpenAI's; `params` are what the panel holds, by its names: `stop` as it is
    typed there, with `\n` for a line break.
    """

    id: str
    name: str
    mode: Mode
    model: str | None = None
    description: str = ""
    text: str = ""
    system: str = ""
    messages: tuple[dict[str, Any], ...] = ()
    instruction: str = ""
    input: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    language: Language | None = None
    builtin: bool = False


@cache
def builtin() -> tuple[Preset, ...]:
    """The examples that come with Playground."""
    text = files("playground").joinpath("data", "presets.json").read_text(encoding="utf-8")
    return tuple(replace(preset, id=f"builtin-{slug(preset.name)}", builtin=True) for preset in load(text))


def file_name(preset: Preset) -> str:
    """A name for a download that every file system takes, whatever the preset is called."""
    found = slug(preset.name)
    return f"preset-{found}.json" if found else "preset.json"


def slug(name: str) -> str:
    """Small letters, digits and hyphens of a name; "" where it has none of them."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower())[:60].strip("-")


def to_json(preset: Preset) -> dict[str, Any]:
    """The preset as `from_json` reads it: without its id, and without what is empty."""
    said: dict[str, Any] = {"format": FORMAT, "version": VERSION}
    for name in _FIELDS:
        value = getattr(preset, name)
        if value:
            said[name] = list(value) if isinstance(value, tuple) else value
    return said


def from_json(data: Any) -> Preset:
    """The preset that `data`, read from JSON, holds, with a new id. Raises InvalidRequest that says what is wrong."""
    check_format(data, FORMAT, "preset")
    given = plain(data, MAX_DEPTH)
    refuse_unknown(given, ("format", "version", *_FIELDS), "preset")
    if len(compact(given)) > MAX_BYTES:
        raise wrong(f"is larger than {MAX_BYTES:,} bytes", "Smaller or fewer images make it smaller.")
    language = given.get("language")
    return Preset(
        id=uuid4().hex,
        name=read_name(given.get("name")),
        mode=one_of(given.get("mode"), get_args(Mode), "mode"),
        model=read_model(given.get("model")),
        description=read_text(given.get("description", ""), "description", MAX_DESCRIPTION),
        text=read_text(given.get("text", ""), "text"),
        system=read_text(given.get("system", ""), "system"),
        messages=read_messages(given.get("messages", [])),
        instruction=read_text(given.get("instruction", ""), "instruction"),
        input=read_text(given.get("input", ""), "input"),
        params=read_params(given.get("params", {})),
        variables=read_variables(given.get("variables", {})),
        language=None if language is None else one_of(language, get_args(Language), "language"),
    )


def dump(presets: Sequence[Preset]) -> str:
    """One JSON file of one or several presets, which `load` reads. Raises InvalidRequest where it could not."""
    _check_together([preset.name for preset in presets])
    each = [to_json(preset) for preset in presets]
    whole = each[0] if len(each) == 1 else {"format": SEVERAL, "version": VERSION, "presets": each}
    text = json.dumps(whole, ensure_ascii=False, indent=2) + "\n"
    if len(text.encode()) > MAX_FILE:
        raise InvalidRequest(
            f"The file would be larger than {MAX_FILE:,} bytes.", param="preset", hint="Export the presets one by one."
        )
    return text


def load(text: str | bytes) -> list[Preset]:
    """The presets of a file: all of them, or InvalidRequest that says which one is wrong and why."""
    if len(text) > MAX_FILE:
        raise InvalidRequest(f"The file is larger than {MAX_FILE:,} bytes.", param="preset")
    data = parse_json(decoded(text), "file")
    if not isinstance(data, dict) or data.get("format") != SEVERAL:
        return [from_json(data)]
    check_format(data, SEVERAL, "file")
    refuse_unknown(plain({**data, "presets": None}, MAX_DEPTH), ("format", "version", "presets"), "file")
    given = data.get("presets")
    if not isinstance(given, list):
        raise InvalidRequest("The file has no list of presets.", param="preset")
    _check_together(given)
    presets = [_numbered(each, number) for number, each in enumerate(given, 1)]
    _check_together([preset.name for preset in presets])
    return presets


def to_link(preset: Preset) -> str:
    """What stands behind `?preset=` in a shared link: base64 of compressed JSON, without description and language.

    Raises InvalidRequest for a preset that does not fit into a link.
    """
    if _has_images(preset):
        raise InvalidRequest("A link cannot carry images.", param="preset", hint="Export the preset as a file.")
    said = {name: value for name, value in to_json(preset).items() if name in _LINKED}
    link = base64.urlsafe_b64encode(zlib.compress(compact(said), 9)).decode().rstrip("=")
    if len(link) > MAX_LINK:
        raise InvalidRequest(
            f"The link would have {len(link):,} characters; browsers and chats take about {MAX_LINK:,}.",
            param="preset",
            hint="Export the preset as a file.",
        )
    return link


def from_link(text: str) -> Preset:
    """The preset of a shared link. Raises InvalidRequest: anyone can write a link."""
    broken = InvalidRequest("The link is broken.", param="preset", hint="Copy the whole link again, or ask for a file.")
    if len(text) > MAX_LINK or not re.fullmatch(r"[A-Za-z0-9_-]+", text):
        raise broken
    unpacker = zlib.decompressobj()
    try:
        packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        raw = unpacker.decompress(packed, MAX_BYTES + 1)  # a few bytes can unpack to very many
        unpacked = raw.decode()
    except (ValueError, zlib.error):
        raise broken from None
    if len(raw) > MAX_BYTES or not unpacker.eof or unpacker.unused_data:
        raise broken
    data = plain(parse_json(unpacked, "link"), MAX_DEPTH)
    if not isinstance(data, dict):
        raise broken
    refuse_unknown(data, _LINKED, "link")
    preset = from_json({**data, "format": FORMAT, "version": VERSION})
    if _has_images(preset):
        raise broken
    return preset


def _has_images(preset: Preset) -> bool:
    parts = [part for said in preset.messages if isinstance(said.get("content"), list) for part in said["content"]]
    return any(part["type"] == "image_url" for part in parts)


def _numbered(data: Any, number: int) -> Preset:
    try:
        return from_json(data)
    except InvalidRequest as error:
        name = data.get("name") if isinstance(data, dict) else None
        which = f"Preset {number}" + (f" ({quoted(name)})" if isinstance(name, str) else "")
        raise InvalidRequest(
            f"{which} {error.message.removeprefix('The preset ')}", param="preset", hint=error.hint
        ) from None


def _check_together(names: Sequence[Any]) -> None:
    if not 0 < len(names) <= MAX_PRESETS:
        raise InvalidRequest(f"A file holds from 1 to {MAX_PRESETS} presets, not {len(names):,}.", param="preset")
    strings = [name for name in names if isinstance(name, str)]
    twice = next((name for at, name in enumerate(strings) if name in strings[:at]), None)
    if twice is not None:
        raise InvalidRequest(f"Two presets are called {quoted(twice)}.", param="preset", hint="Rename one.")
