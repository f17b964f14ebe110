"""The Fine-tune tab: a training file is checked, prepared and priced; nothing is written before it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import gradio as gr

from playground import presets
from playground.deps import Deps
from playground.evaluate.dataset_sources import from_training
from playground.finetune import example
from playground.finetune.estimate import estimate
from playground.finetune.findings import Finding
from playground.finetune.prepare import Prepared, analyse, apply, output
from playground.finetune.table import Table, stem, wrong
from playground.finetune.tables import read
from playground.parameters import escape
from playground.presets import Preset
from playground.ui import components
from playground.ui.asking import Answer, Asked, answered, language
from playground.ui.dataset_made import kept
from playground.ui.events import ASKED
from playground.ui.opening import Places, opened
from playground.ui.price import places, priced, whole_epochs
from playground.ui.uploads import Held, dropped
from playground.ui.visitor import theirs
from playground.words import Language

MOST = 120_000_000
"""Bytes of a training file."""

_MARKUP = """<div class="pg-prepare"><h2></h2><div class="pg-drop-zone"></div><div class="pg-notice" hidden></div>
<div class="pg-prepare-about" hidden></div><div class="pg-prepare-findings"></div><div class="pg-prepare-result"></div>
<div class="pg-prepare-price"></div></div>"""


def build_prepare(deps: Deps) -> Callable[[Places], None]:
    """Lay the part out; returns how it is wired to the rest of the page."""
    held: Held[Table] = Held()
    view = components.component("prepare.js", _MARKUP, {}, most=MOST, elem_id="pg-prepare")

    def wire(places: Places) -> None:
        async def on_ask(value: Any, who: gr.Request) -> tuple[Any, ...]:
            return await act(theirs(deps, who), held, value)

        view.input(on_ask, view, [view, *places.all], **ASKED)

    return wire


async def act(deps: Deps, held: Held[Table], value: Any) -> tuple[Any, ...]:
    """Do what the part asks; its value and the page's updates. Never raises."""
    return await answered(_ACTIONS, value, deps, held)


def _open(deps: Deps, held: Held[Table], asked: Asked) -> Answer:
    name, data = dropped(asked.get("file"), most=MOST)
    table = read(data, name)
    return {"id": held.put(table, 3 * len(data)), "name": name}


def _example(deps: Deps, held: Held[Table], asked: Asked) -> Answer:
    """The example's file, as if it had been dropped."""
    data = example.source()
    return {"of": "open", "id": held.put(read(data, example.NAME), 3 * len(data)), "name": example.NAME}


def _prepare(deps: Deps, held: Held[Table], asked: Asked) -> Answer:
    """What was found, and what comes of it without what the person refused."""
    table, reader = held.get(asked.get("id")), language(asked)
    refused = _refused(asked)
    analysis = analyse(table, refused)
    said: dict[str, Any] = {
        "id": asked.get("id"),
        "name": table.name,
        "repairs": [repair.text(reader) for repair in table.repairs],
        "findings": [_finding(each, reader, refused, table.place) for each in analysis.findings],
    }
    if analysis.error is None:
        prepared = apply(analysis, refused)
        seen = {finding.rule for finding in analysis.findings}
        later = [each for each in prepared.findings if each.rule not in seen]
        said["findings"] += [_finding(each, reader, refused, table.place) for each in later]
        said["prepared"] = _prepared(prepared)
    return said


def _finding(found: Finding, reader: Language, refused: frozenset[str], place: str) -> dict[str, Any]:
    return {
        "rule": found.rule,
        "severity": found.severity,
        "text": found.text(reader),
        "hint": found.advice(reader),
        "place": place,
        "rows": list(found.rows),
        "examples": list(found.examples),
        "kept": found.rule not in refused,
    }


def _prepared(prepared: Prepared) -> dict[str, Any]:
    files = output(prepared)
    return {
        "kind": prepared.kind,
        "pairs": len(prepared.table),
        "changed": prepared.changed,
        "separator": escape(prepared.separator),
        "ending": escape(prepared.ending),
        "previews": [
            {
                "row": each.row,
                "before": [_cut(text) for text in each.before],
                "after": [_cut(text) for text in each.after],
            }
            for each in prepared.previews
        ],
        "files": [{"name": file.name, "lines": file.data.count(b"\n"), "bytes": len(file.data)} for file in files],
    }


def _cut(text: str) -> str:
    """A preview's text: its beginning, and its end, where separators stand."""
    return text if len(text) <= 400 else f"{text[:250]} […] {text[-130:]}"


def _files(deps: Deps, held: Held[Table], asked: Asked) -> Answer:
    """The prepared files themselves."""
    prepared = _applied(held, asked)
    return {"files": [{"name": file.name, "text": file.data.decode("utf-8")} for file in output(prepared)]}


def _try(deps: Deps, held: Held[Table], asked: Asked) -> Answer:
    """The first prompt in Complete, as the fine-tuned model will want it: with its separator, and its `stop` set."""
    prepared = _applied(held, asked)
    stop = [prepared.ending] if prepared.ending else None
    params = {"temperature": 0, "stop": [escape(each) for each in stop] if stop else None}
    preset = Preset(id="", name="", mode="complete", text=prepared.table.prompts[0], params=params)
    return {"tried": True}, opened(preset)


def _preset(deps: Deps, held: Held[Table], asked: Asked) -> Answer:
    """A preset for the model that these files train: any prompt with the separator behind it, and `stop` set."""
    prepared = _applied(held, asked)
    params = {"temperature": 0, **({"stop": [escape(prepared.ending)]} if prepared.ending else {})}
    name = f"Fine-tune: {stem(prepared.table.name)[:80]}"
    preset = Preset(id=uuid4().hex, name=name, mode="complete", text="{{prompt}}" + prepared.separator, params=params)
    return {"saved": _saved(deps, preset)}


def _dataset(deps: Deps, held: Held[Table], asked: Asked) -> Answer:
    """The validation half as test cases: prompts with their separator, answers without what is their format."""
    prepared = _applied(held, asked)
    if not prepared.split:
        raise wrong("no_validation")
    *_, valid = output(prepared)
    return kept(deps, from_training(valid.data, valid.name, stop=prepared.ending), language(asked))


def _saved(deps: Deps, preset: Preset) -> str:
    """The name that it is saved under: with a number behind it where another preset has the name."""
    others = {row.name: row.content for row in deps.store.presets()}
    named, number = preset, 1
    while others.get(named.name, content := presets.to_json(named)) != content:
        number += 1
        named = replace(preset, name=f"{preset.name} ({number})")
    if named.name not in others:
        deps.store.save_preset(named.id, named.name, content)
    return named.name


def _applied(held: Held[Table], asked: Asked) -> Prepared:
    refused = _refused(asked)
    return apply(analyse(held.get(asked.get("id")), refused), refused)


def _price(deps: Deps, held: Held[Table], asked: Asked) -> Answer:
    """What training on the prepared pairs would cost at OpenAI's prices, base by base, with the arithmetic."""
    prepared, reader = _applied(held, asked), language(asked)
    epochs = whole_epochs(asked)
    table = prepared.table
    trained = prepared.trained_places
    pairs = [(table.prompts[trained[at]], table.completions[trained[at]]) for at in places(len(trained))]
    today = datetime.now(UTC).date()
    found = estimate(pairs, counter=deps.counter, today=today, of=len(trained), epochs=epochs)
    return {"price": priced(found, reader)}


def _refused(asked: Asked) -> frozenset[str]:
    given = asked.get("refused")
    return frozenset(each for each in given if isinstance(each, str)) if isinstance(given, list) else frozenset()


_ACTIONS: dict[str, Callable[[Deps, Held[Table], Asked], Answer]] = {
    "open": _open,
    "example": _example,
    "prepare": _prepare,
    "files": _files,
    "try": _try,
    "preset": _preset,
    "dataset": _dataset,
    "price": _price,
}
