"""The servers that already run on this machine: found, added with one click, chatted with, removed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from playground.neighbours import Address, Neighbourhood
from playground.neighbours.kept import FILE
from tests.fakes import neighbours as fakes
from tests.fakes.neighbours import Local, Route

PANEL = ".pg-neighbours"
Live = Callable[..., list[Local]]


@pytest.fixture
def live(fake_app: Any) -> Iterator[Live]:
    """`live(OLLAMA, HTML)`: these programs, and no others, are what this machine's usual addresses have."""
    deps, before = fake_app.deps, fake_app.deps.neighbourhood
    with ExitStack() as running:

        def start(*programs: dict[str, Route]) -> list[Local]:
            servers = [running.enter_context(Local(routes)) for routes in programs]
            file = deps.settings.data_dir / FILE
            deps.neighbourhood = Neighbourhood(file, addresses=[Address("vllm", each.port) for each in servers])
            return servers

        yield start
    for each in deps.neighbourhood.kept:
        deps.client.remove(each.name)
        deps.neighbourhood.remove(each.name)
    deps.neighbourhood = before


async def press(screen: Any, name: str) -> None:
    await screen.page.get_by_role("button", name=name, exact=True).click()


async def panel_with(screen: Any, text: str) -> str:
    await screen.page.locator(PANEL).get_by_text(text).first.wait_for()
    return str(await screen.page.inner_text(PANEL))


async def test_what_runs_at_the_start_is_offered_added_with_one_click_and_answers(
    visits: Any, fake_app: Any, live: Live
) -> None:
    (server,) = live(fakes.OLLAMA)
    screen = await visits(fake_app)
    said = await panel_with(screen, "Ollama 0.13.1")
    assert f"127.0.0.1:{server.port} · 2 models" in said
    await press(screen, f"Add Ollama at 127.0.0.1:{server.port}")
    await press(screen, f"Remove Ollama at 127.0.0.1:{server.port} from the list")  # it is there
    await press(screen, f"Add Ollama at 127.0.0.1:{server.port}")
    await screen.page.get_by_role("button", name=f"Remove Ollama at 127.0.0.1:{server.port} from the list").wait_for()
    await screen.page.locator("#pg-model input").click()
    option = screen.page.locator("[data-ref='ollama/llama3.2:3b']")
    assert "3.2B · Q4_K_M" in await option.inner_text()
    assert "4,096 tokens" in await option.inner_text()
    assert "loaded" in await option.inner_text()
    assert await screen.page.locator("[data-ref='ollama/nomic-embed-text:latest']").count() == 0
    await screen.page.keyboard.press("Escape")
    await screen.choose("ollama/qwen3:0.6b")
    await screen.tab("chat")
    await screen.asked("Hi")
    assert (await screen.messages())[-1] == ("assistant", "Hello neighbour")


async def test_look_again_tells_who_answers_now_and_what_is_none(visits: Any, fake_app: Any, live: Live) -> None:
    live()
    screen = await visits(fake_app)
    await press(screen, "Look for them")
    assert "Start one, then look again." in await panel_with(screen, "No Ollama")
    studio, page, locked = live(fakes.LM_STUDIO, fakes.HTML, fakes.LOCKED_VLLM)
    await press(screen, "Look again")
    said = await panel_with(screen, f"127.0.0.1:{studio.port}")
    assert f"Another program answers at 127.0.0.1:{page.port}." in said
    assert "It asks for a key." in said
    assert await screen.page.locator(f"[data-place='127.0.0.1:{locked.port}'] button").count() == 0
    assert await screen.page.locator(f"[data-place='127.0.0.1:{studio.port}'] button").count() == 1


async def test_one_that_stopped_before_the_click_is_said_and_stays_removable(
    visits: Any, fake_app: Any, live: Live
) -> None:
    (server,) = live(fakes.VLLM)
    screen = await visits(fake_app, locale="es-ES")
    await panel_with(screen, "vLLM 0.11.0")
    server.stop()
    await press(screen, f"Añadir vLLM en 127.0.0.1:{server.port}")
    said = await panel_with(screen, "no hay conexión")
    assert "¿Está en marcha el servidor" in said
    # It was added all the same, and is told as such.
    remove = screen.page.get_by_role("button", name=f"Quitar vLLM en 127.0.0.1:{server.port} de la lista")
    await remove.wait_for()
    await press(screen, "Buscar")
    assert "no responde" in await panel_with(screen, "no responde")
    await press(screen, f"Quitar vLLM en 127.0.0.1:{server.port} de la lista")
    await panel_with(screen, "Ni Ollama")


async def test_who_adds_one_by_the_keyboard_keeps_the_focus(visits: Any, fake_app: Any, live: Live) -> None:
    (server,) = live(fakes.OLLAMA)
    screen = await visits(fake_app)
    await panel_with(screen, "Ollama 0.13.1")
    await screen.page.get_by_role("button", name=f"Add Ollama at 127.0.0.1:{server.port}").press("Enter")
    await screen.until("document.activeElement.textContent === 'Remove'")
    await screen.page.keyboard.press("Enter")
    await screen.until("document.activeElement.textContent === 'Add'")
    await screen.page.get_by_role("button", name="Look for them").press("Enter")
    await screen.until("document.activeElement.textContent === 'Look again'")


@pytest.mark.parametrize("locale", ["en-US", "es-ES"])
async def test_a_phone_shows_the_panel_without_scrolling_sideways(
    visits: Any, fake_app: Any, live: Live, locale: str
) -> None:
    live(fakes.OLLAMA, fakes.LM_STUDIO, fakes.LOCKED_LLAMA_CPP)
    screen = await visits(fake_app, locale=locale, width=390, height=844)
    await panel_with(screen, "LM Studio")
    assert await screen.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
