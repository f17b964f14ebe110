"""Exact match, contains, regular expressions with a time bound, JSON and JSON schemas."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from playground.errors import refused
from playground.evaluate.dataset import Case
from playground.evaluate.metrics.metric import Metric
from playground.structured import check_schema

if TYPE_CHECKING:
    import regex

SECONDS = 0.25
"""What a pattern may take for one answer."""
GIVEN_UP = 3
"""After so many answers on which a pattern ran out of time, it is tried no more: ten thousand would take an hour."""
LONGEST_PATTERN = 2_000
MOST_REPEATS = 100_000
"""Of all counts `{n}` in a pattern together: nested ones are unrolled, `((a{1000}){1000}){1000}` into all memory."""

_COUNT = re.compile(r"\{\s*(\d*)\s*(?:,\s*(\d*)\s*)?\}")


def plain(text: str, *, ignore_case: bool, ignore_punctuation: bool) -> str:
    """As answers are compared: in Unicode's composed form, without spaces around it."""
    text = unicodedata.normalize("NFC", text)
    if ignore_case:
        text = text.casefold()
    if ignore_punctuation:
        text = " ".join("".join(" " if unicodedata.category(char)[0] in "PS" else char for char in text).split())
    return text.strip()


def exact_match(*, ignore_case: bool = False, ignore_punctuation: bool = False) -> Metric:
    """1 where the answer is the expected one, spaces around both aside; else 0."""

    def score(answer: str, case: Case) -> float | None:
        if case.expected is None:
            return None
        mine, theirs = (
            plain(text, ignore_case=ignore_case, ignore_punctuation=ignore_punctuation)
            for text in (answer, case.expected)
        )
        return float(mine == theirs)

    return Metric(name="exact_match", score=score, binary=True)


def contains(*, text: str | None = None, ignore_case: bool = True) -> Metric:
    """1 where `text`, or the expected answer, occurs in the answer; else 0."""

    def score(answer: str, case: Case) -> float | None:
        wanted = case.expected if text is None else text
        if wanted is None or not wanted.strip():
            return None
        mine, theirs = (plain(each, ignore_case=ignore_case, ignore_punctuation=False) for each in (answer, wanted))
        return float(theirs in mine)

    return Metric(name="contains", score=score, binary=True)


def matches_pattern(*, pattern: str, whole: bool = False) -> Metric:
    """1 where the answer holds a match of `pattern` (`whole`: is one), else 0; None where that took too long.

    Patterns are those of Python's `re` (the `regex` module, which can be bounded). Raises InvalidRequest for what is no
    pattern.
    """
    compiled = compile_pattern(pattern)
    ran_out = 0

    def score(answer: str, case: Case) -> float | None:
        nonlocal ran_out
        if ran_out >= GIVEN_UP:
            return None
        try:
            search = compiled.fullmatch if whole else compiled.search
            return float(search(answer, timeout=SECONDS, concurrent=True) is not None)
        except (TimeoutError, MemoryError):
            ran_out += 1
            return None

    return Metric(name="regex", score=score, binary=True)


def compile_pattern(pattern: Any) -> regex.Pattern[str]:
    """The pattern, ready to search with a time bound. Raises InvalidRequest for what is none or needs too much."""
    import regex

    if not isinstance(pattern, str) or not 0 < len(pattern) <= LONGEST_PATTERN:
        raise refused("pattern_length", param="pattern", most=LONGEST_PATTERN)
    repeats = 1
    for few, many in _COUNT.findall(pattern):
        repeats *= max(1, *(int(count[:9]) if count else 0 for count in (few, many)))
    if repeats > MOST_REPEATS:
        raise refused("pattern_repeats", param="pattern", most=MOST_REPEATS)
    try:
        return regex.compile(pattern)
    except (regex.error, OverflowError, RecursionError, ValueError) as error:
        raise refused("pattern", param="pattern", why=str(error)[:120]) from None


def fits_schema(*, schema: Mapping[str, Any] | None = None) -> Metric:
    """1 where the answer is JSON (and fits `schema`, draft 2020-12), else 0; a fence of Markdown is taken off.

    Patterns in the schema have the same time bound; a pattern that runs out of it is not matched. Raises InvalidRequest
    for what is no schema.
    """
    validator = None if schema is None else _validator(schema)

    def score(answer: str, case: Case) -> float | None:
        try:
            value = json.loads(_unfenced(answer), parse_constant=_no_constant)
            return float(validator is None or validator.is_valid(value))
        except (ValueError, RecursionError):
            return 0.0

    return Metric(name="json_schema", score=score, binary=True)


def _unfenced(answer: str) -> str:
    text = answer.strip()
    if not text.startswith("```") or not text.endswith("```") or "\n" not in text:
        return text
    return text[text.index("\n") : -3]


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _validator(schema: Mapping[str, Any]) -> Any:
    from jsonschema import Draft202012Validator, validators
    from referencing import Registry

    check_schema(schema, "schema")
    for pattern in _patterns(schema):
        compile_pattern(pattern)
    extend: Any = validators.extend  # which has no types
    bounded = extend(Draft202012Validator, {"pattern": _pattern, "patternProperties": _pattern_properties})
    # A registry of its own: by default a `$ref` to another host would be fetched.
    validator = bounded(dict(schema), registry=Registry())
    try:
        validator.is_valid({})
    except Exception as error:  # what `$ref` cannot be followed to; its classes are the library's own
        raise refused("schema_reference", param="schema", why=str(error)[:120]) from None
    return validator


def _patterns(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
        if isinstance(schema.get("patternProperties"), Mapping):
            yield from schema["patternProperties"]
        for each in schema.values():
            yield from _patterns(each)
    elif isinstance(schema, list | tuple):
        for each in schema:
            yield from _patterns(each)


def _found(pattern: str, text: str) -> bool:
    import regex

    try:
        return regex.search(pattern, text, timeout=SECONDS, concurrent=True) is not None
    except TimeoutError:
        return False


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[Any]:
    from jsonschema.exceptions import ValidationError

    if validator.is_type(instance, "string") and not _found(pattern, instance):
        yield ValidationError(f"does not match {pattern!r}")


def _pattern_properties(validator: Any, properties: Mapping[str, Any], instance: Any, schema: Any) -> Iterator[Any]:
    if not validator.is_type(instance, "object"):
        return
    for pattern, below in properties.items():
        for key, value in instance.items():
            if _found(pattern, key):
                yield from validator.descend(value, below, path=key, schema_path=pattern)
