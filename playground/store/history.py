"""Questions about many runs: search and filters, and what was used. Builds the SQL; `Store` runs it."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from playground.store.records import Cursor, dollars, microseconds, picodollars
from playground.store.schema import RUNS, WORDS

BEGINNING = 300
"""Characters of a prompt and of an answer that a list shows."""
MOST_WORDS = 20
LONGEST_WORD = 100
"""Letters that are compared: PostgreSQL refuses to look for more than 2,046 bytes."""
DAY = 86_400_000_000
"""Microseconds."""

SHOWN: tuple[Any, ...] = (
    *(
        RUNS.c[name]
        for name in (
            "id",
            "created_at",
            "mode",
            "endpoint",
            "model",
            "status",
            "prompt_tokens",
            "completion_tokens",
            "cached_tokens",
            "reasoning_tokens",
            "usage_estimated",
            "cost",
            "latency",
            "time_to_first_token",
            "rating",
            "error",
        )
    ),
    sa.func.substr(RUNS.c.prompt, 1, BEGINNING).label("prompt"),
    sa.func.substr(RUNS.c.answer, 1, BEGINNING).label("answer"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which runs. None and empty text mean all.

    `text` is what a person types: each of its words (the first MOST_WORDS) must occur in the prompt or the answer, at
    least as a word's beginning; case and accents do not matter (on PostgreSQL accents do). Without any letter or digit
    it matches nothing. A run that still streams is found by it when it is over (on PostgreSQL at once).
    `since` is inclusive, `until` is not; costs in dollars, inclusive, and runs of unknown cost then match not.
    """

    text: str = ""
    endpoint: str | None = None
    model: str | None = None
    mode: str | None = None
    status: str | None = None
    rating: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    cost_at_least: Decimal | None = None
    cost_at_most: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRow:
    """What one model was used on one local day; `cost` in dollars, None where no run had a price.

    `sweep`: by calls of sweeps, which are no runs.
    """

    day: date
    endpoint: str
    model: str
    runs: int
    prompt_tokens: int
    completion_tokens: int
    cost: Decimal | None
    sweep: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyRow:
    """Seconds until the end and until the first token: the median, and what 95 of 100 runs stayed within."""

    endpoint: str
    model: str
    runs: int
    latency_p50: float
    latency_p95: float
    ttft_p50: float | None
    ttft_p95: float | None


def newest(
    columns: Sequence[Any], dialect: str, account: str, matching: Filter | None, before: Cursor | None, limit: int
) -> sa.Select[Any]:
    """At most `limit` rows of `columns` of an account, newest first, older than `before`, that match."""
    chosen = matching or Filter()
    query = sa.select(*columns).limit(limit)
    if chosen.text.strip() and dialect == "sqlite":
        return _searched(query, account, chosen, before)
    if chosen.text.strip():
        query = query.where(_postgresql(chosen.text))
    query = _by_time(query.where(*_conditions(account, chosen)))
    return query if before is None else query.where(_older(before))


def _by_time(query: sa.Select[Any]) -> sa.Select[Any]:
    return query.order_by(RUNS.c.created_at.desc(), RUNS.c.id.desc())


def _older(place: Cursor) -> sa.ColumnElement[bool]:
    at = sa.tuple_(sa.literal(microseconds(place.created_at)), sa.literal(place.id))
    return sa.tuple_(RUNS.c.created_at, RUNS.c.id) < at


def _conditions(account: str, chosen: Filter) -> list[sa.ColumnElement[bool]]:
    # An expression keeps SQLite from the index of models: it would sort all of a model's runs, wide as they are.
    columns = {
        "endpoint": RUNS.c.endpoint + "",
        "model": RUNS.c.model + "",
        "mode": RUNS.c.mode,
        "status": RUNS.c.status,
        "rating": RUNS.c.rating,
    }
    conditions = [RUNS.c.account == account]
    conditions += [column == value for name, column in columns.items() if (value := getattr(chosen, name)) is not None]
    if chosen.since is not None:
        conditions.append(RUNS.c.created_at >= microseconds(chosen.since))
    if chosen.until is not None:
        conditions.append(RUNS.c.created_at < microseconds(chosen.until))
    if chosen.cost_at_least is not None:
        conditions.append(RUNS.c.cost >= picodollars(chosen.cost_at_least))
    if chosen.cost_at_most is not None:
        conditions.append(RUNS.c.cost <= picodollars(chosen.cost_at_most))
    return conditions


def words(text: str) -> list[str]:
    """The words that are searched for: letters and digits, the first MOST_WORDS of them."""
    # Composed, since an accent that stands by itself would part the word.
    composed = unicodedata.normalize("NFC", text[:10_000])
    return [word[:LONGEST_WORD] for word in re.findall(r"[^\W_]+", composed)[:MOST_WORDS]]


def _searched(query: sa.Select[Any], account: str, chosen: Filter, before: Cursor | None) -> sa.Select[Any]:
    """By SQLite's full-text index, which gives rows out by their number, newest first, and stops when there are enough.

    Rows are numbered as their runs begin, which is their order in time.
    """
    index = sa.table(WORDS, sa.column("rowid"))
    number = index.c.rowid
    phrase = " AND ".join(f'"{word}"*' for word in words(chosen.text))
    if not phrase:
        return query.where(sa.false())
    query = query.select_from(index.join(RUNS, RUNS.c.seq == number)).order_by(number.desc())
    query = query.where(sa.text(f"{WORDS} MATCH :phrase").bindparams(phrase=phrase))
    numbers = sa.select(RUNS.c.seq).correlate(None)
    # From the index and once, instead of from each wide row that has the words. The plus keeps SQLite from the
    # opposite, looking for the words in one row after another.
    among = numbers.where(*_conditions(account, chosen))
    query = query.where(sa.literal_column(f"+{WORDS}.rowid").in_(among))
    if before is not None:
        # A cursor whose run has been deleted meanwhile still has its time.
        own = numbers.where(RUNS.c.id == before.id).scalar_subquery()
        older = _by_time(numbers.where(RUNS.c.account == account, _older(before))).limit(1).scalar_subquery()
        query = query.where(number < sa.func.coalesce(own, older + 1))
    return query


# Letter by letter the expression that is indexed: with a parameter in it the index would not be used.
_TEXT = RUNS.c.prompt + sa.literal_column("' '") + RUNS.c.answer


def _postgresql(text: str) -> sa.ColumnElement[bool]:
    phrase = " & ".join(f"'{word}':*" for word in words(text))
    if not phrase:
        return sa.false()
    found = sa.func.to_tsvector(sa.literal_column("'simple'"), _TEXT)
    return found.bool_op("@@")(sa.func.to_tsquery(sa.literal_column("'simple'"), phrase))


def usage(
    connection: sa.Connection, account: str, since: datetime, until: datetime, utc_offset_minutes: int
) -> list[UsageRow]:
    """By local day and model; the sums are exact, since costs are whole picodollars."""
    shifted = RUNS.c.created_at + utc_offset_minutes * 60_000_000
    day = (shifted // DAY).label("day")
    query = (
        sa.select(
            day,
            RUNS.c.endpoint,
            RUNS.c.model,
            sa.func.count(),
            sa.func.coalesce(sa.func.sum(RUNS.c.prompt_tokens), 0),
            sa.func.coalesce(sa.func.sum(RUNS.c.completion_tokens), 0),
            sa.func.sum(RUNS.c.cost),
        )
        .where(RUNS.c.account == account)
        .where(RUNS.c.created_at >= microseconds(since), RUNS.c.created_at < microseconds(until))
        .group_by(day, RUNS.c.endpoint, RUNS.c.model)
        .order_by(day, RUNS.c.endpoint, RUNS.c.model)
    )
    epoch = date(1970, 1, 1)
    return [
        UsageRow(
            day=epoch + timedelta(days=int(number)),
            endpoint=endpoint,
            model=model,
            runs=count,
            prompt_tokens=int(read),
            completion_tokens=int(written),
            cost=dollars(None if cost is None else int(cost)),
        )
        for number, endpoint, model, count, read, written, cost in connection.execute(query)
    ]


def latencies(connection: sa.Connection, account: str, since: datetime, until: datetime) -> list[LatencyRow]:
    query = sa.select(RUNS.c.endpoint, RUNS.c.model, RUNS.c.latency, RUNS.c.time_to_first_token).where(
        RUNS.c.account == account,
        RUNS.c.created_at >= microseconds(since),
        RUNS.c.created_at < microseconds(until),
        RUNS.c.latency.is_not(None),
        RUNS.c.status == "done",
    )
    taken: dict[tuple[str, str], list[float]] = defaultdict(list)
    first: dict[tuple[str, str], list[float]] = defaultdict(list)
    for endpoint, model, latency, ttft in connection.execute(query):
        taken[endpoint, model].append(latency)
        if ttft is not None:
            first[endpoint, model].append(ttft)
    return [_latency(key, sorted(taken[key]), sorted(first[key])) for key in sorted(taken)]


def _latency(key: tuple[str, str], taken: list[float], first: list[float]) -> LatencyRow:
    return LatencyRow(
        endpoint=key[0],
        model=key[1],
        runs=len(taken),
        latency_p50=percentile(taken, 0.5),
        latency_p95=percentile(taken, 0.95),
        ttft_p50=percentile(first, 0.5) if first else None,
        ttft_p95=percentile(first, 0.95) if first else None,
    )


def percentile(ordered: Sequence[float], share: float) -> float:
    """By linear interpolation between the two closest ranks (type 7 of Hyndman and Fan, as NumPy has it)."""
    place = (len(ordered) - 1) * share
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)
