"""A file of examples as a whole, pairs or chats: what is wrong, what occurs twice, what validation gives away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from playground.finetune import duplicates
from playground.finetune.chat_check import check
from playground.finetune.chat_format import examples, last_answer
from playground.finetune.line_check import Problem, Report
from playground.finetune.prepare import jsonl
from playground.finetune.table import ROWS_SHOWN, Table, shown, wrong
from playground.finetune.tables import read
from playground.words import Said

GROUPS_SHOWN = 5
NEARLY = 20_000
"""Examples that are compared with one another: of more, as many from the beginning."""


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """`prompts[i]` is all that is said before an example's last answer, `completions[i]` that answer, `lines[i]` where
    it stands in the file. `data` is the JSONL that a server is given; `report` says what is wrong with it.
    """

    name: str
    kind: Literal["pairs", "chats"]
    data: bytes
    prompts: Sequence[str]
    completions: Sequence[str]
    lines: Sequence[int]
    table: Table | None = None
    report: Report | None = None

    @property
    def chats(self) -> list[dict[str, Any]]:
        """The examples that can be read, as OpenAI has them."""
        return [example for _, example in examples(self.data)]


@dataclass(frozen=True, slots=True)
class Twice:
    """Something that occurs more often than it should: `groups` are lines of the file that belong together, the first
    few of `said`'s count, and `more` are as many others; `example` is a short piece of the first.
    """

    said: Said
    groups: tuple[tuple[int, ...], ...]
    example: str
    more: int = 0


def read_set(data: bytes, name: str) -> TrainingSet:
    """A chat file, or a file of pairs in any format that can be prepared. Raises InvalidRequest for what is neither."""
    if _is_chat(data, name):
        return _chats(data, name)
    table = read(data, name)
    if not {"prompt", "completion"} <= set(table.columns):
        raise wrong("no_pairs", columns=", ".join(shown(name, 30) for name in list(table.columns)[:8]))
    report = Report(len(table), tuple(_empty(table)))
    return TrainingSet(
        name, "pairs", jsonl(table, range(len(table))), table.prompts, table.completions, table.rows, table, report
    )


def _empty(table: Table) -> Iterator[Problem]:
    """Pairs that teach nothing, which servers refuse."""
    places = [place for place, completion in enumerate(table.completions) if not completion]
    if places:
        lines = tuple(table.rows[place] for place in places[:ROWS_SHOWN])
        yield Problem("empty_completion", len(places), lines, shown(table.prompts[places[0]]))


def _is_chat(data: bytes, name: str) -> bool:
    """By its first lines that are JSON: a chat file with a broken first line is to be told of that line."""
    if not name.lower().endswith((".jsonl", ".json", ".txt")):
        return False
    return any(b'"messages"' in line for line in data[:100_000].split(b"\n")[:20])


def _chats(data: bytes, name: str) -> TrainingSet:
    prompts, completions, lines = list[str](), list[str](), list[int]()
    for line, example in examples(data):
        prompt, completion = last_answer(example["messages"])
        prompts.append(prompt)
        completions.append(completion)
        lines.append(line)
    return TrainingSet(name, "chats", data, prompts, completions, lines, report=check(data))


def twice(train: TrainingSet, valid: TrainingSet | None = None) -> list[Twice]:
    """Equal and nearly equal examples, questions with several answers, and what validation shares with training."""
    pairs = list(zip(train.prompts, train.completions, strict=True))
    texts = [f"{prompt}\n{completion}" for prompt, completion in pairs[:NEARLY]]
    equal = duplicates.equal(pairs)
    known = {place for group in equal for place in group[1:]}
    near = [group for group in duplicates.nearly_equal(texts) if len([at for at in group if at not in known]) > 1]
    found = [
        _told("sets.duplicates", equal, train),
        _told("sets.contradictions", duplicates.contradictions(train.prompts, train.completions), train),
        _told("sets.near", near, train),
    ]
    if valid is not None:
        leaks = [(place,) for place in duplicates.leaked(train.prompts, valid.prompts)]
        found.append(_told("sets.leaked", leaks, valid))
    return [each for each in found if each is not None]


def _told(key: str, groups: Sequence[tuple[int, ...]], of: TrainingSet) -> Twice | None:
    if not groups:
        return None
    lines = tuple(tuple(of.lines[at] for at in group[:GROUPS_SHOWN]) for group in groups[:GROUPS_SHOWN])
    return Twice(
        Said(key, {"count": f"{len(groups):,}"}), lines, shown(of.prompts[groups[0][0]]), len(groups) - len(lines)
    )


def learned(kept: TrainingSet) -> list[Any]:
    """The examples as the price is estimated from them: (prompt, completion), or the messages of a chat."""
    if kept.kind == "pairs":
        return list(zip(kept.prompts, kept.completions, strict=True))
    return [example["messages"] for example in kept.chats]
