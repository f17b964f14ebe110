"""The Sweep tab: a form, what it costs, a sweep that outlives a reload, its figures, and the way down to an answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest_asyncio

GO, NOW = "#pg-sweep .pg-sweep-go", "#pg-sweep .pg-sweep-now"
CASES = [{"id": str(at), "variables": {"word": f"word {at}"}, "expected": "Hello, world!"} for at in range(4)]


class Sweeper:
    """The tab as a person uses it."""

    def __init__(self, screen: Any) -> None:
        self.screen, self.page = screen, screen.page

    def field(self, name: str) -> Any:
        return self.page.locator(f"#pg-sweep [data-field='{name}']")

    async def add(self, field: str, name: str, value: str = "") -> None:
        """A parameter to a field, with its value."""
        await self.field(field).locator(".pg-sweep-dataset > select").select_option(name)
        await self.field(field).locator(f"[data-field='{name}'] input").first.fill(value)

    async def form(self, *, model: str = "server/fake", name: str = "Warm or cold", repeats: int = 2) -> None:
        """A sweep of two temperatures over the dataset."""
        await self.field("name").locator("input").fill(name)
        box = self.field("models").locator(".pg-picker-input")
        await box.fill(model)
        await box.press("Enter")
        await self.field("prompt").locator("textarea").fill("Say {{word}}")
        await self.field("dataset").locator("select").select_option("words")
        await self.add("grid", "temperature", "0, 1")
        await self.field("metrics").locator(".pg-sweep-metrics > select").select_option("exact_match")
        await self.field("repeats").locator("input").fill(str(repeats))
        await self.page.locator("#pg-sweep .pg-sweep-estimate .pg-cell").first.wait_for()

    async def run(self) -> None:
        await self.page.click(GO)
        await self.page.locator(f"{NOW} progress").wait_for()

    async def state(self, name: str) -> None:
        await self.page.locator(f"{NOW} [data-status='{name}']").wait_for(timeout=30_000)

    async def press(self, label: str) -> None:
        await self.page.locator(NOW).get_by_role("button", name=label, exact=True).click()

    async def figures(self) -> None:
        """Until all that came is shown."""
        await self.state("succeeded")
        await self.page.locator("#pg-sweep .pg-sweep-square").first.wait_for()


@pytest_asyncio.fixture(loop_scope="session")
async def sweeper(visits: Any, fake_app: Any) -> Sweeper:
    if fake_app.deps.store.datasets.named("words") is None:
        fake_app.deps.store.datasets.save("words", "words", CASES)
    screen = await visits(fake_app, model="server/fake")
    await screen.tab("sweep")
    return Sweeper(screen)


async def test_a_sweep_runs_and_leads_down_to_an_answer(sweeper: Sweeper) -> None:
    await sweeper.form()
    assert "16 = 2 combinations × 4 cases × 2 repeats" in await sweeper.page.inner_text("#pg-sweep .pg-sweep-estimate")
    await sweeper.run()
    await sweeper.figures()
    assert "16 of 16 answered" in await sweeper.page.inner_text(NOW)
    assert "No difference shown" in await sweeper.page.inner_text(".pg-sweep-verdict")
    squares = await sweeper.page.locator(".pg-sweep-square").all_inner_texts()
    assert len(squares) == 2
    assert all("[1, 1]" in square and "100% agree" in square and "n = 8" in square for square in squares)
    await sweeper.page.locator(".pg-sweep-square").nth(1).click()
    await sweeper.screen.until("document.querySelectorAll('.pg-sweep-outputs tbody tr').length === 8")
    await sweeper.page.locator(".pg-sweep-answer").first.click()
    dialog = sweeper.page.locator(".pg-sweep-detail")
    await dialog.locator("h3").first.wait_for()
    texts = await dialog.locator(".pg-run-text").all_inner_texts()
    assert texts == ["Say word 0", "Hello, world!", "Hello, world!"]
    assert "exact_match\n1" in await dialog.inner_text()


async def test_a_reload_in_the_middle_follows_it_again(sweeper: Sweeper, fake_app: Any) -> None:
    await sweeper.form(model="server/fault-slow:20", name="Long", repeats=20)
    await sweeper.run()
    await sweeper.page.locator(f"{NOW} .pg-sweep-latest li").first.wait_for()
    await sweeper.page.reload()
    await sweeper.screen.ready()
    await sweeper.page.locator(NOW).wait_for()
    assert "Long" in await sweeper.page.inner_text(f"{NOW} h3")
    await sweeper.figures()
    [newest] = fake_app.deps.store.sweeps.listed(limit=1)
    assert (newest.state, newest.done) == ("done", 160)
    assert sorted(each.number for each in fake_app.deps.store.sweeps.each(newest.id)) == list(range(160))


async def test_it_is_paused_and_goes_on(sweeper: Sweeper, fake_app: Any) -> None:
    await sweeper.form(model="server/fault-slow:20", name="Paused", repeats=10)
    await sweeper.run()
    await sweeper.page.locator(f"{NOW} .pg-sweep-latest li").first.wait_for()
    await sweeper.press("Pause")
    await sweeper.state("paused")
    [row] = fake_app.deps.store.sweeps.listed(limit=1)
    assert 0 < row.done < 80
    await sweeper.press("Go on")
    await sweeper.state("running")
    await sweeper.press("Stop")
    await sweeper.state("stopped")


async def test_a_budget_is_reached_and_raised(visits: Any, openai_app: Any) -> None:
    openai_app.deps.store.datasets.save("words", "words", CASES)
    screen = await visits(openai_app, model="openai/gpt-4o-mini")
    await screen.tab("sweep")
    sweeper = Sweeper(screen)
    await sweeper.form(model="openai/gpt-4o-mini", name="Capped")
    await sweeper.add("parameters", "max_tokens", "20")
    await sweeper.field("budget").locator("input").fill("0.00005")
    await sweeper.run()
    await sweeper.state("budget")
    assert "The budget of $0.00005" in await screen.page.inner_text(NOW)
    await screen.page.locator(NOW).get_by_role("textbox").fill("1")
    await sweeper.press("Go on")
    await sweeper.figures()


async def test_what_is_wrong_is_said_at_its_field(sweeper: Sweeper) -> None:
    await sweeper.form()
    await sweeper.field("temperature").locator("input").first.fill("0, 9")
    await sweeper.page.click(GO)
    await sweeper.field("temperature").locator(".pg-wrong").wait_for()
    assert "temperature" in (await sweeper.field("temperature").locator(".pg-wrong").inner_text()).lower()
    await sweeper.field("temperature").locator("input").first.fill("0, 1")
    await sweeper.field("temperature").locator(".pg-wrong").wait_for(state="hidden")


async def test_the_open_tab_is_taken_and_a_file_brings_the_same_form_back(sweeper: Sweeper, tmp_path: Path) -> None:
    await sweeper.screen.tab("complete")
    await sweeper.screen.write("Translate {{word}}")
    await sweeper.screen.set("max_tokens", "7")
    await sweeper.screen.tab("sweep")
    await sweeper.page.get_by_role("button", name="Take from the open tab").click()
    await sweeper.field("parameters").locator("[data-field='max_tokens']").wait_for()
    assert await sweeper.field("prompt").locator("textarea").input_value() == "Translate {{word}}"
    await sweeper.add("grid", "top_p", "0.5, 1")
    async with sweeper.page.expect_download() as waiting:
        await sweeper.page.get_by_role("button", name="Export as YAML").click()
    text = await sweeper.screen.downloaded(await waiting.value)
    assert "top_p:\n  - 0.5\n  - 1" in text
    await sweeper.page.get_by_role("button", name="Clear", exact=True).click()
    (tmp_path / "spec.yaml").write_text(text)
    await sweeper.page.set_input_files("#pg-sweep input[type=file]", tmp_path / "spec.yaml")
    await sweeper.field("top_p").wait_for()
    assert await sweeper.field("prompt").locator("textarea").input_value() == "Translate {{word}}"
    assert await sweeper.field("max_tokens").locator("input").first.input_value() == "7"


async def test_a_combination_is_used_and_results_are_saved(sweeper: Sweeper, fake_app: Any) -> None:
    await sweeper.form(name="Used")
    await sweeper.run()
    await sweeper.figures()
    for kind in ("CSV", "JSON", "a report"):
        async with sweeper.page.expect_download() as waiting:
            await sweeper.page.get_by_role("button", name=f"Save as {kind}").click()
        assert "Hello, world!" in await sweeper.screen.downloaded(await waiting.value)
    async with sweeper.page.expect_download() as waiting:
        await sweeper.page.locator(".pg-sweep-verdict").get_by_role("button", name="Download as a program").click()
    assert (await waiting.value).suggested_filename == "deploy-used.zip"
    await sweeper.page.locator(".pg-sweep-cells tr").nth(1).get_by_role("button", name="Use this").click()
    await sweeper.screen.until("['complete', 'chat'].includes(document.body.dataset.mode)")
    [row] = fake_app.deps.store.sweeps.listed(limit=1)
    temperature = await sweeper.page.input_value("#pg-param-temperature")
    assert float(temperature) in {cell["varied"]["temperature"] for cell in row.cells}


async def test_sweeps_so_far_are_opened_and_deleted(sweeper: Sweeper, fake_app: Any) -> None:
    await sweeper.form(name="Deleted soon")
    await sweeper.run()
    await sweeper.figures()
    [row] = fake_app.deps.store.sweeps.listed(limit=1)
    await sweeper.page.locator("#pg-sweep .pg-sweep-past summary").click()
    item = sweeper.page.locator(f"#pg-sweep .pg-sweep-item:has([data-key='{row.id}'])")
    await item.locator(".pg-icon").click()
    await item.get_by_role("button", name="Delete it for good").click()
    await item.wait_for(state="detached")
    assert fake_app.deps.store.sweeps.sweep(row.id) is None
    await sweeper.page.locator(NOW).wait_for(state="hidden")


async def test_spanish_on_a_phone_says_no_english_and_has_no_sideways_scroll(visits: Any, fake_app: Any) -> None:
    if fake_app.deps.store.datasets.named("words") is None:
        fake_app.deps.store.datasets.save("words", "words", CASES)
    screen = await visits(fake_app, model="server/fake", locale="es-ES", width=390, height=844)
    await screen.tab("sweep")
    sweeper = Sweeper(screen)
    await sweeper.form(name="Prueba")
    await sweeper.run()
    await sweeper.figures()
    said = await screen.page.inner_text("#pg-sweep")
    assert "16 de 16 respondidas" in said
    assert "No se muestra ninguna diferencia" in said
    for english in ("answered", "Winner", "agree", "Run", "Dataset", "Latency"):
        assert english not in said
    assert await screen.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_people_rate_a_sweeps_answers_from_its_results(sweeper: Sweeper, fake_app: Any) -> None:
    await sweeper.form(name="To be rated")
    await sweeper.run()
    await sweeper.figures()
    rated = fake_app.deps.store.sweeps.listed(limit=1)[0].id
    await sweeper.field("name").locator("input").fill("Another, later")
    await sweeper.page.click(GO)
    await sweeper.page.locator(NOW, has_text="Another, later").locator("[data-status='succeeded']").wait_for()
    await sweeper.page.locator("#pg-sweep .pg-sweep-past > summary").click()
    await sweeper.page.locator(f"#pg-sweep .pg-job[data-key='{rated}']").click()
    await sweeper.page.locator("#pg-sweep .pg-sweep-results").wait_for()
    await sweeper.page.locator("#pg-sweep").get_by_role("button", name="Have people rate answers").click()
    chosen = sweeper.page.locator("#pg-rating .pg-rating-start select")
    await chosen.wait_for()
    assert await chosen.input_value() == rated


async def test_a_draft_of_the_form_outlives_a_reload(sweeper: Sweeper) -> None:
    await sweeper.form(name="Kept")
    await sweeper.page.reload()
    await sweeper.screen.ready()
    assert await sweeper.field("name").locator("input").input_value() == "Kept"
    kept = json.loads(await sweeper.page.evaluate("localStorage.getItem('playground.sweep_form')"))
    assert kept["grid"] == {"temperature": [0, 1]}
