"""What a bundle says of its cost: measured where the history has it, else an estimate, and which of both."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio

from playground.client import Client
from playground.deploy.cases import cases_json
from playground.deploy.cost import ENOUGH, Cost, estimated, measured
from playground.deploy.frozen import Frozen, freeze
from playground.deploy.making import make
from playground.deploy.readme import readme
from playground.deps import Deps, open_deps
from playground.presets import Preset
from playground.pricing import price, price_as
from playground.types import Endpoint, EndpointKind, ModelInfo, Run, Usage
from tests.fakes.helpers import endpoint
from tests.fakes.server import FakeServer

PRESET = Preset(id="1", name="Mine", mode="complete", text="Tweet: {{tweet}} ->", params={"max_tokens": 40})
SHOUT = "Tweet: WOW ->"


def frozen(kind: EndpointKind = "openai", model: str = "gpt-3.5-turbo-instruct") -> Frozen:
    server = Endpoint(name="server", kind=kind, base_url="http://127.0.0.1:1/v1")
    return freeze(PRESET, info=ModelInfo(id=model, endpoint="server"), endpoint=server)


def run(number: int, *, prompt: str = SHOUT, tokens: int = 100, **changes: Any) -> Run:
    asked = {"prompt": prompt, "model": "gpt-3.5-turbo-instruct"}
    told = {
        "id": f"{number:032x}",
        "created_at": datetime(2026, 11, 1, tzinfo=UTC) + timedelta(minutes=number),
        "mode": "complete",
        "endpoint": "server",
        "model": "gpt-3.5-turbo-instruct",
        "status": "done",
        "request": asked,
        "effective_request": asked,
        "usage": Usage(prompt_tokens=10, completion_tokens=tokens),
        "latency": float(number),
        "time_to_first_token": 0.5,
    }
    return Run(**{**told, **changes})


def told(cost: Cost, asked: Frozen, language: Any = "en") -> str:
    cases = cases_json(asked, None)
    day = date(2026, 11, 1)
    return readme(asked, cost, cases, own_cases=False, requests=2_000, day=day, language=language)


def test_runs_of_this_very_prompt_are_measured_whatever_their_variables() -> None:
    others = [run(50 + at, prompt="Something else", tokens=9_000) for at in range(20)]
    mine = [run(at, prompt=f"Tweet: {'x' * at} ->", tokens=at) for at in range(1, 22)]
    cost = measured(frozen(), [*others, *mine], price_as="gpt-5-mini")
    assert cost is not None
    assert (cost.basis, cost.runs) == ("prompt", 21)
    assert (cost.completion_tokens.p50, cost.completion_tokens.p95) == (11, 20)
    dollars = [
        price("gpt-3.5-turbo-instruct", "openai", Usage(prompt_tokens=10, completion_tokens=n)) for n in (11, 20)
    ]
    assert cost.dollars == tuple(dollars)
    assert cost.mean == dollars[0]
    assert (cost.latency and cost.latency.p50, cost.first_token and cost.first_token.p95) == (11, 0.5)
    assert "Measured on the last 21 runs of this prompt" in told(cost, frozen())


def test_other_runs_of_the_model_are_measured_where_the_prompts_own_are_too_few() -> None:
    few = [run(at) for at in range(ENOUGH - 1)]
    cost = measured(frozen(), [*few, run(9, prompt="Else")], price_as="gpt-5-mini")
    assert cost is not None
    assert (cost.basis, cost.runs) == ("model", ENOUGH)
    assert "with other prompts too" in told(cost, frozen())


def test_too_few_runs_and_runs_that_did_not_end_measure_nothing() -> None:
    bad = [run(at, status="failed") for at in range(9)] + [run(20 + at, usage=None) for at in range(9)]
    assert measured(frozen(), [*bad, *(run(40 + at) for at in range(ENOUGH - 1))], price_as="gpt-5-mini") is None


def test_an_estimate_says_that_it_is_one_and_reckons_the_day() -> None:
    asked = frozen()
    cost = estimated(asked, 10, price_as="gpt-5-mini")
    assert (cost.completion_tokens.p50, cost.completion_tokens.p95) == (20, 40)
    said = told(cost, asked)
    assert "Estimated: the history has too few runs" in said
    assert "| A day of 2,000 requests | $0.11 | $0.19 |" in said  # 10 × $1.50 and 20 or 40 × $2.00 a million


def test_a_run_on_ones_own_machine_is_priced_as_another_model_and_says_so() -> None:
    asked = frozen("engine", "smollm2-135m-instruct")
    runs = [run(at) for at in range(5)]
    cost = measured(asked, runs, price_as="gpt-5-mini")
    assert cost is not None
    assert cost.mean == price_as("gpt-5-mini", Usage(prompt_tokens=10, completion_tokens=100))
    assert "what `gpt-5-mini` would have taken" in told(cost, asked)


def test_an_unknown_price_is_said_and_never_made_up() -> None:
    asked = frozen("compatible", "someones-model")
    cost = measured(asked, [run(at) for at in range(5)], price_as="gpt-5-mini")
    assert cost is not None
    assert cost.dollars is None
    said = told(cost, asked)
    assert "The price of `someones-model` at this server is not known here." in said
    assert "$" not in said


def test_a_spanish_readme_writes_numbers_as_spanish_does() -> None:
    asked = frozen()
    cost = replace(estimated(asked, 10, price_as="gpt-5-mini"), mean=Decimal("0.01"))
    said = told(cost, asked, "es")
    assert "# Un modelo listo para usar: `Mine`" in said
    assert "Un día de 2000 peticiones" in said


@pytest.mark.parametrize("name", ["`", "a`b", "``x", "[x](javascript:1)", "<script>", "# x"])
def test_a_name_is_shown_letter_by_letter(name: str) -> None:
    asked = replace(frozen(), name=name)
    first = told(estimated(asked, 1, price_as="gpt-5-mini"), asked).splitlines()[0]
    shown = first.removeprefix("# A model, ready to run: ")
    fence = shown[: len(shown) - len(shown.lstrip("`"))]
    inner = shown.removeprefix(fence).removesuffix(fence)
    assert inner.strip(" ") == name
    assert fence not in re.findall("`+", inner)


@pytest_asyncio.fixture
async def deps(server: FakeServer, make_settings: Any) -> AsyncIterator[Deps]:
    made = open_deps(make_settings(endpoints=(endpoint(server),)))
    made.client = Client(made.settings.endpoints, timeout=5)
    yield made
    await made.aclose()


async def test_the_history_is_asked_first_and_the_server_counts_where_it_has_nothing(
    deps: Deps, server: FakeServer
) -> None:
    asked = frozen("compatible", "fake")
    first = await make(deps, asked)
    assert "Estimated" in first["README.md"]
    assert any(each.path == "/tokenize" for each in server.requests)
    for at in range(6):
        deps.store.start_run(run(at, model="fake"))
    later = await make(deps, asked)
    assert "Measured on the last 6 runs of this prompt" in later["README.md"]
