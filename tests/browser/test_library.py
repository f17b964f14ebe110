"""Models for this machine, from the panel below the picker to an answer: over the real engine and a server with the
hub's protocol, with models of a few megabytes."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from playground.engine.weights import find
from tests.browser.conftest import App, _running, _settings
from tests.browser.test_page import NAMELESS, OVERFLOWING, SIDEWAYS
from tests.fakes import tiny_gguf
from tests.fakes.hub import FakeHub

pytestmark = pytest.mark.engine
DEFAULT = "local/smollm2-135m-instruct"
PANEL = ".pg-library-dialog"
SOURCE = "acme/tiny:small.gguf"
SPANISH = "¿Cuál es la capital de Francia?"
LONG = 60_000


@pytest.fixture(scope="module")
def gguf(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A model that llama.cpp serves, with random weights: 6 MB."""
    return tiny_gguf.write(tmp_path_factory.mktemp("tiny") / "t.gguf", tokenizer_of=find(None).path).read_bytes()


@pytest.fixture(scope="module")
def hub(gguf: bytes) -> Iterator[FakeHub]:
    with FakeHub() as made:
        made.add("acme/tiny", "small.gguf", gguf)
        yield made


@pytest.fixture(scope="module")
def library_app(hub: FakeHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    yield from _running(_settings(tmp_path_factory, engine=True, timeout=60.0, hub_url=hub.url))


@pytest.fixture(autouse=True)
def folder(library_app: App) -> Iterator[Path]:
    """Nothing stays for the next test."""
    library = library_app.deps.library
    yield library.folder
    for download in library.downloads():
        library.cancel(download.id)
        library.dismiss(download.id)
    for model in library.installed():
        library.remove(model.id)


@pytest_asyncio.fixture(loop_scope="session")
async def screen(visits: Any, library_app: App) -> Any:
    return await visits(library_app, model=DEFAULT)


async def opened(screen: Any) -> Any:
    """The panel, once it shows what is offered."""
    await screen.page.click(".pg-library .pg-link")
    await row(screen, "offer qwen3-0.6b").wait_for()
    return screen.page.locator(PANEL)


def row(screen: Any, key: str) -> Any:
    return screen.page.locator(f"{PANEL} .pg-model[data-key='{key}']")


async def fetch(screen: Any, source: str) -> None:
    await screen.page.fill(".pg-library-source", source)
    await screen.page.press(".pg-library-source", "Enter")


async def press(screen: Any, key: str, button: str) -> None:
    await row(screen, key).locator(f"button[data-key='{button}']").click()


async def test_a_download_is_watched_from_two_windows_paused_reloaded_resumed_used_and_removed(
    screen: Any, visits: Any, library_app: App, hub: FakeHub
) -> None:
    hub.storage.enqueue("hold:3000000")
    await opened(screen)
    await fetch(screen, SOURCE)
    coming = row(screen, "download small")
    await coming.locator(".pg-model-pace", has_text=re.compile(r"\d % · .* of \d")).wait_for()
    assert 0 < await coming.locator("progress").evaluate("bar => bar.value") < 0.6

    # Another window, in Spanish, sees it; a reload of this one changes nothing.
    other = await visits(library_app, locale="es-ES")
    await other.page.locator(".pg-library-status", has_text="Descargando small.gguf").wait_for()
    await opened(other)
    await screen.page.reload()
    await screen.ready()
    await screen.page.locator(".pg-library-status", has_text="Fetching small.gguf").wait_for()
    await opened(screen)

    await press(screen, "download small", "pause")
    await row(screen, "download small").locator(".pg-model-pace", has_text="Paused").wait_for()
    await row(other, "download small").locator(".pg-model-pace", has_text="En pausa").wait_for(timeout=LONG)
    await press(other, "download small", "resume")
    await row(other, "here small").wait_for(timeout=LONG)
    await row(screen, "here small").wait_for(timeout=LONG)
    assert await row(screen, "download small").count() == 0

    # It is chosen at once, and answers.
    await press(screen, "here small", "use")
    await screen.until("document.querySelector('#pg-model input').value === 'local/small'")
    assert not await screen.page.locator(PANEL).is_visible()
    await screen.set("max_tokens", "4")
    await screen.run("Hello")
    assert (library_app.last_run().model, library_app.last_run().status) == ("small", "done")
    await opened(screen)
    await row(screen, "here small").locator("text=loaded").wait_for()
    assert await row(screen, "here small").locator("button[data-key='in_use']").is_disabled()
    assert "Fine-tune:" in await row(screen, "here small").inner_text()

    # The other window's list has it without a reload.
    await other.page.keyboard.press("Escape")
    await other.page.click("#pg-model input")
    await other.page.locator("#pg-model .pg-option[data-ref='local/small']").wait_for()
    await other.page.keyboard.press("Escape")

    # It goes after one question, and the picker with it.
    await press(screen, "here small", "remove")
    await row(screen, "here small").locator("text=Not now").click()
    await press(screen, "here small", "remove")
    await row(screen, "here small").locator("text=Remove it").click()
    await row(screen, "here small").wait_for(state="detached")
    await screen.until(f"document.querySelector('#pg-model input').value === '{DEFAULT}'")
    assert library_app.deps.library.installed() == ()
    assert [info.id for info in library_app.deps.models] == [DEFAULT.partition("/")[2]]


async def test_what_goes_wrong_is_said_where_it_was_asked_for(screen: Any, hub: FakeHub) -> None:
    panel = await opened(screen)
    await fetch(screen, "no place at all")
    await panel.locator("form + .pg-notice", has_text="no place a model can come from").wait_for()
    await fetch(screen, "acme/tiny:other.gguf")
    failed = row(screen, "download other")
    await failed.locator(".pg-job-error", has_text="acme/tiny has no file other.gguf").wait_for()
    await screen.page.locator(".pg-library-status", has_text="broke off").wait_for()
    await press(screen, "download other", "discard")
    await failed.wait_for(state="detached")
    await screen.until("!document.querySelector('.pg-library-status').textContent")


async def test_a_file_that_is_none_is_told_and_does_not_stay(screen: Any, hub: FakeHub, folder: Path) -> None:
    hub.add("acme/tiny", "text.gguf", b"This is no model. " * 1000)
    await opened(screen)
    await fetch(screen, "acme/tiny:text.gguf")
    await row(screen, "download text").locator(".pg-job-error", has_text="GGUF").wait_for()
    assert await asyncio.to_thread(lambda: list(folder.glob("*.gguf"))) == []


async def test_a_file_with_another_checksum_is_fetched_again_with_one_click(screen: Any, hub: FakeHub) -> None:
    hub.storage.enqueue("flip")
    await opened(screen)
    await fetch(screen, SOURCE)
    await row(screen, "download small").locator(".pg-job-error", has_text="Fetch it again").wait_for()
    await press(screen, "download small", "again")
    await row(screen, "here small").wait_for(timeout=LONG)


async def test_a_licence_is_shown_and_accepted_before_anything_is_asked_for(screen: Any, hub: FakeHub) -> None:
    await opened(screen)
    before, key = len(hub.requests), "offer llama-3.2-1b-instruct"
    await press(screen, key, "download")
    asked = row(screen, key).locator(".pg-job-sure")
    assert await asked.locator("a").get_attribute("href") == "https://www.llama.com/llama3_2/license/"
    await asked.locator("text=Not now").click()
    assert len(hub.requests) == before
    # A question that was left open is not there when one comes back.
    await press(screen, key, "download")
    await screen.page.keyboard.press("Escape")
    await opened(screen)
    assert not await asked.is_visible()
    await press(screen, key, "download")
    await asked.locator("text=accept it: download").click()
    await row(screen, key).locator(".pg-job-error", has_text="There is no repository").wait_for()
    assert len(hub.requests) > before


async def test_spanish_for_the_small_model_opens_the_models_that_speak_it(screen: Any) -> None:
    offer = screen.page.locator("#pg-next-complete .pg-notice", has_text="writes no Spanish")
    await screen.write("The capital of France is")
    await screen.page.locator("#pg-next-complete").get_by_text("5 tokens", exact=True).wait_for()
    assert not await offer.is_visible()
    await screen.write(SPANISH)
    await offer.locator("text=Models that speak Spanish").click()
    await screen.until(
        f"document.querySelector('{PANEL}[open]')?.contains(document.activeElement)"
        " && document.activeElement.closest('.pg-model')?.dataset.spanish === 'true'"
    )
    await screen.page.keyboard.press("Escape")
    await offer.locator(".pg-aside").click()
    await offer.wait_for(state="hidden")
    await screen.page.reload()
    await screen.ready()
    await screen.page.locator("#pg-next-complete .pg-cell").first.wait_for()
    assert await screen.text() == SPANISH
    assert not await offer.is_visible()


async def test_a_model_that_speaks_it_and_is_here_is_taken_with_one_click(
    screen: Any, folder: Path, gguf: bytes, library_app: App
) -> None:
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    about = {"title": "Habla 1B", "languages": ["es", "en"]}
    await asyncio.to_thread((folder / "habla.json").write_text, json.dumps(about))
    await asyncio.to_thread((folder / "habla.gguf").write_bytes, gguf)
    await screen.page.click("#pg-model .pg-icon")
    await screen.until("!document.querySelector('#pg-model .pg-turning')")
    await screen.tab("chat")
    await screen.page.locator("#pg-conversation .pg-message-text").last.fill(SPANISH)
    await screen.page.locator("#pg-next-chat .pg-notice >> text=Use Habla 1B").click()
    await screen.until("document.querySelector('#pg-model input').value === 'local/habla'")
    await screen.page.locator("#pg-next-chat .pg-notice").wait_for(state="hidden")


async def test_who_is_not_at_this_machine_sees_nothing_of_it(screen: Any) -> None:
    await screen.page.locator(".pg-library .pg-link").wait_for()
    await screen.page.context.set_extra_http_headers({"X-Forwarded-For": "192.0.2.7"})
    await screen.page.reload()
    await screen.ready()
    await screen.write(SPANISH)
    notice = screen.page.locator("#pg-next-complete .pg-notice", has_text="writes no Spanish")
    await notice.wait_for()
    assert await notice.locator("button").count() == 1  # to put it aside
    assert not await screen.page.locator(".pg-library").is_visible()


async def test_offline_the_panel_says_what_is_possible(
    screen: Any, library_app: App, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, gguf: bytes
) -> None:
    library = library_app.deps.library
    monkeypatch.setattr(library, "hub", replace(library.hub, offline=True))
    panel = await opened(screen)
    await panel.locator("[role=status]", has_text="HF_HUB_OFFLINE is set").wait_for()
    await press(screen, "offer qwen3-0.6b", "download")
    await row(screen, "offer qwen3-0.6b").locator(".pg-job-error", has_text="HF_HUB_OFFLINE is set").wait_for()
    file = tmp_path / "brought.gguf"
    await asyncio.to_thread(file.write_bytes, gguf)
    await fetch(screen, str(file))
    await row(screen, "here brought").wait_for()


async def test_the_form_for_a_job_says_which_trainer_takes_the_model(screen: Any) -> None:
    await screen.tab("finetune")
    await screen.page.locator(".pg-jobs-list button").first.wait_for()
    await screen.page.click(".pg-jobs-new summary")
    await screen.page.get_by_label("Model to train").fill(DEFAULT)
    await screen.page.locator(".pg-jobs-form", has_text="Fine-tune: the default trainer, about").wait_for()


@pytest.mark.parametrize("locale", ["en-US", "es-ES"])
@pytest.mark.parametrize("width", [1280, 390])
async def test_no_text_leaves_its_box_and_every_control_has_a_name(
    visits: Any, library_app: App, hub: FakeHub, locale: str, width: int
) -> None:
    screen = await visits(library_app, locale=locale, width=width)
    hub.storage.enqueue("hold:3000000")
    await opened(screen)
    await fetch(screen, SOURCE)
    await row(screen, "download small").locator("progress[value]").wait_for()
    await press(screen, "offer gemma-3-1b-it", "download")
    await fetch(screen, "?")
    await screen.page.locator(f"{PANEL} form + .pg-notice").wait_for()
    assert await screen.page.evaluate(OVERFLOWING) == []
    assert await screen.page.evaluate(SIDEWAYS) <= 0
    assert await screen.page.evaluate(NAMELESS) == []
