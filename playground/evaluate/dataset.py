"""Test cases, and what they are made of: variables, a prompt or a conversation, the expected answer, tags."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from playground.errors import InvalidRequest, refused
from playground.finetune.duplicates import normalised
from playground.finetune.splitting import split as split_keys
from playground.messages import plain_text, read_messages
from playground.unicode import all_well_formed, well_formed
from playground.variables import MAX_NAME as MAX_VARIABLE
from playground.variables import is_name, names_in
from playground.words import Said

MAX_CASES = 100_000
MAX_NAME, MAX_ID, MAX_TAG, MAX_TAGS = 120, 100, 60, 20
"""Characters of a dataset's name, of a case's id and of a tag; tags of a case."""
MAX_VARIABLES = 100
SHOWN = 5
"""Cases that an error names; of more, it says how many."""

#: Tags stand behind commas in a table's cell.
_TAG = re.compile(rf"[^,;\r\n]{{1,{MAX_TAG}}}")
_FIELDS = ("id", "variables", "prompt", "messages", "expected", "tags")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One test case. `messages` are OpenAI's; a case has a `prompt`, or `messages`, or neither, and then whoever runs
    it brings what its `variables` go into. `expected` is the answer that is right, None where nobody has said.
    """

    id: str
    variables: Mapping[str, str] = field(default_factory=dict)
    prompt: str | None = None
    messages: tuple[Mapping[str, Any], ...] | None = None
    expected: str | None = None
    tags: tuple[str, ...] = ()

    @property
    def values(self) -> dict[str, str]:
        """What may stand for `{{name}}`: the variables, and the prompt as `{{prompt}}` where none is called so."""
        own = {} if self.prompt is None else {"prompt": self.prompt}
        return {**own, **self.variables}

    @property
    def written(self) -> dict[str, Any]:
        """What the case itself asks: `prompt`, or `messages`, or nothing."""
        if self.messages is not None:
            return {"messages": list(self.messages)}
        return {} if self.prompt is None else {"prompt": self.prompt}


@dataclass(frozen=True, slots=True)
class Dataset:
    """Cases in their order; no two have one id."""

    name: str
    cases: tuple[Case, ...]

    def __len__(self) -> int:
        return len(self.cases)

    @property
    def variables(self) -> tuple[str, ...]:
        """Every variable that a case has, in the order of their first."""
        return tuple(dict.fromkeys(name for case in self.cases for name in case.variables))

    @property
    def tags(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(tag for case in self.cases for tag in case.tags))

    @property
    def labels(self) -> tuple[str, ...]:
        """The different expected answers, in the order of their first."""
        return tuple(dict.fromkeys(case.expected for case in self.cases if case.expected is not None))

    def tagged(self, tags: Iterable[str]) -> Dataset:
        """The cases that have one of `tags`."""
        wanted = set(tags)
        return replace(self, cases=tuple(case for case in self.cases if wanted & set(case.tags)))

    def keep(self, ids: Iterable[str]) -> Dataset:
        """The cases with these ids, in the dataset's order. Raises InvalidRequest for an id that no case has."""
        wanted = dict.fromkeys(ids)
        known = {case.id for case in self.cases}
        unknown = next((id for id in wanted if id not in known), None)
        if unknown is not None:
            raise refused("no_case", param="dataset", id=_short(unknown))
        return replace(self, cases=tuple(case for case in self.cases if case.id in wanted))

    def put(self, case: Case) -> Dataset:
        """With `case` in the place of the one that has its id, or at the end. Raises InvalidRequest when it is full."""
        if any(each.id == case.id for each in self.cases):
            return replace(self, cases=tuple(case if each.id == case.id else each for each in self.cases))
        return made(self.name, [*self.cases, case])

    def without(self, ids: Iterable[str]) -> Dataset:
        gone = set(ids)
        return replace(self, cases=tuple(case for case in self.cases if case.id not in gone))

    def fingerprint(self) -> str:
        """What the cases say, as 64 hexadecimal digits; not what the dataset is called."""
        said = hashlib.sha256()
        for case in self.cases:
            said.update(_written(case) + b"\n")
        return said.hexdigest()


def made(name: str, cases: Sequence[Case]) -> Dataset:
    """A dataset of these cases. Raises InvalidRequest for none, for too many, and for an id that occurs twice."""
    if not isinstance(name, str) or not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise refused("dataset_name", param="dataset", most=MAX_NAME)
    if not cases:
        raise refused("no_cases", param="dataset")
    if len(cases) > MAX_CASES:
        raise refused("many_cases", param="dataset", cases=len(cases), most=MAX_CASES)
    seen: set[str] = set()
    for case in cases:
        if case.id in seen:
            raise refused("case_twice", param="dataset", id=_short(case.id))
        seen.add(case.id)
    return Dataset(name.strip(), tuple(cases))


def question(case: Case) -> str:
    """What a case asks, but for case, punctuation and spaces: equal for cases that ask the same."""
    return normalised(json.dumps([case.written, dict(case.variables)], ensure_ascii=False))


def split(dataset: Dataset, *, ratio: float, seed: int, by_label: bool = False) -> tuple[Dataset, Dataset]:
    """Two parts, the second of about `ratio` of the cases, the same for the same seed.

    Cases that ask the same but for case, punctuation and spaces stay on one side. `by_label`: each expected answer has
    about the same share in both. Raises InvalidRequest.
    """
    strata = [case.expected for case in dataset.cases] if by_label else None
    found = split_keys([question(case) for case in dataset.cases], ratio=ratio, seed=seed, strata=strata)
    first, second = (tuple(dataset.cases[at] for at in places) for places in (found.train, found.valid))
    return replace(dataset, cases=first), replace(dataset, cases=second)


def needed(written: Any) -> tuple[str, ...]:
    """The variables that a prompt, messages, or both in a mapping need, in alphabetical order."""
    return tuple(sorted(names_in(written)))


def lacking(dataset: Dataset, written: Any) -> dict[str, tuple[str, ...]]:
    """By each variable that `written` needs and cases lack, or have empty: the ids of those cases."""
    found: dict[str, list[str]] = {name: [] for name in needed(written)}
    for case in dataset.cases:
        values = case.values
        for name, ids in found.items():
            if not values.get(name):  # as everywhere: a value that is empty is one that somebody forgot
                ids.append(case.id)
    return {name: tuple(ids) for name, ids in found.items() if ids}


def check_fits(dataset: Dataset, written: Any) -> None:
    """Raises InvalidRequest that names a variable which `written` needs, and the cases that lack it."""
    for name, ids in lacking(dataset, written).items():
        have = ", ".join(dataset.variables[:20])
        if len(ids) == len(dataset):
            raise refused("no_variable", param="dataset", name=name, have=have or "–", hint="case_variable")
        listed = ", ".join(map(_short, ids[:SHOWN])) + (" …" if len(ids) > SHOWN else "")
        raise refused("case_variable", param="dataset", name=name, count=len(ids), ids=listed, have=have or "–")


def case_json(case: Case) -> dict[str, Any]:
    """The case as `read_case` reads it, without what is empty."""
    said = {
        "id": case.id,
        "variables": dict(case.variables) or None,
        "prompt": case.prompt,
        "messages": None if case.messages is None else [dict(message) for message in case.messages],
        "expected": case.expected,
        "tags": list(case.tags) or None,
    }
    return {name: value for name, value in said.items() if value is not None}


def _written(case: Case) -> bytes:
    return json.dumps(case_json(case), sort_keys=True).encode()


def digest(case: Case) -> str:
    """What the case says, as 64 hexadecimal digits."""
    return hashlib.sha256(_written(case)).hexdigest()


def read_case(given: Any, number: int) -> Case:
    """A case from outside; `number` is its place, the first being 1, and its id where it has none.

    Raises InvalidRequest that names the case and says what is wrong.
    """
    if not isinstance(given, Mapping):
        raise _wrong(number, "case_object")
    unknown = next((key for key in given if key not in _FIELDS), None)
    if unknown is not None:
        raise _wrong(number, "case_field", field=_short(str(unknown)), known=", ".join(_FIELDS))
    about = all_well_formed(dict(given))
    prompt, messages = about.get("prompt"), about.get("messages")
    if prompt is not None and messages is not None:
        raise _wrong(number, "case_both")
    return Case(
        id=_id(about.get("id"), number),
        variables=_variables(about.get("variables"), number),
        prompt=_text(prompt, "prompt", number),
        messages=None if messages is None else _messages(messages, number),
        expected=_text(about.get("expected"), "expected", number),
        tags=_tags(about.get("tags"), number),
    )


def read_cases(given: Iterable[Any]) -> Iterator[Case]:
    """The same for several. Stops with an error at the first that is wrong."""
    for number, each in enumerate(given, 1):
        if number > MAX_CASES:
            raise refused("many_cases", param="dataset", cases=number, most=MAX_CASES)
        yield read_case(each, number)


def _id(value: Any, number: int) -> str:
    if value is None or value == "":
        return str(number)
    text = str(value) if type(value) is int else value
    if not isinstance(text, str) or not 0 < len(text.strip()) <= MAX_ID or not text.isprintable():
        raise _wrong(number, "case_id", most=MAX_ID)
    return text.strip()


def _variables(value: Any, number: int) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, Mapping) or len(value) > MAX_VARIABLES:
        raise _wrong(number, "case_variables", most=MAX_VARIABLES)
    found = {}
    for name, text in value.items():
        if not isinstance(name, str) or not is_name(name):
            raise _wrong(number, "case_variable_name", name=_short(str(name)), most=MAX_VARIABLE)
        found[name] = _text(text, name, number) or ""
    return found


def _text(value: Any, field: str, number: int) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool | int | float):  # a label or a number that JSON and spreadsheets hold as such
        value = json.dumps(value)
    if not isinstance(value, str):
        raise _wrong(number, "case_text", field=field)
    return plain_text(field, well_formed(value))


def _messages(value: Any, number: int) -> tuple[dict[str, Any], ...]:
    try:
        return tuple(message.body() for message in read_messages(value))
    except InvalidRequest as error:
        raise _wrong(number, "case_messages", why=error.said) from None


def _tags(value: Any, number: int) -> tuple[str, ...]:
    given = [] if value is None else value
    good = isinstance(given, list | tuple) and len(given) <= MAX_TAGS
    if not good or not all(isinstance(tag, str) and _TAG.fullmatch(tag.strip()) for tag in given):
        raise _wrong(number, "case_tags", most=MAX_TAGS, longest=MAX_TAG)
    return tuple(dict.fromkeys(tag.strip() for tag in given))


def _wrong(number: int, key: str, **args: str | int | Said) -> InvalidRequest:
    return refused(key, param="dataset", hint="", number=number, **args)


def _short(text: str) -> str:
    line = "".join(char if char.isprintable() else "�" for char in text[:41])
    return line if len(line) <= 40 else line[:39] + "…"
