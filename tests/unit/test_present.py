"""What the page shows of what happened: plain values in, plain values out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from playground.accepts import LeftOut
from playground.client_errors import from_body
from playground.errors import ConnectionFailed, InvalidRequest, RateLimited, StoreError
from playground.pricing import estimate
from playground.runner import Progress
from playground.streaming import RunState
from playground.tokens import TokenCount
from playground.types import (
    Choice,
    CompletionRequest,
    Delta,
    Endpoint,
    Failed,
    Finished,
    Loading,
    Retrying,
    Run,
    TokenLogprob,
    Usage,
)
from playground.ui import present
from playground.ui.present import Page


def asked(**changes: Any) -> CompletionRequest:
    return CompletionRequest(**{"endpoint": "server", "model": "m", "prompt": "Say", **changes})


def state(*events: Any) -> RunState:
    made = RunState()
    for event in events:
        made.apply(event)
    return made


def progress(status: Any = "done", *, said: RunState | None = None, **changes: Any) -> Progress:
    store_error = changes.pop("store_error", None)
    run = Run(
        id="1",
        created_at=datetime(2026, 11, 1, tzinfo=UTC),
        mode="complete",
        endpoint="server",
        model="m",
        status=status,
        request={},
        effective_request={},
        choices=(Choice(index=0, text="hello", finish_reason="stop"),),
    )
    return Progress(replace(run, **changes), said or state(), store_error)


def cells(value: dict[str, Any]) -> dict[str, str]:
    return {cell["key"]: cell["text"] for cell in value["cells"]}


# --- the editor ---


@pytest.mark.parametrize(("text", "length"), [("", 0), ("abc", 3), ("ñ", 1), ("😀", 2), ("👩‍👧", 5), ("\ud83d", 1)])
def test_length_is_what_the_browser_counts(text: str, length: int) -> None:
    assert present.utf16(text) == length


def test_what_is_generated_is_marked_behind_an_emoji() -> None:
    page = Page("a😀").with_generated("b😀").with_generated("c")
    assert page == Page("a😀b😀c", ((3, 6), (6, 7)))
    assert page.value(busy=True) == {"text": "a😀b😀c", "marks": [[3, 6], [6, 7]], "busy": True}


def test_nothing_generated_marks_nothing() -> None:
    assert Page("a").with_generated("") == Page("a")


@pytest.mark.parametrize(
    ("marks", "kept"),
    [
        ([[0, 1], [1, 3]], ((0, 1), (1, 3))),
        ([[0, 2], [1, 3]], ((0, 2),)),
        ([[2, 3], [0, 1]], ((2, 3),)),
        ([[1, 1], [3, 2], [-1, 1], [0, 99]], ()),
        ([[0, True], ["0", 1], [0.0, 1], [0], [0, 1, 2], None, "ab", {}], ()),
        (None, ()),
    ],
)
def test_marks_that_make_no_sense_are_dropped(marks: Any, kept: tuple[tuple[int, int], ...]) -> None:
    assert Page.read({"text": "a😀", "marks": marks}).marks == kept


@pytest.mark.parametrize("marks", [5, True, 1.5, "ab", {"a": 1}])
def test_marks_of_another_kind_are_dropped_too(marks: Any) -> None:
    assert Page.read({"text": "abc", "marks": marks}).marks == ()


@pytest.mark.parametrize("value", [None, 5, "text", [], {}, {"text": None}, {"text": 5}])
def test_an_editor_without_a_text_is_refused(value: Any) -> None:
    with pytest.raises(InvalidRequest):
        Page.read(value)


@pytest.mark.parametrize(
    ("echo", "text", "shown"),
    [
        (None, " hi", "Say hi"),
        (True, "Say hi", "Say hi"),
        (True, "Sa", "Say"),
        (True, "", "Say"),
        (None, "Say", "SaySay"),
    ],
)
def test_an_echoed_prompt_is_not_written_twice(echo: bool | None, text: str, shown: str) -> None:
    assert present.continued(Page("Say"), asked(echo=echo), state(Delta(0, text))).text == shown


def test_several_choices_wait_beside_the_page() -> None:
    page, said = Page("Say"), state(Delta(0, "a"), Delta(1, "b"))
    assert present.continued(page, asked(n=2), said) is page
    shown = present.cards(asked(n=3), said, busy=True, run=1)
    assert [card["text"] for card in shown["cards"]] == ["a", "b", ""]
    assert (shown["keep"], shown["busy"], shown["echo"]) == (True, True, False)


def test_one_choice_without_probabilities_has_no_card() -> None:
    assert present.cards(asked(), state(Delta(0, "a")), busy=False, run=1) == {"cards": []}


def test_a_card_has_the_probabilities_that_were_asked_for() -> None:
    said = state(Delta(0, "a", (TokenLogprob("a", -0.123456, (("a", -0.123456), ("b", -2.0))),)), Finished(0, "stop"))
    (card,) = present.cards(asked(logprobs=2), said, busy=False, run=1)["cards"]
    assert card["tokens"] == [["a", -0.1235, [["a", -0.1235], ["b", -2.0]]]]
    assert card["finish"] == "stop"
    first = state(Delta(0, "a", (TokenLogprob("a", None),)))
    assert present.cards(asked(logprobs=0), first, busy=False, run=1)["cards"][0]["tokens"] == [["a", None, []]]


# --- the next run ---


def next_run(tokens: int = 100, *, exact: bool = True, context: int | None = 200, max_tokens: int = 50) -> Any:
    said = estimate(model="gpt-4o", kind="openai", prompt_tokens=tokens, max_tokens=max_tokens, context_length=context)
    return present.next_run(TokenCount(tokens, "o200k_base", exact), said, context=context, priced_as=None)


@pytest.mark.parametrize(
    ("max_tokens", "note", "tone"), [(99, "100%", ""), (100, "100%", ""), (101, "{too_long}", "limit")]
)
def test_the_context_is_full_only_beyond_its_last_token(max_tokens: int, note: str, tone: str) -> None:
    cell = next(cell for cell in next_run(max_tokens=max_tokens)["cells"] if cell["key"] == "context")
    assert (cell["note"], cell["tone"]) == (note, tone)


def test_an_estimate_says_so() -> None:
    assert cells(next_run())["prompt"] == "100 {tokens}"
    assert cells(next_run(exact=False))["prompt"] == "≈ 100 {tokens}"
    assert "context" not in cells(next_run(context=None))


# --- the last run ---


def test_the_last_run_shows_what_it_took() -> None:
    usage = Usage(prompt_tokens=1_000, completion_tokens=5)
    done = progress(usage=usage, cost=Decimal("0.00255"), latency=1.5, time_to_first_token=0.25)
    shown = cells(present.last_run(done, session=(3_000, Decimal("0.5")), kind="openai", price_as="gpt-4o"))
    assert (shown["usage"], shown["cost"]) == ("1,000 {in} · 5 {out}", "$0.00255")
    assert (shown["latency"], shown["ttft"]) == ("1.50 s", "250 ms")
    assert shown["session"] == "3,000 {tokens} · $0.50"


def test_what_was_thought_is_said_as_a_part_of_what_was_written() -> None:
    usage = Usage(prompt_tokens=7, completion_tokens=1_206, reasoning_tokens=1_200)
    done = progress(usage=usage, latency=1.0)
    (cell,) = [
        each
        for each in present.last_run(done, session=(0, Decimal(0)), kind="engine", price_as="gpt-4o")["cells"]
        if each["key"] == "usage"
    ]
    assert (cell["text"], cell["note"]) == ("7 {in} · 1,206 {out}", "{of_which} 1,200 {of_thinking}")


def test_an_answer_that_was_cut_while_it_was_thought_says_so() -> None:
    cut = Choice(index=0, text="", reasoning="Let me", finish_reason="length")
    assert present.ended(progress(choices=(cut,))) == {"tone": "info", "key": "notice_thinking_cut"}
    assert present.ended(progress(choices=(replace(cut, finish_reason="stop"),))) == {
        "tone": "info",
        "key": "notice_empty",
    }


def test_a_session_that_used_nothing_is_not_mentioned() -> None:
    assert "session" not in cells(
        present.last_run(progress(), session=(0, Decimal(0)), kind="openai", price_as="gpt-4o")
    )


def test_what_was_left_out_is_said_with_its_reason() -> None:
    said = present.with_left_out({"cells": [], "notice": None}, [LeftOut("temperature", 0.5, "model")])
    assert said["cells"][0]["text"] == "temperature"
    assert said["cells"][0]["note"] == "{left_out_model}"


def test_an_unknown_price_is_unknown_and_the_engines_is_anothers() -> None:
    done = progress(usage=Usage(prompt_tokens=1_000, completion_tokens=0, estimated=True), latency=1.0)
    other = present.last_run(done, session=(0, Decimal(0)), kind="compatible", price_as="gpt-4o")
    assert cells(other)["cost"] == "{price_unknown}"
    assert cells(other)["usage"].startswith("≈ ")
    assert (
        cells(present.last_run(done, session=(0, Decimal(0)), kind="engine", price_as="gpt-4o"))["cost"] == "≈ $0.0025"
    )


# --- notices ---


def test_a_run_that_says_it_all_needs_no_notice() -> None:
    assert present.ended(progress()) is None


@pytest.mark.parametrize(
    ("end", "key", "tone"),
    [
        (progress("stopped"), "notice_stopped", "info"),
        (progress(choices=()), "notice_empty", "info"),
        (progress(choices=(Choice(index=0, text="a", finish_reason="length"),)), "notice_cut", "info"),
        (progress(store_error=StoreError("full")), "notice_store", "error"),
        (progress("failed", said=state(Failed(ConnectionFailed("broke")))), "notice_kept", "error"),
        (progress("failed", choices=(), said=state(Failed(RateLimited("wait")))), "notice_error", "limit"),
    ],
)
def test_every_other_end_is_said(end: Progress, key: str, tone: str) -> None:
    said = present.ended(end)
    assert said is not None
    assert (said["key"], said["tone"]) == (key, tone)


def test_waiting_counts_down_and_ends_with_the_first_word() -> None:
    assert (present.waiting(state()) or {})["key"] == "notice_waiting"
    again = Retrying(2, 4, 3.0, RateLimited("too many"))
    assert present.waiting(state(Loading(2.6))) == {
        "tone": "info",
        "key": "notice_loading",
        "seconds": "3",
        "busy": True,
    }
    assert present.waiting(state(Loading(2.6), Delta(0, "a"))) is None
    said = present.waiting(state(again))
    assert said is not None
    assert (said["key"], said["attempt"], said["attempts"], said["seconds"]) == ("notice_retry", 2, 4, "3")
    assert present.waiting(state(again, Delta(0, "a"))) is None


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0 ms"),
        (0.25, "250 ms"),
        (0.9994, "999 ms"),
        (0.9995, "1.00 s"),
        (1, "1.00 s"),
        (9.99, "9.99 s"),
        (10, "10.0 s"),
    ],
)
def test_times_are_short(value: float, shown: str) -> None:
    assert present.seconds(value) == shown


@pytest.mark.parametrize(
    ("text", "marks", "asked"),
    [
        ("good ->", (), "good ->"),
        ("good -> yes", ((7, 11),), "good ->"),
        ("good -> yes, ", ((7, 11),), "good -> yes, "),
        ("😀 -> yes", ((5, 9),), "😀 ->"),
        ("a b", ((0, 1), (1, 3)), "a"),
    ],
)
def test_what_was_asked_is_the_text_without_the_answer_at_its_end(
    text: str, marks: tuple[tuple[int, int], ...], asked: str
) -> None:
    assert Page(text, marks).asked == asked


def test_what_the_engine_says_of_a_run_is_told_in_the_readers_language() -> None:
    engine = Endpoint(name="local", kind="engine", base_url="http://127.0.0.1:1/v1")
    message = (
        "The model 'mine' does not fit: it takes 238 MB with 2048 tokens of context, and PLAYGROUND_MODEL_MEMORY "
        "leaves 72 MB for it. Raise it, or choose a smaller model."
    )
    said = present.failure(from_body(engine, {"message": message, "param": "model"}, status=400))
    assert message in said["message"]
    assert "no cabe" in said["texts"]["es"][0]
    assert "72 MB" in said["texts"]["es"][0]
    assert said["texts"]["en"] == [said["message"], said["hint"]]
    # Another server's words are nobody's translation.
    assert "texts" not in present.failure(ConnectionFailed("It cannot be reached."))
