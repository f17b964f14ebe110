"""The History tab: every run, searched, filtered, opened again, compared, rated, deleted, exported."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from itertools import islice
from typing import Any, get_args

import gradio as gr

from playground import export, pricing
from playground.deps import Deps
from playground.errors import refused
from playground.evaluate.dataset import MAX_CASES
from playground.evaluate.dataset_sources import Expected
from playground.evaluate.dataset_sources import from_runs as of_runs
from playground.store import Cursor, Filter, Listed
from playground.types import Run
from playground.ui import components, present
from playground.ui.asking import Answer, Asked, answered, in_parts, language
from playground.ui.comparing import LEAST, MOST, from_runs
from playground.ui.dataset_desk import name_of
from playground.ui.dataset_made import kept
from playground.ui.events import ASKED, is_id, shown
from playground.ui.opening import Places, from_run
from playground.ui.visitor import theirs
from playground.unicode import well_formed

PAGE = 50
_MARKUP = """<div class="pg-history"><div class="pg-filters"></div><div class="pg-notice" hidden></div>
<div class="pg-history-bar"></div><div class="pg-rows" role="list"></div>
<button type="button" class="pg-button pg-rows-more" hidden></button>
<dialog class="pg-dialog pg-dialog-wide"></dialog></div>"""


def build_history(deps: Deps) -> Callable[[Places], None]:
    """Lay the tab out; returns how it is wired to the rest of the page."""
    view = components.component("history.js", _MARKUP, {}, elem_id="pg-history")

    def wire(places: Places) -> None:
        async def on_action(value: Any, who: gr.Request) -> tuple[Any, ...]:
            return await act(theirs(deps, who), value)

        async def on_export(value: Any, who: gr.Request) -> AsyncGenerator[Any]:
            async for part in exported(theirs(deps, who), value):
                yield part

        view.input(on_action, view, [view, *places.all], **ASKED)
        view.submit(on_export, view, view, show_progress="hidden", api_visibility="private", concurrency_limit=4)

    return wire


async def act(deps: Deps, value: Any) -> tuple[Any, ...]:
    """Do what the tab asks; returns its value and the updates of the page. Never raises."""
    return await answered(_ACTIONS, value, deps)


def _list(deps: Deps, asked: Asked) -> Answer:
    found = deps.store.listed(
        limit=PAGE + 1, before=_cursor(asked.get("before")), matching=read_filter(asked.get("filter"))
    )
    page = found[:PAGE]
    more = [page[-1].created_at.isoformat(), page[-1].id] if len(found) > PAGE else None
    said: dict[str, Any] = {"rows": [row(each) for each in page], "more": more, "append": bool(asked.get("before"))}
    if not asked.get("before"):
        said["models"] = [f"{endpoint}/{model}" for endpoint, model in deps.store.models()]
    return said


def row(listed: Listed) -> dict[str, Any]:
    """One run as the list shows it."""
    tokens = None if listed.usage is None else listed.usage.total_tokens
    return {
        "id": listed.id,
        "at": listed.created_at.isoformat(),
        "mode": listed.mode,
        "model": f"{listed.endpoint}/{listed.model}",
        "status": listed.status,
        "tokens": tokens,
        "cost": None if listed.cost is None else pricing.format_money(listed.cost),
        "latency": None if listed.latency is None else present.seconds(listed.latency),
        "rating": listed.rating,
        "prompt": listed.prompt,
        "answer": listed.answer,
        "error": listed.error,
    }


def _open(deps: Deps, asked: Asked) -> Answer:
    return {}, from_run(_run(deps, asked.get("id")))


def _show(deps: Deps, asked: Asked) -> Answer:
    ids = asked.get("ids")
    if not isinstance(ids, list) or not 1 <= len(ids) <= 2:
        raise refused("choose_runs")
    return {"detail": [detail(_run(deps, each)) for each in ids]}


def _compare(deps: Deps, asked: Asked) -> Answer:
    """Runs as columns of the Compare tab: their models and settings, over what the first of them asked."""
    ids = asked.get("ids")
    if not isinstance(ids, list) or not LEAST <= len(ids) <= MOST:
        raise refused("compare_columns", param="ids", least=LEAST, most=MOST)
    return {"compare": from_runs([_run(deps, each) for each in ids])}


def detail(run: Run) -> dict[str, Any]:
    """A whole run for the dialog: what went out, what came, and what it took."""
    usage = run.usage
    return {
        "id": run.id,
        "at": run.created_at.isoformat(),
        "mode": run.mode,
        "model": f"{run.endpoint}/{run.model}",
        "status": run.status,
        "rating": run.rating,
        "request": dict(run.effective_request),
        "answers": [
            {
                "text": choice.text,
                "finish": choice.finish_reason,
                "calls": present.calls(choice),
                "reasoning": choice.reasoning,
            }
            for choice in run.choices
        ],
        "error": run.error,
        "facts": {
            "in": None if usage is None else usage.prompt_tokens,
            "out": None if usage is None else usage.completion_tokens,
            "thought": usage.reasoning_tokens or None if usage else None,
            "cost": None if run.cost is None else pricing.format_money(run.cost),
            "latency": None if run.latency is None else present.seconds(run.latency),
            "ttft": None if run.time_to_first_token is None else present.seconds(run.time_to_first_token),
        },
    }


def _rate(deps: Deps, asked: Asked) -> Answer:
    rating = asked.get("rating")
    if rating not in (1, -1, None) or isinstance(rating, bool):
        raise refused("rating_thumb", param="rating")
    run = _run(deps, asked.get("id"))
    deps.store.rate(run.id, rating)
    return {"rated": {"id": run.id, "rating": rating}}


def _dataset(deps: Deps, asked: Asked) -> Answer:
    """The runs that were chosen, or all that the filter finds, as test cases."""
    ids = asked.get("ids")
    expected: Expected | None = next((each for each in get_args(Expected) if each == asked.get("expected")), None)
    if expected is None:
        raise refused("dataset_expected", param="expected", known=", ".join(get_args(Expected)))
    if ids:
        runs: Iterable[Run] = (_run(deps, id) for id in _chosen(ids))
    else:
        runs = islice(deps.store.each(read_filter(asked.get("filter"))), MAX_CASES + 1)
    ended = (run for run in runs if run.status != "running")
    return kept(deps, of_runs(ended, name_of(asked.get("name")), expected=expected), language(asked))


def _chosen(ids: Any) -> list[str]:
    if not isinstance(ids, list) or not ids or len(ids) > 1_000 or not all(map(is_id, ids)):
        raise refused("no_run_chosen", param="ids")
    return ids


def _delete(deps: Deps, asked: Asked) -> Answer:
    ids = _chosen(asked.get("ids"))
    deps.store.delete(ids)
    return {"deleted": ids}


_ACTIONS: dict[str, Callable[[Deps, Asked], Answer]] = {
    "list": _list,
    "open": _open,
    "show": _show,
    "compare": _compare,
    "rate": _rate,
    "dataset": _dataset,
    "delete": _delete,
}


async def exported(deps: Deps, value: Any) -> AsyncGenerator[Any]:
    """The runs that the filter finds as a file, in parts: {part, n, name, done}. A page of any size stays small."""
    asked = value if isinstance(value, Mapping) else {}
    kind = asked.get("format")
    n = asked.get("n")
    try:
        if kind not in ("jsonl", "csv"):
            raise refused("runs_format")
        parts = export.runs(kind, deps.store.each(read_filter(asked.get("filter"))))
        async for part in in_parts(n, f"playground-history.{kind}", parts):
            yield part
    except Exception as error:
        yield {"n": n, "notice": present.failure(shown(error))}


def _run(deps: Deps, id_: Any) -> Run:
    run = deps.store.run(id_) if is_id(id_) else None
    if run is None:
        raise refused("run_gone")
    return run


def _cursor(value: Any) -> Cursor | None:
    if value is None:
        return None
    try:
        moment, id_ = value
        at = datetime.fromisoformat(moment)
    except (TypeError, ValueError):
        raise refused("list_place") from None
    if at.tzinfo is None or not is_id(id_):
        raise refused("list_place")
    return Cursor(at, id_)


def read_filter(value: Any) -> Filter:
    """What the tab's fields say. Raises InvalidRequest naming the field."""
    given = value if isinstance(value, Mapping) else {}
    model = _word(given.get("model"), 400)
    endpoint, _, name = model.partition("/") if model else (None, "", None)
    offset = given.get("offset")
    minutes = offset if type(offset) is int and -14 * 60 <= offset <= 14 * 60 else 0
    since, until = _day(given.get("since"), minutes), _day(given.get("until"), minutes)
    return Filter(
        text=_word(given.get("text"), 10_000) or "",
        endpoint=endpoint,
        model=name,
        mode=_word(given.get("mode"), 16),
        status=_word(given.get("status"), 16),
        rating=given["rating"] if given.get("rating") in (1, -1) else None,
        since=since,
        until=None if until is None else until + timedelta(days=1),
        cost_at_least=_dollars(given.get("cost")),
    )


def _word(value: Any, longest: int) -> str | None:
    return well_formed(value[:longest]) if isinstance(value, str) and value else None


def _day(value: Any, minutes: int) -> datetime | None:
    """The start of a local day; `minutes` is how far the browser's clock is ahead of UTC."""
    if not value:
        return None
    try:
        day = date.fromisoformat(value)
        return datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(minutes=minutes)
    except (TypeError, ValueError, OverflowError):
        raise refused("date_shape", param="date") from None


def _dollars(value: Any) -> Decimal | None:
    if value is None or value == "":
        return None
    try:
        dollars = Decimal(str(value)[:30])
    except InvalidOperation:
        dollars = Decimal("NaN")
    if not dollars.is_finite() or not 0 <= dollars < 10**6:
        raise refused("cost_number", param="cost")
    return dollars
