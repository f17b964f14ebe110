"""What a person sees when a server misbehaves: a clear state, and nothing typed or paid for is lost."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.helpers import CANARY, until
from tests.fakes.server import FakeServer

DOUBLE_CLICK = 700
"""Milliseconds after a Submit, in whose first 500 a second click is no Stop."""
LONG = tuple(f" t{i}" for i in range(400))

REFUSED = {
    "server/fault-401": "does not accept the key",
    "server/fault-400_key": "refused the request",
    "server/fault-403": "does not allow this",
    "server/fault-404": "does not have this model",
    "server/fault-500": "failed",
    "server/fault-html": "something else than an API",
    "server/fault-quota": "no credit",
    "gone/anything": "cannot be reached",
}


@pytest.mark.parametrize("model", REFUSED)
async def test_a_refusal_is_said_and_the_text_stays(faulty: Any, model: str) -> None:
    await faulty.choose(model)
    await faulty.run(f"Say hello to {model}")
    assert REFUSED[model] in await faulty.notice()
    assert await faulty.text() == f"Say hello to {model}"
    assert await faulty.marks() == []


BROKEN = ("drop_midstream", "no_done", "broken_json", "broken_bytes", "error_midstream")


@pytest.mark.parametrize("fault", BROKEN)
async def test_an_answer_that_breaks_off_keeps_what_had_come(faulty: Any, fake_app: Any, fault: str) -> None:
    await faulty.choose(f"server/fault-{fault}")
    await faulty.run("Say: ")
    assert await faulty.text() == "Say: Hello,"
    assert await faulty.marks() == ["Hello,"]
    assert "The text up to here is kept." in await faulty.notice()
    kept = fake_app.last_run()
    assert (kept.status, kept.choices[0].text) == ("failed", "Hello,")


def _database(app: Any) -> str:
    files = Path(app.deps.settings.data_dir).glob("*.db*")
    return "".join(path.read_bytes().decode("latin-1") for path in files)


async def test_the_key_is_nowhere_that_a_visitor_can_look(faulty: Any, fake_app: Any) -> None:
    for fault in ("401", "400_key"):
        await faulty.choose(f"server/fault-{fault}")
        await faulty.run("Say hello")
    stored = await faulty.page.evaluate("JSON.stringify({...localStorage}) + JSON.stringify({...sessionStorage})")
    config = await faulty.page.evaluate("fetch('/config').then(r => r.text())")
    kept = _database(fake_app)
    assert len(config) > 1000
    assert len(kept) > 1000
    for where in (await faulty.page.content(), stored, config, kept, "\n".join(fake_app.logged)):
        assert CANARY not in where


async def test_an_empty_prompt_is_asked_for_and_not_sent(faulty: Any, fake: FakeServer) -> None:
    await faulty.choose("server/fake")
    before = len(fake.requests)
    await faulty.write("")
    await faulty.submit()
    await faulty.notice_with("The prompt is empty")
    assert await faulty.page.is_editable("#pg-editor .pg-front")
    assert not [r for r in fake.requests[before:] if r.path == "/v1/completions"]


async def test_a_rate_limit_counts_down_and_then_answers(faulty: Any) -> None:
    await faulty.choose("server/fault-429:2-then-ok")
    await faulty.write("Say: ")
    await faulty.submit()
    await faulty.notice_with("Attempt 2 of 4 in 2 s.")
    await faulty.notice_with("Attempt 2 of 4 in 1 s.")
    await faulty.ended()
    assert await faulty.text() == "Say: Hello, world!"
    assert not await faulty.page.is_visible("#pg-last-complete .pg-notice")


async def test_stop_ends_a_countdown_at_once(faulty: Any, fake_app: Any) -> None:
    await faulty.choose("server/fault-429:40")
    await faulty.write("Say: ")
    await faulty.submit()
    await faulty.notice_with("Attempt 2 of 4")
    await faulty.page.wait_for_timeout(500)  # within half a second of a click, a second one is not meant
    began = time.monotonic()
    await faulty.page.keyboard.press("Escape")
    await faulty.ended(seconds=3)
    assert time.monotonic() - began < 2
    assert await faulty.text() == "Say: "
    assert fake_app.last_run().status == "stopped"


@pytest.mark.parametrize("fault", ["stall_first", "stall_headers"])
async def test_stop_before_the_first_token_closes_the_request(faulty: Any, fake: FakeServer, fault: str) -> None:
    await faulty.choose(f"server/fault-{fault}")
    await faulty.write("Say: ")
    await faulty.submit()
    await faulty.notice_with("Waiting for the first token")
    await until(lambda: fake.requests[-1].body["model"] == f"fault-{fault}")
    await faulty.page.wait_for_timeout(500)
    await faulty.page.keyboard.press("Escape")
    await faulty.ended(seconds=3)
    await until(lambda: fake.requests[-1].closed_by_client_at is not None, seconds=2)
    await faulty.notice_with("Stopped")
    assert await faulty.page.is_editable("#pg-editor .pg-front")


async def test_two_clicks_on_submit_are_one_request(
    faulty: Any, fake: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fake, "tokens", LONG[:12])
    await faulty.choose("server/fault-slow:10")
    await faulty.write("Only once")
    await faulty.page.dblclick("#pg-editor .pg-submit")
    await faulty.grown(len("Only once"))
    await faulty.ended()
    sent = [r for r in fake.requests if r.path == "/v1/completions" and r.body["prompt"] == "Only once"]
    assert len(sent) == 1
    assert await faulty.text() == "Only once" + "".join(LONG[:12])


async def test_a_paste_of_ten_megabytes_is_refused_in_words_and_the_page_lives(faulty: Any, fake: FakeServer) -> None:
    await faulty.choose("server/fake")
    await faulty.page.evaluate(
        """() => { const box = document.querySelector('#pg-editor .pg-front');
        box.value = 'word '.repeat(2_000_000); box.dispatchEvent(new Event('input'));
        document.querySelector('#pg-editor .pg-submit').click(); }"""
    )
    await faulty.notice_with("at most 4,000,000 are read", seconds=60)
    assert await faulty.page.evaluate("document.querySelector('.pg-front').value.length") == 10_000_000
    # Not by Playwright's own typing, which takes its time with so much text in a field.
    await faulty.page.evaluate(
        """() => { const box = document.querySelector('#pg-editor .pg-front');
        box.value = ''; box.dispatchEvent(new Event('input')); }"""
    )
    await faulty.run("Short again: ")
    assert await faulty.text() == "Short again: Hello, world!"


async def test_closing_the_tab_closes_the_request(
    visits: Any, fake_app: Any, fake: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fake, "tokens", LONG)
    screen = await visits(fake_app, model="server/fault-slow:20")
    await screen.write("Say: ")
    await screen.submit()
    await screen.grown(10)
    sent = fake.requests[-1]
    await screen.page.close()
    closed = time.monotonic()
    await until(lambda: sent.closed_by_client_at is not None, seconds=10)
    assert sent.closed_by_client_at is not None
    assert sent.closed_by_client_at - closed < 1
    await until(lambda: fake_app.last_run().status == "stopped")
    assert fake_app.last_run().choices[0].text.startswith(" t0 t1")


async def test_who_waits_behind_others_sees_their_place_and_then_the_answer(
    visits: Any, fake: FakeServer, fake_app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fake_app.deps.client.turns, "_at_once", 1)
    monkeypatch.setattr(fake, "tokens", LONG)
    first, second = await visits(fake_app), await visits(fake_app, locale="es-ES")
    for screen in (first, second):
        await screen.choose("server/fault-slow:20")
        await screen.write("Count")
        await screen.submit()
        await screen.page.locator("#pg-last-complete .pg-notice, .pg-front mark").first.wait_for()
    await second.notice_with("puesto 1 de la cola")
    await second.page.wait_for_timeout(DOUBLE_CLICK)
    await second.page.keyboard.press("Escape")
    await second.notice_with("Detenido")
    await second.ended()
    await second.submit()
    await second.notice_with("puesto 1 de la cola")
    await first.page.keyboard.press("Escape")
    await first.notice_with("Stopped")
    await second.page.wait_for_function("document.querySelector('#pg-editor mark')?.textContent.includes('t3')")
    await second.page.keyboard.press("Escape")
    await second.ended()
