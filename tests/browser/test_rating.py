"""The Rate tab: several people grade the same answers, blind, by keys and by hand; then they see what it comes to."""

from __future__ import annotations

import csv
import io
from typing import Any
from uuid import uuid4

import pytest_asyncio

from tests.fakes.rated import MODELS, put_sweep

DESK = ".pg-rating-desk"
PRESSED = "[...document.querySelectorAll('.pg-rating-grade[aria-pressed=true]')].map(n => n.textContent).join('')"
SECRETS = (*MODELS, "secret-alpha", "secret-beta")


class Rater:
    """One person at their own browser, with everything that the server has sent them."""

    def __init__(self, screen: Any) -> None:
        self.screen, self.page = screen, screen.page
        self.received: list[str] = []
        self.page.on("response", self._note)

    async def _note(self, response: Any) -> None:
        if "gradio_api" in response.url and response.request.method == "POST":
            self.received.append(await response.text())

    async def begin(self, name: str, sweep: str = "", cases: int | None = None) -> None:
        await self.page.locator(".pg-rating-start").wait_for()
        if sweep:
            await self.page.select_option(".pg-rating select", sweep)
        if cases:
            await self.page.fill(".pg-rating input[type=number]", str(cases))
        await self.page.fill(".pg-rating input[autocomplete=name]", name)
        await self.page.click(".pg-rating-start [type=submit]")
        await self.page.locator(DESK).wait_for()

    async def place(self) -> str:
        return str(await self.page.inner_text(f"{DESK} header span"))

    async def done(self) -> str:
        return str(await self.page.inner_text(f"{DESK} header strong"))

    async def answer(self) -> str:
        return str(await self.page.inner_text(".pg-rating-answer .pg-rating-text"))

    async def press(self, *keys: str) -> None:
        for key in keys:
            await self.page.keyboard.press(key)

    async def on(self, *keys: str) -> None:
        """Press them, and wait for another answer or the end."""
        before = await self.place()
        await self.press(*keys)
        await self.page.wait_for_function(
            "before => document.querySelector('.pg-rating-desk header span')?.textContent !== before", arg=before
        )

    async def rate_all(self, by: Any) -> None:
        """Every answer that is left, each criterion by the key that `by(answer)` says."""
        while await self.page.locator(DESK).count():
            key = by(await self.answer())
            await self.on(key, key, key, "Enter")


@pytest_asyncio.fixture(loop_scope="session")
async def sweep(fake_app: Any) -> Any:
    id = f"browser-{uuid4().hex[:8]}"
    hostile = {at: f"<img src=x onerror=\"document.title='broken'\">&amp; {at}" for at in range(24)}
    put_sweep(fake_app.deps.store, id, answers=hostile)
    yield id
    fake_app.deps.store.sweeps.delete(id)


async def at_it(visits: Any, app: Any, name: str, sweep: str, cases: int | None = None, **about: Any) -> Rater:
    screen = await visits(app, **about)
    rater = Rater(screen)
    await screen.tab("rate")
    await rater.begin(name, sweep, cases)
    return rater


def system(answer: str) -> int:
    """Which of the two systems has given it, as the test alone knows."""
    return int(answer.rsplit(" ", 1)[1]) % 2


async def test_two_people_rate_blind_and_then_see_who_is_better_and_how_far_they_agree(
    visits: Any, fake_app: Any, sweep: str
) -> None:
    ana = await at_it(visits, fake_app, "Ana", sweep)
    ben = await at_it(visits, fake_app, "Ben", sweep, width=390)
    assert await ana.done() == "0 of 24"
    await ana.rate_all(lambda answer: "5" if system(answer) else "2")
    assert await ben.done() == "0 of 24"
    await ben.rate_all(lambda answer: "4" if system(answer) else "2")
    for rater in (ana, ben):
        assert len(rater.received) > 24
        seen = "".join(rater.received) + await rater.page.content()
        assert not [secret for secret in SECRETS if secret in seen]
        assert await rater.page.title() == "Playground"
        assert "whoever knows the figures rates differently" in await rater.page.inner_text(".pg-rating-end")
        await rater.page.get_by_text("See the results").click()
        await rater.page.locator(".pg-rating-results").wait_for()
        assert SECRETS[0] in "".join(rater.received)
    first = ben.page.locator(".pg-rating-criterion").first
    assert "Winner: server/secret-beta" in await first.inner_text()
    assert "Krippendorff's alpha: " in await first.inner_text()
    row = await first.locator("table").nth(1).locator("tbody tr").inner_text()
    assert row.split("\t")[:1] + row.split("\t")[2:] == ["Ana · Ben", "24", "almost perfect"]
    assert len(fake_app.deps.store.ratings.of(sweep)) == 144
    async with ben.page.expect_download() as given:
        await ben.page.get_by_text("CSV of every grade").click()
    text = await ben.screen.downloaded(await given.value)
    rows = list(csv.DictReader(io.StringIO(text.lstrip("\ufeff"))))
    assert len(rows) == 144
    assert {row["rater"] for row in rows} == {"Ana", "Ben"}
    assert await ben.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_a_reload_brings_back_the_answer_and_what_was_not_sent_yet(
    visits: Any, fake_app: Any, sweep: str
) -> None:
    ana = await at_it(visits, fake_app, "Ana", sweep, cases=2)
    await ana.on("3", "4", "5", "Enter")
    answer = await ana.answer()
    await ana.press("2", "1")
    await ana.page.fill(".pg-rating-comment", "a comma is missing")
    await ana.page.click(".pg-rating-expected .pg-link")
    await ana.page.reload()
    await ana.page.locator(DESK).wait_for()
    assert (await ana.answer(), await ana.done()) == (answer, "1 of 4")
    assert await ana.page.evaluate(PRESSED) == "21"
    assert await ana.page.input_value(".pg-rating-comment") == "a comma is missing"
    assert await ana.page.locator(".pg-rating-expected .pg-rating-text").is_hidden()
    await ana.on("0", "Enter")
    kept = [row for row in fake_app.deps.store.ratings.of(sweep) if row.comment]
    assert [(row.criterion, row.grade) for row in kept] == [("correctness", 2), ("grammar", 1), ("context", None)]


async def test_by_mouse_one_goes_back_changes_undoes_and_puts_off(visits: Any, fake_app: Any, sweep: str) -> None:
    ana = await at_it(visits, fake_app, "Ana", sweep, cases=2)
    grade = ana.page.locator(".pg-rating-row").nth
    following = ana.page.locator(".pg-rating-next")
    assert await following.is_disabled()
    for at in range(3):
        await grade(at).get_by_text("4", exact=True).click()
    first = await ana.place()
    await following.click()
    await ana.page.get_by_text("Ana, answer 2").wait_for()
    await ana.page.get_by_text("Back", exact=True).click()
    await ana.page.get_by_text(first).wait_for()
    assert await ana.page.evaluate(PRESSED) == "444"
    await grade(1).get_by_text("1", exact=True).click()
    await following.click()
    await ana.page.get_by_text("Ana, answer 2").wait_for()
    await ana.page.get_by_text("Later").click()
    await ana.page.get_by_text("Ana, answer 3").wait_for()
    assert await ana.done() == "1 of 4"
    await ana.page.get_by_text("Undo the last").click()
    await ana.page.get_by_text(first).wait_for()
    assert (await ana.done(), await ana.page.evaluate(PRESSED)) == ("0 of 4", "")
    await ana.page.get_by_text("Cannot judge").click()
    await ana.page.get_by_text("Ana, answer 2").wait_for()
    assert {row.grade for row in fake_app.deps.store.ratings.of(sweep)} == {None}


async def test_digits_in_the_comment_are_text_and_no_grades(visits: Any, fake_app: Any, sweep: str) -> None:
    ana = await at_it(visits, fake_app, "Ana", sweep, cases=1)
    await ana.page.locator(".pg-rating-comment").press_sequentially("12 of 3")
    assert await ana.page.evaluate(PRESSED) == ""
    await ana.press("Escape", "3", "ArrowUp", "4", "5", "5")
    assert await ana.page.evaluate(PRESSED) == "455"


async def test_whoever_is_sent_a_link_only_says_who_they_are(visits: Any, fake_app: Any, sweep: str) -> None:
    screen = await visits(fake_app, locale="es-ES", width=390)
    await screen.page.goto(f"{fake_app.url}/?rate={sweep}&by=grammar&by=Is+it+kind%3F&cases=3&grouped=1")
    rater = Rater(screen)
    await rater.page.locator(".pg-rating-start").wait_for()
    assert await rater.page.evaluate("document.body.dataset.mode") == "rate"
    assert await rater.page.locator(".pg-rating-settings").is_hidden()
    assert "?" not in rater.page.url
    await rater.begin("Dani")
    assert await rater.done() == "0 de 6"
    names = await rater.page.locator(".pg-rating-name b").all_inner_texts()
    assert names == ["Gramática", "Is it kind?"]
    assert await rater.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert dict(fake_app.deps.store.ratings.raters(sweep)[0].queue) == {
        "cases": 3,
        "repeats": False,
        "grouped": True,
        "criteria": ["grammar", "Is it kind?"],
    }


async def test_a_sweep_that_is_deleted_meanwhile_is_said_and_another_can_be_chosen(
    visits: Any, fake_app: Any, sweep: str
) -> None:
    ana = await at_it(visits, fake_app, "Ana", sweep, cases=1)
    fake_app.deps.store.sweeps.delete(sweep)
    await ana.press("3", "3", "3", "Enter")
    await ana.page.locator(".pg-rating > .pg-notice").get_by_text("No sweep is called").wait_for()
    assert await ana.page.evaluate(PRESSED) == "333"
    other = put_sweep(fake_app.deps.store, f"browser-{uuid4().hex[:8]}")
    await ana.page.reload()
    await ana.begin("Ana", other)
    assert await ana.done() == "0 of 2"
    fake_app.deps.store.sweeps.delete(other)
