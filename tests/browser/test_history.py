"""Edit, History, Usage and Tokenizer: what was run is found, compared, opened, rated, deleted and taken out."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from typing import Any

import pytest_asyncio

from playground.store import Output
from tests.fakes.helpers import until


@pytest_asyncio.fixture(loop_scope="session")
async def screen(visits: Any, fake_app: Any) -> Any:
    return await visits(fake_app, model="server/fake")


async def search(screen: Any, text: str) -> list[str]:
    await screen.page.fill("#pg-filter-text", text)
    await screen.until("!document.querySelector('.pg-history .pg-rows[aria-busy]')")
    return list(await screen.page.locator(".pg-run-prompt").all_inner_texts())


async def test_an_edit_marks_what_changed_and_can_be_taken_as_input(screen: Any, fake_app: Any) -> None:
    await screen.tab("edit")
    await screen.page.fill(".pg-edit-input", "Hello, wrld")
    await screen.page.fill(".pg-edit-instruction", "Fix the spelling")
    await screen.page.press(".pg-edit-instruction", "Control+Enter")
    await screen.page.locator(".pg-edit-output ins").first.wait_for()
    assert await screen.page.locator(".pg-edit-output del").all_inner_texts() == [" wrld"]
    assert await screen.page.locator(".pg-edit-output ins").all_inner_texts() == [" world!"]
    kept = fake_app.last_run()
    assert (kept.mode, kept.request["instruction"]) == ("edit", "Fix the spelling")
    await screen.page.click(".pg-edit-plain")
    assert await screen.page.inner_text(".pg-edit-output") == "Hello, world!"
    await screen.page.click(".pg-edit-use")
    assert await screen.page.input_value(".pg-edit-input") == "Hello, world!"
    await screen.page.click("#pg-panel-edit .pg-undo")
    assert await screen.page.input_value(".pg-edit-input") == "Hello, wrld"
    await screen.page.fill(".pg-edit-instruction", "")
    await screen.page.click("#pg-panel-edit .pg-submit")
    await screen.notice_with("There is no instruction.")


async def test_a_run_is_found_by_its_words_and_opens_in_its_tab(screen: Any) -> None:
    await screen.set("max_tokens", "33")
    await screen.run("El pingüino canta bajo la lluvia")
    await screen.run("The whale sings in the sea")
    await screen.tab("history")
    assert await search(screen, "PINGUINO lluv") == ["El pingüino canta bajo la lluvia"]
    assert await search(screen, "pinguino whale") == []
    assert "No run matches" in await screen.page.inner_text(".pg-rows")
    await search(screen, "pingüino")
    await screen.page.click(".pg-run-open")
    detail = await screen.page.inner_text(".pg-run-detail")
    assert "max_tokens: 33" in detail
    assert "Hello, world!" in detail
    await screen.page.click(".pg-run-detail >> text=Open in Complete")
    await screen.until("document.body.dataset.mode === 'complete'")
    screen.scope = "complete"
    await screen.until("document.querySelector('.pg-front').value.includes('Hello, world!')")
    assert await screen.text() == "El pingüino canta bajo la lluviaHello, world!"
    assert await screen.marks() == ["Hello, world!"]
    assert await screen.page.input_value("#pg-param-max_tokens") == "33"
    # Nothing has the focus after that: the keys are for the tab that was opened.
    await screen.page.keyboard.press("Control+Enter")
    await screen.until("document.querySelector('.pg-front').value.endsWith('!Hello, world!')")
    await screen.ended()
    assert await screen.text() == "El pingüino canta bajo la lluviaHello, world!Hello, world!"


async def test_two_runs_are_compared_with_their_differences_marked(screen: Any) -> None:
    await screen.set("temperature", "0.1")
    await screen.run("Compare walrus one")
    await screen.set("temperature", "0.9")
    await screen.run("Compare walrus two")
    await screen.tab("history")
    await search(screen, "compare walrus")
    await screen.page.locator(".pg-run").nth(1).wait_for()
    for box in await screen.page.locator(".pg-run input").all():
        await box.check()
    await screen.page.click(".pg-history-bar >> text=Compare")
    await screen.page.locator(".pg-run-detail").nth(1).wait_for()
    assert set(await screen.page.locator(".pg-differs").all_inner_texts()) == {"temperature: 0.1", "temperature: 0.9"}
    assert set(await screen.page.locator(".pg-run-text mark").all_inner_texts()) == {" one", " two"}


async def test_a_run_is_rated_filtered_by_its_rating_and_deleted(screen: Any, fake_app: Any) -> None:
    await screen.run("Rate this giraffe")
    run = fake_app.last_run()
    await screen.tab("history")
    await search(screen, "giraffe")
    await screen.page.click(".pg-run .pg-thumbs button >> nth=0")
    await screen.page.locator(".pg-thumbs [aria-pressed='true']").wait_for()
    await until(lambda: fake_app.deps.store.run(run.id).rating == 1)
    await screen.page.select_option("#pg-filter-rating", "-1")
    await screen.page.get_by_text("No run matches").wait_for()
    await screen.page.select_option("#pg-filter-rating", "1")
    await screen.page.locator(".pg-run input").first.check()
    await screen.page.click(".pg-history-bar >> text=Delete")
    await screen.page.click(".pg-history dialog .pg-danger")
    await screen.page.locator(".pg-run").wait_for(state="detached")
    assert fake_app.deps.store.run(run.id) is None


async def test_runs_are_exported_as_jsonl_and_as_csv(screen: Any) -> None:
    await screen.run("=1+1 export this okapi")
    await screen.tab("history")
    await search(screen, "okapi")
    for format_, label in (("jsonl", "Export JSONL"), ("csv", "Export CSV")):
        async with screen.page.expect_download() as download:
            await screen.page.click(f".pg-history-bar >> text={label}")
        saved = await download.value
        assert saved.suggested_filename == f"playground-history.{format_}"
        text = await screen.downloaded(saved)
        if format_ == "jsonl":
            assert json.loads(text)["request"]["prompt"] == "=1+1 export this okapi"
        else:
            (row,) = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
            assert json.loads(row["request"])["prompt"] == "=1+1 export this okapi"


async def test_an_export_goes_on_while_the_list_is_used(screen: Any) -> None:
    await screen.run("Export this tapir")
    await screen.tab("history")
    await search(screen, "tapir")
    async with screen.page.expect_download() as download:
        await screen.page.evaluate(
            """() => { const buttons = [...document.querySelectorAll('.pg-history-bar button')];
            buttons.find(button => button.textContent.includes('JSONL')).click();
            document.querySelector('.pg-run-open').click(); }"""
        )
    assert json.loads(await screen.downloaded(await download.value))["request"]["prompt"] == "Export this tapir"
    await screen.page.locator(".pg-run-detail").wait_for()


async def test_usage_draws_cost_and_tokens_by_day_and_says_how_long_models_took(visits: Any, openai_app: Any) -> None:
    screen = await visits(openai_app, model="openai/gpt-3.5-turbo-instruct")
    await screen.run("Spend something")
    await screen.tab("usage")
    await screen.page.locator("#pg-usage .pg-chart rect").first.wait_for()
    assert await screen.page.locator("#pg-usage .pg-chart").count() == 2
    assert "$" in await screen.page.inner_text(".pg-usage-totals")
    assert "openai/gpt-3.5-turbo-instruct" in await screen.page.inner_text(".pg-usage-table")
    assert not await screen.page.is_visible("#pg-side")


async def test_usage_counts_what_sweeps_used_and_says_that_it_was_sweeps(visits: Any, openai_app: Any) -> None:
    sweeps = openai_app.deps.store.sweeps
    cells = [{"name": "x", "model": "openai/swept"}]
    sweeps.create("used", name="used", fingerprint="f", calls=2, spec={}, cells=cells, cases=[])
    answers = [Output(number=at, cell=0, row=at, repeat=0, status="done", cost=Decimal("12.5")) for at in range(2)]
    sweeps.keep("used", answers, spent=Decimal(40), reserved=Decimal(0))
    screen = await visits(openai_app, model="openai/gpt-3.5-turbo-instruct")
    await screen.tab("usage")
    await screen.page.locator("#pg-usage .pg-chart rect").first.wait_for()
    assert "openai/swept · sweeps" in await screen.page.inner_text("#pg-usage .pg-chart-legend")
    totals = await screen.page.inner_text(".pg-usage-totals")
    assert "$40.00" in totals
    assert "Of that by sweeps" in totals
    sweeps.delete("used")


async def test_the_tokenizer_shows_tokens_ids_and_counts_for_every_encoding(visits: Any, engine_app: Any) -> None:
    screen = await visits(engine_app)
    await screen.tab("tokenizer")
    await screen.page.fill(".pg-tokenizer-text", "Hola 👋🏽 mundo")
    await screen.until("document.querySelectorAll('.pg-piece').length > 4")
    assert (await screen.page.locator(".pg-piece").all_text_contents())[0] == "Hola"
    names = await screen.page.locator(".pg-count span").all_inner_texts()
    assert names == ["o200k_base", "cl100k_base", "p50k_base", "r50k_base", "local/smollm2-135m-instruct"]
    await screen.page.click(".pg-tokenizer-head >> text=Ids")
    assert (await screen.page.locator(".pg-piece").all_text_contents())[0] == "49864"
    await screen.page.select_option("#pg-encoding", "model")
    await screen.until("!document.querySelector('.pg-piece').textContent.includes('49864')")
    own = await screen.page.locator(".pg-count strong").last.inner_text()
    assert await screen.page.locator(".pg-piece").count() == int(own)
    await screen.tab("chat")
    await screen.page.fill(".pg-system-text", "Sea horse")
    await screen.tab("tokenizer")
    await screen.page.click(".pg-tokenizer-bar >> text=The conversation in Chat")
    await screen.until("document.querySelector('.pg-tokenizer-text').value.includes('Sea horse')")
    await screen.page.click(".pg-tokenizer-bar >> text=The conversation in Chat")
    await screen.page.click(".pg-tokenizer-bar button >> nth=0")
    assert await screen.page.input_value(".pg-tokenizer-text") == "Hola 👋🏽 mundo"
