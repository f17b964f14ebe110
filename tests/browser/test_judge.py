"""A model judges a sweep's answers in the page, the real one of the engine: chosen, foreseen, asked, marked."""

from __future__ import annotations

from typing import Any

MODEL = "local/smollm2-135m-instruct"
NOW = "#pg-sweep .pg-sweep-now"
CASES = [
    {"id": "france", "prompt": "What is the capital of France?", "expected": "Paris"},
    {"id": "spain", "prompt": "What is the capital of Spain?", "expected": "Madrid"},
]


async def test_a_sweep_is_judged_by_the_model_that_is_here(visits: Any, engine_app: Any) -> None:
    if engine_app.deps.store.datasets.named("capitals") is None:
        engine_app.deps.store.datasets.save("capitals", "capitals", CASES)
    screen = await visits(engine_app)
    page = screen.page
    await screen.tab("sweep")
    field = lambda name: page.locator(f"#pg-sweep [data-field='{name}']")  # noqa: E731 (what a person points at)
    box = field("models").locator(".pg-picker-input")
    await box.fill(MODEL)
    await box.press("Enter")
    await field("dataset").locator("select").select_option("capitals")
    await field("metrics").locator(".pg-sweep-metrics > select").select_option("judge")
    judge = page.locator("#pg-sweep [data-metric='judge']")
    assert await judge.locator("input").first.input_value() == MODEL, "whoever is chosen in the picker is proposed"
    await judge.get_by_label("Criterion").fill("grammar")
    foretold = page.locator("#pg-sweep .pg-sweep-estimate")
    await foretold.get_by_text("Plus calls to judges").wait_for()
    assert "nothing: it runs on this machine" in await foretold.inner_text()
    await page.click("#pg-sweep .pg-sweep-go")
    await page.locator(f"{NOW} [data-status='succeeded']").wait_for(timeout=120_000)
    assert "judged 2 of 2" in await page.inner_text(NOW)
    await page.locator(".pg-sweep-outputs tbody tr").nth(1).wait_for()
    results = await page.inner_text("#pg-sweep .pg-sweep-results")
    assert f"{MODEL}'s opinion of 2 answers" in results
    await page.locator(".pg-sweep-answer").first.click()
    dialog = page.locator(".pg-sweep-detail")
    await dialog.get_by_text("Judges' opinions").wait_for()
    assert f"judge · {MODEL}: " in await dialog.inner_text()
