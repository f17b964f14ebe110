"""Money: exact where a price is published, unknown where none is, and never zero by accident."""

from __future__ import annotations

import json
import re
from datetime import date
from decimal import Decimal
from importlib.resources import files
from typing import Any

import pytest

from playground.pricing import SERVER_MAX_TOKENS, estimate, format_money, price, price_as, prices_as_of
from playground.types import EndpointKind, Usage

TABLE: dict[str, Any] = json.loads(files("playground").joinpath("data", "finetune_prices.json").read_text())
TIERED = "gpt-5.4"


def usage(prompt: int, completion: int, cached: int = 0) -> Usage:
    return Usage(prompt_tokens=prompt, completion_tokens=completion, cached_tokens=cached)


def test_272_000_tokens_are_billed_at_the_lower_tier_and_272_001_at_the_higher() -> None:
    below, above = price(TIERED, "openai", usage(272_000, 0)), price(TIERED, "openai", usage(272_001, 0))
    assert below is not None
    assert above is not None
    assert below / 272_000 == Decimal("2.5") / 10**6
    assert above / 272_001 == Decimal("5") / 10**6


def test_a_published_price_is_exact() -> None:
    assert price("gpt-4o", "openai", usage(1_000, 5)) == Decimal("0.00255")


def test_cached_tokens_cost_less_and_are_part_of_the_prompt() -> None:
    assert price("gpt-4o", "openai", usage(1_000, 0, cached=1_000)) == Decimal("0.00125")


@pytest.mark.parametrize("model", ["gpt-4o", "ft:gpt-4o:me::x"])
def test_more_cached_tokens_than_prompt_tokens_are_no_gift(model: str) -> None:
    said = price(model, "openai", usage(10, 0, cached=1_000_000))
    assert said == price(model, "openai", usage(10, 0, cached=10))
    assert said is not None
    assert said > 0


@pytest.mark.parametrize("kind", ["engine", "compatible"])
def test_another_server_has_no_price_even_for_a_model_of_openais_name(kind: EndpointKind) -> None:
    assert price("gpt-4o", kind, usage(10, 10)) is None


@pytest.mark.parametrize("model", ["", "nobodys-model", "local/gpt-4o", "ft:nobody:me::x", "ft:", "\0", "a" * 500])
def test_an_unknown_model_is_unknown_and_never_zero(model: str) -> None:
    assert price(model, "openai", usage(10, 10)) is None


def test_no_tokens_cost_nothing() -> None:
    assert price("gpt-4o", "openai", usage(0, 0)) == 0


# --- fine-tunes ---


def test_the_table_has_a_source_and_a_date() -> None:
    assert set(TABLE) == {"source", "as_of", "currency", "per_tokens", "models"}
    assert (TABLE["currency"], TABLE["per_tokens"]) == ("USD", 10**6)
    assert date.fromisoformat(TABLE["as_of"])
    assert TABLE["source"]


@pytest.mark.parametrize("row", TABLE["models"], ids=lambda row: row["base"])
def test_every_row_is_money_as_text(row: dict[str, Any]) -> None:
    assert set(row) == {"base", "train", "input", "cached", "output"}
    amounts = [row[name] for name in ("train", "input", "output", "cached") if row[name] is not None]
    assert all(isinstance(amount, str) and re.fullmatch(r"\d+(\.\d+)?", amount) for amount in amounts)
    assert all(Decimal(amount) > 0 for amount in amounts)
    assert row["cached"] is None or Decimal(row["cached"]) < Decimal(row["input"])
    assert [r["base"] for r in TABLE["models"]].count(row["base"]) == 1


@pytest.mark.parametrize("row", TABLE["models"], ids=lambda row: row["base"])
def test_every_row_is_found_by_both_ways_of_naming_a_fine_tune(row: dict[str, Any]) -> None:
    million = usage(10**6, 10**6)
    expected = Decimal(row["input"]) + Decimal(row["output"])
    for name in (f"ft:{row['base']}:org::id", f"{row['base']}:ft-org-2023-01-01"):
        assert price(name, "openai", million) == expected


@pytest.mark.parametrize(
    "model", ["ft:gpt-4o-2024-08-06:o::i", "ft:gpt-3.5-turbo-0125:o::i", "ft:gpt-4.1-2025-04-14:o::i"]
)
def test_a_dated_snapshot_costs_what_its_model_does(model: str) -> None:
    undated = re.sub(r"-(\d{4}-\d\d-\d\d|\d{4}):", ":", model)
    assert price(model, "openai", usage(100, 100)) == price(undated, "openai", usage(100, 100)) is not None


def test_cached_tokens_of_a_fine_tune() -> None:
    assert price("ft:gpt-4o:o::i", "openai", usage(10**6, 0, cached=10**6)) == Decimal("1.875")
    # Where no price is published for them they cost what the others do.
    assert price("ft:davinci-002:o::i", "openai", usage(10**6, 0, cached=10**6)) == 12


def test_a_fine_tune_never_costs_what_its_base_does() -> None:
    assert price("ft:gpt-4o:o::i", "openai", usage(10**6, 0)) != price("gpt-4o", "openai", usage(10**6, 0))


# --- the next run ---


def expected(**changes: Any) -> Any:
    return estimate(**{"model": "gpt-4o", "kind": "openai", "prompt_tokens": 1_000, "max_tokens": 100, **changes})


@pytest.mark.parametrize(
    ("n", "best_of", "completions"), [(1, None, 1), (3, None, 3), (1, 5, 5), (3, 5, 5), (3, 3, 3), (5, 3, 5)]
)
def test_at_worst_every_completion_that_is_generated_is_full(n: int, best_of: int | None, completions: int) -> None:
    said = expected(n=n, best_of=best_of)
    assert said.completion_worst == 100 * completions
    assert said.worst == price_as("gpt-4o", usage(1_000, 100 * completions))


def test_without_max_tokens_the_servers_own_default_holds() -> None:
    said = expected(max_tokens=None)
    assert (said.completion_per_choice, said.completion_worst) == (SERVER_MAX_TOKENS, SERVER_MAX_TOKENS)


@pytest.mark.parametrize(
    ("context", "worst"), [(None, 100), (2_000, 100), (1_100, 100), (1_099, 99), (1_000, 0), (10, 0)]
)
def test_the_context_bounds_what_can_be_written(context: int | None, worst: int) -> None:
    assert expected(context_length=context).completion_worst == worst


@pytest.mark.parametrize(("typical", "likely"), [(None, 50), (10, 10), (1_000, 100), (0, 0)])
def test_what_is_likely_is_half_or_what_past_answers_tell(typical: int | None, likely: int) -> None:
    assert expected(typical=typical).completion_expected == likely


def test_a_run_on_ones_own_machine_is_priced_as_another_model() -> None:
    said = expected(model="smollm2", kind="engine", price_as="gpt-4o")
    assert said.worst == price_as("gpt-4o", usage(1_000, 100))
    assert expected(model="smollm2", kind="engine").worst is None


# --- how money is shown ---


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (None, "price unknown"),
        ("0", "$0"),
        ("0.00", "$0"),
        ("0.000123", "$0.000123"),
        ("0.0001", "$0.0001"),
        ("0.00012345", "$0.0001235"),
        ("0.00999", "$0.00999"),
        ("0.009999", "$0.009999"),
        ("0.0099999", "$0.01"),
        ("0.01", "$0.01"),
        ("0.014", "$0.01"),
        ("0.015", "$0.02"),
        ("0.995", "$1.00"),
        ("1", "$1.00"),
        ("1234.5", "$1,234.50"),
        ("1E+3", "$1,000.00"),
        ("1E-12", "$0.000000000001"),
    ],
)
def test_money_is_shown_with_what_can_be_told_apart(amount: str | None, shown: str) -> None:
    assert format_money(None if amount is None else Decimal(amount)) == shown


def test_a_price_says_where_it_comes_from_and_when() -> None:
    assert TABLE["as_of"] in prices_as_of()
    assert "genai-prices" in prices_as_of()
