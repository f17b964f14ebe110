"""The Fine-tune tab's jobs: created, listed, cancelled; a finished one's model is opened in Chat or Complete."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

import gradio as gr
from anyio import to_thread

from playground.client_errors import CANNOT, NO_SUCH_ROUTE
from playground.deps import Deps
from playground.errors import EndpointError, PlaygroundError, refused
from playground.evaluate.dataset_sources import from_training
from playground.finetune.estimate import closing
from playground.finetune.finished import checkpoints_of, results_of
from playground.finetune.jobs import SETTINGS, parse_checkpoint, parse_job, validate_job
from playground.finetune.line_check import is_jsonl
from playground.finetune.outlook import outlook, question
from playground.finetune.preference_check import refuse_for
from playground.finetune.results_text import from_base64
from playground.finetune.started import start
from playground.parameters import escape
from playground.presets import Preset
from playground.types import Mode
from playground.ui import components, present
from playground.ui.asking import Answer, Asked, answered, language
from playground.ui.dataset_made import kept
from playground.ui.events import ASKED, is_id
from playground.ui.following import bind_following
from playground.ui.job_rows import meant, row, saved
from playground.ui.library_rows import training
from playground.ui.opening import Places, model_opened, opened
from playground.ui.uploads import Held, dropped
from playground.ui.visitor import theirs
from playground.words import Language, plain

MOST = 120_000_000
"""Bytes of a training file."""
PAGE = 20
"""Jobs of each server that are listed at once."""
Dataset = tuple[str, bytes]
"""A file's name and what stands in it."""

_MARKUP = """<section class="pg-jobs"><h2></h2><div class="pg-notice" aria-live="polite" hidden></div>
<details class="pg-prepare-card pg-jobs-new"><summary></summary><form class="pg-jobs-form"></form></details>
<div class="pg-jobs-list"></div><div class="pg-jobs-detail"></div></section>"""


def build_jobs(deps: Deps) -> Callable[[Places], None]:
    """Lay the part out; returns how it is wired to the rest of the page."""
    held: Held[Dataset] = Held()
    view = components.component("jobs.js", _MARKUP, {}, words=plain("measure.", "axis."), most=MOST, elem_id="pg-jobs")
    follower = components.component("following.js", "<span hidden></span>", None, elem_classes="pg-hidden")

    def wire(places: Places) -> None:
        async def on_ask(value: Any, who: gr.Request) -> tuple[Any, ...]:
            return await act(theirs(deps, who), held, value)

        view.input(on_ask, view, [view, *places.all], **ASKED)
        bind_following(deps, follower, places)

    return wire


async def act(deps: Deps, held: Held[Dataset], value: Any) -> tuple[Any, ...]:
    """Do what the part asks; its value and the page's updates. Never raises."""
    return await answered(_ACTIONS, value, deps, held)


def _open(deps: Deps, held: Held[Dataset], asked: Asked) -> Answer:
    name, data = dropped(asked.get("file"), most=MOST)
    if not is_jsonl(data):
        raise refused("not_jsonl", param="file", name=name)
    return {"id": held.put((name, data), len(data)), "name": name, "role": str(asked.get("role"))}


async def _list(deps: Deps, held: Held[Dataset], asked: Asked) -> Answer:
    """A page of every server's jobs, after the cursors of the page before; and what servers said instead."""
    given = asked.get("after")
    after = given if isinstance(given, Mapping) else {}
    names = [name for name in deps.client.endpoints if not after or is_id(after.get(name))]
    pages = await asyncio.gather(*(_page(deps, name, after.get(name), language(asked)) for name in names))
    jobs = [row for page in pages for row in page["jobs"]]
    return {
        "jobs": sorted(jobs, key=lambda row: row["created"] or 0, reverse=True),
        "more": bool(after),
        "asked": names,
        "after": {name: page["after"] for name, page in zip(names, pages, strict=True) if page["after"]},
        "notes": [page["note"] for page in pages if page["note"]],
        "endpoints": {name: endpoint.kind for name, endpoint in deps.client.endpoints.items()},
        "closing": _closing(language(asked)),
        "bases": [info.ref for info in deps.models][:300],
        "trained": {info.ref: training(info.meta) for info in deps.models if "trainable" in info.meta},
    }


def _closing(reader: Language) -> str:
    """Until when OpenAI trains models, for the page to say before anything is uploaded; "" while it does for all."""
    _, said = closing(datetime.now(UTC).date())
    return said.text(reader) if said else ""


async def _page(deps: Deps, endpoint: str, after: str | None, reader: Language) -> dict[str, Any]:
    try:
        page = await deps.client.jobs(endpoint, after=after, limit=PAGE)
    except PlaygroundError as error:
        none = isinstance(error, EndpointError) and error.status in NO_SUCH_ROUTE
        note = {"endpoint": endpoint, "none": none, **present.failure(error, reader=reader)}
        # The cursor stays: a part of the list that failed can be asked for again.
        return {"jobs": [], "after": after, "note": note}
    return {"jobs": [row(endpoint, parse_job(said), reader) for said in page.items], "after": page.after, "note": None}


async def _create(deps: Deps, held: Held[Dataset], asked: Asked) -> Answer:
    """Upload the files and start the job. Everything is checked before anything is sent."""
    server, base = _of_base(deps, asked.get("base"))
    plan = validate_job(base=base, **{name: asked.get(name) for name in SETTINGS})
    if not asked.get("training"):
        raise refused("no_training", param="training")
    files = [held.get(asked.get("training"))]
    files += [held.get(asked["validation"])] if asked.get("validation") else []
    for name, data in files:
        await to_thread.run_sync(partial(refuse_for, plan.method, data, name=name or "data.jsonl"))
    job = await start(deps.client, server, plan, files)
    strange = plan.method != "supervised" and job.method != plan.method
    return {"created": row(server, job, language(asked)), "unknown_method": plan.method if strange else None}


async def _estimate(deps: Deps, held: Held[Dataset], asked: Asked) -> Answer:
    """What the job would take, in words; "" where that is not known, or where creating it will say what is wrong."""
    said = ""
    with suppress(PlaygroundError, KeyError, TypeError):
        server, base = _of_base(deps, asked.get("base"))
        plan = validate_job(base=base, **{name: asked.get(name) for name in SETTINGS})
        _, data = held.get(asked.get("training"))
        wanted = await to_thread.run_sync(question, plan, data)
        if wanted and deps.client.endpoints[server].kind == "engine":
            said = outlook(await deps.client.estimate(server, wanted)).text(language(asked))
    return {"estimate": said}


def _of_base(deps: Deps, base: Any) -> tuple[str, str]:
    """The server and the model of `endpoint/model`; the first server where none is named."""
    known = list(deps.client.endpoints)
    if not isinstance(base, str) or not base.strip() or not known:
        raise refused("base", param="base")
    server, slash, name = base.strip().partition("/")
    return (server, name) if slash and server in known else (known[0], base.strip())


def _changed(asked: Asked, said: Mapping[str, Any]) -> Answer:
    return {"changed": row(str(asked["endpoint"]), parse_job(said), language(asked))}


async def _cancel(deps: Deps, held: Held[Dataset], asked: Asked) -> Answer:
    endpoint, job = meant(deps, asked)
    return _changed(asked, await deps.client.cancel_job(endpoint, job))


async def _pause(deps: Deps, held: Held[Dataset], asked: Asked) -> Answer:
    endpoint, job = meant(deps, asked)
    try:
        return _changed(asked, await deps.client.pause_job(endpoint, job))
    except EndpointError as error:
        if error.code != CANNOT:
            raise
        # The page then offers it no more for this server.
        return {"rigid": endpoint, "notice": present.failure(error, reader=language(asked))}


async def _resume(deps: Deps, held: Held[Dataset], asked: Asked) -> Answer:
    endpoint, job = meant(deps, asked)
    return _changed(asked, await deps.client.resume_job(endpoint, job))


async def _checkpoints(deps: Deps, held: Held[Dataset], asked: Asked) -> Answer:
    endpoint, job = meant(deps, asked)
    found = map(parse_checkpoint, await checkpoints_of(deps.client, endpoint, job))
    return {"job": job, "checkpoints": [saved(each) for each in found]}


async def _results(deps: Deps, held: Held[Dataset], asked: Asked) -> Answer:
    endpoint, name = meant(deps, asked)
    _, data = await results_of(deps.client, endpoint, name)
    text = (from_base64(data) or data).decode("utf-8", "replace")
    return {"file": {"name": f"{name}-results.csv", "text": text}}


async def _dataset(deps: Deps, held: Held[Dataset], asked: Asked) -> Answer:
    """The job's validation file as test cases, as far as its server still has it."""
    endpoint, name = meant(deps, asked)
    job = parse_job(await deps.client.job(endpoint, name))
    if job.validation_file is None:
        raise refused("no_validation", param="job")
    stop = None
    if job.training_file:
        with suppress(PlaygroundError):
            found = await deps.trained_on(endpoint, job.training_file)
            stop = found.ending if found else None
    data = await deps.client.file_content(endpoint, job.validation_file)
    called = f"{job.suffix or name} validation.jsonl"
    loaded = await to_thread.run_sync(partial(from_training, data, called, stop=stop))
    return await to_thread.run_sync(kept, deps, loaded, language(asked))


async def _use(deps: Deps, held: Held[Dataset], asked: Asked) -> Answer:
    """The job's model, or a checkpoint of it, in Chat or Complete: what it was trained on says prompt and `stop`.

    Where that tells nothing, a file of chats or one that is gone, what is written in the tab stays; `untold` says why.
    """
    endpoint, name = meant(deps, asked)
    mode: Mode = "chat" if asked.get("mode") == "chat" else "complete"
    job = parse_job(await deps.client.job(endpoint, name))
    model = asked.get("model") or job.fine_tuned_model
    if not isinstance(model, str) or not model:
        raise refused("no_model", param="model")
    ref = f"{endpoint}/{model}"
    try:
        found = await deps.trained_on(endpoint, job.training_file, again=True) if job.training_file else None
    except PlaygroundError as error:
        return {"used": True, "untold": error.texts(language(asked))[0]}, model_opened(mode, ref)
    params = {"stop": [escape(found.ending)]} if found and found.ending else {}
    if found is None or mode == "chat":
        return {"used": True}, model_opened(mode, ref, params)
    return {"used": True}, opened(Preset(id="", name="", mode=mode, model=ref, text=found.prompt, params=params))


_ACTIONS: dict[str, Callable[..., Any]] = {
    "open": _open,
    "list": _list,
    "create": _create,
    "estimate": _estimate,
    "cancel": _cancel,
    "pause": _pause,
    "resume": _resume,
    "checkpoints": _checkpoints,
    "results": _results,
    "dataset": _dataset,
    "use": _use,
}
