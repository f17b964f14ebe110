"""The Rate tab: people grade a sweep's answers one after another, blind. Drawn by static/rating.js and its parts.

The server keeps what was given; the page keeps only where somebody is, so that several raters, and two windows of one,
may be at it at once. Nothing that is sent before the results tells whose an answer is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import gradio as gr

from playground.deps import Deps
from playground.errors import refused
from playground.evaluate import rating, rating_results
from playground.evaluate.metrics.judge import CRITERIA
from playground.store import Place
from playground.store.ratings import GRADES, LONGEST_CRITERION, LONGEST_RATER
from playground.ui import components
from playground.ui.asking import Answer, Asked, answered, language
from playground.ui.events import ASKED
from playground.ui.opening import Places
from playground.ui.visitor import theirs

_MARKUP = '<div class="pg-rating"><div class="pg-notice" aria-live="polite" hidden></div><div></div></div>'


def build_rating(deps: Deps) -> Callable[[Places], None]:
    """Lay the tab out; returns how it is wired to the rest of the page."""
    limits = {"name": LONGEST_RATER, "criterion": LONGEST_CRITERION, "comment": rating.LONGEST_COMMENT}
    about = {"criteria": list(CRITERIA), "grades": list(GRADES), "limits": limits}
    view = components.component("rating.js", _MARKUP, {}, elem_id="pg-rating", about=about)

    def wire(places: Places) -> None:
        async def on_ask(value: Any, who: gr.Request) -> tuple[Any, ...]:
            return await act(theirs(deps, who), value)

        view.input(on_ask, view, [view, *places.all], **ASKED)

    return wire


async def act(deps: Deps, value: Any) -> tuple[Any, ...]:
    """Do what the tab asks; its value and the page's updates. Never raises."""
    return await answered(_ACTIONS, value, deps)


def _sweeps(deps: Deps, asked: Asked) -> Answer:
    """Those that have answers, the newest first. Of what they compare nothing is said."""
    rows = [row for row in deps.store.sweeps.listed() if row.done]
    return {
        "sweeps": [
            {"id": row.id, "name": row.name, "answers": row.done, "at": row.created_at.isoformat()} for row in rows
        ]
    }


def _join(deps: Deps, asked: Asked) -> Answer:
    """Begin to rate, or go on."""
    given = asked.get("queue")
    if not isinstance(given, dict):
        raise refused("no_action")
    at = rating.join(deps.store, _text(asked, "sweep"), asked.get("rater"), rating.read_queue(given))
    return _at(deps, at, at.next(), returned=bool(at.given))


def _item(deps: Deps, asked: Asked) -> Answer:
    """An answer by its name; with `step` its neighbour, or with `next` the next one behind it that is not rated.
    Without a name the first that is not rated; with `review` the first."""
    at, step = _desk(deps, asked), asked.get("step")
    key = asked.get("item")
    place = at.find(key) if key else None
    if asked.get("review") is True and at.places:
        return _at(deps, at, at.places[0])
    if place is None or asked.get("next") is True:
        return _at(deps, at, at.next(place))
    return _at(deps, at, at.beside(place, step if step in (-1, 1) else 0))


def _grade(deps: Deps, asked: Asked) -> Answer:
    """Keep it; the next one that is not rated, or with `review` the next one."""
    place = rating.grade(deps.store, _desk(deps, asked), asked.get("item"), asked.get("grades"), asked.get("comment"))
    at = _desk(deps, asked)
    if asked.get("review") is True and place != at.places[-1]:
        return _at(deps, at, at.beside(place, 1))
    return _at(deps, at, at.next(place))


def _undo(deps: Deps, asked: Asked) -> Answer:
    """Take back what was rated last, and show that."""
    at = _desk(deps, asked)
    number = deps.store.ratings.undo(at.sweep.id, at.rater.rater)
    at = _desk(deps, asked)
    place = next((each for each in at.places if each.number == number), None)
    return _at(deps, at, place or at.next())


def _results(deps: Deps, asked: Asked) -> Answer:
    _may_see(deps, asked)
    return {"results": rating_results.told(deps.store, _text(asked, "sweep"), language(asked))}


def _export(deps: Deps, asked: Asked) -> Answer:
    """Every grade as CSV, in a value that the page makes a file of."""
    _may_see(deps, asked)
    text = rating_results.to_csv(deps.store, _text(asked, "sweep")).decode("utf-8")
    return {"file": {"name": f"ratings-{_text(asked, 'sweep')}.csv", "text": text}}


def _may_see(deps: Deps, asked: Asked) -> None:
    """Who rates has to have finished, and their grades are closed with it. Who does not rate may look."""
    if asked.get("rater") is not None:
        rating.reveal(deps.store, _desk(deps, asked))


def _desk(deps: Deps, asked: Asked) -> rating.Desk:
    return rating.desk(deps.store, _text(asked, "sweep"), asked.get("rater"))


def _at(deps: Deps, at: rating.Desk, place: Place | None, **more: Any) -> dict[str, Any]:
    """Where a rater stands, and the answer before them; None where all are rated."""
    return {
        "desk": {
            "sweep": at.sweep.id,
            "name": at.sweep.name,
            "rater": at.rater.rater,
            "queue": at.queue.as_json(),
            "count": len(at.places),
            "done": len(at.rated),
            "finished": at.finished,
            "resting": at.resting,
            "closed": at.rater.revealed_at is not None,
        },
        "item": None if place is None else asdict(rating.item(deps.store, at, place)),
        **more,
    }


def _text(asked: Asked, name: str) -> str:
    given = asked.get(name)
    return given if isinstance(given, str) else ""


_ACTIONS: dict[str, Callable[[Deps, Asked], Answer]] = {
    "sweeps": _sweeps,
    "join": _join,
    "item": _item,
    "grade": _grade,
    "undo": _undo,
    "results": _results,
    "export": _export,
}
