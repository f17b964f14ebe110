"""The page itself: two languages, two widths, keyboard and names, prices, and text that would like to be HTML."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.fakes.server import FakeServer

PAYLOAD = "<img src=x onerror=window.pwned=1>"
SPANISH = ("Completar", "Modelo", "Enviar", "Temperatura", "Longitud máxima", "Secuencias de parada", "Más parámetros")

#: Boxes whose text runs out of them. Elements that are inline have no box of their own, those of one pixel are for
#: screen readers, and text fields scroll.
OVERFLOWING = """() => [...document.querySelectorAll('button, label, summary, h1, [class*="pg-"]')].filter((node) => {
  const style = getComputedStyle(node), box = node.getBoundingClientRect();
  return box.width > 1 && box.height > 1 && style.display !== 'inline' && style.visibility !== 'hidden'
    && !node.matches('input, textarea, .pg-front') && node.scrollWidth > node.clientWidth + 1;
}).map((node) => `${node.tagName}.${node.className} ${node.scrollWidth}>${node.clientWidth}: ${node.textContent}`)"""

SIDEWAYS = "document.documentElement.scrollWidth - window.innerWidth"

NAMELESS = """() => [...document.querySelectorAll('button, input, textarea, select, [role=button]')].filter((node) => {
  if (!node.getClientRects().length || node.closest('[aria-hidden=true]')) return false;
  const named = node.getAttribute('aria-label')?.trim() || node.getAttribute('aria-labelledby') || node.title
    || node.textContent.trim();
  return !(named || [...(node.labels || [])].some((label) => label.textContent.trim()));
}).map((node) => node.outerHTML.slice(0, 200))"""

#: What shows that an element has the focus: an outline, a ring, or the editor's own border.
FOCUS = """() => {
  const node = document.activeElement;
  const shown = (it) => {
    const s = getComputedStyle(it);
    return (s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) > 0) || s.boxShadow !== 'none';
  };
  const border = node.matches('.pg-front') && getComputedStyle(node.closest('.pg-editor')).borderColor;
  const plain = getComputedStyle(document.querySelector('.pg-param input[type=number]')).borderColor;
  let wrap = node, ok = false;
  for (let up = 0; up < 4 && wrap; up++, wrap = wrap.parentElement) ok = ok || shown(wrap);
  ok = ok || Boolean(border && border !== plain);
  return {name: node.outerHTML.slice(0, 160), body: node === document.body, ok};
}"""


async def _busy_page(screen: Any) -> None:
    """Everything that a run can put on the page: three choices, figures, a notice, the parameters unfolded."""
    await screen.page.click("#pg-params summary")
    await screen.set("n", "3")
    await screen.page.click("#pg-param-logprobs")
    await screen.page.locator("#pg-param-stop").fill("a long stop sequence\\n")
    await screen.page.locator("#pg-param-stop").press("Enter")
    await screen.run("Say hello " * 12)
    await screen.page.locator(".pg-card").nth(2).wait_for()


@pytest.mark.parametrize("locale", ["en-US", "es-ES"])
@pytest.mark.parametrize("width", [1280, 390])
async def test_no_text_leaves_its_box_and_nothing_scrolls_sideways(
    visits: Any, fake_app: Any, locale: str, width: int
) -> None:
    screen = await visits(fake_app, model="server/fake", locale=locale, width=width)
    if locale == "es-ES":
        words = await screen.page.inner_text("body")
        assert [word for word in SPANISH if word not in words] == []
        assert await screen.page.get_attribute("html", "lang") == "es"
    await _busy_page(screen)
    assert await screen.page.evaluate(OVERFLOWING) == []
    assert await screen.page.evaluate(SIDEWAYS) <= 0
    await screen.choose("server/fault-401")
    await screen.run()
    said = await screen.notice()
    assert ("El servidor «server» no acepta la clave" in said) == (locale == "es-ES")
    assert await screen.page.evaluate(OVERFLOWING) == []
    assert await screen.page.evaluate(SIDEWAYS) <= 0


async def test_every_control_has_a_name_and_shows_the_focus(visits: Any, fake_app: Any) -> None:
    screen = await visits(fake_app, model="server/fake")
    await _busy_page(screen)
    assert await screen.page.evaluate(NAMELESS) == []
    await screen.page.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)")
    unseen, tabs = [], 0
    for _ in range(45):
        await screen.page.keyboard.press("Tab")
        focus = await screen.page.evaluate(FOCUS)
        tabs += not focus["body"]
        if not focus["ok"] and not focus["body"]:
            unseen.append(focus["name"])
    assert tabs > 30
    assert unseen == []


#: The contrast of a control's text with its own surface, by WCAG 2.2's formula.
CONTRAST = """(node) => {
  const light = (color) => {
    const context = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
    context.fillStyle = color;
    context.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...context.getImageData(0, 0, 1, 1).data].map((byte) => byte / 255)
      .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const style = getComputedStyle(node), both = [light(style.color), light(style.backgroundColor)].sort((a, b) => b - a);
  return (both[0] + 0.05) / (both[1] + 0.05);
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_a_buttons_words_can_be_read_while_the_mouse_is_over_it(visits: Any, fake_app: Any, theme: str) -> None:
    screen = await visits(fake_app)
    await screen.page.goto(f"{screen.url}?__theme={theme}")
    await screen.ready()
    await screen.tab("finetune")
    await screen.page.click(".pg-jobs-new summary")
    for button in (screen.page.locator(".pg-jobs-form > .pg-primary"), screen.page.get_by_text("Reload the list")):
        await button.hover()
        # Large bold text: 3; the accent of the dark theme has no more.
        assert await button.evaluate(CONTRAST) >= 3
    arrow = await screen.page.locator(".pg-jobs-form select").first.evaluate(
        "node => getComputedStyle(node).background"
    )
    assert "no-repeat" in arrow
    assert " 12px " in arrow
    # The panel's own are narrow: room for the arrow beside the word.
    await screen.tab("chat")
    narrow = screen.page.locator("#pg-params select.pg-select").first
    assert await narrow.evaluate("node => parseFloat(getComputedStyle(node).paddingRight)") >= 20


async def test_what_a_model_writes_is_text_and_never_html(
    visits: Any, fake_app: Any, fake: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fake, "tokens", (PAYLOAD, " <b>bold</b>"))
    screen = await visits(fake_app, model="server/fake")
    await screen.run(f"{PAYLOAD} ")
    assert await screen.text() == f"{PAYLOAD} {PAYLOAD} <b>bold</b>"
    await screen.page.click("#pg-param-logprobs")
    await screen.run()
    await screen.page.locator(".pg-token").first.click()
    assert PAYLOAD in await screen.page.inner_text(".pg-card-text")
    await screen.set("n", "2")
    await screen.run()
    assert (await screen.page.locator(".pg-card-text").all_inner_texts())[1] == f"{PAYLOAD} <b>bold</b>"
    await screen.choose(f"server/fault-400:{PAYLOAD}")
    await screen.run()
    assert PAYLOAD in await screen.notice_with("onerror")
    await screen.page.wait_for_timeout(300)
    assert await screen.page.evaluate("window.pwned") is None
    assert await screen.page.locator("img[src=x]").count() == 0


async def test_an_openai_model_is_counted_and_priced_before_and_after(visits: Any, openai_app: Any) -> None:
    screen = await visits(openai_app, model="openai/gpt-3.5-turbo-instruct")
    await screen.write("Say hello to the world")
    await screen.page.locator("#pg-next-complete").get_by_text("5 tokens", exact=True).wait_for()
    assert (await screen.next("expected")).startswith("≈ $0.0")
    await screen.run()
    assert await screen.last("usage") == "7 in · 4 out"
    assert (await screen.last("cost")).startswith("$0.0000")
    once = await screen.last("session")
    await screen.run()
    assert once.startswith("11 tokens · $")
    assert (await screen.last("session")).startswith("22 tokens · $")


TABS = ("complete", "chat", "edit", "history", "usage", "tokenizer")


@pytest.mark.parametrize("locale", ["en-US", "es-ES"])
@pytest.mark.parametrize("width", [1280, 390])
async def test_in_every_tab_no_text_leaves_its_box_and_every_control_has_a_name(
    visits: Any, openai_like_app: Any, locale: str, width: int
) -> None:
    screen = await visits(openai_like_app, model="openai/gpt-5", locale=locale, width=width)
    await screen.tab("chat")
    await screen.set("temperature", "0.5")
    await screen.page.fill(".pg-system-text", "Speak {{language}} and nothing else, whatever you are asked.")
    await screen.page.fill("#pg-variable-language", "Spanish")
    await screen.asked("Say hello " * 12)
    await screen.act(1, "again")
    await screen.answered()
    for tab in TABS:
        await screen.page.evaluate(f"playground.openTab('{tab}')")
        await screen.until(f"document.body.dataset.mode === '{tab}'")
        await screen.page.wait_for_timeout(700)
        assert await screen.page.evaluate(OVERFLOWING) == [], tab
        assert await screen.page.evaluate(SIDEWAYS) <= 0, tab
        assert await screen.page.evaluate(NAMELESS) == [], tab
    await screen.page.evaluate("playground.openTab('chat')")
    for button in ("View code", "Share") if locale == "en-US" else ("Ver código", "Compartir"):
        await screen.page.click(f".pg-toolbar-right >> text={button}")
        await screen.page.locator(".pg-toolbar dialog[open]").wait_for()
        assert await screen.page.evaluate(OVERFLOWING) == [], button
        assert await screen.page.evaluate(NAMELESS) == [], button
        await screen.page.keyboard.press("Escape")


async def test_the_conversation_is_worked_with_the_keyboard_alone(visits: Any, fake_app: Any) -> None:
    screen = await visits(fake_app, model="server/fake")
    await screen.tab("chat")
    await screen.page.focus(".pg-system-text")
    await screen.page.keyboard.type("Be brief.")
    for _ in range(12):
        await screen.page.keyboard.press("Tab")
        if await screen.page.evaluate("document.activeElement.matches('.pg-message-text')"):
            break
    await screen.page.keyboard.type("Hello?")
    await screen.page.keyboard.press("Control+Enter")
    await screen.answered()
    assert await screen.messages() == [("user", "Hello?"), ("assistant", "Hello, world!")]
    await screen.page.focus(".pg-message [data-act='again'] >> nth=1")
    await screen.page.keyboard.press("Enter")
    await screen.answered()
    assert await screen.branch(1) == "2/2"


async def test_figures_are_written_as_the_reader_writes_them(visits: Any, fake_app: Any) -> None:
    screen = await visits(fake_app, model="server/fake", locale="es-ES")
    await screen.write("hola " * 12_000)
    cell = screen.page.locator("#pg-next-complete .pg-cell[data-key='prompt'] .pg-cell-value")
    await cell.filter(has_text=re.compile(r"^(≈ )?\d{2}\.\d{3} tokens$")).wait_for()
