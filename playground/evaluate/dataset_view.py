"""A dataset as somebody looks through it: searched, filtered, sorted, and what there is to say of it as a whole."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from playground.evaluate.dataset import Case, question
from playground.evaluate.dataset_kept import Kept
from playground.finetune.duplicates import equal, normalised

Only = Literal["", "expected", "unexpected", "duplicate", "conflict", "empty"]
Sort = Literal["order", "last", "asked", "expected", "long", "short"]
ONLY: tuple[Only, ...] = get_args(Only)
SORTS: tuple[Sort, ...] = get_args(Sort)
LABELS, LABEL = 50, 60
"""Different expected answers, and characters of each, up to which they are labels and not texts."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which cases, in what order. Every word of `text` is somewhere in the case."""

    text: str = ""
    tag: str = ""
    label: str | None = None
    only: Only = ""
    sort: Sort = "order"


@dataclass(frozen=True, slots=True)
class Facts:
    """What there is to say of a dataset: with each variable, tag and label how many cases have it."""

    count: int
    variables: Mapping[str, int]
    tags: Mapping[str, int]
    expected: int
    labels: Mapping[str, int]
    duplicates: int
    conflicts: int
    empty: int


class View:
    """A dataset of one version, with what searching and the facts need reckoned once: of cases that `before`, the view
    of another version, has as well, not again.
    """

    def __init__(self, kept: Kept, before: View | None = None) -> None:
        self.kept = kept
        self.cases = kept.dataset.cases
        known: dict[int, tuple[str, str]] = (
            {} if before is None else dict(zip(map(id, before.cases), before._reckoned, strict=True))
        )
        self._reckoned: list[tuple[str, str]] = [
            known.get(id(case)) or (fold(" ".join(texts(case))), question(case)) for case in self.cases
        ]
        self._folded = [folded for folded, _ in self._reckoned]
        groups = equal([asks for _, asks in self._reckoned])
        #: Places of cases that ask what an earlier one has asked, and of those whose question has several answers.
        self.duplicate = frozenset(at for group in groups for at in group[1:])
        several = [group for group in groups if len({self._answer(at) for at in group} - {None}) > 1]
        self.conflict = frozenset(at for group in several for at in group)
        self.empty = frozenset(at for at, case in enumerate(self.cases) if is_empty(case))
        self.facts = self._facts()

    def _answer(self, at: int) -> str | None:
        expected = self.cases[at].expected
        return None if expected is None else normalised(expected)

    def _facts(self) -> Facts:
        answers = [case.expected for case in self.cases if case.expected is not None]
        labels = Counter(answers)
        used = Counter(name for case in self.cases for name, value in case.variables.items() if value)
        are_labels = len(labels) <= LABELS and len(labels) < len(answers) and all(len(each) <= LABEL for each in labels)
        return Facts(
            count=len(self.cases),
            variables={name: used[name] for name in self.kept.dataset.variables},
            tags=Counter(tag for case in self.cases for tag in case.tags),
            expected=len(answers),
            labels=dict(labels.most_common()) if are_labels else {},
            duplicates=len(self.duplicate),
            conflicts=len(self.conflict),
            empty=len(self.empty),
        )

    def found(self, wanted: Wanted) -> list[int]:
        """The places of the cases that are wanted, the first being 0."""
        words = fold(wanted.text).split()
        places = [at for at in range(len(self.cases)) if self._is(at, wanted, words)]
        if wanted.sort == "last":
            return places[::-1]
        keys: Mapping[str, Any] = {
            "asked": lambda at: fold(asked(self.cases[at])),
            "expected": lambda at: (self.cases[at].expected is None, fold(self.cases[at].expected or "")),
            "long": lambda at: -len(self._folded[at]),
            "short": lambda at: len(self._folded[at]),
        }
        return sorted(places, key=keys[wanted.sort]) if wanted.sort in keys else places

    def _is(self, at: int, wanted: Wanted, words: Iterable[str]) -> bool:
        case = self.cases[at]
        if wanted.tag and wanted.tag not in case.tags:
            return False
        if wanted.label is not None and case.expected != wanted.label:
            return False
        if wanted.only and at not in getattr(self, wanted.only, ()) and not self._has(case, wanted.only):
            return False
        return all(word in self._folded[at] for word in words)

    def _has(self, case: Case, only: Only) -> bool:
        return (only == "expected" and case.expected is not None) or (only == "unexpected" and case.expected is None)


def texts(case: Case) -> list[str]:
    """Every text of a case."""
    said = [str(part) for message in case.messages or () for part in _contents(message.get("content"))]
    return [case.id, case.prompt or "", *said, *case.variables.values(), case.expected or "", *case.tags]


def asked(case: Case) -> str:
    """What a case asks, as one text: its prompt, what is said last, or its variables' values."""
    if case.prompt is not None:
        return case.prompt
    if case.messages:
        return " ".join(_contents(case.messages[-1].get("content")))
    return " · ".join(value for value in case.variables.values() if value)


def _contents(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content]
    parts = content if isinstance(content, list | tuple) else ()
    return [part["text"] for part in parts if isinstance(part, Mapping) and isinstance(part.get("text"), str)]


def is_empty(case: Case) -> bool:
    """Whether a case asks nothing: no prompt, no messages, no variable with a value."""
    return not case.prompt and not case.messages and not any(case.variables.values())


def fold(text: str) -> str:
    """Without case and accents, as a search in the history finds words."""
    if text.isascii():
        return text.lower()
    return "".join(char for char in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(char))
