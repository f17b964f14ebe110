"""What each model takes at each effort, what servers teach, and the table that says so."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from importlib.resources import files
from typing import Any

import pytest

from playground import accepts
from playground.accepts import KNOWN, Learned, LeftOut, effective, offers, refused, removable
from playground.client_errors import from_body
from playground.errors import BadRequest, InvalidRequest, PlaygroundError, RateLimited, ServerFailed
from playground.parameters import CHAT
from playground.types import ChatRequest, CompletionRequest, Endpoint, EndpointKind, Message

SAMPLING = frozenset({"temperature", "top_p"})
PENALTIES = frozenset({"presence_penalty", "frequency_penalty"})
PROBABILITIES = frozenset({"logprobs", "top_logprobs"})
REASONING = SAMPLING | PENALTIES | PROBABILITIES | {"logit_bias"}
THINKING = frozenset({"reasoning_effort", "verbosity"})
TOOL = {"type": "function", "function": {"name": "weather"}}
EFFORTS = (None, "minimal", "low", "medium", "high", "xhigh")
TABLE = json.loads(files("playground").joinpath("data", "accepts.json").read_text(encoding="utf-8"))


def chat(model: str = "gpt-5", **fields: Any) -> ChatRequest:
    return ChatRequest(endpoint="openai", model=model, messages=(Message(role="user", content="Hi"),), **fields)


def completion(model: str = "davinci-002", **fields: Any) -> CompletionRequest:
    return CompletionRequest(endpoint="openai", model=model, prompt="Hi", **fields)


def left(request: ChatRequest | CompletionRequest, kind: EndpointKind = "openai", **more: Any) -> dict[str, str]:
    return {out.param: out.reason for out in effective(request, kind, **more)[1]}


# --- families and efforts ---


@pytest.mark.parametrize("effort", [*EFFORTS, "none"])
@pytest.mark.parametrize(
    "model",
    [
        *("gpt-3.5-turbo", "gpt-4", "gpt-4o", "gpt-4o-mini-2024-07-18", "gpt-4.1-nano"),
        *("ft:gpt-4o-2024-08-06:acme::Ab1", "chatgpt-4o-latest", "gpt-5-chat-latest", "gpt-5.1-chat-latest"),
        *("gpt-6-chat-latest", "gpt-chat-latest"),
    ],
)
def test_models_that_do_not_think_take_everything_but_an_effort(model: str, effort: str | None) -> None:
    assert set(refused(model, "openai", effort)) == THINKING


@pytest.mark.parametrize("effort", [*EFFORTS, "none"])
@pytest.mark.parametrize(
    ("model", "more"),
    [
        ("o1", {"verbosity"}),
        ("o3-mini", {"verbosity"}),
        ("o3-mini-2025-01-31", {"verbosity"}),
        ("o3", {"verbosity", "stop"}),
        ("o3-2025-04-16", {"verbosity", "stop"}),
        ("o4-mini", {"verbosity", "stop"}),
        ("ft:o4-mini-2025-04-16:acme:tag:Ab1", {"verbosity", "stop"}),
    ],
)
def test_the_o_series_takes_no_sampling_at_any_effort(model: str, more: set[str], effort: str | None) -> None:
    assert set(refused(model, "openai", effort)) == REASONING | more
    assert set(refused(model, "openai", effort).values()) == {"model"}


@pytest.mark.parametrize("effort", [*EFFORTS, "none"])
@pytest.mark.parametrize(
    "model",
    ["gpt-5", "gpt-5-mini", "gpt-5-nano", "gpt-5-2025-08-07", "gpt-5-pro", "gpt-5-codex", "ft:gpt-5-mini:acme::Ab1"],
)
def test_gpt_5_takes_no_sampling_at_any_effort(model: str, effort: str | None) -> None:
    assert set(refused(model, "openai", effort)) == REASONING


NEWER = ["gpt-5.1", "gpt-5.2-2025-12-11", "gpt-5.4-mini", "gpt-5.10", "gpt-6-luna", "gpt-6.1-sol", "gpt-10"]


@pytest.mark.parametrize("effort", EFFORTS)
@pytest.mark.parametrize("model", NEWER)
def test_newer_models_take_no_sampling_while_they_think(model: str, effort: str | None) -> None:
    reasons = refused(model, "openai", effort)
    assert {param for param, reason in reasons.items() if reason == "effort"} == SAMPLING | PROBABILITIES
    assert {param for param, reason in reasons.items() if reason == "model"} == PENALTIES | {"logit_bias"}


@pytest.mark.parametrize("model", NEWER)
def test_newer_models_take_sampling_at_effort_none(model: str) -> None:
    assert set(refused(model, "openai", "none")) == PENALTIES | {"logit_bias"}


@pytest.mark.parametrize("effort", [*EFFORTS, "none"])
@pytest.mark.parametrize("model", ["o3", "gpt-5", "gpt-4", "smollm2", "", "ft:", "gpt-5\n"])
def test_other_servers_are_sent_whatever_was_set(model: str, effort: str | None) -> None:
    assert refused(model, "compatible", effort) == {}
    request = chat(model, temperature=0.2, logit_bias={"1": 1.0}, stop=("x",), max_tokens=5, reasoning_effort=effort)
    assert effective(request, "compatible") == (request, ())


@pytest.mark.parametrize("model", ["", "ft:", "ft", ":", "gpt-", "o", "davinci-002", "gpt-5\n", "x" * 10_000, "🦜"])
def test_a_name_that_no_rule_knows_is_refused_nothing(model: str) -> None:
    assert refused(model, "openai", None) == {}
    assert offers(model, "openai") == {}


def test_the_engine_has_no_functions_and_does_not_think() -> None:
    functions = {"tools", "tool_choice", "parallel_tool_calls"}
    assert set(refused("gpt-5", "engine", None)) == THINKING | functions | {"service_tier"}


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("o3", "low medium high"),
        ("gpt-5-mini", "minimal low medium high"),
        ("gpt-5.1", "none low medium high"),
        ("gpt-5.2", "none low medium high xhigh"),
        ("gpt-5.10", "none low medium high xhigh"),
        ("gpt-6-sol", "none low medium high xhigh"),
        ("ft:gpt-5-nano:acme::Ab1", "minimal low medium high"),
    ],
)
def test_the_panel_offers_the_efforts_that_the_model_has(model: str, words: str) -> None:
    assert offers(model, "openai") == {"reasoning_effort": tuple(words.split())}


def test_a_model_whose_efforts_are_not_known_is_offered_every_word() -> None:
    assert offers("gpt-5-pro", "openai") == {}


@pytest.mark.parametrize("kind", ["engine", "compatible"])
def test_other_servers_are_offered_every_word(kind: EndpointKind) -> None:
    assert offers("o3", kind) == {}


# --- what is sent ---


@pytest.mark.parametrize(
    ("param", "value"),
    [("temperature", 1), ("temperature", 1.0), ("top_p", 1.0), ("presence_penalty", 0.0), ("frequency_penalty", 0)],
)
@pytest.mark.parametrize("model", ["o3", "gpt-5-mini", "gpt-6-luna"])
def test_the_only_value_a_thinking_model_takes_is_sent(model: str, param: str, value: float) -> None:
    request = chat(model, **{param: value})
    assert effective(request, "openai") == (request, ())


@pytest.mark.parametrize(
    ("param", "value"),
    [("temperature", 0.0), ("temperature", 0.99), ("temperature", 2.0), ("top_p", 0.0), ("presence_penalty", -0.01)],
)
@pytest.mark.parametrize("model", ["o3", "gpt-5-mini", "gpt-6-luna"])
def test_any_other_value_is_left_out_and_said(model: str, param: str, value: float) -> None:
    made, out = effective(chat(model, **{param: value}), "openai")
    assert made == chat(model)
    assert [(each.param, each.value) for each in out] == [(param, value)]


def test_what_is_unset_is_never_said_to_be_left_out() -> None:
    assert effective(chat("o3"), "openai") == (chat("o3"), ())


def test_effort_none_gives_the_temperature_back() -> None:
    assert left(chat("gpt-6-luna", temperature=0.2, reasoning_effort="low")) == {"temperature": "effort"}
    assert left(chat("gpt-6-luna", temperature=0.2, reasoning_effort="none")) == {}


def test_probabilities_are_left_out_as_one_thing() -> None:
    made, out = effective(chat("o3", logprobs=True, top_logprobs=5, temperature=0.3), "openai")
    assert made == chat("o3")
    assert {each.param for each in out} == {"logprobs", "temperature"}


def test_alternatives_alone_are_named_whatever_else_is_left_out() -> None:
    learned = Learned()
    learned.learn("openai/m", None, "top_logprobs")
    learned.learn("openai/m", None, "seed")
    made, out = effective(chat("m", logprobs=True, top_logprobs=5, seed=0), "compatible", learned)
    assert made == chat("m", logprobs=True)
    assert {each.param for each in out} == {"top_logprobs", "seed"}


def test_without_functions_there_is_no_choice_of_one() -> None:
    request = chat("smollm2", tools=(TOOL,), tool_choice="required", parallel_tool_calls=False)
    made, out = effective(request, "engine")
    assert made == chat("smollm2")
    assert out[0] == LeftOut("tools", (TOOL,), "engine")


def test_functions_that_a_server_refused_take_their_choice_along() -> None:
    learned = Learned()
    learned.learn("openai/m", None, "tools")
    request = chat("m", tools=(TOOL,), tool_choice="auto", parallel_tool_calls=True)
    assert effective(request, "compatible", learned) == (chat("m"), (LeftOut("tools", (TOOL,), "learned"),))


def test_stop_sequences_that_are_left_out_leave_none() -> None:
    made, out = effective(chat("o4-mini", stop=("\n", "END")), "openai")
    assert made.stop == ()
    assert "stop" not in made.body()
    assert out == (LeftOut("stop", ("\n", "END"), "model"),)


@pytest.mark.parametrize("value", [0, 5])
def test_a_completion_loses_its_probabilities_even_where_their_number_is_0(value: int) -> None:
    assert effective(completion("o3", logprobs=value), "openai")[0] == completion("o3")


# --- the maximum length ---


def test_openai_chats_are_sent_the_newer_name_of_the_maximum_length() -> None:
    assert effective(chat("gpt-4o", max_tokens=9), "openai") == (chat("gpt-4o", max_completion_tokens=9), ())


def test_the_newer_name_wins_where_both_are_set() -> None:
    made, _ = effective(chat("o3", max_tokens=9, max_completion_tokens=20), "openai")
    assert made == chat("o3", max_completion_tokens=20)


@pytest.mark.parametrize("kind", ["engine", "compatible"])
def test_other_chats_keep_the_older_name(kind: EndpointKind) -> None:
    assert effective(chat("m", max_tokens=9), kind) == (chat("m", max_tokens=9), ())


@pytest.mark.parametrize("kind", ["engine", "compatible", "openai"])
@pytest.mark.parametrize("length", [0, 256])
def test_completions_keep_the_older_name(kind: EndpointKind, length: int) -> None:
    assert effective(completion(max_tokens=length), kind) == (completion(max_tokens=length), ())


# --- learned ---


def test_what_a_server_refused_is_not_sent_to_it_again() -> None:
    learned = Learned()
    learned.learn("openai/gpt-5", "low", "seed")
    request = chat(seed=0, reasoning_effort="low")
    assert effective(request, "openai", learned) == (chat(reasoning_effort="low"), (LeftOut("seed", 0, "learned"),))


@pytest.mark.parametrize(
    "other", [{"reasoning_effort": "high"}, {}, {"reasoning_effort": "low", "model": "gpt-5-mini"}]
)
def test_another_effort_or_model_is_still_asked(other: dict[str, Any]) -> None:
    learned = Learned()
    learned.learn("openai/gpt-5", "low", "seed")
    assert left(chat(seed=1, **other), learned=learned) == {}


def test_even_the_only_value_goes_once_it_was_refused() -> None:
    learned = Learned()
    learned.learn("openai/o3", None, "temperature")
    assert left(chat("o3", temperature=1.0), learned=learned) == {"temperature": "learned"}


def test_a_refused_length_is_not_sent_under_its_newer_name_either() -> None:
    request = effective(chat(max_tokens=9), "openai")[0]
    named = removable(BadRequest("Refused.", param="max_completion_tokens"), request)
    assert named is not None
    learned = Learned()
    learned.learn("openai/gpt-5", None, named)
    assert effective(chat(max_tokens=9), "openai", learned)[0] == chat()


@pytest.mark.parametrize("param", ["model", "messages", "endpoint", "prompt", "stream", "__class__", "body", ""])
def test_what_no_request_can_be_without_is_not_learned(param: str) -> None:
    learned = Learned()
    learned.learn("openai/gpt-5", None, param)
    assert learned.refused("openai/gpt-5", None) == frozenset()


def test_the_oldest_lessons_are_forgotten_first() -> None:
    learned = Learned()
    for number in range(accepts.MOST):
        learned.learn(f"e/{number}", None, "seed")
    learned.learn("e/0", None, "stop")
    learned.learn("e/new", None, "seed")
    assert learned.refused("e/1", None) == frozenset()
    assert learned.refused("e/0", None) == {"seed", "stop"}
    assert learned.refused("e/new", None) == {"seed"}


# --- what a server's refusal says can be left out ---

OPENAI = Endpoint(name="openai", base_url="https://api.openai.com/v1", kind="openai")
OWN = Endpoint(name="mine", base_url="http://localhost:8000/v1", kind="compatible")


def said(endpoint: Endpoint, message: str, *, status: int = 400, **body: Any) -> PlaygroundError:
    return from_body(endpoint, {"message": message, "type": "invalid_request_error", **body}, status=status)


@pytest.mark.parametrize(
    ("message", "param", "fields", "name"),
    [
        (
            "Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) is supported.",
            "temperature",
            {"temperature": 0.2},
            "temperature",
        ),
        (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens'.",
            "max_tokens",
            {"max_tokens": 9},
            "max_tokens",
        ),
        (
            "Invalid schema for response_format.",
            "response_format.json_schema",
            {"response_format": {"type": "json_schema"}},
            "response_format",
        ),
        ("Invalid 'tools[0].function.name'.", "tools[0].function.name", {"tools": (TOOL,)}, "tools"),
        ("Invalid schema for function.", "functions", {"tools": (TOOL,)}, "tools"),
        ("Unrecognized request argument supplied: seed", None, {"seed": 1}, "seed"),
        ("Unrecognized request arguments supplied: seed, user", None, {"seed": 1, "user": "me"}, "seed"),
        ("Unsupported parameter: 'stop' is not supported with this model.", None, {"stop": ("x",)}, "stop"),
        ("This use is not supported. Unsupported parameter: 'stop'", None, {"stop": ("x",)}, "stop"),
    ],
)
def test_openai_names_what_it_refuses(message: str, param: str | None, fields: dict[str, Any], name: str) -> None:
    assert removable(said(OPENAI, message, param=param, code="unsupported_value"), chat(**fields)) == name


@pytest.mark.parametrize(
    ("make", "message", "status", "fields", "name"),
    [
        (completion, "Unsupported param: suffix", 500, {"suffix": "."}, "suffix"),
        (completion, "Unsupported param: best_of", 500, {"best_of": 2}, "best_of"),
        (chat, "tools param requires --jinja flag", 500, {"tools": (TOOL,)}, "tools"),
        (chat, "tool_choice param requires --jinja flag", 500, {"tool_choice": "auto"}, "tool_choice"),
    ],
)
def test_llama_cpp_names_it_in_words_and_calls_it_a_failure(
    make: Callable[..., ChatRequest | CompletionRequest], message: str, status: int, fields: dict[str, Any], name: str
) -> None:
    error = said(OWN, message, status=status, code=status, type="server_error")
    assert isinstance(error, ServerFailed)
    assert removable(error, make(**fields)) == name


@pytest.mark.parametrize(
    ("message", "param", "fields", "name"),
    [
        ("suffix is not currently supported", None, {"suffix": "."}, "suffix"),
        ("echo is not currently supported", None, {"echo": True}, "echo"),
        ("logprobs must be at most 3", "logprobs", {"logprobs": 5}, "logprobs"),
        ("top_p must be in (0, 1], got 0.0.", "top_p", {"top_p": 0.0}, "top_p"),
    ],
)
def test_vllm_names_it_in_words_or_apart(message: str, param: str | None, fields: dict[str, Any], name: str) -> None:
    error = said(OWN, message, param=param, code=400, type="BadRequestError")
    assert removable(error, completion(**fields)) == name


ALL = chat(temperature=0.2, seed=1, stop=("x",), tools=(TOOL,))


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ("", None),
        ("No.", ""),
        ("No.", "messages[0].content"),
        ("No.", "model"),
        ("No.", "stream"),
        ("No.", "stream_options.include_usage"),
        ("No.", "top_p"),
        ("No.", ".temperature"),
        ("No.", "[0]"),
        ("No.", "temperature; drop table"),
        ("No.", "<img src=x onerror=alert(1)>"),
        ("No.", "TEMPERATURE"),
        ("Unsupported parameter: 'messages'", None),
        ("Unknown parameter: __class__", None),
        ("Unsupported parameter: ''", None),
        ("prompt is not currently supported", None),
        ("The model is not supported", None),
        ("a" * 5_000 + " is not supported", None),
        ("unsupported parameter" * 2_000, None),
    ],
)
def test_nothing_is_offered_for_what_is_not_set_or_is_needed(message: str, param: str | None) -> None:
    assert removable(BadRequest(message, param=param), ALL) is None


def test_what_is_named_apart_counts_and_not_what_the_words_say() -> None:
    assert removable(BadRequest("Unsupported parameter: 'seed'", param="temperature"), ALL) == "temperature"


@pytest.mark.parametrize(
    "error",
    [
        BadRequest("Too long.", code="context_length_exceeded", param="stop"),
        InvalidRequest("Wrong.", param="stop"),
        RateLimited("Unsupported parameter: stop", param="stop"),
        PlaygroundError("Unsupported parameter: stop"),
    ],
)
def test_other_failures_are_not_about_a_parameter(error: PlaygroundError) -> None:
    assert removable(error, ALL) is None


# --- the table ---


def test_the_table_says_where_it_is_from_and_when() -> None:
    assert set(TABLE) == {"source", "as_of", "rules", "engine"}
    assert len(TABLE["source"]) > 20
    assert date.fromisoformat(TABLE["as_of"]) <= datetime.now(UTC).date()


@pytest.mark.parametrize("rule", TABLE["rules"], ids=lambda rule: str(rule["models"]))
def test_every_rule_is_well_formed(rule: dict[str, Any]) -> None:
    assert {"models", "efforts", "refuses"} <= set(rule) <= {"models", "efforts", "refuses", "only", "offers"}
    assert not re.compile(rule["models"]).fullmatch("")
    assert rule["efforts"] is None or set(rule["efforts"]) <= {"unset", "none", *EFFORTS}
    assert set(rule["refuses"]) | set(rule.get("offers", {})) <= KNOWN
    assert set(rule["refuses"].values()) <= {"model", "effort"}
    assert set(rule.get("only", {})) <= set(rule["refuses"])
    assert all(words and len(set(words)) == len(words) for words in rule.get("offers", {}).values())


def test_what_the_engine_lacks_is_named_as_requests_name_it() -> None:
    assert set(TABLE["engine"]) <= KNOWN
    assert set(TABLE["engine"].values()) == {"engine"}


@pytest.mark.parametrize("rule", [rule for rule in TABLE["rules"] if "offers" in rule], ids=lambda r: str(r["models"]))
def test_what_is_offered_is_known_to_the_parameter(rule: dict[str, Any]) -> None:
    options = {parameter.name: parameter.options for parameter in CHAT}
    for param, words in rule["offers"].items():
        assert set(words) <= set(options[param])
