"""The handlers behind the tabs, called as plain functions: over HTTP anybody can call them with anything."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import gradio as gr
import pytest

from playground.deps import Deps
from playground.errors import EngineError
from playground.ui import chat, complete, edit
from playground.ui.events import Visit
from playground.ui.running import Inputs, Tab, count, submit
from playground.ui.sidebar import load, marks_for, panel_for
from tests.fakes import payloads
from tests.fakes.helpers import until
from tests.fakes.server import FakeServer

MODEL = "server/fake"
TABS = {"complete": complete.TAB, "chat": chat.TAB, "edit": edit.TAB}

HOSTILE: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    float("nan"),
    10**400,
    "",
    "\x00",
    "\ud800",
    [],
    [[]],
    {},
    {"text": None},
    {"text": 7, "marks": 7},
    {"text": "a", "marks": 7},
    {"text": "a", "marks": [[0], ["0", "1"], [1, 0], [0, 99], [True, False], [0, 10**30]]},
    {"temperature": "hot", "n": [], "stop": 7, "max_tokens": {}},
    {"temperature": float("inf")},
    {"n": 10**6},
    {"max_tokens": -1},
    {"stop": [1, None, {}]},
    {"logit_bias": "{" * 10_000},
    {"__class__": "x", "prompt": "another", "endpoint": "other"},
    {"session": {"tokens": "many", "cost": "NaN"}},
    {"session": {"tokens": -5, "cost": "1e9999999"}},
    {"session": {"tokens": True, "cost": {}}},
)

GOOD: dict[str, Any] = {
    "complete": {"text": "Say ", "marks": [], "busy": False},
    "chat": {"system": "Be brief.", "messages": [{"role": "user", "content": "Say hello"}], "run": 3},
    "edit": {"input": "helo", "instruction": "Fix it", "run": 3},
}


async def run(
    deps: Deps,
    main: Any,
    model: Any = MODEL,
    params: Any = None,
    *,
    tab: Tab = complete.TAB,
    visit: Visit | None = None,
) -> list[Any]:
    updates = submit(deps, tab, visit or Visit(), Inputs(main, model, params, {}))
    return [update async for update in updates]


def text(value: str) -> dict[str, Any]:
    return {"text": value, "marks": [], "busy": False}


async def test_submit_continues_the_text_and_marks_it(deps: Deps) -> None:
    updates = await run(deps, text("👋 "))
    editor, choices, last = updates[-1]
    assert editor == {"text": "👋 Hello, world!", "marks": [[3, 16]], "busy": False, "run": 0}
    assert choices["cards"] == []
    assert last["cells"][-1]["text"] == "11 {tokens}"
    assert updates[0][0]["busy"] is True


async def test_a_chat_answers_below_and_an_edit_beside(deps: Deps, fake: FakeServer) -> None:
    answer, _, _ = (await run(deps, GOOD["chat"], tab=chat.TAB))[-1]
    assert answer == {
        "run": 3, "busy": False, "text": "Hello, world!", "reasoning": "", "calls": [], "finish": "stop"
    }  # fmt: skip
    assert fake.requests[-1].body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Say hello"},
    ]
    output, _, _ = (await run(deps, GOOD["edit"], tab=edit.TAB))[-1]
    assert output == {"run": 3, "busy": False, "text": "Hello, world!"}
    assert "Fix it" in fake.requests[-1].body["messages"][1]["content"]
    kept = deps.store.runs(limit=1)[0]
    assert (kept.mode, kept.request["input"], kept.request["instruction"]) == ("edit", "helo", "Fix it")


async def test_the_sessions_total_is_one_for_all_tabs(deps: Deps) -> None:
    visit = Visit()
    await run(deps, GOOD["complete"], visit=visit)
    _, _, last = (await run(deps, GOOD["chat"], tab=chat.TAB, visit=visit))[-1]
    assert last["cells"][-1]["text"] == "22 {tokens}"


@pytest.mark.parametrize("mode", TABS)
@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: repr(value)[:40])
async def test_a_hostile_value_in_any_place_is_a_state_and_no_crash(
    deps: Deps, value: Any, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    tab = TABS[mode]
    good: dict[str, Any] = {"main": GOOD[mode], "model": MODEL, "params": {"n": 1}, "variables": {}}
    for place in good:
        inputs = Inputs(**{**good, place: value})
        updates = [update async for update in submit(deps, tab, Visit(), inputs)]
        main, _, last = updates[-1]
        assert isinstance(last, dict)
        assert not isinstance(main, dict) or "busy" not in main or main["busy"] is False
        assert isinstance(await count(deps, tab, inputs), dict)
    panel_for(deps, value, value)
    marks_for(deps, value, value)
    async for _ in load(deps, value):
        pass
    # What a person can cause is never reported as a fault of the app.
    assert "a handler failed" not in caplog.text


async def test_an_unknown_model_is_named_and_nothing_is_sent(deps: Deps, fake: FakeServer) -> None:
    for name in ("", None, "x" * 300, "server/a\nb"):
        editor, _, last = (await run(deps, text("Say "), name))[-1]
        assert last["notice"]["kind"] == "InvalidRequest"
        assert editor["text"] == "Say "
        assert editor["busy"] is False
    assert not [request for request in fake.requests if request.path == "/v1/completions"]


async def test_a_second_run_in_the_same_tab_waits_its_turn(deps: Deps, fake: FakeServer) -> None:
    visit = Visit()
    first = asyncio.create_task(run(deps, text("Say "), "server/fault-stall_midstream", visit=visit))
    await until(lambda: any(request.path == "/v1/completions" for request in fake.requests))
    second = await run(deps, text("Say "), visit=visit)
    assert second[-1][2]["notice"]["message"] == "The last run has not ended yet."
    beside = await run(deps, GOOD["chat"], tab=chat.TAB, visit=visit)
    assert beside[-1][0]["text"] == "Hello, world!"
    other = await run(deps, text("Say "), visit=Visit())
    assert other[-1][0]["text"] == "Say Hello, world!"
    visit.stop("complete")
    # Who stopped it need not wait for its end: the next run does.
    assert (await run(deps, {**text("Say "), "run": 2}, visit=visit))[-1][2]["notice"] is None
    assert (await first)[-1][0] == {"text": "Say Hello,", "marks": [[4, 10]], "busy": False, "run": 0}


@pytest.mark.parametrize("mode", TABS)
async def test_stop_is_heard_while_the_engine_starts(
    deps: Deps, fake: FakeServer, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("playground.ui.running._is_starting", lambda *_: True)
    monkeypatch.setattr(deps, "engine_ready", never)
    visit = Visit()
    running = asyncio.create_task(run(deps, {**GOOD[mode], "run": 4}, tab=TABS[mode], visit=visit))
    await until(lambda: mode in visit.runs)
    await asyncio.sleep(0)
    visit.stop(mode)
    main, choices, last = (await running)[-1]
    assert (main["busy"], main["run"], choices) == (False, 4, gr.skip())
    assert last["notice"]["key"] == "notice_stopped_unsent"
    assert not [request for request in fake.requests if "completions" in request.path]
    assert visit.runs == {}


async def test_an_engine_that_does_not_start_says_why(deps: Deps, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails() -> None:
        raise EngineError("The engine did not start.", hint="Look into its log.")

    monkeypatch.setattr("playground.ui.running._is_starting", lambda *_: True)
    monkeypatch.setattr(deps, "engine_ready", fails)
    editor, _, last = (await run(deps, text("Say ")))[-1]
    assert (editor["text"], editor["busy"]) == ("Say ", False)
    assert last["notice"]["message"] == "The engine did not start."


async def test_what_has_come_stays_whatever_fails_after_it(deps: Deps, monkeypatch: pytest.MonkeyPatch) -> None:
    for mode in TABS:
        with monkeypatch.context() as broken:
            broken.setattr("playground.ui.running.present.last_run", lambda *_, **__: 1 / 0)
            main, _, last = (await run(deps, {**GOOD[mode], "run": 4}, tab=TABS[mode]))[-1]
        assert main["text"].endswith("Hello, world!")
        assert (main["busy"], main["run"], last["notice"]["tone"]) == (False, 4, "error")


@pytest.mark.parametrize("mode", TABS)
async def test_answers_beside_a_refused_run_stay_where_they_are(deps: Deps, mode: str) -> None:
    updates = await run(deps, GOOD[mode], "server/fault-401", tab=TABS[mode])
    assert [choices for _, choices, _ in updates] == [gr.skip()] * len(updates)
    assert updates[-1][2]["notice"]["tone"] == "error"


@pytest.mark.parametrize("mode", TABS)
async def test_half_a_character_costs_neither_the_prompt_nor_the_answer(
    deps: Deps, fake: FakeServer, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payloads, "encode", lambda value: json.dumps(value).encode())
    monkeypatch.setattr(fake, "tokens", ("Hi", "\ud83d", "\ude00", " there", "\ud83d"))
    given = json.loads(re.sub("Say |hello|helo", r"\\ud83d", json.dumps(GOOD[mode])))
    main, _, last = (await run(deps, given, params={"logprobs": 1}, tab=TABS[mode]))[-1]
    assert main["text"].endswith("Hi😀 there�")
    assert last["notice"] is None
    (kept,) = deps.store.runs(limit=1)
    assert kept.choices[0].text == "Hi😀 there�"
    assert "�" in json.dumps(kept.request, ensure_ascii=False)


async def test_several_answers_come_to_the_conversation_at_their_end(deps: Deps) -> None:
    updates = await run(deps, GOOD["chat"], params={"n": 3}, tab=chat.TAB)
    assert all(main.get("several", []) == [] for main, _, _ in updates if main["busy"])
    last = updates[-1][0]
    assert [answer["text"] for answer in last["several"]] == ["Hello, world!"] * 3
    assert last["several"][0]["finish"] == "stop"


async def test_the_panel_follows_the_models_context(deps: Deps) -> None:
    update = panel_for(deps, "server/fake-vllm", {})
    (length,) = [row for row in update.props["specs"] if row["name"] == "max_tokens"]
    assert length["high"] == 4096


async def test_the_picker_lists_every_model_and_keeps_the_remembered_one(deps: Deps) -> None:
    for remembered, chosen in ((None, "server/fake"), ("server/fake-vllm", "server/fake-vllm"), (7, "server/fake")):
        picker, _ = [update async for update in load(deps, remembered)][-1]
        assert picker.value == chosen
        assert sum(len(group["items"]) for group in picker.props["groups"]) == 3


@pytest.mark.parametrize(("mode", "tokens"), [("complete", 1), ("chat", 12), ("edit", 46)])
async def test_the_counter_is_the_servers_own_tokenizer(deps: Deps, mode: str, tokens: int) -> None:
    line = await count(deps, TABS[mode], Inputs(GOOD[mode], MODEL, {"max_tokens": 10}, {}))
    assert line["cells"][0]["text"] == f"{tokens} {{tokens}}"


async def test_variables_are_filled_in_what_is_sent_and_stay_in_what_is_kept(deps: Deps, fake: FakeServer) -> None:
    inputs = Inputs(text("Say {{word}} "), MODEL, {}, {"word": "hello", "other": "x", "load": "1"})
    editor, _, _ = [update async for update in submit(deps, complete.TAB, Visit(), inputs)][-1]
    assert fake.requests[-1].body["prompt"] == "Say hello "
    assert editor["text"] == "Say {{word}} Hello, world!"
    kept = deps.store.runs(limit=1)[0]
    assert (kept.request["prompt"], kept.request["variables"]) == ("Say {{word}} ", {"word": "hello"})
    assert kept.effective_request["prompt"] == "Say hello "


async def test_a_variable_without_a_value_is_asked_for_and_nothing_is_sent(deps: Deps, fake: FakeServer) -> None:
    before = len(fake.requests)
    _, _, last = (await run(deps, text("Say {{word}} ")))[-1]
    assert "{{word}}" in last["notice"]["message"]
    assert len(fake.requests) == before


async def test_a_conversation_that_does_not_fit_says_what_to_cut(deps: Deps, fake: FakeServer) -> None:
    long = {"messages": [{"role": "user", "content": "word " * 5_000}], "system": "", "run": 1}
    _, _, last = (await run(deps, long, "server/fake-vllm", tab=chat.TAB))[-1]
    assert last["notice"]["kind"] == "ContextExceeded"
    assert "Delete the oldest messages" in last["notice"]["hint"]
    assert not [request for request in fake.requests if request.path == "/v1/chat/completions"]


async def test_an_edit_without_an_instruction_is_asked_for(deps: Deps) -> None:
    _, _, last = (await run(deps, {"input": "a", "instruction": " ", "run": 1}, tab=edit.TAB))[-1]
    assert last["notice"]["message"] == "There is no instruction."


async def test_a_server_that_fails_at_counting_is_still_asked(deps: Deps, fake: FakeServer) -> None:
    fake.enqueue("500")  # what /tokenize answers
    answer, _, _ = (await run(deps, GOOD["chat"], "server/fake-vllm", tab=chat.TAB))[-1]
    assert answer["text"] == "Hello, world!"
    assert [request.path for request in fake.requests[-2:]] == ["/tokenize", "/v1/chat/completions"]
