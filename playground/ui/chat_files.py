"""The Fine-tune tab's training sets: checked, drawn, priced, split, converted. Files only when they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import gradio as gr

from playground.deps import Deps
from playground.errors import refused
from playground.evaluate.dataset_sources import from_training
from playground.finetune.chat_format import to_chat, to_pairs
from playground.finetune.estimate import estimate
from playground.finetune.prepare import jsonl
from playground.finetune.sets import TrainingSet, learned, read_set, twice
from playground.finetune.splitting import split_lines, suggested_ratio, without_duplicates
from playground.finetune.statistics import Statistics, Summary, chat_statistics, pair_statistics
from playground.finetune.table import stem
from playground.finetune.trained import shared_ending
from playground.ui import components
from playground.ui.asking import Answer, Asked, answered, language
from playground.ui.dataset_made import kept
from playground.ui.events import ASKED
from playground.ui.opening import Places
from playground.ui.price import COUNTED, places, priced, whole_epochs
from playground.ui.uploads import Held, dropped
from playground.ui.visitor import theirs
from playground.words import Language, Said

MOST = 120_000_000
"""Bytes of a training file."""
MODEL = "gpt-4.1-mini"
"""Whose tokens are counted: its encoding is that of every model that can be tuned."""

_MARKUP = """<section class="pg-sets"><h2></h2><div class="pg-drop-zone"></div>
<div class="pg-notice" aria-live="polite" hidden></div>
<div class="pg-sets-about" hidden></div><div class="pg-prepare-findings"></div><div class="pg-sets-charts"></div>
<div class="pg-sets-actions" hidden></div><div class="pg-prepare-price"></div></section>"""


def build_chat_files(deps: Deps) -> Callable[[Places], None]:
    """Lay the part out; returns how it is wired to the rest of the page."""
    held: Held[TrainingSet] = Held()
    view = components.component("chat_files.js", _MARKUP, {}, most=MOST, elem_id="pg-sets")

    def wire(places: Places) -> None:
        async def on_ask(value: Any, who: gr.Request) -> tuple[Any, ...]:
            return await act(theirs(deps, who), held, value)

        view.input(on_ask, view, [view, *places.all], **ASKED)

    return wire


async def act(deps: Deps, held: Held[TrainingSet], value: Any) -> tuple[Any, ...]:
    """Do what the part asks; its value and the page's updates. Never raises."""
    return await answered(_ACTIONS, value, deps, held)


def _open(deps: Deps, held: Held[TrainingSet], asked: Asked) -> Answer:
    name, data = dropped(asked.get("file"), most=MOST)
    role = "valid" if asked.get("role") == "valid" else "train"
    return {"id": held.put(read_set(data, name), 4 * len(data)), "name": name, "role": role}


def _look(deps: Deps, held: Held[TrainingSet], asked: Asked) -> Answer:
    """What the set is, what is wrong with it, and how long its examples are."""
    given, valid, reader = held.get(asked.get("id")), _valid(held, asked), language(asked)
    count = len(given.prompts)
    found = [_problem(each, reader) for each in (given.report.problems if given.report else ())]
    found += [_repair(each, reader) for each in (given.table.repairs if given.table else ())]
    found += [
        {
            "severity": "warning",
            "text": each.said.text(reader),
            "hint": "",
            "lines": [list(group) for group in each.groups],
            "more": each.more,
            "example": each.example,
        }
        for each in twice(given, valid)
    ]
    return {
        "set": {
            "name": given.name,
            "kind": given.kind,
            "examples": count,
            "valid": None if valid is None else {"name": valid.name, "examples": len(valid.prompts)},
            "fit": given.report is None or given.report.fit,
            "findings": found,
            "charts": _charts(deps, given) if count else None,
            "ratio": suggested_ratio(count),
        }
    }


def _valid(held: Held[TrainingSet], asked: Asked) -> TrainingSet | None:
    return held.get(asked["valid"]) if asked.get("valid") else None


def _problem(each: Any, reader: Language) -> dict[str, Any]:
    return {
        "severity": each.severity,
        "text": each.what.text(reader),
        "hint": each.todo.text(reader),
        "lines": [[line] for line in each.lines],
        "more": max(0, each.count - len(each.lines)) if each.lines else 0,
        "example": each.example,
    }


def _repair(each: Any, reader: Language) -> dict[str, Any]:
    rows, count = [[row] for row in each.rows], each.args.get("count", 0)
    more = max(0, count - len(rows)) if rows and isinstance(count, int) else 0
    return {"severity": "info", "text": each.text(reader), "hint": "", "lines": rows, "more": more, "example": ""}


def _charts(deps: Deps, given: TrainingSet) -> dict[str, Any]:
    found = _statistics(deps, given)
    names = ("tokens", "turns", "completions")
    return {"exact": found.exact, "of": found.examples, **{name: _chart(getattr(found, name)) for name in names}}


def _statistics(deps: Deps, given: TrainingSet) -> Statistics:
    if given.table is not None:
        return pair_statistics(given.table.keep(range(min(COUNTED, len(given.table)))), MODEL, deps.counter)
    return chat_statistics(given.chats[:COUNTED], MODEL, deps.counter)


def _chart(of: Summary) -> dict[str, Any]:
    return {
        "least": of.least,
        "median": of.median,
        "mean": round(of.mean, 1),
        "most": of.most,
        "total": of.total,
        "edges": list(of.edges),
        "counts": list(of.counts),
    }


def _price(deps: Deps, held: Held[TrainingSet], asked: Asked) -> Answer:
    """What training on it would cost at OpenAI's prices, base by base."""
    given, reader = held.get(asked.get("id")), language(asked)
    today = datetime.now(UTC).date()
    epochs = whole_epochs(asked)
    whole = learned(given)
    part = [whole[at] for at in places(len(whole))]
    found = estimate(part, counter=deps.counter, today=today, of=len(whole), epochs=epochs)
    return {"price": priced(found, reader)}


# --- files for the person ---


def _split(deps: Deps, held: Held[TrainingSet], asked: Asked) -> Answer:
    given = held.get(asked.get("id"))
    train, valid = _halves(given, asked)
    name = stem(given.name)
    return {"files": [_file(f"{name}_train.jsonl", train), _file(f"{name}_valid.jsonl", valid)]}


def _halves(given: TrainingSet, asked: Asked) -> tuple[bytes, bytes]:
    ratio, seed = asked.get("ratio"), asked.get("seed")
    if not isinstance(ratio, int | float) or isinstance(ratio, bool):
        raise refused("ratio", param="ratio")
    if type(seed) is not int or not 0 <= seed < 2**31:
        raise refused("split_seed", param="seed")
    return split_lines(given.data, ratio=ratio, seed=seed)


def _dataset(deps: Deps, held: Held[TrainingSet], asked: Asked) -> Answer:
    """The validation file, or the half that splitting holds out, as test cases."""
    given, valid = held.get(asked.get("id")), _valid(held, asked)
    data = _halves(given, asked)[1] if valid is None else valid.data
    name = f"{stem(given.name)}_valid.jsonl" if valid is None else f"{stem(valid.name)}.jsonl"
    stop = shared_ending(given.completions) if given.kind == "pairs" else None
    return kept(deps, from_training(data, name, stop=stop), language(asked))


def _convert(deps: Deps, held: Held[TrainingSet], asked: Asked) -> Answer:
    """Pairs as chats, without the separator, the ending and the first space that preparing has added; or back."""
    given, system = held.get(asked.get("id")), asked.get("system")
    if given.table is None:
        table = to_pairs(given.data, given.name)
        left = [each.text(language(asked)) for each in table.repairs]
        return {"files": [_file(f"{stem(given.name)}_pairs.jsonl", jsonl(table, range(len(table))))], "left": left}
    made = to_chat(
        given.table,
        system=system[:100_000] if isinstance(system, str) else "",
        separator=shared_ending(given.prompts),
        ending=shared_ending(given.completions),
        space=all(text.startswith(" ") for text in given.completions),
    )
    empty = len(given.table) - made.count(b"\n")
    left = [Said("sets.left_out", {"count": empty}).text(language(asked))] if empty else []
    return {"files": [_file(f"{stem(given.name)}_chat.jsonl", made)], "left": left}


def _unique(deps: Deps, held: Held[TrainingSet], asked: Asked) -> Answer:
    given = held.get(asked.get("id"))
    return {"files": [_file(f"{stem(given.name)}_unique.jsonl", without_duplicates(given.data))]}


def _file(name: str, data: bytes) -> dict[str, str]:
    return {"name": name, "text": data.decode("utf-8", "replace")}


_ACTIONS: dict[str, Callable[[Deps, Held[TrainingSet], Asked], Answer]] = {
    "open": _open,
    "look": _look,
    "price": _price,
    "split": _split,
    "dataset": _dataset,
    "convert": _convert,
    "unique": _unique,
}
