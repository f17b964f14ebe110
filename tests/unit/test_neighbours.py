"""Who is found at this machine's ports, what is said of them, and what nobody may do by answering there."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from playground.errors import InvalidRequest, PlaygroundError
from playground.neighbours import Address, Found, Neighbour, Neighbourhood
from playground.neighbours.asking import MOST
from playground.neighbours.kept import FILE, Kept, read
from playground.neighbours.types import Kind
from playground.types import Endpoint
from tests.fakes import neighbours as fakes
from tests.fakes.neighbours import Local, Route

Run = Callable[[dict[str, Route]], Local]


@pytest.fixture
def run() -> Iterator[Run]:
    """`server = run(OLLAMA)`: a program on a port of its own until the test ends."""
    with ExitStack() as running:
        yield lambda routes: running.enter_context(Local(routes))


def around(*servers: Local, file: Path | None = None, usual: Kind = "vllm") -> Neighbourhood:
    return Neighbourhood(file, addresses=[Address(usual, server.port) for server in servers])


async def only(server: Local, usual: Kind = "vllm") -> Neighbour:
    found = await around(server, usual=usual).look()
    (one,) = found.neighbours
    return one


# --- who they are, and what they say of their models ---


async def test_ollama_tells_size_weights_context_and_what_is_in_memory(run: Run) -> None:
    server = run(fakes.OLLAMA)
    found = await only(server)
    assert (found.kind, found.version, found.url, found.locked) == ("ollama", "0.13.1", f"{server.root}/v1", False)
    llama, qwen, embed = found.models
    # The one in memory has the context it was loaded with; the other the model's own.
    assert (llama.context, llama.loaded, llama.size, llama.parameters, llama.quantisation) == (
        4_096,
        True,
        2_019_393_189,
        "3.2B",
        "Q4_K_M",
    )
    assert (qwen.context, qwen.loaded, qwen.writes) == (40_960, False, True)
    assert (embed.id, embed.writes) == ("nomic-embed-text:latest", False)


async def test_lm_studio_tells_which_models_are_loaded_and_which_make_embeddings(run: Run) -> None:
    found = await only(run(fakes.LM_STUDIO))
    assert found.kind == "lmstudio"
    assert [(m.id, m.context, m.quantisation, m.loaded, m.writes) for m in found.models] == [
        ("llama-3.2-1b", 8_192, "Q4_K_M", True, True),
        ("granite-4-350m", 131_072, "Q8_0", False, True),
        ("text-embedding-nomic", 131_072, "Q4_K_M", False, False),
    ]


async def test_llama_cpp_tells_the_context_it_serves_and_the_weights(run: Run) -> None:
    found = await only(run(fakes.LLAMA_CPP))
    (model,) = found.models
    assert (found.kind, found.version, found.locked) == ("llamacpp", "b7120-abc", False)
    assert (model.id, model.context, model.size, model.quantisation, model.loaded) == (
        "smollm2",
        4_096,
        96_576_768,
        "Q4_1",
        True,
    )


async def test_vllm_tells_its_version_and_the_longest_context(run: Run) -> None:
    found = await only(run(fakes.VLLM), usual="ollama")
    assert (found.kind, found.version) == ("vllm", "0.11.0")
    assert [(model.id, model.context, model.loaded) for model in found.models] == [("Qwen/Qwen3-0.6B", 40_960, True)]


@pytest.mark.parametrize(("routes", "kind"), [(fakes.LOCKED_VLLM, "vllm"), (fakes.LOCKED_LLAMA_CPP, "llamacpp")])
async def test_a_server_that_asks_for_a_key_is_found_and_cannot_be_added(
    run: Run, routes: dict[str, Route], kind: str, tmp_path: Path
) -> None:
    here = around(run(routes), file=tmp_path / FILE)
    (found,) = (await here.look()).neighbours
    assert (found.kind, found.locked) == (kind, True)
    with pytest.raises(InvalidRequest, match=r"asks for a key.*PLAYGROUND_ENDPOINTS"):
        here.add(found.url, {})


async def test_all_addresses_are_looked_at_and_nobody_has_to_be_at_home(run: Run, free_port: int) -> None:
    servers = [run(routes) for routes in (fakes.OLLAMA, fakes.LM_STUDIO, fakes.LLAMA_CPP, fakes.VLLM)]
    here = Neighbourhood(addresses=[Address("vllm", free_port), *(Address("vllm", each.port) for each in servers)])
    found = await here.look()
    assert [each.kind for each in found.neighbours] == ["ollama", "lmstudio", "llamacpp", "vllm"]
    assert found.others == ()


async def test_our_own_engine_is_no_neighbour_of_itself(run: Run) -> None:
    engine, other = run(fakes.LLAMA_CPP), run(fakes.OLLAMA)
    found = await around(engine, other).look(mine=[f"http://localhost:{engine.port}/v1"])
    assert [each.kind for each in found.neighbours] == ["ollama"]
    assert engine.asked == []


# --- programs that are none ---


@pytest.mark.parametrize(
    "routes",
    [
        fakes.HTML,
        fakes.HANGS,
        fakes.FLOODS,
        fakes.DRIPS,
        {},
        {"*": fakes.said([])},
        {"*": fakes.said({"version": 7, "models": "x", "data": {"a": 1}})},
        {"*": fakes.said({"version": "1", "data": [{"id": "x", "owned_by": "somebody"}, 3, None]})},
        {"*": lambda handler: handler.give(200, b"[" * 100_000)},
        {"*": lambda handler: handler.give(200, b'{"version": ' + b"9" * 10_000 + b"}")},
        {"*": lambda handler: handler.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n")},
    ],
    ids=["web page", "hangs", "100 MB", "drips", "404", "list", "other shapes", "other", "deep", "digits", "no HTTP"],
)
async def test_another_program_is_no_neighbour_and_holds_nothing_up(run: Run, routes: dict[str, Route]) -> None:
    stranger, ollama = run(routes), run(fakes.OLLAMA)
    async with asyncio.timeout(30):  # generous: three seconds are its limit, and machines are busy
        found = await around(stranger, ollama).look()
    assert ([each.kind for each in found.neighbours], found.others) == (["ollama"], (stranger.port,))


async def test_of_an_endless_answer_little_is_taken(run: Run) -> None:
    stranger = run(fakes.FLOODS)
    await around(stranger).look()
    # What lies in the sockets' buffers has left it too: some megabytes for each of the routes asked.
    assert stranger.sent < len(stranger.asked) * (MOST + 20_000_000) < fakes.FLOOD * len(stranger.asked)


async def test_no_redirect_is_followed(run: Run) -> None:
    real = run(fakes.OLLAMA)
    leads = run(fakes.redirects(real.root))
    found = await around(leads).look()
    assert (found.neighbours, found.others, real.asked) == ((), (leads.port,), [])


async def test_no_proxy_of_the_environment_is_asked(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy, server = run(fakes.HTML), run(fakes.OLLAMA)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy.root)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert (await only(server)).kind == "ollama"
    assert proxy.asked == []


async def test_names_that_nobody_can_read_and_figures_that_are_none_are_left_out(run: Run) -> None:
    rows = [
        {"name": "good:1b", "size": -1, "details": {"parameter_size": ["x"], "quantization_level": "Q4\n"}},
        {"name": "good:1b", "size": 1},
        {"name": "bad\x1b[31m"},
        {"name": "x" * 201},
        {"name": 7},
        {},
        "no object",
    ]
    routes = {**fakes.OLLAMA, "GET /api/tags": fakes.said({"models": rows}), "POST /api/show": fakes.said([1])}
    (model,) = (await only(run(routes))).models
    assert (model.id, model.context, model.parameters, model.quantisation) == ("good:1b", None, "", "")


async def test_an_ollama_without_models_answers_null_and_is_one_all_the_same(run: Run) -> None:
    routes = {**fakes.OLLAMA, "GET /api/tags": fakes.said({"models": None})}
    assert (await only(run(routes))).models == ()


async def test_what_is_slow_model_by_model_costs_only_itself(run: Run) -> None:
    slow = {**fakes.OLLAMA, "POST /api/show": fakes.HANGS["*"]}
    found = await only(run(slow))
    assert [model.context for model in found.models] == [4_096, None, None]


# --- added, kept, removed ---


def env(name: str = "mine", url: str = "http://10.0.0.7:8000/v1") -> Endpoint:
    return Endpoint(name=name, base_url=url, kind="compatible")


async def looked(server: Local, file: Path) -> Neighbourhood:
    here = around(server, file=file)
    await here.look()
    return here


async def test_what_was_added_is_there_next_time_without_a_key_and_for_its_owner_alone(
    run: Run, tmp_path: Path
) -> None:
    server, file = run(fakes.OLLAMA), tmp_path / "data" / FILE
    here = await looked(server, file)
    added = here.add(f"{server.root}/v1", {})
    assert (added.name, added.kind, added.base_url, added.api_key) == (
        "ollama",
        "compatible",
        f"{server.root}/v1",
        None,
    )
    assert json.loads(file.read_text()) == {
        "version": 1,
        "endpoints": [{"name": "ollama", "kind": "ollama", "url": f"{server.root}/v1"}],
    }
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    assert Neighbourhood(file).join([env()]) == (added,)


async def test_nothing_is_added_twice_under_whatever_name(run: Run, tmp_path: Path) -> None:
    server = run(fakes.OLLAMA)
    here, url = await looked(server, tmp_path / FILE), f"{server.root}/v1"
    added = here.add(url, {})
    assert here.add(url, {added.name: added}) == added
    named = env("home", f"http://localhost:{server.port}/v1")
    assert here.add(url, {"home": named}) == named
    assert len(here.kept) == 1


async def test_a_name_that_is_taken_gets_a_number(run: Run, tmp_path: Path) -> None:
    here, url = await looked(server := run(fakes.OLLAMA), tmp_path / FILE), f"{server.root}/v1"
    others = {"ollama": env("ollama"), "ollama-2": env("ollama-2", "http://10.0.0.8:1/v1")}
    assert here.add(url, others).name == "ollama-3"


def test_what_the_settings_name_goes_first_at_the_next_start(tmp_path: Path) -> None:
    file = tmp_path / FILE
    rows = [
        {"name": "ollama", "kind": "ollama", "url": "http://127.0.0.1:11434/v1"},
        {"name": "vllm", "kind": "vllm", "url": "http://127.0.0.1:8000/v1"},
    ]
    file.write_text(json.dumps({"version": 1, "endpoints": rows}))
    others = [env("ollama"), env("fast", "http://localhost:8000/v1")]
    joined = Neighbourhood(file).join(others)
    assert [(each.name, each.base_url) for each in joined] == [("ollama-2", "http://127.0.0.1:11434/v1")]


async def test_removed_is_gone_for_good_and_only_what_was_added_can_be(run: Run, tmp_path: Path) -> None:
    server, file = run(fakes.OLLAMA), tmp_path / FILE
    here = await looked(server, file)
    here.add(f"{server.root}/v1", {})
    here.remove("ollama")
    assert (here.kept, read(file)) == ((), ())
    for name in ("ollama", "local", "mine"):
        with pytest.raises(InvalidRequest, match="no server of this name that was added"):
            here.remove(name)


async def test_only_what_was_found_can_be_added(run: Run, tmp_path: Path) -> None:
    here = await looked(run(fakes.OLLAMA), tmp_path / FILE)
    for url in ("http://10.0.0.1/v1", "http://169.254.169.254/latest", "", f"{run(fakes.VLLM).root}/v1"):
        with pytest.raises(InvalidRequest, match="No server was found"):
            here.add(url, {})
    assert not (tmp_path / FILE).exists()


async def test_two_processes_add_without_losing_the_others(run: Run, tmp_path: Path) -> None:
    one, two, file = run(fakes.OLLAMA), run(fakes.VLLM), tmp_path / FILE
    first, second = await looked(one, file), await looked(two, file)
    first.add(f"{one.root}/v1", {})
    second.add(f"{two.root}/v1", {})
    assert {each.name for each in read(file)} == {"ollama", "vllm"}


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"endpoints": 3}', '{"endpoints": {"a": 1}}', "[" * 100_000, "\ufeff{}", '{"version": 1}'],
)
async def test_a_damaged_file_keeps_nobody_from_starting_and_is_set_aside(
    run: Run, tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    server, file = run(fakes.OLLAMA), tmp_path / FILE
    file.write_text(text)
    here = await looked(server, file)
    assert here.kept == ()
    assert "cannot be read" in caplog.text
    here.add(f"{server.root}/v1", {})
    assert [each.name for each in read(file)] == ["ollama"]


@pytest.mark.parametrize(
    "row",
    [
        {"url": "http://evil.example:11434/v1"},
        {"url": "https://127.0.0.1:11434/v1"},
        {"url": "http://127.0.0.1/v1"},
        {"url": "http://user:pw@127.0.0.1:11434/v1"},
        {"url": "http://127.0.0.1:port/v1"},
        {"url": "http://127.0.0.1:99999/v1"},
        {"url": 7},
        {"name": "local"},
        {"name": "openai"},
        {"name": "a/b"},
        {"name": ["x"]},
        {"kind": "other"},
        {"kind": ["ollama"]},
    ],
)
def test_a_file_that_leads_elsewhere_is_not_followed(tmp_path: Path, row: dict[str, Any]) -> None:
    good = {"name": "vllm", "kind": "vllm", "url": "http://127.0.0.1:8000/v1"}
    bad = {"name": "ollama", "kind": "ollama", "url": "http://127.0.0.1:11434/v1", **row}
    (tmp_path / FILE).write_text(json.dumps({"version": 1, "endpoints": [bad, good, "x"]}))
    assert read(tmp_path / FILE) == (Kept("vllm", "vllm", "http://127.0.0.1:8000/v1"),)


async def test_a_folder_that_cannot_be_written_is_said_and_nothing_is_half_added(run: Run, tmp_path: Path) -> None:
    server = run(fakes.OLLAMA)
    (tmp_path / "data").write_text("a file where the folder should be")
    here = await looked(server, tmp_path / "data" / FILE)
    with pytest.raises(PlaygroundError, match="cannot be written"):
        here.add(f"{server.root}/v1", {})
    assert here.kept == ()


def test_nothing_is_looked_at_before_it_is_asked_for(tmp_path: Path) -> None:
    assert Neighbourhood(tmp_path / FILE).found is None
    assert Found() == Found((), ())


async def test_a_port_that_takes_no_more_connections_is_nobody() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))  # bound, and not listening
        found = await Neighbourhood(addresses=[Address("vllm", full.getsockname()[1])]).look()
    assert found == Found()
