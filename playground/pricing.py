"""Tokens to dollars, in `Decimal`. Prices are data: genai-prices, and `data/finetune_prices.json` for fine-tunes.

A price that is not known is None, never zero: a custom server may cost its owner anything.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import Any

from playground.tokens import base_model
from playground.types import EndpointKind, Usage

SERVER_MAX_TOKENS = 16
"""What /v1/completions writes at most when `max_tokens` is unset (OpenAI's reference)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What the next run may write and cost: tokens, and dollars (None: price unknown)."""

    completion_per_choice: int
    completion_expected: int
    completion_worst: int
    expected: Decimal | None
    worst: Decimal | None


def price(model: str, kind: EndpointKind, usage: Usage, *, batched: bool = False) -> Decimal | None:
    """Dollars for `usage` by the published price of an OpenAI model or fine-tune; None elsewhere.

    `batched`: as a line of a batch. What its cached tokens cost is not published for every model: they count as others.
    """
    if kind != "openai":
        return None
    if batched:
        live = price(model, kind, replace(usage, cached_tokens=0))
        return None if live is None else live * (1 - Decimal(batch_terms()["discount"]))
    return _finetune(model, usage) if _is_finetune(model) else price_as(model, usage)


def price_as(model: str, usage: Usage) -> Decimal | None:
    """Dollars for `usage` if an OpenAI model of this name had answered; None for a name without a price."""
    from genai_prices import Usage as Billed
    from genai_prices import calc_price

    try:
        billed = calc_price(
            Billed(
                input_tokens=usage.prompt_tokens,
                cache_read_tokens=_cached(usage) or None,
                output_tokens=usage.completion_tokens,
            ),
            model_ref=model,
            provider_id="openai",
        )
    except LookupError:
        return None
    total: Decimal = billed.total_price
    # Of a model that is billed by the hour or the character, the tokens come to nothing: that is no price.
    return total if total or not usage.total_tokens else None


def per_million(model: str, kind: EndpointKind) -> tuple[Decimal, Decimal] | None:
    """Dollars for a million tokens read, and written; None where the price is not known.

    Taken from a thousand of each: some models cost more beyond a length.
    """
    read = price(model, kind, Usage(prompt_tokens=1_000, completion_tokens=0))
    if read is None:
        return None  # at once: genai-prices remembers what it found, not what it did not
    written = price(model, kind, Usage(prompt_tokens=0, completion_tokens=1_000))
    return None if written is None else (read * 1_000, written * 1_000)


def estimate(
    *,
    model: str,
    kind: EndpointKind,
    prompt_tokens: int,
    max_tokens: int | None,
    n: int = 1,
    best_of: int | None = None,
    context_length: int | None = None,
    price_as: str | None = None,
    typical: int | None = None,
    batched: bool = False,
) -> Estimate:
    """What the next run costs.

    At worst each of max(n, best_of) completions is as long as `max_tokens` and the context allow. Expected is half of
    that, the mean of an answer whose length we know nothing of, or `typical` tokens a completion where past answers
    tell. `price_as` prices it as another model (a run on one's own machine has no price of its own).
    """
    each = SERVER_MAX_TOKENS if max_tokens is None else max_tokens
    if context_length is not None:
        each = max(0, min(each, context_length - prompt_tokens))
    count = max(n, best_of or 1)
    likely = min(each, typical) if typical is not None else (each + 1) // 2

    def cost(tokens: int) -> Decimal | None:
        usage = Usage(prompt_tokens=prompt_tokens, completion_tokens=tokens)
        return price(model, kind, usage, batched=batched) if price_as is None else _price_as(price_as, usage)

    return Estimate(
        completion_per_choice=SERVER_MAX_TOKENS if max_tokens is None else max_tokens,
        completion_expected=count * likely,
        completion_worst=count * each,
        expected=cost(count * likely),
        worst=cost(count * each),
    )


_price_as = price_as


def format_money(amount: Decimal | None) -> str:
    """Four significant digits below a cent (`$0.000123`), two decimals from there on; "price unknown" for None."""
    if amount is None:
        return "price unknown"
    if amount >= Decimal("0.01"):
        return f"${amount.quantize(Decimal('0.01'), ROUND_HALF_UP):,}"
    if amount == 0:
        return "$0"
    places = 3 - amount.adjusted()
    text = f"{amount.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP):f}"
    return "$" + (text.rstrip("0") if "." in text else text)


def prices_as_of() -> str:
    """Where prices come from and when: shown beside every figure that is made of them."""
    return f"genai-prices {version('genai-prices')}; fine-tunes {_table()['as_of']}"


def _is_finetune(model: str) -> bool:
    return model.startswith("ft:") or ":ft-" in model


def _finetune(model: str, usage: Usage) -> Decimal | None:
    base = re.sub(r"-\d{4}(-\d\d-\d\d)?$", "", base_model(model))
    row = next((row for row in _table()["models"] if row["base"] == base), None)
    if row is None:
        return None
    cached = _cached(usage)
    total = (usage.prompt_tokens - cached) * Decimal(row["input"]) + usage.completion_tokens * Decimal(row["output"])
    total += cached * Decimal(row["cached"] or row["input"])
    per_tokens: int = _table()["per_tokens"]
    return total / per_tokens


def _cached(usage: Usage) -> int:
    """A server that says it had more of the prompt in its cache than there was of it is not taken at its word."""
    return min(usage.cached_tokens, usage.prompt_tokens)


def batch_terms() -> dict[str, Any]:
    """What OpenAI publishes of batches: the discount as a share, the most requests and bytes of a file; each dated."""
    return _data("batch_terms.json")


def _table() -> dict[str, Any]:
    return _data("finetune_prices.json")


@cache
def _data(name: str) -> dict[str, Any]:
    text = files("playground").joinpath("data", name).read_text(encoding="utf-8")
    table: dict[str, Any] = json.loads(text)
    return table
