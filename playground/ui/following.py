"""A job followed on the page while it runs: one at a time in a visit, through dropped connections, to its end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, suppress
from typing import Any

import gradio as gr

from playground import engine_words
from playground.deps import Deps
from playground.errors import InvalidRequest, NotFound
from playground.finetune.follow import Snapshot, follow, steps
from playground.finetune.jobs import Event
from playground.ui import present, sidebar
from playground.ui.asking import language
from playground.ui.events import STREAM, Visit, Visits, shown
from playground.ui.job_rows import curves, meant, pace, row
from playground.ui.opening import Places
from playground.ui.visitor import theirs
from playground.words import Language

FOLLOWED = "job"
MOST_EVENTS = 200
"""The newest events that are shown."""


def bind_following(deps: Deps, follower: gr.HTML, places: Places) -> None:
    visits = Visits()

    async def on_follow(value: Any, who: gr.Request) -> AsyncGenerator[tuple[Any, Any]]:
        async with aclosing(followed(theirs(deps, who), visits.of(who), value)) as told:
            async for said in told:
                yield said

    follower.input(on_follow, follower, [follower, places.model], **STREAM)


async def followed(deps: Deps, visit: Visit, value: Any) -> AsyncGenerator[tuple[Any, Any]]:
    """What the job is, again and again; the picker with its model at the end. Another job ends this. Never raises."""
    asked = value if isinstance(value, Mapping) else {}
    ref: dict[str, Any] = {"endpoint": asked.get("endpoint"), "job": asked.get("job")}
    visit.stop(FOLLOWED)
    try:
        if asked.get("stop"):
            yield gr.skip(), gr.skip()  # a generator without a value would empty the picker
            return
        endpoint, job = meant(deps, asked)
        # What a small model can learn is said of those that are trained here.
        ref["local"] = deps.client.endpoints[endpoint].kind == "engine"
        events: list[Event] = []
        listed = False
        async with (
            visit.begin(FOLLOWED) as stop,
            aclosing(follow(deps.client, endpoint, job)) as snapshots,
            aclosing(_until(stop, snapshots)) as seen,
        ):
            async for snapshot in seen:
                events = [*events, *snapshot.new][-MOST_EVENTS:]
                yield {**ref, **told(endpoint, snapshot, events, language(asked))}, gr.skip()
                # Before the last look, too: who opens the model at once finds it.
                model = snapshot.job.fine_tuned_model
                if model and not listed:
                    listed = True
                    # Servers are asked once for all visits; each visit has a picker of its own.
                    if all(info.ref != f"{endpoint}/{model}" for info in deps.models):
                        await deps.list_models()
                    yield gr.skip(), gr.HTML(groups=sidebar.listed(deps))
                    # Gradio says the last value again when this ends: seconds later, when the model may be deleted.
                    yield gr.skip(), gr.skip()
    except Exception as error:
        gone = isinstance(error, NotFound | InvalidRequest)
        yield {**ref, "notice": present.failure(shown(error), reader=language(asked)), "gone": gone}, gr.skip()


async def _until(stop: asyncio.Event, snapshots: AsyncIterator[Snapshot]) -> AsyncGenerator[Snapshot]:
    """The snapshots until `stop` is set, which does not wait for the next of them."""
    stopped = asyncio.ensure_future(stop.wait())
    coming: asyncio.Future[Snapshot] | None = None
    try:
        while True:
            coming = asyncio.ensure_future(anext(snapshots))
            await asyncio.wait({stopped, coming}, return_when=asyncio.FIRST_COMPLETED)
            if stop.is_set():
                return
            try:
                yield coming.result()
            except StopAsyncIteration:
                return
    finally:
        for task in (stopped, coming):
            if task is not None and not task.done():
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task


def told(endpoint: str, snapshot: Snapshot, events: list[Event], reader: Language) -> dict[str, Any]:
    """A snapshot as the page shows it: the newest events first."""
    error = snapshot.error
    return {
        "about": row(endpoint, snapshot.job, reader),
        "state": snapshot.state,
        "progress": snapshot.progress,
        "eta": snapshot.eta,
        "wait": error and {"message": error.texts(reader)[0], "seconds": snapshot.retry_in},
        "events": [_event(each, reader) for each in reversed(events)],
        "steps": list(steps(snapshot.metrics)),
        "live": pace(snapshot.live),
        # As one text: Gradio's page clones a value on its way to the script, number by number.
        "curves": json.dumps(curves(snapshot.metrics), separators=(",", ":"), allow_nan=False),
    }


def _event(event: Event, reader: Language) -> dict[str, Any]:
    return {"at": event.created, "level": event.level, "text": engine_words.told(event.message, reader)}
