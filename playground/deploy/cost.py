"""What one request takes: tokens, dollars and seconds, by the history's runs of it, or by an estimate.

Measured on runs of this very prompt where there are at least ENOUGH, else on runs of the model in the same mode, else
estimated: then the median is what is expected, and the 95th percentile the most that there can be.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from statistics import median, quantiles
from typing import Any, Literal

from playground import pricing
from playground.deploy.frozen import Frozen
from playground.evaluate.plan_cost import USUAL
from playground.types import CompletionRequest, Run, Usage
from playground.variables import pieces
from playground.worst_case import longest

ENOUGH = 5
"""Runs without which a percentile says nothing."""
MOST = 1_000
"""Runs that are looked at, the newest."""


@dataclass(frozen=True, slots=True)
class Spread:
    """The median, and what 95 of 100 stay within (linear interpolation, type 7 of Hyndman and Fan). Of an estimate:
    what is expected, and the most there can be, None where nothing limits it."""

    p50: float
    p95: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Of one request. Dollars None where the price is not known; `mean` only of what was measured. `priced_as` is the
    OpenAI model whose price a run on one's own machine is shown at. Seconds None where nothing was measured."""

    basis: Literal["prompt", "model", "estimate"]
    runs: int
    prompt_tokens: Spread
    completion_tokens: Spread
    dollars: tuple[Decimal, Decimal | None] | None
    mean: Decimal | None
    priced_as: str | None
    latency: Spread | None = None
    first_token: Spread | None = None


def measured(frozen: Frozen, runs: Iterable[Run], *, price_as: str | None) -> Cost | None:
    """By the finished runs among `runs` (those of its model and mode, newest first); None where they are too few."""
    done = [run for run in islice(runs, MOST) if run.status == "done" and run.usage is not None]
    same = [run for run in done if _is_of(frozen, run)]
    basis: Literal["prompt", "model"] = "prompt" if len(same) >= ENOUGH else "model"
    chosen = same if basis == "prompt" else done
    if len(chosen) < ENOUGH:
        return None
    usages = [run.usage for run in chosen if run.usage is not None]
    prices = [_price(frozen, usage, price_as) for usage in usages]
    known = [price for price in prices if price is not None]
    whole = len(known) == len(prices)
    return Cost(
        basis=basis,
        runs=len(chosen),
        prompt_tokens=_spread([usage.prompt_tokens for usage in usages]),
        completion_tokens=_spread([usage.completion_tokens for usage in usages]),
        dollars=(median(known), quantiles(known, n=20, method="inclusive")[-1]) if whole else None,
        mean=sum(known, Decimal(0)) / len(known) if whole else None,
        priced_as=price_as if frozen.endpoint.kind == "engine" and whole else None,
        latency=_maybe([run.latency for run in chosen]),
        first_token=_maybe([run.time_to_first_token for run in chosen]),
    )


def estimated(frozen: Frozen, prompt_tokens: int, *, price_as: str | None) -> Cost:
    """By a prompt of so many tokens. Expected is half of the longest answer that the parameters allow, or the usual
    length of a chat's answer where none of them limits it."""
    body = frozen.request.body()
    most = longest(frozen.request, frozen.info, prompt_tokens)
    limited = isinstance(frozen.request, CompletionRequest) or bool({"max_tokens", "max_completion_tokens"} & set(body))
    answers = body.get("n") or 1
    likely = (most + 1) // 2 if limited and most is not None else USUAL * answers
    likely = likely if most is None else min(likely, most)
    prices = [
        None
        if tokens is None
        else _price(frozen, Usage(prompt_tokens=prompt_tokens, completion_tokens=tokens), price_as)
        for tokens in (likely, most)
    ]
    return Cost(
        basis="estimate",
        runs=0,
        prompt_tokens=Spread(prompt_tokens, prompt_tokens),
        completion_tokens=Spread(likely, most),
        dollars=None if prices[0] is None else (prices[0], prices[1]),
        mean=None,
        priced_as=price_as if frozen.endpoint.kind == "engine" and prices[0] is not None else None,
    )


def _price(frozen: Frozen, usage: Usage, price_as: str | None) -> Decimal | None:
    if frozen.endpoint.kind == "engine":
        return pricing.price_as(price_as, usage) if price_as else None
    return pricing.price(frozen.info.id, frozen.endpoint.kind, usage)


def _spread(values: Sequence[float]) -> Spread:
    return Spread(median(values), quantiles(values, n=20, method="inclusive")[-1])


def _maybe(values: Sequence[float | None]) -> Spread | None:
    there = [value for value in values if value is not None]
    return _spread(there) if len(there) >= ENOUGH else None


def _is_of(frozen: Frozen, run: Run) -> bool:
    """Whether the run sent this prompt, with whatever values of its variables."""
    sent = {name: run.effective_request.get(name) for name in frozen.written}
    return _fits(frozen.written, sent)


def _fits(template: Any, value: Any) -> bool:
    if isinstance(template, str):
        return isinstance(value, str) and _text_fits(pieces(template), value)
    if isinstance(template, dict):
        same = isinstance(value, dict) and set(template) == set(value)
        return same and all(_fits(each, value[name]) for name, each in template.items())
    if isinstance(template, list):
        same = isinstance(value, list) and len(template) == len(value)
        return same and all(map(_fits, template, value))
    return bool(template == value)


def _text_fits(parts: Sequence[str], text: str) -> bool:
    """Whether `text` is the parts in their order with anything between them."""
    first, *rest = parts
    if not rest:
        return text == first
    *middle, last = rest
    if not text.startswith(first):
        return False
    at = len(first)
    for part in middle:
        at = text.find(part, at)
        if at < 0:
            return False
        at += len(part)
    return len(text) - at >= len(last) and text.endswith(last)
