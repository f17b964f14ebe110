"""A shared page over real HTTP: nothing behind its doors answers without a session, and each finds only their own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from gradio_client import Client as Caller
from gradio_client.exceptions import AppError

from playground.access import Session, host_link, sign
from playground.starting import told
from playground.ui.doors import COOKIE, OPEN
from tests.fakes.helpers import CANARY
from tests.fakes.server import FakeServer
from tests.ui.serving import App, served

PHRASE = "open sesame"


@pytest.fixture(scope="module")
def app(provider: FakeServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    limits = "visitor 100k tokens/day, visitor n=4, visitor max_tokens=2048, $5/day"
    data = tmp_path_factory.mktemp("doors") / "data"
    with served(data, provider.url, shared=True, password=PHRASE, limits=limits) as app:
        yield app


def _routes(found: Any) -> Iterator[Any]:
    """FastAPI keeps a router that was included as one."""
    for route in found:
        inner = getattr(route, "original_router", None)
        yield from [route] if inner is None else _routes(inner.routes)


def test_no_route_of_the_page_answers_without_a_session(app: App) -> None:
    seen = 0
    with httpx.Client(base_url=app.url) as anybody:
        for route in _routes(app.page.app.routes):
            path = getattr(route, "path", "")
            if path in OPEN or not path:
                continue
            filled = path.replace("{path:path}", "x").replace("{path_or_url:path}", "/etc/passwd")
            for method in getattr(route, "methods", None) or ():
                if (method, filled.rstrip("/")) == ("POST", "/login"):
                    continue
                said = anybody.request(method, filled, headers={"accept": "*/*"})
                assert (said.status_code, method, path) == (401, method, path)
                seen += 1
    assert seen > 40


def test_a_browser_is_shown_the_form_where_the_page_would_be_and_comes_to_what_it_asked_for(app: App) -> None:
    with app.browser() as browser:
        shown = browser.get("/?preset=abc&x=1")
        assert (shown.status_code, 'name="password"' in shown.text) == (401, True)
        assert 'value="/?preset=abc&amp;x=1"' in shown.text
        form = {"password": PHRASE, "username": "Ana", "next": "/?preset=abc&x=1"}
        entered = browser.post("/login", data=form)
        assert (entered.status_code, entered.headers["location"]) == (303, "/?preset=abc&x=1")
        cookie = entered.headers["set-cookie"]
        assert all(each in cookie for each in ("HttpOnly", "SameSite=Lax"))
        assert "Secure" not in cookie
        assert browser.get("/").status_code == 200
        assert browser.post("/signout").status_code == 303
        assert browser.get("/").status_code == 401


def test_over_https_the_cookie_is_for_https_alone(app: App) -> None:
    with app.browser(**{"x-forwarded-proto": "https"}) as browser:
        entered = browser.post("/login", data={"password": PHRASE})
        assert "Secure" in entered.headers["set-cookie"]


def test_the_form_speaks_spanish_and_takes_nothing_that_was_sent_for_markup(app: App) -> None:
    with app.browser(**{"accept-language": "es-MX,es;q=0.9"}) as browser:
        page = browser.get('/?"><script>alert(1)</script>').text
        assert "Frase de acceso" in page
        assert "<script>" not in page
        wrong = browser.post("/login", data={"password": "<b>"})
        assert (wrong.status_code, "No es correcto" in wrong.text) == (401, True)


@pytest.mark.parametrize(
    "then", ["https://evil.example", "//evil.example", "/\\evil.example", "/a\r\nset-cookie: x=y", "é"]
)
def test_who_has_signed_in_is_sent_to_no_other_host(app: App, then: str) -> None:
    with app.browser() as browser:
        assert browser.post("/login", data={"password": PHRASE, "next": then}).headers["location"] == "/"


@pytest.mark.parametrize("body", [b"", b"password", b"\xff\xfe", b"a=1&" * 3_000, b"password=" + b"x" * 9_000])
def test_a_form_that_is_none_lets_nobody_in(app: App, body: bytes) -> None:
    kind = {"content-type": "application/x-www-form-urlencoded"}
    with app.browser(**kind) as browser:
        said = browser.post("/login", content=body)
        assert said.status_code in (401, 429)
        assert "set-cookie" not in said.headers


def test_a_session_that_was_forged_or_made_elsewhere_is_none(app: App) -> None:
    host = Session(account="", name="", role="host", until=2**40)
    for cookie in (sign(host, b"mine"), "x" * 5_000, "a.b", "", "\x7f"):
        said = httpx.get(f"{app.url}/config", headers={"cookie": f"{COOKIE}={cookie}"})
        assert said.status_code == 401
    for header in ("x-playground-session", "playground.session", "x-forwarded-user"):
        assert httpx.get(f"{app.url}/config", headers={header: json.dumps([""])}).status_code == 401


def test_guessing_ends_in_a_pause(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.entry, "_failures", type(app.entry._failures)())
    with app.browser() as browser:
        codes = [browser.post("/login", data={"password": "guess"}).status_code for _ in range(12)]
        assert codes == [401] * 10 + [429] * 2
        late = browser.post("/login", data={"password": PHRASE})
        assert (late.status_code, 0 < int(late.headers["retry-after"]) <= 61) == (429, True)
    monkeypatch.setattr(app.entry, "_failures", type(app.entry._failures)())


def test_the_hosts_link_lets_its_holder_in_as_the_host_and_leaves_the_address(app: App) -> None:
    link = host_link(app.url, app.entry)
    with app.browser() as browser:
        entered = browser.get(link + "&preset=abc")
        assert (entered.status_code, entered.headers["location"]) == (303, "/?preset=abc")
        assert browser.get("/config").status_code == 200
    with app.browser() as browser:  # who came in as a visitor before
        browser.post("/login", data={"password": PHRASE})
        before = browser.cookies[COOKIE]
        assert browser.get(link).status_code == 303
        assert browser.cookies[COOKIE] != before
    visitor = sign(Session(account="v-1", name="", role="visitor", until=2**40), app.entry.sharing.key)
    with app.browser() as browser:
        assert browser.get(f"/?host={visitor}").status_code == 401
        assert browser.get("/?host=x").status_code == 401


def test_two_visitors_find_only_their_own_and_the_host_neither(app: App) -> None:
    ana, eva = app.caller("Ana1"), app.caller("Eva1")
    ana.predict(prompt="from Ana1", model="server/fake", max_tokens=5, api_name="/complete")
    eva.predict(prompt="from Eva1", model="server/fake", max_tokens=5, api_name="/complete")
    accounts = app.accounts()
    for name in ("Ana1", "Eva1"):
        (run,) = app.deps.of(accounts[name]).store.runs(limit=9)
        assert run.effective_request["prompt"] == f"from {name}"
    assert app.deps.store.runs(limit=9) == []
    spent = {
        each.account: each.calls
        for each in app.deps.store.ledger.spent(since=app.deps.store.accounts.listed()[0].created_at.date())
    }
    assert spent[accounts["Ana1"]] == spent[accounts["Eva1"]] == 1


def test_the_private_events_serve_a_visitor_their_own_alone(app: App) -> None:
    """History's own event, called as the page calls it, with another visitor's run by its id."""
    ana, eva = app.caller("Ana2"), app.caller("Eva2")
    ana.predict(prompt="Ana's secret", model="server/fake", max_tokens=5, api_name="/complete")
    accounts = app.accounts()
    run = app.deps.of(accounts["Ana2"]).store.runs(limit=1)[0]
    events = app.page.fns.items()
    number, fn = next(each for each in events if getattr(each[1].fn, "__qualname__", "").startswith("build_history"))

    def ask(who: Caller, **asked: Any) -> str:
        data = [asked, *[None] * (len(fn.inputs) - 1)]
        body = {"fn_index": number, "data": data, "session_hash": "s"}
        return httpx.post(f"{app.url}/gradio_api/run/predict", json=body, cookies=who.cookies).text

    assert "Ana's secret" in ask(ana, action="show", ids=[run.id])
    for asked in ({"action": "show", "ids": [run.id]}, {"action": "list"}, {"action": "open", "id": run.id}):
        assert "secret" not in ask(eva, **asked)
    ask(eva, action="delete", ids=[run.id])
    ask(eva, action="rate", id=run.id, rating=1)
    kept = app.deps.of(accounts["Ana2"]).store.run(run.id)
    assert kept is not None
    assert kept.rating is None


def test_bounds_hold_for_whoever_calls_the_api(app: App, provider: FakeServer) -> None:
    before = len(provider.requests)
    ana = app.caller("Ana3")
    for asked in ({"n": 5}, {"max_tokens": 4_000}):
        with pytest.raises(AppError, match="for visitors"):
            ana.predict(prompt="hi", model="server/fake", **asked, api_name="/complete")
    assert len(provider.requests) == before


def test_nothing_of_a_key_or_a_phrase_is_handed_out(app: App) -> None:
    with app.browser() as browser:
        browser.post("/login", data={"password": PHRASE})
        for path in ("/", "/config", "/gradio_api/info", "/theme.css"):
            said = browser.get(path).text
            assert CANARY not in said
            assert PHRASE not in said
            assert app.entry.sharing.key.hex() not in said


async def test_the_host_sees_what_everybody_spent_and_a_visitor_only_their_own(app: App) -> None:
    from playground.ui.usage import used

    for name, times in (("spender", 2), ("saver", 1)):
        caller = await asyncio.to_thread(app.caller, name)
        for _ in range(times):
            await asyncio.to_thread(caller.predict, "Hello", "server/tiny", api_name="/complete")
    by_visitor = await used(app.deps, {"days": 7, "whose": "visitor"}, host=True)
    calls = {row["model"]: row["runs"] for row in by_visitor["rows"]}
    assert (calls["spender"], calls["saver"]) == (2, 1)
    by_model = await used(app.deps, {"days": 7, "whose": "model"}, host=True)
    assert {row["model"] for row in by_model["rows"]} >= {"server/tiny"}
    for said in (by_visitor, by_model):
        assert said["host"]
        assert len(said["days"]) == 7
        assert {row["day"] for row in said["rows"]} <= set(said["days"])
        assert said["totals"]["runs"] == sum(row["runs"] for row in said["rows"])
    # Who is no host asks for everybody's in vain.
    own = await used(app.deps.of(app.accounts()["saver"]), {"days": 7, "whose": "visitor"}, host=False)
    assert (own["host"], own["totals"]["runs"], [row["model"] for row in own["rows"]]) == (False, 1, ["server/tiny"])


async def test_visitors_of_one_name_are_told_apart(app: App) -> None:
    from playground.ui.spend import _names

    for _ in range(2):
        await asyncio.to_thread(app.caller("twin").predict, "Hello", "server/tiny", api_name="/complete")
    twins = [name for name in _names(app.deps).values() if name.startswith("twin")]
    assert len(set(twins)) == len(twins) == 2


def test_where_no_public_link_could_be_made_the_terminal_says_so(app: App) -> None:
    own, public = "http://127.0.0.1:7860/", "https://abc.gradio.live"
    assert "There is no public link" in "".join(told(app.deps, app.entry, own, own, link=True))
    for address, link in ((public, True), (own, False)):
        said = "".join(told(app.deps, app.entry, address, own, link=link))
        assert "no public link" not in said
        assert f"Playground is at {address} " in said
        assert f"{own}?host=" in said
        assert PHRASE not in said
