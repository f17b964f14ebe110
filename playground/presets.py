"""Presets: what the page holds, under a name; in a file, in a link, and the examples that come with Playground.

Whatever comes from outside passes `from_json`, which refuses what it does not know instead of dropping it: a preset
that was made elsewhere does exactly what it says, or says why it cannot be read. No preset carries a key or an address.
"""

from __future__ import annotations

import base64
import json
import math
import re
import unicodedata
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import Any, Literal, get_args
from uuid import uuid4

from playground.errors import InvalidRequest
from playground.messages import ROLES
from playground.redact import redact
from playground.types import Mode
from playground.variables import is_name

FORMAT, SEVERAL, VERSION = "playground-preset", "playground-presets", 1

MAX_NAME, MAX_DESCRIPTION, MAX_MODEL, MAX_TEXT, MAX_LINK = 120, 300, 200, 200_000, 8_000
"""Characters. Links longer than that break in mail programs and chats."""
MAX_MESSAGES, MAX_VARIABLES, MAX_PRESETS = 500, 100, 200
MAX_BYTES, MAX_FILE = 2_000_000, 20_000_000
"""Bytes of one preset as JSON in UTF-8, and of a file of several."""
MAX_DEPTH, MAX_PARAM_DEPTH = 20, 4

Language = Literal["en", "es"]

_LINKED = ("name", "mode", "model", "text", "system", "messages", "instruction", "input", "params", "variables")
_FIELDS = ("name", "description", "language", *_LINKED[1:])
_NUMBER = (int, float)
_SAID = {int: "a number", bool: "true or false", str: "text", list: "a list"}

#: The rows of the page's parameter panel, and the types their values have there.
PARAMS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("temperature", "max_tokens", "top_p", "frequency_penalty", "presence_penalty"), _NUMBER),
    **dict.fromkeys(("n", "best_of", "logprobs", "seed"), _NUMBER),
    **dict.fromkeys(("echo", "parallel_tool_calls"), (bool,)),
    **dict.fromkeys(("suffix", "user", "reasoning_effort", "verbosity", "service_tier"), (str,)),
    **dict.fromkeys(("response_format", "json_schema", "tools"), (str,)),
    **dict.fromkeys(("logit_bias", "tool_choice"), (str, dict)),
    "stop": (list, str),
}
_FORMATS = ("text", "json_object", "json_schema")

#: Matched against a field's name without case and punctuation: `api_key`, `X-API-Key`, `accessToken`, `base_url`.
_SECRET = re.compile(
    r"keys?$|token$|^auth$|authoriz|bearer|credential|passw|passphrase|secret|cookie|baseurl|headers?$"
)
_IMAGE = re.compile(r"data:image/(?:png|jpeg|webp|gif);base64,[A-Za-z0-9+/]++={0,2}")
_JOINERS = "\u200c\u200d"


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
    return tuple(replace(preset, id=f"builtin-{_slug(preset.name)}", builtin=True) for preset in load(text))


def file_name(preset: Preset) -> str:
    """A name for a download that every file system takes, whatever the preset is called."""
    slug = _slug(preset.name)
    return f"preset-{slug}.json" if slug else "preset.json"


def _slug(name: str) -> str:
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
    _check_format(data, FORMAT, "preset")
    given = _plain(data, MAX_DEPTH)
    _refuse_unknown(given, ("format", "version", *_FIELDS), "preset")
    if len(_compact(given)) > MAX_BYTES:
        raise _wrong(f"is larger than {MAX_BYTES:,} bytes", "Smaller or fewer images make it smaller.")
    language = given.get("language")
    return Preset(
        id=uuid4().hex,
        name=_name(given.get("name")),
        mode=_one_of(given.get("mode"), get_args(Mode), "mode"),
        model=_model(given.get("model")),
        description=_text(given.get("description", ""), "description", MAX_DESCRIPTION),
        text=_text(given.get("text", ""), "text"),
        system=_text(given.get("system", ""), "system"),
        messages=_messages(given.get("messages", [])),
        instruction=_text(given.get("instruction", ""), "instruction"),
        input=_text(given.get("input", ""), "input"),
        params=_params(given.get("params", {})),
        variables=_variables(given.get("variables", {})),
        language=None if language is None else _one_of(language, get_args(Language), "language"),
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
    data = _parse(_decoded(text), "file")
    if not isinstance(data, dict) or data.get("format") != SEVERAL:
        return [from_json(data)]
    _check_format(data, SEVERAL, "file")
    _refuse_unknown(_plain({**data, "presets": None}, MAX_DEPTH), ("format", "version", "presets"), "file")
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
    link = base64.urlsafe_b64encode(zlib.compress(_compact(said), 9)).decode().rstrip("=")
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
    data = _plain(_parse(unpacked, "link"), MAX_DEPTH)
    if not isinstance(data, dict):
        raise broken
    _refuse_unknown(data, _LINKED, "link")
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
        which = f"Preset {number}" + (f" ({_quoted(name)})" if isinstance(name, str) else "")
        raise InvalidRequest(
            f"{which} {error.message.removeprefix('The preset ')}", param="preset", hint=error.hint
        ) from None


def _check_together(names: Sequence[Any]) -> None:
    if not 0 < len(names) <= MAX_PRESETS:
        raise InvalidRequest(f"A file holds from 1 to {MAX_PRESETS} presets, not {len(names):,}.", param="preset")
    strings = [name for name in names if isinstance(name, str)]
    twice = next((name for at, name in enumerate(strings) if name in strings[:at]), None)
    if twice is not None:
        raise InvalidRequest(f"Two presets are called {_quoted(twice)}.", param="preset", hint="Rename one.")


# --- reading ---


def _decoded(text: str | bytes) -> str:
    try:
        return (text.decode() if isinstance(text, bytes) else text).removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise InvalidRequest(
            "The file is not text in UTF-8.", param="preset", hint="Choose a file that Playground exported."
        ) from None


def _parse(text: str, what: str) -> Any:
    """JSON. NaN and numbers out of range are read, too: `_plain` refuses them where it is known whose they are."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(read := dict(pairs)) < len(pairs):
            raise InvalidRequest(f"The {what} gives a field twice in the same object.", param="preset")
        return read

    try:
        return json.loads(
            text, object_pairs_hook=once, parse_int=lambda digits: int(digits) if len(digits) <= 20 else math.inf
        )
    except json.JSONDecodeError as error:
        raise InvalidRequest(
            f"The {what} is not valid JSON: line {error.lineno}, column {error.colno}.", param="preset"
        ) from None
    except RecursionError:
        raise InvalidRequest(f"The {what} is nested too deeply.", param="preset") from None


def _compact(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _wrong(what: str, hint: str = "") -> InvalidRequest:
    return InvalidRequest(f"The preset {what}.", param="preset", hint=hint)


def _quoted(name: Any) -> str:
    """A name from outside, short, and without what looks like a key."""
    return repr(redact(str(name)[:200])[:40])


def _check_format(data: Any, expected: str, what: str) -> None:
    if not isinstance(data, Mapping):
        raise InvalidRequest(f"The {what} is not a JSON object.", param="preset")
    version = data.get("version")
    if data.get("format") != expected or type(version) is not int or version < 1:
        raise InvalidRequest(
            f"The {what} is not one of Playground's.", param="preset", hint=f'Its format is "{expected}", version 1.'
        )
    if version > VERSION:
        raise InvalidRequest(
            f"The {what} was written by a newer version of Playground.", param="preset", hint="Update Playground."
        )


def _plain(value: Any, room: int) -> Any:
    """A copy of `value`, `room` objects and lists deep at most, that every JSON reader and database takes."""
    match value:
        case None | bool():
            return value
        case str():
            # A lone surrogate is not UTF-8; the replacement character is what every server would make of it.
            return value if value.isascii() else value.encode("utf-8", "replace").decode()
        case int() | float():
            # The page's JSON has 64 bits for a whole number, and neither NaN nor infinities.
            if not (-(2**63) <= value < 2**63 if isinstance(value, int) else math.isfinite(value)):
                raise _wrong("has a number that is too large or none at all")
            return value
        case Mapping() | list() if room == 0:
            raise _wrong("is nested too deeply")
        case Mapping():
            if not all(isinstance(key, str) for key in value):
                raise _wrong("has a field whose name is not text")
            return {_plain(key, 0): _plain(each, room - 1) for key, each in value.items()}
        case list():
            return [_plain(each, room - 1) for each in value]
    raise _wrong("has a value that is not JSON")


def _refuse_unknown(given: Mapping[str, Any], known: Collection[str], what: str) -> None:
    """Secrets have a reason of their own. Variables are called as their author likes: theirs are not looked at."""
    for key in _keys({name: None if name == "variables" else value for name, value in given.items()}):
        if _SECRET.search(re.sub(r"[^a-z0-9]", "", key.lower())):
            raise InvalidRequest(
                f"The {what} has a field {_quoted(key)}, which looks like a key, a password or an address.",
                param="preset",
                hint="Presets carry none: take it out; keys and servers are set in .env.",
            )
    unknown = next((key for key in given if key not in known), None)
    if unknown is not None:
        raise InvalidRequest(f"The {what} has an unknown field {_quoted(unknown)}.", param="preset")


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
        value = list(value.values())
    for part in value if isinstance(value, list) else ():
        yield from _keys(part)


# --- the fields ---


def _one_of(value: Any, known: Collection[str], what: str) -> Any:
    if value not in known:
        raise _wrong(f"has an unknown {what}", f"Known: {', '.join(known)}.")
    return value


def _text(value: Any, what: str, most: int = MAX_TEXT) -> str:
    if not isinstance(value, str):
        raise _wrong(f"has a {what} that is not text")
    if len(value) > most:
        raise _wrong(f"has a {what} of {len(value):,} characters; at most {most:,} are kept")
    return value


def _name(value: Any) -> str:
    name = _text("" if value is None else value.strip() if isinstance(value, str) else value, "name", MAX_NAME)
    if not name.strip(_JOINERS):
        raise _wrong("has no name")
    # Emoji and Persian are written with joiners; every other invisible character only makes a name look like another.
    if any(unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") and c not in _JOINERS for c in name):
        raise _wrong("has a name with invisible characters")
    if re.search(r"[/\\]", name):
        raise _wrong("has a name with a slash in it", "A name is no path: write a hyphen or a space.")
    return name


def _model(value: Any) -> str | None:
    if value is None:
        return None
    model = _text(value, "model", MAX_MODEL)
    if not model.strip() or not model.isprintable():
        raise _wrong("has a model that is no name", "A model is written endpoint/model.")
    return model


def _variables(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or len(value) > MAX_VARIABLES:
        raise _wrong(f"has variables that are not an object of up to {MAX_VARIABLES} texts")
    for name, text in value.items():
        if not is_name(name):
            raise _wrong(f"has a variable called {_quoted(name)}", "A name is letters, digits and _, 64 at most.")
        _text(text, f"variable {name}")
    return value


def _params(value: Any) -> dict[str, Any]:
    """The panel's values by their types alone: a run checks their ranges, which depend on the model."""
    if not isinstance(value, dict):
        raise _wrong("has params that are not an object")
    for name, given in _plain(value, MAX_PARAM_DEPTH).items():
        kinds = PARAMS.get(name)
        if kinds is None:
            raise _wrong(f"has an unknown parameter {_quoted(name)}", f"Known: {', '.join(PARAMS)}.")
        if type(given) not in kinds:
            raise _wrong(f"has a {name} that is not {_SAID[kinds[0]]}")
        if isinstance(given, str):
            _text(given, name)
    if "response_format" in value:
        _one_of(value["response_format"], _FORMATS, "response_format")
    if "stop" in value:
        stop = [value["stop"]] if isinstance(value["stop"], str) else value["stop"]
        return {**value, "stop": [_text(each, "stop") for each in stop]}
    return value


def _messages(value: Any) -> tuple[dict[str, Any], ...]:
    """OpenAI's messages, each for itself: a conversation may be saved half written, its calls still open."""
    if not isinstance(value, list) or len(value) > MAX_MESSAGES:
        raise _wrong(f"has messages that are not a list of up to {MAX_MESSAGES}")
    for number, message in enumerate(value, 1):
        where = f"message {number}"
        said = _shape(message, where, required=("role",), optional=("content", "name", "tool_calls", "tool_call_id"))
        if said["role"] not in ROLES:
            raise _wrong(f"has an unknown role in {where}", f"Known: {', '.join(ROLES)}.")
        content = said.get("content")
        for part in content if isinstance(content, list) else ():
            _part(part, where)
        if content is not None and not isinstance(content, list):
            _text(content, f"content in {where}")
        for name in said.keys() & {"name", "tool_call_id"}:
            _text(said[name], f"{name} in {where}")
        calls = said.get("tool_calls", [])
        if not isinstance(calls, list):
            raise _wrong(f"has tool_calls in {where} that are not a list")
        for call in calls:
            function = _shape(call, where, required=("id", "type", "function"))["function"]
            about = _shape(function, where, required=("name", "arguments"))
            for text in (call["id"], call["type"], about["name"], about["arguments"]):
                _text(text, f"function call in {where}")
    return tuple(value)


def _part(part: Any, where: str) -> None:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "text":
        _text(_shape(part, where, required=("type", "text"))["text"], f"text in {where}")
        return
    if kind != "image_url":
        raise _wrong(f"has a part in {where} that is neither text nor an image")
    image = _shape(
        _shape(part, where, required=("type", "image_url"))["image_url"], where, required=("url",), optional=("detail",)
    )
    if not isinstance(image["url"], str) or not _IMAGE.fullmatch(image["url"]):
        raise _wrong(f"has an image in {where} that it does not hold itself", "Attach a PNG, JPEG, WebP or GIF file.")
    _one_of(image.get("detail", "auto"), ("auto", "low", "high"), f"detail of an image in {where}")


def _shape(value: Any, where: str, *, required: Sequence[str], optional: Sequence[str] = ()) -> dict[str, Any]:
    """`value` as an object with these fields and no other."""
    if not isinstance(value, dict):
        raise _wrong(f"has something in {where} that is not an object")
    missing = next((name for name in required if name not in value), None)
    if missing is not None:
        raise _wrong(f"has no {missing} in {where}")
    unknown = next((name for name in value if name not in required and name not in optional), None)
    if unknown is not None:
        raise _wrong(f"has an unknown field {_quoted(unknown)} in {where}")
    return value
