"""What stands in a preset from outside: read field by field, refused with the reason where anything is wrong."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from playground.errors import InvalidRequest
from playground.messages import ROLES
from playground.redact import redact
from playground.variables import is_name

FORMAT, SEVERAL, VERSION = "playground-preset", "playground-presets", 1

MAX_NAME, MAX_DESCRIPTION, MAX_MODEL, MAX_TEXT, MAX_LINK = 120, 300, 200, 200_000, 8_000
"""Characters. Links longer than that break in mail programs and chats."""
MAX_MESSAGES, MAX_VARIABLES, MAX_PRESETS = 500, 100, 200
MAX_BYTES, MAX_FILE = 2_000_000, 20_000_000
"""Bytes of one preset as JSON in UTF-8, and of a file of several."""
MAX_DEPTH, MAX_PARAM_DEPTH = 20, 4

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


# --- reading ---


def decoded(text: str | bytes) -> str:
    try:
        return (text.decode() if isinstance(text, bytes) else text).removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise InvalidRequest(
            "The file is not text in UTF-8.", param="preset", hint="Choose a file that Playground exported."
        ) from None


def parse_json(text: str, what: str) -> Any:
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


def compact(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def wrong(what: str, hint: str = "") -> InvalidRequest:
    return InvalidRequest(f"The preset {what}.", param="preset", hint=hint)


def quoted(name: Any) -> str:
    """A name from outside, short, and without what looks like a key."""
    return repr(redact(str(name)[:200])[:40])


def check_format(data: Any, expected: str, what: str) -> None:
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


def plain(value: Any, room: int) -> Any:
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
                raise wrong("has a number that is too large or none at all")
            return value
        case Mapping() | list() if room == 0:
            raise wrong("is nested too deeply")
        case Mapping():
            if not all(isinstance(key, str) for key in value):
                raise wrong("has a field whose name is not text")
            return {plain(key, 0): plain(each, room - 1) for key, each in value.items()}
        case list():
            return [plain(each, room - 1) for each in value]
    raise wrong("has a value that is not JSON")


def refuse_unknown(given: Mapping[str, Any], known: Collection[str], what: str) -> None:
    """Secrets have a reason of their own. Variables are called as their author likes: theirs are not looked at."""
    for key in _keys({name: None if name == "variables" else value for name, value in given.items()}):
        if _SECRET.search(re.sub(r"[^a-z0-9]", "", key.lower())):
            raise InvalidRequest(
                f"The {what} has a field {quoted(key)}, which looks like a key, a password or an address.",
                param="preset",
                hint="Presets carry none: take it out; keys and servers are set in .env.",
            )
    unknown = next((key for key in given if key not in known), None)
    if unknown is not None:
        raise InvalidRequest(f"The {what} has an unknown field {quoted(unknown)}.", param="preset")


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
        value = list(value.values())
    for part in value if isinstance(value, list) else ():
        yield from _keys(part)


# --- the fields ---


def one_of(value: Any, known: Collection[str], what: str) -> Any:
    if value not in known:
        raise wrong(f"has an unknown {what}", f"Known: {', '.join(known)}.")
    return value


def read_text(value: Any, what: str, most: int = MAX_TEXT) -> str:
    if not isinstance(value, str):
        raise wrong(f"has a {what} that is not text")
    if len(value) > most:
        raise wrong(f"has a {what} of {len(value):,} characters; at most {most:,} are kept")
    return value


def read_name(value: Any) -> str:
    name = read_text("" if value is None else value.strip() if isinstance(value, str) else value, "name", MAX_NAME)
    if not name.strip(_JOINERS):
        raise wrong("has no name")
    # Emoji and Persian are written with joiners; every other invisible character only makes a name look like another.
    if any(unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") and c not in _JOINERS for c in name):
        raise wrong("has a name with invisible characters")
    if re.search(r"[/\\]", name):
        raise wrong("has a name with a slash in it", "A name is no path: write a hyphen or a space.")
    return name


def read_model(value: Any) -> str | None:
    if value is None:
        return None
    model = read_text(value, "model", MAX_MODEL)
    if not model.strip() or not model.isprintable():
        raise wrong("has a model that is no name", "A model is written endpoint/model.")
    return model


def read_variables(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or len(value) > MAX_VARIABLES:
        raise wrong(f"has variables that are not an object of up to {MAX_VARIABLES} texts")
    for name, text in value.items():
        if not is_name(name):
            raise wrong(f"has a variable called {quoted(name)}", "A name is letters, digits and _, 64 at most.")
        read_text(text, f"variable {name}")
    return value


def read_params(value: Any) -> dict[str, Any]:
    """The panel's values by their types alone: a run checks their ranges, which depend on the model."""
    if not isinstance(value, dict):
        raise wrong("has params that are not an object")
    for name, given in plain(value, MAX_PARAM_DEPTH).items():
        kinds = PARAMS.get(name)
        if kinds is None:
            raise wrong(f"has an unknown parameter {quoted(name)}", f"Known: {', '.join(PARAMS)}.")
        if type(given) not in kinds:
            raise wrong(f"has a {name} that is not {_SAID[kinds[0]]}")
        if isinstance(given, str):
            read_text(given, name)
    if "response_format" in value:
        one_of(value["response_format"], _FORMATS, "response_format")
    if "stop" in value:
        stop = [value["stop"]] if isinstance(value["stop"], str) else value["stop"]
        return {**value, "stop": [read_text(each, "stop") for each in stop]}
    return value


def read_messages(value: Any) -> tuple[dict[str, Any], ...]:
    """OpenAI's messages, each for itself: a conversation may be saved half written, its calls still open."""
    if not isinstance(value, list) or len(value) > MAX_MESSAGES:
        raise wrong(f"has messages that are not a list of up to {MAX_MESSAGES}")
    for number, message in enumerate(value, 1):
        where = f"message {number}"
        said = _shape(message, where, required=("role",), optional=("content", "name", "tool_calls", "tool_call_id"))
        if said["role"] not in ROLES:
            raise wrong(f"has an unknown role in {where}", f"Known: {', '.join(ROLES)}.")
        content = said.get("content")
        for part in content if isinstance(content, list) else ():
            _part(part, where)
        if content is not None and not isinstance(content, list):
            read_text(content, f"content in {where}")
        for name in said.keys() & {"name", "tool_call_id"}:
            read_text(said[name], f"{name} in {where}")
        calls = said.get("tool_calls", [])
        if not isinstance(calls, list):
            raise wrong(f"has tool_calls in {where} that are not a list")
        for call in calls:
            function = _shape(call, where, required=("id", "type", "function"))["function"]
            about = _shape(function, where, required=("name", "arguments"))
            for text in (call["id"], call["type"], about["name"], about["arguments"]):
                read_text(text, f"function call in {where}")
    return tuple(value)


def _part(part: Any, where: str) -> None:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "text":
        read_text(_shape(part, where, required=("type", "text"))["text"], f"text in {where}")
        return
    if kind != "image_url":
        raise wrong(f"has a part in {where} that is neither text nor an image")
    image = _shape(
        _shape(part, where, required=("type", "image_url"))["image_url"], where, required=("url",), optional=("detail",)
    )
    if not isinstance(image["url"], str) or not _IMAGE.fullmatch(image["url"]):
        raise wrong(f"has an image in {where} that it does not hold itself", "Attach a PNG, JPEG, WebP or GIF file.")
    one_of(image.get("detail", "auto"), ("auto", "low", "high"), f"detail of an image in {where}")


def _shape(value: Any, where: str, *, required: Sequence[str], optional: Sequence[str] = ()) -> dict[str, Any]:
    """`value` as an object with these fields and no other."""
    if not isinstance(value, dict):
        raise wrong(f"has something in {where} that is not an object")
    missing = next((name for name in required if name not in value), None)
    if missing is not None:
        raise wrong(f"has no {missing} in {where}")
    unknown = next((name for name in value if name not in required and name not in optional), None)
    if unknown is not None:
        raise wrong(f"has an unknown field {quoted(unknown)} in {where}")
    return value
