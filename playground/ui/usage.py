"""The Usage tab: cost and tokens by day and model as charts, and how long models took."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, get_args

import anyio.to_thread
import gradio as gr

from playground import pricing
from playground.deps import Deps
from playground.store import UsageRow
from playground.ui import components, present
from playground.ui.events import ASKED, shown
from playground.ui.opening import Places
from playground.ui.spend import By, everybodys
from playground.ui.visitor import session, theirs

_PERCENTILES = ("latency_p50", "latency_p95", "ttft_p50", "ttft_p95")
DAYS = (7, 30, 90, 365)
_MARKUP = """<div class="pg-usage"><div class="pg-usage-bar"></div><div class="pg-notice" hidden></div>
<div class="pg-cells pg-usage-totals"></div><div class="pg-charts"></div><div class="pg-usage-table"></div></div>"""


def build_usage(deps: Deps) -> Callable[[Places], None]:
    """Lay the tab out; nothing of it reaches the rest of the page."""
    view = components.component("usage.js", _MARKUP, {}, days=list(DAYS), elem_id="pg-usage")

    async def on_ask(value: Any, who: gr.Request) -> Any:
        known = session(who)
        return await used(theirs(deps, who), value, host=known is not None and known.role == "host")

    view.input(on_ask, view, view, **ASKED)
    return lambda places: None


async def used(deps: Deps, value: Any, *, host: bool = False) -> Any:
    """Cost, tokens and runs by day and model, those of sweeps apart; percentiles by model. A shared page's `host` may
    ask for everybody's, by model or by visitor.

    `{days, offset, whose, n}` in, never raises.
    """
    asked = value if isinstance(value, Mapping) else {}
    days: int = asked["days"] if asked.get("days") in DAYS else DAYS[1]
    offset = asked.get("offset")
    minutes = offset if type(offset) is int and -14 * 60 <= offset <= 14 * 60 else 0
    whose = next((each for each in get_args(By) if each == asked.get("whose")), None)
    try:
        if host and whose is not None:
            return {"n": asked.get("n"), **await anyio.to_thread.run_sync(everybodys, deps, days, whose)}
        read = await anyio.to_thread.run_sync(_read, deps, days, minutes)
        return {"n": asked.get("n"), "host": host, "allowed": _allowed(deps), **read}
    except Exception as error:
        return {"n": asked.get("n"), "notice": present.failure(shown(error))}


def _read(deps: Deps, days: int, minutes: int) -> dict[str, Any]:
    now = datetime.now(UTC)
    local = now + timedelta(minutes=minutes)
    first = local.date() - timedelta(days=days - 1)
    since = datetime(first.year, first.month, first.day, tzinfo=UTC) - timedelta(minutes=minutes)
    rows = deps.store.usage(since=since, until=now + timedelta(minutes=1), utc_offset_minutes=minutes)
    latencies = deps.store.latencies(since=since, until=now + timedelta(minutes=1))
    swept = [row for row in rows if row.sweep]
    return {
        "days": [(first + timedelta(days=day)).isoformat() for day in range(days)],
        "rows": [
            {
                "day": row.day.isoformat(),
                "model": f"{row.endpoint}/{row.model}" if row.model else "",
                "sweep": row.sweep,
                "runs": row.runs,
                "tokens": row.prompt_tokens + row.completion_tokens,
                "cost": float(row.cost or 0),
            }
            for row in rows
        ],
        "latencies": [
            {
                "model": f"{row.endpoint}/{row.model}",
                "runs": row.runs,
                **{
                    name: _seconds(getattr(row, name))
                    for name in ("latency_p50", "latency_p95", "ttft_p50", "ttft_p95")
                },
            }
            for row in latencies
        ],
        "totals": {
            "runs": sum(row.runs for row in rows if not row.sweep),
            "tokens": sum(row.prompt_tokens + row.completion_tokens for row in rows),
            "cost": _money(rows),
            "calls": sum(row.runs for row in swept),
            "swept": _money(swept),
        },
    }


def _allowed(deps: Deps) -> list[dict[str, Any]]:
    """What is left by the servers' word, by model: of the host's servers for the host, of an own key for its owner."""
    rows: dict[str, dict[str, Any]] = {}
    for each in deps.client.allowed():
        model = f"{each.endpoint}/{each.model}"
        row = rows.setdefault(model, {"model": model, "seconds": 0.0})
        row[each.counted] = [each.left, each.limit]
        row["seconds"] = max(row["seconds"], each.seconds)
    return [{**row, "seconds": _seconds(row["seconds"] or None)} for row in rows.values()]


def _money(rows: Iterable[UsageRow]) -> str:
    return pricing.format_money(sum((row.cost or Decimal(0) for row in rows), Decimal(0)))


def _seconds(value: float | None) -> str:
    return "–" if value is None else present.seconds(value)
