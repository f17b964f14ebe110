"""Structured answers: JSON mode, JSON schemas and functions, checked before they are sent; and the answer after."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from playground.errors import refused

MAX_CHARS = 200_000
"""Characters of a schema or of all tools together, as JSON."""
MAX_TOOLS = 128
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def read_json(text: Any, param: str) -> Any:
    """JSON as typed into a field, or already read. Raises InvalidRequest with the line that is wrong."""
    if not isinstance(text, str):
        return text
    # Half of an emoji, as itself or as an escape, cannot be sent; it becomes what every server would make of it.
    text = text.encode("utf-8", "replace").decode()
    if len(text) > MAX_CHARS:
        raise refused("field_long", param=param, name=param, count=len(text), most=MAX_CHARS)
    try:
        value = json.loads(text, parse_constant=_no_constant)
        return json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")) if "\\u" in text else value
    except json.JSONDecodeError as error:
        raise refused(
            "field_json_at", param=param, name=param, line=error.lineno, column=error.colno, why=error.msg
        ) from None
    except (ValueError, RecursionError):
        raise refused("field_json", param=param, name=param) from None


def read_format(value: Any) -> dict[str, Any] | None:
    """`response_format` in OpenAI's shape; a bare JSON schema is given its wrapping. Raises InvalidRequest."""
    if value is None or value == "":
        return None
    if not isinstance(value, Mapping):
        raise refused("format_shape", param="response_format")
    kind = value.get("type")
    if kind in ("text", "json_object"):
        return {"type": kind}
    if kind != "json_schema":
        raise refused("format_kind", param="response_format")
    return {"type": "json_schema", "json_schema": _named_schema(value.get("json_schema"))}


def _named_schema(value: Any) -> dict[str, Any]:
    given = read_json(value, "response_format") if value else None
    if not isinstance(given, Mapping) or not given:
        raise refused("no_schema", param="response_format")
    named = dict(given) if isinstance(given.get("schema"), Mapping) else {"name": "answer", "schema": dict(given)}
    name = named.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise refused("schema_name", param="response_format")
    check_schema(named["schema"], "response_format")
    return named


def check_schema(schema: Any, param: str) -> None:
    """Raises InvalidRequest where `schema` is no JSON schema (draft 2020-12), naming the place."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        json.dumps(schema, allow_nan=False)  # too deep, or a number that JSON does not have
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        place = "/".join(str(step) for step in error.absolute_path) or "its top"
        raise refused("schema_wrong", param=param, place=place[:80], why=error.message[:200]) from None
    except (ValueError, RecursionError):
        raise refused("schema_deep", param=param) from None


def read_tools(value: Any) -> tuple[dict[str, Any], ...]:
    """`tools` in OpenAI's shape; a bare function definition is given its wrapping. Raises InvalidRequest."""
    given = read_json(value, "tools") if value else None
    if not given:
        return ()
    tools = [given] if isinstance(given, Mapping) else given
    if not isinstance(tools, Sequence) or isinstance(tools, str) or len(tools) > MAX_TOOLS:
        raise refused("tools_many", param="tools", most=MAX_TOOLS)
    read = tuple(_tool(tool, number) for number, tool in enumerate(tools, 1))
    names = [tool["function"]["name"] for tool in read]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise refused("function_twice", param="tools", name=repr(twice))
    return read


def _tool(value: Any, number: int) -> dict[str, Any]:
    tool = value if isinstance(value, Mapping) else {}
    function = tool.get("function") if tool.get("type") == "function" else tool
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise refused("function_no_name", param="tools", number=number)
    if not _NAME.fullmatch(function["name"]):
        raise refused("function_name", param="tools", number=number)
    if "parameters" in function:
        check_schema(function["parameters"], "tools")
    return {"type": "function", "function": dict(function)}


def read_tool_choice(value: Any, tools: Sequence[Mapping[str, Any]]) -> str | dict[str, Any] | None:
    """`auto`, `none`, `required` or a function by its name (or in OpenAI's shape). Raises InvalidRequest."""
    if value is None or value == "" or not tools:
        return None
    if value in ("auto", "none", "required"):
        return str(value)
    function = value.get("function") if isinstance(value, Mapping) else None
    name = value if isinstance(value, str) else function.get("name") if isinstance(function, Mapping) else None
    if name not in [tool["function"]["name"] for tool in tools]:
        raise refused("tool_choice_unknown", param="tool_choice", name=repr(str(name)[:64]))
    return {"type": "function", "function": {"name": name}}


def problem_with(text: str, response_format: Mapping[str, Any] | None) -> str | None:
    """Why an answer is not what `response_format` asked for; None where it is, or where nothing was asked for."""
    kind = (response_format or {}).get("type")
    if kind not in ("json_object", "json_schema"):
        return None
    try:
        answer = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return "it is not valid JSON"
    if kind == "json_object":
        return None if isinstance(answer, dict) else "it is not a JSON object"
    return _misfit(answer, (response_format or {})["json_schema"]["schema"])


def _misfit(answer: Any, schema: Mapping[str, Any]) -> str | None:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    try:
        # A registry of its own: by default a `$ref` to another host would be fetched.
        error = best_match(Draft202012Validator(schema, registry=Registry()).iter_errors(answer))
    except (Unresolvable, RecursionError):
        return "its schema refers to one that is not here"
    if error is None:
        return None
    place = "/".join(str(step) for step in error.absolute_path) or "its top"
    return f"it does not fit the schema at {place[:80]}: {error.message[:200]}"


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
