"""The Evaluate tab: base, fine-tune, checkpoints or any models on test cases, in one table with intervals and tests.

An evaluation is a sweep whose only axis is the model: what it costs, how it runs and goes on is `sweeping.py`'s.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import anyio.to_thread
import gradio as gr

from playground import picker
from playground.deps import LONGEST_TRAINING, Deps
from playground.errors import PlaygroundError, refused
from playground.evaluate import report, stored, table, table_page
from playground.evaluate import spec as specs
from playground.evaluate.dataset import case_json
from playground.evaluate.dataset_sources import from_training
from playground.evaluate.metrics.build import GROUPS, with_companions
from playground.evaluate.results import Results
from playground.picker import CHECKPOINT
from playground.presets import slug
from playground.ui import components, present, sweeping
from playground.ui.asking import Answer, Asked, in_parts, language
from playground.ui.events import ASKED, STREAM, shown
from playground.ui.opening import Places
from playground.ui.sweep_results import PART, SIDES, results_of
from playground.ui.visitor import theirs
from playground.words import Language

_MARKUP = '<div class="pg-sweep pg-evaluate"></div>'
MOST_ASKED = 50
"""Models whose family is looked for at once."""


def build_evaluate(deps: Deps) -> Callable[[Places], None]:
    """Lay the tab out; returns how it is wired to the rest of the page."""
    groups = {name: [kind for kind in kinds if kind not in _BESIDE] for name, kinds in GROUPS.items()}
    view = components.component("evaluate.js", _MARKUP, {}, groups=groups, elem_id="pg-evaluate")

    def wire(places: Places) -> None:
        async def on_ask(value: Any, who: gr.Request) -> tuple[Any, ...]:
            return await sweeping.act(theirs(deps, who), value, who, ACTIONS)

        async def on_export(value: Any, who: gr.Request) -> AsyncGenerator[Any]:
            async with aclosing(exported(theirs(deps, who), value)) as parts:
                async for part in parts:
                    yield part

        view.input(on_ask, view, [view, *places.all], **ASKED)
        view.submit(on_export, view, view, **STREAM)

    return wire


_BESIDE = frozenset({"macro_f1", "off_domain"})
"""They come along with the metric that they are read beside."""


# --- before it runs ---


def completed(asked: Asked) -> Asked:
    """What was asked, its spec with what is read beside its metrics. Raises InvalidRequest where it is none."""
    given = asked.get("spec")
    spec = specs.from_json(given)
    if spec.dataset is None:
        raise refused("evaluate_no_dataset", param="dataset")
    if not spec.metrics:
        raise refused("evaluate_nothing", param="metrics")
    name = spec.dataset if isinstance(given, Mapping) and not given.get("name") else spec.name
    return {**asked, "spec": specs.to_json(replace(spec, name=name[:120], metrics=with_companions(spec.metrics)))}


async def _estimate(deps: Deps, asked: Asked) -> Any:
    return await sweeping.ACTIONS["estimate"](deps, completed(asked))


async def _begin(deps: Deps, asked: Asked) -> Any:
    return await sweeping.ACTIONS["begin"](deps, completed(asked))


async def _families(deps: Deps, asked: Asked) -> Answer:
    """Of each fine-tune that was sent, what belongs to it: its base, its checkpoints, and what it was trained with.

    A separator that all prompts of `dataset` end with anyway is not told.
    """
    given, name = asked.get("models"), asked.get("dataset")
    models = [each for each in given if isinstance(each, str)][:MOST_ASKED] if isinstance(given, list) else []
    whole = dict.fromkeys(model.partition(CHECKPOINT)[0] for model in models)
    families = [found for model in whole if (found := await _family(deps, model)) is not None]
    prompts = await asyncio.to_thread(_prompts, deps, name if isinstance(name, str) and name else None)
    for each in families:
        if prompts and all(prompt.endswith(each["separator"]) for prompt in prompts):
            each["separator"] = ""
    return {"families": families}


def _prompts(deps: Deps, name: str | None) -> list[str]:
    """What the cases of a dataset ask themselves; nothing where there is none of that name."""
    try:
        found = stored.dataset(deps.store, name)
    except PlaygroundError:
        return []
    return [case.prompt for case in found.cases if case.prompt is not None] if found else []


async def _family(deps: Deps, model: str) -> dict[str, Any] | None:
    """None for a model that is no fine-tune."""
    if picker.parse_fine_tune(model.partition("/")[2]) is None:
        return None
    listed = [info.ref for info in deps.models]
    base, file = picker.base_of(model, deps.models), deps.training_file(model)
    members = [base, model if model in listed else None, *picker.checkpoints(model, deps.models)]
    return {
        "model": model,
        "base": base,
        "members": [each for each in members if each is not None],
        "training": file is not None,
        **await _ends(deps, model, file),
    }


async def _ends(deps: Deps, model: str, file: str | None) -> dict[str, str]:
    """What the prompts and the completions of a training file end with; nothing where that is not known."""
    try:
        trained = None if file is None else await deps.trained_on(model.partition("/")[0], file)
    except PlaygroundError:
        trained = None
    return {"separator": trained.separator if trained else "", "ending": trained.ending if trained else ""}


async def _training(deps: Deps, asked: Asked) -> Answer:
    """The file that a model was trained on, kept as a dataset to compare with; told by its name."""
    model = str(asked.get("model") or "").partition(CHECKPOINT)[0]
    endpoint, file = model.partition("/")[0], deps.training_file(model)
    if file is None:
        raise refused("evaluate_no_training", param="training", model=model[:120])
    data = await deps.client.file_content(endpoint, file)
    if len(data) > LONGEST_TRAINING:
        raise refused("dataset_large", param="training", size=len(data) / 1e6, most=LONGEST_TRAINING // 10**6)
    return {"trained": await asyncio.to_thread(_kept, deps, f"training {model.partition('/')[2]}"[:120], data)}


def _kept(deps: Deps, name: str, data: bytes) -> str:
    dataset = from_training(data, "training.jsonl").dataset
    id = deps.store.datasets.named(name) or uuid.uuid4().hex[:12]
    deps.store.datasets.save(id, name, [case_json(case) for case in dataset.cases])
    return name


def _list(deps: Deps, asked: Asked) -> Answer:
    """Those sweeps that are evaluations."""
    said = sweeping.ACTIONS["list"](deps, asked)
    return {"sweeps": [each for each in said["sweeps"] if each["evaluation"]]}


# --- what came of it ---


def _open(deps: Deps, asked: Asked) -> Answer:
    """The table, by `measure`, against `baseline`."""
    said = told(results_of(deps, asked), asked)
    # As one text: Gradio's page clones a value on its way to the script, figure by figure.
    return {"id": said["id"], "results": json.dumps(said, ensure_ascii=False, separators=(",", ":"))}


def told(found: Results, asked: Asked) -> dict[str, Any]:
    """The table in the reader's language, with what the list of answers needs."""
    reader = language(asked)
    said = _table(found, asked, reader)
    for column in said["columns"]:
        column["title"] = table_page.column_name(column, reader)
        column["said"] = table_page.sentence(column, reader)
    cells = [{"cell": at, "name": each["name"]} for at, each in enumerate(said["systems"])]
    return {**said, "cells": cells, "measures": [report.measure_json(each) for each in found.measures]}


def _table(found: Results, asked: Asked, reader: Language) -> dict[str, Any]:
    measure, baseline = (_text(asked.get(name)) for name in ("measure", "baseline"))
    return table.table(found, measure, baseline=baseline, language=reader)


def _text(given: Any) -> str | None:
    return given if isinstance(given, str) and given else None


async def exported(deps: Deps, value: Any) -> AsyncGenerator[dict[str, Any]]:
    """The evaluation as a file, in parts: {n, part, number}, then {n, done, number}. Never raises."""
    asked = value if isinstance(value, Mapping) else {}
    try:
        name, text = await anyio.to_thread.run_sync(_file, deps, asked)
        parts: Iterator[str] = (text[at : at + PART] for at in range(0, len(text), PART))
        async for part in in_parts(asked.get("n"), name, parts):
            yield part
    except Exception as error:
        yield {"n": asked.get("n"), "notice": present.failure(shown(error), reader=language(asked))}


def _file(deps: Deps, asked: Asked) -> tuple[str, str]:
    kind, reader = asked.get("kind"), language(asked)
    if kind not in SIDES:
        raise refused("no_action")
    found = results_of(deps, asked)
    write: Mapping[str, Callable[[], str]] = {
        "csv": lambda: report.to_csv(found).decode(),
        "json": lambda: table.to_json(found, _table(found, asked, "en")).decode(),
        "html": lambda: table_page.page(found, _table(found, asked, reader), language=reader),
    }
    return f"{slug(found.sweep.name) or 'evaluation'}-{found.sweep.id}.{kind}", write[str(kind)]()


ACTIONS: dict[str, Callable[..., Any]] = {
    "estimate": _estimate,
    "begin": _begin,
    "families": _families,
    "training": _training,
    "list": _list,
    "open": _open,
}
