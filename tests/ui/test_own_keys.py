"""A visitor's own key: for known servers, in memory, for the visit, for nobody else, and not the host's money."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import httpx
import pytest

from playground import catalog
from playground.access import Session
from playground.deps import Deps
from playground.errors import AuthenticationFailed, InvalidRequest, PlaygroundError
from playground.limits import parse
from playground.redact import MASK, _pattern, install_log_redaction
from playground.store import HOST
from playground.types import Endpoint
from playground.ui.account import act
from playground.ui.doors import COOKIE
from playground.ui.usage import used
from playground.ui.visiting import Visiting
from tests.fakes.helpers import chat, collect, completion, failure, text_of
from tests.fakes.limiter import Limiter
from tests.fakes.server import FakeServer
from tests.ui.serving import App, served
from tests.ui.test_visitor import who

PHRASE = "open sesame"
KEY = "ana-own-canary-7Qx12"
OTHER = "eva-own-canary-9Zz34"
MODEL = "fake"


@pytest.fixture
def shared(deps: Deps) -> Deps:
    object.__setattr__(deps.settings, "shared", True)
    deps.limits = parse("visitor 1 requests/day, visitor n=2, visitor calls=100")
    return deps


def asked(fake: FakeServer) -> list[str]:
    """The keys that completions came with."""
    sent = [each for each in fake.requests if each.path.endswith("/completions")]
    return [each.headers["authorization"].removeprefix("Bearer ") for each in sent]


async def test_what_is_asked_with_it_goes_out_with_it_and_passes_no_limit(shared: Deps, fake: FakeServer) -> None:
    ana = shared.of("ana")
    made = await ana.bring_key("server", f"  {KEY}\n")
    assert (made.name, made.base_url) == ("own-server", fake.url)
    assert KEY not in repr(made)
    own = completion(endpoint="own-server", n=4)
    for _ in range(3):
        assert text_of(await collect(ana.client, own)) == "Hello, world!"
    assert asked(fake) == [KEY] * 3
    assert shared.store.ledger.spent(since=date(2000, 1, 1)) == []
    # The host's server stands beside it, with the host's key and the host's limits.
    assert text_of(await collect(ana.client, completion())) == "Hello, world!"
    assert asked(fake)[-1] not in (KEY, "none")
    assert "day" in failure(await collect(ana.client, completion())).message
    with pytest.raises(InvalidRequest):
        ana.client.bounded(completion(n=4))


async def test_its_models_stand_in_the_picker_of_its_owner_alone(shared: Deps) -> None:
    ana, eva = shared.of("ana"), shared.of("eva")
    await ana.bring_key("server", KEY)
    assert [info.ref for info in ana.models if info.endpoint == "own-server"]
    assert all(info.endpoint == "server" for info in (*eva.models, *shared.models))
    assert "own-server" not in {**eva.client.endpoints, **shared.client.endpoints, **eva.servers, **shared.servers}
    assert "own-server" in ana.servers
    assert len(await ana.list_models()) == 2 * len(await eva.list_models())


async def test_two_visitors_keys_never_meet(shared: Deps, fake: FakeServer) -> None:
    people = {"ana": KEY, "eva": OTHER}
    for name, key in people.items():
        await shared.of(name).bring_key("server", key)
    names = [name for name in people for _ in range(10)]
    await asyncio.gather(
        *(collect(shared.of(name).client, completion(endpoint="own-server", prompt=name)) for name in names)
    )
    sent = [each for each in fake.requests if each.path.endswith("/completions")]
    found = {(each.body["prompt"], each.headers["authorization"]) for each in sent}
    assert found == {(name, f"Bearer {key}") for name, key in people.items()}


async def test_once_forgotten_it_is_nowhere_and_says_so(shared: Deps, fake: FakeServer) -> None:
    ana = shared.of("ana")
    await ana.bring_key("server", KEY)
    await collect(ana.client, completion(endpoint="own-server"))
    assert KEY in shared.keys
    ana.forget_keys()
    assert (ana.own, KEY in shared.keys) == ({}, False)
    assert all(info.endpoint == "server" for info in ana.models)
    assert not [name for name in ana.client._sdks if "own-" in name]
    assert _pattern.cache_info().currsize == 0
    before = len(fake.requests)
    error = failure(await collect(ana.client, completion(endpoint="own-server")))
    assert error.key == "error.own_key_gone"
    assert len(fake.requests) == before
    # It is no other server's model, either.
    with pytest.raises(InvalidRequest, match="no longer held"):
        catalog.resolve("own-server/fake", ana.models, ana.client.endpoints)


async def test_a_stream_that_is_under_way_breaks_off(shared: Deps, fake: FakeServer) -> None:
    ana = shared.of("ana")
    await ana.bring_key("server", KEY)
    stream = ana.client.stream(completion(endpoint="own-server", model="fault-stall_midstream"))
    await anext(stream)
    ana.forget_keys()
    rest = [event async for event in stream]
    assert failure(rest).kind in ("ConnectionFailed", "InvalidRequest", "BadStream")


async def test_a_key_that_is_taken_away_while_its_server_is_asked_leaves_no_models(
    shared: Deps, fake: FakeServer
) -> None:
    ana = shared.of("ana")
    await ana.bring_key("server", KEY)
    asking = [asyncio.ensure_future(ana.relist("own-server")), asyncio.ensure_future(ana.list_models())]
    await asyncio.sleep(0)
    ana.forget_keys()
    await asyncio.gather(*asking)
    assert dict(ana.failures) == {}
    assert all(info.endpoint == "server" for info in ana.models)
    bringing = asyncio.ensure_future(ana.bring_key("server", KEY))
    while not ana.own:  # noqa: ASYNC110
        await asyncio.sleep(0)
    ana.forget_keys()
    await asyncio.wait({bringing})
    assert all(info.endpoint == "server" for info in ana.models)
    assert isinstance(bringing.exception(), PlaygroundError | None)


async def test_a_key_that_the_server_does_not_take_is_said_and_not_held(shared: Deps, fake: FakeServer) -> None:
    ana = shared.of("ana")
    fake.enqueue("401")
    with pytest.raises(AuthenticationFailed) as caught:
        await ana.bring_key("server", KEY)
    assert "brought" in caught.value.hint
    assert KEY not in str(caught.value)
    assert ana.own == {}


@pytest.mark.parametrize(
    "server", ["nowhere", "local", "own-server", "http://10.0.0.1/v1", "", None, {}, "server/../x"]
)
async def test_only_servers_that_are_offered_can_be_asked(shared: Deps, server: Any) -> None:
    with pytest.raises(InvalidRequest, match="No key can be brought"):
        await shared.of("ana").bring_key(server, KEY)


@pytest.mark.parametrize(
    "key", ["", "short", "with a space in it", "x" * 401, "clé-accentuée", None, 5, "a\nb\nc\nd\ne"]
)
async def test_what_is_no_key_is_refused(shared: Deps, key: Any, fake: FakeServer) -> None:
    before = len(fake.requests)
    with pytest.raises(InvalidRequest, match="no key"):
        await shared.of("ana").bring_key("server", key)
    assert len(fake.requests) == before


async def test_the_host_brings_none_and_may_switch_it_off(shared: Deps) -> None:
    with pytest.raises(InvalidRequest):
        await shared.bring_key("server", KEY)
    assert shared.of("ana").offered_keys == ("server", "openai")
    object.__setattr__(shared.settings, "own_keys", False)
    assert shared.of("ana").offered_keys == ()
    with pytest.raises(InvalidRequest):
        await shared.of("ana").bring_key("server", KEY)


async def test_servers_without_a_key_and_the_engine_are_not_offered(shared: Deps) -> None:
    shared.client.add(Endpoint(name="lan", kind="compatible", base_url="http://10.0.0.7/v1"))
    shared.client.add(Endpoint(name="local", kind="engine", base_url="http://127.0.0.1:9/v1", api_key="engine-key"))
    assert shared.of("ana").offered_keys == ("server", "openai")


async def test_whom_the_host_has_stopped_asks_nothing_with_it(shared: Deps, fake: FakeServer) -> None:
    shared.store.accounts.see("ana", "Ana")
    ana = shared.of("ana")
    await ana.bring_key("server", KEY)
    assert shared.store.accounts.stop("ana", True)
    error = failure(await collect(ana.client, chat(endpoint="own-server")))
    assert error.key == "error.limit_stopped"
    assert asked(fake) == []


async def test_its_owner_trains_with_it_which_with_the_hosts_key_nobody_may(shared: Deps) -> None:
    ana = shared.of("ana")
    await ana.bring_key("server", KEY)
    with pytest.raises(InvalidRequest):
        await ana.client.jobs("server")
    assert not (await ana.client.jobs("own-server")).items
    lines = b'{"prompt": "a", "completion": "b"}\n' * 10
    file = await ana.client.upload("own-server", lines, name="train.jsonl")
    job = await ana.client.create_job("own-server", {"model": "davinci-002", "training_file": file["id"]})
    assert job["object"] == "fine_tuning.job"


async def test_the_panel_takes_it_and_gives_it_back_to_nobody(shared: Deps) -> None:
    ana = shared.of("ana")
    said, *updates = await act(ana, {"action": "bring", "server": "server", "key": KEY, "n": 1}, who("ana"))
    assert said["keys"] == [{"server": "server", "own": "own-server"}, {"server": "openai", "own": ""}]
    assert KEY not in json.dumps(said)
    groups = json.dumps(updates[3].props["groups"])
    assert "own-server" in groups
    assert KEY not in groups
    said, *_ = await act(ana, {"action": "forget", "server": "server", "n": 2}, who("ana"))
    assert said["keys"][0] == {"server": "server", "own": ""}
    said, *_ = await act(
        ana, {"action": "bring", "server": ["server"], "key": KEY, "language": "es", "n": 3}, who("ana")
    )
    assert said["notice"]


@pytest.fixture
def redacting(shared: Deps) -> Iterator[None]:
    factory, stderr = logging.getLogRecordFactory(), sys.stderr
    install_log_redaction(lambda: shared.keys)
    yield
    logging.setLogRecordFactory(factory)
    sys.stderr = stderr


async def test_it_stands_in_no_log(shared: Deps, redacting: None) -> None:
    def logged() -> str:
        return logging.getLogRecordFactory()("x", 30, "f", 1, "sent %s", (KEY,), None).getMessage()

    assert KEY in logged()
    await shared.of("ana").bring_key("server", KEY)
    assert logged() == f"sent {MASK}"


async def test_what_a_server_still_lets_through_is_for_whoever_owns_the_key(shared: Deps, fake: FakeServer) -> None:
    fake.limiter = Limiter(10, 600)
    ana, eva = shared.of("ana"), shared.of("eva")
    await ana.bring_key("server", KEY)
    await collect(ana.client, completion(endpoint="own-server"))
    await collect(ana.client, completion(endpoint="own-server"))
    await collect(eva.client, completion())
    said = {name: (await used(parts, {"days": 7}))["allowed"] for name, parts in (("ana", ana), ("eva", eva))}
    assert [(row["model"], row["requests"]) for row in said["ana"]] == [("own-server/fake", [8, 10])]
    assert said["eva"] == []
    (row,) = (await used(shared, {"days": 7}, host=True))["allowed"]
    assert (row["model"], row["requests"], row["tokens"][1]) == ("server/fake", [7, 10], 1_000_000)


# --- how long it is held ---


class Ends:
    def __init__(self) -> None:
        self.accounts: list[str] = []

    def __call__(self, account: str) -> None:
        self.accounts.append(account)


async def wait_for(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def known(until: float = 2**40) -> Session:
    return Session(account="ana", name="", role="visitor", until=int(until))


async def test_a_visit_lasts_while_a_page_is_open_and_a_while_after() -> None:
    ends = Ends()
    visiting = Visiting(ends, left=0.2)
    session = known()
    page = visiting.begins(session)
    visiting.ends(session, visiting.begins(session))  # something asked meanwhile
    await asyncio.sleep(0.4)
    assert ends.accounts == []
    visiting.ends(session, page)
    again = visiting.begins(session)  # a reload
    await asyncio.sleep(0.4)
    assert ends.accounts == []
    visiting.ends(session, again)
    await wait_for(lambda: ends.accounts == ["ana"])
    assert visiting._stays == {}


async def test_it_ends_with_the_session_also_while_the_page_is_open() -> None:
    ends = Ends()
    visiting = Visiting(ends, left=60)
    visiting.begins(known(time.time() - 1))
    await wait_for(lambda: ends.accounts == ["ana"])


@pytest.fixture(scope="module")
def app(provider: FakeServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    data = tmp_path_factory.mktemp("own") / "data"
    with served(data, provider.url, shared=True, password=PHRASE) as app:
        yield app


def test_signing_out_forgets_it_and_only_its_own(app: App) -> None:
    entered = {}
    for name in ("ana", "eva"):
        browser = entered[name] = app.browser()
        assert browser.post("/login", data={"username": name, "password": PHRASE}).status_code == 303
    accounts = app.accounts()
    loop = next(iter({loop for loop, _ in app.deps.client._sdks.values()}), None)
    assert loop is None or loop.is_running()
    for name, key in (("ana", KEY), ("eva", OTHER)):
        app.deps.of(accounts[name]).own["own-server"] = Endpoint(
            name="own-server", base_url="http://127.0.0.1:9/v1", kind="compatible", api_key=key
        )
    assert {KEY, OTHER} <= set(app.deps.keys)
    assert entered["ana"].post("/signout").status_code == 303
    assert KEY not in app.deps.keys
    assert OTHER in app.deps.keys
    # A forged cookie signs nobody out.
    httpx.post(f"{app.url}/signout", headers={"cookie": f"{COOKIE}=forged", "accept": "text/html"})
    assert OTHER in app.deps.keys
    app.deps.forget_keys_of(accounts["eva"])
    app.deps.forget_keys_of(HOST)
    for browser in entered.values():
        browser.close()
