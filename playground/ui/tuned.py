"""What becomes of a job's model: handed out as one GGUF, or deleted. Shown by static/job_model.js."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any

import gradio as gr

from playground.client.tuned import KINDS, Kind
from playground.deps import Deps
from playground.errors import refused
from playground.finetune.finished import checkpoints_of
from playground.finetune.jobs import parse_checkpoint, parse_job
from playground.ui import components, present, sidebar
from playground.ui.asking import Asked, language
from playground.ui.events import STREAM, shown
from playground.ui.handed_out import HandedOut, address
from playground.ui.job_rows import meant
from playground.ui.opening import Places
from playground.ui.visitor import theirs

LOOK = 0.3
"""Seconds between two words on how far a file is."""
Said = tuple[Any, Any]


def build_tuned(deps: Deps) -> Callable[[Places], None]:
    """Lay the part out, of which nothing is seen; returns how it is wired to the rest of the page."""
    out = HandedOut()
    view = components.component("tuned.js", "<span hidden></span>", None, elem_classes="pg-hidden")

    def wire(places: Places) -> None:
        async def on_ask(value: Any, who: gr.Request) -> AsyncGenerator[Said]:
            async with aclosing(done(theirs(deps, who), out, value)) as told:
                async for said in told:
                    yield said

        view.input(on_ask, view, [view, places.model], **STREAM)

    return wire


async def done(deps: Deps, out: HandedOut, value: Any) -> AsyncGenerator[Said]:
    """Do what is asked, and say how far it is; the picker without what was deleted. Never raises."""
    asked = value if isinstance(value, Mapping) else {}
    ref = {"endpoint": asked.get("endpoint"), "job": asked.get("job"), "n": asked.get("n")}
    try:
        endpoint, base, model = await _theirs(deps, asked)
        if asked.get("action") == "export":
            async with aclosing(_exported(deps, out, endpoint, model, asked.get("kind"))) as told:
                async for said in told:
                    yield {**ref, **said}, gr.skip()
        elif asked.get("action") == "delete":
            await deps.client.delete_model(endpoint, model)
            await deps.list_models()
            gone = {"deleted": f"{endpoint}/{model}", "base": f"{endpoint}/{base}"}
            yield {**ref, **gone}, gr.HTML(groups=sidebar.listed(deps))
        else:
            raise refused("no_action")
    except Exception as error:
        yield {**ref, "notice": present.failure(shown(error), reader=language(asked))}, gr.skip()


async def _theirs(deps: Deps, asked: Asked) -> tuple[str, str, str]:
    """Server, base and model that are asked for: the job's own, or a checkpoint of it. Raises PlaygroundError."""
    endpoint, name = meant(deps, asked)
    job = parse_job(await deps.client.job(endpoint, name))
    model = asked.get("model") or job.fine_tuned_model
    if model != job.fine_tuned_model:
        saved = map(parse_checkpoint, await checkpoints_of(deps.client, endpoint, name))
        model = next((each.model for each in saved if each.model == model), None)
    if not model:
        raise refused("no_model", param="model")
    return endpoint, job.base, model


async def _exported(deps: Deps, out: HandedOut, endpoint: str, model: str, kind: Any) -> AsyncGenerator[dict[str, Any]]:
    """{share} while it is made, 0 until base and fine-tune are one; then {url, name, bytes}."""
    wanted: Kind = next((each for each in KINDS if each == kind), KINDS[0])
    file, come = out.place(file_name(model, wanted)), [0.0]

    def report(bytes_: int, size: int) -> None:
        come[0] = bytes_ / size

    work = asyncio.ensure_future(deps.client.export_model(endpoint, model, file, kind=wanted, report=report))
    try:
        while not work.done():
            yield {"share": come[0]}
            await asyncio.wait({work}, timeout=LOOK)
        yield {"url": address(file), "name": file.name, "bytes": work.result()}
    finally:
        if not work.done():
            # Whoever asked has left.
            work.cancel()
            await asyncio.wait({work})
        if work.cancelled() or work.exception():
            out.forget(file)


def file_name(model: str, kind: Kind) -> str:
    """The model's name, without what a file system minds."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", model.removeprefix("ft:").replace(":local:", "-")).strip("-.")
    return f"{plain[:120]}-{kind}.gguf"
