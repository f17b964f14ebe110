"""PLAYGROUND_LIMITS: `$5/day, visitor $0.50/day, visitor 20 requests/minute, model 90k tokens/minute, visitor n=4`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Literal, get_args

from playground.errors import ConfigurationError, refused
from playground.settings import Settings
from playground.store import HOST, Cap, Measure, Period
from playground.store.ledger import PICO
from playground.types import EndpointKind

Scope = Literal["all", "visitor", "model"]

SHARED = (
    "$5/day, $25/month, visitor $0.50/day, visitor 200k tokens/day, visitor 20 requests/minute, "
    "visitor n=4, visitor best_of=4, visitor max_tokens=2048, visitor calls=100"
)
"""What holds where others use the page and PLAYGROUND_LIMITS says nothing."""
BOUNDS = ("n", "best_of", "max_tokens", "calls")
WARN = Decimal("0.8")
"""The share of a day's or a month's limit from which on it is said that it is nearly reached."""

_SCOPE = r"(?:(?P<scope>visitor|model)(?: (?P<model>[^\s=]+/[^\s=]+))? )?"
_AMOUNT = r"(?:\$(?P<dollars>\d{1,9}(?:\.\d{1,12})?)|(?P<count>\d{1,12})(?P<k>[km]?) (?P<measure>tokens|requests))"
_CAP = re.compile(rf"{_SCOPE}{_AMOUNT}/(?P<period>minute|day|month)", re.IGNORECASE | re.ASCII)
_BOUND = re.compile(rf"visitor (?P<name>{'|'.join(BOUNDS)})=(?P<most>\d{{1,9}})", re.IGNORECASE | re.ASCII)
_TIMES = {"": 1, "k": 1_000, "m": 1_000_000}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One cap: of all together, of each visitor, or of each model (`model`, `endpoint/name`: of that one)."""

    scope: Scope
    measure: Measure
    amount: int
    period: Period
    model: str | None = None

    def cap(self, account: str, endpoint: str, model: str) -> Cap | None:
        """The cap for a call of that account to that model; None where it says nothing of it: the host is no
        visitor."""
        cap = Cap(measure=self.measure, amount=self.amount, period=self.period)
        if self.scope == "all":
            return cap
        if self.scope == "visitor":
            return None if account == HOST else replace(cap, account=account)
        if self.model not in (None, f"{endpoint}/{model}"):
            return None
        return replace(cap, endpoint=endpoint, model=model)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """All of them. `bounds` are what one request of a visitor may ask at most, by name."""

    caps: tuple[Limit, ...] = ()
    bounds: dict[str, int] = field(default_factory=dict)
    #: Of which the log has said today that they are nearly reached.
    told: set[tuple[Cap, date]] = field(default_factory=set, compare=False)

    def of(self, account: str, endpoint: str, model: str) -> list[Cap]:
        found = (limit.cap(account, endpoint, model) for limit in self.caps)
        return [cap for cap in found if cap is not None]

    def check_job(self, kind: EndpointKind) -> None:
        """Raises InvalidRequest for a batch or a training where a limit in dollars is to hold: what takes hours and is
        paid at its end cannot be set aside."""
        if self.in_dollars and kind != "engine":
            raise refused("limit_jobs")

    @property
    def in_dollars(self) -> bool:
        return any(limit.measure == "dollars" for limit in self.caps)


def limits_of(settings: Settings) -> Limits:
    """What holds by the settings. Raises ConfigurationError."""
    if settings.limits is not None:
        return parse(settings.limits)
    return parse(SHARED if settings.shared else "")


def parse(text: str) -> Limits:
    """Raises ConfigurationError for a part that is no limit, is nothing, or is said twice. `none`: no limits."""
    caps: list[Limit] = []
    bounds: dict[str, int] = {}
    parts = [" ".join(part.split()) for part in text.split(",")]
    for part in filter(None, parts if text.strip().lower() != "none" else ()):
        cap, bound = _CAP.fullmatch(part), _BOUND.fullmatch(part)
        if bound and bound["name"].lower() not in bounds and int(bound["most"]):
            bounds[bound["name"].lower()] = int(bound["most"])
        elif cap and (limit := _limit(cap)).amount and not _is_said(limit, caps):
            caps.append(limit)
        else:
            raise ConfigurationError(
                f"PLAYGROUND_LIMITS has a part that is no limit, or is said twice: {part[:60]!r}.",
                hint="Write for example: $5/day, visitor $0.50/day, visitor 20 requests/minute, "
                "model openai/gpt-5-mini 90k tokens/minute, visitor n=4 (also best_of, max_tokens, calls).",
            )
    return Limits(caps=tuple(caps), bounds=bounds)


def _limit(said: re.Match[str]) -> Limit:
    measure: Measure = next(each for each in get_args(Measure) if each == (said["measure"] or "dollars").lower())
    period: Period = next(each for each in get_args(Period) if each == said["period"].lower())
    amount = int(Decimal(said["dollars"]) * PICO) if said["dollars"] else int(said["count"]) * _TIMES[said["k"].lower()]
    scope: Scope = "visitor" if (said["scope"] or "").lower() == "visitor" else "model" if said["scope"] else "all"
    return Limit(scope=scope, measure=measure, amount=amount, period=period, model=said["model"])


def _is_said(limit: Limit, caps: Sequence[Limit]) -> bool:
    key = (limit.scope, limit.model, limit.measure, limit.period)
    return (limit.scope == "visitor" and limit.model is not None) or key in {
        (each.scope, each.model, each.measure, each.period) for each in caps
    }
