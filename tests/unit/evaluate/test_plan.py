"""A spec's calls: numbered the same each time, made one by one, tried before the first is paid for, priced."""

from __future__ import annotations

from decimal import Decimal
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playground import pricing
from playground.errors import InvalidRequest
from playground.evaluate.dataset import Case, Dataset, made
from playground.evaluate.plan import Plan, make
from playground.evaluate.plan_cost import Speed, estimate
from playground.evaluate.spec import from_json
from playground.presets import Preset, builtin
from playground.tokens import TokenCount
from playground.types import ChatRequest, CompletionRequest, EndpointKind, ModelInfo, Request
from playground.worst_case import longest, worst_cost

TWEETS = made(
    "tweets", [Case(id=str(at), variables={"tweet": f"Tweet {at}"}, tags=("odd",) * (at % 2)) for at in range(7)]
)
LEAST = {"models": ["here/m"], "prompt": "Tweet: {{tweet}}"}
KINDS: dict[str, EndpointKind] = {"here": "compatible", "openai": "openai", "engine": "engine"}
MINE = Preset(
    id="1", name="Mine", mode="complete", text="{{tweet}} in {{language}}:", model="here/p",
    params={"n": 3, "stop": ["\\n"]}, variables={"language": "es"},
)  # fmt: skip


def info(ref: str) -> ModelInfo:
    endpoint, _, id = ref.partition("/")
    return ModelInfo(id=id, endpoint=endpoint, context_length=1_000 if endpoint == "here" else None)


def planned(given: dict[str, Any], dataset: Dataset | None = TWEETS, base: dict[str, Any] = LEAST) -> Plan:
    found = {preset.name: preset for preset in (MINE, *builtin())}
    return make(
        from_json({**base, **given}), dataset=dataset, model=info, kind=KINDS.__getitem__, preset=found.__getitem__
    )


def test_calls_are_numbered_through_cells_then_cases_then_repeats() -> None:
    plan = planned({"grid": {"temperature": [0, 1]}, "repeats": 3})
    assert len(plan) == 2 * 7 * 3
    calls = list(plan.calls())
    assert [call.number for call in calls] == list(range(42))
    assert [(call.cell, call.case, call.repeat) for call in calls[:4]] == [(0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 0)]
    assert calls[14] == plan.call(14) == (14, 0, 0, 1)
    with pytest.raises(IndexError):
        plan.call(42)


@given(st.integers(1, 4), st.integers(1, 7), st.integers(1, 4))
def test_every_number_is_one_call_and_wherever_it_stops_all_cells_have_answered_alike(
    values: int, first: int, repeats: int
) -> None:
    plan = planned({"grid": {"seed": list(range(values))}, "rows": {"first": first}, "repeats": repeats})
    calls = list(plan.calls())
    assert len({call[1:] for call in calls}) == len(calls) == values * first * repeats
    assert all(plan.number(cell=c.cell, case=c.case, repeat=c.repeat) == c.number for c in calls)
    for stopped in range(0, len(calls), values):
        answered = [{(c.case, c.repeat) for c in calls[:stopped] if c.cell == cell} for cell in range(values)]
        assert all(each == answered[0] for each in answered)


def test_calls_are_made_when_they_are_asked_for() -> None:
    spec = {"grid": {"seed": {"from": 1, "to": 1000, "step": 1}}, "repeats": 100, "max_calls": 1_000_000}
    plan = planned({**spec, "rows": {"first": 7}})
    assert len(plan) == 700_000
    assert [call.number for call in islice(plan.calls(699_998), 5)] == [699_998, 699_999]


def test_a_call_sends_its_prompt_with_its_variables_and_its_parameters() -> None:
    plan = planned({"parameters": {"max_tokens": 3, "stop": ["\n"]}, "grid": {"temperature": [0, 0.5]}})
    request = plan.request(plan.call(3))
    assert request == CompletionRequest(
        endpoint="here", model="m", prompt="Tweet: Tweet 1", max_tokens=3, stop=("\n",), temperature=0.5
    )
    assert plan.cells[1].name == "here/m · temperature=0.5"
    assert planned({}).cells[0].name == "here/m"


def test_a_preset_brings_its_text_its_model_and_its_parameters_and_the_spec_has_the_last_word() -> None:
    plan = planned({"presets": ["Mine"], "grid": {"temperature": [0, 1]}, "variables": {"language": "en"}}, base={})
    request = plan.request(plan.call(0))
    assert isinstance(request, CompletionRequest)
    assert (request.model, request.prompt, request.stop, request.n) == ("p", "Tweet 0 in en:", ("\n",), None)
    assert plan.cells[1].name == "here/p · Mine · temperature=1.0"
    others = planned({"presets": ["Mine"], "models": ["here/a", "here/b"]}, base={})
    assert [cell.model.id for cell in others.cells] == ["a", "b"]
    with pytest.raises(InvalidRequest, match="names no model"):
        make(from_json({"presets": ["x"]}), dataset=TWEETS, model=info, kind=KINDS.__getitem__,
             preset=lambda name: Preset(id="", name=name, mode="complete", text="{{tweet}}"))  # fmt: skip


def test_a_case_asks_itself_where_the_spec_says_nothing_and_braces_in_it_are_text() -> None:
    talk = ({"role": "user", "content": "Hi {{you}}"},)
    own = made("own", [Case(id="1", prompt="2+2={{x}}"), Case(id="2", messages=talk)])
    plan = planned({"models": ["here/m"]}, own, base={})
    first, second = (plan.request(plan.call(at)) for at in range(2))
    assert isinstance(first, CompletionRequest)
    assert first.prompt == "2+2={{x}}"
    assert isinstance(second, ChatRequest)
    assert second.messages[0].content == "Hi {{you}}"
    around = planned({"prompt": "Q: {{prompt}} A:"}, own.keep(["1"]))
    asked = around.request(around.call(0))
    assert isinstance(asked, CompletionRequest)
    assert asked.prompt == "Q: 2+2={{x}} A:"


def test_a_model_that_only_chats_gets_a_prompt_as_a_message() -> None:
    plan = planned({"models": ["openai/gpt-4o-mini"], "parameters": {"logprobs": 3, "max_tokens": 5}})
    request = plan.request(plan.call(0))
    assert isinstance(request, ChatRequest)
    assert [message.body() for message in request.messages] == [{"role": "user", "content": "Tweet: Tweet 0"}]
    assert (request.logprobs, request.top_logprobs, request.max_completion_tokens) == (True, 3, 5)
    forced = planned({"mode": "chat"})
    assert isinstance(forced.request(forced.call(0)), ChatRequest)


def test_without_a_dataset_the_prompt_is_sent_once_a_repeat() -> None:
    plan = planned({"prompt": "Hi {{you}}", "variables": {"you": "there"}, "repeats": 4}, None)
    assert len(plan) == 4
    assert {plan.request(call).body()["prompt"] for call in plan.calls()} == {"Hi there"}


def test_rows_choose_cases_and_a_seed_chooses_the_same_again() -> None:
    assert [case.id for case in planned({"rows": {"tags": ["odd"]}}).cases] == ["1", "3", "5"]
    assert [case.id for case in planned({"rows": {"ids": ["4", "2"]}}).cases] == ["2", "4"]
    assert [case.id for case in planned({"rows": {"first": 2}}).cases] == ["0", "1"]
    one, again = (planned({"rows": {"sample": 3, "seed": 5}}).cases for _ in range(2))
    assert one == again
    assert len(one) == 3
    with pytest.raises(InvalidRequest, match="No case is left"):
        planned({"rows": {"tags": ["even"]}})


@pytest.mark.parametrize(
    ("given", "dataset", "said"),
    [
        ({"prompt": "{{tweet}} {{user}}"}, TWEETS, "needs {{user}}, and no case has it"),
        ({"prompt": "{{tweet}}"}, TWEETS.put(Case(id="9", variables={"a": "b"})), "without it: 1 (9)"),
        ({"prompt": "{{tweet}}"}, None, "needs {{tweet}}"),
        ({"prompt": None}, TWEETS, "nothing to send for case 0"),
        ({"grid": {"max_tokens": [5, 2_000]}}, TWEETS, "max_tokens"),
        ({"models": ["openai/gpt-4o-mini"], "parameters": {"echo": True}}, TWEETS, "no parameter 'echo'"),
        ({"prompt": None, "messages": [{"role": "user", "content": "{{tweet}}"}], "models": ["openai/davinci-002"]},
         TWEETS, "completes prompts"),
        ({"prompt": None, "messages": [{"role": "user", "content": "{{tweet}}"}], "mode": "complete"}, TWEETS,
         "completes prompts"),
        ({"repeats": 1_000, "grid": {"seed": [1, 2]}}, TWEETS, "14,000 calls; the spec expects at most 10,000"),
        ({"rows": {"ids": ["99"]}}, TWEETS, "No case is called 99"),
    ],
)  # fmt: skip
def test_what_no_call_could_send_is_found_out_before_the_first(
    given: dict[str, Any], dataset: Dataset | None, said: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        planned(given, dataset)
    assert said in caught.value.message


def test_what_a_model_does_not_take_is_said_and_so_are_cells_that_send_the_same() -> None:
    plan = planned({"models": ["openai/gpt-5-mini"], "grid": {"temperature": [0, 0.5]}})
    assert [note.text() for note in plan.notes] == [
        "openai/gpt-5-mini does not take temperature: it is left out of its calls.",
        "Combinations that send the same as another one, because their model does not take what differs: 2",
    ]
    assert plan.same == ((0, 1),)
    assert plan.asked(plan.call(1))[1][0].param == "temperature"
    fixed = planned({"parameters": {"temperature": 0}, "repeats": 3})
    assert "will repeat themselves" in fixed.notes[0].text()
    assert planned({"grid": {"temperature": [0, 1]}, "repeats": 3}).notes == ()


def test_a_fingerprint_is_of_what_is_sent() -> None:
    plan = planned({"grid": {"temperature": [0, 1]}})
    same = planned(
        {"grid": {"temperature": [0, 1]}, "name": "other", "budget": 3, "concurrency": 9, "metrics": ["bleu"]}
    )
    assert same.fingerprint == plan.fingerprint
    for other in ({"grid": {"temperature": [1, 0]}}, {"repeats": 2}, {"prompt": "{{tweet}}"}, {"models": ["here/n"]}):
        assert planned({"grid": {"temperature": [0, 1]}, **other}).fingerprint != plan.fingerprint
    changed = TWEETS.put(Case(id="0", variables={"tweet": "another"}))
    assert planned({"grid": {"temperature": [0, 1]}}, changed).fingerprint != plan.fingerprint


async def by_words(request: Request, info: ModelInfo) -> TokenCount:
    text = request.prompt if isinstance(request, CompletionRequest) else str(request.messages[0].content)
    return TokenCount(len(text.split()) * 100, None, exact=True)


async def test_a_plan_costs_what_its_calls_cost_at_most_and_half_of_that_length_is_expected() -> None:
    plan = planned({"models": ["openai/gpt-4o-mini"], "grid": {"max_tokens": [10, 30]}, "repeats": 2})
    found = await estimate(plan, by_words)
    prompts = 300  # "Tweet: Tweet 0"
    worst, expected = (
        sum(
            14
            * (pricing.estimate(model="gpt-4o-mini", kind="openai", prompt_tokens=prompts, max_tokens=each).worst or 0)
            for each in lengths
        )
        for lengths in ((10, 30), (5, 15))
    )
    assert (found.calls, found.exact, found.worst, found.expected) == (28, True, worst, expected)
    (model,) = found.models
    assert (model.prompt_tokens, model.worst_tokens, model.expected_tokens) == (28 * prompts, 14 * 40, 14 * 20)
    assert found.seconds is None
    call = plan.request(plan.call(1))
    one = worst_cost(call, plan.cells[1].model, "openai", prompts)
    assert one is not None
    assert (
        one * 14 + (worst_cost(plan.request(plan.call(0)), plan.cells[0].model, "openai", prompts) or 0) * 14 == worst
    )


async def test_what_is_known_of_past_answers_makes_the_estimate_better() -> None:
    plan = planned({"parameters": {"max_tokens": 100}, "concurrency": 2})
    speeds = {"here/m": Speed(first_token=0.5, tokens_per_second=20)}
    found = await estimate(plan, by_words, typical={"here/m": 10}, speeds=speeds)
    assert found.models[0].expected_tokens == 70
    assert found.seconds == pytest.approx(7 * (0.5 + 10 / 20) / 2)
    assert found.worst_seconds == pytest.approx(7 * (0.5 + 100 / 20) / 2)
    assert (found.expected, found.worst) == (None, None)


async def test_a_chat_that_nothing_limits_has_no_worst_cost() -> None:
    plan = planned({"models": ["engine/chat"], "mode": "chat"})
    found = await estimate(plan, by_words, price_as="gpt-5-mini")
    assert found.worst is None
    assert found.expected is not None
    request = plan.request(plan.call(0))
    assert worst_cost(request, plan.cells[0].model, "engine", 10) is None
    assert longest(request, info("here/m"), 990) == 10


async def test_of_many_cases_some_are_counted_and_judges_are_no_calls_of_the_plan() -> None:
    many = made("many", [Case(id=str(at), variables={"tweet": "a b"[: 1 + 2 * (at % 2)]}) for at in range(1_000)])
    judge = {"judge": {"model": "openai/gpt-4o", "criterion": "grammar"}}
    counted = 0

    async def count(request: Request, info: ModelInfo) -> TokenCount:
        nonlocal counted
        counted += 1
        return await by_words(request, info)

    found = await estimate(planned({"metrics": [judge]}, many), count)
    assert (counted, found.exact, found.judged) == (200, False, 0)
    assert found.models[0].prompt_tokens == pytest.approx(250_000)
    assert found.models[0].expected == (None if found.expected is None else Decimal(found.expected))
