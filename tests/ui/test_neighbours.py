"""What stands behind the panel of this machine's servers: who may ask, and what a click does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from playground.deps import Deps, open_deps
from playground.neighbours import Address, Neighbourhood
from playground.neighbours.kept import FILE
from playground.types import Endpoint
from playground.ui import neighbours
from playground.ui.running import chosen
from tests.fakes import neighbours as fakes
from tests.fakes.neighbours import Local, Route
from tests.fakes.server import FakeServer

HOST = SimpleNamespace(client=SimpleNamespace(host="127.0.0.1"), headers={"host": "127.0.0.1:7860"}, request=None)


@pytest.fixture
def run() -> Iterator[Callable[[dict[str, Route]], Local]]:
    with ExitStack() as running:
        yield lambda routes: running.enter_context(Local(routes))


class Panel:
    """The panel as its script uses it."""

    def __init__(self, deps: Deps, *servers: Local) -> None:
        self.deps, self.once = deps, asyncio.Lock()
        self.who: Any = HOST
        file = deps.settings.data_dir / FILE
        deps.neighbourhood = Neighbourhood(file, addresses=[Address("vllm", each.port) for each in servers])
        self.groups: Any = None

    async def ask(self, action: Any, **more: Any) -> dict[str, Any]:
        said, *updates = await neighbours.act(
            self.deps, self.once, {"action": action, "n": 1, "language": "en", **more}, self.who
        )
        self.groups = getattr(updates[3], "props", {}).get("groups")
        return dict(said)

    def models(self) -> list[str]:
        return [item["ref"] for group in self.groups for item in group["items"]]


async def test_a_click_puts_the_models_into_the_picker_with_what_their_server_says(deps: Deps, run: Any) -> None:
    panel = Panel(deps, server := run(fakes.OLLAMA))
    said = await panel.ask("look")
    url = f"{server.root}/v1"
    place = f"127.0.0.1:{server.port}"
    row = {"title": "Ollama", "url": url, "place": place, "name": None, "kept": False, "version": "0.13.1"}
    assert said["rows"] == [{**row, "count": 2, "locked": False}]
    said = await panel.ask("add", url=url)
    assert (said["rows"][0]["name"], said["rows"][0]["kept"]) == ("ollama", True)
    # The model that makes embeddings writes nothing.
    added = [ref for ref in panel.models() if ref.startswith("ollama/")]
    assert sorted(added) == ["ollama/llama3.2:3b", "ollama/qwen3:0.6b"]
    items = {item["ref"]: item for group in panel.groups for item in group["items"]}
    llama = items["ollama/llama3.2:3b"]
    assert (llama["context"], llama["about"], llama["size"], llama["loaded"], llama["local"]) == (
        4_096,
        "3.2B · Q4_K_M",
        2_019_393_189,
        True,
        True,
    )
    assert items["ollama/qwen3:0.6b"]["loaded"] is False
    assert chosen(deps, "ollama/qwen3:0.6b").context_length == 40_960


async def test_an_added_server_answers_and_is_there_after_a_restart(deps: Deps, run: Any, make_settings: Any) -> None:
    panel = Panel(deps, server := run(fakes.LM_STUDIO))
    await panel.ask("look")
    await panel.ask("add", url=f"{server.root}/v1")
    again = open_deps(make_settings())
    try:
        await again.list_models()
        found = {info.id: info for info in again.models}
        assert set(found) == {"llama-3.2-1b", "granite-4-350m"}
        assert (found["llama-3.2-1b"].context_length, found["llama-3.2-1b"].meta["loaded"]) == (8_192, True)
    finally:
        await again.aclose()


async def test_a_second_click_adds_nothing_and_removing_takes_the_models_along(deps: Deps, run: Any) -> None:
    panel = Panel(deps, server := run(fakes.VLLM))
    await panel.ask("look")
    for _ in range(2):
        said = await panel.ask("add", url=f"{server.root}/v1")
    assert [row["name"] for row in said["rows"]] == ["vllm"]
    assert panel.models().count("vllm/Qwen/Qwen3-0.6B") == 1
    said = await panel.ask("remove", name="vllm")
    assert said["rows"][0]["name"] is None
    assert [ref for ref in panel.models() if ref.startswith("vllm/")] == []
    assert "vllm" not in deps.client.endpoints


async def test_a_server_that_the_settings_name_is_said_to_be_there(deps: Deps, run: Any, fake: FakeServer) -> None:
    server = run(fakes.LLAMA_CPP)
    deps.client.add(Endpoint(name="mine", base_url=f"http://localhost:{server.port}/v1", kind="compatible"))
    panel = Panel(deps, server)
    (row,) = (await panel.ask("look"))["rows"]
    assert (row["name"], row["kept"]) == ("mine", False)
    said = await panel.ask("remove", name="mine")
    assert "no server of this name that was added" in said["notice"]["message"]


async def test_one_that_was_stopped_stays_in_the_list_and_can_be_removed(deps: Deps, run: Any) -> None:
    with Local(fakes.OLLAMA) as server:
        panel = Panel(deps, server)
        await panel.ask("look")
        await panel.ask("add", url=f"{server.root}/v1")
    (row,) = (await panel.ask("look"))["rows"]
    assert (row["name"], row["kept"], row["silent"]) == ("ollama", True, True)
    assert (await panel.ask("remove", name="ollama"))["rows"] == []


async def test_one_that_was_stopped_between_look_and_click_is_said(deps: Deps) -> None:
    with Local(fakes.OLLAMA) as server:
        panel = Panel(deps, server)
        await panel.ask("look")
    said = await panel.ask("add", url=f"{server.root}/v1")
    assert said["notice"]["kind"] == "ConnectionFailed"


async def test_it_is_looked_for_once_at_the_start_and_then_when_asked(deps: Deps, run: Any) -> None:
    panel = Panel(deps, server := run(fakes.OLLAMA))
    first, second = await asyncio.gather(panel.ask("start"), panel.ask("start"))
    assert first["rows"] == second["rows"]
    looks = len([path for _, path in server.asked if path == "/api/version"])
    assert looks == 1
    await panel.ask("look")
    assert len([path for _, path in server.asked if path == "/api/version"]) == 2


def visitor(**changes: Any) -> Any:
    about: dict[str, Any] = {"client": SimpleNamespace(host="127.0.0.1"), "headers": {"host": "127.0.0.1:7860"}}
    return SimpleNamespace(**{"request": None, **about, **changes})


@pytest.mark.parametrize(
    ("settings", "who"),
    [
        ({"shared": True}, HOST),  # nobody has signed in
        ({"host": "0.0.0.0"}, HOST),
        ({"host": "192.168.1.2"}, HOST),
        ({"host": "lab.example"}, HOST),
        ({}, visitor(client=SimpleNamespace(host="192.168.1.9"))),
        ({}, visitor(headers={"host": "127.0.0.1:7860", "x-forwarded-for": "127.0.0.1"})),
        ({}, visitor(headers={"host": "abc.gradio.live"})),
        ({}, None),
    ],
)
async def test_for_a_visitor_nothing_is_looked_at_and_nothing_done(
    deps: Deps, run: Any, settings: dict[str, Any], who: Any
) -> None:
    panel = Panel(deps, server := run(fakes.OLLAMA))
    await panel.ask("look")
    server.asked.clear()
    deps.settings, panel.who = replace(deps.settings, **settings), who
    assert await panel.ask("start") == {"n": 1, "of": "start", "closed": True}
    for action, more in (("look", {}), ("add", {"url": f"{server.root}/v1"}), ("remove", {"name": "ollama"})):
        said = await panel.ask(action, **more)
        assert "on the machine that Playground runs on" in said["notice"]["message"]
        assert "rows" not in said
    assert server.asked == []
    assert "ollama" not in deps.client.endpoints


@pytest.mark.parametrize("value", [None, 3, "look", [], {}, {"action": ["look"]}, {"action": "add", "url": {"a": 1}}])
async def test_anything_may_be_sent_and_is_refused_in_words(deps: Deps, value: Any) -> None:
    panel = Panel(deps)
    said, *_ = await neighbours.act(deps, panel.once, value, HOST)
    assert said["notice"]["message"]


async def test_removing_a_server_while_it_answers_lets_the_run_end(deps: Deps, run: Any) -> None:
    from playground.runner import run as run_it
    from playground.types import ChatRequest, Message

    panel = Panel(deps, server := run(fakes.OLLAMA))
    await panel.ask("look")
    await panel.ask("add", url=f"{server.root}/v1")
    request = ChatRequest(endpoint="ollama", model="qwen3:0.6b", messages=(Message(role="user", content="Hi"),))
    last = None
    async for progress in run_it(request, client=deps.client, store=deps.store, counter=deps.counter, mode="chat"):
        if "ollama" in deps.client.endpoints:
            await panel.ask("remove", name="ollama")
        last = progress
    assert last is not None
    assert last.finished
    assert (last.run.status, last.run.choices[0].text) == ("done", "Hello neighbour")
