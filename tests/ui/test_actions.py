"""What the header, History, Usage and Tokenizer are asked for over HTTP: anything may come, nothing may break."""

from __future__ import annotations

import base64
import io
import zipfile
from typing import Any

import pytest

from playground.deps import Deps
from playground.ui import chat, complete, edit, header, history, tokenizer, usage
from playground.ui.events import Visit
from playground.ui.running import Inputs, submit
from tests.fakes.helpers import CANARY
from tests.ui.test_handlers import GOOD, HOSTILE, MODEL

TABS: Any = {
    name: type("Built", (), {"tab": tab})
    for name, tab in (("complete", complete.TAB), ("chat", chat.TAB), ("edit", edit.TAB))
}
ACTIONS = ("list", "load", "save", "rename", "delete", "export", "import", "share", "code")


def act(deps: Deps, value: Any, **changes: Any) -> dict[str, Any]:
    held = {"editors": GOOD, "model": MODEL, "params": {"temperature": 0.5}, "variables": {}, **changes}
    said: dict[str, Any] = header.act(deps, TABS, Visit(), value, **held)[0]
    return said


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: repr(value)[:40])
def test_a_hostile_value_in_any_place_of_the_header_is_said_and_no_crash(
    deps: Deps, value: Any, caplog: pytest.LogCaptureFixture
) -> None:
    act(deps, value)
    for action in ACTIONS:
        for field in ("id", "name", "mode", "text", "replace"):
            act(deps, {"action": action, "mode": "complete", "name": "x", field: value})
    for mode in GOOD:
        for action in ("save", "share", "code"):
            ask = {"action": action, "mode": mode, "name": "x"}
            act(deps, ask, editors={**GOOD, mode: value})
            for field in ("model", "params", "variables"):
                act(deps, ask, **{field: value})
    assert "a handler failed" not in caplog.text


@pytest.mark.parametrize("mode", GOOD)
def test_what_is_saved_loads_as_it_was(deps: Deps, mode: str) -> None:
    said = act(deps, {"action": "save", "mode": mode, "name": "Mine"})
    assert said["done"] == "preset_saved"
    (own,) = [preset for preset in said["presets"] if not preset.get("builtin")]
    loaded = header.act(deps, TABS, Visit(), {"action": "load", "id": own["id"]}, GOOD, "", {}, {})
    places = dict(zip(("complete", "chat", "edit"), loaded[1:4], strict=True))
    field = {"complete": "text", "chat": "messages", "edit": "instruction"}[mode]
    assert places[mode][field] == GOOD[mode][field]
    assert loaded[5] == {"temperature": 0.5}
    assert loaded[7]["mode"] == mode


def test_an_example_cannot_be_renamed_or_deleted(deps: Deps) -> None:
    (first, *_) = act(deps, {"action": "list"})["presets"]
    for action in ("rename", "delete"):
        said = act(deps, {"action": action, "id": first["id"], "name": "x"})
        assert "stays as it is" in said["notice"]["message"]


def test_a_name_that_is_taken_is_refused_and_replaced_only_when_meant(deps: Deps) -> None:
    ask = {"action": "save", "mode": "complete", "name": "Mine"}
    act(deps, ask)
    assert "already here" in act(deps, ask)["notice"]["message"]
    assert act(deps, {**ask, "replace": True})["done"] == "preset_saved"
    assert len(deps.store.presets()) == 1


def test_view_code_has_no_key_and_says_what_was_left_out(deps: Deps) -> None:
    visit = Visit()
    visit.learned.learn(MODEL, None, "temperature")
    said = header.act(deps, TABS, visit, {"action": "code", "mode": "chat"}, GOOD, MODEL, {"temperature": 0.5}, {})[0]
    assert said["dialog"]["left_out"] == [["temperature", "learned"]]
    assert "temperature" not in said["dialog"]["request"]
    assert CANARY not in repr(said)


async def test_the_open_tab_comes_as_a_program_or_says_why_not(deps: Deps) -> None:
    for mode in ("complete", "chat", "edit"):
        said = await header.deploy(deps, TABS, Visit(), {"mode": mode, "language": "es"}, GOOD, MODEL, {}, {})
        with zipfile.ZipFile(io.BytesIO(base64.b64decode(said["file"]["base64"]))) as archive:
            assert "Un modelo listo para usar" in archive.read("deploy-playground/README.md").decode()
    for asked, model in (({"mode": "history"}, MODEL), ({"mode": "chat"}, ""), ({"mode": "chat", "name": 7}, MODEL)):
        said = await header.deploy(deps, TABS, Visit(), asked, GOOD, model, {}, {})
        assert said["notice"]["message"]


@pytest.mark.parametrize("value", HOSTILE, ids=lambda value: repr(value)[:40])
async def test_a_hostile_value_in_any_place_of_the_other_tabs_is_said_and_no_crash(
    deps: Deps, value: Any, caplog: pytest.LogCaptureFixture
) -> None:
    asks: list[Any] = [value]
    for action in ("list", "open", "show", "rate", "delete"):
        asks += [{"action": action, field: value} for field in ("id", "ids", "rating", "before", "filter", "n")]
    fields = ("text", "model", "mode", "status", "rating", "since", "until", "cost", "offset")
    asks += [{"action": "list", "filter": {field: value}} for field in fields]
    for ask in asks:
        assert isinstance((await history.act(deps, ask))[0], dict)
    for ask in (value, {"format": "csv", "filter": value}, {"format": value}):
        assert [part async for part in history.exported(deps, ask)]
    for ask in (value, {"days": value}, {"offset": value}, {"whose": value}):
        assert isinstance(await usage.used(deps, ask, host=True), dict)
    for ask in (value, {"text": value}, {"encoding": value}, {"source": "chat"}):
        assert isinstance(await tokenizer.tokenized(deps, ask, value, value), dict)
    assert "a handler failed" not in caplog.text


async def test_history_lists_shows_rates_and_deletes(deps: Deps) -> None:
    for _ in range(2):
        _ = [update async for update in submit(deps, complete.TAB, Visit(), Inputs(GOOD["complete"], MODEL, {}, {}))]
    said, *_ = await history.act(deps, {"action": "list", "n": 1})
    first, second = said["rows"]
    assert (said["n"], said["more"], said["models"]) == (1, None, [MODEL])
    assert (first["prompt"], first["answer"]) == ("Say ", "Hello, world!")
    rated, *_ = await history.act(deps, {"action": "rate", "id": first["id"], "rating": -1})
    assert rated["rated"] == {"id": first["id"], "rating": -1}
    both, *_ = await history.act(deps, {"action": "show", "ids": [first["id"], second["id"]]})
    assert [run["rating"] for run in both["detail"]] == [-1, None]
    await history.act(deps, {"action": "delete", "ids": [first["id"]]})
    gone, *_ = await history.act(deps, {"action": "show", "ids": [first["id"]]})
    assert "no longer here" in gone["notice"]["message"]
