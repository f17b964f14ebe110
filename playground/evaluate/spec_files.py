"""A spec's text, YAML or JSON → plain values. Nothing in it can be more than it looks.

YAML is read as its version 1.2 reads plain words: `no`, `on` and `2024-01-31` are texts, `010` is ten. Anchors and
aliases, by which a few lines can stand for any number of values, are refused; so are keys that occur twice.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cache
from typing import Any

from playground.errors import refused
from playground.unicode import well_formed

MAX_BYTES = 256_000
MAX_DEPTH = 20
DIGITS = 20


def load(data: bytes | str, name: str = "spec.yaml") -> Any:
    """The value that the text holds: JSON where `name` says so, else YAML, which JSON is as well.

    Raises InvalidRequest with the line, and why.
    """
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    if len(raw) > MAX_BYTES:
        raise refused("spec_large", param="spec", most=MAX_BYTES)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise refused("spec_not_text", param="spec") from None
    if not text.strip():
        raise refused("spec_empty", param="spec")
    value = _json(text) if name.lower().endswith(".json") else _yaml(text)
    return plain(value)


def dump(value: Mapping[str, Any]) -> str:
    """A spec's plain values as YAML that `load` reads as the same: every text is quoted that could be anything else."""
    import yaml

    return yaml.dump(dict(value), Dumper=_dumper(), sort_keys=False, allow_unicode=True, width=100)


@cache
def _dumper() -> Any:
    import re

    import yaml

    word = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)
    values = {"null", "true", "false", "y", "n", "yes", "no", "on", "off"}

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

        def text(self, data: str) -> Any:
            bare = word.fullmatch(data) and data.lower() not in values
            style = None if bare else "|" if _in_lines(data) else '"'
            return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)

    Dumper.add_representer(str, Dumper.text)
    return Dumper


def _in_lines(text: str) -> bool:
    """Whether a text reads better line by line, and can be written so."""
    lines = text.split("\n")
    return (
        len(lines) > 1
        and text.isprintable() is False
        and all(line.isprintable() and line == line.rstrip() for line in lines)
        and not text.startswith((" ", "\n"))
    )


def plain(value: Any, room: int = MAX_DEPTH) -> Any:
    """A copy that JSON could hold. Raises InvalidRequest for what is deeper than `room`, and for what is no value."""
    match value:
        case None | bool():
            return value
        case str():
            return well_formed(value)
        case int() | float() if abs(value) < 10**DIGITS and math.isfinite(value):
            return value
        case Mapping() | list() if room == 0:
            raise refused("spec_deep", param="spec", most=MAX_DEPTH)
        case Mapping():
            if not all(isinstance(key, str) for key in value):
                raise refused("spec_key", param="spec")
            return {well_formed(key): plain(each, room - 1) for key, each in value.items()}
        case list():
            return [plain(each, room - 1) for each in value]
    raise refused("spec_value", param="spec")


def _json(text: str) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(read := dict(pairs)) < len(pairs):
            twice = next(key for at, (key, _) in enumerate(pairs) if key in dict(pairs[:at]))
            raise refused("spec_twice", param="spec", name=twice[:40])
        return read

    try:
        return json.loads(text, object_pairs_hook=once, parse_int=_int)
    except json.JSONDecodeError as error:
        raise refused("spec_json", param="spec", line=error.lineno, column=error.colno, why=error.msg) from None
    except RecursionError:
        raise refused("spec_deep", param="spec", most=MAX_DEPTH) from None


def _int(digits: str) -> float | int:
    """Python reads no number of thousands of digits; one beyond DIGITS is refused where the value is looked at."""
    return int(digits) if len(digits) <= DIGITS + 1 else math.inf


def _yaml(text: str) -> Any:
    import yaml

    try:
        return yaml.load(text, Loader=_loader())  # noqa: S506 (a safe loader made stricter)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise refused("spec_yaml", param="spec", line=line, column=column, why=str(error.problem)[:120]) from None
    except yaml.YAMLError:  # a character that no text has
        raise refused("spec_not_text", param="spec") from None
    except RecursionError:
        raise refused("spec_deep", param="spec", most=MAX_DEPTH) from None


@cache
def _loader() -> Any:
    """PyYAML's safe loader with the plain words of YAML 1.2's core schema, and without aliases."""
    import re

    import yaml

    class Loader(yaml.SafeLoader):
        def compose_node(self, parent: Any, index: Any) -> Any:
            event: Any = self.peek_event()  # type: ignore[no-untyped-call]
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
                raise refused("spec_alias", param="spec", line=event.start_mark.line + 1)
            return super().compose_node(parent, index)

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            seen = set()
            for key, _ in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    continue  # which cannot be a key: PyYAML says so
                if key.value in seen:
                    raise refused("spec_twice", param="spec", name=str(key.value)[:40])
                seen.add(key.value)
            return super().construct_mapping(node, deep)

        def number(self, node: Any) -> Any:
            said = str(node.value)
            return _int(said) if re.fullmatch(r"[-+]?\d+", said) else float(said)

    Loader.yaml_implicit_resolvers = {}
    words = {
        "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
        "bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF")),
        "int": (r"[-+]?\d+", list("-+0123456789")),
        "float": (r"[-+]?(?:\.\d+|\d+\.\d*)(?:[eE][-+]?\d+)?|[-+]?\d+[eE][-+]?\d+", list("-+.0123456789")),
    }
    for kind, (pattern, first) in words.items():
        Loader.add_implicit_resolver(f"tag:yaml.org,2002:{kind}", re.compile(rf"(?:{pattern})\Z"), first)
    for kind in ("int", "float"):
        Loader.add_constructor(f"tag:yaml.org,2002:{kind}", Loader.number)
    return Loader
